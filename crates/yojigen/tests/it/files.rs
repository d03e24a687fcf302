//! In and out: what goes in comes out, whole or refused by name, once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::hub::{PROGRAM, import, run, run_well};

fn exported(data: &Path, to: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    run_well(&["export", "--quiet", to.to_str().unwrap(), "--data", data.to_str().unwrap()]);
    let mut files = BTreeMap::new();
    for file in std::fs::read_dir(to).unwrap() {
        let path = file.unwrap().path();
        files.insert(PathBuf::from(path.file_name().unwrap()), std::fs::read(&path).unwrap());
    }
    files
}

fn resources(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<Value> {
    let lines = files.iter().filter(|(name, _)| name.extension().is_some_and(|e| e == "ndjson"));
    lines
        .flat_map(|(_, bytes)| serde_json::Deserializer::from_slice(bytes).into_iter().map(Result::unwrap))
        .collect()
}

/// A resource without what an import may change: id, meta's version and moment, references between entries.
fn stripped(mut resource: Value, depth: usize) -> Value {
    match &mut resource {
        Value::Object(members) => {
            if depth == 0 {
                members.remove("id");
                members.remove("fullUrl");
                if let Some(Value::Object(meta)) = members.get_mut("meta") {
                    meta.remove("versionId");
                    meta.remove("lastUpdated");
                    if meta.is_empty() {
                        members.remove("meta");
                    }
                }
            }
            if let Some(Value::String(reference)) = members.get_mut("reference")
                && !reference.starts_with('#')
            {
                *reference = "resolved".to_owned();
            }
            for (_, value) in members.iter_mut() {
                *value = stripped(value.take(), depth + 1);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = stripped(item.take(), depth + 1)),
        _ => {}
    }
    resource
}

/// As texts with their number, so that two bags can be compared.
fn bag(resources: impl Iterator<Item = Value>) -> BTreeMap<String, usize> {
    let mut bag = BTreeMap::new();
    for resource in resources {
        *bag.entry(stripped(resource, 0).to_string()).or_default() += 1;
    }
    bag
}

fn synthea(shared: &Path) -> Vec<Value> {
    let file = std::fs::File::open(shared.join("data/synthea-r4-112-patients.tar.zst")).unwrap();
    let mut archive = tar::Archive::new(zstd::stream::read::Decoder::new(file).unwrap());
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        if entry.path().unwrap().extension().is_some_and(|e| e == "json") {
            let bundle: Value = serde_json::from_reader(std::io::BufReader::new(entry)).unwrap();
            found.extend(bundle["entry"].as_array().unwrap().iter().map(|e| e["resource"].clone()));
        }
    }
    found
}

#[test]
fn synthea_comes_out_as_it_went_in() {
    let Some(shared) = shared::folder("synthea_comes_out_as_it_went_in") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let archive = shared.join("data/synthea-r4-112-patients.tar.zst");
    import(&data, &[&archive]);
    let first = exported(&data, &folder.path().join("first"));
    let (raw, kept) = (synthea(&shared), resources(&first));
    assert_eq!(raw.len(), 32_442);
    assert_eq!(kept.len(), raw.len());
    let (raw, kept) = (bag(raw.into_iter()), bag(kept.into_iter()));
    assert!(raw == kept, "resources differ from what went in");

    // Again: nothing is added.
    import(&data, &[&archive]);
    let again = exported(&data, &folder.path().join("again"));
    assert!(first == again, "a repeated import changed something");

    // Export, import, export: the same bytes.
    let other = folder.path().join("other");
    import(&other, &[&folder.path().join("first")]);
    let second = exported(&other, &folder.path().join("second"));
    for (name, bytes) in &first {
        assert!(second.get(name) == Some(bytes), "{} differs after a round trip", name.display());
    }
    run_well(&["doctor", "--quiet", "--data", other.to_str().unwrap()]);
}

#[test]
fn a_package_comes_out_as_it_went_in() {
    let Some(shared) = shared::folder("a_package_comes_out_as_it_went_in") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let packages = shared.join("packages");
    let package = std::fs::read_dir(&packages)
        .unwrap()
        .map(|f| f.unwrap().path())
        .find(|p| p.file_name().unwrap().to_string_lossy().contains("r4.examples"))
        .expect("the official package");
    let rejects = folder.path().join("rejects.ndjson");
    let (data_text, rejects_text) = (data.to_str().unwrap(), rejects.to_str().unwrap());
    let output = run(&[
        "import",
        "--quiet",
        "--data",
        data_text,
        "--rejects",
        rejects_text,
        package.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    // Deliberately or by oversight invalid, each by its name.
    let mut refused: Vec<String> = std::fs::read_to_string(&rejects)
        .unwrap()
        .lines()
        .map(|line| {
            let reject: Value = serde_json::from_str(line).unwrap();
            assert!(reject["outcome"]["issue"][0]["diagnostics"].is_string());
            reject["source"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
        })
        .collect();
    refused.sort();
    assert_eq!(refused.len(), 14, "{refused:?}");
    let kept = resources(&exported(&data, &folder.path().join("out")));
    let mut expected: BTreeMap<(String, String), Value> = BTreeMap::new();
    for (name, text) in shared::package(&package).unwrap() {
        if refused.contains(&name) {
            continue;
        }
        let resource: Value = serde_json::from_slice(&text).unwrap();
        let Some(kind) = resource["resourceType"].as_str() else { continue };
        if let Some(id) = resource["id"].as_str() {
            expected.insert((kind.to_owned(), id.to_owned()), resource);
        }
    }
    let mut found = 0;
    for resource in kept {
        let key = (
            resource["resourceType"].as_str().unwrap().to_owned(),
            resource["id"].as_str().unwrap().to_owned(),
        );
        let Some(raw) = expected.remove(&key) else { continue };
        found += 1;
        let without_meta = |mut value: Value| {
            if let Some(Value::Object(meta)) = value.get_mut("meta") {
                meta.remove("versionId");
                meta.remove("lastUpdated");
                if meta.is_empty() {
                    value.as_object_mut().unwrap().remove("meta");
                }
            }
            value
        };
        assert_eq!(without_meta(resource), without_meta(raw), "{key:?}");
    }
    assert!(expected.is_empty(), "not kept: {:?}", expected.keys().take(20).collect::<Vec<_>>());
    assert!(found > 4000, "{found}");
}

#[test]
fn an_import_that_is_killed_goes_on() {
    let Some(shared) = shared::folder("an_import_that_is_killed_goes_on") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (data, rejects) = (folder.path().join("hub"), folder.path().join("rejects"));
    let archive = shared.join("data/synthea-r4-112-patients.tar.zst");
    for pause in [150, 300, 450] {
        let mut child = std::process::Command::new(PROGRAM)
            .args(["import", "--quiet", "--data"])
            .arg(&data)
            .arg("--rejects")
            .arg(&rejects)
            .arg(&archive)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    import(&data, &[&archive]);
    let kept = resources(&exported(&data, &folder.path().join("out")));
    assert_eq!(kept.len(), 32_442);
    run_well(&["doctor", "--quiet", "--data", data.to_str().unwrap()]);
}

#[test]
fn what_is_refused_is_kept_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (data, rejects) = (folder.path().join("hub"), folder.path().join("rejects.ndjson"));
    let file = folder.path().join("some.ndjson");
    let lines = [
        r#"{"resourceType":"Patient","id":"good-1"}"#,
        r#"{"resourceType":"Patient","id":"bad","birthDate":"yesterday"}"#,
        r#"{"resourceType":"Patient","id":"good-2"}"#,
        "not json",
        r#"{"resourceType":"Patient","id":"good-1","active":true}"#,
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let output = run(&[
        "import",
        "--json",
        "--quiet",
        "--data",
        data.to_str().unwrap(),
        "--rejects",
        rejects.to_str().unwrap(),
        file.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["rejected"], 2);
    assert_eq!(summary["types"]["Patient"]["created"], 2);
    assert_eq!(summary["types"]["Patient"]["updated"], 1);
    let refused: Vec<Value> = std::fs::read_to_string(&rejects)
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert!(refused[0]["source"].as_str().unwrap().ends_with("some.ndjson:2"));
    assert_eq!(refused[0]["outcome"]["issue"][0]["expression"][0], "Patient.birthDate");
    assert_eq!(refused[1]["content"], "not json\n");
}

#[test]
fn recorded_moments_come_from_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let file = folder.path().join("some.ndjson");
    let lines = [
        r#"{"resourceType":"Patient","id":"p","active":true,"meta":{"versionId":"5","lastUpdated":"2020-05-05T00:00:00Z"}}"#,
        r#"{"resourceType":"Patient","id":"q","meta":{"lastUpdated":"2018-05-05T00:00:00Z"}}"#,
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    run_well(&[
        "import",
        "--quiet",
        "--recorded-from",
        "meta.lastUpdated",
        "--data",
        data.to_str().unwrap(),
        file.to_str().unwrap(),
    ]);
    let hub = crate::hub::Hub::serve(&data);
    let (_, patient) = hub.get("Patient/p");
    assert_eq!(patient["meta"]["lastUpdated"], "2020-05-05T00:00:00.000000Z");
    assert_eq!(patient["meta"]["versionId"], "5");
    assert_eq!(hub.get("Patient?_asOf=2019-01-01&_summary=count").1["total"], 1);
    assert_eq!(hub.get("Patient/p?_asOf=2019-01-01").0, 404);
    assert_eq!(hub.get("Patient?_summary=count").1["total"], 2);
}

#[test]
fn over_http_the_same_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let hub = crate::hub::Hub::serve(&folder.path().join("hub"));
    let file = folder.path().join("some.ndjson");
    let lines: Vec<String> =
        (0..1200).map(|n| format!(r#"{{"resourceType":"Patient","id":"p{n}"}}"#)).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    for round in 0..2 {
        let summary =
            run_well(&["import", "--json", "--quiet", "--server", &hub.base, file.to_str().unwrap()]);
        let summary: Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(summary["types"]["Patient"]["created"], 1200, "round {round}");
    }
    assert_eq!(hub.get("Patient?_summary=count").1["total"], 1200);
    assert_eq!(hub.get("Patient/p7/_history").1["entry"].as_array().unwrap().len(), 1);
}
