//! Subsetting (N1, section 5.3).

use super::Call;
use super::existence::distinct_items;
use crate::compare::contains_equal;
use crate::error::Error;
use crate::evaluate::{Scope, singleton};
use crate::value::Collection;

type Outcome<'a> = Result<Collection<'a>, Error>;

pub(super) fn single<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(singleton(&call.input, "single()")?.cloned().into_iter().collect())
}

pub(super) fn first<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(call.input.into_iter().take(1).collect())
}

pub(super) fn last<'a>(_: &Scope<'a, '_>, mut call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(call.input.pop().into_iter().collect())
}

pub(super) fn tail<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(call.input.into_iter().skip(1).collect())
}

/// The number an argument gives; negative ones are zero.
fn number(scope: &Scope<'_, '_>, call: &Call<'_, '_>, name: &str) -> Result<usize, Error> {
    let number = scope.integer(&call.arguments[0], name)?;
    Ok(number.map_or(0, |n| usize::try_from(n).unwrap_or(0)))
}

pub(super) fn skip<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let count = number(scope, &call, "skip()")?;
    Ok(call.input.into_iter().skip(count).collect())
}

pub(super) fn take<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let count = number(scope, &call, "take()")?;
    Ok(call.input.into_iter().take(count).collect())
}

pub(super) fn intersect<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let other = scope.evaluate(&call.arguments[0])?;
    scope.spend(call.input.len() * other.len())?;
    let kept = call.input.into_iter().filter(|item| contains_equal(&other, item)).collect();
    distinct_items(scope, kept)
}

pub(super) fn exclude<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let other = scope.evaluate(&call.arguments[0])?;
    scope.spend(call.input.len() * other.len())?;
    Ok(call.input.into_iter().filter(|item| !contains_equal(&other, item)).collect())
}
