//! What was saved just now, with the way back.

use super::line::{Line, line};
use super::own::Own;
use super::threshold::{Meaning, meaning};
use crate::failure::Failure;

/// References that an address may name.
const MOST: usize = 3;

/// Something that was saved.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) lines: Vec<(Line, String)>,
    /// The average of two readings.
    pub(super) average: Option<String>,
    /// What the values mean.
    pub(super) meaning: Option<Meaning>,
}

/// What the address says was saved, if it is there and of whoever looks.
pub(super) fn saved(own: &Own) -> Result<Option<Saved>, Failure> {
    let Some(asked) = own.visit.value("saved") else { return Ok(None) };
    let mut lines = Vec::new();
    let mut readings: Vec<(f64, f64)> = Vec::new();
    let mut said = None;
    for reference in asked.split(',').take(MOST) {
        let Some((type_name, id)) = reference.split_once('/') else { continue };
        if !matches!(type_name, "Observation" | "MedicationStatement" | "DocumentReference") {
            continue;
        }
        let Some(resource) = own.record.read(type_name, id)? else { continue };
        let node = resource.root();
        if node.text_at("subject.reference").as_deref() != Some(own.reference().as_str()) {
            continue;
        }
        let version = node.text_at("meta.versionId").map(String::from).unwrap_or_default();
        let part = |code: &str| {
            let found =
                node.all("component").find(|c| c.text_at("code.coding.code").as_deref() == Some(code))?;
            found.text_at("value.value")?.parse::<f64>().ok()
        };
        readings.extend(part("8480-6").zip(part("8462-4")));
        if said.is_none() {
            said = meaning(own, node);
        }
        if let Some(line) = line(own, &resource).filter(|l| l.is_mine) {
            lines.push((line, version));
        }
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let count = readings.len() as f64;
    let (high, low) = readings.iter().fold((0.0, 0.0), |(a, b), (high, low)| (a + high, b + low));
    let average = (readings.len() > 1).then(|| format!("{:.0} / {:.0} mmHg", high / count, low / count));
    if readings.len() > 1 {
        said = super::threshold::pressure(own, high / count, low / count);
    }
    Ok(Some(Saved { lines, average, meaning: said }))
}
