//! A small data directory of every released format is kept, and opened by every later version.
//!
//! A release that changes the format adds one:
//! `cargo test --release --workspace --test it -- --ignored make_a_directory_of_this_format`. Its contents are made up.

use std::path::{Path, PathBuf};

use crate::hub::{Hub, import, run, run_well};

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn format_of(data: &Path) -> String {
    let text = std::fs::read_to_string(data.join("FORMAT")).unwrap();
    text.trim().rsplit(' ').next().unwrap().to_owned()
}

/// Something of every kind of command and row: versions, a deletion, a link, an attachment, a destroyed text.
fn made(folder: &Path) -> PathBuf {
    let (data, file) = (folder.join("hub"), folder.join("some.ndjson"));
    let lines: Vec<String> = (0..50)
        .map(|n| format!(r#"{{"resourceType":"Patient","id":"p{n}","birthDate":"19{:02}-01-01","name":[{{"family":"族{n}"}}]}}"#, n + 40))
        .collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    import(&data, &[&file]);
    let hub = Hub::serve_with(&data, &["--allow-purge"], &[]);
    let send = |method: &str, path: &str, body: &str| {
        let answer = hub.send(method, path, &[], body);
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.body);
    };
    for value in 1..4 {
        let body = format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"weight"}},"subject":{{"reference":"Patient/p1"}},"valueQuantity":{{"value":{value}.50,"unit":"kg"}}}}"#
        );
        send("PUT", "Observation/o", &body);
    }
    let content = "QUJD".repeat(25_000);
    send(
        "PUT",
        "Binary/b",
        &format!(r#"{{"resourceType":"Binary","id":"b","contentType":"text/plain","data":"{content}"}}"#),
    );
    send("DELETE", "Patient/p2", "");
    send("POST", "Patient/p3/$purge", "");
    assert!(hub.stop());
    data
}

#[test]
#[ignore = "it is run for a release that changes the format"]
fn make_a_directory_of_this_format() {
    let folder = tempfile::tempdir().unwrap();
    let data = made(folder.path());
    run_well(&["doctor", "--quiet", "--compact", "--data", data.to_str().unwrap()]);
    std::fs::create_dir_all(kept()).unwrap();
    let path = kept().join(format!("format-{}.tar.zst", format_of(&data)));
    let out = zstd::stream::write::Encoder::new(std::fs::File::create(&path).unwrap(), 19).unwrap();
    let mut archive = tar::Builder::new(out);
    archive.append_path_with_name(data.join("FORMAT"), "hub/FORMAT").unwrap();
    for entry in std::fs::read_dir(&data).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "FORMAT" && entry.path().is_file() {
            archive.append_path_with_name(entry.path(), format!("hub/{name}")).unwrap();
        }
    }
    for entry in std::fs::read_dir(data.join("db")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        // The engine's own messages name the machine.
        if !name.starts_with("LOG") {
            archive.append_path_with_name(entry.path(), format!("hub/db/{name}")).unwrap();
        }
    }
    archive.into_inner().unwrap().finish().unwrap();
    assert!(path.metadata().unwrap().len() < 200_000);
}

#[test]
fn a_directory_of_every_format_is_opened() {
    let mut formats = Vec::new();
    for path in std::fs::read_dir(kept()).unwrap().map(|f| f.unwrap().path()) {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::open(&path).unwrap();
        tar::Archive::new(zstd::stream::read::Decoder::new(file).unwrap()).unpack(folder.path()).unwrap();
        let data = folder.path().join("hub");
        formats.push(format_of(&data));
        let data = data.to_str().unwrap();
        run_well(&["doctor", "--quiet", "--data", data]);
        let hub = Hub::serve(Path::new(data));
        assert_eq!(hub.get("Patient?_summary=count").1["total"], 48);
        assert_eq!(hub.get("Patient?name=族7&birthdate=1947").1["total"], 1);
        assert_eq!(hub.get("Observation?patient=p1&value-quantity=3.5").1["total"], 1);
        let observation = hub.send("GET", "Observation/o", &[], "").body;
        assert!(observation.contains(r#""value":3.50"#), "{observation}");
        assert!(hub.send("GET", "Observation/o/_history/1", &[], "").body.contains(r#""value":1.50"#));
        assert_eq!((hub.get("Patient/p2").0, hub.get("Patient/p2/_history/1").0), (410, 200));
        assert!(hub.get("Patient/p3").0 != 200);
        assert_eq!(hub.get("Binary/b").1["data"].as_str().unwrap().len(), 100_000);
        assert_eq!(
            hub.send(
                "PUT",
                "Patient/new",
                &[],
                r#"{"resourceType":"Patient","id":"new","birthDate":"1947-05-05"}"#
            )
            .status,
            201
        );
        assert_eq!(hub.get("Patient?birthdate=1947").1["total"], 2);
        assert!(hub.stop());
        run_well(&["doctor", "--quiet", "--data", data]);
        run_well(&["doctor", "--quiet", "--rebuild", "--data", data]);
        run_well(&["doctor", "--quiet", "--data", data]);
        assert_eq!(Hub::serve(Path::new(data)).get("Patient?_summary=count").1["total"], 49);
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new");
    drop(Hub::serve(&data));
    let present = format_of(&data);
    assert!(formats.contains(&present), "no directory of format {present} is kept: see this file's head");
}

#[test]
fn a_directory_of_a_format_to_come_is_left_alone_by_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    drop(Hub::serve(&data));
    let next = format_of(&data).parse::<u32>().unwrap() + 1;
    std::fs::write(data.join("FORMAT"), format!("yojigen {next}\n")).unwrap();
    let state = || -> Vec<(PathBuf, u64)> {
        let mut files: Vec<_> = std::fs::read_dir(data.join("db"))
            .unwrap()
            .map(|f| f.unwrap().path())
            .map(|p| (p.clone(), p.metadata().unwrap().len()))
            .collect();
        files.sort();
        files
    };
    let (before, path) = (state(), data.to_str().unwrap());
    let out = folder.path().join("out");
    for task in [
        vec!["serve", "--open", "--listen", "127.0.0.1:0", "--data", path],
        vec!["doctor", "--data", path],
        vec!["doctor", "--rebuild", "--data", path],
        vec!["export", out.to_str().unwrap(), "--data", path],
        vec!["backup", out.to_str().unwrap(), "--data", path],
    ] {
        let refused = run(&task);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{task:?}: {said}");
        assert!(
            said.contains(&format!("has format {next}")) && said.contains("or a newer one"),
            "{task:?}: {said}"
        );
    }
    assert_eq!(state(), before);
    assert!(data.join("FORMAT").is_file());
}
