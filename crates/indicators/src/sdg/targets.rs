//! Targets of SDG 3, as data (`data/targets.toml`).

use std::sync::OnceLock;

use serde::Deserialize;

/// A target: a level, or a share of the level of a year.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The SDG indicator it is measured by.
    pub sdg: String,
    /// What is aimed at, in Japanese.
    pub ja: String,
    /// What is aimed at, in English.
    pub en: String,
    /// The year it is to be reached.
    pub year: i32,
    /// The level, in the unit of the indicator.
    pub level: Option<f64>,
    /// Or the share of the level of the base year.
    pub share: Option<f64>,
    /// The base year.
    pub base_year: Option<i32>,
    /// Is the target met by values below it?
    pub is_at_most: bool,
    /// Where it is written.
    pub source: String,
}

#[derive(Deserialize)]
struct File {
    target: Vec<Target>,
}

impl Target {
    /// Every target that comes with the hub.
    #[must_use]
    pub fn all() -> &'static [Target] {
        static ALL: OnceLock<Vec<Target>> = OnceLock::new();
        ALL.get_or_init(|| {
            toml_edit::de::from_str::<File>(include_str!("../../data/targets.toml"))
                .map_or_else(|_| Vec::new(), |file| file.target)
        })
    }

    /// The one of an SDG indicator.
    #[must_use]
    pub fn of(sdg: &str) -> Option<&'static Target> {
        Target::all().iter().find(|target| target.sdg == sdg)
    }

    /// A target of one's own: a level and its year, to be reached from a value.
    #[must_use]
    pub fn own(level: f64, year: i32, from: f64) -> Target {
        Target {
            sdg: String::new(),
            ja: format!("{year}年までに{level}"),
            en: format!("{level} by {year}"),
            year,
            level: Some(level),
            share: None,
            base_year: None,
            is_at_most: from > level,
            source: "given".to_owned(),
        }
    }

    /// The level to be reached, given values by year; `None` where the base year has none.
    #[must_use]
    pub fn level_of(&self, values: &[(i32, f64)]) -> Option<f64> {
        match (self.level, self.share, self.base_year) {
            (Some(level), ..) => Some(level),
            (None, Some(share), Some(base)) => {
                values.iter().find(|(year, _)| *year == base).map(|(_, value)| value * share)
            }
            _ => None,
        }
    }
}
