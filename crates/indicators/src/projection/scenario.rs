//! What it takes to reach a target: so much a year, evenly or by the same share.

use serde::Serialize;

use crate::sdg::targets::Target;

/// What it takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scenario {
    /// What is aimed at.
    pub target: String,
    /// Where that is written.
    pub source: String,
    /// The level to be reached.
    pub level: f64,
    /// Its year.
    pub year: i32,
    /// The last year with a value, and the value.
    pub from: (i32, f64),
    /// Is it reached already?
    pub is_met: bool,
    /// How much a year, evenly; `None` where the year has passed.
    pub linear: Option<f64>,
    /// By which share of itself a year (0.02 is 2 % more); `None` where the year has passed or a value is not above 0.
    pub compound: Option<f64>,
    /// How much a year it was so far, evenly from first to last.
    pub so_far: Option<f64>,
}

/// The scenario of a series in the order of years; `None` without a target or a level.
#[must_use]
pub fn of(history: &[(i32, f64)], target: Option<&Target>) -> Option<Scenario> {
    let target = target?;
    let level = target.level_of(history)?;
    let (first, last) = (history.first()?, history.last()?);
    let years = f64::from(target.year) - f64::from(last.0);
    let is_met = if target.is_at_most { last.1 <= level } else { last.1 >= level };
    let is_ahead = years > 0.0 && last.1.is_finite();
    Some(Scenario {
        target: target.en.clone(),
        source: target.source.clone(),
        level,
        year: target.year,
        from: *last,
        is_met,
        linear: is_ahead.then(|| (level - last.1) / years),
        compound: (is_ahead && level > 0.0 && last.1 > 0.0).then(|| (level / last.1).powf(1.0 / years) - 1.0),
        so_far: (last.0 > first.0).then(|| (last.1 - first.1) / (f64::from(last.0) - f64::from(first.0))),
    })
}
