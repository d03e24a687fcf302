//! Against what is taken already: the same ingredient, or one of a group of which one is enough.

use super::{Outcome, against, others};
use crate::facts::{Facts, Medication};
use crate::medicines::Ingredient;
use crate::report::{Finding, Kind, Named};
use crate::rows::DuplicateRow;
use crate::rules::{Ready, Rules};

pub(super) fn check(rules: &Rules, facts: &Facts, order: &Medication) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(others) = others(facts, order, &mut outcome) else { return outcome };
    outcome.looked = true;
    for other in others {
        let pairs = order.ingredients.iter().flat_map(|a| other.ingredients.iter().map(move |b| (a, b)));
        let met = pairs.filter_map(|(a, b)| Some((a, b, find(rules, a, b)?)));
        let Some((ingredient, taken, rule)) = met.max_by_key(|(_, _, rule)| rule.row.severity) else {
            continue;
        };
        let is_same = rule.row.class.is_empty();
        let class = rules.medicines.subject(&rule.row.class).map(|s| rules.medicines.name_of(s));
        outcome.findings.push(Finding {
            rule: rule.row.id.clone(),
            version: rule.row.version,
            kind: Kind::Duplicate,
            severity: rule.row.severity,
            medicine: ingredient.name.clone(),
            against: Some(against(other, taken.name.clone())),
            source: rules.source(&rule.row.source, &ingredient.name),
            message: if is_same { "duplicate-same" } else { "duplicate-class" },
            effect: None,
            advice: "advice-one-of-them".to_owned(),
            arguments: class.map(|class: Named| ("class", class)).into_iter().collect(),
        });
    }
    outcome
}

/// What is put on the skin does not double what is taken.
fn find<'r>(rules: &'r Rules, a: &Ingredient, b: &Ingredient) -> Option<&'r Ready<DuplicateRow>> {
    if a.is_local != b.is_local {
        return None;
    }
    let is_same = a.medicine.is_some() && a.medicine == b.medicine;
    rules.duplicates.iter().find(|rule| match rule.row.class.is_empty() {
        true => is_same,
        false => !is_same && !a.is_local && a.is.meets(&rule.a) && b.is.meets(&rule.a),
    })
}
