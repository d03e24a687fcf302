//! Intervals of one proportion and one count.

use serde::Serialize;

use super::quantile::{chi_squared, normal};

/// Between what and what.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// Wilson's score interval of a proportion (Wilson 1927; Newcombe 1998, method 3), without correction for continuity.
///
/// `level` is the confidence, 0.95 for 95 %. `None` without a denominator, with a numerator above it, or another level.
#[must_use]
pub fn wilson(numerator: u64, denominator: u64, level: f64) -> Option<Interval> {
    if denominator == 0 || numerator > denominator {
        return None;
    }
    let z = normal(f64::midpoint(1.0, level))?;
    let (x, n) = (numerator as f64, denominator as f64);
    let p = x / n;
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    // At the ends rounding must not cross them.
    let low = if numerator == 0 { 0.0 } else { ((middle - half) / whole).max(0.0) };
    let high = if numerator == denominator { 1.0 } else { ((middle + half) / whole).min(1.0) };
    Some(Interval { low, high })
}

/// The exact interval of a count (Garwood 1936).
///
/// `None` for a level outside 0 to 1.
#[must_use]
pub fn poisson(count: u64, level: f64) -> Option<Interval> {
    let tail = (1.0 - level) / 2.0;
    let x = count as f64;
    let low = if count == 0 { 0.0 } else { chi_squared(tail, 2.0 * x)? / 2.0 };
    Some(Interval { low, high: chi_squared(1.0 - tail, 2.0 * x + 2.0)? / 2.0 })
}
