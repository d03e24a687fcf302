//! What a person wants to reach, and what they want to be reminded of: FHIR Goals.
//!
//! A reminder is a Goal of the category `reminder`, with a day it is due on and, if it comes again, a Timing in an extension.

use fhir::{NodeRef, Resource};
use serde_json::{Value, json};

use super::entry::kind::{LOINC, OWN};
use super::own::Own;
use crate::calendar::Day;

/// How often a reminder comes again.
pub(super) const REPEATS: &str = "https://yojigen.example/fhir/StructureDefinition/reminder";

/// A Goal, read.
#[derive(Debug)]
pub(super) struct Goal {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) title: String,
    pub(super) is_reminder: bool,
    pub(super) is_active: bool,
    pub(super) due: Option<Day>,
    pub(super) begun: Option<Day>,
    /// What is measured, its LOINC code.
    pub(super) measure: Option<String>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    pub(super) unit: String,
    /// Days between one time and the next.
    pub(super) every: Option<i64>,
}

impl Goal {
    /// Reads a Goal.
    pub(super) fn read(own: &Own, resource: &Resource) -> Goal {
        let node = resource.root();
        let text = |path: &str| node.text_at(path).map(String::from);
        let number = |path: &str| node.text_at(path).and_then(|v| v.parse::<f64>().ok());
        let day = |path: &str| node.text_at(path).and_then(|t| Day::read(&t, &own.zone));
        let categories = node.all("category").flat_map(|c| c.all("coding")).filter_map(|c| c.text_at("code"));
        let extension = node.all("extension").find(|e| e.text_at("url").as_deref() == Some(REPEATS));
        let every = extension.and_then(|e| e.path("value.repeat")).and_then(every);
        let status = text("lifecycleStatus").unwrap_or_default();
        Goal {
            id: text("id").unwrap_or_default(),
            version: text("meta.versionId").unwrap_or_default(),
            title: crate::concept::name_at(node, "description", own.words)
                .unwrap_or_else(|| own.words.say("unnamed")),
            is_reminder: categories.into_iter().any(|c| c == "reminder"),
            is_active: matches!(status.as_str(), "active" | "accepted" | "planned" | "proposed"),
            due: day("target.due"),
            begun: day("start"),
            measure: text("target.measure.coding.code"),
            low: number("target.detail.low.value"),
            high: number("target.detail.high.value").or_else(|| number("target.detail.value")),
            unit: text("target.detail.high.unit")
                .or_else(|| text("target.detail.low.unit"))
                .unwrap_or_default(),
            every,
        }
    }
}

fn every(repeat: NodeRef<'_>) -> Option<i64> {
    let period: i64 = repeat.text_at("period")?.parse().ok()?;
    let days = match repeat.text_at("periodUnit").as_deref() {
        Some("wk") => 7,
        Some("mo") => 30,
        Some("d") => 1,
        _ => return None,
    };
    (1..=400).contains(&period).then_some(period * days)
}

/// A new Goal with its target.
pub(super) fn goal(
    own: &Own,
    title: &str,
    measure: (&str, &str, &str, &str),
    range: (Option<f64>, Option<f64>),
    due: Option<&str>,
) -> Value {
    let (code, display, unit, ucum) = measure;
    let quantity = |value: f64| json!({"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": ucum});
    let mut detail = json!({});
    if let Some(low) = range.0 {
        detail["low"] = quantity(low);
    }
    if let Some(high) = range.1 {
        detail["high"] = quantity(high);
    }
    let mut target = json!({"measure": {"coding": [{"system": LOINC, "code": code, "display": display}]},
        "detailRange": detail});
    if let Some(due) = due {
        target["dueDate"] = json!(due);
    }
    json!({
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "category": [{"coding": [{"system": OWN, "code": "self-care"}]}],
        "description": {"text": title},
        "subject": own.subject(),
        "startDate": own.on.iso(),
        "target": [target],
        "expressedBy": {"reference": own.author().unwrap_or_default()},
    })
}

/// A new reminder.
pub(super) fn reminder(own: &Own, title: &str, due: &str, every: Option<(i64, &str)>) -> Value {
    let mut made = json!({
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "category": [{"coding": [{"system": OWN, "code": "reminder"}]}],
        "description": {"text": title},
        "subject": own.subject(),
        "startDate": own.on.iso(),
        "target": [{"dueDate": due}],
        "expressedBy": {"reference": own.author().unwrap_or_default()},
    });
    if let Some((period, unit)) = every {
        let repeat = json!({"frequency": 1, "period": period, "periodUnit": unit});
        made["extension"] = json!([{"url": REPEATS, "valueTiming": {"repeat": repeat}}]);
    }
    made
}
