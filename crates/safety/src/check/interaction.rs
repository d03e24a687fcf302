//! Against what is taken already: interactions the hub knows.

use super::{Outcome, against, others, systemic};
use crate::facts::{Facts, Medication};
use crate::medicines::Ingredient;
use crate::report::{Finding, Gap, Kind};
use crate::rows::InteractionRow;
use crate::rules::{Ready, Rules};

pub(super) fn check(rules: &Rules, facts: &Facts, order: &Medication) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(others) = others(facts, order, &mut outcome) else { return outcome };
    for ingredient in systemic(order, &mut outcome) {
        let known = rules.interactions.iter();
        let known: Vec<_> =
            known.filter(|r| ingredient.is.meets(&r.a) || ingredient.is.meets(&r.b)).collect();
        if known.is_empty() {
            outcome.gap(Gap::NoRule(ingredient.name.clone()));
            continue;
        }
        outcome.looked = true;
        for other in &others {
            for taken in other.ingredients.iter().filter(|i| !i.is_local && !is_same(i, ingredient)) {
                // One finding for a pair and an effect: the weightiest.
                let met = known.iter().filter(|rule| {
                    (ingredient.is.meets(&rule.a) && taken.is.meets(&rule.b))
                        || (ingredient.is.meets(&rule.b) && taken.is.meets(&rule.a))
                });
                let mut chosen: Vec<&Ready<InteractionRow>> = Vec::new();
                for rule in met {
                    match chosen
                        .iter_mut()
                        .find(|c: &&mut &Ready<InteractionRow>| c.row.effect == rule.row.effect)
                    {
                        Some(known) if known.row.severity >= rule.row.severity => {}
                        Some(known) => *known = rule,
                        None => chosen.push(rule),
                    }
                }
                outcome.findings.extend(chosen.into_iter().map(|rule| Finding {
                    rule: rule.row.id.clone(),
                    version: rule.row.version,
                    kind: Kind::Interaction,
                    severity: rule.row.severity,
                    medicine: ingredient.name.clone(),
                    against: Some(against(other, taken.name.clone())),
                    source: rules.source(&rule.row.source, &ingredient.name),
                    message: "interaction",
                    effect: Some(rule.row.effect.clone()),
                    advice: rule.row.advice.clone(),
                    arguments: Vec::new(),
                }));
            }
        }
    }
    outcome
}

fn is_same(a: &Ingredient, b: &Ingredient) -> bool {
    a.medicine.is_some() && a.medicine == b.medicine
}
