//! Universal health coverage, SDG 3.8.1: the service coverage index.
//!
//! From the four sub-indices that are published ([`compare`]), where it must be the published index; and from the tracers by a
//! version of the method ([`Method`]). Versions are data (`data/uhc`), because each release of the index re-estimates every year
//! by its own: numbers of two versions are not a series.

mod compare;
mod method;
mod tracers;

pub use self::compare::{CODES, Comparison, Line, compare};
pub use self::method::{Area, Method, Part, Tracer};
pub use self::tracers::{Adjustment, AreaScore, Error, Given, Measure, Score, TracerScore};

/// The geometric mean of scores; `None` of none, or where one is negative.
#[must_use]
pub fn geometric_mean(scores: &[f64]) -> Option<f64> {
    if scores.is_empty() || scores.iter().any(|s| !s.is_finite() || *s < 0.0) {
        return None;
    }
    if scores.contains(&0.0) {
        return Some(0.0);
    }
    let count = f64::from(u32::try_from(scores.len()).ok()?);
    Some((scores.iter().map(|s| s.ln()).sum::<f64>() / count).exp())
}

/// The index as it is published: a whole number, half up.
#[must_use]
pub fn rounded(index: f64) -> f64 {
    (index + 0.5).floor()
}

#[cfg(test)]
mod tests;
