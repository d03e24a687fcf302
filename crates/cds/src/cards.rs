//! Cards: one for a finding, and one that says what was not checked.

use std::collections::BTreeSet;

use safety::{Finding, Language, Medication, Report, Severity, State};
use serde_json::{Value, json};

/// A summary is no longer (CDS Hooks 2.0: fewer than 140 characters).
const SUMMARY: usize = 139;
/// Cards of one answer.
const MOST: usize = 50;
/// The table of reasons why a card is passed over.
const REASONS: &str = "urn:yojigen:safety:override-reason";
const REASON_CODES: [&str; 5] = ["benefit", "tolerated", "monitored", "wrong-record", "short"];

/// A card, and what the ledger is told of it.
#[derive(Debug)]
pub struct Card {
    /// The card as it is answered.
    pub json: Value,
    uuid: String,
    rule: Option<(String, u32)>,
}

impl Card {
    /// What the ledger is told: which rule spoke on which card.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let (rule, version) = self.rule.as_ref()?;
        Some(format!("&card={}:{rule}@{version}", self.uuid))
    }
}

fn indicator(severity: Severity) -> &'static str {
    match severity {
        Severity::Contraindicated => "critical",
        Severity::Serious | Severity::Caution => "warning",
        Severity::Info => "info",
    }
}

pub(crate) fn shortened(text: &str) -> String {
    if text.chars().count() <= SUMMARY {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(SUMMARY - 1).collect();
    short.push('…');
    short
}

/// Text of the record in Markdown: as it stands, never as markup.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.push(' ');
        } else {
            if "\\`*_{}[]<>()#+-.!|&~".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

fn uuid() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn of_finding(order: &Medication, finding: &Finding, language: Language) -> Card {
    let said = language.say_finding(finding);
    let id = uuid();
    let severity = language.say_severity(finding.severity);
    let version =
        language.say("cds-rule", &[("rule", &finding.rule), ("version", &finding.version.to_string())]);
    let detail = format!(
        "**{}**\n\n{}\n\n{}\n\n[{}]({}) {}",
        plain(&severity),
        plain(&said.reason),
        plain(&said.advice),
        plain(&said.source),
        finding.source.url,
        plain(&version)
    );
    let reasons: Vec<Value> = REASON_CODES
        .iter()
        .map(|code| {
            let display = language.say(&format!("cds-override-{code}"), &[]);
            json!({"code": code, "system": REASONS, "display": display})
        })
        .collect();
    let mut card = json!({
        "uuid": id,
        "summary": shortened(&said.summary),
        "indicator": indicator(finding.severity),
        "detail": detail,
        "source": {
            "label": said.source,
            "url": finding.source.url,
            "topic": {
                "system": "urn:yojigen:safety:rule",
                "code": finding.rule,
                "display": language.say_kind(finding.kind),
            },
        },
        "overrideReasons": reasons,
    });
    if let (Some(reference), Value::Object(card)) = (&order.reference, &mut card) {
        let label = language.say("cds-leave-out", &[]);
        let action = json!({"type": "delete", "description": label, "resourceId": reference});
        card.insert("suggestions".to_owned(), json!([{"label": label, "uuid": uuid(), "actions": [action]}]));
        card.insert("selectionBehavior".to_owned(), json!("at-most-one"));
    }
    Card { json: card, uuid: id, rule: Some((finding.rule.clone(), finding.version)) }
}

/// What was not checked, as one card; none if all was.
fn left_out(reports: &[(Medication, Report)], language: Language) -> Option<Card> {
    let mut lines = Vec::new();
    let mut kinds = BTreeSet::new();
    for (order, report) in reports {
        for check in &report.coverage {
            let is_open = check.state == State::NotChecked || !check.gaps.is_empty();
            if !is_open || check.state == State::NotApplicable {
                continue;
            }
            if check.state == State::NotChecked {
                kinds.insert(check.kind);
            }
            let gaps: Vec<String> =
                check.gaps.iter().take(10).map(|gap| plain(&language.say_gap(gap))).collect();
            lines.push(format!(
                "- {} / {}: {}. {}",
                plain(&order.written),
                plain(&language.say_kind(check.kind)),
                plain(&language.say_state(check.state)),
                gaps.join("; ")
            ));
        }
    }
    if lines.is_empty() {
        return None;
    }
    let names: Vec<String> = kinds.into_iter().map(|kind| language.say_kind(kind)).collect();
    let summary = if names.is_empty() {
        language.say("cds-partly-checked", &[])
    } else {
        language.say("cds-not-checked", &[("kinds", &names.join(&language.say("cds-and", &[])))])
    };
    let id = uuid();
    let json = json!({
        "uuid": id,
        "summary": shortened(&summary),
        "indicator": "info",
        "detail": lines.into_iter().take(200).collect::<Vec<_>>().join("\n"),
        "source": {"label": language.say("cds-title", &[])},
    });
    Some(Card { json, uuid: id, rule: None })
}

/// The cards of what was found, the weightiest first, and of what was not checked. Two medicines that meet are told once.
#[must_use]
pub fn cards(reports: &[(Medication, Report)], language: Language) -> Vec<Card> {
    let mut told = BTreeSet::new();
    let mut findings: Vec<(&Medication, &Finding)> = Vec::new();
    for (order, report) in reports {
        for finding in &report.findings {
            let other = finding.against.as_ref().and_then(|a| a.reference.clone());
            let mut pair =
                [order.reference.clone().unwrap_or_else(|| order.written.clone()), other.unwrap_or_default()];
            pair.sort();
            if told.insert((finding.rule.clone(), pair)) {
                findings.push((order, finding));
            }
        }
    }
    findings.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.severity));
    let found = findings.into_iter().take(MOST).map(|(order, finding)| of_finding(order, finding, language));
    found.chain(left_out(reports, language)).collect()
}
