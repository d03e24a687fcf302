//! The methods, each from values to the steps ahead.

use std::fmt;

use augurs_core::{Fit as _, Predict as _};
use serde::Serialize;

use super::theta;
use crate::statistics::quantile::normal;

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// As last year.
    Naive,
    /// The straight line from the first value to the last, continued.
    Drift,
    /// Theta.
    Theta,
    /// Exponential smoothing, chosen by AICc.
    Ets,
}

impl Method {
    /// Every one; of two that are as good, the first is taken.
    pub const ALL: [Method; 4] = [Method::Naive, Method::Drift, Method::Theta, Method::Ets];
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Naive => "naive",
            Method::Drift => "drift",
            Method::Theta => "theta",
            Method::Ets => "ETS",
        })
    }
}

/// One step ahead, on the scale of the series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) middle: f64,
    pub(super) low_80: f64,
    pub(super) high_80: f64,
    pub(super) low_95: f64,
    pub(super) high_95: f64,
}

/// A normal step.
pub(super) fn spread(middle: f64, deviation: f64) -> Step {
    let reach = |p: f64| normal(p).unwrap_or(f64::NAN) * deviation;
    let (eighty, ninety_five) = (reach(0.9), reach(0.975));
    Step {
        middle,
        low_80: middle - eighty,
        high_80: middle + eighty,
        low_95: middle - ninety_five,
        high_95: middle + ninety_five,
    }
}

impl Method {
    /// Forecasts so many steps; `None` where the method cannot.
    pub(super) fn ahead(self, values: &[f64], steps: usize) -> Option<Vec<Step>> {
        let made = match self {
            Method::Naive => naive(values, steps),
            Method::Drift => drift(values, steps),
            Method::Theta => theta::ahead(values, steps),
            Method::Ets => ets(values, steps),
        }?;
        let is_finite = |s: &Step| [s.middle, s.low_95, s.high_95].iter().all(|v| v.is_finite());
        (made.len() == steps && made.iter().all(is_finite)).then_some(made)
    }
}

fn moves(values: &[f64]) -> Vec<f64> {
    values.iter().zip(values.iter().skip(1)).map(|(a, b)| b - a).collect()
}

fn naive(values: &[f64], steps: usize) -> Option<Vec<Step>> {
    let (last, moves) = (*values.last()?, moves(values));
    if moves.is_empty() {
        return None;
    }
    let deviation = (moves.iter().map(|m| m * m).sum::<f64>() / moves.len() as f64).sqrt();
    Some((1..=steps).map(|h| spread(last, deviation * (h as f64).sqrt())).collect())
}

fn drift(values: &[f64], steps: usize) -> Option<Vec<Step>> {
    let (first, last, moves) = (*values.first()?, *values.last()?, moves(values));
    if moves.len() < 2 {
        return None;
    }
    let n = moves.len() as f64;
    let slope = (last - first) / n;
    let deviation = (moves.iter().map(|m| (m - slope).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let step = |h: f64| spread(last + slope * h, deviation * (h * (1.0 + h / n)).sqrt());
    Some((1..=steps).map(|h| step(h as f64)).collect())
}

fn ets(values: &[f64], steps: usize) -> Option<Vec<Step>> {
    let spec: augurs_ets::AutoSpec = "AZN".parse().ok()?;
    let fitted = augurs_ets::AutoETS::from_spec(1, spec).fit(values).ok()?;
    let at = |level: f64| {
        let forecast = fitted.predict(steps, level).ok()?;
        Some((forecast.point, forecast.intervals?))
    };
    let ((middle, eighty), (_, ninety_five)) = (at(0.80)?, at(0.95)?);
    let step = |h: usize| {
        Some(Step {
            middle: *middle.get(h)?,
            low_80: *eighty.lower.get(h)?,
            high_80: *eighty.upper.get(h)?,
            low_95: *ninety_five.lower.get(h)?,
            high_95: *ninety_five.upper.get(h)?,
        })
    };
    (0..steps).map(step).collect()
}
