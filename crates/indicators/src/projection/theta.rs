//! Theta: exponential smoothing with half the slope of the trend as drift (Hyndman and Billah 2003).

use super::methods::{Step, spread};

/// Forecasts so many steps; `None` of fewer than three values.
pub(super) fn ahead(values: &[f64], steps: usize) -> Option<Vec<Step>> {
    let n = values.len();
    if n < 3 {
        return None;
    }
    let drift = slope(values)? / 2.0;
    // The sum of squares has one valley for almost every series; a fine grid finds it in all of them.
    let (mut best, mut least) = (1.0, f64::INFINITY);
    for hundredth in 1..=100u32 {
        let alpha = f64::from(hundredth) / 100.0;
        let (_, squares) = smoothed(values, alpha, drift)?;
        if squares < least {
            (best, least) = (alpha, squares);
        }
    }
    let (level, squares) = smoothed(values, best, drift)?;
    let deviation = (squares / (n as f64 - 2.0)).sqrt();
    let steps = (1..=steps).map(|h| {
        let h = h as f64;
        spread(level + drift * h, deviation * (1.0 + (h - 1.0) * best * best).sqrt())
    });
    Some(steps.collect())
}

/// The last level, and the sum of the squares of the errors one step ahead.
fn smoothed(values: &[f64], alpha: f64, drift: f64) -> Option<(f64, f64)> {
    let mut level = *values.first()?;
    let mut squares = 0.0;
    for value in values.iter().skip(1) {
        let expected = level + drift;
        let error = value - expected;
        squares += error * error;
        level = expected + alpha * error;
    }
    Some((level, squares))
}

/// The slope of the straight line of least squares through values at 0, 1, 2, ….
fn slope(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / n;
    let across: f64 = values.iter().enumerate().map(|(t, v)| (t as f64 - middle) * (v - mean)).sum();
    let along: f64 = (0..values.len()).map(|t| (t as f64 - middle).powi(2)).sum();
    (along > 0.0).then(|| across / along)
}
