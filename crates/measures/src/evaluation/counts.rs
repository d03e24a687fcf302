//! How many are in which population: the rows of its members, added up in their order.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;

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

/// The columns of the table of members.
struct Columns<'m> {
    persons: Option<&'m StringArray>,
    flags: [Option<&'m BooleanArray>; 4],
    values: Option<&'m Float64Array>,
}

/// What is added up, row by row.
#[derive(Default)]
struct Tally<'m> {
    counts: Counts,
    /// Rows are in the order of persons.
    last: Option<&'m str>,
    values: Vec<f64>,
}

impl<'m> Columns<'m> {
    fn of(rows: &'m RecordBatch) -> Columns<'m> {
        let flag = |name: &str| rows.column_by_name(name).and_then(|c| c.as_boolean_opt());
        Columns {
            persons: rows.column_by_name("person").and_then(|c| c.as_string_opt::<i32>()),
            flags: ["initial", "denominator", "excluded", "numerator"].map(flag),
            values: rows.column_by_name("value").and_then(|c| c.as_primitive_opt::<Float64Type>()),
        }
    }

    fn add(&self, row: usize, tally: &mut Tally<'m>) {
        let is = |column: Option<&BooleanArray>| column.is_some_and(|c| c.is_valid(row) && c.value(row));
        let [initial, denominator, excluded, numerator] = self.flags.map(is);
        tally.counts.initial += u64::from(initial);
        tally.counts.denominator += u64::from(denominator);
        tally.counts.excluded += u64::from(excluded);
        tally.counts.numerator += u64::from(numerator);
        let person = self.persons.filter(|c| initial && c.is_valid(row)).map(|c| c.value(row));
        if person.is_some() && person != tally.last {
            tally.counts.persons += 1;
            tally.last = person;
        }
        let value = self.values.filter(|c| denominator && !excluded && c.is_valid(row));
        tally.values.extend(value.map(|c| c.value(row)));
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn aggregated(how: Aggregate, values: &mut [f64]) -> Option<f64> {
    let many = values.len();
    let middle = |at: usize, values: &[f64]| values.get(at).copied();
    match how {
        _ if many == 0 => None,
        Aggregate::Sum => Some(values.iter().sum()),
        Aggregate::Average => Some(values.iter().sum::<f64>() / many as f64),
        Aggregate::Minimum => values.iter().copied().min_by(f64::total_cmp),
        Aggregate::Maximum => values.iter().copied().max_by(f64::total_cmp),
        Aggregate::Median => {
            values.sort_unstable_by(f64::total_cmp);
            let (low, high) = (middle((many - 1) / 2, values)?, middle(many / 2, values)?);
            Some(if many % 2 == 1 { high } else { f64::midpoint(low, high) })
        }
    }
}

impl Tally<'_> {
    fn finish(mut self, group: &Group) -> Counts {
        self.counts.observed = self.values.len() as u64;
        self.counts.value = group.aggregate.and_then(|how| aggregated(how, &mut self.values));
        self.counts
    }
}

/// The counts of the whole group.
pub(super) fn whole(group: &Group, rows: &RecordBatch) -> Counts {
    let (columns, mut tally) = (Columns::of(rows), Tally::default());
    (0..rows.num_rows()).for_each(|row| columns.add(row, &mut tally));
    tally.finish(group)
}

/// The counts of each stratum of a stratifier, in the order of their values.
pub(super) fn strata(group: &Group, rows: &RecordBatch, stratifier: usize) -> Vec<Stratum> {
    let columns = Columns::of(rows);
    let of = rows.column_by_name(&format!("stratum_{stratifier}")).and_then(|c| c.as_string_opt::<i32>());
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut tallies: Vec<(&str, Tally<'_>)> = Vec::new();
    for row in 0..rows.num_rows() {
        let value = of.map_or("", |c| c.value(row));
        let at = *numbers.entry(value).or_insert_with(|| {
            tallies.push((value, Tally::default()));
            tallies.len() - 1
        });
        if let Some((_, tally)) = tallies.get_mut(at) {
            columns.add(row, tally);
        }
    }
    tallies.sort_unstable_by_key(|(value, _)| *value);
    let stratum =
        |(value, tally): (&str, Tally<'_>)| Stratum { value: value.to_owned(), counts: tally.finish(group) };
    tallies.into_iter().map(stratum).collect()
}
