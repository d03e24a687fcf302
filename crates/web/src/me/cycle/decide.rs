//! What was decided about something observed, whether it was done, and what changed since.

use fhir::{NodeRef, Resource};
use serde_json::{Value, json};

use crate::chart::observations::{Point, gather};
use crate::failure::Failure;
use crate::form::Form;
use crate::me::entry::kind::OWN;
use crate::me::moment::{for_field, now, of_field};
use crate::me::own::Own;
use crate::quantity::with_unit;
use crate::writing::Changes;

/// What may be decided.
pub(super) const CHOICES: &[&str] = &["watch", "self-care", "otc", "consult"];
const MOST: usize = 10;
const MOST_WORDS: usize = 500;

/// A decision and what became of it.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) reference: String,
    /// What it is about, with its value then.
    pub(super) about: String,
    pub(super) choice: String,
    pub(super) note: String,
    pub(super) when: String,
    /// When it was done; none if it was not yet.
    pub(super) did: Option<String>,
    /// How the value went since.
    pub(super) change: Option<String>,
    /// Where what was decided is done.
    pub(super) address: Option<String>,
}

fn made(own: &Own, code: &str, text: String, from: &str) -> Value {
    let at = of_field(&for_field(now(), &own.zone), &own.zone).map(|(at, _)| at).unwrap_or_default();
    json!({
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": OWN, "code": code}], "text": text},
        "subject": own.subject(),
        "effectiveDateTime": at,
        "performer": [{"reference": own.author().unwrap_or_default()}],
        "derivedFrom": [{"reference": from}],
    })
}

/// An observation of the person's that a form names.
fn named(own: &Own, reference: &str) -> Result<Option<Resource>, Failure> {
    let Some(id) = reference.strip_prefix("Observation/").filter(|id| fhir::primitive::is_id(id)) else {
        return Ok(None);
    };
    let found = own.record.read("Observation", id)?;
    Ok(found.filter(|r| r.root().text_at("subject.reference").as_deref() == Some(own.reference().as_str())))
}

/// Decides about something observed.
pub(super) fn decide(own: &Own, form: &Form) -> Result<Result<Changes, String>, Failure> {
    let from = form.field("about");
    let chosen = CHOICES.iter().find(|c| **c == form.field("choice"));
    let (Some(chosen), Some(_)) = (chosen, named(own, from)?) else {
        return Ok(Err(own.words.say("me-choose-one")));
    };
    let mut decision = made(own, "decision", own.words.say("me-decision"), from);
    let said = own.words.say_code("me-choice", chosen).unwrap_or_default();
    decision["valueCodeableConcept"] = json!({"coding": [{"system": OWN, "code": chosen}], "text": said});
    if let Some(note) = form.given("note") {
        decision["note"] = json!([{"text": note.chars().take(MOST_WORDS).collect::<String>()}]);
    }
    let mut changes = Changes::default();
    changes.create("", decision);
    Ok(Ok(changes))
}

/// Says that what was decided was done.
pub(super) fn did(own: &Own, form: &Form) -> Result<Result<Changes, String>, Failure> {
    let from = form.field("about");
    if named(own, from)?.is_none() {
        return Ok(Err(own.words.say("me-choose-one")));
    }
    let mut done = made(own, "done", own.words.say("me-done"), from);
    done["valueBoolean"] = json!(true);
    let mut changes = Changes::default();
    changes.create("", done);
    Ok(Ok(changes))
}

/// The value of an observation, and what decides with what it may be compared.
fn value(own: &Own, resource: &Resource) -> Option<(String, String, Point)> {
    let series = gather(std::slice::from_ref(resource), own.pen()).series.into_iter().next()?;
    let point = series.points.last()?.clone();
    Some((series.name, series.key, point))
}

fn written(point: &Point) -> String {
    let value = match &point.second {
        Some(second) => format!("{} / {}", point.value.short(), second.short()),
        None => point.value.short(),
    };
    with_unit(&value, &point.value.unit)
}

/// How the value went from what was observed to the newest of the same thing.
fn change(own: &Own, then: &Resource, decided: &str) -> Result<Option<String>, Failure> {
    let Some((_, key, before)) = value(own, then) else { return Ok(None) };
    let code = if key == "blood-pressure" { "85354-9" } else { key.as_str() };
    let since = format!("gt{decided}");
    let found = own.some("Observation", &[("code", code), ("date", &since), ("_sort", "-date")], 1)?;
    let Some((_, _, after)) = found.first().and_then(|r| value(own, r)) else { return Ok(None) };
    let values = [
        ("before", written(&before).into()),
        ("after", written(&after).into()),
        ("date", after.day.written(own.words).into()),
    ];
    Ok(Some(own.words.say_with("me-changed", &values)))
}

fn decision(own: &Own, node: NodeRef<'_>, done: &[Resource]) -> Result<Decision, Failure> {
    let reference = format!("Observation/{}", node.id().unwrap_or_default());
    let from = node.text_at("derivedFrom.reference").map(String::from).unwrap_or_default();
    let observed = named(own, &from)?;
    let about =
        observed.as_ref().and_then(|o| value(own, o)).map(|(name, _, p)| format!("{name} {}", written(&p)));
    let code = node.text_at("value.coding.code").map(String::from).unwrap_or_default();
    let at = node.text_at("effective").map(String::from).unwrap_or_default();
    let day = |text: &str| crate::calendar::Day::read(text, &own.zone).map(|d| d.written(own.words));
    let is_of =
        |r: &&Resource| r.root().text_at("derivedFrom.reference").as_deref() == Some(reference.as_str());
    let did = done.iter().find(is_of).and_then(|r| day(&r.root().text_at("effective")?));
    let change = match &observed {
        Some(observed) => change(own, observed, &at)?,
        None => None,
    };
    Ok(Decision {
        about: about.unwrap_or_default(),
        choice: own.words.say_code("me-choice", &code).unwrap_or_default(),
        note: node.text_at("note.text").map(String::from).unwrap_or_default(),
        when: day(&at).unwrap_or_default(),
        did,
        change,
        address: match code.as_str() {
            "otc" => Some(own.at("/add/medicine")),
            "self-care" => Some(own.at("/add/note")),
            _ => None,
        },
        reference,
    })
}

/// What was decided, newest first.
pub(super) fn decisions(own: &Own) -> Result<Vec<Decision>, Failure> {
    let of = |code: &str| {
        let token = format!("{OWN}|{code}");
        own.some("Observation", &[("code", &token), ("_sort", "-date")], MOST)
    };
    let (decided, done) = (of("decision")?, of("done")?);
    decided.iter().map(|r| decision(own, r.root(), &done)).collect()
}
