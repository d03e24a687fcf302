//! `$match`, `$merge` and `$unmerge`: thresholds are a person's; what is undone is as if it had never been; of two at once
//! one is refused.

use serde_json::{Value, json};

use crate::hub::{Answer, Hub, agent, run, try_send};

fn reference(name: &str, id: &str) -> Value {
    json!({"name": name, "valueReference": {"reference": format!("Patient/{id}")}})
}

fn parameters(source: &str, target: &str) -> String {
    let list = [reference("source-patient", source), reference("target-patient", target)];
    json!({"resourceType": "Parameters", "parameter": list}).to_string()
}

fn put(hub: &Hub, resource: &Value) {
    let path = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    let answer = hub.send("PUT", &path, &[], &resource.to_string());
    assert!(answer.status < 300, "{}", answer.body);
}

/// An answer without what says when and in which version something was recorded, and where.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "versionId" | "lastUpdated" | "timestamp"))
            .map(|(name, value)| (name.clone(), bare(value)))
            .collect(),
        Value::Array(list) => list.iter().map(bare).collect(),
        other => other.clone(),
    }
}

/// Whatever a reader could ask that the merge touches.
const QUESTIONS: &[&str] = &[
    "Patient/s",
    "Patient/t",
    "Patient?active=true",
    "Patient?active=false",
    "Patient?active:missing=true",
    "Patient?identifier=urn:s|1",
    "Patient?identifier=urn:t|2",
    "Patient?link=Patient/s",
    "Patient?link=Patient/t",
    "Patient?link:missing=true",
    "Patient?_tag=urn:x|y",
    "Patient?_has:Observation:patient:code=a",
    "Observation?patient=s",
    "Observation?subject:Patient.identifier=urn:s|1",
    "Patient/s/Observation",
    "Patient/t/Observation",
    "Patient/s/$everything",
    "Patient/t/$everything",
    "Patient?_summary=count",
];

#[test]
fn what_is_undone_is_as_if_it_had_never_been() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    put(
        &hub,
        &json!({"resourceType": "Patient", "id": "s", "meta": {"tag": [{"system": "urn:x", "code": "y"}]},
            "identifier": [{"system": "urn:s", "value": "1"}], "name": [{"family": "山本"}]}),
    );
    put(
        &hub,
        &json!({"resourceType": "Patient", "id": "t", "active": true, "identifier": [{"system": "urn:t", "value": "2"}],
            "link": [{"other": {"reference": "Patient/o"}, "type": "seealso"}]}),
    );
    put(&hub, &json!({"resourceType": "Patient", "id": "o"}));
    for (id, patient) in [("a", "s"), ("b", "t"), ("c", "o")] {
        let subject = json!({"reference": format!("Patient/{patient}")});
        put(
            &hub,
            &json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"code": id}]}, "subject": subject}),
        );
    }
    let ask = || -> Vec<Value> { QUESTIONS.iter().map(|path| bare(&hub.get(path).1)).collect() };
    let before = ask();
    let answer = hub.send("POST", "Patient/$merge", &[], &parameters("s", "t"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let merged = ask();
    let differing = before.iter().zip(&merged).filter(|(a, b)| a != b).count();
    assert!(differing >= 10, "the questions see the merge: {differing}");
    let answer = hub.send("POST", "Patient/$unmerge", &[], &parameters("s", "t"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    for ((path, before), after) in QUESTIONS.iter().zip(&before).zip(&ask()) {
        assert_eq!(before, after, "{path}");
    }
    // But for the two commits.
    assert_eq!(hub.get("Patient/s/_history").1["entry"].as_array().unwrap().len(), 3);
    assert!(hub.stop());
}

#[test]
fn of_merges_that_contradict_each_other_one_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    for round in 0..20 {
        let id = |name: &str| format!("{name}{round}");
        for name in ["a", "b", "c"] {
            put(&hub, &json!({"resourceType": "Patient", "id": id(name)}));
        }
        // In a circle, in a row, twice the same: whichever comes first, the others contradict it.
        let calls = [("a", "b"), ("b", "a"), ("b", "c"), ("a", "c"), ("a", "b")];
        let bodies: Vec<String> = calls.iter().map(|(s, t)| parameters(&id(s), &id(t))).collect();
        let base = &hub.base;
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let threads: Vec<_> = bodies
                .iter()
                .map(|body| {
                    scope
                        .spawn(move || try_send(&agent(), base, "POST", "Patient/$merge", &[], body).unwrap())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 422), "{} {}", answer.status, answer.body);
        }
        // Nobody is replaced twice, nor replaced and replacing.
        let mut replaced = 0;
        for name in ["a", "b", "c"] {
            let (_, patient) = hub.get(&format!("Patient/{}", id(name)));
            let links: Vec<Value> = patient["link"].as_array().cloned().unwrap_or_default();
            let of = |link_type: &str| links.iter().filter(|l| l["type"] == link_type).count();
            assert!(of("replaced-by") <= 1 && (of("replaced-by") == 0 || of("replaces") == 0), "{patient}");
            assert_eq!(of("replaced-by") == 1, patient["active"] == false, "{patient}");
            replaced += of("replaced-by");
        }
        let done = answers.iter().filter(|a| a.status == 200).count();
        assert_eq!(done, replaced, "what was answered was done");
        assert!((1..=2).contains(&done));
    }
    assert!(hub.stop());
}

#[test]
fn the_threshold_of_a_certain_match_is_what_a_person_sets() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let weights = folder.path().join("weights.json");
    let standard = include_str!("../../../hub/src/matching/weights.json");
    let person = json!({"resourceType": "Patient", "id": "p", "name": [{"family": "山田", "given": ["太郎"]}], "birthDate": "1980-01-02"});
    for (score, grade) in [("0.9999", "probable"), ("0.999", "certain"), ("1.0", "probable")] {
        std::fs::write(&weights, standard.replace("\"score\": 0.9999", &format!("\"score\": {score}")))
            .unwrap();
        let hub = Hub::serve_with(&data, &["--match-weights", weights.to_str().unwrap()], &[]);
        put(&hub, &person);
        let answer = hub.send("POST", "Patient/$match", &[], &person.to_string());
        assert_eq!(
            answer.json()["entry"][0]["search"]["extension"][0]["valueCode"],
            grade,
            "{score} {}",
            answer.body
        );
        assert!(hub.stop());
    }
    std::fs::write(&weights, standard.replace("\"bits\": 20", "\"bits\": -1")).unwrap();
    let (data, weights) = (data.to_str().unwrap(), weights.to_str().unwrap());
    let output =
        run(&["serve", "--open", "--listen", "127.0.0.1:0", "--data", data, "--match-weights", weights]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("weights.json") && said.contains("prior"), "{said}");
}
