//! What may become of a series, and what would have to.
//!
//! A forecast is drawn only if its method was better than "as last year" on the series' own past ([`backtest`]); that none was
//! is a result too. The methods are exponential smoothing (ETS, chosen by AICc; the crate augurs), theta (Assimakopoulos and
//! Nikolopoulos 2000, as Hyndman and Billah 2003 showed it to be) and the straight line from first to last (drift). Shares are forecast
//! as logits and positive rates as logarithms, so that no interval leaves what can be.
//!
//! Beside it a scenario: how much a year it takes to reach a target. It is arithmetic, not a forecast.

pub mod backtest;
mod methods;
mod scale;
pub mod scenario;
pub mod select;
mod series;
mod theta;

use std::fmt;

use serde::Serialize;

pub use self::backtest::{Backtest, Tried};
pub use self::methods::Method;
pub use self::scenario::Scenario;
pub use self::series::{Note, Refusal};

use crate::public::units::Kind;
use crate::sdg::targets::Target;
use crate::statistics::Interval;

/// One year of a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ahead {
    /// The year.
    pub year: i32,
    /// The middle: as likely above as below.
    pub middle: f64,
    /// The 80 % interval.
    pub within_80: Interval,
    /// The 95 % interval.
    pub within_95: Interval,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// A forecast by the method that was best in the past.
    Forecast {
        /// The method.
        method: Method,
        /// Its years.
        ahead: Vec<Ahead>,
    },
    /// No method was better than "as last year".
    NoBetterThanNaive,
    /// The values never changed.
    Constant {
        /// Their value.
        value: f64,
    },
    /// There can be no forecast.
    Refused {
        /// Why.
        why: Refusal,
    },
}

/// A series, its forecast or why there is none, and a scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Projection {
    /// Years and values as they were published.
    pub history: Vec<(i32, f64)>,
    /// What was done to them before.
    pub notes: Vec<Note>,
    /// How each method did on the past.
    pub backtest: Option<Backtest>,
    /// What came of it.
    #[serde(flatten)]
    pub result: Outcome,
    /// What it takes to reach the target.
    pub scenario: Option<Scenario>,
}

/// The most years ahead that are forecast.
pub const MOST_AHEAD: usize = 30;

/// Projects a series of years and values so many years ahead.
#[must_use]
pub fn project(points: &[(i32, f64)], kind: Kind, ahead: usize, target: Option<&Target>) -> Projection {
    let mut history = points.to_vec();
    history.sort_by_key(|(year, _)| *year);
    let mut projection = Projection {
        history,
        notes: Vec::new(),
        backtest: None,
        result: Outcome::NoBetterThanNaive,
        scenario: None,
    };
    let series = match series::regular(&projection.history, kind, &mut projection.notes) {
        Ok(series) => series,
        Err(why) => {
            projection.result = Outcome::Refused { why };
            if !matches!(why, Refusal::NotFinite { .. } | Refusal::Twice { .. } | Refusal::Impossible { .. })
            {
                projection.scenario = scenario::of(&projection.history, target);
            }
            return projection;
        }
    };
    projection.scenario = scenario::of(&projection.history, target);
    let (Some(first), true) = (series.values.first(), series.values.len() > 1) else {
        return projection;
    };
    if series.values.iter().all(|v| v == first) {
        projection.result = Outcome::Constant { value: *first };
        return projection;
    }
    let scale = scale::Scale::of(kind, &series.values, &mut projection.notes);
    let steps = ahead.clamp(1, MOST_AHEAD).div_ceil(usize::try_from(series.step).unwrap_or(1).max(1));
    let backtest = backtest::run(&series.values, &scale, steps);
    if let Some(method) = backtest.best()
        && let Some(path) = method.ahead(&scale.transformed(&series.values), steps)
    {
        let years = (1..).map(|step| series.last_year + step * series.step);
        let ahead: Vec<Ahead> = years
            .zip(&path)
            .map(|(year, step)| Ahead {
                year,
                middle: scale.back(step.middle),
                within_80: Interval { low: scale.back(step.low_80), high: scale.back(step.high_80) },
                within_95: Interval { low: scale.back(step.low_95), high: scale.back(step.high_95) },
            })
            .collect();
        let is_whole = ahead.iter().all(|a| {
            [a.middle, a.within_80.low, a.within_80.high, a.within_95.low, a.within_95.high]
                .iter()
                .all(|v| v.is_finite())
        });
        projection.result = match is_whole {
            true => Outcome::Forecast { method, ahead },
            false => Outcome::Refused { why: Refusal::Diverges },
        };
    }
    projection.backtest = Some(backtest);
    projection
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Forecast { method, .. } => write!(f, "forecast by {method}, the best on the past"),
            Outcome::NoBetterThanNaive => f.write_str(
                "no forecast: on the past of this series no method was better than \"as last year\"",
            ),
            Outcome::Constant { value } => write!(f, "no forecast: the value has always been {value}"),
            Outcome::Refused { why } => write!(f, "no forecast: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
