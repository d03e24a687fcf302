//! In which unit a publisher's numbers are: a rule per indicator, stated as data (`data/units.toml`).

use std::sync::OnceLock;

use serde::Deserialize;

use super::{PlaceKind, Source};

/// What kind of quantity an indicator is: which values it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A share of a hundred: 0 to 100.
    Percent,
    /// A share of one: 0 to 1.
    Fraction,
    /// A rate or an amount: 0 or more.
    Rate,
    /// Any number.
    Quantity,
}

impl Kind {
    /// The whole a share is of; `None` of what is no share.
    #[must_use]
    pub fn whole(self) -> Option<f64> {
        match self {
            Kind::Percent => Some(100.0),
            Kind::Fraction => Some(1.0),
            Kind::Rate | Kind::Quantity => None,
        }
    }
}

/// The rule of one indicator.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The publisher's name.
    pub source: String,
    /// The indicator's code.
    pub code: String,
    /// Its title in Japanese.
    pub ja: String,
    /// Its title in English.
    pub en: String,
    /// The unit of its values after the rule.
    pub unit: String,
    /// Which values it may have.
    pub kind: Kind,
    /// What numbers of countries are multiplied by.
    #[serde(default = "one")]
    pub country: f64,
    /// What numbers of regions, groups and the world are multiplied by.
    #[serde(default = "one")]
    pub aggregate: f64,
    /// The SDG indicator it stands for (`3.1.1`), of which targets are known.
    pub sdg: Option<String>,
}

fn one() -> f64 {
    1.0
}

impl Rule {
    /// What a number of such a place is multiplied by.
    #[must_use]
    pub fn factor(&self, kind: PlaceKind) -> f64 {
        match kind {
            PlaceKind::Country => self.country,
            PlaceKind::Group | PlaceKind::World => self.aggregate,
        }
    }
}

#[derive(Deserialize)]
struct File {
    indicator: Vec<Rule>,
    world_bank_groups: Vec<String>,
}

fn file() -> &'static File {
    static FILE: OnceLock<File> = OnceLock::new();
    FILE.get_or_init(|| {
        toml_edit::de::from_str(include_str!("../../data/units.toml"))
            .unwrap_or_else(|_| File { indicator: Vec::new(), world_bank_groups: Vec::new() })
    })
}

/// Every rule.
#[must_use]
pub fn all() -> &'static [Rule] {
    &file().indicator
}

/// The rule of an indicator; without one numbers stay as published.
#[must_use]
pub fn rule(source: Source, code: &str) -> Option<&'static Rule> {
    all().iter().find(|rule| rule.source == source.name() && rule.code == code)
}

/// Is this code of the World Bank a group of countries, not one?
#[must_use]
pub fn is_world_bank_group(code: &str) -> bool {
    file().world_bank_groups.iter().any(|group| group == code)
}

/// A number in the unit of its rule, or as published where there is none.
pub(super) struct Scaled {
    pub(super) factor: f64,
    pub(super) unit: String,
}

pub(super) fn scaled(source: Source, code: &str, kind: PlaceKind) -> Scaled {
    rule(source, code).map_or_else(
        || Scaled { factor: 1.0, unit: "as published".to_owned() },
        |rule| Scaled { factor: rule.factor(kind), unit: rule.unit.clone() },
    )
}

/// Does a value agree with what the file shows beside it (`44`, `1 610 [ 1 290 - 2 020 ]`)? Shown numbers are rounded, so only
/// another unit disagrees. What is no number ("No data", "<1") proves nothing.
pub(super) fn agrees(value: f64, shown: &str) -> bool {
    let plain: String =
        shown.split('[').next().unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
    let Ok(number) = plain.parse::<f64>() else { return true };
    let decimals = plain.split_once('.').map_or(0, |(_, rest)| rest.len().min(12));
    let half_digit = 0.5 * 10f64.powi(-i32::try_from(decimals).unwrap_or(0));
    (value - number).abs() <= half_digit * 1.01 + 0.05 * number.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_read() {
        let file: File = toml_edit::de::from_str(include_str!("../../data/units.toml")).unwrap();
        assert!(file.indicator.len() > 20);
        for rule in &file.indicator {
            assert!(Source::named(&rule.source).is_some(), "{}", rule.code);
            assert!(!rule.ja.is_empty() && !rule.en.is_empty() && rule.country > 0.0 && rule.aggregate > 0.0);
            assert_eq!(all().iter().filter(|r| r.code == rule.code && r.source == rule.source).count(), 1);
        }
        assert!(is_world_bank_group("WLD") && !is_world_bank_group("JPN"));
    }

    #[test]
    fn another_unit_disagrees_with_what_is_shown_and_rounding_does_not() {
        assert!(agrees(44.412, "44"));
        assert!(!agrees(0.44412, "44"));
        assert!(agrees(1610.0, "1 610 [ 1 290 - 2 020 ]"));
        assert!(agrees(0.4, "0"));
        assert!(!agrees(38.0, "0.38"));
        assert!(agrees(3.0, "No data"));
    }
}
