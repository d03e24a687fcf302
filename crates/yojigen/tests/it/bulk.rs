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

fn wait(hub: &Hub, status: &str) -> Value {
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
