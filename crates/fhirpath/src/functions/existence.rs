//! Existence (N1, section 5.1).

use super::Call;
use crate::compare::{contains_equal, equal_items};
use crate::error::Error;
use crate::evaluate::{Scope, boolean, singleton_boolean};
use crate::value::{Collection, Item, Value};

type Outcome<'a> = Result<Collection<'a>, Error>;

pub(super) fn empty<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(boolean(call.input.is_empty()))
}

pub(super) fn exists<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let Some(criteria) = call.arguments.first() else { return Ok(boolean(!call.input.is_empty())) };
    for (index, item) in call.input.iter().enumerate() {
        let outcome = scope.each(item, index).evaluate(criteria)?;
        if singleton_boolean(&outcome, "the criteria of exists()")? == Some(true) {
            return Ok(boolean(true));
        }
    }
    Ok(boolean(false))
}

pub(super) fn all<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    for (index, item) in call.input.iter().enumerate() {
        let outcome = scope.each(item, index).evaluate(&call.arguments[0])?;
        if singleton_boolean(&outcome, "the criteria of all()")? != Some(true) {
            return Ok(boolean(false));
        }
    }
    Ok(boolean(true))
}

/// Every item as a boolean.
fn booleans(call: &Call<'_, '_>, name: &str) -> Result<Vec<bool>, Error> {
    call.input
        .iter()
        .map(|item| match item.value().as_deref() {
            Some(Value::Boolean(value)) => Ok(*value),
            _ => Err(Error::new(format!("{name} needs booleans"))),
        })
        .collect()
}

pub(super) fn all_true<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(boolean(booleans(&call, "allTrue()")?.into_iter().all(|b| b)))
}

pub(super) fn any_true<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(boolean(booleans(&call, "anyTrue()")?.into_iter().any(|b| b)))
}

pub(super) fn all_false<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(boolean(booleans(&call, "allFalse()")?.into_iter().all(|b| !b)))
}

pub(super) fn any_false<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(boolean(booleans(&call, "anyFalse()")?.into_iter().any(|b| !b)))
}

fn is_subset(scope: &Scope<'_, '_>, small: &[Item<'_>], large: &[Item<'_>]) -> Result<bool, Error> {
    scope.spend(small.len() * large.len())?;
    Ok(small.iter().all(|item| contains_equal(large, item)))
}

pub(super) fn subset_of<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let other = scope.evaluate(&call.arguments[0])?;
    Ok(boolean(is_subset(scope, &call.input, &other)?))
}

pub(super) fn superset_of<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let other = scope.evaluate(&call.arguments[0])?;
    Ok(boolean(is_subset(scope, &other, &call.input)?))
}

pub(super) fn count<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(vec![Value::Integer(i64::try_from(call.input.len()).unwrap_or(i64::MAX)).into()])
}

pub(super) fn distinct<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    distinct_items(scope, call.input)
}

/// The items without repetition, first ones first.
pub(super) fn distinct_items<'a>(scope: &Scope<'a, '_>, items: Collection<'a>) -> Outcome<'a> {
    let mut found: Collection<'a> = Vec::with_capacity(items.len());
    for item in items {
        scope.spend(found.len())?;
        if !contains_equal(&found, &item) {
            found.push(item);
        }
    }
    Ok(found)
}

pub(super) fn is_distinct<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    for (at, item) in call.input.iter().enumerate() {
        scope.spend(at)?;
        if call.input[..at].iter().any(|earlier| equal_items(earlier, item) == Some(true)) {
            return Ok(boolean(false));
        }
    }
    Ok(boolean(true))
}

pub(super) fn not<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(singleton_boolean(&call.input, "not()")?.map_or_else(Vec::new, |b| boolean(!b)))
}
