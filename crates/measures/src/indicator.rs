//! A Measure with its Library.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::error::Error;
use crate::library::{Library, View};
use crate::measure::Measure;

/// A Measure with its Library.
#[derive(Clone, Debug)]
pub struct Indicator {
    /// What is counted.
    pub measure: Measure,
    /// How it is found.
    pub library: Library,
    /// The Library as a resource.
    pub library_json: Value,
}

impl Indicator {
    /// Reads both; what the Measure names must be in the Library.
    ///
    /// # Errors
    /// What is wrong with them, with its place.
    pub fn read(measure: &Value, library: &Value) -> Result<Indicator, Error> {
        let indicator = Indicator {
            measure: Measure::read(measure)?,
            library: Library::read(library)?,
            library_json: library.clone(),
        };
        indicator.measure.check(&indicator.library)?;
        Ok(indicator)
    }
}

/// The views that indicators need, each once, in the order of their names and hashes.
#[must_use]
pub fn views_of(indicators: &[Arc<Indicator>]) -> Vec<Arc<View>> {
    let all = indicators.iter().flat_map(|i| i.library.views.iter());
    let found: BTreeMap<(&str, &str), &Arc<View>> =
        all.map(|view| ((view.name.as_str(), view.hash.as_str()), view)).collect();
    found.into_values().cloned().collect()
}
