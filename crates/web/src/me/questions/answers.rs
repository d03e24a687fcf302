//! What was answered: from a form, from a QuestionnaireResponse, and as one.
//!
//! An answer has a place: for each item on the way its number among its siblings and which time it is asked. Places, not
//! link ids, are the names of a form's fields, since a link id may be any text.

use std::collections::BTreeMap;

use fhir::{DateTime, Resource};
use search::Zone;
use serde_json::{Value, json};

use super::Questionnaire;
use super::item::{Choice, Item, called};
use crate::form::Form;
use crate::me::moment::{for_field, now, of_field};
use crate::me::own::Own;

/// Item number and time, from the outside in.
pub(super) type Place = Vec<(usize, usize)>;

/// The name of a form's field.
pub(super) fn name(place: &Place) -> String {
    let parts: Vec<String> = place.iter().map(|(item, time)| format!("{item}_{time}")).collect();
    format!("q{}", parts.join("."))
}

fn place(name: &str) -> Option<Place> {
    let part = |part: &str| {
        let (item, time) = part.split_once('_')?;
        Some((item.parse().ok()?, time.parse().ok().filter(|t| *t < 20)?))
    };
    name.strip_prefix('q')?.split('.').map(part).collect()
}

/// One answer: as it was typed, and as FHIR has it (`{"valueInteger": 3}`), if it reads.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) value: Option<Value>,
}

/// Answers by their places. Of an item that may be answered several times by choosing, all are at one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answers {
    pub(super) given: BTreeMap<Place, Vec<Given>>,
}

/// The item at a place.
pub(super) fn item_at<'i>(items: &'i [Item], place: &Place) -> Option<&'i Item> {
    let mut found: Option<&Item> = None;
    for (at, _) in place {
        found = found.map_or(items, |item| &item.items).get(*at);
        found?;
    }
    found
}

/// What was typed as an answer of an item's type.
pub(super) fn typed(item: &Item, text: &str, zone: &Zone) -> Option<Value> {
    let text = text.trim();
    let number = |text: &str| {
        let plain: String = text.replace(',', ".");
        plain.parse::<f64>().ok().filter(|n| n.is_finite())?;
        serde_json::from_str::<Value>(&plain).ok().filter(Value::is_number)
    };
    Some(match item.kind.as_str() {
        "boolean" => {
            json!({"valueBoolean": match text { "true" => true, "false" => false, _ => return None }})
        }
        "integer" => json!({"valueInteger": text.parse::<i32>().ok()?}),
        "decimal" => json!({"valueDecimal": number(text)?}),
        "quantity" => {
            let mut quantity = json!({"value": number(text)?});
            if let Some(unit) = &item.unit {
                for (name, from) in [("unit", "display"), ("system", "system"), ("code", "code")] {
                    if let Some(known) = unit[from].as_str() {
                        quantity[name] = json!(known);
                    }
                }
            }
            json!({"valueQuantity": quantity})
        }
        "date" => {
            let read = DateTime::parse(text).filter(|d| !d.has_time());
            read.map(|_| json!({"valueDate": text}))?
        }
        "dateTime" => {
            // A form's field has no zone; an answer that came from elsewhere has its own.
            match DateTime::parse(text) {
                Some(moment) if !moment.has_time() || moment.offset_minutes().is_some() => {
                    json!({"valueDateTime": text})
                }
                _ => json!({"valueDateTime": of_field(text, zone)?.0}),
            }
        }
        "time" => {
            let full = if text.len() == 5 { format!("{text}:00") } else { text.to_owned() };
            fhirpath::Value::time(&full)?;
            json!({"valueTime": full})
        }
        "string" | "text" => json!({"valueString": text}),
        "url" => json!({"valueUri": text}),
        "choice" | "open-choice" => match text.strip_prefix('#').and_then(|n| n.parse::<usize>().ok()) {
            Some(at) => item.options.get(at)?.value.clone(),
            None if item.kind == "open-choice" => json!({"valueString": text}),
            None => return None,
        },
        _ => return None,
    })
}

/// How an answer stands in a form's field.
fn untyped(item: &Item, value: &Value, zone: &Zone) -> String {
    let same = |choice: &&Choice| match (&choice.value["valueCoding"], &value["valueCoding"]) {
        (Value::Object(a), Value::Object(b)) => {
            a.get("code") == b.get("code") && a.get("system") == b.get("system")
        }
        _ => choice.value == *value,
    };
    if matches!(item.kind.as_str(), "choice" | "open-choice")
        && let Some(at) = item.options.iter().position(|c| same(&c))
    {
        return format!("#{at}");
    }
    let text = called(value);
    match DateTime::parse(&text).filter(|d| item.kind == "dateTime" && d.has_time()) {
        Some(moment) => for_field(moment.interval(zone).0, zone),
        None => text,
    }
}

impl Answers {
    fn put(&mut self, item: &Item, place: Place, text: &str, zone: &Zone) {
        let text = text.trim();
        if !text.is_empty() {
            let given = Given { text: text.chars().take(8000).collect(), value: typed(item, text, zone) };
            self.given.entry(place).or_default().push(given);
        }
    }

    /// What a form says.
    pub(super) fn of_form(items: &[Item], form: &Form, zone: &Zone) -> Answers {
        let mut answers = Answers::default();
        for (field, text) in &form.fields {
            let plain = field.trim_end_matches("~other");
            let Some(place) = place(plain) else { continue };
            if let Some(item) = item_at(items, &place).filter(|i| !i.is_read_only) {
                answers.put(item, place, text, zone);
            }
        }
        answers
    }

    /// What a questionnaire begins with.
    pub(super) fn initial(items: &[Item], zone: &Zone) -> Answers {
        fn fill(answers: &mut Answers, items: &[Item], outer: &Place, zone: &Zone) {
            for (at, item) in items.iter().enumerate() {
                let mut place = outer.clone();
                place.push((at, 0));
                for value in &item.initial {
                    let given = Given { text: untyped(item, value, zone), value: Some(value.clone()) };
                    answers.given.entry(place.clone()).or_default().push(given);
                }
                fill(answers, &item.items, &place, zone);
            }
        }
        let mut answers = Answers::default();
        fill(&mut answers, items, &Vec::new(), zone);
        answers
    }

    /// What a QuestionnaireResponse says.
    pub(super) fn of_response(items: &[Item], response: &Resource, zone: &Zone) -> Answers {
        fn fill(answers: &mut Answers, items: &[Item], outer: &Place, all: &Value, zone: &Zone) {
            let mut times: BTreeMap<usize, usize> = BTreeMap::new();
            for said in all["item"].as_array().into_iter().flatten() {
                let Some(at) = items.iter().position(|i| said["linkId"] == i.link_id.as_str()) else {
                    continue;
                };
                let Some(item) = items.get(at) else { continue };
                let time = times.entry(at).or_default();
                let mut place = outer.clone();
                place.push((at, *time));
                if item.kind == "group" {
                    fill(answers, &item.items, &place, said, zone);
                    *time += 1;
                    continue;
                }
                for answer in said["answer"].as_array().into_iter().flatten() {
                    let Some(value) = super::item::value_of(answer, "value") else { continue };
                    let given = Given { text: untyped(item, &value, zone), value: Some(value) };
                    answers.given.entry(place.clone()).or_default().push(given);
                    fill(answers, &item.items, &place, answer, zone);
                    if item.repeats && item.options.is_empty() {
                        *time += 1;
                        place = outer.clone();
                        place.push((at, *time));
                    }
                }
            }
        }
        let mut answers = Answers::default();
        let json: Value = serde_json::from_str(response.text()).unwrap_or_default();
        fill(&mut answers, items, &Vec::new(), &json, zone);
        answers
    }

    /// How many times an item is answered under an outer place.
    pub(super) fn times(&self, outer: &Place, at: usize) -> usize {
        let depth = outer.len();
        let is_under =
            |place: &&Place| place.starts_with(outer) && place.get(depth).is_some_and(|(i, _)| *i == at);
        let last = self.given.keys().filter(is_under).filter_map(|p| p.get(depth)).map(|(_, time)| time + 1);
        last.max().unwrap_or(0)
    }

    /// The answers to a question that matter to an item: those in the same times of the groups they share.
    pub(super) fn seen_from(&self, items: &[Item], question: &str, from: &Place) -> Vec<&Given> {
        let is_near = |place: &Place| {
            let mut both = place.iter().zip(from);
            both.by_ref().take_while(|(a, b)| a.0 == b.0).all(|(a, b)| a.1 == b.1)
        };
        let matching = self.given.iter().filter(|(place, _)| {
            item_at(items, place).is_some_and(|i| i.link_id == question) && is_near(place)
        });
        matching.flat_map(|(_, given)| given).collect()
    }
}

/// The items of a response, as far as they are asked and answered.
fn said(items: &[Item], answers: &Answers, outer: &Place, all: &[Item]) -> Vec<Value> {
    let mut out = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let times = answers.times(outer, at).max(1);
        let mut values = Vec::new();
        for time in 0..times {
            let mut place = outer.clone();
            place.push((at, time));
            if !super::enable::is_enabled(all, item, &place, answers) {
                continue;
            }
            let inner = said(&item.items, answers, &place, all);
            if item.kind == "group" {
                if !inner.is_empty() {
                    out.push(json!({"linkId": item.link_id, "text": item.text, "item": inner}));
                }
                continue;
            }
            for given in answers.given.get(&place).into_iter().flatten() {
                let Some(mut value) = given.value.clone() else { continue };
                if !inner.is_empty() {
                    value["item"] = json!(inner);
                }
                values.push(value);
            }
        }
        if !values.is_empty() {
            out.push(json!({"linkId": item.link_id, "text": item.text, "answer": values}));
        }
    }
    for item in &mut out {
        if item["text"] == "" {
            item.as_object_mut().map(|all| all.shift_remove("text"));
        }
    }
    out
}

/// The answers as a QuestionnaireResponse.
pub(super) fn response(own: &Own, asked: &Questionnaire, answers: &Answers, status: &str) -> Value {
    let at = of_field(&for_field(now(), &own.zone), &own.zone).map(|(at, _)| at).unwrap_or_default();
    let mut made = json!({
        "resourceType": "QuestionnaireResponse",
        "questionnaire": asked.canonical,
        "status": status,
        "subject": own.subject(),
        "authored": at,
        "author": {"reference": own.author().unwrap_or_default()},
        "source": {"reference": own.reference()},
    });
    let items = said(&asked.items, answers, &Vec::new(), &asked.items);
    if !items.is_empty() {
        made["item"] = json!(items);
    }
    made
}
