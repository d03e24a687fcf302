//! Against recorded allergies and intolerances: the ingredient itself, and groups that cross-react.

use super::Outcome;
use crate::facts::{Allergy, Area, Facts, Medication};
use crate::medicines::Ingredient;
use crate::report::{Against, Finding, Gap, Kind, Named, Severity};
use crate::rows::{AllergyRow, Reaction};
use crate::rules::{Ready, Rules};

pub(super) fn check(rules: &Rules, facts: &Facts, order: &Medication) -> Outcome {
    if !facts.has_seen(Area::Allergies) {
        return Outcome::not_checked(Gap::AllergiesNotSeen);
    }
    if facts.allergies.is_empty() && !facts.says_none {
        return Outcome::not_checked(Gap::NoAllergyRecorded);
    }
    let mut outcome = Outcome { looked: true, ..Outcome::default() };
    for allergy in &facts.allergies {
        if allergy.to.is_empty() && allergy.may_be_medicine {
            outcome.gap(Gap::AllergyNotRecognised(allergy.written.clone()));
        }
        // One finding for one allergy: the weightiest.
        let of_all = order.ingredients.iter().filter_map(|ingredient| find(rules, allergy, ingredient));
        outcome.findings.extend(of_all.max_by_key(|finding| finding.severity));
    }
    outcome
}

fn find(rules: &Rules, allergy: &Allergy, ingredient: &Ingredient) -> Option<Finding> {
    let met = rules.allergies.iter().filter_map(|rule| {
        let (_, name) = allergy.to.iter().find(|(is, _)| {
            if rule.row.to.is_empty() {
                ingredient.medicine.is_some_and(|medicine| is.has(medicine))
            } else {
                is.meets(&rule.b) && ingredient.is.meets(&rule.a)
            }
        })?;
        let is_after = match rule.row.after {
            None => true,
            Some(Reaction::Asthma) => allergy.asthma,
            Some(Reaction::Angioedema) => allergy.angioedema,
        };
        is_after.then(|| (rule, name, severity(rule, allergy)))
    });
    // Of rules that weigh the same, the one about the very ingredient speaks.
    let (rule, name, severity) = met.max_by_key(|(rule, _, severity)| (*severity, rule.row.to.is_empty()))?;
    Some(finding(rules, rule, allergy, ingredient, name, severity))
}

/// After a severe reaction a cross-reaction weighs more.
fn severity(rule: &Ready<AllergyRow>, allergy: &Allergy) -> Severity {
    match rule.row.severity {
        Severity::Caution if allergy.is_severe => Severity::Serious,
        severity => severity,
    }
}

fn finding(
    rules: &Rules,
    rule: &Ready<AllergyRow>,
    allergy: &Allergy,
    ingredient: &Ingredient,
    name: &Named,
    severity: Severity,
) -> Finding {
    let reference = allergy.reference.clone();
    Finding {
        rule: rule.row.id.clone(),
        version: rule.row.version,
        kind: Kind::Allergy,
        severity,
        medicine: ingredient.name.clone(),
        against: Some(Against { reference, name: name.clone(), written: allergy.written.clone() }),
        source: rules.source(&rule.row.source, &ingredient.name),
        message: if rule.row.to.is_empty() { "allergy-same" } else { "allergy-related" },
        effect: None,
        advice: rule.row.advice.clone(),
        arguments: Vec::new(),
    }
}
