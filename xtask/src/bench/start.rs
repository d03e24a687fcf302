//! W12: start, memory at rest, size on disk.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::figures::Figures;
use super::hub::{Hub, program, size, task};
use super::{Settings, clone};

/// At rest is so long after the start.
const REST: Duration = Duration::from_secs(60);

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    figures.note("program MB", program()?.metadata()?.len() as f64 / 1e6);
    // The size, on data that was not cloned.
    let data = folder.path().join("once");
    let data_text = data.display().to_string();
    let archive = settings.archive.display().to_string();
    let bundles = clone::bundles(&settings.archive)?;
    let resources: usize = bundles.iter().map(|b| clone::resources(b)).sum();
    task(&["import", "--quiet", "--data", &data_text, &archive])?;
    figures.note("bytes per resource before compaction", size(&data)? as f64 / resources as f64);
    task(&["doctor", "--quiet", "--compact", "--data", &data_text])?;
    figures.note("bytes per resource after compaction", size(&data)? as f64 / resources as f64);
    // Start and memory, on 190,000 resources.
    let files = folder.path().join("files");
    std::fs::create_dir(&files)?;
    for number in 0..6 {
        for (at, bundle) in bundles.iter().enumerate() {
            std::fs::write(files.join(format!("{number}-{at:03}.json")), clone::cloned(bundle, number))?;
        }
    }
    let data = folder.path().join("six");
    task(&["import", "--quiet", "--data", &data.display().to_string(), &files.display().to_string()])?;
    figures.note("resources", (resources * 6) as f64);
    for _ in 0..settings.runs {
        let hub = Hub::serve(&data)?;
        figures.note("ready after a clean stop, ms", hub.ready.as_secs_f64() * 1e3);
        // Some writes, so that there is something to recover.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let address = hub.address.clone();
        runtime.block_on(async {
            let mut connection = super::client::Connection::open(&address).await?;
            for (number, bundle) in bundles.iter().enumerate().take(40) {
                let seed = Instant::now().elapsed().as_nanos() as u64 + 100 + number as u64;
                connection.send("POST", "", &clone::cloned(bundle, seed)).await?;
            }
            anyhow::Ok(())
        })?;
        hub.kill()?;
        let hub = Hub::serve(&data)?;
        figures.note("ready after kill -9, ms", hub.ready.as_secs_f64() * 1e3);
        hub.stop()?;
    }
    for _ in 0..settings.runs.min(2) {
        let hub = Hub::serve(&data)?;
        std::thread::sleep(REST);
        figures.note("resident MB 60 s after start", hub.resident());
        hub.stop()?;
    }
    Ok(())
}
