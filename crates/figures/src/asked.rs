//! What is asked for.

use std::sync::Arc;

use fhir::date_time::Micros;
use fhir::issue::nearest;
use hub::Failure;
use measures::{Indicator, Kind, Period};
use serde_json::Value;

use crate::Figures;
use crate::failure::invalid;

/// Sets of indicators are named by this system in `Measure.topic`.
const SETS: &str = "https://yojigen.example/fhir/CodeSystem/indicator-set";

/// Which indicators.
#[derive(Clone, Debug, Default)]
pub enum WhichIndicators {
    /// All that come with the program.
    #[default]
    All,
    /// By id, by canonical address with or without version, or by the code of their set.
    Named(Vec<String>),
}

/// An evaluation that is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which indicators.
    pub which: WhichIndicators,
    /// The days that are looked at.
    pub period: Period,
    /// As it was known at this moment; none is now.
    pub as_of: Option<Micros>,
    /// Only this person (the id of a Patient).
    pub person: Option<String>,
    /// What the reports tell of persons.
    pub kind: Kind,
}

/// The code of the set an indicator belongs to.
#[must_use]
pub fn set_of(indicator: &Indicator) -> &str {
    let topics = indicator.measure.json["topic"].as_array().map_or(&[][..], Vec::as_slice);
    let codings = topics.iter().filter_map(|t| t["coding"].as_array()).flatten();
    let of_set = |c: &&Value| c["system"] == SETS;
    codings.filter(of_set).find_map(|c| c["code"].as_str()).unwrap_or_default()
}

impl Figures {
    /// The indicators that are meant.
    ///
    /// # Errors
    /// A name that none has, with the nearest that one has.
    pub fn which(&self, which: &WhichIndicators) -> Result<Vec<Arc<Indicator>>, Failure> {
        let all = self.indicators()?;
        let WhichIndicators::Named(names) = which else { return Ok(all.to_vec()) };
        let mut found: Vec<Arc<Indicator>> = Vec::new();
        for name in names {
            let is_meant = |i: &&Arc<Indicator>| {
                let measure = &i.measure;
                *name == measure.id
                    || *name == measure.url
                    || *name == format!("{}|{}", measure.url, measure.version)
                    || name == set_of(i)
            };
            let before = found.len();
            for indicator in all.iter().filter(is_meant) {
                if !found.iter().any(|known| Arc::ptr_eq(known, indicator)) {
                    found.push(Arc::clone(indicator));
                }
            }
            if found.len() == before && !all.iter().any(|i| is_meant(&i)) {
                let near = nearest(name, all.iter().map(|i| i.measure.id.as_str()));
                let known = if near.is_empty() {
                    "yojigen indicator list names them".to_owned()
                } else {
                    near.join(" or ")
                };
                return Err(invalid(format!("there is no indicator '{name}'; {known}")));
            }
        }
        Ok(found)
    }
}
