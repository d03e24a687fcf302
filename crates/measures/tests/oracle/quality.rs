//! What the record itself is worth, in plain code.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::expected::Expected;
use crate::facts::*;
use crate::record::*;

const JFAGY: &[&str] = &[
    "http://jpfhir.jp/fhir/core/CodeSystem/JP_JfagyFoodAllergen_CS",
    "http://jpfhir.jp/fhir/core/CodeSystem/JP_JfagyMedicationAllergen_CS",
    "http://jpfhir.jp/fhir/core/CodeSystem/JP_JfagyNonFoodNonMedicationAllergen_CS",
    "urn:oid:1.2.392.200119.4.2102",
];
const MEDIS_PROCEDURE: &[&str] =
    &["urn:oid:1.2.392.200119.4.201", "http://medis.or.jp/CodeSystem/master-procedure"];

fn first<'v>(resource: &'v Value, paths: &[&str]) -> Option<&'v str> {
    paths.iter().find_map(|path| text(resource, path))
}

fn not_refuted(resource: &Value) -> bool {
    let codings = resource["verificationStatus"]["coding"].as_array();
    !codings.into_iter().flatten().any(|c| is_one(c["code"].as_str(), &["entered-in-error", "refuted"]))
}

pub(crate) fn standard(f: &Facts<'_>, e: &mut Expected) {
    let mut add = |resource: &Value, when: Option<&str>, systems: &[&[&str]], concept: &str| {
        let on = when.and_then(day).filter(|d| f.within(Some(*d)));
        if on.is_some() {
            let has = systems.iter().any(|s| coded(&resource[concept], s).is_some());
            e.add(&item(resource), &f.person.id, on, false, has);
        }
    };
    for o in f.observations().iter().filter(|o| !o.by_person) {
        let when = first(o.json, &["effectiveDateTime", "effectivePeriod.start"]);
        add(o.json, when, &[LOINC, JLAC10, SNOMED], "code");
    }
    for c in f.person.all("Condition").filter(|c| not_refuted(c)) {
        add(c, first(c, &["recordedDate", "onsetDateTime"]), &[ICD10, SNOMED, MEDIS], "code");
    }
    for r in f.requests() {
        add(r, text(r, "authoredOn"), &[ATC, RXNORM, YJ, HOT9], "medicationCodeableConcept");
    }
    for p in f.person.all("Procedure").filter(|p| is_one(text(p, "status"), &["completed", "in-progress"])) {
        let when = first(p, &["performedDateTime", "performedPeriod.start"]);
        add(p, when, &[SNOMED, MEDIS_PROCEDURE], "code");
    }
    for i in f.person.all("Immunization").filter(|i| i["status"] == "completed") {
        add(i, text(i, "occurrenceDateTime"), &[CVX, YJ], "vaccineCode");
    }
    for a in f.person.all("AllergyIntolerance").filter(|a| not_refuted(a)) {
        add(a, text(a, "recordedDate"), &[SNOMED, RXNORM, YJ, JFAGY], "code");
    }
}

/// An item, when it began and ended, and when it was recorded.
type Timed<'r> = (String, Option<&'r str>, Option<&'r str>, Option<&'r str>);

pub(crate) fn timely(id: &str, f: &Facts<'_>, e: &mut Expected) {
    let mut timed: Vec<Timed<'_>> = Vec::new();
    let facts = f.observations();
    for o in f.person.all("Observation") {
        let Some(known) = facts.iter().find(|k| k.item == item(o)) else { continue };
        if !known.by_person {
            let began = first(o, &["effectiveDateTime", "effectivePeriod.start"]);
            let ended = first(o, &["effectivePeriod.end", "effectiveDateTime", "effectivePeriod.start"]);
            timed.push((item(o), began, ended, text(o, "issued")));
        }
    }
    for i in f.person.all("Immunization").filter(|i| i["status"] == "completed") {
        let when = text(i, "occurrenceDateTime");
        timed.push((item(i), when, when, text(i, "recorded")));
    }
    for (id_of, began, ended, recorded) in timed {
        let on = began.and_then(day).filter(|d| f.within(Some(*d)));
        let (Some(on), Some(ended), Some(recorded)) = (on, ended.and_then(second), recorded.and_then(second))
        else {
            continue;
        };
        let seconds = recorded - ended;
        let numerator = id == "record-timeliness" && (0..=86_400).contains(&seconds);
        e.add(&id_of, &f.person.id, Some(on), seconds < 0, numerator);
        if id == "record-recording-delay" && seconds >= 0 {
            e.values.insert(id_of, seconds as f64 / 3600.0);
        }
    }
}

pub(crate) fn duplicates(f: &Facts<'_>, e: &mut Expected) {
    let mut same: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
    for o in f.observations() {
        let code = &o.json["code"];
        let name = o.loinc.or(o.jlac10).or(coded(code, SNOMED)).or(text(code, "text"));
        let said = &o.json["valueCodeableConcept"];
        let words = text(o.json, "valueString").or(any_code(said)).or(text(said, "text"));
        let result = match o.value {
            Some(value) => Some(format!("{value} {}", o.unit.unwrap_or_default())),
            None => words.map(str::to_owned),
        };
        let when = first(o.json, &["effectiveDateTime", "effectivePeriod.start"]);
        if let (Some(name), Some(result), Some(when), true) = (name, result, when, f.within(o.day)) {
            let key = format!("{name}\n{when}\n{result}");
            same.entry(key).or_default().push((o.item.clone(), o.day.unwrap()));
        }
    }
    for mut items in same.into_values() {
        items.sort();
        for (place, (id, on)) in items.into_iter().enumerate() {
            e.add(&id, &f.person.id, Some(on), false, place > 0);
        }
    }
}
