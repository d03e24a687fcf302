//! Direct standardisation by age, with the gamma interval of Fay and Feuer (1997).

use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::Interval;
use super::quantile::chi_squared;

/// A standard population.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    /// Its name here.
    pub id: String,
    /// Its title in Japanese.
    pub ja: String,
    /// Its title in English.
    pub en: String,
    /// Where it is written.
    pub source: String,
    /// The first age of each group; the last is open.
    pub from: Vec<u32>,
    /// The weight of each group; any unit.
    pub weight: Vec<f64>,
}

#[derive(Deserialize)]
struct File {
    standard: Vec<Standard>,
}

impl Standard {
    /// Every standard population that comes with the hub.
    #[must_use]
    pub fn all() -> &'static [Standard] {
        static ALL: OnceLock<Vec<Standard>> = OnceLock::new();
        ALL.get_or_init(|| {
            toml_edit::de::from_str::<File>(include_str!("../../data/standards.toml"))
                .map_or_else(|_| Vec::new(), |file| file.standard)
        })
    }

    /// The one of a name.
    #[must_use]
    pub fn named(id: &str) -> Option<&'static Standard> {
        Standard::all().iter().find(|standard| standard.id == id)
    }

    /// Its weights for coarser groups, by the first age of each; the last is open.
    ///
    /// # Errors
    /// A group that does not begin where one of the standard's does, or none.
    pub fn grouped(&self, from: &[u32]) -> Result<Vec<f64>, Error> {
        let is_rising = from.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        if from.is_empty() || !is_rising {
            return Err(Error::Groups("the first ages of the groups must rise".to_owned()));
        }
        if let Some(age) = from.iter().find(|age| !self.from.contains(age)) {
            return Err(Error::Groups(format!("{} has no group that begins at {age}", self.id)));
        }
        let mut weights = vec![0.0; from.len()];
        for (age, weight) in self.from.iter().zip(&self.weight) {
            if let Some(group) = from.iter().rposition(|first| first <= age)
                && let Some(sum) = weights.get_mut(group)
            {
                *sum += weight;
            }
        }
        Ok(weights)
    }
}

/// Events and the persons (or person-years) they happened to, in one group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratum {
    /// How many events.
    pub events: u64,
    /// Persons or person-years.
    pub population: f64,
    /// The weight of the group in the standard population.
    pub weight: f64,
}

/// Why there is no standardised rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The groups do not fit the standard population.
    Groups(String),
    /// A group has no population, or a number that is none.
    Population {
        /// Which group, from 0.
        group: usize,
    },
    /// The level is not between 0 and 1, or the bounds cannot be computed.
    Level,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Groups(what) => f.write_str(what),
            Error::Population { group } => write!(
                f,
                "group {group} has no population: put it together with the next, or leave it out of the standard too"
            ),
            Error::Level => f.write_str("the confidence is not between 0 and 1"),
        }
    }
}

impl std::error::Error for Error {}

/// A rate per person, its interval, and the rate that was not standardised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Events per person.
    pub crude: f64,
    /// Events per person, were the ages those of the standard population.
    pub rate: f64,
    /// Its interval.
    pub interval: Interval,
}

/// Standardises directly.
///
/// # Errors
/// A group without population, or a level that is none.
pub fn direct(strata: &[Stratum], level: f64) -> Result<Rate, Error> {
    let is_bad = |s: &Stratum| {
        !(s.population.is_finite() && s.population > 0.0 && s.weight.is_finite() && s.weight >= 0.0)
    };
    if let Some(group) = strata.iter().position(is_bad) {
        return Err(Error::Population { group });
    }
    let whole: f64 = strata.iter().map(|s| s.weight).sum();
    if whole <= 0.0 {
        return Err(Error::Groups("the weights of the standard population are all 0".to_owned()));
    }
    // Fay and Feuer's w: what one event in the group adds to the rate.
    let one = |s: &Stratum| s.weight / whole / s.population;
    let rate: f64 = strata.iter().map(|s| one(s) * s.events as f64).sum();
    let variance: f64 = strata.iter().map(|s| one(s).powi(2) * s.events as f64).sum();
    let most = strata.iter().map(one).fold(0.0, f64::max);
    let tail = (1.0 - level) / 2.0;
    let low = match rate > 0.0 {
        true => {
            variance / (2.0 * rate) * chi_squared(tail, 2.0 * rate * rate / variance).ok_or(Error::Level)?
        }
        false => 0.0,
    };
    let (further, wider) = (rate + most, variance + most * most);
    let high = wider / (2.0 * further)
        * chi_squared(1.0 - tail, 2.0 * further * further / wider).ok_or(Error::Level)?;
    let events: f64 = strata.iter().map(|s| s.events as f64).sum();
    let population: f64 = strata.iter().map(|s| s.population).sum();
    Ok(Rate { crude: events / population, rate, interval: Interval { low, high } })
}
