//! An order beside the facts: one kind of check, one file.

mod allergy;
mod dose;
mod duplicate;
mod interaction;
mod pregnancy;
mod renal;

use crate::facts::{Area, Facts, Medication};
use crate::medicines::Ingredient;
use crate::report::{Against, Check, Finding, Gap, Kind, Named, Report, State};
use crate::rules::Rules;

/// What a check has come to so far.
#[derive(Default)]
struct Outcome {
    findings: Vec<Finding>,
    gaps: Vec<Gap>,
    /// Whether anything was looked at.
    looked: bool,
    is_not_applicable: bool,
}

impl Outcome {
    fn gap(&mut self, gap: Gap) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    fn not_checked(gap: Gap) -> Outcome {
        Outcome { gaps: vec![gap], ..Outcome::default() }
    }

    fn state(&self) -> State {
        match self {
            Outcome { findings, .. } if !findings.is_empty() => State::Found,
            Outcome { is_not_applicable: true, .. } => State::NotApplicable,
            Outcome { looked: true, .. } => State::NothingFound,
            Outcome { .. } => State::NotChecked,
        }
    }
}

/// See [`Rules::check`].
pub(crate) fn check(rules: &Rules, facts: &Facts, order: &Medication) -> Report {
    let mut findings = Vec::new();
    let mut coverage = Vec::new();
    for kind in Kind::ALL {
        let mut outcome = if order.ingredients.is_empty() {
            Outcome::not_checked(Gap::OrderNotRecognised(order.written.clone()))
        } else {
            match kind {
                Kind::Allergy => allergy::check(rules, facts, order),
                Kind::Duplicate => duplicate::check(rules, facts, order),
                Kind::Interaction => interaction::check(rules, facts, order),
                Kind::Renal => renal::check(rules, facts, order),
                Kind::Pregnancy => pregnancy::check(rules, facts, order),
                Kind::Dose => dose::check(rules, facts, order),
            }
        };
        coverage.push(Check { kind, state: outcome.state(), gaps: std::mem::take(&mut outcome.gaps) });
        findings.append(&mut outcome.findings);
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Report { findings, coverage }
}

/// The medicines taken beside an order: not itself, and not what it goes on from. What of them was not recognised is a gap.
fn others<'f>(facts: &'f Facts, order: &'f Medication, outcome: &mut Outcome) -> Option<Vec<&'f Medication>> {
    if !facts.has_seen(Area::Medications) {
        outcome.gap(Gap::MedicinesNotSeen);
        return None;
    }
    if facts.has_missed(Area::Medications) {
        outcome.gap(Gap::MedicinesNotSeen);
    }
    let is_order = |m: &Medication| {
        m.reference.as_ref().is_some_and(|r| order.reference.as_ref() == Some(r) || order.prior.contains(r))
    };
    let others: Vec<&Medication> = facts.medications.iter().filter(|m| !is_order(m)).collect();
    for unknown in others.iter().filter(|m| m.ingredients.is_empty()) {
        outcome.gap(Gap::MedicineNotRecognised(unknown.written.clone()));
    }
    Some(others)
}

/// Ingredients that act in the whole body; the others are gaps.
fn systemic<'o>(order: &'o Medication, outcome: &mut Outcome) -> Vec<&'o Ingredient> {
    for local in order.ingredients.iter().filter(|i| i.is_local) {
        outcome.gap(Gap::LocalUse(local.name.clone()));
    }
    order.ingredients.iter().filter(|i| !i.is_local).collect()
}

fn against(medication: &Medication, name: Named) -> Against {
    Against { reference: medication.reference.clone(), name, written: medication.written.clone() }
}
