//! A backup taken from a hub that serves restores to an exact prefix of its log.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::hub::{Hub, agent, run, run_well, try_send};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn exported(data: &Path, to: &Path) -> Vec<(String, String)> {
    run_well(&["export", "--quiet", "--data", text(data), text(to)]);
    let mut files: Vec<_> = std::fs::read_dir(to)
        .unwrap()
        .map(|f| f.unwrap().path())
        .filter(|f| f.extension().is_some_and(|e| e == "ndjson"))
        .map(|f| {
            (f.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&f).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn last(json: &str) -> u64 {
    let manifest: Value = serde_json::from_str(json).unwrap();
    manifest["segments"].as_array().unwrap().last().unwrap()["to"].as_u64().unwrap()
}

#[test]
fn a_backup_under_writes_is_a_prefix_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, copy) = (path("hub"), path("backup"));
    let hub = Hub::serve(&data);
    // Of every kind of command there is one: each must fold to the same again.
    for (method, address, headers, body) in [
        (
            "PUT",
            "Patient/p",
            vec![],
            r#"{"resourceType":"Patient","id":"p","identifier":[{"value":"1"}],"meta":{"tag":[{"code":"a"}]}}"#,
        ),
        (
            "POST",
            "Patient",
            vec![("if-none-exist", "identifier=2")],
            r#"{"resourceType":"Patient","identifier":[{"value":"2"}]}"#,
        ),
        (
            "POST",
            "Patient",
            vec![("if-none-exist", "identifier=2")],
            r#"{"resourceType":"Patient","identifier":[{"value":"2"}]}"#,
        ),
        (
            "PUT",
            "Patient?identifier=1",
            vec![("if-match", "W/\"1\"")],
            r#"{"resourceType":"Patient","identifier":[{"value":"1"}],"active":true}"#,
        ),
        (
            "PATCH",
            "Patient/p",
            vec![("content-type", "application/json-patch+json")],
            r#"[{"op":"remove","path":"/meta/tag"},{"op":"add","path":"/gender","value":"female"}]"#,
        ),
        (
            "PUT",
            "Observation/o",
            vec![],
            r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?identifier=1"}}"#,
        ),
        ("DELETE", "Patient?identifier=2", vec![], ""),
    ] {
        let answer = hub.send(method, address, &headers, body);
        assert!(answer.status < 300, "{method} {address}: {} {}", answer.status, answer.body);
    }
    let is_over = AtomicBool::new(false);
    let places = std::thread::scope(|scope| {
        for writer in 0..4 {
            let (base, is_over) = (&hub.base, &is_over);
            scope.spawn(move || {
                let agent = agent();
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let id = format!("b-{writer}-{}", number % 50);
                    let body =
                        format!(r#"{{"resourceType":"Basic","id":"{id}","code":{{"text":"{number}"}}}}"#);
                    let answer = try_send(&agent, base, "PUT", &format!("Basic/{id}"), &[], &body).unwrap();
                    assert!(answer.status < 300, "{}", answer.body);
                    number += 1;
                }
            });
        }
        let places: Vec<u64> = (0..4)
            .map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(150));
                last(&run_well(&["backup", "--quiet", "--json", "--data", text(&data), text(&copy)]))
            })
            .collect();
        is_over.store(true, Ordering::Relaxed);
        places
    });
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "each backup adds what is new: {places:?}");
    let whole = last(&run_well(&["backup", "--quiet", "--json", "--data", text(&data), text(&copy)]));
    assert!(hub.stop());

    // The whole is the same hub.
    let restored = path("restored");
    run_well(&["restore", "--quiet", "--data", text(&restored), text(&copy)]);
    run_well(&["doctor", "--quiet", "--data", text(&restored)]);
    assert_eq!(exported(&data, &path("one")), exported(&restored, &path("two")));
    // And goes on: another backup finds nothing new, and takes what comes.
    assert_eq!(
        last(&run_well(&["backup", "--quiet", "--json", "--data", text(&restored), text(&copy)])),
        whole
    );

    // A part is the hub as it was.
    let (part, place) = (path("part"), places[1].to_string());
    run_well(&["restore", "--quiet", "--place", &place, "--data", text(&part), text(&copy)]);
    run_well(&["doctor", "--quiet", "--data", text(&part)]);
    let (then, hub) = (Hub::serve(&part), Hub::serve(&data));
    let (_, newest) = then.get("_history?_count=1");
    let moment = newest["timestamp"].as_str().unwrap().to_owned();
    for address in ["Basic?_count=1000&_sort=_id", "Patient?_count=1000", "Observation?subject=Patient/p"] {
        let (_, restored) = then.get(address);
        let separator = if address.contains('?') { '&' } else { '?' };
        let (_, known) = hub.get(&format!("{address}{separator}_asOf={moment}"));
        let resources = |bundle: &Value| -> Vec<Value> {
            let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
            entries.iter().map(|e| e["resource"].clone()).collect()
        };
        assert!(!resources(&known).is_empty() && resources(&restored) == resources(&known), "{address}");
    }

    // What is not as it was written is named, and nothing is made of it.
    let segment = std::fs::read_dir(&copy)
        .unwrap()
        .map(|f| f.unwrap().path())
        .find(|f| f.extension().is_some())
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let refused = run(&["restore", "--quiet", "--data", text(&path("never")), text(&copy)]);
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && errors.contains(segment.file_name().unwrap().to_str().unwrap()),
        "{errors}"
    );
    assert!(!path("never").join("FORMAT").exists());
    // A folder of another hub's is left alone.
    let other = path("other");
    drop(Hub::serve(&other));
    let refused = run(&["backup", "--quiet", "--data", text(&other), text(&copy)]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another log"));
}

/// The log of a data directory, a line an entry; chain values make equal lines equal logs.
fn log(data: &Path) -> Vec<String> {
    let lines = run_well(&["log", "tail", "--json", "-n", "10000000", "--data", text(data)]);
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn a_backup_under_load_is_the_log_entry_by_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, copy) = (path("hub"), path("backup"));
    let hub = Hub::serve(&data);
    let is_over = AtomicBool::new(false);
    let place = std::thread::scope(|scope| {
        for client in 0..16 {
            let (base, is_over) = (&hub.base, &is_over);
            scope.spawn(move || {
                let agent = agent();
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let (id, family) = (format!("p-{client}-{}", number % 20), format!("family{number}"));
                    let body = json!({"resourceType": "Patient", "id": id, "name": [{"family": family}]});
                    let address = format!("Patient/{id}");
                    let answer = try_send(&agent, base, "PUT", &address, &[], &body.to_string()).unwrap();
                    assert!(answer.status < 300, "{}", answer.body);
                    let read = try_send(&agent, base, "GET", &address, &[], "").unwrap();
                    assert_eq!(read.json()["name"][0]["family"], family.as_str());
                    number += 1;
                }
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(400));
        let place = last(&run_well(&["backup", "--quiet", "--json", "--data", text(&data), text(&copy)]));
        std::thread::sleep(std::time::Duration::from_millis(200));
        is_over.store(true, Ordering::Relaxed);
        place
    });
    assert!(hub.stop());
    let restored = path("restored");
    run_well(&["restore", "--quiet", "--data", text(&restored), text(&copy)]);
    run_well(&["doctor", "--quiet", "--data", text(&restored)]);
    let (source, copied) = (log(&data), log(&restored));
    assert_eq!(copied.len() as u64, place);
    assert!(place > 300 && source.len() > copied.len(), "{place} of {} entries", source.len());
    assert!(source[0].contains("\"chain\""), "{}", source[0]);
    if let Some(at) = (0..copied.len()).find(|n| source[*n] != copied[*n]) {
        panic!("entry {} differs:\n{}\n{}", at + 1, source[at], copied[at]);
    }
    let entry: Value = serde_json::from_str(copied.last().unwrap()).unwrap();
    let moment = entry["instant"].as_str().unwrap();
    let out = path("then");
    run_well(&["export", "--quiet", "--as-of", moment, "--data", text(&data), text(&out)]);
    let then = std::fs::read_to_string(out.join("Patient.ndjson")).unwrap();
    let now = exported(&restored, &path("now"));
    let now = &now.iter().find(|(name, _)| name == "Patient.ndjson").unwrap().1;
    assert!(then.lines().count() > 100 && &then == now);
}
