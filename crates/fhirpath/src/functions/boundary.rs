//! The least and the greatest value a value may stand for, given how precisely it is written
//! (<https://hl7.org/fhirpath/#boundary-functions>).

use fhir::DateTime;
use fhir::date_time::{Precision, days_in_month};
use rust_decimal::{Decimal, RoundingStrategy};

use super::Call;
use crate::error::Error;
use crate::evaluate::{Scope, singleton};
use crate::value::{Collection, Quantity, Time, Value};

type Outcome<'a> = Result<Collection<'a>, Error>;

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Low,
    High,
}

pub(super) fn low<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    boundary(scope, &call, Side::Low, "lowBoundary()")
}

pub(super) fn high<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    boundary(scope, &call, Side::High, "highBoundary()")
}

fn boundary<'a>(scope: &Scope<'a, '_>, call: &Call<'_, 'a>, side: Side, name: &str) -> Outcome<'a> {
    let Some(item) = singleton(&call.input, name)? else { return Ok(Vec::new()) };
    let precision = match call.arguments.first() {
        Some(argument) => match scope.integer(argument, name)? {
            Some(precision) => Some(precision),
            None => return Ok(Vec::new()),
        },
        None => None,
    };
    let value = item.value().ok_or_else(|| Error::new(format!("{name} needs a number, a date or a time")))?;
    let found = match value.as_ref() {
        Value::Integer(i) => decimal(Decimal::from(*i), precision, side).map(Value::Decimal),
        Value::Decimal(d) => decimal(*d, precision, side).map(Value::Decimal),
        Value::Quantity(q) => {
            decimal(q.value, precision, side).map(|value| Value::Quantity(Quantity { value, ..q.clone() }))
        }
        Value::Date(date, _) => moment(date, precision.unwrap_or(8), side).and_then(|t| Value::date(&t)),
        Value::DateTime(date, text) => {
            date_time(date, text, precision.unwrap_or(17), side).and_then(|t| Value::date_time(&t))
        }
        Value::Time(time, text) => {
            clock_of(*time, text, precision.unwrap_or(9), side).and_then(|t| Value::time(&t))
        }
        _ => return Err(Error::new(format!("{name} needs a number, a date or a time"))),
    };
    Ok(found.map(Into::into).into_iter().collect())
}

/// Half a unit of the last digit away, to so many digits (8 where none are asked for).
fn decimal(value: Decimal, precision: Option<i64>, side: Side) -> Option<Decimal> {
    let digits = u32::try_from(precision.unwrap_or(8)).ok().filter(|d| *d <= 28)?;
    let half = Decimal::try_new(5, value.scale() + 1).ok()?;
    let (exact, strategy) = match side {
        Side::Low => (value.checked_sub(half)?, RoundingStrategy::ToNegativeInfinity),
        Side::High => (value.checked_add(half)?, RoundingStrategy::ToPositiveInfinity),
    };
    let mut rounded = exact.round_dp_with_strategy(digits, strategy);
    rounded.rescale(digits);
    Some(rounded)
}

/// A date to so many digits: 4, 6 or 8.
fn moment(date: &DateTime, digits: i64, side: Side) -> Option<String> {
    let (year, month, day) = date.date();
    let precision = date.precision();
    let month = if precision >= Precision::Month {
        month
    } else if side == Side::Low {
        1
    } else {
        12
    };
    let last = if side == Side::Low { 1 } else { days_in_month(year, month) };
    let day = if precision >= Precision::Day { day } else { last };
    match digits {
        4 => Some(format!("{year:04}")),
        6 => Some(format!("{year:04}-{month:02}")),
        8 => Some(format!("{year:04}-{month:02}-{day:02}")),
        _ => None,
    }
}

/// A date and time to so many digits. Where no zone is written, it may be the first or the last that begins a day.
fn date_time(date: &DateTime, text: &str, digits: i64, side: Side) -> Option<String> {
    if digits <= 8 {
        return moment(date, digits, side);
    }
    let day = moment(date, 8, side)?;
    let (hour, minute, second, micros) = date.time();
    let precision = date.precision();
    // `T08` is read as `T08:00`; how far the text goes tells the two apart.
    let written = text.split_once('T').map_or("", |(_, clock)| clock);
    let written = written.split(['Z', '+', '-']).next().unwrap_or_default();
    let time = Time {
        hour,
        minute: (written.len() > 2).then_some(minute),
        second_millis: (precision >= Precision::Second)
            .then(|| u32::from(second) * 1000 + micros / 1000)
            .filter(|_| written.len() > 5),
    };
    let clock = if written.is_empty() {
        whole_day(digits - 8, side)
    } else {
        clock_of(time, written, digits - 8, side)
    }?;
    let zone = match (date.offset_minutes(), side) {
        (Some(0), _) if text.ends_with('Z') => "Z".to_owned(),
        (Some(minutes), _) => {
            let sign = if minutes < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
        }
        (None, Side::Low) => "+14:00".to_owned(),
        (None, Side::High) => "-12:00".to_owned(),
    };
    Some(format!("{day}T{clock}{zone}"))
}

fn whole_day(digits: i64, side: Side) -> Option<String> {
    let hour = if side == Side::Low { 0 } else { 23 };
    clock(Time { hour, minute: None, second_millis: None }, digits, side)
}

/// The same of a time as written: a whole second lasts until its end.
fn clock_of(time: Time, written: &str, digits: i64, side: Side) -> Option<String> {
    let is_whole_second = written.len() == 8;
    match (is_whole_second, side, time.second_millis) {
        (true, Side::High, Some(millis)) => {
            clock(Time { second_millis: Some(millis - millis % 1000 + 999), ..time }, digits, side)
        }
        _ => clock(time, digits, side),
    }
}

/// A time of day to so many digits: 2, 4, 6 or 9.
fn clock(time: Time, digits: i64, side: Side) -> Option<String> {
    let is_low = side == Side::Low;
    let minute = time.minute.unwrap_or(if is_low { 0 } else { 59 });
    let millis = time.second_millis.unwrap_or(if is_low { 0 } else { 59_999 });
    let hour = time.hour;
    let (second, millis) = (millis / 1000, millis % 1000);
    match digits {
        2 => Some(format!("{hour:02}:00")),
        4 => Some(format!("{hour:02}:{minute:02}")),
        6 => Some(format!("{hour:02}:{minute:02}:{second:02}")),
        9 => Some(format!("{hour:02}:{minute:02}:{second:02}.{millis:03}")),
        _ => None,
    }
}
