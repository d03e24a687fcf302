//! W3: Synthea transaction bundles, over HTTP at 20 connections and by `import`, into an empty hub, by quarters.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};

use super::client::Connection;
use super::figures::{Figures, fdatasync};
use super::hub::{Hub, size, task};
use super::{Settings, clone};

const CONNECTIONS: usize = 20;

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    let bundles = Arc::new(clone::bundles(&settings.archive)?);
    let per_clone: usize = bundles.iter().map(|b| clone::resources(b)).sum();
    let clones = settings.resources.div_ceil(per_clone);
    for _ in 0..settings.runs {
        let folder = tempfile::tempdir_in(&settings.folder)?;
        figures.note("disk fdatasync/s", fdatasync(folder.path())?.0);
        by_import(folder.path(), &bundles, clones, per_clone, figures)?;
        let folder = tempfile::tempdir_in(&settings.folder)?;
        over_http(folder.path(), &bundles, clones, figures)?;
    }
    Ok(())
}

fn by_import(
    folder: &std::path::Path,
    bundles: &[Vec<u8>],
    clones: usize,
    per_clone: usize,
    figures: &mut Figures,
) -> Result<()> {
    let data = folder.join("hub");
    let mut seconds = Vec::new();
    let mut loaded = Vec::new();
    for quarter in 0..4 {
        let files = folder.join(format!("quarter-{quarter}"));
        std::fs::create_dir(&files)?;
        let (from, to) = (clones * quarter / 4, clones * (quarter + 1) / 4);
        for number in from..to {
            for (at, bundle) in bundles.iter().enumerate() {
                std::fs::write(
                    files.join(format!("{number:05}-{at:03}.json")),
                    clone::cloned(bundle, number as u64),
                )?;
            }
        }
        let began = Instant::now();
        task(&["import", "--quiet", "--data", &data.display().to_string(), &files.display().to_string()])?;
        seconds.push(began.elapsed().as_secs_f64());
        loaded.push(((to - from) * per_clone) as f64);
        std::fs::remove_dir_all(files)?;
    }
    let all: f64 = loaded.iter().sum();
    figures.note("import resources", all);
    figures.note("import resources/s", all / seconds.iter().sum::<f64>());
    figures.note("import resources/s, first quarter", loaded[0] / seconds[0]);
    figures.note("import resources/s, last quarter", loaded[3] / seconds[3]);
    figures.note("import bytes on disk per resource", size(&data)? as f64 / all);
    Ok(())
}

fn over_http(
    folder: &std::path::Path,
    bundles: &Arc<Vec<Vec<u8>>>,
    clones: usize,
    figures: &mut Figures,
) -> Result<()> {
    let hub = Hub::serve(&folder.join("hub"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let next = Arc::new(AtomicUsize::new(0));
    let counts: Arc<Vec<usize>> = Arc::new(bundles.iter().map(|b| clone::resources(b)).collect());
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (next, bundles, counts, address) =
            (Arc::clone(&next), Arc::clone(bundles), Arc::clone(&counts), hub.address.clone());
        tasks.push(runtime.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= clones * bundles.len() {
                    return anyhow::Ok(done);
                }
                let (number, of) = (at / bundles.len(), at % bundles.len());
                let body = clone::cloned(&bundles[of], number as u64);
                let answer = connection.send("POST", "", &body).await?;
                ensure!(answer.status == 200, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
                done.push((began.elapsed().as_secs_f64(), counts[of]));
            }
        }));
    }
    let mut done = Vec::new();
    for task in tasks {
        done.extend(runtime.block_on(task)??);
    }
    done.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: usize = done.iter().map(|(_, n)| n).sum();
    // When each quarter of the resources was in.
    let mut ends = [0.0; 4];
    let mut sum = 0;
    for (at, count) in &done {
        sum += count;
        let quarter = ((sum.saturating_sub(1)) * 4 / all).min(3);
        ends[quarter] = *at;
    }
    figures.note("http resources", all as f64);
    figures.note("http resources/s", all as f64 / ends[3]);
    figures.note("http resources/s, first quarter", all as f64 / 4.0 / ends[0]);
    figures.note("http resources/s, last quarter", all as f64 / 4.0 / (ends[3] - ends[2]));
    figures.note("http hub processor-µs per resource", hub.processor_seconds() * 1e6 / all as f64);
    figures.note("http hub resident MB at the end", hub.resident());
    hub.stop()
}
