//! Our index beside the published one, country by country.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{geometric_mean, rounded};
use crate::public::{Figure, PlaceKind};

/// The published index and its four parts, with the WHO.
pub const CODES: [&str; 5] =
    ["UHC_INDEX_REPORTED", "UHC_SCI_RMNCH", "UHC_SCI_INFECT", "UHC_SCI_NCD", "UHC_SCI_CAPACITY"];

/// One country and year.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The country, by ISO 3166-1 alpha-3.
    pub place: String,
    /// The year.
    pub year: i32,
    /// The release.
    pub vintage: String,
    /// Our index; `None` where a sub-index is missing.
    pub ours: Option<f64>,
    /// Our index as it would be published.
    pub rounded: Option<f64>,
    /// The published one.
    pub published: Option<f64>,
    /// Ours as it would be published, less the published one.
    pub difference: Option<f64>,
    /// Which of the five figures are missing.
    pub missing: Vec<String>,
}

/// Every country of a release, and how many agree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Countries and years, in their order.
    pub lines: Vec<Line>,
    /// Of how many all five figures are there.
    pub compared: usize,
    /// How many of them agree.
    pub agreeing: usize,
}

/// Compares the figures of one year, or of every year they have.
#[must_use]
pub fn compare(figures: &[Figure], year: Option<i32>) -> Comparison {
    let mut found: BTreeMap<(&str, i32, &str), BTreeMap<&str, f64>> = BTreeMap::new();
    for figure in figures {
        let is_meant = figure.place.kind == PlaceKind::Country
            && figure.years.first == figure.years.last
            && year.is_none_or(|year| year == figure.years.first)
            && CODES.contains(&figure.code.as_str());
        if is_meant {
            let key = (figure.place.code.as_str(), figure.years.first, figure.vintage.as_str());
            found.entry(key).or_default().insert(&figure.code, figure.value);
        }
    }
    let mut lines = Vec::new();
    for ((place, year, vintage), values) in found {
        let [index, parts @ ..] = CODES;
        let whole: Option<Vec<f64>> = parts.iter().map(|code| values.get(code).copied()).collect();
        let ours = whole.and_then(|scores| geometric_mean(&scores));
        let (as_published, published) = (ours.map(rounded), values.get(index).copied());
        lines.push(Line {
            place: place.to_owned(),
            year,
            vintage: vintage.to_owned(),
            ours,
            rounded: as_published,
            published,
            difference: as_published.zip(published).map(|(ours, published)| ours - published),
            missing: CODES.iter().filter(|c| !values.contains_key(*c)).map(|c| (*c).to_owned()).collect(),
        });
    }
    let compared = lines.iter().filter(|line| line.difference.is_some()).count();
    let agreeing = lines.iter().filter(|line| line.difference == Some(0.0)).count();
    Comparison { lines, compared, agreeing }
}
