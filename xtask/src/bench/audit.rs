//! What reading under audit costs: the same reads, and W1, of a hub without and of one with `--audit on`, in turns.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;

use super::client::Connection;
use super::figures::Figures;
use super::hub::{Hub, size, task};
use super::{Settings, crud};

/// Observations that are read, one a person.
const RESOURCES: usize = 2000;
const CONNECTIONS: usize = 32;

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    for _ in 0..settings.runs {
        let mut costs = Vec::new();
        for audit in ["off", "on"] {
            let folder = tempfile::tempdir_in(&settings.folder)?;
            let data = folder.path().join("hub");
            let hub = Hub::serve_with(&data, &["--audit", audit])?;
            fill(&hub)?;
            let used = hub.processor_seconds();
            let (seconds, latencies) = reads(&hub, settings.seconds)?;
            let count = latencies.len() as f64;
            let what = format!("audit {audit}: reads");
            let processor = (hub.processor_seconds() - used) * 1e6 / count;
            figures.note(&format!("{what}/s"), count / seconds);
            figures.latencies(&what, &latencies);
            figures.note(&format!("{what}: hub processor-µs each"), processor);
            figures.note(&format!("{what}: hub resident MB"), hub.resident());
            hub.stop()?;
            if audit == "on" {
                let ledger = size(&data.join("ledger"))? as f64;
                let verdict = task(&["ledger", "verify", "--json", "--data", &data.display().to_string()])?;
                let verdict: serde_json::Value = serde_json::from_str(&verdict)?;
                let records = verdict["records"].as_f64().context("no records")?;
                ensure!(records >= count, "{records} records of {count} reads");
                figures.note("bytes of the ledger per record", ledger / records);
            }
            let hub = Hub::serve_with(&folder.path().join("w1"), &["--audit", audit])?;
            let (seconds, latencies) = crud::load(&hub, CONNECTIONS, settings.seconds)?;
            let writes = latencies.len() as f64 / seconds;
            figures.note(&format!("audit {audit}: W1 requests/s"), writes);
            hub.stop()?;
            costs.push((count, processor, writes));
        }
        if let [(off, off_processor, off_writes), (on, on_processor, on_writes)] = costs.as_slice() {
            figures.note("reads/s with audit to without", on / off);
            figures.note("W1 requests/s with audit to without", on_writes / off_writes);
            figures.note("hub processor-µs of a record", on_processor - off_processor);
        }
    }
    Ok(())
}

fn fill(hub: &Hub) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(&hub.address).await?;
        let put = |kind: &str, id: usize, members: &str| {
            (format!("/{kind}/{id}"), format!("{{\"resourceType\":\"{kind}\",\"id\":\"{id}\"{members}}}"))
        };
        for id in 0..RESOURCES {
            let subject = format!(
                ",\"status\":\"final\",\"code\":{{\"text\":\"weight\"}},\"subject\":{{\"reference\":\"Patient/{id}\"}},\"valueQuantity\":{{\"value\":62.5,\"unit\":\"kg\"}}"
            );
            for (path, body) in [put("Patient", id, ""), put("Observation", id, &subject)] {
                let answer = connection.send("PUT", &path, body.as_bytes()).await?;
                ensure!(answer.status == 201, "PUT {path}: {}", answer.status);
            }
        }
        Ok(())
    })
}

fn reads(hub: &Hub, seconds: u64) -> Result<(f64, Histogram<u64>)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for start in 0..CONNECTIONS {
        let address = hub.address.clone();
        tasks.push(runtime.spawn(async move {
            let (mut connection, mut latencies) = (Connection::open(&address).await?, Histogram::new(3)?);
            let mut id = start * RESOURCES / CONNECTIONS;
            while Instant::now() < end {
                id = (id + 1) % RESOURCES;
                let asked = Instant::now();
                let answer = connection.send("GET", &format!("/Observation/{id}"), b"").await?;
                ensure!(answer.status == 200, "GET Observation/{id}: {}", answer.status);
                latencies.record(u64::try_from(asked.elapsed().as_micros())?)?;
            }
            anyhow::Ok(latencies)
        }));
    }
    let mut all = Histogram::<u64>::new(3)?;
    for task in tasks {
        all.add(runtime.block_on(task)??)?;
    }
    Ok((began.elapsed().as_secs_f64(), all))
}
