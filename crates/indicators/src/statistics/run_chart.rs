//! Signals of a run chart.
//!
//! * shift: so many points in a row on one side of the median (points on it neither count nor end a run). 6 after Perla,
//!   Provost and Murray (BMJ Quality & Safety 2011); 7 or 8 in older texts.
//! * trend: so many points in a row that rise, or fall (a point equal to the one before neither counts nor ends it). 5 after
//!   the same; 6 in others.
//! * runs: fewer or more runs about the median than 2.5 % of random orders have (Swed and Eisenhart 1943, computed exactly).
//! * astronomical: a point nobody would take for one of the others. The sources leave it to the eye; here it is more than
//!   3.145 median moving ranges from the median (Wheeler's natural limits), so that it can be repeated.

use serde::Serialize;

use super::median;

/// How long a shift and a trend must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Points of a shift: 6 to 8.
    pub shift: usize,
    /// Points of a trend, its first included: 5 or 6.
    pub trend: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { shift: 6, trend: 5 }
    }
}

/// A signal, by the places of points from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "signal", rename_all = "kebab-case")]
pub enum Signal {
    /// Points on one side of the median.
    Shift {
        /// The first.
        from: usize,
        /// The last.
        to: usize,
        /// Above the median?
        is_above: bool,
    },
    /// Points that rise or fall.
    Trend {
        /// The first.
        from: usize,
        /// The last.
        to: usize,
        /// Do they rise?
        is_rising: bool,
    },
    /// Fewer runs than chance has.
    TooFewRuns {
        /// How many there are.
        runs: usize,
        /// The fewest that are no signal.
        least: usize,
    },
    /// More runs than chance has.
    TooManyRuns {
        /// How many there are.
        runs: usize,
        /// The most that are no signal.
        most: usize,
    },
    /// A point unlike the others.
    Astronomical {
        /// Which.
        at: usize,
    },
}

/// What a run chart shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunChart {
    /// The median.
    pub median: f64,
    /// How many points do not lie on it.
    pub useful: usize,
    /// Is it long enough for the rules: ten points that do not lie on the median?
    pub is_long_enough: bool,
    /// What was found; nothing where it is too short.
    pub signals: Vec<Signal>,
}

const LEAST_POINTS: usize = 10;

/// Looks for signals; `None` of no points, or of one that is no number.
#[must_use]
pub fn run_chart(values: &[f64], rules: Rules) -> Option<RunChart> {
    if values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let middle = median(values)?;
    let sides: Vec<(usize, bool)> =
        values.iter().enumerate().filter(|(_, v)| **v != middle).map(|(at, v)| (at, *v > middle)).collect();
    let is_long_enough = sides.len() >= LEAST_POINTS;
    let mut signals = Vec::new();
    if is_long_enough {
        let mut runs = 0;
        for run in sides.chunk_by(|a, b| a.1 == b.1) {
            runs += 1;
            if let (Some((from, is_above)), Some((to, _))) = (run.first(), run.last())
                && run.len() >= rules.shift
            {
                signals.push(Signal::Shift { from: *from, to: *to, is_above: *is_above });
            }
        }
        trends(values, rules.trend, &mut signals);
        let above = sides.iter().filter(|(_, is_above)| *is_above).count();
        let (least, most) = limits_of_runs(above, sides.len() - above);
        if runs < least {
            signals.push(Signal::TooFewRuns { runs, least });
        } else if runs > most {
            signals.push(Signal::TooManyRuns { runs, most });
        }
        let moves: Vec<f64> = values.iter().zip(values.iter().skip(1)).map(|(a, b)| (b - a).abs()).collect();
        let reach = 3.145 * median(&moves)?;
        let far = values.iter().enumerate().filter(|(_, v)| reach > 0.0 && (**v - middle).abs() > reach);
        signals.extend(far.map(|(at, _)| Signal::Astronomical { at }));
    }
    Some(RunChart { median: middle, useful: sides.len(), is_long_enough, signals })
}

fn trends(values: &[f64], length: usize, signals: &mut Vec<Signal>) {
    let steps: Vec<(usize, bool)> = values
        .iter()
        .zip(values.iter().skip(1))
        .enumerate()
        .filter(|(_, (a, b))| a != b)
        .map(|(at, (a, b))| (at, b > a))
        .collect();
    for run in steps.chunk_by(|a, b| a.1 == b.1) {
        if let (Some((from, is_rising)), Some((to, _))) = (run.first(), run.last())
            && run.len() + 1 >= length
        {
            signals.push(Signal::Trend { from: *from, to: to + 1, is_rising: *is_rising });
        }
    }
}

/// The fewest and the most runs that are no signal: outside lie at most 2.5 % of the orders on each side.
#[must_use]
pub fn limits_of_runs(above: usize, below: usize) -> (usize, usize) {
    if above == 0 || below == 0 {
        return (1, 1);
    }
    let orders = ln_choose(above + below, above);
    let of = |runs: usize| {
        let half = runs / 2;
        let ways = |a: usize, b: usize| (ln_choose(above - 1, a) + ln_choose(below - 1, b) - orders).exp();
        match runs % 2 {
            0 => 2.0 * ways(half - 1, half - 1),
            _ => ways(half - 1, half) + ways(half, half - 1),
        }
    };
    let most_possible = above + below;
    let tail = |runs: &mut dyn Iterator<Item = usize>| {
        let mut sum = 0.0;
        runs.take_while(|r| {
            sum += of(*r);
            sum <= 0.025
        })
        .last()
    };
    let fewest = tail(&mut (2..=most_possible)).map_or(2, |r| r + 1);
    let most = tail(&mut (2..=most_possible).rev()).map_or(most_possible, |r| r - 1);
    (fewest, most)
}

fn ln_choose(n: usize, k: usize) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    statrs::function::factorial::ln_binomial(n as u64, k as u64)
}
