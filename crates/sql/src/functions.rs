//! Functions for FHIR's dates, which are texts of different precision.
//!
//! | function | what it gives |
//! |---|---|
//! | `day_of(text)` | the day as it was written, whatever the time zone; the first day of a month or year; null if it is none |
//! | `age_on(text, date)` | whole years from a birth date to a day |
//! | `days_between(date, date)` | days from the first to the second |
//! | `seconds_between(text, text)` | seconds from the first instant to the second; null where one has no time |

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, PrimitiveArray};
use arrow::compute::kernels::cast_utils::{Parser, string_to_timestamp_nanos};
use arrow::datatypes::{DataType, Date32Type};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use jiff::civil::Date;

type Function = fn(&[ArrayRef]) -> ArrayRef;

/// Day zero of Arrow's days.
const EPOCH: Date = Date::constant(1970, 1, 1);

fn function(name: &str, of: &[DataType], gives: DataType, run: Function) -> ScalarUDF {
    let run = move |given: &[ColumnarValue]| -> Result<ColumnarValue, DataFusionError> {
        let only_values = given.iter().all(|g| matches!(g, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(given)?;
        let found = run(&arrays);
        Ok(if only_values {
            ColumnarValue::Scalar(datafusion::scalar::ScalarValue::try_from_array(&found, 0)?)
        } else {
            ColumnarValue::Array(found)
        })
    };
    create_udf(name, of.to_vec(), gives, Volatility::Immutable, Arc::new(run))
}

/// All of them.
pub(crate) fn all() -> [ScalarUDF; 4] {
    use DataType::{Date32, Int32, Int64, Utf8};
    [
        function("day_of", &[Utf8], Date32, |of| days(of)),
        function("age_on", &[Utf8, Date32], Int32, |of| ages(of)),
        function("days_between", &[Date32, Date32], Int32, |of| differences(of)),
        function("seconds_between", &[Utf8, Utf8], Int64, |of| seconds(of)),
    ]
}

/// The days since 1970 of a FHIR date, dateTime or instant.
#[must_use]
pub fn day(text: &str) -> Option<i32> {
    match text.len() {
        0..4 => None,
        4 => Date32Type::parse(&format!("{text}-01-01")),
        5..10 if text.len() == 7 => Date32Type::parse(&format!("{text}-01")),
        5..10 => None,
        _ => Date32Type::parse(text.get(..10)?),
    }
}

fn days(of: &[ArrayRef]) -> ArrayRef {
    let [texts] = of else { return nothing() };
    let found: PrimitiveArray<Date32Type> =
        texts.as_string::<i32>().iter().map(|text| text.and_then(day)).collect();
    Arc::new(found)
}

fn civil(day: i32) -> Option<Date> {
    EPOCH.checked_add(jiff::Span::new().try_days(day).ok()?).ok()
}

/// Whole years from a birth date, in days since 1970, to a day.
#[must_use]
pub fn age(birth: Date, on: Date) -> i32 {
    let before_birthday = (on.month(), on.day()) < (birth.month(), birth.day());
    i32::from(on.year()) - i32::from(birth.year()) - i32::from(before_birthday)
}

fn ages(of: &[ArrayRef]) -> ArrayRef {
    let [births, days] = of else { return nothing() };
    let (births, days) = (births.as_string::<i32>(), days.as_primitive::<Date32Type>());
    let mut last = (0, civil(0));
    let found: Int32Array = births
        .iter()
        .zip(days.iter())
        .map(|(birth, on)| {
            let on = on?;
            if last.0 != on {
                last = (on, civil(on));
            }
            Some(age(civil(day(birth?)?)?, last.1?))
        })
        .collect();
    Arc::new(found)
}

fn differences(of: &[ArrayRef]) -> ArrayRef {
    let [from, to] = of else { return nothing() };
    let (from, to) = (from.as_primitive::<Date32Type>(), to.as_primitive::<Date32Type>());
    let found: Int32Array = from.iter().zip(to.iter()).map(|(from, to)| to?.checked_sub(from?)).collect();
    Arc::new(found)
}

fn instant(text: &str) -> Option<i64> {
    if !text.contains('T') {
        return None;
    }
    string_to_timestamp_nanos(text).ok().map(|n| n.div_euclid(1_000_000_000))
}

fn seconds(of: &[ArrayRef]) -> ArrayRef {
    let [from, to] = of else { return nothing() };
    let (from, to) = (from.as_string::<i32>(), to.as_string::<i32>());
    let found: Int64Array =
        from.iter().zip(to.iter()).map(|(from, to)| Some(instant(to?)? - instant(from?)?)).collect();
    Arc::new(found)
}

/// The signature lets no other number of arguments through.
fn nothing() -> ArrayRef {
    Arc::new(arrow::array::NullArray::new(0)) as Arc<dyn Array>
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_as_it_was_written() {
        assert_eq!(day("1970-01-02"), Some(1));
        assert_eq!(day("1970-01-02T23:59:00-10:00"), Some(1));
        assert_eq!(day("1970-02"), Some(31));
        assert_eq!(day("1971"), Some(365));
        for none in ["", "197", "1970-1", "1970-02-30", "1970-01-0", "soon, soon", "１９７０"] {
            assert_eq!(day(none), None, "{none}");
        }
    }

    #[test]
    fn a_birthday_is_a_year_more() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        assert_eq!(age(date("2000-02-29"), date("2001-02-28")), 0);
        assert_eq!(age(date("2000-02-29"), date("2001-03-01")), 1);
        assert_eq!(age(date("2000-06-15"), date("2020-06-15")), 20);
        assert_eq!(age(date("2000-06-15"), date("2020-06-14")), 19);
    }
}
