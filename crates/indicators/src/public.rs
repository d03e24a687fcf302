//! Public figures: files of the WHO and the World Bank, read into figures that know where they come from.
//!
//! A figure keeps its release, place, years, dimensions, bounds, unit and the place in its file. Releases are kept side by
//! side: each re-estimates the years before it, and an index of 80 for 2015 in one is 83 in a later one. Neither is wrong.
//!
//! How a file's numbers become the figure's unit is a rule per indicator ([`units`]), stated as data. The text a file shows
//! beside a number proves the rule; a rule is never found out from a number.

pub mod cache;
mod error;
pub mod gho_csv;
pub mod gho_json;
mod text;
pub mod units;
pub mod world_bank_csv;
pub mod world_bank_json;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

pub use self::cache::Cache;
pub use self::error::Error;
pub use self::text::Limits;

/// Who publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The Global Health Observatory of the WHO.
    WhoGho,
    /// The World Development Indicators of the World Bank.
    WorldBank,
}

impl Source {
    /// Every one.
    pub const ALL: [Source; 2] = [Source::WhoGho, Source::WorldBank];

    /// The name of its folder and of the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Source::WhoGho => "who-gho",
            Source::WorldBank => "world-bank",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Source> {
        Source::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// What kind of place a figure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceKind {
    /// A country or territory, by ISO 3166-1 alpha-3.
    Country,
    /// A region or group of the publisher.
    Group,
    /// The world.
    World,
}

/// What a figure is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// What kind of place it is.
    pub kind: PlaceKind,
    /// Its code with the publisher.
    pub code: String,
}

/// The years a figure is about, both included; mostly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Years {
    /// The first.
    pub first: i32,
    /// The last.
    pub last: i32,
}

impl Years {
    /// Reads `2015` or `2013-2017`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Years> {
        let year = |text: &str| {
            let is_year = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
            is_year.then(|| text.parse().ok()).flatten()
        };
        match text.split_once('-') {
            Some((first, last)) => {
                let years = Years { first: year(first)?, last: year(last)? };
                (years.first <= years.last).then_some(years)
            }
            None => year(text).map(|year| Years { first: year, last: year }),
        }
    }
}

impl fmt::Display for Years {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// One published number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Who published it.
    pub source: Source,
    /// The indicator's code with the publisher.
    pub code: String,
    /// The release it is of.
    pub vintage: String,
    /// What it is about.
    pub place: Place,
    /// Which years.
    pub years: Years,
    /// Sex, residence and whatever else tells figures of one place and year apart, by the publisher's names.
    pub dimensions: BTreeMap<String, String>,
    /// The value, in `unit`.
    pub value: f64,
    /// The lower bound of the publisher's interval.
    pub low: Option<f64>,
    /// The upper bound.
    pub high: Option<f64>,
    /// The unit, after the indicator's rule.
    pub unit: String,
    /// Where in the file: the line of a CSV file, the number of the entry of a JSON answer (from 1).
    pub line: u64,
    /// What the publisher says of it.
    pub comment: Option<String>,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Its figures, in its order.
    pub figures: Vec<Figure>,
    /// How many of its rows have no number ("no data").
    pub without_value: u64,
    /// Where the publisher's answer goes on.
    pub next: Option<Next>,
}

/// Where an answer goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// At an address.
    Link(String),
    /// At this page of so many.
    Page(u32, u32),
}

/// Figures of one place, years and dimensions, one a release, by release.
#[must_use]
pub fn revisions<'f>(figures: &'f [Figure], of: &Figure) -> Vec<&'f Figure> {
    let same = |f: &&Figure| {
        f.source == of.source
            && f.code == of.code
            && f.place == of.place
            && f.years == of.years
            && f.dimensions == of.dimensions
    };
    let mut found: Vec<&Figure> = figures.iter().filter(same).collect();
    found.sort_by(|a, b| a.vintage.cmp(&b.vintage));
    found
}

/// Reads a file of a publisher, whatever form it has.
///
/// # Errors
/// What makes it unreadable, and where.
pub fn read(
    source: Source,
    code: &str,
    vintage: &str,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Reading, Error> {
    let text = text::text(bytes, limits)?;
    let is_json = text.trim_start().starts_with(['{', '[']);
    match (source, is_json) {
        (Source::WhoGho, true) => gho_json::read(&text, code, vintage),
        (Source::WhoGho, false) => gho_csv::read(&text, code, vintage, limits),
        (Source::WorldBank, true) => world_bank_json::read(&text, code, vintage),
        (Source::WorldBank, false) => world_bank_csv::read(&text, code, vintage, limits),
    }
}

/// The form of a file, as its name in a [`Cache`] ends: `json`, `csv`, or one of them compressed.
///
/// # Errors
/// What makes it unreadable.
pub fn form(bytes: &[u8], limits: &Limits) -> Result<&'static str, Error> {
    let is_compressed = bytes.starts_with(&[0x1f, 0x8b]);
    let is_json = text::text(bytes, limits)?.trim_start().starts_with(['{', '[']);
    Ok(match (is_json, is_compressed) {
        (true, true) => "json.gz",
        (true, false) => "json",
        (false, true) => "csv.gz",
        (false, false) => "csv",
    })
}

#[cfg(test)]
mod tests;
