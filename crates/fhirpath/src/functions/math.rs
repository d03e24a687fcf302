//! Mathematics (N1, section 5.7). What has no answer (a root of −1, a power too large) is empty.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, MathematicalOps, RoundingStrategy};

use super::Call;
use super::conversion::integer_value;
use crate::error::Error;
use crate::evaluate::{Scope, singleton};
use crate::value::{Collection, Quantity, Value};

type Outcome<'a> = Result<Collection<'a>, Error>;

/// The number the call is applied to; `None` for an empty input.
fn input(call: &Call<'_, '_>, name: &str) -> Result<Option<Value>, Error> {
    let Some(item) = singleton(&call.input, name)? else { return Ok(None) };
    match item.value().map(std::borrow::Cow::into_owned) {
        Some(value @ (Value::Integer(_) | Value::Decimal(_) | Value::Quantity(_))) => Ok(Some(value)),
        _ => Err(Error::new(format!("{name} needs a number"))),
    }
}

fn decimal(value: &Value, name: &str) -> Result<Decimal, Error> {
    match value {
        Value::Integer(i) => Ok(Decimal::from(*i)),
        Value::Decimal(d) => Ok(*d),
        _ => Err(Error::new(format!("{name} needs a number without a unit"))),
    }
}

fn one(value: Option<Value>) -> Collection<'static> {
    value.map(Into::into).into_iter().collect()
}

/// Applies `how` to the input as a decimal.
fn with_decimal<'a>(
    call: &Call<'_, 'a>,
    name: &str,
    how: impl FnOnce(Decimal) -> Option<Value>,
) -> Outcome<'a> {
    match input(call, name)? {
        None => Ok(Vec::new()),
        Some(value) => Ok(one(how(decimal(&value, name)?))),
    }
}

pub(super) fn abs<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(match input(&call, "abs()")? {
        Some(Value::Integer(i)) => one(i.checked_abs().map(Value::Integer)),
        Some(Value::Decimal(d)) => one(Some(Value::Decimal(d.abs()))),
        Some(Value::Quantity(q)) => one(Some(Value::Quantity(Quantity { value: q.value.abs(), ..q }))),
        _ => Vec::new(),
    })
}

pub(super) fn ceiling<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_decimal(&call, "ceiling()", |d| integer_value(d.ceil()))
}

pub(super) fn floor<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_decimal(&call, "floor()", |d| integer_value(d.floor()))
}

pub(super) fn truncate<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_decimal(&call, "truncate()", |d| integer_value(d.trunc()))
}

pub(super) fn exp<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_decimal(&call, "exp()", |d| d.checked_exp().map(Value::Decimal))
}

pub(super) fn ln<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_decimal(&call, "ln()", |d| d.checked_ln().map(Value::Decimal))
}

pub(super) fn sqrt<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_decimal(&call, "sqrt()", |d| d.sqrt().map(Value::Decimal))
}

/// The number an argument gives.
fn argument(scope: &Scope<'_, '_>, call: &Call<'_, '_>, name: &str) -> Result<Option<Value>, Error> {
    let found = scope.evaluate(&call.arguments[0])?;
    Ok(singleton(&found, name)?.and_then(|i| i.value().map(std::borrow::Cow::into_owned)))
}

pub(super) fn log<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let Some(base) = argument(scope, &call, "log()")? else { return Ok(Vec::new()) };
    let base = decimal(&base, "log()")?;
    with_decimal(&call, "log()", |d| {
        let quotient = d.checked_ln()?.checked_div(base.checked_ln()?)?;
        Some(Value::Decimal(quotient.round_dp(16).normalize()))
    })
}

pub(super) fn power<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let (Some(base), Some(exponent)) = (input(&call, "power()")?, argument(scope, &call, "power()")?) else {
        return Ok(Vec::new());
    };
    if let (Value::Integer(base), Value::Integer(exponent)) = (&base, &exponent)
        && let Ok(exponent) = u32::try_from(*exponent)
    {
        return Ok(one(base.checked_pow(exponent).map(Value::Integer)));
    }
    let (base, exponent) = (decimal(&base, "power()")?, decimal(&exponent, "power()")?);
    if base.is_sign_negative() && !exponent.fract().is_zero() {
        return Ok(Vec::new());
    }
    Ok(one(base.checked_powd(exponent).map(Value::Decimal)))
}

pub(super) fn round<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let digits = match call.arguments.first() {
        Some(precision) => scope.integer(precision, "round()")?.unwrap_or(0),
        None => 0,
    };
    let digits =
        u32::try_from(digits).map_err(|_| Error::new("the precision of round() must not be negative"))?;
    with_decimal(&call, "round()", |d| {
        let rounded = d.round_dp_with_strategy(digits.min(28), RoundingStrategy::MidpointAwayFromZero);
        Some(if call.arguments.is_empty() {
            rounded.to_i64().map_or(Value::Decimal(rounded), Value::Integer)
        } else {
            Value::Decimal(rounded)
        })
    })
}
