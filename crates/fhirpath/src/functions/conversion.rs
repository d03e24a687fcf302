//! Conversion (N1, section 5.5).

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::Call;
use crate::error::Error;
use crate::evaluate::{Scope, boolean, singleton, singleton_boolean};
use crate::parser::calendar_unit;
use crate::value::{Collection, Quantity, Value, parse_decimal};

type Outcome<'a> = Result<Collection<'a>, Error>;

pub(super) fn iif<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let item = singleton(&call.input, "iif()")?.cloned();
    let inner = item.as_ref().map_or_else(|| scope.again(), |item| scope.each(item, 0));
    let criterion = singleton_boolean(&inner.evaluate(&call.arguments[0])?, "the criterion of iif()")?;
    match (criterion, call.arguments.get(2)) {
        (Some(true), _) => inner.evaluate(&call.arguments[1]),
        (_, Some(otherwise)) => inner.evaluate(otherwise),
        (_, None) => Ok(Vec::new()),
    }
}

type Convert = fn(&Value) -> Option<Value>;

fn convert<'a>(call: &Call<'_, 'a>, name: &str, how: Convert) -> Outcome<'a> {
    let item = singleton(&call.input, name)?;
    Ok(item.and_then(|i| i.value()).and_then(|v| how(&v)).map(Into::into).into_iter().collect())
}

fn converts<'a>(call: &Call<'_, 'a>, name: &str, how: Convert) -> Outcome<'a> {
    let item = singleton(&call.input, name)?;
    Ok(item.map_or_else(Vec::new, |i| boolean(i.value().and_then(|v| how(&v)).is_some())))
}

macro_rules! conversions {
    ($($to:ident $converts:ident $name:literal $how:path;)*) => {
        $(
            pub(super) fn $to<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
                convert(&call, concat!("to", $name, "()"), $how)
            }

            pub(super) fn $converts<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
                converts(&call, concat!("convertsTo", $name, "()"), $how)
            }
        )*
    };
}

conversions! {
    to_boolean converts_to_boolean "Boolean" boolean_of;
    to_integer converts_to_integer "Integer" integer_of;
    to_decimal converts_to_decimal "Decimal" decimal_of;
    to_text converts_to_text "String" text_of;
    to_date converts_to_date "Date" date_of;
    to_date_time converts_to_date_time "DateTime" date_time_of;
    to_time converts_to_time "Time" time_of;
}

fn boolean_of(value: &Value) -> Option<Value> {
    let truth = match value {
        Value::Boolean(b) => *b,
        Value::Integer(0) => false,
        Value::Integer(1) => true,
        Value::Decimal(d) if d.is_zero() => false,
        Value::Decimal(d) if *d == Decimal::ONE => true,
        Value::String(text) => match text.to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => true,
            "false" | "f" | "no" | "n" | "0" | "0.0" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(Value::Boolean(truth))
}

fn integer_of(value: &Value) -> Option<Value> {
    match value {
        Value::Integer(i) => Some(Value::Integer(*i)),
        Value::Boolean(b) => Some(Value::Integer(i64::from(*b))),
        Value::String(text) => {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten().map(Value::Integer)
        }
        _ => None,
    }
}

fn decimal_of(value: &Value) -> Option<Value> {
    match value {
        Value::Integer(i) => Some(Value::Decimal(Decimal::from(*i))),
        Value::Decimal(d) => Some(Value::Decimal(*d)),
        Value::Boolean(b) => Some(Value::Decimal(Decimal::from(u8::from(*b)))),
        Value::String(text) => {
            let is_number = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
            let is_closed = !text.ends_with('.') && !text.starts_with('.');
            (is_number && is_closed).then(|| parse_decimal(text)).flatten().map(Value::Decimal)
        }
        _ => None,
    }
}

fn text_of(value: &Value) -> Option<Value> {
    (!matches!(value, Value::Type(..))).then(|| Value::String(value.to_text().into()))
}

fn date_of(value: &Value) -> Option<Value> {
    match value {
        Value::Date(..) => Some(value.clone()),
        Value::DateTime(_, text) => Value::date(text.get(..10).unwrap_or(text)),
        Value::String(text) => {
            Value::date(text).or_else(|| Value::date_time(text).and_then(|_| Value::date(text.get(..10)?)))
        }
        _ => None,
    }
}

fn date_time_of(value: &Value) -> Option<Value> {
    match value {
        Value::DateTime(..) => Some(value.clone()),
        Value::Date(_, text) | Value::String(text) => Value::date_time(text),
        _ => None,
    }
}

fn time_of(value: &Value) -> Option<Value> {
    match value {
        Value::Time(..) => Some(value.clone()),
        Value::String(text) => Value::time(text.strip_prefix('T').unwrap_or(text)),
        _ => None,
    }
}

fn quantity_of(value: &Value) -> Option<Value> {
    let plain =
        |value: Decimal| Value::Quantity(Quantity { value, unit: "1".to_owned(), is_calendar: false });
    match value {
        Value::Quantity(_) => Some(value.clone()),
        Value::Integer(i) => Some(plain(Decimal::from(*i))),
        Value::Decimal(d) => Some(plain(*d)),
        Value::Boolean(b) => Some(plain(Decimal::from(u8::from(*b)))),
        Value::String(text) => {
            let text = text.trim();
            let (number, unit) =
                text.split_once(char::is_whitespace).map_or((text, ""), |(n, u)| (n, u.trim()));
            let number = decimal_of(&Value::String(number.into()))?;
            let Value::Decimal(value) = number else { return None };
            if unit.is_empty() {
                return Some(plain(value));
            }
            if let Some(ucum) = unit.strip_prefix('\'').and_then(|u| u.strip_suffix('\'')) {
                return Some(Value::Quantity(Quantity { value, unit: ucum.to_owned(), is_calendar: false }));
            }
            let unit = calendar_unit(unit)?.to_owned();
            Some(Value::Quantity(Quantity { value, unit, is_calendar: true }))
        }
        _ => None,
    }
}

/// A value as a quantity, without conversion of text.
pub(crate) fn to_quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(_) | Value::Boolean(_) => None,
        other => match quantity_of(other)? {
            Value::Quantity(quantity) => Some(quantity),
            _ => None,
        },
    }
}

/// Keeps the outcome if its unit is the one asked for (units are not converted).
fn in_unit(scope: &Scope<'_, '_>, call: &Call<'_, '_>, value: Value) -> Result<Option<Value>, Error> {
    let Some(argument) = call.arguments.first() else { return Ok(Some(value)) };
    let wanted = scope.text(argument, "the unit of toQuantity()")?;
    let matches = match (&value, wanted) {
        (Value::Quantity(quantity), Some(unit)) => quantity.unit == calendar_unit(&unit).unwrap_or(&unit),
        _ => false,
    };
    Ok(matches.then_some(value))
}

/// Outer `None`: there is nothing to convert; inner: it does not convert.
#[allow(clippy::option_option)]
fn quantity_call(scope: &Scope<'_, '_>, call: &Call<'_, '_>) -> Result<Option<Option<Value>>, Error> {
    let Some(item) = singleton(&call.input, "toQuantity()")? else { return Ok(None) };
    let converted = item.value().and_then(|v| quantity_of(&v));
    match converted {
        Some(value) => Ok(Some(in_unit(scope, call, value)?)),
        None => Ok(Some(None)),
    }
}

pub(super) fn to_quantity_call<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(quantity_call(scope, &call)?.flatten().map(Into::into).into_iter().collect())
}

pub(super) fn converts_to_quantity<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(quantity_call(scope, &call)?.map_or_else(Vec::new, |found| boolean(found.is_some())))
}

/// A whole decimal as an integer value.
pub(super) fn integer_value(decimal: Decimal) -> Option<Value> {
    decimal.to_i64().map(Value::Integer)
}
