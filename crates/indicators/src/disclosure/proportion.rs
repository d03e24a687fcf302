//! Proportions: numerator, denominator, and who is not in the numerator, all protected.

use serde::Serialize;

use super::protect::Published;
use super::table::{Dimension, Error, Group, Table};

/// A proportion as it is published.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proportion {
    /// The cell's groups.
    pub labels: Vec<String>,
    /// The numerator, if it is shown.
    pub numerator: Option<u64>,
    /// The denominator, if it is shown.
    pub denominator: Option<u64>,
    /// The proportion; shown only where both are, because it tells one by the other.
    pub value: Option<f64>,
}

const OUTCOME: &str = "outcome";

/// The table of a proportion, to be protected with others: one more dimension, of which the numerator and the denominator are
/// shown. Those of the denominator who are not in the numerator follow from both and are protected like them.
///
/// # Errors
/// Numerators and denominators of different length, or a numerator above its denominator.
pub fn proportion_table(
    name: &str,
    population: &str,
    mut dimensions: Vec<Dimension>,
    numerators: &[u64],
    denominators: &[u64],
) -> Result<Table, Error> {
    let fails = |what: String| Error::Table { table: name.to_owned(), what };
    if numerators.len() != denominators.len() {
        return Err(fails("it has not as many numerators as denominators".to_owned()));
    }
    let mut counts = Vec::with_capacity(numerators.len() * 2);
    for (numerator, denominator) in numerators.iter().zip(denominators) {
        let others = denominator
            .checked_sub(*numerator)
            .ok_or_else(|| fails(format!("{numerator} are not part of {denominator}")))?;
        counts.extend([*numerator, others]);
    }
    dimensions.push(Dimension {
        name: OUTCOME.to_owned(),
        categories: vec!["yes".to_owned(), "no".to_owned()],
        groups: vec![
            Group { name: "numerator".to_owned(), of: vec![0] },
            Group { name: "denominator".to_owned(), of: vec![0, 1] },
        ],
    });
    Ok(Table::new(name, population, dimensions, counts))
}

/// The proportions of a table that [`proportion_table`] made, after it was protected.
#[must_use]
pub fn proportions(published: &Published) -> Vec<Proportion> {
    let pairs = published.cells.chunks(2).filter_map(|pair| match pair {
        [numerator, denominator] => Some((numerator, denominator)),
        _ => None,
    });
    pairs
        .map(|(numerator, denominator)| {
            let labels = numerator.labels.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default();
            let both = numerator.value.zip(denominator.value);
            let value = both.filter(|(_, d)| *d > 0).map(|(n, d)| n as f64 / d as f64);
            Proportion { labels, numerator: numerator.value, denominator: denominator.value, value }
        })
        .collect()
}
