//! The orders of a call, or what a person takes, each beside the rest.

use safety::{Facts, Medication, Report, Rules};

use crate::facts::Known;
use crate::request::Call;

/// Orders that are looked at in one call.
const MOST_ORDERS: usize = 100;

/// What is said of each order, or when a chart is opened, of each medicine that is taken.
#[must_use]
pub fn reports(known: &Known, call: &Call) -> Vec<(Medication, Report)> {
    if call.is_view() { of_taken(&known.facts) } else { of_orders(known, &call.selected) }
}

/// What is said of each medicine that is taken.
#[must_use]
pub fn of_taken(facts: &Facts) -> Vec<(Medication, Report)> {
    let taken = facts.taken().iter().take(MOST_ORDERS).enumerate();
    taken.map(|(at, one)| (one.clone(), Rules::shipped().check(&facts.without(at), one))).collect()
}

/// What is said of orders; of those that were selected, if any were. What is ordered with one counts as taken.
#[must_use]
pub fn of_orders(known: &Known, selected: &[String]) -> Vec<(Medication, Report)> {
    let orders: Vec<&Medication> = known.orders.iter().take(MOST_ORDERS).collect();
    let is_asked = |order: &Medication| {
        selected.is_empty() || order.reference.as_ref().is_some_and(|reference| selected.contains(reference))
    };
    let asked = orders.iter().enumerate().filter(|(_, order)| is_asked(order));
    asked
        .map(|(at, order)| {
            let mut facts = known.facts.clone();
            let beside = orders.iter().enumerate().filter(|(other, _)| *other != at);
            beside.for_each(|(_, other)| facts.take((*other).clone()));
            ((*order).clone(), Rules::shipped().check(&facts, order))
        })
        .collect()
}
