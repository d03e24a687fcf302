//! Resources from what was entered, and back.

use fhir::NodeRef;
use serde_json::{Map, Value, json};

use super::kind::{Coding, Kind, LOINC, MEALS, OWN, PARTS, Shape};
use super::read::Entered;
use crate::me::own::Own;
use crate::words::Words;

const TIMING: &str = "http://terminology.hl7.org/CodeSystem/v3-TimingEvent";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const STATEMENT: &str = "http://terminology.hl7.org/CodeSystem/medication-statement-category";
const SNOMED: &str = "http://snomed.info/sct";
/// How bad, in SNOMED CT.
const SEVERITY: &[(&str, &str, &str)] =
    &[("mild", "255604002", "Mild"), ("moderate", "6736007", "Moderate"), ("severe", "24484000", "Severe")];

/// How a medicine was come by, in the codes of a MedicationStatement's category.
const ORIGIN: &[(&str, &str)] = &[("otc", "patientspecified"), ("prescribed", "community")];

fn concept((system, code, display): Coding) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}]})
}

/// A number with its digits as they were entered.
fn decimal(digits: &str) -> Value {
    serde_json::from_str(digits).unwrap_or(Value::Null)
}

fn quantity(digits: &str, unit: &str, ucum: &str) -> Value {
    json!({"value": decimal(digits), "unit": unit, "system": "http://unitsofmeasure.org", "code": ucum})
}

fn observation(own: &Own, code: Coding, category: &str, entered: &Entered) -> Value {
    let mut made = json!({
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": concept(code),
        "subject": own.subject(),
        "effectiveDateTime": entered.at,
        "performer": [{"reference": own.author().unwrap_or_default()}],
    });
    if let Some(note) = entered.value("note") {
        made["note"] = json!([{"text": note}]);
    }
    made
}

fn coded(name: &str, system: &str, code: &str, display: &str) -> Value {
    let mut coding = json!({"system": system, "code": code});
    if !display.is_empty() {
        coding["display"] = json!(display);
    }
    json!({"code": {"text": name}, "valueCodeableConcept": {"coding": [coding]}})
}

fn pressure(own: &Own, kind: &Kind, entered: &Entered, high: &str, low: &str) -> Option<Value> {
    let mut made = observation(own, kind.code()?, "vital-signs", entered);
    let part = |code: &str, display: &str, digits: &str| json!({"code": concept_of(code, display), "valueQuantity": quantity(digits, "mmHg", "mm[Hg]")});
    let mut components = vec![
        part("8480-6", "Systolic blood pressure", entered.value(high)?),
        part("8462-4", "Diastolic blood pressure", entered.value(low)?),
    ];
    components.extend(entered.value("part").map(|part| coded("time of day", TIMING, part, "")));
    made["component"] = json!(components);
    Some(made)
}

fn concept_of(code: &str, display: &str) -> Value {
    json!({"coding": [{"system": LOINC, "code": code, "display": display}]})
}

/// What was entered as resources; blood pressure in two readings is two, and its pulse one more.
pub(in crate::me) fn resources(own: &Own, kind: &Kind, entered: &Entered) -> Vec<Value> {
    match kind.shape {
        Shape::Pressure => {
            let pairs = [("high1", "low1"), ("high2", "low2")];
            let mut made: Vec<Value> =
                pairs.iter().filter_map(|(high, low)| pressure(own, kind, entered, high, low)).collect();
            if let Some(digits) = entered.value("pulse") {
                let mut pulse = observation(own, (LOINC, "8867-4", "Heart rate"), "vital-signs", entered);
                pulse["valueQuantity"] = quantity(digits, "/min", "/min");
                made.push(pulse);
            }
            made
        }
        Shape::Measure { code, unit, ucum, category } => {
            let mut made = observation(own, code, category, entered);
            made["valueQuantity"] = quantity(entered.value("value").unwrap_or("0"), unit, ucum);
            if let Some(meal) = entered.value("meal") {
                made["component"] = json!([coded("meal", TIMING, meal, "")]);
            }
            vec![made]
        }
        Shape::Said { code, category } => {
            let mut made = observation(own, code, category, entered);
            made["valueString"] = json!(entered.value("words").unwrap_or_default());
            let severity = entered.value("severity");
            if let Some((_, code, display)) = SEVERITY.iter().find(|(key, ..)| Some(*key) == severity) {
                made["component"] = json!([coded("severity", SNOMED, code, display)]);
            }
            vec![made]
        }
        Shape::Chosen { code, category } => {
            let mut made = observation(own, code, category, entered);
            let chosen = entered.value("mood").unwrap_or_default();
            let display = own.words.say_code("me-option", chosen).unwrap_or_default();
            made["valueCodeableConcept"] =
                json!({"coding": [{"system": OWN, "code": chosen}], "text": display});
            vec![made]
        }
        Shape::Medicine => vec![statement(own, entered)],
        Shape::Document => Vec::new(),
    }
}

fn statement(own: &Own, entered: &Entered) -> Value {
    let mut made = json!({
        "resourceType": "MedicationStatement",
        "status": "completed",
        "medicationCodeableConcept": {"text": entered.value("name").unwrap_or_default()},
        "subject": own.subject(),
        "effectiveDateTime": entered.at,
        "dateAsserted": entered.at,
        "informationSource": {"reference": own.author().unwrap_or_default()},
    });
    let origin = entered.value("origin");
    if let Some((_, code)) = ORIGIN.iter().find(|(key, _)| Some(*key) == origin) {
        made["category"] = json!({"coding": [{"system": STATEMENT, "code": code}]});
    }
    if let Some(dose) = entered.value("dose") {
        made["dosage"] = json!([{"text": dose}]);
    }
    if let Some(note) = entered.value("note") {
        made["note"] = json!([{"text": note}]);
    }
    made
}

/// A further version of a resource: what was entered now, and everything else as it was.
pub(super) fn changed(own: &Own, kind: &Kind, entered: &Entered, there: &str) -> Option<Value> {
    let mut all: Map<String, Value> = serde_json::from_str(there).ok()?;
    let made = match kind.shape {
        Shape::Document => {
            let mut made = Map::new();
            made.insert("description".to_owned(), json!(entered.value("words").unwrap_or_default()));
            made.retain(|_, v| v != "");
            made
        }
        _ => match resources(own, kind, entered).into_iter().next()? {
            Value::Object(made) => made,
            _ => return None,
        },
    };
    for gone in ["note", "component", "dosage", "description"] {
        if gone != "component" || kind.type_name() == "Observation" {
            all.shift_remove(gone);
        }
    }
    for (name, value) in made {
        all.insert(name, value);
    }
    Some(Value::Object(all))
}

/// The fields' values of a resource, as a form has them.
pub(super) fn values(kind: &Kind, node: NodeRef<'_>) -> Vec<(&'static str, String)> {
    let text = |path: &str| node.text_at(path).map(String::from).unwrap_or_default();
    let component = |wanted: &str| {
        node.all("component").find(|c| c.text_at("code.coding.code").as_deref() == Some(wanted))
    };
    let chosen = |of: &[&str]| {
        let codes = node.all("component").filter_map(|c| c.text_at("value.coding.code")).map(String::from);
        codes.into_iter().find(|c| of.contains(&c.as_str())).unwrap_or_default()
    };
    let number = |wanted: &str| {
        component(wanted).and_then(|c| c.text_at("value.value")).map(String::from).unwrap_or_default()
    };
    let note = ("note", text("note.text"));
    match kind.shape {
        Shape::Pressure => {
            vec![("high1", number("8480-6")), ("low1", number("8462-4")), ("part", chosen(PARTS)), note]
        }
        Shape::Measure { .. } => vec![("value", text("value.value")), ("meal", chosen(MEALS)), note],
        Shape::Said { .. } => {
            let codes: Vec<&str> = SEVERITY.iter().map(|(_, code, _)| *code).collect();
            let code = chosen(&codes);
            let severity = SEVERITY.iter().find(|(_, c, _)| *c == code).map_or("", |(key, ..)| key);
            vec![("words", text("value")), ("severity", severity.to_owned())]
        }
        Shape::Chosen { .. } => vec![("mood", text("value.coding.code")), note],
        Shape::Medicine => {
            let code = text("category.coding.code");
            let origin = ORIGIN.iter().find(|(_, c)| *c == code).map_or("", |(key, _)| key);
            vec![
                ("name", text("medication.text")),
                ("origin", origin.to_owned()),
                ("dose", text("dosage.text")),
                note,
            ]
        }
        Shape::Document => vec![("words", text("description"))],
    }
}

/// The values of a resource in words, for who compares them.
pub(super) fn told(words: Words, kind: &Kind, node: NodeRef<'_>) -> Vec<(String, String)> {
    let values = values(kind, node);
    let told = |field: &super::kind::Field| {
        let (_, value) = values.iter().find(|(name, v)| *name == field.name && !v.is_empty())?;
        let value = words.say_code("me-option", value).unwrap_or_else(|| value.clone());
        Some((super::view::label(words, kind, field), value))
    };
    kind.fields.iter().filter_map(told).collect()
}
