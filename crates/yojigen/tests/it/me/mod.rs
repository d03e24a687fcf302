//! A person's own pages, `/me`, as their user goes through them: a browser where it is about seeing and tapping, forms as a
//! browser without script sends them everywhere else.

mod care;
mod entries;
mod import;
mod offline;
mod pages;
mod questions;
mod sharing;

use serde_json::{Value, json};

use crate::auth::visitor::{Visitor, written};
use crate::auth::{House, PASSWORD};
use crate::browser::Browser;
use crate::hub::Answer;
use crate::journeys::Way;

/// A clinic that cares for p1, who has some results, a problem and a medicine; r1 acts for p2, who is p1's too.
fn record() -> Vec<Value> {
    let about = |p: &str| json!({"reference": format!("Patient/{p}")});
    let loinc = |code: &str| json!({"coding": [{"system": "http://loinc.org", "code": code}]});
    let clinic = json!({"reference": "Organization/sakura"});
    let day = |ago: i64| crate::me::day(ago);
    let mut all = vec![
        json!({"resourceType": "Organization", "id": "sakura", "name": "さくら診療所"}),
        json!({"resourceType": "Practitioner", "id": "d2", "name": [{"text": "鈴木 次郎"}]}),
        json!({"resourceType": "RelatedPerson", "id": "r1", "patient": about("p2"), "active": true,
            "name": [{"text": "山田 月子"}], "telecom": [{"system": "phone", "value": "090-0000-0000"}]}),
        json!({"resourceType": "RelatedPerson", "id": "r2", "patient": about("p1"), "active": true,
            "name": [{"text": "山田 桜"}], "telecom": [{"system": "phone", "value": "080-0000-0000"}]}),
        json!({"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "AMB"},
            "subject": about("p1"), "serviceProvider": clinic, "period": {"start": day(40), "end": day(40)}}),
        json!({"resourceType": "Condition", "id": "c1", "subject": about("p1"), "recordedDate": day(40),
            "clinicalStatus": {"coding": [{"code": "active"}]}, "code": {"text": "高血圧症"}}),
        json!({"resourceType": "AllergyIntolerance", "id": "g1", "patient": about("p1"), "criticality": "high",
            "code": {"text": "ペニシリン"}}),
        json!({"resourceType": "MedicationRequest", "id": "m1", "status": "active", "intent": "order",
            "subject": about("p1"), "authoredOn": day(40), "medicationCodeableConcept": {"text": "アムロジピン錠5mg"},
            "dosageInstruction": [{"text": "1日1回 朝食後"}]}),
    ];
    for (at, ago) in [400, 300, 200, 100, 10].into_iter().enumerate() {
        all.push(json!({"resourceType": "Observation", "id": format!("a{at}"), "status": "final", "code": loinc("4548-4"),
            "subject": about("p1"), "performer": [clinic], "effectiveDateTime": day(ago),
            "valueQuantity": {"value": 6.1 + f64::from(u8::try_from(at).unwrap()) / 10.0, "unit": "%"},
            "referenceRange": [{"high": {"value": 6.0}}]}));
    }
    all
}

/// The day so many days ago.
fn day(ago: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let days = i64::try_from(now / 86_400).unwrap() - ago;
    let (year, month, day) = fhir::date_time::civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A closed hub with that record: taro is p1, tsukiko acts for p2, jiro works at the clinic.
fn house() -> House {
    let house = House::holding(&record(), &["--audit", "on"]);
    house.user("tsukiko", &["--role", "proxy", "--name", "山田 月子", "--fhir-user", "RelatedPerson/r1"]);
    let clinician =
        ["--role", "clinician", "--fhir-user", "Practitioner/d2", "--organization", "Organization/sakura"];
    house.user("jiro", &clinician);
    house
}

/// Sends a form as a page of the hub does.
fn send(visitor: &mut Visitor, house: &House, path: &str, pairs: &[(&str, &str)]) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", house.root())];
    visitor.send("POST", path, &headers, &written(pairs))
}

/// Where an answer leads to.
fn place(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.header("location").unwrap()
}

/// What the hub holds of a type for a person, as whoever is signed in.
fn held(visitor: &mut Visitor, query: &str) -> Vec<Value> {
    let answer = visitor.get(&format!("/fhir/{query}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let entries = answer.json()["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().map(|e| e["resource"].clone()).collect()
}

/// Scrolls to something, as a reader does, and taps on it.
fn tap(browser: &Browser, selector: &str) {
    browser
        .script(&format!("document.querySelector({}).scrollIntoView({{block: 'center'}})", json!(selector)));
    browser.press(selector);
}

/// A browser somebody is signed in with, at `/me`.
fn signed_in(house: &House, login: &str, width: u32, language: &str) -> Browser {
    let browser = Browser::open(width, language);
    sign_in(&browser, house, login);
    browser
}

/// The same, on a way.
fn on_a_way(house: &House, login: &str, way: Way) -> Browser {
    let browser = way.browser();
    sign_in(&browser, house, login);
    browser
}

fn sign_in(browser: &Browser, house: &House, login: &str) {
    browser.go(&format!("{}/auth/sign-in?return=%2Fme", house.root()));
    browser.type_into("#login", login);
    browser.type_into("#password", &format!("{PASSWORD}\n"));
}
