//! Who is in which population, as a table for each group of a Measure.

use std::collections::HashSet;
use std::hash::BuildHasher;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{filter_record_batch, interleave_record_batch};

use crate::error::Error;

/// Who is in which population of an indicator: for each group of its Measure a table in the order of persons.
///
/// What a person is counted for depends on that person's record alone. So when the records of some persons change, an
/// evaluation of these few tells all that is new ([`Members::with`]).
#[derive(Clone, Debug)]
pub struct Members {
    pub(super) groups: Vec<RecordBatch>,
}

fn persons(batch: &RecordBatch) -> Option<&StringArray> {
    batch.column_by_name("person")?.as_string_opt::<i32>()
}

/// The person of a row, in the order questions give: nobody comes last.
fn person(persons: &StringArray, row: usize) -> (bool, &str) {
    if persons.is_valid(row) { (false, persons.value(row)) } else { (true, "") }
}

impl Members {
    pub(super) fn new(groups: Vec<RecordBatch>) -> Members {
        Members { groups }
    }

    /// Rows of all groups.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.groups.iter().map(RecordBatch::num_rows).sum()
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.groups.iter().map(RecordBatch::get_array_memory_size).sum()
    }

    /// The same, with what `newer` says of these persons (`Patient/1`) in the place of what was known of them.
    ///
    /// # Errors
    /// Tables of another indicator.
    pub fn with<S: BuildHasher>(&self, of: &HashSet<String, S>, newer: &Members) -> Result<Members, Error> {
        let said = |e: &dyn std::fmt::Display| Error::new("the members", "", e.to_string());
        if self.groups.len() != newer.groups.len() {
            return Err(said(&"they are of another indicator"));
        }
        let groups = self.groups.iter().zip(&newer.groups).map(|(before, newer)| {
            let kept = of_persons(before, &|person| !of.contains(person))?;
            let fresh = of_persons(newer, &|person| of.contains(person))?;
            merged(&kept, &fresh)
        });
        groups.collect::<Result<_, _>>().map(Members::new).map_err(|e| said(&e))
    }
}

fn of_persons(
    batch: &RecordBatch,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let Some(persons) = persons(batch) else { return Ok(batch.clone()) };
    let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(wanted(person(persons, row).1))).collect();
    filter_record_batch(batch, &mask)
}

/// Two tables, each in the order of persons and with others than the other, as one.
fn merged(one: &RecordBatch, other: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    let (Some(ones), Some(others)) = (persons(one), persons(other)) else { return Ok(one.clone()) };
    let (mut at, mut order) = ((0, 0), Vec::with_capacity(one.num_rows() + other.num_rows()));
    while at.0 < ones.len() && at.1 < others.len() {
        if person(ones, at.0) <= person(others, at.1) {
            order.push((0, at.0));
            at.0 += 1;
        } else {
            order.push((1, at.1));
            at.1 += 1;
        }
    }
    order.extend((at.0..ones.len()).map(|row| (0, row)));
    order.extend((at.1..others.len()).map(|row| (1, row)));
    interleave_record_batch(&[one, other], &order)
}
