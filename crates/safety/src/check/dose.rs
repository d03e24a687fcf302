//! Amounts: at once, in a day, in a week; and ages for which a medicine is not.

use super::{Outcome, systemic};
use crate::facts::{Facts, Medication};
use crate::medicines::Ingredient;
use crate::report::{Finding, Gap, Kind, Named};
use crate::rows::DoseRow;
use crate::rules::{Ready, Rules};

/// Adults, for amounts (成人 of labels).
const ADULT: i64 = 15;

/// Milligrams of one ingredient in a day, if every line says it; `None` also of what is taken when needed.
pub(super) fn daily(order: &Medication, ingredient: &Ingredient) -> Option<f64> {
    if order.dosages.is_empty() {
        return None;
    }
    order.dosages.iter().try_fold(0.0, |sum, line| {
        let stated = line.daily.and_then(|amount| amount.milligrams(ingredient.strength));
        let counted = || Some(line.single?.milligrams(ingredient.strength)? * line.per_day?);
        Some(sum + stated.or_else(counted)?)
    })
}

/// Milligrams at once: the most of any line.
fn single(order: &Medication, ingredient: &Ingredient) -> Option<f64> {
    let amounts = order.dosages.iter().filter_map(|line| line.single?.milligrams(ingredient.strength));
    amounts.max_by(f64::total_cmp)
}

/// An amount as people read it.
pub(super) fn milligrams(amount: f64) -> Named {
    let micrograms = amount * 1000.0;
    Named::written(&match amount {
        _ if amount >= 10_000.0 => format!("{} g", rounded(amount / 1000.0)),
        _ if amount < 0.1 => format!("{} µg", rounded(micrograms)),
        _ => format!("{} mg", rounded(amount)),
    })
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

pub(super) fn check(rules: &Rules, facts: &Facts, order: &Medication) -> Outcome {
    let mut outcome = Outcome::default();
    let age = facts.age();
    for ingredient in systemic(order, &mut outcome) {
        let about: Vec<_> = rules.doses.iter().filter(|rule| ingredient.is.meets(&rule.a)).collect();
        if about.is_empty() {
            outcome.gap(Gap::NoRule(ingredient.name.clone()));
        }
        for rule in about {
            of_age(rules, rule, ingredient, age, &mut outcome);
            if rule.row.single.or(rule.row.daily).or(rule.row.weekly).is_none() {
                continue;
            }
            if age.is_some_and(|age| age < ADULT) {
                outcome.gap(Gap::NoRuleForChildren(ingredient.name.clone()));
            } else if ingredient.is_injected {
                outcome.gap(Gap::NoRule(ingredient.name.clone()));
            } else {
                of_amounts(rules, rule, order, ingredient, &mut outcome);
            }
        }
    }
    if age.is_none() && outcome.looked {
        outcome.gap(Gap::AgeNotKnown);
    }
    outcome
}

fn of_age(
    rules: &Rules,
    rule: &Ready<DoseRow>,
    ingredient: &Ingredient,
    age: Option<i64>,
    outcome: &mut Outcome,
) {
    let Some(from) = rule.row.not_below else { return };
    let Some(age) = age else { return outcome.gap(Gap::AgeNotKnown) };
    outcome.looked = true;
    if age < from {
        let arguments =
            vec![("age", Named::written(&age.to_string())), ("from", Named::written(&from.to_string()))];
        outcome.findings.push(finding(
            rules,
            rule,
            ingredient,
            "dose-age",
            "advice-other-for-age",
            arguments,
        ));
    }
}

fn of_amounts(
    rules: &Rules,
    rule: &Ready<DoseRow>,
    order: &Medication,
    ingredient: &Ingredient,
    outcome: &mut Outcome,
) {
    let (at_once, in_day) = (single(order, ingredient), daily(order, ingredient));
    if at_once.is_none() && in_day.is_none() {
        return outcome.gap(Gap::DoseNotReadable(ingredient.name.clone()));
    }
    let needs_day = rule.row.daily.or(rule.row.weekly).is_some();
    let is_when_needed = order.dosages.iter().any(|line| line.as_needed);
    if needs_day && in_day.is_none() {
        outcome.gap(Gap::FrequencyNotReadable(ingredient.name.clone()));
        if rule.row.single.is_none() {
            // What is too much for a day is too much at once.
            outcome.looked |= at_once.is_some();
        }
    }
    outcome.looked |= rule.row.single.is_some() || in_day.is_some();
    let limits = [
        ("dose-single", at_once, rule.row.single.or(rule.row.daily).or(rule.row.weekly)),
        ("dose-daily", in_day.filter(|_| !is_when_needed), rule.row.daily),
        ("dose-weekly", in_day.map(|amount| amount * 7.0), rule.row.weekly),
    ];
    for (message, amount, limit) in limits {
        let (Some(amount), Some(limit)) = (amount, limit) else { continue };
        if amount > limit * 1.001 {
            let arguments = vec![("amount", milligrams(amount)), ("most", milligrams(limit))];
            outcome.findings.push(finding(
                rules,
                rule,
                ingredient,
                message,
                "advice-check-amount",
                arguments,
            ));
            return;
        }
    }
}

fn finding(
    rules: &Rules,
    rule: &Ready<DoseRow>,
    ingredient: &Ingredient,
    message: &'static str,
    advice: &str,
    arguments: Vec<(&'static str, Named)>,
) -> Finding {
    Finding {
        rule: rule.row.id.clone(),
        version: rule.row.version,
        kind: Kind::Dose,
        severity: rule.row.severity,
        medicine: ingredient.name.clone(),
        against: None,
        source: rules.source(&rule.row.source, &ingredient.name),
        message,
        effect: None,
        advice: advice.to_owned(),
        arguments,
    }
}
