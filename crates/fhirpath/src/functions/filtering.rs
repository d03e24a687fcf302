//! Filtering and projection (N1, section 5.2), and the types (section 6.3).

use super::Call;
use crate::compare::contains_equal;
use crate::error::Error;
use crate::evaluate::{Scope, boolean, singleton, singleton_boolean};
use crate::value::Collection;

type Outcome<'a> = Result<Collection<'a>, Error>;

pub(super) fn where_<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let mut kept = Vec::new();
    for (index, item) in call.input.into_iter().enumerate() {
        let outcome = scope.each(&item, index).evaluate(&call.arguments[0])?;
        if singleton_boolean(&outcome, "the criteria of where()")? == Some(true) {
            kept.push(item);
        }
    }
    Ok(kept)
}

pub(super) fn select<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let mut found = Vec::new();
    for (index, item) in call.input.iter().enumerate() {
        found.extend(scope.each(item, index).evaluate(&call.arguments[0])?);
        scope.spend(1)?;
    }
    Ok(found)
}

pub(super) fn repeat<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let mut found: Collection<'a> = Vec::new();
    let mut pending = call.input;
    while !pending.is_empty() {
        let mut next = Vec::new();
        for (index, item) in pending.iter().enumerate() {
            for outcome in scope.each(item, index).evaluate(&call.arguments[0])? {
                scope.spend(found.len() + 1)?;
                if !contains_equal(&found, &outcome) {
                    found.push(outcome.clone());
                    next.push(outcome);
                }
            }
        }
        pending = next;
    }
    Ok(found)
}

pub(super) fn of_type<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let Some(specifier) = call.specifier else { return Ok(Vec::new()) };
    Ok(call.input.into_iter().filter(|item| item.is(specifier)).collect())
}

pub(super) fn is<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let item = singleton(&call.input, "is()")?;
    let specifier = call.specifier;
    Ok(item.map_or_else(Vec::new, |item| boolean(specifier.is_some_and(|s| item.is(s)))))
}
