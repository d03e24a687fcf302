//! The p-chart (Shewhart 1931; Montgomery): proportions in order, and three standard deviations around their mean.

use serde::Serialize;

use super::Interval;

/// One point of the chart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The proportion; `None` without a denominator.
    pub value: Option<f64>,
    /// The limits at its size.
    pub limits: Option<Interval>,
    /// Does it lie outside them?
    pub is_signal: bool,
}

/// The chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chart {
    /// The mean of all.
    pub centre: f64,
    /// Its points.
    pub points: Vec<Point>,
}

/// The chart of numerators and denominators; `None` without any denominator, or with a numerator above its own.
#[must_use]
pub fn chart(counts: &[(u64, u64)]) -> Option<Chart> {
    if counts.iter().any(|(x, n)| x > n) {
        return None;
    }
    let (x, n) = counts.iter().fold((0.0, 0.0), |(x, n), (a, b)| (x + *a as f64, n + *b as f64));
    if n == 0.0 {
        return None;
    }
    let centre = x / n;
    let points = counts.iter().map(|&(x, n)| point(x as f64, n as f64, centre)).collect();
    Some(Chart { centre, points })
}

fn point(x: f64, n: f64, centre: f64) -> Point {
    if n == 0.0 {
        return Point { value: None, limits: None, is_signal: false };
    }
    let (value, reach) = (x / n, 3.0 * (centre * (1.0 - centre) / n).sqrt());
    let limits = Interval { low: (centre - reach).max(0.0), high: (centre + reach).min(1.0) };
    let is_signal = value < limits.low - 1e-12 || value > limits.high + 1e-12;
    Point { value: Some(value), limits: Some(limits), is_signal }
}
