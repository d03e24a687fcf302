//! Writers that race for the same resource: each of them is answered as if it had come alone, and nothing is lost.

use std::collections::BTreeSet;
use std::sync::Barrier;

use serde_json::{Value, json};

use crate::hub::{Answer, Hub, agent, try_send};

const WRITERS: usize = 16;

/// What each of them is answered; all begin at once.
fn race(
    hub: &Hub,
    request: impl Fn(usize) -> (&'static str, String, Vec<(&'static str, &'static str)>, Value) + Sync,
) -> Vec<Answer> {
    let start = Barrier::new(WRITERS);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|at| {
                let (request, start) = (&request, &start);
                scope.spawn(move || {
                    let (method, path, headers, body) = request(at);
                    let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
                    start.wait();
                    try_send(&agent(), &hub.base, method, &path, &headers, &body).unwrap()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    })
}

fn with_status(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

fn ids(answers: &[Answer]) -> BTreeSet<String> {
    answers.iter().map(|answer| answer.json()["id"].as_str().unwrap().to_owned()).collect()
}

fn patient(identifier: &str, at: usize) -> Value {
    json!({
        "resourceType": "Patient",
        "identifier": [{"system": "http://race", "value": identifier}],
        "name": [{"family": format!("writer-{at}")}]
    })
}

/// The family names that the versions of a resource have, and how many versions there are.
fn families(hub: &Hub, id: &str) -> (BTreeSet<String>, usize) {
    let (status, history) = hub.get(&format!("Patient/{id}/_history?_count=1000"));
    assert_eq!(status, 200);
    let entries = history["entry"].as_array().unwrap();
    let names = entries.iter().map(|e| e["resource"]["name"][0]["family"].as_str().unwrap().to_owned());
    (names.collect(), entries.len())
}

fn total(hub: &Hub, search: &str) -> u64 {
    hub.get(&format!("{search}&_summary=count")).1["total"].as_u64().unwrap()
}

#[test]
fn conditional_creates_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let answers = race(&hub, |at| {
        ("POST", "Patient".to_owned(), vec![("if-none-exist", "identifier=http://race|a")], patient("a", at))
    });
    assert_eq!((with_status(&answers, 201), with_status(&answers, 200)), (1, WRITERS - 1), "{answers:?}");
    assert_eq!(ids(&answers).len(), 1);
    assert_eq!(total(&hub, "Patient?identifier=http://race|a"), 1);
    // Alike in transactions, where others refer to what is created or found.
    let answers = race(&hub, |at| {
        let subject = json!({"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"});
        let observation = json!({
            "resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject
        });
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {
                "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001",
                "resource": patient("b", at),
                "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=http://race|b"}
            },
            {"resource": observation, "request": {"method": "POST", "url": "Observation"}}
        ]});
        ("POST", "/".to_owned(), Vec::new(), bundle)
    });
    assert_eq!(with_status(&answers, 200), WRITERS, "{answers:?}");
    assert_eq!(total(&hub, "Patient?identifier=http://race|b"), 1);
    assert_eq!(total(&hub, "Observation?subject.identifier=http://race|b"), WRITERS as u64);
}

#[test]
fn conditional_updates_lose_none() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let answers =
        race(&hub, |at| ("PUT", "Patient?identifier=http://race|a".to_owned(), Vec::new(), patient("a", at)));
    assert_eq!((with_status(&answers, 201), with_status(&answers, 200)), (1, WRITERS - 1), "{answers:?}");
    let ids = ids(&answers);
    assert_eq!(ids.len(), 1);
    assert_eq!(total(&hub, "Patient?identifier=http://race|a"), 1);
    let id = ids.first().unwrap();
    let (families_a, versions) = families(&hub, id);
    assert_eq!((families_a.len(), versions), (WRITERS, WRITERS));
    // Alike in batches.
    let answers = race(&hub, |at| {
        let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [{
            "resource": patient("b", at),
            "request": {"method": "PUT", "url": "Patient?identifier=http://race|b"}
        }]});
        ("POST", "/".to_owned(), Vec::new(), bundle)
    });
    let statuses: Vec<String> = answers
        .iter()
        .map(|a| a.json()["entry"][0]["response"]["status"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(statuses.iter().filter(|s| *s == "201").count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| *s == "200").count(), WRITERS - 1, "{statuses:?}");
    let found = hub.get("Patient?identifier=http://race|b").1;
    assert!(found["entry"][1].is_null());
    let (families_b, versions) = families(&hub, found["entry"][0]["resource"]["id"].as_str().unwrap());
    assert_eq!((families_b.len(), versions), (WRITERS, WRITERS));
    // A patch is made of the version before it: each finds what the others added.
    let answers = race(&hub, |at| {
        let patch = json!([{"op": "add", "path": "/name/-", "value": {"family": format!("patched-{at}")}}]);
        (
            "PATCH",
            "Patient?identifier=http://race|b".to_owned(),
            vec![("content-type", "application/json-patch+json")],
            patch,
        )
    });
    assert_eq!(with_status(&answers, 200), WRITERS, "{answers:?}");
    let patched = hub.get("Patient?identifier=http://race|b").1;
    let names = patched["entry"][0]["resource"]["name"].as_array().unwrap().len();
    assert_eq!(names, WRITERS + 1);
}

#[test]
fn of_writers_with_the_same_condition_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let update = |at: usize, header| {
        let mut resource = patient("a", at);
        resource["id"] = json!("a");
        ("PUT", "Patient/a".to_owned(), vec![header], resource)
    };
    let answers = race(&hub, |at| update(at, ("if-none-match", "*")));
    assert_eq!((with_status(&answers, 201), with_status(&answers, 412)), (1, WRITERS - 1), "{answers:?}");
    let answers = race(&hub, |at| update(at + WRITERS, ("if-match", "W/\"1\"")));
    assert_eq!((with_status(&answers, 200), with_status(&answers, 412)), (1, WRITERS - 1), "{answers:?}");
    assert_eq!(families(&hub, "a").1, 2);
}

/// A Bundle in XML of as many Observations.
fn observations_in_xml(count: usize) -> String {
    let mut xml = String::from("<Bundle xmlns=\"http://hl7.org/fhir\"><type value=\"transaction\"/>");
    for at in 0..count {
        xml.push_str(&format!(
            "<entry><resource><Observation><status value=\"final\"/><code><text value=\"x\"/></code><valueQuantity><value value=\"{at}.5\"/></valueQuantity></Observation></resource><request><method value=\"POST\"/><url value=\"Observation\"/></request></entry>"
        ));
    }
    xml.push_str("</Bundle>");
    xml
}

#[test]
fn a_bundle_of_a_hundred_thousand_entries_in_xml_is_refused_or_done_as_the_hub_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = observations_in_xml(100_000);
    let headers = [("content-type", "application/fhir+xml"), ("prefer", "return=minimal")];
    for (name, arguments, expected) in
        [("a", [].as_slice(), 413), ("b", ["--max-entries", "100000"].as_slice(), 200)]
    {
        let hub = Hub::serve_with(&folder.path().join(name), arguments, &[]);
        let answer = hub.send("POST", "/", &headers, &bundle);
        assert_eq!(answer.status, expected, "{}", &answer.body[..answer.body.len().min(500)]);
        if expected == 413 {
            assert!(answer.body.contains("more than 10000 entries"), "{}", answer.body);
        }
        let stored = if expected == 200 { 100_000 } else { 0 };
        assert_eq!(total(&hub, "Observation?status=final"), stored);
    }
}
