//! How each method would have done on the past: from every origin (rolling), as far ahead as there are values.

use serde::Serialize;

use super::methods::Method;
use super::scale::Scale;

/// The least values to forecast from; ETS needs as many.
const LEAST: usize = 7;

/// How one method did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// The method.
    pub method: Method,
    /// The mean absolute error, in the unit of the series.
    pub mae: f64,
    /// The same by the mean move of the values before each origin (Hyndman and Koehler 2006).
    pub mase: f64,
    /// The share of values that lay in the 80 % interval.
    pub covered_80: f64,
    /// The share of values that lay in the 95 % interval.
    pub covered_95: f64,
    /// How many values were forecast.
    pub forecasts: usize,
}

/// How every method did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Backtest {
    /// From how many values on it was forecast, for each origin.
    pub origins: Vec<usize>,
    /// How many steps ahead at most.
    pub horizon: usize,
    /// The methods that could forecast from every origin.
    pub tried: Vec<Tried>,
}

impl Backtest {
    /// The method with the least scaled error, if it is less than that of "as last year".
    #[must_use]
    pub fn best(&self) -> Option<Method> {
        let naive = self.tried.iter().find(|t| t.method == Method::Naive)?;
        let best = self.tried.iter().min_by(|a, b| a.mase.total_cmp(&b.mase))?;
        (best.mase < naive.mase).then_some(best.method)
    }
}

/// Tries every method on a series.
pub(super) fn run(values: &[f64], scale: &Scale, steps: usize) -> Backtest {
    let horizon = steps.min(5).min(values.len() / 3).max(1);
    let origins: Vec<usize> = (LEAST.max(values.len() / 2)..values.len())
        .filter(|origin| step_of(values.get(..*origin).unwrap_or_default()) > 0.0)
        .collect();
    let tried = Method::ALL.iter().filter_map(|m| try_one(*m, values, scale, &origins, horizon)).collect();
    Backtest { origins, horizon, tried }
}

/// The mean move of values from one to the next.
fn step_of(values: &[f64]) -> f64 {
    let moves = values.iter().zip(values.iter().skip(1)).map(|(a, b)| (b - a).abs());
    moves.sum::<f64>() / (values.len().max(2) - 1) as f64
}

fn try_one(
    method: Method,
    values: &[f64],
    scale: &Scale,
    origins: &[usize],
    horizon: usize,
) -> Option<Tried> {
    let (mut error, mut scaled, mut in_80, mut in_95, mut count) = (0.0, 0.0, 0usize, 0usize, 0usize);
    for origin in origins {
        let (before, after) = values.split_at_checked(*origin)?;
        let steps = horizon.min(after.len());
        let path = method.ahead(&scale.transformed(before), steps)?;
        let move_before = step_of(before);
        for (step, value) in path.iter().zip(after) {
            let off = (scale.back(step.middle) - value).abs();
            error += off;
            scaled += off / move_before;
            in_80 += usize::from(scale.back(step.low_80) <= *value && *value <= scale.back(step.high_80));
            in_95 += usize::from(scale.back(step.low_95) <= *value && *value <= scale.back(step.high_95));
            count += 1;
        }
    }
    if count == 0 || !scaled.is_finite() {
        return None;
    }
    let mean = |sum: f64| sum / count as f64;
    Some(Tried {
        method,
        mae: mean(error),
        mase: mean(scaled),
        covered_80: mean(in_80 as f64),
        covered_95: mean(in_95 as f64),
        forecasts: count,
    })
}
