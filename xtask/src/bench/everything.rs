//! W7: `Patient/$everything` of the largest record, at one client, full bodies.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;

use super::Settings;
use super::client::Connection;
use super::figures::Figures;
use super::hub::{Hub, task};

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    let data = folder.path().join("hub");
    let archive = settings.archive.display().to_string();
    task(&["import", "--quiet", "--data", &data.display().to_string(), &archive])?;
    let hub = Hub::serve(&data)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (path, size) = runtime.block_on(largest(&hub.address))?;
    figures.note("resources of the record", size as f64);
    for _ in 0..settings.runs {
        let used = hub.processor_seconds();
        let (count, bytes, seconds, latencies) =
            runtime.block_on(load(&hub.address, &path, settings.seconds))?;
        figures.note("records/s", count as f64 / seconds);
        figures.note("MB/s", bytes as f64 / 1e6 / seconds);
        figures.latencies("a record", &latencies);
        figures.note("hub processor-µs per record", (hub.processor_seconds() - used) * 1e6 / count as f64);
    }
    figures.note("hub resident MB", hub.resident());
    hub.stop()
}

/// The Patient with the most resources, and how many `$everything` answers.
async fn largest(address: &str) -> Result<(String, u64)> {
    let mut connection = Connection::open(address).await?;
    let answer = connection.send("GET", "/Patient?_count=1000&_elements=id", b"").await?;
    let bundle: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let mut found = None;
    for entry in bundle["entry"].as_array().context("no patients")? {
        let id = entry["resource"]["id"].as_str().context("no id")?;
        let path = format!("/Patient/{id}/$everything");
        let first = connection.send("GET", &format!("{path}?_count=1"), b"").await?;
        let first: serde_json::Value = serde_json::from_slice(&first.body)?;
        let total = first["total"].as_u64().context("no total")?;
        if found.as_ref().is_none_or(|(_, most)| total > *most) {
            found = Some((path, total));
        }
    }
    found.context("no patients")
}

async fn load(address: &str, path: &str, seconds: u64) -> Result<(u64, u64, f64, Histogram<u64>)> {
    let mut connection = Connection::open(address).await?;
    let mut latencies = Histogram::<u64>::new(3)?;
    let mut bytes = 0;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        let start = Instant::now();
        let answer = connection.send("GET", path, b"").await?;
        ensure!(answer.status == 200, "{}", answer.status);
        bytes += answer.body.len() as u64;
        latencies.record(u64::try_from(start.elapsed().as_micros())?)?;
    }
    Ok((latencies.len(), bytes, began.elapsed().as_secs_f64(), latencies))
}
