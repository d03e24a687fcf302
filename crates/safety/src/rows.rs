//! The rule files as they are written.

use serde::Deserialize;

use crate::report::Severity;

/// A case that shows a rule: facts, and the order the rule must speak about (and not speak without the facts).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Case {
    /// The name of what is ordered, as in a text.
    pub(crate) order: String,
    /// How it is taken.
    pub(crate) usage: String,
    /// What else is taken.
    pub(crate) has: Option<String>,
    pub(crate) allergy: Option<String>,
    pub(crate) reaction: Option<String>,
    pub(crate) egfr: Option<f64>,
    pub(crate) week: Option<f64>,
    pub(crate) age: Option<i64>,
    pub(crate) severity: Option<Severity>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MedicineRow {
    pub(crate) id: String,
    pub(crate) ja: Vec<String>,
    #[serde(default)]
    pub(crate) en: Vec<String>,
    #[serde(default)]
    pub(crate) atc: Vec<String>,
    #[serde(default)]
    pub(crate) yj: Vec<String>,
    #[serde(default)]
    pub(crate) rx: Vec<String>,
    #[serde(default)]
    pub(crate) local: bool,
    #[serde(default)]
    pub(crate) whole: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassRow {
    pub(crate) id: String,
    pub(crate) ja: Vec<String>,
    pub(crate) en: Vec<String>,
    #[serde(default)]
    pub(crate) atc: Vec<String>,
    #[serde(default)]
    pub(crate) of: Vec<String>,
    #[serde(default)]
    pub(crate) without: Vec<String>,
    #[serde(default)]
    pub(crate) snomed: Vec<String>,
}

/// A product's code and what is in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProductRow {
    pub(crate) rx: String,
    pub(crate) of: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceRow {
    pub(crate) id: String,
    pub(crate) ja: String,
    pub(crate) en: String,
    pub(crate) year: u16,
    pub(crate) url: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllergyRow {
    pub(crate) id: String,
    pub(crate) version: u32,
    /// What the person reacted to; empty: to the very ingredient.
    #[serde(default)]
    pub(crate) to: Vec<String>,
    /// What is ordered.
    #[serde(default)]
    pub(crate) order: Vec<String>,
    /// Only after such a reaction.
    pub(crate) after: Option<Reaction>,
    pub(crate) severity: Severity,
    pub(crate) advice: String,
    pub(crate) source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "its tests read it"))]
    pub(crate) test: Case,
}

/// Reactions rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reaction {
    Asthma,
    Angioedema,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DuplicateRow {
    pub(crate) id: String,
    pub(crate) version: u32,
    /// The group of which one is enough; empty: the same ingredient.
    #[serde(default)]
    pub(crate) class: String,
    pub(crate) severity: Severity,
    pub(crate) source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "its tests read it"))]
    pub(crate) test: Case,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InteractionRow {
    pub(crate) id: String,
    pub(crate) version: u32,
    pub(crate) a: Vec<String>,
    pub(crate) b: Vec<String>,
    pub(crate) severity: Severity,
    /// What may happen (`effect-…`).
    pub(crate) effect: String,
    /// What to do (`advice-…`).
    pub(crate) advice: String,
    pub(crate) source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "its tests read it"))]
    pub(crate) test: Case,
}

/// How kidneys are measured for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    Egfr,
    Crcl,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Applies below this (mL/min, or mL/min/1.73 m²).
    pub(crate) below: f64,
    pub(crate) severity: Severity,
    pub(crate) advice: String,
    /// Milligrams a day that are not too much.
    pub(crate) daily: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenalRow {
    pub(crate) id: String,
    pub(crate) version: u32,
    pub(crate) of: Vec<String>,
    pub(crate) measure: Measure,
    pub(crate) steps: Vec<Step>,
    pub(crate) source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "its tests read it"))]
    pub(crate) test: Case,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PregnancyRow {
    pub(crate) id: String,
    pub(crate) version: u32,
    pub(crate) of: Vec<String>,
    /// From this week on; from the beginning if it is not said.
    #[serde(default)]
    pub(crate) from_week: f64,
    pub(crate) severity: Severity,
    pub(crate) effect: String,
    pub(crate) advice: String,
    pub(crate) source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "its tests read it"))]
    pub(crate) test: Case,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DoseRow {
    pub(crate) id: String,
    pub(crate) version: u32,
    pub(crate) of: Vec<String>,
    /// Milligrams at once.
    pub(crate) single: Option<f64>,
    /// Milligrams a day.
    pub(crate) daily: Option<f64>,
    /// Milligrams a week.
    pub(crate) weekly: Option<f64>,
    /// Not for those younger (years).
    pub(crate) not_below: Option<i64>,
    /// Severity of what is above; that of an age is given with it.
    pub(crate) severity: Severity,
    pub(crate) source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "its tests read it"))]
    pub(crate) test: Case,
}
