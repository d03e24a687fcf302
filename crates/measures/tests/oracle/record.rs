//! A record as a person would read it: JSON, one resource after the other. Shares no code with views or SQL.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) const ICD10: &[&str] = &[
    "http://hl7.org/fhir/sid/icd-10",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/ICD10-2013-full",
    "urn:oid:2.16.840.1.113883.6.3",
];
pub(crate) const SNOMED: &[&str] = &["http://snomed.info/sct"];
pub(crate) const LOINC: &[&str] = &["http://loinc.org"];
pub(crate) const JLAC10: &[&str] =
    &["http://medis.or.jp/CodeSystem/master-JLAC10-17digits", "urn:oid:1.2.392.200119.4.504"];
pub(crate) const YJ: &[&str] = &[
    "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code",
    "urn:oid:1.2.392.100495.20.1.73",
    "urn:oid:1.2.392.100495.20.2.73",
];
pub(crate) const HOT9: &[&str] =
    &["http://medis.or.jp/CodeSystem/master-HOT9", "urn:oid:1.2.392.200119.4.403.1"];
pub(crate) const ATC: &[&str] = &["http://www.whocc.no/atc"];
pub(crate) const RXNORM: &[&str] = &["http://www.nlm.nih.gov/research/umls/rxnorm"];
pub(crate) const CVX: &[&str] = &["http://hl7.org/fhir/sid/cvx"];
pub(crate) const OWN: &[&str] = &["https://yojigen.example/fhir/CodeSystem/self-care"];
pub(crate) const MEDIS: &[&str] = &[
    "http://medis.or.jp/CodeSystem/master-disease-exCode",
    "http://medis.or.jp/CodeSystem/master-disease-keyNumber",
    "urn:oid:1.2.392.200119.4.101.6",
    "urn:oid:1.2.392.200119.4.101.2",
];

/// Days since 1970 of a date, by counting.
pub(crate) fn day(text: &str) -> Option<i64> {
    let date = text.split('T').next()?;
    let parts: Vec<&str> = date.split('-').collect();
    let number = |n: usize, otherwise: i64| parts.get(n).map_or(Some(otherwise), |p| p.parse().ok());
    let (year, month, day) = (number(0, 0)?, number(1, 1)?, number(2, 1)?);
    let leap = |y: i64| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut days = 0;
    for y in 1970..year {
        days += if leap(y) { 366 } else { 365 };
    }
    for y in year..1970 {
        days -= if leap(y) { 366 } else { 365 };
    }
    days += lengths[..month as usize - 1].iter().sum::<i64>();
    Some(days + day - 1)
}

/// Seconds since 1970 of an instant with a time and an offset.
pub(crate) fn second(text: &str) -> Option<i64> {
    let (_, time) = text.split_once('T')?;
    let clock: Vec<i64> = time.get(..8)?.split(':').map(|p| p.parse().unwrap()).collect();
    let zone = time.get(8..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = if zone == "Z" {
        0
    } else {
        let parts: Vec<i64> = zone[1..].split(':').map(|p| p.parse().unwrap()).collect();
        (parts[0] * 3600 + parts[1] * 60) * if zone.starts_with('-') { -1 } else { 1 }
    };
    Some(day(text)? * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2] - offset)
}

pub(crate) fn text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    let mut at = value;
    for step in path.split('.') {
        at = match step.parse::<usize>() {
            Ok(index) => &at[index],
            Err(_) => &at[step],
        };
    }
    at.as_str()
}

/// The code of the first coding of one of some systems.
pub(crate) fn coded<'v>(concept: &'v Value, systems: &[&str]) -> Option<&'v str> {
    let codings = concept["coding"].as_array()?;
    let fitting =
        |c: &&Value| c["system"].as_str().is_some_and(|s| systems.contains(&s)) && c["code"].is_string();
    codings.iter().find(fitting).and_then(|c| c["code"].as_str())
}

/// The code of the first coding at all.
pub(crate) fn any_code(concept: &Value) -> Option<&str> {
    concept["coding"].as_array()?.iter().find_map(|c| c["code"].as_str())
}

pub(crate) fn is_one(code: Option<&str>, of: &[&str]) -> bool {
    code.is_some_and(|c| of.contains(&c))
}

pub(crate) fn begins(code: Option<&str>, with: &[&str]) -> bool {
    code.is_some_and(|c| with.iter().any(|w| c.starts_with(w)))
}

pub(crate) fn item(resource: &Value) -> String {
    format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap())
}

/// A person: the Patient that stands for them, and everything about all their Patients.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) patient: Option<Value>,
    pub(crate) resources: Vec<Value>,
}

impl Person {
    pub(crate) fn all<'p>(&'p self, kind: &'p str) -> impl Iterator<Item = &'p Value> + 'p {
        self.resources.iter().filter(move |r| r["resourceType"] == kind)
    }
}

pub(crate) struct Record {
    pub(crate) persons: Vec<Person>,
}

fn about(resource: &Value) -> Option<&str> {
    text(resource, "subject.reference").or(text(resource, "patient.reference"))
}

impl Record {
    pub(crate) fn of(resources: Vec<Value>) -> Record {
        // Patients that are linked get the same name, until nothing changes.
        let mut name: BTreeMap<String, String> = BTreeMap::new();
        let mut linked: Vec<(String, String)> = Vec::new();
        let mut stands_back = BTreeSet::new();
        for patient in resources.iter().filter(|r| r["resourceType"] == "Patient") {
            for link in patient["link"].as_array().into_iter().flatten() {
                let other = link["other"]["reference"].as_str().unwrap().to_owned();
                if is_one(link["type"].as_str(), &["replaced-by", "refer"]) {
                    stands_back.insert(item(patient));
                }
                linked.push((item(patient), other));
            }
        }
        let mut groups: Vec<BTreeSet<String>> = Vec::new();
        for (one, other) in linked {
            let (mut together, apart): (Vec<_>, Vec<_>) =
                groups.into_iter().partition(|g| g.contains(&one) || g.contains(&other));
            groups = apart;
            together.push([one, other].into());
            groups.push(together.into_iter().flatten().collect());
        }
        for group in groups {
            let first = group.iter().find(|m| !stands_back.contains(*m)).or(group.first()).unwrap().clone();
            name.extend(group.into_iter().map(|m| (m, first.clone())));
        }
        let named = |id: &str| name.get(id).cloned().unwrap_or_else(|| id.to_owned());
        let mut persons: BTreeMap<String, Person> = BTreeMap::new();
        for resource in resources {
            let own = if resource["resourceType"] == "Patient" {
                item(&resource)
            } else {
                match about(&resource) {
                    Some(id) if id.starts_with("Patient/") => id.to_owned(),
                    _ => continue,
                }
            };
            let id = named(&own);
            let person = persons.entry(id.clone()).or_insert_with(|| Person {
                id: id.clone(),
                patient: None,
                resources: Vec::new(),
            });
            if resource["resourceType"] == "Patient" {
                if own == id {
                    person.patient = Some(resource);
                }
            } else {
                person.resources.push(resource);
            }
        }
        Record { persons: persons.into_values().collect() }
    }
}
