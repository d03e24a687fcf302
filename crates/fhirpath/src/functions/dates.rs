//! The present (N1, section 5.9.2–5.9.4). The clock is the context's; an expression has one `now()`.

use fhir::date_time::format_instant;

use super::Call;
use crate::error::Error;
use crate::evaluate::Scope;
use crate::value::{Collection, Value};

fn now_text(scope: &Scope<'_, '_>) -> Result<String, Error> {
    let now = scope.context().now.ok_or_else(|| {
        Error::new("there is no clock here: now(), today() and timeOfDay() are not allowed")
    })?;
    Ok(format_instant(now))
}

pub(super) fn now<'a>(scope: &Scope<'a, '_>, _: Call<'_, 'a>) -> Result<Collection<'a>, Error> {
    Ok(Value::date_time(&now_text(scope)?).map(Into::into).into_iter().collect())
}

pub(super) fn today<'a>(scope: &Scope<'a, '_>, _: Call<'_, 'a>) -> Result<Collection<'a>, Error> {
    let text = now_text(scope)?;
    Ok(text.get(..10).and_then(Value::date).map(Into::into).into_iter().collect())
}

pub(super) fn time_of_day<'a>(scope: &Scope<'a, '_>, _: Call<'_, 'a>) -> Result<Collection<'a>, Error> {
    let text = now_text(scope)?;
    Ok(text.get(11..23).and_then(Value::time).map(Into::into).into_iter().collect())
}
