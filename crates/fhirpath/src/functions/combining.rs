//! Combining (N1, section 5.4).

use super::Call;
use super::existence::distinct_items;
use crate::error::Error;
use crate::evaluate::Scope;
use crate::value::Collection;

pub(super) fn union<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Result<Collection<'a>, Error> {
    let other = scope.evaluate(&call.arguments[0])?;
    distinct_items(scope, call.input.into_iter().chain(other).collect())
}

pub(super) fn combine<'a>(scope: &Scope<'a, '_>, mut call: Call<'_, 'a>) -> Result<Collection<'a>, Error> {
    let other = scope.evaluate(&call.arguments[0])?;
    scope.spend(call.input.len() + other.len())?;
    call.input.extend(other);
    Ok(call.input)
}
