//! W4: a transaction of one Patient and one Observation that refers to it, at 1 to 128 connections.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use super::Settings;
use super::client::Connection;
use super::figures::{Figures, fdatasync};
use super::hub::Hub;

const BODY: &[u8] = br#"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:5c1a0a3e-5a3b-4d57-9b43-0a2f0b6d8f01","resource":{"resourceType":"Patient","name":[{"family":"Sato","given":["Hana"]}],"birthDate":"1975-04-02","gender":"female"},"request":{"method":"POST","url":"Patient"}},{"resource":{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},"subject":{"reference":"urn:uuid:5c1a0a3e-5a3b-4d57-9b43-0a2f0b6d8f01"},"effectiveDateTime":"2026-04-01T09:00:00+09:00","valueQuantity":{"value":62.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}},"request":{"method":"POST","url":"Observation"}}]}"#;

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    for _ in 0..settings.runs {
        let folder = tempfile::tempdir_in(&settings.folder)?;
        let (mut rate, syncs) = fdatasync(folder.path())?;
        figures.note("disk fdatasync/s", rate);
        figures.latencies("disk fdatasync", &syncs);
        if let Some(delay) = settings.sync_delay {
            rate = 1.0 / (1.0 / rate + delay as f64 / 1e6);
            figures.note("fdatasync/s with the delay", rate);
        }
        for connections in [1, 8, 32, 128] {
            let data = folder.path().join(format!("hub-{connections}"));
            let hub = match settings.sync_delay {
                Some(delay) => Hub::serve_on_slow_disk(&data, delay)?,
                None => Hub::serve(&data)?,
            };
            let used = hub.processor_seconds();
            let (count, seconds, latencies) = load(&hub, connections, settings.seconds)?;
            let what = format!("{connections} connections");
            figures.note(&format!("{what} transactions/s"), count as f64 / seconds);
            figures.note(
                &format!("{what} transactions per fdatasync of the disk"),
                count as f64 / seconds / rate,
            );
            figures.latencies(&what, &latencies);
            if settings.sync_delay.is_none() {
                figures.note(
                    &format!("{what} hub processor-µs per transaction"),
                    (hub.processor_seconds() - used) * 1e6 / count as f64,
                );
            }
        }
    }
    Ok(())
}

fn load(hub: &Hub, connections: usize, seconds: u64) -> Result<(u64, f64, Histogram<u64>)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let address = hub.address.clone();
        tasks.push(runtime.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            let mut latencies = Histogram::<u64>::new(3)?;
            while Instant::now() < end {
                let start = Instant::now();
                let answer = connection.send("POST", "", BODY).await?;
                ensure!(answer.status == 200, "{}", answer.status);
                latencies.record(u64::try_from(start.elapsed().as_micros())?)?;
            }
            anyhow::Ok(latencies)
        }));
    }
    let mut all = Histogram::<u64>::new(3)?;
    for task in tasks {
        all.add(runtime.block_on(task)??)?;
    }
    Ok((all.len(), began.elapsed().as_secs_f64(), all))
}
