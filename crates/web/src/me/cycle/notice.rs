//! What was measured of late, and what it means.

use std::collections::BTreeMap;

use crate::chart::observations::gather;
use crate::failure::Failure;
use crate::me::own::Own;
use crate::me::threshold::{Meaning, meaning, pressure};
use crate::quantity::with_unit;

/// Days that count as of late.
const DAYS: i64 = 14;
const MOST: usize = 120;

/// Something that was measured.
#[derive(Debug)]
pub(super) struct Noticed {
    pub(super) name: String,
    /// The newest value, or the mean of several.
    pub(super) value: String,
    /// How many it is the mean of; empty if one.
    pub(super) count: String,
    pub(super) when: String,
    pub(super) meaning: Option<Meaning>,
    /// What a decision about it is derived from.
    pub(super) reference: String,
}

/// The newest measurement of each thing within two weeks; of blood pressure the mean.
pub(super) fn noticed(own: &Own) -> Result<Vec<Noticed>, Failure> {
    let since = format!("ge{}", crate::calendar::Day::of_days(own.on.days() - DAYS).iso());
    let writers = own.writers()?;
    let pairs = [("performer", writers.as_str()), ("date", &since), ("_sort", "-date")];
    let found = own.some("Observation", &pairs, MOST)?;
    let mut all: BTreeMap<String, (usize, Noticed)> = BTreeMap::new();
    let mut pressures: Vec<(f64, f64)> = Vec::new();
    for (at, resource) in found.iter().enumerate() {
        let gathered = gather(std::slice::from_ref(resource), own.pen());
        let Some(series) = gathered.series.first() else { continue };
        let Some(point) = series.points.last() else { continue };
        if let Some(second) = &point.second {
            pressures.push((point.value.number, second.number));
        }
        let reference = format!("Observation/{}", resource.root().id().unwrap_or_default());
        let value = match &point.second {
            Some(second) => format!("{} / {}", point.value.short(), second.short()),
            None => point.value.short(),
        };
        all.entry(series.name.clone()).or_insert_with(|| {
            let one = Noticed {
                name: series.name.clone(),
                value: with_unit(&value, &point.value.unit),
                count: String::new(),
                when: point.day.written(own.words),
                meaning: meaning(own, resource.root()),
                reference,
            };
            (at, one)
        });
    }
    if pressures.len() > 1 {
        let count = pressures.len() as f64;
        let (high, low) = pressures.iter().fold((0.0, 0.0), |(a, b), (high, low)| (a + high, b + low));
        let name = own.words.say("blood-pressure");
        if let Some((_, one)) = all.get_mut(&name) {
            one.value = format!("{:.0} / {:.0} mmHg", high / count, low / count);
            one.count = own.words.say_count("me-mean-of", pressures.len());
            one.meaning = pressure(own, high / count, low / count);
        }
    }
    let mut all: Vec<(usize, Noticed)> = all.into_values().collect();
    all.sort_by_key(|(at, one)| (std::cmp::Reverse(one.meaning.as_ref().map_or(0, |m| m.level)), *at));
    Ok(all.into_iter().map(|(_, one)| one).collect())
}
