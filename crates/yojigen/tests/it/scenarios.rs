//! Declarative scenarios: `tests/scenarios/*.yaml`, each a list of requests and what must be answered.
//!
//! A scenario is run against a new, empty hub; with `YOJIGEN_BASE` set, against that server instead, whichever it is.
//!
//! ```yaml
//! - name: a sentence
//!   request: POST Patient
//!   headers: {If-Match: W/"1"}
//!   body: {resourceType: Patient}
//!   status: 201
//!   expect:                # JSON pointer: value; a text between slashes is contained; null means absent
//!     /id: $keep patient   # kept under a name, used later as ${patient}
//!   expect-headers: {etag: W/"1"}
//!   expect-body: [text]    # contained in the answer as it came
//!   section: cond-update   # what it covers: the anchor of a section of the specification's HTTP page
//! ```
//!
//! The first step may be `serve: [--references, refuse]`: how the hub is served.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::hub::{Hub, agent, try_send};
use crate::sealed::Place;

type Kept = BTreeMap<String, String>;

fn filled(text: &str, kept: &Kept) -> String {
    kept.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

/// Compares; `$keep name` keeps what is found.
fn check(place: &str, expected: &Value, found: Option<&Value>, kept: &mut Kept) {
    let expected: Value = match expected {
        Value::String(text) => Value::String(filled(text, kept)),
        other => other.clone(),
    };
    match (&expected, found) {
        (Value::Null, None) => {}
        (Value::String(text), Some(found)) if text.starts_with("$keep ") => {
            let value = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            kept.insert(text["$keep ".len()..].to_owned(), value);
        }
        (Value::String(text), Some(Value::String(found)))
            if text.len() > 2 && text.starts_with('/') && text.ends_with('/') =>
        {
            let part = &text[1..text.len() - 1];
            assert!(found.contains(part), "{place}: '{found}' does not contain '{part}'");
        }
        (expected, Some(found)) => assert_eq!(expected, found, "{place}"),
        (expected, None) => panic!("{place}: nothing there, expected {expected}"),
    }
}

fn run(file: &Path, more: &[&str]) {
    let text = std::fs::read_to_string(file).unwrap();
    let steps: Vec<Value> =
        serde_yaml_ng::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let folder = tempfile::tempdir().unwrap();
    let how = steps.first().map_or(&Value::Null, |step| &step["serve"]);
    if how.is_array() && std::env::var("YOJIGEN_BASE").is_ok() {
        eprintln!("{}: NOT RUN: it needs a hub that is served with {how}", file.display());
        return;
    }
    let how: Vec<&str> =
        how.as_array().into_iter().flatten().filter_map(Value::as_str).chain(more.iter().copied()).collect();
    let own = std::env::var("YOJIGEN_BASE")
        .is_err()
        .then(|| Hub::serve_with(&folder.path().join("hub"), &how, &[]));
    let base = own.as_ref().map_or_else(|| std::env::var("YOJIGEN_BASE").unwrap(), |hub| hub.base.clone());
    let agent = agent();
    let mut kept = Kept::from([("base".to_owned(), base.clone())]);
    for step in steps.iter().filter(|step| step["serve"].is_null()) {
        let name = format!("{}: {}", file.file_name().unwrap().display(), step["name"].as_str().unwrap());
        let (method, path) = step["request"].as_str().unwrap().split_once(' ').unwrap();
        let headers: Vec<(String, String)> = step["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(n, v)| (n.clone(), filled(v.as_str().unwrap(), &kept)))
            .collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let body = match &step["body"] {
            Value::Null => String::new(),
            Value::String(text) => filled(text, &kept),
            other => filled(&other.to_string(), &kept),
        };
        let answer = try_send(&agent, &base, method, &filled(path, &kept), &headers, &body)
            // A connection that is closed after a refusal may be taken for a further request before that is noticed.
            .or_else(|_| try_send(&crate::hub::agent(), &base, method, &filled(path, &kept), &headers, &body))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(answer.status, step["status"].as_u64().unwrap() as u16, "{name}: {}", answer.body);
        let json = if step["expect"].is_null() { Value::Null } else { answer.json() };
        for (pointer, expected) in step["expect"].as_object().into_iter().flatten() {
            let place = format!("{name}: {pointer} of {}", answer.body);
            check(&place, expected, json.pointer(&filled(pointer, &kept)), &mut kept);
        }
        for part in step["expect-body"].as_array().into_iter().flatten() {
            let part = filled(part.as_str().unwrap(), &kept);
            assert!(answer.body.contains(&part), "{name}: no '{part}' in {}", answer.body);
        }
        for (header, expected) in step["expect-headers"].as_object().into_iter().flatten() {
            let found = answer.header(&header.to_lowercase()).map(|v| Value::String(v.to_owned()));
            check(&format!("{name}: header {header}"), expected, found.as_ref(), &mut kept);
        }
    }
}

/// The sections of <https://hl7.org/fhir/R4/http.html>, by anchor; two have none: the number of one, a name for the other.
const SECTIONS: &[&str] = &[
    "interactions",
    "general",
    "styleguide",
    "root",
    "versioning",
    "security",
    "Status-Codes",
    "return",
    "cread",
    "ops",
    "prefer",
    "mime-type",
    "version-parameter",
    "parameters",
    "versions",
    "read",
    "vread",
    "update",
    "upsert",
    "rejecting-updates",
    "cond-update",
    "concurrency",
    "patch",
    "delete",
    // Conditional delete.
    "3.1.0.7.1",
    "create",
    "ccreate",
    "search",
    "vsearch",
    "capabilities",
    "transaction",
    "brules",
    "trules",
    "transaction-response",
    "other-bundles",
    "history",
    "transactional-integrity",
    "conformance-rules",
    "paging",
    "head",
    "custom",
    "summary",
];

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    files
}

#[test]
fn every_scenario_holds() {
    let files = files();
    assert!(files.len() >= 5, "scenarios are missing");
    for file in files {
        run(&file, &[]);
    }
}

/// Encryption is under everything: what is asked and answered is the same.
#[test]
fn every_scenario_holds_on_a_sealed_hub() {
    if std::env::var("YOJIGEN_BASE").is_ok() {
        return;
    }
    let place = Place::new();
    let key = place.key("key");
    for file in files() {
        run(&file, &["--key-file", &key]);
    }
}

/// Prints how often each section of the HTTP page is covered.
#[test]
fn every_section_of_the_http_page_has_scenarios() {
    let mut covered: BTreeMap<&str, usize> = SECTIONS.iter().map(|section| (*section, 0)).collect();
    for file in files() {
        let steps: Vec<Value> = serde_yaml_ng::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let is_of_the_page = file.file_name().unwrap().to_string_lossy().starts_with("http-");
        for step in steps.iter().filter(|step| step["serve"].is_null()) {
            let place = format!("{}: {}", file.display(), step["name"]);
            // A section such as 3.1 would be a number.
            assert!(step["section"].is_null() || step["section"].is_string(), "{place}: {}", step["section"]);
            let Some(section) = step["section"].as_str() else {
                assert!(!is_of_the_page, "{place}: it names no section");
                continue;
            };
            let count = covered.get_mut(section);
            *count.unwrap_or_else(|| panic!("{place}: the HTTP page has no section '{section}'")) += 1;
        }
    }
    for section in SECTIONS {
        println!("http.html#{section}: {}", covered[section]);
    }
    let bare: Vec<_> = SECTIONS.iter().filter(|section| covered[**section] == 0).collect();
    assert!(bare.is_empty(), "no scenario covers {bare:?}");
}
