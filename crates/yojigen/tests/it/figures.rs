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
fn what_is_open_of_a_persons_care_is_a_document() {
    let house = House::holding(&record(), &[]);
    house.user("ichiro", &["--role", "person", "--fhir-user", "Patient/q1"]);
    house.user("mie", &["--role", "person", "--fhir-user", "Patient/q30"]);
    let gaps = |visitor: &mut Visitor, subject: &str, further: &str| {
        let path = format!("/fhir/Measure/$care-gaps?{}&subject=Patient/{subject}{further}", year(2025));
        let answer = visitor.get(&path);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let document = answer.json();
        assert_eq!(document["type"], "document");
        assert_eq!(document["entry"][0]["resource"]["resourceType"], "Composition");
        let all = document["entry"].as_array().unwrap().clone();
        let issues = all.iter().filter(|e| e["resource"]["resourceType"] == "DetectedIssue");
        let told = issues.map(|e| {
            let issue = &e["resource"];
            let status = &issue["modifierExtension"][0]["valueCodeableConcept"]["coding"][0]["code"];
            // Each says what it follows from, and that is there.
            let report = &issue["evidence"][0]["detail"][0]["reference"];
            let report = &all.iter().find(|e| e["fullUrl"] == *report).unwrap()["resource"];
            (report["measure"].as_str().unwrap().to_owned(), status.as_str().unwrap().to_owned())
        });
        told.collect::<Vec<(String, String)>>()
    };
    let status = |told: &[(String, String)]| {
        let of = told.iter().find(|(measure, _)| measure.contains("/rmi-influenza-65|"));
        of.map(|(_, status)| status.clone())
    };
    let (mut ichiro, mut mie) = (house.signed_in("ichiro"), house.signed_in("mie"));
    assert_eq!(status(&gaps(&mut ichiro, "q1", "")).as_deref(), Some("closed-gap"));
    assert_eq!(status(&gaps(&mut mie, "q30", "")).as_deref(), Some("open-gap"));
    assert_eq!(status(&gaps(&mut mie, "q30", "&status=closed-gap")), None);
    assert_eq!(
        gaps(&mut mie, "q30", "&topic=rmi&measure=rmi-influenza-65&status=open-gap")
            .iter()
            .filter(|(m, _)| m.contains("influenza"))
            .count(),
        1
    );
    assert_eq!(gaps(&mut mie, "q1", ""), [], "of another there is nothing");
    for (asked, said) in [
        (String::new(), "periodStart is missing"),
        (year(2025), "of whom?"),
        (format!("{}&subject=Patient/q30&status=half", year(2025)), "open-gap or closed-gap"),
        (format!("{}&subject=Patient/q30&topic=influenza", year(2025)), "there is no indicator"),
        (format!("{}&subject=Patient/q30&program=x", year(2025)), "$care-gaps has no such parameter"),
    ] {
        let answer = mie.get(&format!("/fhir/Measure/$care-gaps?{asked}"));
        assert!(
            answer.status == 400 && answer.body.contains(said),
            "{asked}: {} {}",
            answer.status,
            answer.body
        );
    }
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

#[test]
fn the_record_is_asked_in_sql() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let lines: String = record().iter().map(|resource| format!("{resource}\n")).collect();
    let file = folder.path().join("in.ndjson");
    std::fs::write(&file, lines).unwrap();
    crate::hub::import(&data, &[&file]);
    let place = data.to_str().unwrap();
    let tables = run_well(&["sql", "--data", place]);
    assert!(tables.contains("patient (Patient): ") && tables.contains("immunization (Immunization): "));
    let by_sex = "select sex, count(*) as persons from patient group by sex order by sex";
    let answer = run_well(&["sql", "--data", place, by_sex]);
    assert_eq!(answer, "sex,persons\nfemale,20\nmale,20\n");
    let view = folder.path().join("own.json");
    let own = json!({"resourceType": "ViewDefinition", "name": "vaccinated", "status": "active", "resource": "Immunization",
        "select": [{"column": [{"name": "day", "path": "occurrence.ofType(dateTime)"}, {"name": "patient", "path": "patient.getReferenceKey(Patient)"}]}]});
    std::fs::write(&view, own.to_string()).unwrap();
    let joined = "select count(distinct v.patient) as persons from vaccinated v join patient p on v.patient = p.person where v.day < '2025'";
    let answer =
        run_well(&["sql", "--data", place, "--view", view.to_str().unwrap(), "--format", "json", joined]);
    assert_eq!(answer, "[{\"persons\":3}]\n");
    let nothing = run_well(&["sql", "--data", place, "--as-of", "1999-01-01", by_sex]);
    assert_eq!(nothing, "sex,persons\n");
    for (asked, said) in [
        ("delete from patient", "only reading is possible"),
        ("select colour from patient", "colour"),
        ("select * from patients", "there are"),
        ("select * from", "found: EOF"),
        ("select * from patient", "more than 5 rows"),
    ] {
        let output = crate::hub::run(&["sql", "--data", place, "--most", "5", asked]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(said), "{asked}: {told}");
    }
}
