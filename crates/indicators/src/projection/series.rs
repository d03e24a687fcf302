//! From years and values to a regular series, and why there may be none.

use std::fmt;

use serde::Serialize;

use crate::public::units::Kind;

/// Fewer values than these are not forecast.
const LEAST: usize = 10;

/// Values at even steps of years.
pub(super) struct Regular {
    pub(super) values: Vec<f64>,
    pub(super) step: i32,
    pub(super) last_year: i32,
}

/// What was done to a series.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum Note {
    /// Years without a value lie on the line between their neighbours.
    Filled {
        /// Which.
        years: Vec<i32>,
    },
    /// What lies before a long gap was left out.
    LeftOut {
        /// The first year that was used.
        from: i32,
    },
    /// Values a little above the whole (100.00001 %) count as the whole.
    CutToWhole {
        /// Of which years.
        years: Vec<i32>,
    },
    /// Nothing or the whole are among the values: all were moved a little inwards, so that they have a logit.
    MovedInwards,
    /// 0 is among the values: they were forecast as they are, and cut at 0.
    NotLogarithmic,
}

/// Why a series is not forecast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Refusal {
    /// It has too few values.
    TooShort {
        /// How many there are.
        count: usize,
        /// How many are needed.
        least: usize,
    },
    /// More than a third of its years have no value.
    Gaps {
        /// How many values there are.
        count: usize,
        /// Over how many years.
        years: usize,
    },
    /// A value is no number.
    NotFinite {
        /// Its year.
        year: i32,
    },
    /// A year has two values.
    Twice {
        /// The year.
        year: i32,
    },
    /// A value cannot be: below 0, a share above its whole, a year that is none.
    Impossible {
        /// Its year.
        year: i32,
        /// The value.
        value: f64,
    },
    /// The forecast leaves what numbers can hold.
    Diverges,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |years: &[i32]| years.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Note::Filled { years } => {
                write!(f, "{} had no value and lie on the line between their neighbours", list(years))
            }
            Note::LeftOut { from } => {
                write!(f, "what lies before a long gap was left out; used from {from} on")
            }
            Note::CutToWhole { years } => {
                write!(f, "{}: a little above the whole, taken as the whole", list(years))
            }
            Note::MovedInwards => {
                f.write_str("0 or the whole are among the values; all were moved a little inwards")
            }
            Note::NotLogarithmic => f.write_str("0 is among the values; forecast as they are, cut at 0"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TooShort { count, least } => {
                write!(f, "the series has {count} values at even steps; {least} are needed")
            }
            Refusal::Gaps { count, years } => {
                write!(
                    f,
                    "there are {count} values for {years} years; more than a third would have to be filled in"
                )
            }
            Refusal::NotFinite { year } => write!(f, "{year}: the value is no number"),
            Refusal::Twice { year } => {
                write!(f, "{year} has two values; choose one (sex, residence, release)")
            }
            Refusal::Impossible { year, value } => {
                write!(f, "{year}: {value} cannot be a value of this kind")
            }
            Refusal::Diverges => f.write_str("the forecast leaves what numbers can hold"),
        }
    }
}

/// Values at even steps, from points in the order of years.
pub(super) fn regular(points: &[(i32, f64)], kind: Kind, notes: &mut Vec<Note>) -> Result<Regular, Refusal> {
    let mut points = points.to_vec();
    let mut cut = Vec::new();
    for (year, value) in &mut points {
        if let Some(whole) = kind.whole().filter(|whole| *value > *whole && *value <= whole * 1.000_01) {
            *value = whole;
            cut.push(*year);
        }
        let most = kind.whole().unwrap_or(f64::INFINITY);
        let is_possible =
            (1..=9999).contains(year) && (kind == Kind::Quantity || (0.0..=most).contains(value));
        if !value.is_finite() {
            return Err(Refusal::NotFinite { year: *year });
        }
        if !is_possible {
            return Err(Refusal::Impossible { year: *year, value: *value });
        }
    }
    if !cut.is_empty() {
        notes.push(Note::CutToWhole { years: cut });
    }
    let pairs = || points.iter().zip(points.iter().skip(1));
    if let Some(((year, _), _)) = pairs().find(|(a, b)| a.0 == b.0) {
        return Err(Refusal::Twice { year: *year });
    }
    let step = pairs().map(|(a, b)| b.0 - a.0).min().unwrap_or(1);
    // Years at even steps of the smallest, or single years.
    let step = if pairs().all(|(a, b)| (b.0 - a.0) % step == 0) { step } else { 1 };
    // A gap of more than three steps parts the series.
    let part = pairs().rposition_of(|(a, b)| (b.0 - a.0) / step > 4);
    let used = part.map_or(points.as_slice(), |at| points.get(at + 1..).unwrap_or_default());
    let (Some((first, _)), Some((last_year, _))) = (used.first().copied(), used.last().copied()) else {
        return Err(Refusal::TooShort { count: 0, least: LEAST });
    };
    let years = usize::try_from((last_year - first) / step + 1).unwrap_or_default();
    if used.len() < LEAST {
        let spread = points.len() >= LEAST / 2 && points.len() > used.len();
        let all = points.first().map_or(years, |(f, _)| usize::try_from(last_year - f + 1).unwrap_or(years));
        return Err(match spread {
            true => Refusal::Gaps { count: points.len(), years: all },
            false => Refusal::TooShort { count: used.len(), least: LEAST },
        });
    }
    if (years - used.len()) * 3 > years {
        return Err(Refusal::Gaps { count: used.len(), years });
    }
    if part.is_some() {
        notes.push(Note::LeftOut { from: first });
    }
    let (mut values, mut filled) = (Vec::with_capacity(years), Vec::new());
    for (a, b) in used.iter().zip(used.iter().skip(1)) {
        values.push(a.1);
        for year in (a.0 + step..b.0).step_by(usize::try_from(step).unwrap_or(1).max(1)) {
            let share = f64::from(year - a.0) / f64::from(b.0 - a.0);
            values.push(a.1 + share * (b.1 - a.1));
            filled.push(year);
        }
    }
    values.extend(used.last().map(|(_, value)| *value));
    if !filled.is_empty() {
        notes.push(Note::Filled { years: filled });
    }
    Ok(Regular { values, step, last_year })
}

/// The place of the last item that is so, of an iterator that cannot be read from its end.
trait RpositionOf: Iterator + Sized {
    fn rposition_of(self, is_so: impl Fn(Self::Item) -> bool) -> Option<usize> {
        self.enumerate().filter_map(|(at, item)| is_so(item).then_some(at)).last()
    }
}

impl<I: Iterator> RpositionOf for I {}
