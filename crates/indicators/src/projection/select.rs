//! One series of many figures: a place, its dimensions, one release.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::public::Figure;

/// What a series is of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// The place, by its code.
    pub place: String,
    /// Dimensions by name; those that are not named are taken as totals.
    pub dimensions: BTreeMap<String, String>,
    /// The release; without it the last.
    pub vintage: Option<String>,
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    /// Years and values.
    pub points: Vec<(i32, f64)>,
    /// The release.
    pub vintage: String,
    /// The unit.
    pub unit: String,
    /// The dimensions that were taken.
    pub dimensions: BTreeMap<String, String>,
}

/// Why there is no series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No figure is of this.
    Nothing {
        /// What was asked for.
        what: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A year has several figures.
    Several {
        /// The year.
        year: i32,
        /// What tells them apart.
        apart: Vec<String>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Nothing { what, known } => {
                const MOST: usize = 12;
                let some: Vec<&str> = known.iter().take(MOST).map(String::as_str).collect();
                let more = if known.len() > MOST { ", …" } else { "" };
                write!(f, "there is no figure of {what}; there are {}{more}", some.join(", "))
            }
            Error::Several { year, apart } => {
                write!(f, "{year} has several figures; choose one of {}", apart.join(", "))
            }
        }
    }
}

impl std::error::Error for Error {}

/// What stands for all of a dimension, with the publishers.
const TOTALS: [&str; 3] = ["BTSX", "TOTL", "TOTAL"];

/// The series that is wanted.
///
/// # Errors
/// Where there is none, what there is; where there are several, what tells them apart.
pub fn series(figures: &[Figure], wanted: &Wanted) -> Result<Selected, Error> {
    let nothing =
        |what: String, known: BTreeSet<String>| Error::Nothing { what, known: known.into_iter().collect() };
    let of_place: Vec<&Figure> = figures.iter().filter(|f| f.place.code == wanted.place).collect();
    if of_place.is_empty() {
        let known = figures.iter().map(|f| f.place.code.clone()).collect();
        return Err(nothing(format!("'{}'", wanted.place), known));
    }
    let releases: BTreeSet<String> = of_place.iter().map(|f| f.vintage.clone()).collect();
    let vintage = match &wanted.vintage {
        Some(vintage) if releases.contains(vintage) => vintage.clone(),
        Some(vintage) => return Err(nothing(format!("release '{vintage}'"), releases)),
        None => releases.last().cloned().unwrap_or_default(),
    };
    let mut left: Vec<&Figure> = of_place.into_iter().filter(|f| f.vintage == vintage).collect();
    let names: BTreeSet<String> = left.iter().flat_map(|f| f.dimensions.keys().cloned()).collect();
    if let Some(name) = wanted.dimensions.keys().find(|name| !names.contains(*name)) {
        return Err(nothing(format!("the dimension '{name}'"), names));
    }
    let mut taken = BTreeMap::new();
    for name in names {
        let values: BTreeSet<String> = left.iter().filter_map(|f| f.dimensions.get(&name).cloned()).collect();
        let value = wanted.dimensions.get(&name).cloned();
        let value = value.or_else(|| TOTALS.iter().find(|t| values.contains(**t)).map(|t| (*t).to_owned()));
        if let Some(value) = value {
            if !values.contains(&value) {
                return Err(nothing(format!("{name} '{value}'"), values));
            }
            left.retain(|f| f.dimensions.get(&name) == Some(&value));
            taken.insert(name, value);
        }
    }
    left.retain(|f| f.years.first == f.years.last);
    left.sort_by_key(|f| f.years.first);
    for (a, b) in left.iter().zip(left.iter().skip(1)) {
        if a.years == b.years {
            let of = |f: &Figure| {
                let told = f.dimensions.iter().filter(|(name, _)| !taken.contains_key(*name));
                told.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
            };
            return Err(Error::Several { year: a.years.first, apart: vec![of(a), of(b)] });
        }
    }
    Ok(Selected {
        points: left.iter().map(|f| (f.years.first, f.value)).collect(),
        vintage,
        unit: left.first().map(|f| f.unit.clone()).unwrap_or_default(),
        dimensions: taken,
    })
}

/// Reads years and values of a CSV file with the columns `year` and `value`, whatever else it has.
///
/// # Errors
/// The line, and what is wrong with it.
pub fn points(text: &str) -> Result<Vec<(i32, f64)>, String> {
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let header = rows.headers().map_err(|why| format!("line 1: {why}"))?.clone();
    let column = |name: &str| {
        let at =
            header.iter().position(|h| h.trim().trim_start_matches('\u{feff}').eq_ignore_ascii_case(name));
        at.ok_or_else(|| format!("line 1: there is no column '{name}'; the file needs year and value"))
    };
    let (year_at, value_at) = (column("year")?, column("value")?);
    let mut points = Vec::new();
    let mut row = csv::StringRecord::new();
    loop {
        let line = rows.position().line();
        if !rows.read_record(&mut row).map_err(|why| format!("line {line}: {why}"))? {
            return Ok(points);
        }
        let cell = |at: usize| row.get(at).unwrap_or_default().trim();
        let short = |text: &str| text.chars().take(40).collect::<String>();
        let Some(year) = cell(year_at).parse().ok().filter(|year| (1..=9999).contains(year)) else {
            return Err(format!("line {line}: '{}' is no year", short(cell(year_at))));
        };
        if cell(value_at).is_empty() {
            continue;
        }
        let Ok(value) = cell(value_at).parse() else {
            return Err(format!(
                "line {line}: '{}' is no number; leave it empty where there is none",
                short(cell(value_at))
            ));
        };
        points.push((year, value));
    }
}
