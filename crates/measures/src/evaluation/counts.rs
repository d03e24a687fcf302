//! How many are in which population.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};

use super::Room;
use crate::error::Error;
use crate::measure::{Aggregate, Group, Scoring};

/// How many are in which population.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// In the initial population.
    pub initial: u64,
    /// Of these in the denominator or measure population, those excluded among them.
    pub denominator: u64,
    /// Of these excluded.
    pub excluded: u64,
    /// In the numerator, without the excluded.
    pub numerator: u64,
    /// Different persons in the initial population.
    pub persons: u64,
    /// Values that were aggregated.
    pub observed: u64,
    /// What they gave.
    pub value: Option<f64>,
}

impl Counts {
    /// The denominator without what is excluded.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.denominator.saturating_sub(self.excluded)
    }

    /// The score: a share, a ratio, an aggregate or a number; none where there is nothing to divide by.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn score(&self, scoring: Scoring) -> Option<f64> {
        match scoring {
            Scoring::Proportion | Scoring::Ratio => {
                let counted = self.counted();
                (counted > 0).then(|| self.numerator as f64 / counted as f64)
            }
            Scoring::ContinuousVariable => self.value,
            Scoring::Cohort => Some(self.initial as f64),
        }
    }
}

/// A stratum: its value and how many.
#[derive(Clone, Debug, PartialEq)]
pub struct Stratum {
    /// Its value.
    pub value: String,
    /// How many.
    pub counts: Counts,
}

fn columns(group: &Group, by: &str) -> String {
    let one = |what: &str| format!("coalesce(sum(case when {what} then 1 else 0 end), 0)");
    let counted = "denominator and not excluded and value is not null";
    let aggregate = match group.aggregate {
        None => "cast(null as double)".to_owned(),
        Some(how) => {
            let function = match how {
                Aggregate::Median => "median",
                Aggregate::Average => "avg",
                Aggregate::Sum => "sum",
                Aggregate::Minimum => "min",
                Aggregate::Maximum => "max",
            };
            format!("cast({function}(case when {counted} then value end) as double)")
        }
    };
    format!(
        "{by}{}, {}, {}, {}, count(distinct case when initial then person end), {}, {aggregate}",
        one("initial"),
        one("denominator"),
        one("excluded"),
        one("numerator"),
        one(counted),
    )
}

fn read(batch: &RecordBatch, row: usize, first: usize) -> Counts {
    let number = |n: usize| {
        let column = batch.columns().get(first + n).and_then(|c| c.as_primitive_opt::<Int64Type>());
        column.map_or(0, |c| u64::try_from(c.value(row)).unwrap_or(0))
    };
    let value = batch.columns().get(first + 6).and_then(|c| c.as_primitive_opt::<Float64Type>());
    Counts {
        initial: number(0),
        denominator: number(1),
        excluded: number(2),
        numerator: number(3),
        persons: number(4),
        observed: number(5),
        value: value.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
    }
}

/// The counts of the whole group.
pub(super) fn whole(room: &Room<'_>, group: &Group, table: &str) -> Result<Counts, Error> {
    let answer = room.ask("", &format!("select {} from \"{table}\"", columns(group, "")), &[])?;
    Ok(answer.batches.first().map(|batch| read(batch, 0, 0)).unwrap_or_default())
}

/// The counts of each stratum of a stratifier.
pub(super) fn strata(
    room: &Room<'_>,
    group: &Group,
    table: &str,
    stratifier: usize,
) -> Result<Vec<Stratum>, Error> {
    let by = format!("stratum_{stratifier}");
    let columns = columns(group, &format!("{by}, "));
    let answer =
        room.ask("", &format!("select {columns} from \"{table}\" group by {by} order by {by}"), &[])?;
    let mut found = Vec::with_capacity(answer.rows());
    for batch in &answer.batches {
        let values = batch.columns().first().and_then(|c| c.as_string_opt::<i32>());
        for row in 0..batch.num_rows() {
            let value = values.map_or("", |v| v.value(row)).to_owned();
            found.push(Stratum { value, counts: read(batch, row, 1) });
        }
    }
    Ok(found)
}
