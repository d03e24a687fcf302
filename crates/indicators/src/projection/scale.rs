//! The scale a series is forecast on: where every number can be a value.

use super::series::Note;
use crate::public::units::Kind;

/// A scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Logits of shares; moved inwards by so many values (Smithson and Verkuilen 2006), 0 for not at all.
    Logit { whole: f64, moved_by: f64 },
    /// Logarithms.
    Log,
    /// As they are, cut at 0.
    FromZero,
    /// As they are.
    Plain,
}

impl Scale {
    pub(super) fn of(kind: Kind, values: &[f64], notes: &mut Vec<Note>) -> Scale {
        if let Some(whole) = kind.whole() {
            let is_moved = values.iter().any(|v| *v <= 0.0 || *v >= whole);
            if is_moved {
                notes.push(Note::MovedInwards);
            }
            return Scale::Logit { whole, moved_by: if is_moved { values.len() as f64 } else { 0.0 } };
        }
        match kind {
            Kind::Rate if values.iter().any(|v| *v <= 0.0) => {
                notes.push(Note::NotLogarithmic);
                Scale::FromZero
            }
            Kind::Rate => Scale::Log,
            _ => Scale::Plain,
        }
    }

    pub(super) fn transformed(&self, values: &[f64]) -> Vec<f64> {
        values.iter().map(|v| self.there(*v)).collect()
    }

    fn there(&self, value: f64) -> f64 {
        match self {
            Scale::Logit { whole, moved_by } => {
                let share = value / whole;
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
            Scale::Logit { whole, moved_by } => {
                let inner = 1.0 / (1.0 + (-value).exp());
                let n = *moved_by;
                let share = if n > 1.0 { (inner * n - 0.5) / (n - 1.0) } else { inner };
                (share * whole).clamp(0.0, *whole)
            }
            Scale::Log => value.exp(),
            Scale::FromZero => value.max(0.0),
            Scale::Plain => value,
        }
    }
}
