//! The records that are looked at: the synthetic community and the Synthea patients; and what of a record was known before a
//! day.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};

/// The newest version of each resource recorded before a day.
pub(crate) fn before(versions: &[(i64, String)], day: i64) -> Vec<String> {
    let mut newest: BTreeMap<(String, String), (i64, &String)> = BTreeMap::new();
    for (recorded, text) in versions.iter().filter(|(recorded, _)| *recorded < day) {
        let start = text.as_str();
        let part = |name: &str| {
            let rest = start.split_once(&format!("\"{name}\":\"")).unwrap().1;
            rest.split_once('"').unwrap().0.to_owned()
        };
        let key = (part("resourceType"), part("id"));
        match newest.get(&key) {
            Some((known, _)) if known > recorded => {}
            _ => {
                newest.insert(key, (*recorded, text));
            }
        }
    }
    newest.into_values().map(|(_, text)| text.clone()).collect()
}

/// The community of so many persons.
pub(crate) fn community(persons: u64, seed: u64) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    population::generate(&population::Settings { persons, seed }, &mut |item| {
        found.push((item.recorded.div_euclid(86_400_000_000), item.json));
        true
    });
    found
}

/// The Synthea patients; when something was recorded is taken from its own dates.
pub(crate) fn synthea(archive: &std::path::Path) -> Vec<(i64, String)> {
    let file = std::fs::File::open(archive).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut text = String::new();
        entry.unwrap().read_to_string(&mut text).unwrap();
        if text.is_empty() {
            continue;
        }
        let bundle: Value = serde_json::from_str(&text).unwrap();
        let entries = bundle["entry"].as_array().unwrap();
        let mut names = BTreeMap::new();
        for entry in entries {
            let resource = &entry["resource"];
            let name = format!(
                "{}/{}",
                resource["resourceType"].as_str().unwrap(),
                resource["id"].as_str().unwrap()
            );
            names.insert(entry["fullUrl"].as_str().unwrap().to_owned(), name);
        }
        for entry in entries {
            let mut resource = entry["resource"].clone();
            rename(&mut resource, &names);
            found.push((recorded(&resource), in_order(&resource).to_string()));
        }
    }
    found
}

fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str().and_then(|v| names.get(v)).filter(|_| name == "reference") {
                    Some(known) => *value = known.clone().into(),
                    None => rename(value, names),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|v| rename(v, names)),
        _ => {}
    }
}

/// Type and id first, so that they are found without reading the rest.
fn in_order(resource: &Value) -> Value {
    let mut made = json!({"resourceType": resource["resourceType"], "id": resource["id"]});
    for (name, value) in resource.as_object().unwrap() {
        made[name] = value.clone();
    }
    made
}

pub(crate) fn recorded(resource: &Value) -> i64 {
    let dates = ["recordedDate", "authoredOn", "issued", "effectiveDateTime", "occurrenceDateTime"];
    let own = dates.iter().find_map(|name| resource[name].as_str());
    let own = own.or(resource["period"]["start"].as_str()).or(resource["performedPeriod"]["start"].as_str());
    own.and_then(crate::record::day).unwrap_or(0)
}
