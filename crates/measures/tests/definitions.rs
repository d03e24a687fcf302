//! What comes with the program is whole, in both languages, and valid FHIR; what is no definition is refused with its place.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

use std::collections::BTreeSet;
use std::sync::Arc;

use data_encoding::BASE64;
use measures::{
    Circumstances, Evaluation, Indicator, Kind, Materials, Period, PopulationKind, Scoring, shipped, text_in,
    views_of,
};
use serde_json::{Value, json};
use sql::{Engine, Settings};

#[test]
fn what_comes_with_the_program_is_whole() {
    let indicators = shipped().unwrap();
    let mut areas = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for indicator in &indicators {
        let (measure, json) = (&indicator.measure, &indicator.measure.json);
        assert!(ids.insert(measure.id.clone()), "{}", measure.id);
        for resource in [json, &indicator.library_json] {
            let text = resource.to_string();
            if let Err(issues) = fhir::json::parse(text.as_bytes(), &fhir::Limits::default()) {
                panic!("{}: {issues:?}", measure.id);
            }
        }
        for member in ["title", "description", "rationale", "disclaimer"] {
            let (ja, en) = (text_in(json, member, "ja"), text_in(json, member, "en"));
            assert!(
                !ja.is_ascii() && en.is_ascii() && !en.is_empty(),
                "{}: {member}: {ja} / {en}",
                measure.id
            );
        }
        for group in json["group"].as_array().unwrap() {
            for population in group["population"].as_array().unwrap() {
                let (ja, en) =
                    (text_in(population, "description", "ja"), text_in(population, "description", "en"));
                assert!(!ja.is_ascii() && en.is_ascii() && !en.is_empty(), "{}: {ja} / {en}", measure.id);
            }
        }
        assert!(json["relatedArtifact"][0]["citation"].is_string(), "{}", measure.id);
        assert_eq!(measure.small_cell, 10);
        assert_eq!(measure.version, "1.0.0");
        let notation = &json["improvementNotation"]["coding"][0]["code"];
        assert!(notation == "increase" || notation == "decrease");
        let topics = json["topic"].as_array().unwrap().iter().filter_map(|t| t["coding"][0]["code"].as_str());
        areas.extend(topics.map(str::to_owned));
        let names: BTreeSet<&str> = measure.groups[0].stratifiers.iter().map(|s| s.name.as_str()).collect();
        assert!(names.contains("site"), "{}", measure.id);
    }
    let of = |set: &str| ids.iter().filter(|id| id.starts_with(set)).count();
    assert!(of("rmi-") >= 10 && of("self-care-") >= 3 && of("record-") >= 4, "{ids:?}");
    for area in ["benefit-risk", "evidence-based-care", "safety-real-world", "international-comparability"] {
        assert!(areas.contains(area), "{area}");
    }
    let scorings: Vec<Scoring> = indicators.iter().map(|i| i.measure.scoring).collect();
    for scoring in [Scoring::Proportion, Scoring::Ratio, Scoring::Cohort, Scoring::ContinuousVariable] {
        assert!(scorings.contains(&scoring), "{scoring:?}");
    }
}

#[test]
fn a_view_is_built_once_for_all() {
    let indicators = shipped().unwrap();
    let views = views_of(&indicators);
    let names: BTreeSet<&str> = views.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names.len(), views.len());
    assert!(views.len() < 20, "{names:?}");
    assert!(views.iter().all(|v| v.key.is_some()));
}

fn library(contents: &[(&str, &str, &str)]) -> Value {
    let contents: Vec<Value> = contents
        .iter()
        .map(|(kind, title, text)| json!({"contentType": kind, "title": title, "data": BASE64.encode(text.as_bytes())}))
        .collect();
    json!({"resourceType": "Library", "id": "l", "url": "https://example.org/Library/l", "version": "1", "status": "active",
        "content": contents})
}

fn measure() -> Value {
    let population = |code: &str, query: &str| {
        json!({"code": {"coding": [{"code": code}]},
        "criteria": {"language": "text/sql", "expression": query}})
    };
    json!({"resourceType": "Measure", "id": "m", "url": "https://example.org/Measure/m", "version": "2",
        "library": ["https://example.org/Library/l|1"], "scoring": {"coding": [{"code": "proportion"}]},
        "group": [{"population": [population("initial-population", "everybody"), population("denominator", "everybody"),
            population("numerator", "women")],
            "stratifier": [{"code": {"text": "x"}, "criteria": {"language": "text/sql", "expression": "sex"}}]}]})
}

const PATIENT: &str = r#"{"resourceType": "ViewDefinition", "name": "patient", "status": "active", "resource": "Patient",
    "select": [{"column": [{"name": "person", "path": "getResourceKey()"}, {"name": "sex", "path": "gender"}]}]}"#;

fn contents(women: &str) -> Vec<(&'static str, &'static str, &str)> {
    vec![
        ("application/json", "patient", PATIENT),
        ("application/sql", "everybody", "select person from patient"),
        ("application/sql", "women", women),
        ("application/sql", "sex", "select person, sex as value from patient"),
    ]
}

const WOMEN: &str = "select person from patient where sex = 'female'";

fn refused(measure: &Value, library: &Value) -> String {
    Indicator::read(measure, library).map(|i| i.measure.id).unwrap_err().to_string()
}

#[test]
fn what_is_no_definition_is_refused_with_its_place() {
    assert!(Indicator::read(&measure(), &library(&contents(WOMEN))).is_ok());
    for (kind, text) in
        [("text/cql", "define X: true"), ("text/fhirpath", "Patient.active"), ("text/plain", "x")]
    {
        let mut with = contents(WOMEN);
        with.push((kind, "more", text));
        let said = refused(&measure(), &library(&with));
        assert!(said.starts_with("Library/l, content[4].contentType: ") && said.contains(kind), "{said}");
    }
    let mut cql = measure();
    cql["group"][0]["population"][2]["criteria"]["language"] = "text/cql".into();
    let said = refused(&cql, &library(&contents(WOMEN)));
    assert!(
        said.starts_with("Measure/m, group[0].population[2].criteria.language: criteria in `text/cql`"),
        "{said}"
    );
    let mut missing = measure();
    missing["group"][0]["population"][2]["criteria"]["expression"] = "men".into();
    assert_eq!(
        refused(&missing, &library(&contents(WOMEN))),
        "Measure/m, group[0]: the Library has no query `men`"
    );
    let mut other = measure();
    other["library"] = json!(["https://example.org/Library/l|7"]);
    assert!(refused(&other, &library(&contents(WOMEN))).contains("|7 is asked for"));
    let mut scoring = measure();
    scoring["scoring"]["coding"][0]["code"] = "composite".into();
    assert!(refused(&scoring, &library(&contents(WOMEN))).contains("known are proportion"));
    let mut twice = contents(WOMEN);
    twice.push(("application/sql", "women", WOMEN));
    assert!(refused(&measure(), &library(&twice)).contains("two contents named `women`"));
    for name in ["Women", "raw-patient", "w;drop", ""] {
        let mut with = contents(WOMEN);
        with.push(("application/sql", name, WOMEN));
        assert!(refused(&measure(), &library(&with)).contains("content[4].title"), "{name}");
    }
    let mut broken = library(&contents(WOMEN));
    broken["content"][2]["data"] = "%%%".into();
    assert!(refused(&measure(), &broken).contains("content[2].data: no base64"));
    let mut view = contents(WOMEN);
    view[0].2 = r#"{"resourceType": "ViewDefinition", "resource": "Patient", "select": [{"column": [{"name": "x", "path": "gender("}]}]}"#;
    assert!(refused(&measure(), &library(&view)).contains("column[0].path"));
}

fn evaluate(women: &str, texts: &[&str]) -> Result<measures::Outcome, String> {
    let engine = Arc::new(Engine::start(&Settings::default()).unwrap());
    let indicator = Arc::new(Indicator::read(&measure(), &library(&contents(women))).unwrap());
    let mut materials = Materials::at(42);
    materials.build(&views_of(&[Arc::clone(&indicator)]), texts, 2).unwrap();
    let mut evaluation =
        Evaluation::new(&engine, &materials, Period::read("2025-01-01", "2025-12-31").unwrap());
    evaluation.keeps_members = true;
    evaluation.run(&[indicator]).map(|mut outcomes| outcomes.remove(0)).map_err(|e| e.to_string())
}

#[test]
fn a_query_can_only_read_and_its_errors_have_their_place() {
    for (query, said) in [
        ("drop table patient", "query women: only reading is possible here"),
        ("select person from '/etc/passwd'", "query women: "),
        (
            "select person from nowhere",
            "query women: line 1, column 20: table 'nowhere' not found; there are everybody, patient",
        ),
        ("select sex from patient where", "query women: "),
        ("select sex from patient", "query women: it has no column `person`"),
    ] {
        let found = evaluate(query, &[]).map(|o| o.place);
        let error = found.expect_err(query);
        assert!(error.contains(said), "{query}: {error}");
    }
}

const PEOPLE: [&str; 4] = [
    r#"{"resourceType": "Patient", "id": "a", "gender": "female"}"#,
    r#"{"resourceType": "Patient", "id": "b", "gender": "male"}"#,
    r#"{"resourceType": "Patient", "id": "c", "gender": "female"}"#,
    r#"{"resourceType": "Patient", "id": "d"}"#,
];

#[test]
fn a_report_says_what_was_counted_and_of_what() {
    let outcome = evaluate(WOMEN, &PEOPLE).unwrap();
    let circumstances = Circumstances {
        date: "2026-01-05T09:00:00+09:00".to_owned(),
        reporter: Some("Organization/o".to_owned()),
        code_version: "0.1.0".to_owned(),
    };
    let report = outcome.report(Kind::SubjectList, &circumstances);
    let text = report.to_string();
    assert!(fhir::json::parse(text.as_bytes(), &fhir::Limits::default()).is_ok(), "{text}");
    assert_eq!(report["type"], "subject-list");
    assert_eq!(report["measure"], "https://example.org/Measure/m|2");
    assert_eq!(report["period"], json!({"start": "2025-01-01", "end": "2025-12-31"}));
    assert_eq!(report["extension"][0]["valueDecimal"], 42);
    assert_eq!(report["extension"][3]["valueString"], outcome.indicator.library.hash.as_str());
    let group = &report["group"][0];
    let counts: Vec<_> =
        group["population"].as_array().unwrap().iter().map(|p| p["count"].as_u64()).collect();
    assert_eq!(counts, [Some(4), Some(4), Some(2)]);
    assert_eq!(group["measureScore"]["value"], 50.0);
    assert_eq!(group["population"][2]["subjectResults"]["reference"], "#group-0-numerator");
    let list =
        report["contained"].as_array().unwrap().iter().find(|l| l["id"] == "group-0-numerator").unwrap();
    assert_eq!(
        list["entry"],
        json!([{"item": {"reference": "Patient/a"}}, {"item": {"reference": "Patient/c"}}])
    );
    let strata: Vec<_> = group["stratifier"][0]["stratum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["value"]["text"].as_str().unwrap(), s["population"][0]["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(strata, [("female", 2), ("male", 1), ("unknown", 1)]);

    let summary = outcome.report(Kind::Summary, &circumstances);
    assert!(summary["contained"].is_null() && !summary.to_string().contains("Patient/"));
    assert_eq!(outcome.groups[0].counts.persons, 4);
    assert_eq!(outcome.indicator.measure.groups[0].query(PopulationKind::Numerator), Some("women"));
}

#[test]
fn one_person_and_nobody() {
    let engine = Arc::new(Engine::start(&Settings::default()).unwrap());
    let indicators = shipped().unwrap();
    let mut materials = Materials::at(1);
    let period = Period::read("2025-01-01", "2025-12-31").unwrap();
    let unbuilt = Evaluation::new(&engine, &materials, period).run(&indicators).map(|o| o.len());
    assert!(unbuilt.unwrap_err().to_string().contains("it was not built"));
    materials.build(&views_of(&indicators), &[] as &[&str], 2).unwrap();
    let outcomes = Evaluation::new(&engine, &materials, period).run(&indicators).unwrap();
    assert!(outcomes.iter().all(|o| o.groups.iter().all(|g| g.counts == measures::Counts::default())));

    let old = r#"{"resourceType": "Patient", "id": "old", "birthDate": "1940-01-01", "gender": "male"}"#;
    let other = r#"{"resourceType": "Patient", "id": "other", "birthDate": "1941-01-01", "gender": "male"}"#;
    materials.build(&views_of(&indicators), &[old, other], 2).unwrap();
    let mut evaluation = Evaluation::new(&engine, &materials, period);
    evaluation.person = Some("Patient/old".to_owned());
    let outcomes = evaluation.run(&indicators).unwrap();
    let influenza = outcomes.iter().find(|o| o.indicator.measure.id == "rmi-influenza-65").unwrap();
    assert_eq!((influenza.groups[0].counts.initial, influenza.groups[0].counts.numerator), (1, 0));
    let circumstances =
        Circumstances { date: "2026".to_owned(), reporter: None, code_version: "1".to_owned() };
    let report = influenza.report(Kind::Individual, &circumstances);
    assert_eq!(
        (&report["type"], &report["subject"]["reference"]),
        (&json!("individual"), &json!("Patient/old"))
    );
    assert!(report["group"][0]["stratifier"].is_null());

    assert!(Period::read("2025-01-01", "2024-01-01").is_err() && Period::read("now", "2024-01-01").is_err());
    let cancelled = Evaluation::new(&engine, &materials, period);
    cancelled.cancel.cancel();
    assert!(cancelled.run(&indicators).map(|o| o.len()).unwrap_err().is_cancelled);
}
