//! Financial protection, SDG 3.8.2, on a table of households.
//!
//! Two definitions. Until February 2025: the share of people whose household spends more than 10 % (25 %) of its consumption
//! on health. Since March 2025: more than 40 % of its discretionary budget, which is consumption less the societal poverty
//! line, max($2.15, $1.15 + half of median consumption) a person and day in 2017 purchasing power parities. Of these,
//! *impoverishing* is spending above the whole budget (any spending, where there is none), *large* the rest.

use std::fmt;

use serde::Serialize;

use crate::statistics::{Interval, bootstrap};

/// One household of a survey; money in one currency and period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Household {
    /// For how many households it stands.
    pub weight: f64,
    /// How many persons it has.
    pub size: f64,
    /// All it consumes, health included.
    pub consumption: f64,
    /// What it pays for health out of pocket.
    pub oop: f64,
}

/// How money becomes international dollars a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Money {
    /// Days of the period the money is of.
    pub days: f64,
    /// Units of the currency for one international dollar of 2017.
    pub parity: f64,
}

/// The societal poverty line, in international dollars of 2017 a person and day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PovertyLine {
    /// The line is never lower.
    pub floor: f64,
    /// What is added to the share of the median.
    pub base: f64,
    /// The share of median consumption.
    pub share: f64,
}

impl Default for PovertyLine {
    fn default() -> Self {
        PovertyLine { floor: 2.15, base: 1.15, share: 0.5 }
    }
}

impl PovertyLine {
    /// The line for a median.
    #[must_use]
    pub fn at(&self, median: f64) -> f64 {
        self.floor.max(self.base + self.share * median)
    }
}

/// Shares of the population, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Protection {
    /// More than 10 % of consumption: the definition until February 2025.
    pub over_10: f64,
    /// More than 25 % of consumption.
    pub over_25: f64,
    /// More than 40 % of the discretionary budget: the definition since March 2025.
    pub over_40_discretionary: f64,
    /// Of these, more than the whole budget, or any spending without one.
    pub impoverishing: f64,
    /// Of these, the rest.
    pub large: f64,
    /// Median consumption, international dollars a person and day.
    pub median: f64,
    /// The societal poverty line, likewise.
    pub poverty_line: f64,
}

/// Why there is no figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The table has not the columns that are needed.
    Columns(Vec<String>),
    /// A number that is none, or below 0.
    Value {
        /// Its line.
        line: u64,
        /// Its column.
        column: &'static str,
        /// What it says.
        found: String,
    },
    /// The table does not read.
    Form {
        /// Where.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// No household has a weight and persons.
    NoHouseholds,
    /// Days or parity are not above 0.
    Money,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Columns(missing) => write!(f, "line 1: the columns {} are missing", missing.join(", ")),
            Error::Value { line, column, found } => {
                write!(f, "line {line}: {column} '{found}' is no number of 0 or more")
            }
            Error::Form { line, what } => write!(f, "line {line}: {what}"),
            Error::NoHouseholds => f.write_str("no household has both a weight and persons"),
            Error::Money => f.write_str("days and parity must be above 0"),
        }
    }
}

impl std::error::Error for Error {}

/// Reads a table with the columns weight, size, consumption and oop, whatever else it has.
///
/// # Errors
/// Missing columns, and numbers that are none, by line.
pub fn households(text: &str) -> Result<Vec<Household>, Error> {
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let form = |line: u64, why: &csv::Error| Error::Form { line, what: why.to_string() };
    let header = rows.headers().map_err(|why| form(1, &why))?.clone();
    let column = |name: &'static str| {
        let at = header.iter().position(|h| h.trim().eq_ignore_ascii_case(name));
        at.ok_or_else(|| name.to_owned())
    };
    let columns = ["weight", "size", "consumption", "oop"].map(|name| (name, column(name)));
    let missing: Vec<String> = columns.iter().filter_map(|(_, at)| at.as_ref().err()).cloned().collect();
    if !missing.is_empty() {
        return Err(Error::Columns(missing));
    }
    let mut households = Vec::new();
    let mut row = csv::StringRecord::new();
    loop {
        let line = rows.position().line();
        if !rows.read_record(&mut row).map_err(|why| form(line, &why))? {
            return Ok(households);
        }
        let mut values = [0.0; 4];
        for (value, (name, at)) in values.iter_mut().zip(&columns) {
            let text = at.as_ref().ok().and_then(|at| row.get(*at)).unwrap_or_default().trim();
            let parsed = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
            *value = parsed.ok_or_else(|| Error::Value {
                line,
                column: name,
                found: text.chars().take(40).collect(),
            })?;
        }
        let [weight, size, consumption, oop] = values;
        households.push(Household { weight, size, consumption, oop });
    }
}

/// The value below which half of the weight lies; between two, their mean.
fn weighted_median(values: &mut [(f64, f64)]) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = values.iter().map(|v| v.1).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let mut rest = values.iter().filter(|v| v.1 > 0.0).peekable();
    while let Some((value, weight)) = rest.next() {
        below += weight;
        if below > half {
            return Some(*value);
        }
        if below == half {
            return Some(rest.peek().map_or(*value, |next| f64::midpoint(*value, next.0)));
        }
    }
    None
}

/// Both definitions on a table of households.
///
/// # Errors
/// Without households, or with money of no period.
pub fn protection(households: &[Household], money: Money, line: PovertyLine) -> Result<Protection, Error> {
    let all: Vec<&Household> = households.iter().collect();
    of(&all, money, line)
}

fn of(households: &[&Household], money: Money, line: PovertyLine) -> Result<Protection, Error> {
    if !(money.days > 0.0 && money.parity > 0.0 && money.days.is_finite() && money.parity.is_finite()) {
        return Err(Error::Money);
    }
    let people = |h: &Household| h.weight * h.size;
    let daily = |h: &Household, amount: f64| amount / h.size / money.days / money.parity;
    let counted: Vec<&Household> = households.iter().copied().filter(|h| people(h) > 0.0).collect();
    let whole: f64 = counted.iter().map(|h| people(h)).sum();
    let mut consumption: Vec<(f64, f64)> =
        counted.iter().map(|h| (daily(h, h.consumption), people(h))).collect();
    let median = weighted_median(&mut consumption).ok_or(Error::NoHouseholds)?;
    let poverty_line = line.at(median);
    let share = |is_meant: &dyn Fn(&Household) -> bool| {
        counted.iter().filter(|h| is_meant(h)).map(|h| people(h)).sum::<f64>() / whole
    };
    let budget = |h: &Household| daily(h, h.consumption) - poverty_line;
    let impoverishing = |h: &Household| h.oop > 0.0 && daily(h, h.oop) > budget(h);
    let large = |h: &Household| h.oop > 0.0 && daily(h, h.oop) > 0.4 * budget(h) && !impoverishing(h);
    Ok(Protection {
        over_10: share(&|h| h.oop > 0.10 * h.consumption),
        over_25: share(&|h| h.oop > 0.25 * h.consumption),
        over_40_discretionary: share(&|h| impoverishing(h) || large(h)),
        impoverishing: share(&impoverishing),
        large: share(&large),
        median,
        poverty_line,
    })
}

/// The interval of one of the shares: households are drawn again, and the poverty line with them.
///
/// A survey drawn in clusters has wider ones: this takes each household for itself.
pub fn interval(
    households: &[Household],
    money: Money,
    line: PovertyLine,
    share: impl Fn(&Protection) -> f64,
    level: f64,
    times: usize,
    seed: u64,
) -> Option<Interval> {
    let statistic = |sample: &[&Household]| of(sample, money, line).ok().map(|p| share(&p));
    bootstrap::percentile(households, statistic, level, times, seed)
}
