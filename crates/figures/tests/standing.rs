//! What is remembered of a count and brought up to the newest place is what is counted anew there, for whoever has the
//! whole record and for the hub's own counting, whatever was written between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

use std::collections::BTreeMap;

use fhir::Limits;
use figures::{Asked, Figures, Kind, Period, WhichIndicators};
use hub::{Access, Hub, OsEntropy, SearchLimits, SystemClock, WriteOptions};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use store::{Options, Store};

/// Milliseconds until a Consent ends that ends soon.
const SOON: i64 = 1_500;

/// The newest version of everything, by reference.
type Record = BTreeMap<String, Value>;

fn open(path: &std::path::Path) -> Hub {
    let options = Options {
        limits: store::Limits { is_durable: false, ..store::Limits::default() },
        zone: "Asia/Tokyo".to_owned(),
        clock: Box::new(SystemClock),
        entropy: Box::new(OsEntropy::seeded(7)),
        references: store::ReferencePolicy::default(),
    };
    Hub::new(Store::open(path, options).unwrap(), Limits::default(), SearchLimits::default())
}

/// Writes in one commit; nothing for a resource is its deletion.
fn commit(hub: &Hub, writes: &[(String, Option<Value>)]) {
    let entries: Vec<Value> = writes
        .iter()
        .map(|(url, resource)| match resource {
            Some(resource) => json!({"resource": resource, "request": {"method": "PUT", "url": url}}),
            None => json!({"request": {"method": "DELETE", "url": url}}),
        })
        .collect();
    let text = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string();
    let document = fhir::json::parse(text.as_bytes(), &hub.limits).unwrap();
    let access = Access::open("test");
    let mut batch = hub.plan_bundle(&access, document.root(), &WriteOptions::default()).unwrap();
    for prepared in batch.take_writes() {
        hub.submit_and_wait(prepared).unwrap();
    }
}

fn community(persons: u64, seed: u64) -> Record {
    let mut record = Record::new();
    population::generate(&population::Settings { persons, seed }, &mut |item| {
        let key = format!("{}/{}", item.resource_type, item.id);
        record.insert(key, serde_json::from_str(&item.json).unwrap());
        true
    });
    record
}

fn any<'r, T>(rng: &mut StdRng, of: &'r [T]) -> &'r T {
    &of[rng.random_range(0..of.len())]
}

fn consent(id: &str, patient: &str, rng: &mut StdRng) -> Value {
    let mut provision = json!({"type": "deny",
        "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "PUBHLTH"}]});
    if rng.random_bool(0.4) {
        let class = *any(rng, &["Observation", "Condition", "Patient", "MedicationRequest"]);
        provision["class"] = json!([{"system": "http://hl7.org/fhir/resource-types", "code": class}]);
    }
    if rng.random_bool(0.4) {
        // Ends by the clock, soon.
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(SOON);
        provision["period"] = json!({"end": soon.to_string()});
    }
    json!({"resourceType": "Consent", "id": id, "status": any(rng, &["active", "active", "inactive"]),
        "patient": {"reference": patient}, "policyRule": {"text": "own"}, "category": [{"text": "privacy"}],
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "provision": provision})
}

/// Something happens.
fn deed(record: &Record, rng: &mut StdRng) -> (String, Option<Value>) {
    let keys: Vec<&String> = record.keys().collect();
    let patients: Vec<&String> = keys.iter().filter(|k| k.starts_with("Patient/")).copied().collect();
    let own =
        |value: &Value| ["subject", "patient"].into_iter().find(|name| value[*name]["reference"].is_string());
    let clinical: Vec<&String> = keys.iter().filter(|k| own(&record[**k]).is_some()).copied().collect();
    let patient = (*any(rng, &patients)).clone();
    match rng.random_range(0..8) {
        0 => ((*any(rng, &clinical)).clone(), None),
        1 | 2 => {
            // It was another person's, or there is one more of it.
            let key = *any(rng, &clinical);
            let mut value = record[key].clone();
            let name = own(&value).unwrap();
            value[name]["reference"] = json!(patient);
            let id = if rng.random_bool(0.5) {
                value["id"].as_str().unwrap().to_owned()
            } else {
                format!("n{}", rng.random::<u32>())
            };
            value["id"] = json!(id);
            (format!("{}/{id}", value["resourceType"].as_str().unwrap()), Some(value))
        }
        3 | 4 => {
            let id = format!("consent{}", rng.random_range(0..6));
            (format!("Consent/{id}"), Some(consent(&id, &patient, rng)))
        }
        5 => {
            let mut value = record[&patient].clone();
            value["link"] = match rng.random_bool(0.6) {
                true => json!([{"other": {"reference": any(rng, &patients)}, "type": "seealso"}]),
                false => json!([]),
            };
            if value["link"] == json!([]) {
                value.as_object_mut().unwrap().remove("link");
            }
            (patient, Some(value))
        }
        6 => {
            let mut value = record[&patient].clone();
            value["birthDate"] = json!(format!("{}-05-05", rng.random_range(1930..2020)));
            (patient, Some(value))
        }
        _ => {
            let key = *any(rng, &clinical);
            let mut value = record[key].clone();
            value["meta"]["security"] =
                json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}]);
            ((*key).clone(), Some(value))
        }
    }
}

/// What is asked of the reports: everything but when they were made.
fn told(mut reports: Vec<Value>) -> Vec<Value> {
    for report in &mut reports {
        report.as_object_mut().unwrap().remove("date");
    }
    reports
}

#[test]
fn what_is_remembered_is_what_would_be_counted_anew() {
    let seed =
        std::env::var("YOJIGEN_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println!("YOJIGEN_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    let mut record = community(30, seed);
    let all: Vec<(String, Option<Value>)> =
        record.iter().map(|(k, v)| (k.clone(), Some(v.clone()))).collect();
    commit(&hub, &all);
    let figures = Figures::of(hub.clone());
    let names: Vec<String> = figures.indicators().unwrap().iter().map(|i| i.measure.id.clone()).collect();
    let everybody = Access::open("test");
    let mut differed = 0;
    let mut before = Vec::new();
    let mut ends = 0;
    for step in 0..15 {
        let named: Vec<String> = (0..4).map(|_| any(&mut rng, &names).clone()).collect();
        let asked = Asked {
            which: WhichIndicators::Named(if step % 6 == 0 { names.clone() } else { named }),
            period: Period::read("2025-11-01", "2026-10-31").unwrap(),
            as_of: None,
            person: None,
            kind: Kind::SubjectList,
        };
        let summary = Asked { kind: Kind::Summary, ..asked.clone() };
        // Counted while the Consents that end soon are in force, and compared when they are not.
        figures.counted(&summary, None).unwrap();
        let left = ends - jiff::Timestamp::now().as_millisecond();
        std::thread::sleep(std::time::Duration::from_millis(u64::try_from(left).unwrap_or(0)));
        let anew = Figures::of(hub.clone());
        let one = (
            told(figures.evaluate(&everybody, &asked).unwrap()),
            told(figures.counted(&summary, None).unwrap()),
        );
        let other =
            (told(anew.evaluate(&everybody, &asked).unwrap()), told(anew.counted(&summary, None).unwrap()));
        assert_eq!(one.0, other.0, "step {step}, everybody");
        assert_eq!(one.1, other.1, "step {step}, those who consent");
        if step % 6 == 0 {
            let groups: Vec<Value> = one.0.iter().map(|r| r["group"].clone()).collect();
            differed += u32::from(groups != before);
            before = groups;
        }
        let deeds: Vec<(String, Option<Value>)> =
            (0..rng.random_range(1..5)).map(|_| deed(&record, &mut rng)).collect();
        for (key, value) in deeds {
            commit(&hub, &[(key.clone(), value.clone())]);
            match value {
                Some(value) => record.insert(key, value),
                None => record.remove(&key),
            };
        }
        ends = jiff::Timestamp::now().as_millisecond() + SOON + 1;
    }
    assert!(differed > 1, "nothing that was written changed a figure");
}
