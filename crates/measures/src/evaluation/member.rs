//! Who is in which population.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Float64Type};

/// A person, or an item of somebody, and where it is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member<'m> {
    /// The person, `Patient/1`.
    pub person: &'m str,
    /// The item, `Encounter/1`, where items are counted.
    pub item: Option<&'m str>,
    /// The day it is about, in days since 1970.
    pub event_date: Option<i32>,
    /// In the initial population.
    pub initial: bool,
    /// In the denominator or measure population.
    pub denominator: bool,
    /// Of these, excluded.
    pub excluded: bool,
    /// In the numerator.
    pub numerator: bool,
    /// The value observed.
    pub value: Option<f64>,
}

/// The members a batch has.
pub(super) fn members(batch: &RecordBatch) -> Vec<Member<'_>> {
    let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let flag = |name: &str| batch.column_by_name(name).and_then(|c| c.as_boolean_opt());
    let dates = batch.column_by_name("event_date").and_then(|c| c.as_primitive_opt::<Date32Type>());
    let values = batch.column_by_name("value").and_then(|c| c.as_primitive_opt::<Float64Type>());
    let (persons, items) = (text("person"), text("item"));
    let (initial, denominator, excluded, numerator) =
        (flag("initial"), flag("denominator"), flag("excluded"), flag("numerator"));
    let word = |column: Option<&'_ StringArray>, row: usize| column.is_some_and(|c| c.is_valid(row));
    let is =
        |column: Option<&BooleanArray>, row: usize| column.is_some_and(|c| c.is_valid(row) && c.value(row));
    (0..batch.num_rows())
        .map(|row| Member {
            person: persons.filter(|_| word(persons, row)).map_or("", |c| c.value(row)),
            item: items.filter(|_| word(items, row)).map(|c| c.value(row)),
            event_date: dates.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
            initial: is(initial, row),
            denominator: is(denominator, row),
            excluded: is(excluded, row),
            numerator: is(numerator, row),
            value: values.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
        })
        .collect()
}
