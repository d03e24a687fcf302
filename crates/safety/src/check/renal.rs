//! Against the kidneys' function.

use super::dose::daily;
use super::{Outcome, systemic};
use crate::facts::{Facts, Medication};
use crate::report::{Finding, Gap, Kind, Named};
use crate::rows::Measure;
use crate::rules::Rules;

pub(super) fn check(rules: &Rules, facts: &Facts, order: &Medication) -> Outcome {
    let mut outcome = Outcome::default();
    let kidneys = facts.kidneys();
    for ingredient in systemic(order, &mut outcome) {
        let Some(rule) = rules.renal.iter().find(|rule| ingredient.is.meets(&rule.a)) else {
            outcome.gap(Gap::NoRule(ingredient.name.clone()));
            continue;
        };
        let Some(kidneys) = kidneys else {
            outcome.gap(Gap::NoKidneyFunction);
            continue;
        };
        let clearance = kidneys.clearance.filter(|_| rule.row.measure == Measure::Crcl);
        let Some(value) = clearance.or(kidneys.egfr) else {
            outcome.gap(Gap::NoKidneyFunction);
            continue;
        };
        outcome.looked = true;
        if rule.row.measure == Measure::Crcl && clearance.is_none() {
            outcome.gap(Gap::ClearanceNotKnown);
        }
        let steps = rule.row.steps.iter().filter(|step| value < step.below);
        let Some(step) = steps.min_by(|a, b| a.below.total_cmp(&b.below)) else { continue };
        if let Some(limit) = step.daily
            && daily(order, ingredient).is_some_and(|amount| amount <= limit * 1.001)
        {
            continue;
        }
        let measure = if clearance.is_some() { "CrCl" } else { "eGFR" };
        let (year, month, day) = fhir::date_time::civil_from_days(kidneys.day);
        let mut arguments = vec![
            ("measure", Named::written(measure)),
            ("value", Named::written(&format!("{value:.0}"))),
            ("limit", Named::written(&format!("{:.0}", step.below))),
            ("day", Named::written(&format!("{year:04}-{month:02}-{day:02}"))),
        ];
        arguments.extend(step.daily.map(|most| ("most", super::dose::milligrams(most))));
        outcome.findings.push(Finding {
            rule: rule.row.id.clone(),
            version: rule.row.version,
            kind: Kind::Renal,
            severity: step.severity,
            medicine: ingredient.name.clone(),
            against: None,
            source: rules.source(&rule.row.source, &ingredient.name),
            message: "renal",
            effect: None,
            advice: step.advice.clone(),
            arguments,
        });
    }
    outcome
}
