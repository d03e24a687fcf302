//! What is to be looked at before a medicine is signed: found by the rules of `safety`, from this patient's record.

use cds::outside::Outside;
use cds::request::Call;
use fhir::{Limits, Resource};
use safety::{Facts, Language, Report, Rules, Severity, State};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::bedside::Bedside;
use crate::failure::Failure;
use crate::words::Words;

/// Why somebody goes on in spite of a finding.
pub(crate) const REASONS: [&str; 4] = ["benefit", "tolerated", "monitored", "told"];

/// Something that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) severity: &'static str,
    pub(crate) severity_word: String,
    pub(crate) summary: String,
    pub(crate) reason: String,
    pub(crate) advice: String,
    pub(crate) source: String,
    pub(crate) url: String,
    rule: String,
    references: Vec<String>,
}

/// What came of one kind of check.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) is_unchecked: bool,
    pub(crate) gaps: String,
}

/// What a service outside says.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    pub(crate) summary: String,
    pub(crate) detail: String,
    pub(crate) source: String,
    pub(crate) is_critical: bool,
}

/// What a check says, in words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) found: Vec<Found>,
    pub(crate) looked: Vec<Looked>,
    /// What services outside say.
    pub(crate) cards: Vec<Card>,
    /// Whether it has to be answered before it is signed.
    pub(crate) is_grave: bool,
}

impl Checked {
    /// What is said of one order more.
    pub(crate) fn join(&mut self, other: Checked) {
        for found in other.found {
            if !self.found.iter().any(|known| known.rule == found.rule && known.summary == found.summary) {
                self.found.push(found);
            }
        }
        for looked in other.looked {
            match self
                .looked
                .iter_mut()
                .find(|known| known.kind == looked.kind && known.state == looked.state)
            {
                Some(known) if known.gaps == looked.gaps => {}
                Some(known) => known.gaps = [known.gaps.as_str(), looked.gaps.as_str()].join(" "),
                None => self.looked.push(looked),
            }
        }
        self.is_grave |= other.is_grave;
    }
}

fn language(words: Words) -> Language {
    Language::of_tag(words.language.tag())
}

/// What the record says of a patient, as far as the clinician may see it.
pub(crate) fn facts(bedside: &Bedside) -> Result<Facts, Failure> {
    let (hub, access) = (&bedside.record.hub, &bedside.record.access);
    let known = cds::facts::of_person(hub, access, &bedside.id())?;
    Ok(known.unwrap_or_else(|| Facts::on(&bedside.present.iso())))
}

/// What services outside say, that the operator named.
pub(crate) fn ask(outside: &Outside, bedside: &Bedside, by: Option<&str>, order: &Value) -> Vec<Card> {
    let Some(resource) = read(order).filter(|_| !outside.is_empty()) else { return Vec::new() };
    let mut draft = order.clone();
    draft["id"] = json!("draft");
    let reference = format!("{}/draft", draft["resourceType"].as_str().unwrap_or_default());
    let mut context = Map::new();
    context.insert("userId".to_owned(), json!(by.unwrap_or("Practitioner/unknown")));
    context.insert("patientId".to_owned(), json!(bedside.id()));
    context.insert("selections".to_owned(), json!([reference]));
    let drafts = json!({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft}]});
    context.insert("draftOrders".to_owned(), drafts);
    let call = Call {
        hook: "order-select",
        instance: Uuid::now_v7().to_string(),
        patient: bedside.id(),
        user: by.map(str::to_owned),
        selected: vec![reference],
        orders: vec![resource],
        prefetch: Vec::new(),
        context,
    };
    let told = outside.ask(&bedside.record.hub, &bedside.record.access, &call);
    let text =
        |card: &Value, path: &str| card.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let card = |card: &Value| Card {
        summary: text(card, "/summary"),
        detail: text(card, "/detail"),
        source: text(card, "/source/label"),
        is_critical: text(card, "/indicator") == "critical",
    };
    cds::outside::cards(told, language(bedside.words)).iter().map(card).collect()
}

fn read(resource: &Value) -> Option<Resource> {
    fhir::json::parse(resource.to_string().as_bytes(), &Limits::default()).ok()
}

/// Checks an order that is not written yet.
pub(crate) fn check(facts: &Facts, order: &Value, words: Words) -> Checked {
    let rules = Rules::shipped();
    let order = read(order).and_then(|order| facts.order(&rules.medicines, order.root()));
    // What does not read was not checked, and that is said.
    order.map_or_else(|| unread(words), |order| told(&rules.check(facts, &order), words))
}

fn unread(words: Words) -> Checked {
    let language = language(words);
    let looked = safety::Kind::ALL.map(|kind| Looked {
        kind: language.say_kind(kind),
        state: language.say_state(State::NotChecked),
        is_unchecked: true,
        gaps: String::new(),
    });
    Checked { looked: looked.into(), ..Checked::default() }
}

fn told(report: &Report, words: Words) -> Checked {
    let language = language(words);
    let found = report.findings.iter().map(|finding| {
        let said = language.say_finding(finding);
        Found {
            severity: finding.severity.name(),
            severity_word: words.say(&format!("severity-{}", finding.severity.name())),
            summary: said.summary,
            reason: said.reason,
            advice: said.advice,
            source: said.source,
            url: finding.source.url.clone(),
            rule: format!("{} v{}", finding.rule, finding.version),
            references: finding.against.iter().filter_map(|a| a.reference.clone()).collect(),
        }
    });
    let looked = report.coverage.iter().map(|check| Looked {
        kind: language.say_kind(check.kind),
        state: language.say_state(check.state),
        is_unchecked: check.state == State::NotChecked,
        gaps: check.gaps.iter().map(|gap| language.say_gap(gap)).collect::<Vec<_>>().join(" "),
    });
    Checked {
        found: found.collect(),
        looked: looked.collect(),
        cards: Vec::new(),
        is_grave: report.findings.iter().any(|finding| finding.severity >= Severity::Serious),
    }
}

/// What was found and gone on from, as it is kept beside the order.
pub(crate) fn issues(
    checked: &Checked,
    patient: &str,
    order: &str,
    by: &Value,
    now: &str,
    why: &str,
) -> Vec<Value> {
    let grave = checked.found.iter().filter(|f| matches!(f.severity, "serious" | "contraindicated"));
    grave
        .map(|found| {
            let others = found.references.iter().map(|reference| json!({"reference": reference}));
            let implicated: Vec<Value> = [json!({"reference": order})].into_iter().chain(others).collect();
            json!({
                "resourceType": "DetectedIssue", "status": "final",
                "severity": if found.severity == "contraindicated" { "high" } else { "moderate" },
                "code": {"text": found.summary}, "patient": {"reference": patient}, "identifiedDateTime": now,
                "implicated": implicated, "detail": format!("{} {} [{}]", found.reason, found.advice, found.rule),
                "reference": found.url,
                "mitigation": [{"action": {"text": why}, "date": now, "author": by}],
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_on_from_is_kept_with_its_reason() {
        let found = |severity| Found {
            severity,
            severity_word: String::new(),
            summary: "s".to_owned(),
            reason: "r".to_owned(),
            advice: "a".to_owned(),
            source: String::new(),
            url: "https://example.org".to_owned(),
            rule: "x v1".to_owned(),
            references: vec!["AllergyIntolerance/1".to_owned()],
        };
        let checked =
            Checked { found: vec![found("serious"), found("caution")], is_grave: true, ..Checked::default() };
        let kept = issues(&checked, "Patient/p", "urn:uuid:1", &json!({"display": "D"}), "2026-11-30", "why");
        assert_eq!(kept.len(), 1, "a caution is shown, not kept");
        assert_eq!(kept[0]["mitigation"][0]["action"]["text"], "why");
        assert_eq!(kept[0]["implicated"][1]["reference"], "AllergyIntolerance/1");
    }
}
