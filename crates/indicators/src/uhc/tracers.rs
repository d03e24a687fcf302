//! From tracers to the index, by a version of the method.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::geometric_mean;
use super::method::{Method, Part};

/// A number with its unit: what it is in is said, not guessed.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// The number.
    pub value: f64,
    /// `percent`, `fraction`, or the unit of the method.
    pub unit: String,
}

/// What is known of a country or hub: numbers by the name of the tracer or part, and whether malaria counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Numbers by tracer or part.
    pub measures: BTreeMap<String, Measure>,
    /// Is the burden of malaria high? Otherwise nets are left out.
    pub has_malaria: bool,
}

/// What was done to a score so that a geometric mean can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adjustment {
    /// It was 0 or below and counts as 1.
    RaisedToOne,
    /// It was above 100 and counts as 100.
    CutToHundred,
}

/// The score of one tracer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TracerScore {
    /// The tracer.
    pub id: String,
    /// 1 to 100; `None` where a number is missing.
    pub score: Option<f64>,
    /// What was done to it.
    pub adjustment: Option<Adjustment>,
}

/// The score of one area.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AreaScore {
    /// The area.
    pub id: String,
    /// The geometric mean of its tracers; `None` where one is missing.
    pub score: Option<f64>,
    /// Its tracers.
    pub tracers: Vec<TracerScore>,
}

/// The index and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The version of the method.
    pub method: String,
    /// The index, not rounded; `None` where a tracer is missing.
    pub index: Option<f64>,
    /// The four areas.
    pub areas: Vec<AreaScore>,
    /// Which numbers are missing. None is guessed.
    pub missing: Vec<String>,
    /// Which tracers do not count here.
    pub dropped: Vec<String>,
}

/// A number that cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// It is in another unit than the method needs.
    Unit {
        /// Of what.
        id: String,
        /// The unit given.
        given: String,
        /// The unit needed.
        needed: String,
    },
    /// It is negative or no number.
    Value {
        /// Of what.
        id: String,
        /// The number.
        value: f64,
    },
    /// The method has no such tracer.
    Unknown {
        /// The name given.
        id: String,
        /// The names there are.
        known: Vec<String>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unit { id, given, needed } => {
                write!(f, "{id}: the number is in '{given}', the method needs '{needed}'")
            }
            Error::Value { id, value } => write!(f, "{id}: {value} is no number of 0 or more"),
            Error::Unknown { id, known } => {
                write!(f, "{id}: the method has no such tracer; it has {}", known.join(", "))
            }
        }
    }
}

impl std::error::Error for Error {}

/// A number on the scale of 0 to 100, not yet cut.
fn rescaled(part: &Part, measure: &Measure) -> Result<f64, Error> {
    if !measure.value.is_finite() || measure.value < 0.0 {
        return Err(Error::Value { id: part.id.clone(), value: measure.value });
    }
    let value = match (measure.unit.as_str(), part.unit.as_str()) {
        ("fraction", "percent") if measure.value <= 1.0 => measure.value * 100.0,
        ("percent", "percent") if measure.value <= 100.001 => measure.value,
        ("fraction" | "percent", "percent") => {
            return Err(Error::Value { id: part.id.clone(), value: measure.value });
        }
        (given, needed) if given == needed => measure.value,
        (given, needed) => {
            return Err(Error::Unit {
                id: part.id.clone(),
                given: given.to_owned(),
                needed: needed.to_owned(),
            });
        }
    };
    Ok((value - part.worst) / (part.best - part.worst) * 100.0)
}

/// 0 counts as 1, and nothing more than 100.
fn adjusted(score: f64) -> (f64, Option<Adjustment>) {
    if score <= 0.0 {
        (1.0, Some(Adjustment::RaisedToOne))
    } else if score > 100.0 {
        (100.0, Some(Adjustment::CutToHundred))
    } else {
        (score, None)
    }
}

impl Method {
    /// The index of what is given, and what is missing of it.
    ///
    /// # Errors
    /// A number in another unit, below 0, or of no tracer of the method.
    pub fn score(&self, given: &Given) -> Result<Score, Error> {
        let tracers = || self.areas.iter().flat_map(|area| &area.tracers);
        let known: Vec<String> = tracers().flat_map(|t| t.parts()).map(|part| part.id).collect();
        if let Some(id) = given.measures.keys().find(|id| !known.contains(*id)) {
            return Err(Error::Unknown { id: id.clone(), known });
        }
        let (mut missing, mut dropped) = (Vec::new(), Vec::new());
        let mut areas = Vec::new();
        for area in &self.areas {
            let mut scores = Vec::new();
            for tracer in &area.tracers {
                if tracer.only.as_deref() == Some("malaria") && !given.has_malaria {
                    dropped.push(tracer.id.clone());
                    continue;
                }
                scores.push(tracer_score(&tracer.id, &tracer.parts(), given, &mut missing)?);
            }
            let whole: Option<Vec<f64>> = scores.iter().map(|t| t.score).collect();
            areas.push(AreaScore {
                id: area.id.clone(),
                score: whole.and_then(|scores| geometric_mean(&scores)),
                tracers: scores,
            });
        }
        let whole: Option<Vec<f64>> = areas.iter().map(|a| a.score).collect();
        let index = whole.and_then(|scores| geometric_mean(&scores));
        Ok(Score { method: self.version.clone(), index, areas, missing, dropped })
    }
}

fn tracer_score(
    id: &str,
    parts: &[Part],
    given: &Given,
    missing: &mut Vec<String>,
) -> Result<TracerScore, Error> {
    let mut scores = Vec::new();
    for part in parts {
        match given.measures.get(&part.id) {
            Some(measure) => scores.push(rescaled(part, measure)?),
            None => missing.push(part.id.clone()),
        }
    }
    if scores.len() < parts.len() || scores.is_empty() {
        return Ok(TracerScore { id: id.to_owned(), score: None, adjustment: None });
    }
    // Each cadre is cut at its threshold before their mean is taken.
    let (score, adjustment) = match scores.as_slice() {
        [one] => adjusted(*one),
        several => {
            let cut: Vec<f64> = several.iter().map(|s| s.clamp(0.0, 100.0)).collect();
            adjusted(geometric_mean(&cut).unwrap_or(0.0))
        }
    };
    Ok(TracerScore { id: id.to_owned(), score: Some(score), adjustment })
}
