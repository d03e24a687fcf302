//! Limits of a funnel plot (Spiegelhalter 2005): exact, between the two counts that enclose the tail.

use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF, Poisson};

use super::Interval;

/// Limits at one size: an alert at 95 %, an alarm at 99.8 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// 2.5 % lie below, 2.5 % above.
    pub alert: Interval,
    /// 0.1 % lie below, 0.1 % above.
    pub alarm: Interval,
}

/// Where an observation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Zone {
    /// Within the 95 % limits.
    Within,
    /// Outside 95 %, within 99.8 %.
    Alert,
    /// Outside 99.8 %.
    Alarm,
}

impl Limits {
    /// Where an observation is.
    #[must_use]
    pub fn zone(&self, observed: f64) -> Zone {
        let is_in = |i: &Interval| observed >= i.low && observed <= i.high;
        match (is_in(&self.alert), is_in(&self.alarm)) {
            (true, _) => Zone::Within,
            (false, true) => Zone::Alert,
            (false, false) => Zone::Alarm,
        }
    }
}

/// Limits of a proportion of `denominator`, were the true one `target`. `None` where there is nothing to compare.
#[must_use]
pub fn proportion(target: f64, denominator: u64) -> Option<Limits> {
    if denominator == 0 || !(0.0..=1.0).contains(&target) {
        return None;
    }
    let binomial = Binomial::new(target, denominator).ok()?;
    let at = |p: f64| (limit(&binomial, p, denominator) / denominator as f64).clamp(0.0, 1.0);
    Some(limits(at))
}

/// Limits of observed / expected, were the true ratio 1. `None` without an expectation.
#[must_use]
pub fn ratio(expected: f64) -> Option<Limits> {
    let poisson = Poisson::new(expected).ok()?;
    let most = (expected + 20.0 * expected.sqrt() + 50.0).min(1e15) as u64;
    Some(limits(|p| (limit(&poisson, p, most) / expected).max(0.0)))
}

fn limits(at: impl Fn(f64) -> f64) -> Limits {
    let interval = |tail: f64| Interval { low: at(tail), high: at(1.0 - tail) };
    Limits { alert: interval(0.025), alarm: interval(0.001) }
}

/// Spiegelhalter's count: the smallest r with P(R ≤ r) > p, less what of its step lies beyond p.
fn limit(distribution: &impl DiscreteCDF<u64, f64>, p: f64, most: u64) -> f64 {
    let (mut low, mut high) = (0u64, most);
    while low < high {
        let middle = low + (high - low) / 2;
        if distribution.cdf(middle) > p { high = middle } else { low = middle + 1 }
    }
    let upto = distribution.cdf(low);
    let before = if low == 0 { 0.0 } else { distribution.cdf(low - 1) };
    let step = upto - before;
    if step <= 0.0 {
        return low as f64;
    }
    low as f64 - ((upto - p) / step).clamp(0.0, 1.0)
}
