//! Moving dates and times by a duration (N1, section 6.6.7).

use fhir::DateTime;
use fhir::date_time::{Precision, civil_from_days, days_from_civil, days_in_month};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::error::Error;
use crate::value::{Quantity, Value};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// A duration as months or as milliseconds.
enum Duration {
    Months(i64),
    Millis(i64),
}

fn duration(quantity: &Quantity, sign: i64) -> Result<Option<Duration>, Error> {
    let times =
        |unit: i64| quantity.value.checked_mul(Decimal::from(unit * sign)).and_then(|v| v.trunc().to_i64());
    let whole = || quantity.value.trunc().to_i64().and_then(|v| v.checked_mul(sign));
    let months = |each: i64| whole().and_then(|v| v.checked_mul(each)).map(Duration::Months);
    let days = |each: i64| whole().and_then(|v| v.checked_mul(each * MILLIS_PER_DAY)).map(Duration::Millis);
    Ok(match (quantity.unit.as_str(), quantity.is_calendar) {
        ("year", true) => months(12),
        ("month", true) => months(1),
        ("week", true) | ("wk", false) => days(7),
        ("day", true) | ("d", false) => days(1),
        ("hour", true) | ("h", false) => times(3_600_000).map(Duration::Millis),
        ("minute", true) | ("min", false) => times(60_000).map(Duration::Millis),
        ("second", true) | ("s", false) => times(1000).map(Duration::Millis),
        ("millisecond", true) | ("ms", false) => times(1).map(Duration::Millis),
        (unit, _) => {
            return Err(Error::new(format!(
                "a date cannot be moved by '{unit}' (use a calendar unit, 1 year)"
            )));
        }
    })
}

/// `value` moved by `sign` times the quantity; `None` where the calendar ends.
pub(crate) fn moved(value: &Value, quantity: &Quantity, sign: i64) -> Result<Option<Value>, Error> {
    let Some(duration) = duration(quantity, sign)? else { return Ok(None) };
    match value {
        Value::Date(date, _) => Ok(move_date(date, &duration).and_then(|t| Value::date(&t))),
        Value::DateTime(date, text) => {
            Ok(move_date_time(date, text, &duration).and_then(|t| Value::date_time(&t)))
        }
        Value::Time(time, text) => {
            let Duration::Millis(millis) = duration else {
                return Err(Error::new("a time of day can only be moved by hours and less"));
            };
            let start = i64::from(time.hour) * 3_600_000
                + i64::from(time.minute.unwrap_or(0)) * 60_000
                + i64::from(time.second_millis.unwrap_or(0));
            let moved = (start + millis % MILLIS_PER_DAY).rem_euclid(MILLIS_PER_DAY);
            let whole = clock(moved);
            let length = if text.len() > 8 { 12 } else { text.len() };
            Ok(whole.get(..length).and_then(Value::time))
        }
        _ => Ok(None),
    }
}

/// `hh:mm:ss.fff`
fn clock(millis: i64) -> String {
    let seconds = millis / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, millis % 1000)
}

fn add_months(date: (u16, u8, u8), months: i64) -> Option<(i64, u8, u8)> {
    let total = (i64::from(date.0) * 12 + i64::from(date.1) - 1).checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u8 + 1);
    let last = days_in_month(u16::try_from(year).ok().filter(|y| (1..=9999).contains(y))?, month);
    Some((year, month, date.2.min(last)))
}

fn date_text(year: i64, month: u8, day: u8, precision: Precision) -> Option<String> {
    if !(1..=9999).contains(&year) {
        return None;
    }
    Some(match precision {
        Precision::Year => format!("{year:04}"),
        Precision::Month => format!("{year:04}-{month:02}"),
        _ => format!("{year:04}-{month:02}-{day:02}"),
    })
}

/// Days on a partial date count as whole months and years (30 and 365 of them).
fn move_date(date: &DateTime, duration: &Duration) -> Option<String> {
    let (year, month, day) = date.date();
    let (year, month, day) = match (duration, date.precision()) {
        (Duration::Months(months), Precision::Year) => (i64::from(year) + months / 12, month, day),
        (Duration::Months(months), _) => add_months((year, month, day), *months)?,
        (Duration::Millis(millis), Precision::Year) => {
            (i64::from(year) + millis / MILLIS_PER_DAY / 365, month, day)
        }
        (Duration::Millis(millis), Precision::Month) => {
            add_months((year, month, day), millis / MILLIS_PER_DAY / 30)?
        }
        (Duration::Millis(millis), _) => {
            let days = days_from_civil(i64::from(year), i64::from(month), i64::from(day));
            civil_from_days(days.checked_add(millis / MILLIS_PER_DAY)?)
        }
    };
    date_text(year, month, day, date.precision())
}

fn move_date_time(date: &DateTime, text: &str, duration: &Duration) -> Option<String> {
    if !date.has_time() {
        return move_date(date, duration);
    }
    let (year, month, day) = date.date();
    let (hour, minute, second, micros) = date.time();
    let of_day = i64::from(hour) * 3_600_000
        + i64::from(minute) * 60_000
        + i64::from(second) * 1000
        + i64::from(micros / 1000);
    let ((year, month, day), of_day) = match duration {
        Duration::Months(months) => (add_months((year, month, day), *months)?, of_day),
        Duration::Millis(millis) => {
            let total = of_day.checked_add(*millis)?;
            let days = days_from_civil(i64::from(year), i64::from(month), i64::from(day));
            let days = days.checked_add(total.div_euclid(MILLIS_PER_DAY))?;
            (civil_from_days(days), total.rem_euclid(MILLIS_PER_DAY))
        }
    };
    let date_part = date_text(year, month, day, Precision::Day)?;
    let zone_at = text.get(11..)?.find(['Z', '+', '-']).map_or(text.len(), |at| at + 11);
    let length = match date.precision() {
        Precision::Minute => 5,
        Precision::Second => 8,
        _ => 12,
    };
    Some(format!("{date_part}T{}{}", clock(of_day).get(..length)?, &text[zone_at..]))
}
