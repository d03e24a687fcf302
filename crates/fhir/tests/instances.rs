//! Real instances through the reader: the official package, JP-CLINS, and mutations of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

use fhir::{Issue, Limits, Resource};
use proptest::prelude::*;

/// Instances of the official R4 package that R4's own definitions refuse, each with the reason.
/// None of them is marked as deliberately wrong; they are slips of publication.
const REFUSED: &[(&str, &str)] = &[
    ("ImplementationGuide-fhir.json", "ImplementationGuide needs name"),
    ("Questionnaire-qs1.json", "Questionnaire.item needs linkId"),
    ("SearchParameter-codesystem-extensions-CodeSystem-author.json", "SearchParameter needs base"),
    ("SearchParameter-codesystem-extensions-CodeSystem-effective.json", "SearchParameter needs base"),
    ("SearchParameter-codesystem-extensions-CodeSystem-end.json", "SearchParameter needs base"),
    ("SearchParameter-codesystem-extensions-CodeSystem-keyword.json", "SearchParameter needs base"),
    ("SearchParameter-codesystem-extensions-CodeSystem-workflow.json", "SearchParameter needs base"),
    (
        "SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json",
        "is not a id",
    ),
    ("SearchParameter-valueset-extensions-ValueSet-author.json", "SearchParameter needs base"),
    ("SearchParameter-valueset-extensions-ValueSet-effective.json", "SearchParameter needs base"),
    ("SearchParameter-valueset-extensions-ValueSet-end.json", "SearchParameter needs base"),
    ("SearchParameter-valueset-extensions-ValueSet-keyword.json", "SearchParameter needs base"),
    ("SearchParameter-valueset-extensions-ValueSet-workflow.json", "SearchParameter needs base"),
    ("ig-r4.json", "ImplementationGuide needs name"),
];

fn read(json: &[u8]) -> Result<Resource, Vec<Issue>> {
    fhir::json::parse(json, &Limits::default())
}

/// JSON without white space outside strings, by other means than the reader's.
fn without_white_space(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let (mut is_string, mut is_escape) = (false, false);
    for byte in json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json) {
        if !is_string && byte.is_ascii_whitespace() {
            continue;
        }
        out.push(*byte);
        match (is_string, is_escape, byte) {
            (true, true, _) => is_escape = false,
            (true, false, b'\\') => is_escape = true,
            (_, _, b'"') => is_string = !is_string,
            _ => {}
        }
    }
    out
}

#[test]
fn the_official_package_reads_byte_for_byte() {
    let Some(shared) = shared::folder("the_official_package_reads_byte_for_byte") else { return };
    let files = shared::package(&shared.join("packages/hl7.fhir.r4.examples-4.0.1.tgz")).unwrap();
    assert!(files.len() > 5000);
    let mut refused = Vec::new();
    for (name, json) in &files {
        match read(json) {
            Ok(resource) => assert!(resource.text().as_bytes() == without_white_space(json), "{name}"),
            Err(issues) => {
                let known = REFUSED.iter().find(|(n, _)| n == name);
                let Some((_, reason)) = known else { panic!("{name}: {}", issues[0]) };
                assert!(issues[0].diagnostics.contains(reason), "{name}: {}", issues[0]);
                refused.push(name.as_str());
            }
        }
    }
    refused.sort_unstable();
    assert_eq!(refused, REFUSED.iter().map(|(n, _)| *n).collect::<Vec<_>>());
}

#[test]
fn japanese_examples_read_byte_for_byte() {
    let Some(shared) = shared::folder("japanese_examples_read_byte_for_byte") else { return };
    for entry in std::fs::read_dir(shared.join("data/jp-clins-examples")).unwrap() {
        let path = entry.unwrap().path();
        let json = std::fs::read(&path).unwrap();
        // The ErrorExamples break rules of profiles, not of R4.
        let resource = read(&json).unwrap_or_else(|issues| panic!("{}: {}", path.display(), issues[0]));
        assert!(resource.text().as_bytes() == without_white_space(&json), "{}", path.display());
    }
}

/// JSON → XML → JSON gives the same document, and the same XML again (which shows the digits of decimals).
fn crosses_to_xml_and_back(name: &str, resource: &Resource) {
    let xml = fhir::xml::to_xml(resource.root()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let again = fhir::xml::parse(xml.as_bytes(), &Limits::default())
        .unwrap_or_else(|issues| panic!("{name}: {}", issues[0]));
    let value = |r: &Resource| serde_json::from_str::<serde_json::Value>(r.text()).unwrap();
    assert!(value(resource) == value(&again), "{name}: {} became {}", resource.text(), again.text());
    assert!(fhir::xml::to_xml(again.root()).unwrap() == xml, "{name}");
}

#[test]
fn the_official_package_crosses_to_xml_and_back() {
    let Some(shared) = shared::folder("the_official_package_crosses_to_xml_and_back") else { return };
    let mut crossed = 0;
    for (name, json) in shared::package(&shared.join("packages/hl7.fhir.r4.examples-4.0.1.tgz")).unwrap() {
        let Ok(resource) = read(&json) else { continue };
        crosses_to_xml_and_back(&name, &resource);
        crossed += 1;
    }
    assert!(crossed > 5000);
    for entry in std::fs::read_dir(shared.join("data/jp-clins-examples")).unwrap() {
        let path = entry.unwrap().path();
        let resource = read(&std::fs::read(&path).unwrap()).unwrap();
        crosses_to_xml_and_back(&path.display().to_string(), &resource);
    }
}

fn first_issue(json: &str) -> Issue {
    read(json.as_bytes()).expect_err("should be refused").swap_remove(0)
}

#[test]
fn findings_name_place_and_way_out() {
    for (json, place, position, words) in [
        (
            r#"{"resourceType":"Patient","birthdate":"2000"}"#,
            "Patient.birthdate",
            (1, 27),
            "did you mean birthDate",
        ),
        (
            "{\"resourceType\":\"Patient\",\n \"active\":\"yes\"}",
            "Patient.active",
            (2, 11),
            "true or false without quotes",
        ),
        (r#"{"resourceType":"Patient","name":{"family":"x"}}"#, "Patient.name", (1, 34), "array"),
        (
            r#"{"resourceType":"Patient","birthDate":["2000"]}"#,
            "Patient.birthDate",
            (1, 39),
            "must not be an array",
        ),
        (
            r#"{"resourceType":"Patient","birthDate":"2000-02-30"}"#,
            "Patient.birthDate",
            (1, 39),
            "a date that exists",
        ),
        (
            r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2000"}"#,
            "Patient.deceased",
            (1, 50),
            "one value",
        ),
        (
            r#"{"resourceType":"Patient","active":true,"active":true}"#,
            "Patient.active",
            (1, 41),
            "appears twice",
        ),
        (r#"{"resourceType":"Patient","name":[]}"#, "Patient.name", (1, 34), "must not be empty"),
        (r#"{"resourceType":"Patient","name":[{}]}"#, "Patient.name[0]", (1, 35), "must not be empty"),
        (r#"{"resourceType":"Patient","name":[null]}"#, "Patient.name[0]", (1, 35), "expected an object"),
        (
            r#"{"resourceType":"Patient","name":[{"given":[null]}]}"#,
            "Patient.name[0].given",
            (1, 35),
            "neither",
        ),
        (r#"{"resourceType":"Patient","_birthDate":null}"#, "Patient.birthDate", (1, 1), "neither"),
        (r#"{"resourceType":"Patient","_name":[{}]}"#, "Patient._name", (1, 27), "no element"),
        (
            r#"{"resourceType":"Patient","contained":[{"id":"x"}]}"#,
            "Patient.contained[0]",
            (1, 40),
            "resourceType",
        ),
        (r#"{"resourceType":"Patiant"}"#, "", (1, 1), "did you mean Patient"),
        (r#"{"resourceType":"Patient"} x"#, "Patient", (1, 28), "one resource was read"),
        (r#"{"resourceType":"Patient","active":tru}"#, "Patient.active", (1, 36), "expected"),
        (r#"{"resourceType":"Observation","status":"final"}"#, "Observation.code", (1, 1), "needs code"),
        (r#"{"resourceType":"Patient","gender":""}"#, "Patient.gender", (1, 36), "must not be empty"),
        (
            r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script/></div>"}}"#,
            "Patient.text.div",
            (1, 62),
            "<script> is not allowed",
        ),
        ("[]", "", (1, 1), "a resource is an object"),
        ("", "", (1, 1), "end of the text"),
    ] {
        let issue = first_issue(json);
        assert_eq!((issue.expression.as_str(), issue.position), (place, Some(position)), "{json}: {issue}");
        assert!(issue.diagnostics.contains(words), "{json}: {issue}");
    }
}

#[test]
fn limits_are_kept() {
    let deep = format!(
        r#"{{"resourceType":"Questionnaire","status":"draft","item":[{}"#,
        r#"{"linkId":"a","type":"group","item":["#.repeat(100)
    );
    assert!(first_issue(&deep).diagnostics.contains("more than 64 deep"));
    // An unknown element may be nested as it likes: stepping over it is bounded as well.
    let unknown = format!(r#"{{"resourceType":"Patient","x":{}"#, "[".repeat(100_000));
    assert!(read(unknown.as_bytes()).is_err());
    let long = format!(r#"{{"resourceType":"Patient","language":"{}"}}"#, "x".repeat(17 << 20));
    assert!(first_issue(&long).diagnostics.contains("at most 16777216"));
    let string = format!(r#"{{"resourceType":"Patient","name":[{{"text":"{}"}}]}}"#, "x".repeat(10 << 20));
    assert!(first_issue(&string).diagnostics.contains("at most 1 MB"));
    let many = format!(r#"{{"resourceType":"Patient"{}}}"#, r#","x":1"#.repeat(100_000));
    assert_eq!(read(many.as_bytes()).unwrap_err().len(), 51);
}

#[test]
fn companions_join_their_primitives() {
    for json in [
        r#"{"resourceType":"Patient","name":[{"given":["a",null,"c"],"_given":[null,{"id":"x"},{"id":"y"}]}]}"#,
        r#"{"resourceType":"Patient","name":[{"_given":[null,{"id":"x"},{"id":"y"}],"family":"f","given":["a",null,"c"]}]}"#,
    ] {
        let resource = read(json.as_bytes()).unwrap();
        assert_eq!(resource.text(), json);
        let name = resource.root().child("name").unwrap();
        let given: Vec<_> =
            name.all("given").map(|g| (g.value().map(String::from), g.id().map(String::from))).collect();
        let text = |t: &str| Some(t.to_owned());
        assert_eq!(given, [(text("a"), None), (None, text("x")), (text("c"), text("y"))]);
    }
}

const SEEDS: &[&str] = &[
    r#"{"resourceType":"Patient","id":"a","meta":{"tag":[{"code":"x"}]},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},"name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"http://e","valueString":"\u3042\ud83d\ude00"}]}]}],"birthDate":"2000-01-02","multipleBirthInteger":2}"#,
    r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":1.50e1,"unit":"mm[Hg]"},"subject":{"reference":"Patient/1"},"contained":[{"resourceType":"Organization","id":"o","name":"n"}]}"#,
    r#"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}]}"#,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn mutated_resources_never_panic(
        seed in 0..SEEDS.len(),
        cuts in proptest::collection::vec((0.0f64..1.0, 0usize..12, proptest::option::of("[\\[\\]{},:\"\\\\a0-9nulltrue \\-\\.]{0,6}")), 1..4),
    ) {
        let mut text = SEEDS[seed].as_bytes().to_vec();
        for (place, length, insertion) in cuts {
            let at = ((text.len() as f64) * place) as usize;
            let end = (at + length).min(text.len());
            text.splice(at..end, insertion.unwrap_or_default().into_bytes());
        }
        if let Ok(resource) = read(&text) {
            // What was accepted is JSON to others too, and reads back as itself.
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok());
            let again = read(resource.text().as_bytes()).unwrap();
            prop_assert_eq!(again.text(), resource.text());
            prop_assert_eq!(again.node_count(), resource.node_count());
        }
    }
}
