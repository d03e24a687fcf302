//! Against a pregnancy.

use super::{Outcome, systemic};
use crate::facts::{Area, Facts, Medication};
use crate::report::{Finding, Gap, Kind, Named, Severity};
use crate::rules::Rules;

pub(super) fn check(rules: &Rules, facts: &Facts, order: &Medication) -> Outcome {
    let is_pregnant = facts.is_pregnant();
    if is_pregnant == Some(false) || (is_pregnant.is_none() && facts.cannot_be_pregnant()) {
        return Outcome { is_not_applicable: true, ..Outcome::default() };
    }
    let mut outcome = Outcome::default();
    if is_pregnant.is_none() {
        let is_unknown = facts.sex.is_none() || !facts.has_seen(Area::Person);
        outcome.gap(if is_unknown { Gap::SexNotKnown } else { Gap::PregnancyNotKnown });
    }
    for ingredient in systemic(order, &mut outcome) {
        let about: Vec<_> = rules.pregnancy.iter().filter(|rule| ingredient.is.meets(&rule.a)).collect();
        if about.is_empty() {
            outcome.gap(Gap::NoRule(ingredient.name.clone()));
            continue;
        }
        if is_pregnant.is_none() {
            continue;
        }
        outcome.looked = true;
        let week = facts.week();
        let met = about.into_iter().filter(|rule| week.is_none_or(|week| week >= rule.row.from_week));
        let Some(rule) = met.max_by_key(|rule| rule.row.severity) else { continue };
        let depends = rule.row.from_week > 0.0;
        let is_open = depends && week.is_none();
        let from = Named::written(&format!("{:.0}", rule.row.from_week));
        outcome.findings.push(Finding {
            rule: rule.row.id.clone(),
            version: rule.row.version,
            kind: Kind::Pregnancy,
            severity: if is_open { rule.row.severity.min(Severity::Caution) } else { rule.row.severity },
            medicine: ingredient.name.clone(),
            against: None,
            source: rules.source(&rule.row.source, &ingredient.name),
            message: if depends { "pregnancy-week" } else { "pregnancy" },
            effect: Some(rule.row.effect.clone()),
            advice: rule.row.advice.clone(),
            arguments: depends.then_some(("week", from)).into_iter().collect(),
        });
    }
    outcome
}
