//! W2: a mix of searches at 30 connections, `_count=20`, over 190,000 resources.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use super::client::Connection;
use super::figures::Figures;
use super::hub::{Hub, task};
use super::{Settings, clone};

const CONNECTIONS: usize = 30;

/// A family of searches.
pub(super) struct Search {
    family: &'static str,
    path: String,
}

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    let data = folder.path().join("hub");
    fill(settings, &data)?;
    let hub = Hub::serve(&data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let searches = Arc::new(searches(&runtime.block_on(some_patients(&hub.address, 40))?));
    for _ in 0..settings.runs {
        let used = hub.processor_seconds();
        let (seconds, all) = mix(&hub, &searches, &[String::new()], settings.seconds)?;
        let count: u64 = all.values().map(Histogram::len).sum();
        figures.note("requests/s", count as f64 / seconds);
        figures.note("hub processor-µs per request", (hub.processor_seconds() - used) * 1e6 / count as f64);
        for (family, latencies) in &all {
            figures.latencies(family, latencies);
        }
    }
    figures.note("hub resident MB", hub.resident());
    hub.stop()
}

/// Makes a data directory with the archive's resources six times over.
pub(super) fn fill(settings: &Settings, data: &Path) -> Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    let bundles = clone::bundles(&settings.archive)?;
    for number in 0..6 {
        for (at, bundle) in bundles.iter().enumerate() {
            let file = folder.path().join(format!("{number}-{at:03}.json"));
            std::fs::write(file, clone::cloned(bundle, number))?;
        }
    }
    let (data, files) = (data.display().to_string(), folder.path().display().to_string());
    task(&["import", "--quiet", "--data", &data, &files])?;
    Ok(())
}

/// Seconds, and the latencies of each family. Each connection has one of these header lines.
pub(super) fn mix(
    hub: &Hub,
    searches: &Arc<Vec<Search>>,
    headers: &[String],
    seconds: u64,
) -> Result<(f64, BTreeMap<&'static str, Histogram<u64>>)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for (number, headers) in headers.iter().cycle().take(CONNECTIONS).enumerate() {
        let (address, searches, headers) = (hub.address.clone(), Arc::clone(searches), headers.clone());
        tasks.push(runtime.spawn(async move {
            let mut connection = Connection::with(&address, &headers).await?;
            let mut latencies: BTreeMap<&'static str, Histogram<u64>> = BTreeMap::new();
            let mut at = number * 7;
            while Instant::now() < end {
                let search = &searches[at % searches.len()];
                at += 1;
                let start = Instant::now();
                let answer = connection.send("GET", &search.path, b"").await?;
                ensure!(answer.status == 200, "{}: {}", search.path, String::from_utf8_lossy(&answer.body));
                let micros = u64::try_from(start.elapsed().as_micros())?;
                let empty = Histogram::new(3)?;
                latencies.entry(search.family).or_insert(empty).record(micros)?;
            }
            anyhow::Ok(latencies)
        }));
    }
    let mut all: BTreeMap<&'static str, Histogram<u64>> = BTreeMap::new();
    for task in tasks {
        for (family, latencies) in runtime.block_on(task)?? {
            match all.entry(family) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(latencies);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().add(latencies)?,
            }
        }
    }
    Ok((began.elapsed().as_secs_f64(), all))
}

pub(super) async fn some_patients(address: &str, most: usize) -> Result<Vec<String>> {
    let mut connection = Connection::open(address).await?;
    let answer = connection.send("GET", &format!("/Patient?_count={most}"), b"").await?;
    let bundle: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    Ok(entries.iter().filter_map(|e| e["resource"]["id"].as_str().map(str::to_owned)).collect())
}

pub(super) fn searches(patients: &[String]) -> Vec<Search> {
    let mut found = Vec::new();
    let mut add = |family, path: String| found.push(Search { family, path: format!("{path}&_count=20") });
    const NAMES: [&str; 12] = ["a", "mar", "jo", "Al", "ben", "Ha", "s", "Cr", "li", "do", "ka", "ro"];
    const DATES: [&str; 8] = [
        "1950-03-01",
        "1962-07-14",
        "1971",
        "1985-11",
        "1999-05-05",
        "2008-02-29",
        "2012-08",
        "2016-01-15T10:00:00Z",
    ];
    for (at, name) in NAMES.iter().enumerate() {
        let patient = &patients[at % patients.len().max(1)];
        add("patient name", format!("/Patient?name={name}"));
        add("patient name:contains", format!("/Patient?name:contains={name}"));
        add("patient address", format!("/Patient?address={name}"));
        add("patient address:contains", format!("/Patient?address:contains={name}"));
        add("organization name", format!("/Organization?name={name}"));
        add("observation category", "/Observation?category=vital-signs".to_owned());
        let system = "http://terminology.hl7.org/CodeSystem/observation-category";
        add("observation category system|code", format!("/Observation?category={system}%7Claboratory"));
        add("observation reference", format!("/Observation?subject=Patient/{patient}"));
        let value = 60 + at * 7;
        add("observation quantity", format!("/Observation?value-quantity=gt{value}"));
        let system = "http://unitsofmeasure.org";
        add("observation quantity unit", format!("/Observation?value-quantity=lt{value}%7C{system}%7Cmg/dL"));
        add(
            "observation composite",
            format!("/Observation?code-value-quantity=http://loinc.org%7C29463-7$gt{value}"),
        );
    }
    for date in DATES {
        for prefix in ["eq", "lt", "gt", "ge", "le", "sa", "eb"] {
            if !date.contains('T') {
                add("patient birthdate", format!("/Patient?birthdate={prefix}{date}"));
            }
            add("observation date", format!("/Observation?date={prefix}{date}"));
            add("encounter date", format!("/Encounter?date={prefix}{date}"));
        }
    }
    // In an order in which families alternate, the same every time.
    let mut order: Vec<(u64, Search)> = found
        .into_iter()
        .enumerate()
        .map(|(at, search)| ((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20, search))
        .collect();
    order.sort_by_key(|(key, _)| *key);
    order.into_iter().map(|(_, search)| search).collect()
}
