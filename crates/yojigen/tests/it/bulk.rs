//! `$export`: asked for, waited for, read; what it says is what the hub holds.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::hub::{Hub, run_well};

const ASYNC: (&str, &str) = ("prefer", "respond-async");

/// Asks for an export; the address of its status.
fn kick_off(hub: &Hub, path: &str) -> String {
    let answer = hub.send("GET", path, &[ASYNC], "");
    assert_eq!(answer.status, 202, "{path}: {}", answer.body);
    answer.header("content-location").unwrap().to_owned()
}

pub(crate) fn wait(hub: &Hub, status: &str) -> Value {
    for _ in 0..600 {
        let answer = hub.send("GET", status, &[], "");
        match answer.status {
            202 => std::thread::sleep(Duration::from_millis(50)),
            200 => return answer.json(),
            other => panic!("{other}: {}", answer.body),
        }
    }
    panic!("{status} does not end");
}

/// The ids in each file of a list of the manifest, in order.
fn files(hub: &Hub, manifest: &Value, list: &str) -> BTreeMap<String, Vec<Value>> {
    let mut found = BTreeMap::new();
    for output in manifest[list].as_array().unwrap() {
        let answer = hub.send("GET", output["url"].as_str().unwrap(), &[], "");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/fhir+ndjson")));
        let lines: Vec<Value> = answer.body.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len() as u64, output["count"].as_u64().unwrap());
        found.insert(output["type"].as_str().unwrap().to_owned(), lines);
    }
    found
}

fn ids(lines: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = lines.iter().map(|l| l["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn an_export_holds_what_the_hub_held() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    run_well(&[
        "demo",
        "--quiet",
        "--persons",
        "60",
        "--seed",
        "3",
        "--no-serve",
        "--data",
        data.to_str().unwrap(),
    ]);
    let hub = Hub::serve(&data);
    let refused = hub.send("GET", "$export", &[], "");
    assert!(refused.status == 400 && refused.body.contains("respond-async"), "{}", refused.body);
    let refused = hub.send("GET", "$export?_type=Patiant", &[ASYNC], "");
    assert!(refused.status == 400 && refused.body.contains("did you mean Patient"), "{}", refused.body);
    assert_eq!(hub.send("GET", "Observation/$export", &[ASYNC], "").status, 404);

    // All of it; the moment is that of asking, whatever comes after.
    let status = kick_off(&hub, "$export");
    let body = r#"{"resourceType":"Basic","id":"later","code":{"text":"x"}}"#;
    assert_eq!(hub.send("PUT", "Basic/later", &[], body).status, 201);
    let manifest = wait(&hub, &status);
    let moment = manifest["transactionTime"].as_str().unwrap().to_owned();
    let all = files(&hub, &manifest, "output");
    assert!(!all.contains_key("Basic") && all.len() > 5);
    for (name, lines) in &all {
        let (_, count) = hub.get(&format!("{name}?_summary=count&_asOf={moment}"));
        assert_eq!(count["total"], lines.len(), "{name}");
    }
    let one = &all["Observation"][7];
    assert_eq!(*one, hub.get(&format!("Observation/{}", one["id"].as_str().unwrap())).1);

    // Parts of it.
    let of = |path: &str| files(&hub, &wait(&hub, &kick_off(&hub, path)), "output");
    let patients = of("$export?_type=Patient&_elements=Patient.birthDate");
    assert_eq!(patients.len(), 1);
    let first = &patients["Patient"][0];
    assert!(first["birthDate"].is_string() && first["name"].is_null(), "{first}");
    assert_eq!(first["meta"]["tag"][0]["code"], "SUBSETTED");
    let in_records = of("Patient/$export");
    assert_eq!(ids(&in_records["Observation"]), ids(&all["Observation"]));
    assert!(!in_records.contains_key("Organization"));
    let filtered = of("$export?_type=Patient&_typeFilter=Patient%3Fgender%3Dfemale");
    let women = filtered["Patient"].len();
    assert!(women > 5 && filtered["Patient"].iter().all(|p| p["gender"] == "female"));
    assert_eq!(hub.get("Patient?gender=female&_summary=count").1["total"], women);

    // A group's records.
    let member = ids(&all["Patient"])[0].clone();
    let group = format!(
        r#"{{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{{"entity":{{"reference":"Patient/{member}"}}}}]}}"#
    );
    assert_eq!(hub.send("PUT", "Group/g", &[], &group).status, 201);
    let grouped = of("Group/g/$export");
    assert_eq!(ids(&grouped["Patient"]), std::slice::from_ref(&member));
    let (_, own) = hub.get(&format!("Observation?patient={member}&_summary=count"));
    assert_eq!(own["total"], grouped.get("Observation").map_or(0, Vec::len));
    assert_eq!(hub.send("GET", "Group/nobody/$export", &[ASYNC], "").status, 404);

    // What is new, and what is gone.
    assert_eq!(hub.send("DELETE", "Basic/later", &[], "").status, 204);
    let since = wait(&hub, &kick_off(&hub, &format!("$export?_since={moment}")));
    let new = files(&hub, &since, "output");
    assert_eq!(new.keys().collect::<Vec<_>>(), ["Group"]);
    let gone = files(&hub, &since, "deleted");
    assert_eq!(gone["Bundle"][0]["entry"][0]["request"]["url"], "Basic/later");

    // A job outlives the program, and what was asked for is made all the same.
    let status = kick_off(&hub, "$export");
    let id = status.rsplit('/').next().unwrap().to_owned();
    hub.kill();
    let hub = Hub::serve(&data);
    let manifest = wait(&hub, &format!("_jobs/{id}"));
    let again = files(&hub, &manifest, "output");
    assert_eq!(again["Observation"].len(), all["Observation"].len());
    // And is gone when it is cancelled.
    assert_eq!(hub.send("DELETE", &format!("_jobs/{id}"), &[], "").status, 202);
    assert_eq!(hub.send("GET", &format!("_jobs/{id}"), &[], "").status, 404);
    assert!(!data.join("jobs").join(&id).exists());
}

/// Serves files from memory until it is dropped; each path and its bytes.
pub(crate) fn file_server(files: Vec<(&'static str, Vec<u8>)>) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            let _ = reader.read_line(&mut first);
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
            }
            let (status, body) = match files.iter().find(|(name, _)| *name == path) {
                Some((_, body)) => ("200 OK", body.as_slice()),
                None => ("404 Not Found", b"".as_slice()),
            };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    format!("http://{address}")
}

fn lines(range: std::ops::Range<usize>) -> Vec<u8> {
    let line = |n| format!("{{\"resourceType\":\"Patient\",\"id\":\"p{n}\",\"birthDate\":\"1980-01-01\"}}\n");
    range.map(line).collect::<String>().into_bytes()
}

#[test]
fn an_import_takes_what_it_can_and_names_the_rest() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let mut bad = lines(0..450);
    bad.extend_from_slice(b"{\"resourceType\":\"Patient\",\"id\":\"q\",\"birthDate\":\"yesterday\"}\n\n{\"resourceType\":\"Basic\",\"code\":{\"text\":\"x\"}}\n");
    // The same resource again: the later line stands.
    bad.extend_from_slice(b"{\"resourceType\":\"Patient\",\"id\":\"p0\",\"active\":true}\n");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&lines(450..1000)).unwrap();
    let files = file_server(vec![("/a.ndjson", bad), ("/b.ndjson.gz", packed.finish().unwrap())]);
    let manifest =
        |inputs: &str| format!(r#"{{"inputFormat":"application/fhir+ndjson","input":[{inputs}]}}"#);
    let a = format!(r#"{{"type":"Patient","url":"{files}/a.ndjson"}}"#);
    let whole = manifest(&format!(r#"{a},{{"url":"{files}/b.ndjson.gz"}}"#));

    assert_eq!(hub.send("POST", "$import", &[], &whole).status, 400, "without respond-async");
    let elsewhere = manifest(r#"{"url":"https://elsewhere.example/a.ndjson"}"#);
    let refused = hub.send("POST", "$import", &[ASYNC], &elsewhere);
    assert!(refused.status == 422 && refused.body.contains("--import-source"), "{}", refused.body);
    let wrong = hub.send("POST", "$import", &[ASYNC], r#"{"inputs":[]}"#);
    assert!(wrong.status == 400 && wrong.body.contains("input"), "{}", wrong.body);

    let accepted = hub.send("POST", "$import", &[ASYNC], &whole);
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    let done = wait(&hub, accepted.header("content-location").unwrap());
    assert_eq!(done["output"][0]["count"], 451);
    assert_eq!(done["output"][1]["count"], 550);
    assert_eq!(done["error"][0]["count"], 2);
    let errors = hub.send("GET", done["error"][0]["url"].as_str().unwrap(), &[], "");
    assert!(
        errors.body.contains("a.ndjson line 451: ") && errors.body.contains("line 453: "),
        "{}",
        errors.body
    );
    assert_eq!(hub.get("Patient?_summary=count").1["total"], 1000);
    assert_eq!(hub.get("Patient/p0").1["active"], true);

    // A file that is not there fails the job, by name.
    let missing =
        hub.send("POST", "$import", &[ASYNC], &manifest(&format!(r#"{{"url":"{files}/none.ndjson"}}"#)));
    let status = missing.header("content-location").unwrap();
    let failed = (0..200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        Some(hub.send("GET", status, &[], "")).filter(|a| a.status != 202)
    });
    let failed = failed.unwrap();
    assert!(failed.status == 500 && failed.body.contains("none.ndjson: it answered 404"), "{}", failed.body);
}

#[test]
fn an_import_that_is_killed_goes_on_and_adds_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    // Without ids: twice stored would be twice there.
    let text = "{\"resourceType\":\"Basic\",\"code\":{\"text\":\"x\"}}\n".repeat(30_000);
    let files = file_server(vec![("/a.ndjson", text.into_bytes())]);
    let manifest = format!(r#"{{"input":[{{"url":"{files}/a.ndjson"}}]}}"#);
    let mut hub = Hub::serve(&data);
    let accepted = hub.send("POST", "$import", &[ASYNC], &manifest);
    let path = accepted.header("content-location").unwrap().rsplit_once("/fhir/").unwrap().1.to_owned();
    for (pause, is_killed) in [(60, true), (100, false), (250, true), (100, false)] {
        std::thread::sleep(Duration::from_millis(pause));
        if is_killed {
            hub.kill();
        } else {
            // A stop in order is not the end of a job either.
            assert!(hub.stop());
        }
        hub = Hub::serve(&data);
    }
    let done = wait(&hub, &path);
    assert_eq!(done["output"][0]["count"], 30_000);
    assert_eq!(hub.get("Basic?_summary=count").1["total"], 30_000);
}

#[test]
fn a_bulk_deletion_is_previewed_and_deletes_what_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let files = file_server(vec![("/a.ndjson", lines(0..1200))]);
    let accepted =
        hub.send("POST", "$import", &[ASYNC], &format!(r#"{{"input":[{{"url":"{files}/a.ndjson"}}]}}"#));
    wait(&hub, accepted.header("content-location").unwrap());
    let other = r#"{"resourceType":"Patient","id":"old","birthDate":"1900-01-01"}"#;
    assert_eq!(hub.send("PUT", "Patient/old", &[], other).status, 201);

    let all = hub.send("POST", "Patient/$bulk-delete", &[], "");
    assert!(all.status == 400 && all.body.contains("selects nothing in particular"), "{}", all.body);
    let preview = hub.send("POST", "Patient/$bulk-delete?birthdate=1980", &[], "").json();
    assert_eq!(preview["parameter"][0]["valueInteger"], 1200);
    assert_eq!(hub.get("Patient?_summary=count").1["total"], 1201, "a preview deletes nothing");
    let wrong = hub.send("POST", "Patient/$bulk-delete?birthdate=1980&expected=7", &[ASYNC], "");
    assert!(wrong.status == 409 && wrong.body.contains("finds 1200"), "{}", wrong.body);
    let accepted = hub.send("POST", "Patient/$bulk-delete?birthdate=1980&expected=1200", &[ASYNC], "");
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    let done = wait(&hub, accepted.header("content-location").unwrap());
    assert_eq!((&done["deleted"][0]["count"], &done["error"]), (&1200.into(), &Value::Array(Vec::new())));
    assert_eq!(hub.get("Patient?_summary=count").1["total"], 1);
    assert_eq!(hub.get("Patient/old").0, 200);
}
