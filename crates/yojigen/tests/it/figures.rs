//! The hub's own indicators: exact for who may see it all, of one's own for a person, and for whoever runs the hub figures of
//! which nothing follows of few; computed again after the record went on.

use serde_json::{Value, json};

use crate::auth::House;
use crate::auth::visitor::Visitor;
use crate::hub::{Hub, run_well};

const VACCINATED: &str = "/fhir/Measure/rmi-influenza-65/$evaluate-measure";

/// Forty people of eighty, of whom 25 were vaccinated in 2025 and three in 2024.
fn record() -> Vec<Value> {
    let mut all = vec![json!({"resourceType": "Organization", "id": "sakura", "name": "さくら診療所"})];
    for at in 0..40 {
        let gender = if at % 2 == 0 { "female" } else { "male" };
        all.push(json!({"resourceType": "Patient", "id": format!("q{at}"), "gender": gender, "birthDate": "1945-02-03"}));
        for (year, most) in [(2025, 25), (2024, 3)] {
            if at < most {
                all.push(json!({"resourceType": "Immunization", "id": format!("i{year}-{at}"), "status": "completed",
                    "patient": {"reference": format!("Patient/q{at}")}, "occurrenceDateTime": format!("{year}-11-05"),
                    "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "150"}]}}));
            }
        }
    }
    all
}

fn report(visitor: &mut Visitor, further: &str) -> Value {
    let answer = visitor.get(&format!("{VACCINATED}?{further}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn year(year: u32) -> String {
    format!("periodStart={year}&periodEnd={year}")
}

fn count(report: &Value, code: &str) -> Option<u64> {
    let all = report["group"][0]["population"].as_array().unwrap();
    all.iter().find(|p| p["code"]["coding"][0]["code"] == code).unwrap()["count"].as_u64()
}

#[test]
fn everyone_is_told_what_they_may_know() {
    let house = House::holding(&record(), &[]);
    house.user("unei", &["--role", "operator"]);
    house.user("ichiro", &["--role", "person", "--fhir-user", "Patient/q1"]);
    let mut unei = house.signed_in("unei");
    let told = report(&mut unei, &year(2025));
    assert_eq!((count(&told, "numerator"), count(&told, "denominator")), (Some(25), Some(40)));
    assert!(told["group"][0]["extension"][0]["url"].as_str().unwrap().ends_with("/confidence-interval"));
    // Three are too few to be told, and what is left without them is not told with them either.
    let few = report(&mut unei, &year(2024));
    assert_eq!(count(&few, "numerator"), None);
    assert_eq!(few["group"][0]["measureScore"]["extension"][0]["valueCode"], "masked");
    assert!(few["group"][0]["extension"].is_null(), "an interval would tell it: {few}");
    for wanted in ["reportType=subject-list", "subject=Patient/q1"] {
        assert_eq!(unei.get(&format!("{VACCINATED}?{}&{wanted}", year(2025))).status, 403, "{wanted}");
    }
    // A person asks about themselves, and of others there is nothing.
    let mut ichiro = house.signed_in("ichiro");
    let own = report(&mut ichiro, &format!("{}&subject=Patient/q1", year(2025)));
    assert_eq!((own["type"].as_str(), count(&own, "numerator")), (Some("individual"), Some(1)));
    let other = report(&mut ichiro, &format!("{}&subject=Patient/q2", year(2025)));
    assert_eq!(count(&other, "initial-population"), Some(0));
    assert_eq!(count(&report(&mut ichiro, &year(2025)), "denominator"), Some(1));
    // Whoever decides not to be counted is not, from then on.
    let denial = json!({"resourceType": "Consent", "status": "active", "patient": {"reference": "Patient/q1"},
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"text": "privacy"}], "policyRule": {"text": "own"},
        "provision": {"type": "deny", "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "PUBHLTH"}]}});
    let headers = [("content-type", "application/fhir+json"), ("origin", house.root())];
    let answer = ichiro.send("POST", "/fhir/Consent", &headers, &denial.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    let told = report(&mut unei, &year(2025));
    assert_eq!((count(&told, "numerator"), count(&told, "denominator")), (Some(24), Some(39)));
    assert_eq!(ichiro.get("/hub/indicators").status, 403);
    assert_eq!(unei.get("/hub/indicators/nothing").status, 404);
    let page = unei.get("/hub/indicators/rmi-influenza-65?year=2025&lang=en").body;
    assert!(page.contains("61.5 %") && page.contains("too few to be shown"), "{page}");
}

#[test]
fn what_is_wrong_with_a_question_is_named() {
    let house = House::holding(&record()[..3], &[]);
    house.user("unei", &["--role", "operator"]);
    let mut unei = house.signed_in("unei");
    for (asked, said) in [
        ("periodStart=2025", "periodEnd is missing"),
        ("periodStart=soon&periodEnd=2025", "'soon' is not a date"),
        ("periodStart=2026&periodEnd=2025", "before"),
        ("periodStart=2025&periodEnd=2025&reportType=all", "subject-list"),
        ("periodStart=2025&periodEnd=2025&practitioner=x", "leave it out"),
        ("periodStart=2025&periodEnd=2025&subject=Group/x", "Patient/id"),
        ("periodStart=2025&periodEnd=2025&_asOf=then", "'then' is not a date"),
    ] {
        let answer = unei.get(&format!("{VACCINATED}?{asked}"));
        assert!(
            answer.status == 400 && answer.body.contains(said),
            "{asked}: {} {}",
            answer.status,
            answer.body
        );
    }
    let answer = unei.get(&format!("/fhir/Measure/rmi-influenza/$evaluate-measure?{}", year(2025)));
    assert!(answer.status == 400 && answer.body.contains("rmi-influenza-65"), "{}", answer.body);
}

#[test]
fn a_report_comes_out_the_same_when_the_record_went_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let lines: String = record().iter().map(|resource| format!("{resource}\n")).collect();
    let file = folder.path().join("in.ndjson");
    std::fs::write(&file, lines).unwrap();
    crate::hub::import(&data, &[&file]);
    let place = data.to_str().unwrap();
    let written = folder.path().join("report.json");
    let path = written.to_str().unwrap();
    run_well(&[
        "indicator",
        "evaluate",
        "rmi",
        "--data",
        place,
        "--period",
        "2025",
        "--format",
        "json",
        "--out",
        path,
    ]);
    let one = folder.path().join("one.json");
    let hub = Hub::serve(&data);
    let (_, exact) = hub.get(&format!("Measure/rmi-influenza-65/$evaluate-measure?{}", year(2025)));
    assert_eq!(count(&exact, "numerator"), Some(25));
    std::fs::write(&one, exact.to_string()).unwrap();
    // Another is vaccinated, one asks not to be counted, and one was never vaccinated after all.
    let late = r#"{"resourceType":"Immunization","status":"completed","patient":{"reference":"Patient/q30"},"occurrenceDateTime":"2025-12-01","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"150"}]}}"#;
    assert_eq!(hub.send("POST", "Immunization", &[], late).status, 201);
    assert!(hub.send("DELETE", "Immunization/i2025-4", &[], "").status < 300);
    let (_, now) = hub.get(&format!("Measure/rmi-influenza-65/$evaluate-measure?{}", year(2025)));
    assert_eq!(count(&now, "numerator"), Some(25), "one more and one less");
    drop(hub);
    for file in [path, one.to_str().unwrap()] {
        let said = run_well(&["indicator", "verify", file, "--data", place]);
        assert!(said.contains("comes out the same") && !said.contains("does not"), "{said}");
    }
    let changed = exact.to_string().replace("\"count\":25", "\"count\":26");
    std::fs::write(&one, changed).unwrap();
    let output = crate::hub::run(&["indicator", "verify", one.to_str().unwrap(), "--data", place]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("MeasureReport.group[0].population") && said.contains("26 then, 25 now"), "{said}");
}
