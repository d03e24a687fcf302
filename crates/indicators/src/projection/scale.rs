//! The scale a series is forecast on: where every number can be a value.

use super::series::Note;
use crate::public::units::Kind;

/// A scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Logits of shares of a hundred; moved inwards by so many values (Smithson and Verkuilen 2006), 0 for not at all.
    Logit { moved_by: f64 },
    /// Logarithms.
    Log,
    /// As they are, cut at 0.
    FromZero,
    /// As they are.
    Plain,
}

impl Scale {
    pub(super) fn of(kind: Kind, values: &[f64], notes: &mut Vec<Note>) -> Scale {
        match kind {
            Kind::Percent if values.iter().any(|v| *v <= 0.0 || *v >= 100.0) => {
                notes.push(Note::MovedInwards);
                Scale::Logit { moved_by: values.len() as f64 }
            }
            Kind::Percent => Scale::Logit { moved_by: 0.0 },
            Kind::Rate if values.iter().any(|v| *v <= 0.0) => {
                notes.push(Note::NotLogarithmic);
                Scale::FromZero
            }
            Kind::Rate => Scale::Log,
            Kind::Quantity => Scale::Plain,
        }
    }

    pub(super) fn transformed(&self, values: &[f64]) -> Vec<f64> {
        values.iter().map(|v| self.there(*v)).collect()
    }

    fn there(&self, value: f64) -> f64 {
        match self {
            Scale::Logit { moved_by } => {
                let share = value / 100.0;
                let n = *moved_by;
                let inner = if n > 0.0 { (share * (n - 1.0) + 0.5) / n } else { share };
                (inner / (1.0 - inner)).ln()
            }
            Scale::Log => value.ln(),
            Scale::FromZero | Scale::Plain => value,
        }
    }

    pub(super) fn back(&self, value: f64) -> f64 {
        match self {
            Scale::Logit { moved_by } => {
                let inner = 1.0 / (1.0 + (-value).exp());
                let n = *moved_by;
                let share = if n > 1.0 { (inner * n - 0.5) / (n - 1.0) } else { inner };
                (share * 100.0).clamp(0.0, 100.0)
            }
            Scale::Log => value.exp(),
            Scale::FromZero => value.max(0.0),
            Scale::Plain => value,
        }
    }
}
