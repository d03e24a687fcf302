//! Rates of SDG 3: what is divided by what, and by how many it is told (`data/rates.toml`).

use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::statistics::Interval;
use crate::statistics::interval::{poisson, wilson};

/// How a rate's interval is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Method {
    /// Events are a count: Garwood.
    Count,
    /// The numerator is part of the denominator: Wilson.
    Share,
}

/// The formula of a rate.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Formula {
    /// The SDG indicator.
    pub id: String,
    /// Its title in Japanese.
    pub ja: String,
    /// Its title in English.
    pub en: String,
    /// What is counted.
    pub numerator: String,
    /// What it is divided by.
    pub denominator: String,
    /// By how many it is told.
    pub per: f64,
    interval: Method,
    /// Where it is written.
    pub source: String,
}

/// A rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// The rate, by as many as the formula says.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Interval,
}

/// Why there is no rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is nothing to divide by.
    NoDenominator(String),
    /// The numerator is more than the denominator it is part of.
    MoreThanWhole(u64, u64),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoDenominator(what) => write!(f, "there are no {what}: no rate"),
            Error::MoreThanWhole(x, n) => write!(f, "{x} are not part of {n}"),
        }
    }
}

impl std::error::Error for Error {}

#[derive(Deserialize)]
struct File {
    rate: Vec<Formula>,
}

impl Formula {
    /// Every formula that comes with the hub.
    #[must_use]
    pub fn all() -> &'static [Formula] {
        static ALL: OnceLock<Vec<Formula>> = OnceLock::new();
        ALL.get_or_init(|| {
            toml_edit::de::from_str::<File>(include_str!("../../data/rates.toml"))
                .map_or_else(|_| Vec::new(), |file| file.rate)
        })
    }

    /// The one of an indicator.
    #[must_use]
    pub fn of(id: &str) -> Option<&'static Formula> {
        Formula::all().iter().find(|formula| formula.id == id)
    }

    /// The rate of counts.
    ///
    /// # Errors
    /// Nothing to divide by, or a part above its whole.
    pub fn rate(&self, numerator: u64, denominator: u64) -> Result<Rate, Error> {
        if denominator == 0 {
            return Err(Error::NoDenominator(self.denominator.clone()));
        }
        let n = denominator as f64;
        let interval = match self.interval {
            Method::Share => wilson(numerator, denominator, 0.95),
            Method::Count => poisson(numerator, 0.95).map(|i| Interval { low: i.low / n, high: i.high / n }),
        };
        let interval = interval.ok_or(Error::MoreThanWhole(numerator, denominator))?;
        let value = numerator as f64 / n * self.per;
        Ok(Rate {
            value,
            interval: Interval { low: interval.low * self.per, high: interval.high * self.per },
        })
    }
}
