//! Versions of the method, read from their files.

use std::sync::OnceLock;

use serde::Deserialize;

/// A version of the method.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// The release it is of.
    pub version: String,
    /// Its title in Japanese.
    pub ja: String,
    /// Its title in English.
    pub en: String,
    /// Where it is written.
    pub source: String,
    /// Its four areas.
    #[serde(rename = "area")]
    pub areas: Vec<Area>,
}

/// An area of the index.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Its name here.
    pub id: String,
    /// Its title in Japanese.
    pub ja: String,
    /// Its title in English.
    pub en: String,
    /// The code of its sub-index with the WHO.
    pub gho: String,
    /// What it is made of.
    #[serde(rename = "tracer")]
    pub tracers: Vec<Tracer>,
}

/// A tracer: one number, or the geometric mean of parts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracer {
    /// Its name here.
    pub id: String,
    /// Its title in Japanese.
    pub ja: String,
    /// Its title in English.
    pub en: String,
    /// The unit of its number.
    unit: Option<String>,
    worst: Option<f64>,
    best: Option<f64>,
    /// Where it counts only: `malaria`.
    pub only: Option<String>,
    /// Its parts, if it has any.
    #[serde(rename = "part", default)]
    parts: Vec<Part>,
}

/// One number and the bounds of its rescaling.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name here.
    pub id: String,
    /// Its title in Japanese.
    pub ja: String,
    /// Its title in English.
    pub en: String,
    /// The unit of its number.
    pub unit: String,
    /// The value that scores 0.
    pub worst: f64,
    /// The value that scores 100.
    pub best: f64,
}

impl Tracer {
    /// The numbers it is made of.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        match (&self.unit, self.worst, self.best) {
            (Some(unit), Some(worst), Some(best)) => vec![Part {
                id: self.id.clone(),
                ja: self.ja.clone(),
                en: self.en.clone(),
                unit: unit.clone(),
                worst,
                best,
            }],
            _ => self.parts.clone(),
        }
    }
}

impl Method {
    /// Every version that comes with the hub, oldest first.
    #[must_use]
    pub fn all() -> &'static [Method] {
        static ALL: OnceLock<Vec<Method>> = OnceLock::new();
        ALL.get_or_init(|| {
            let files = [include_str!("../../data/uhc/2019.toml"), include_str!("../../data/uhc/2023.toml")];
            files.iter().filter_map(|text| toml_edit::de::from_str(text).ok()).collect()
        })
    }

    /// The one of a version.
    #[must_use]
    pub fn version(version: &str) -> Option<&'static Method> {
        Method::all().iter().find(|method| method.version == version)
    }
}
