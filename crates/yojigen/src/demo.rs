//! `yojigen demo`

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use hub::Dated;
use population::Settings;

use crate::cli::{DemoArguments, EdgeArguments, SubscriptionArguments};
use crate::hub_at::{self, Opening};
use crate::import::recorded::{Sorter, record_all};
use crate::import::report::Report;
use crate::import::{Stop, watch_for_interruption};
use crate::{progress, serve};

/// What a data directory was made of; stands in it once the whole community does.
const MADE_OF: &str = "DEMO";

/// Makes a community and serves it.
pub(crate) fn run(arguments: &DemoArguments) -> Result<ExitCode> {
    let settings = Settings { persons: arguments.persons, seed: arguments.seed };
    if let Some(folder) = &arguments.ndjson {
        return write_files(&settings, folder, arguments.quiet);
    }
    serve::check_loopback(arguments.listen)?;
    let made_of = format!("{} persons, seed {}\n", settings.persons, settings.seed);
    match std::fs::read_to_string(arguments.data.join(MADE_OF)) {
        Ok(found) if found == made_of => {}
        Ok(found) => bail!(
            "{} holds another community ({}); name another directory with --data, or delete this one",
            arguments.data.display(),
            found.trim()
        ),
        Err(_) => {
            if !make(&settings, arguments)? {
                return Ok(ExitCode::FAILURE);
            }
            std::fs::write(arguments.data.join(MADE_OF), made_of)?;
        }
    }
    if arguments.no_serve {
        return Ok(ExitCode::SUCCESS);
    }
    let hub = hub_at::open(&opening(&arguments.data, None))?;
    let config = server::Config::default();
    let (edge, subscriptions) = (EdgeArguments::default(), SubscriptionArguments::default());
    serve::serve(hub, arguments.listen, &arguments.data, config, None, &edge, &subscriptions)
}

fn opening(path: &Path, seed: Option<u64>) -> Opening<'_> {
    Opening {
        path,
        zone: "Asia/Tokyo",
        limits: store::Limits::default(),
        seed,
        is_recorded: seed.is_some(),
        references: store::ReferencePolicy::default(),
    }
}

/// Makes the community in the data directory; false if it was stopped before the end.
fn make(settings: &Settings, arguments: &DemoArguments) -> Result<bool> {
    let stop: Stop = Arc::new(AtomicBool::new(false));
    watch_for_interruption(&stop);
    let hub = hub_at::open(&opening(&arguments.data, Some(settings.seed)))?;
    let bar = progress::bar(settings.persons, "persons", arguments.quiet);
    bar.set_message("making a community");
    let mut sorter = Sorter::default();
    let mut failure = None;
    population::generate(settings, &mut |item| {
        if item.resource_type == "Patient" {
            bar.inc(1);
        }
        let dated = Dated {
            instant: item.recorded,
            resource_type: item.resource_type,
            id: item.id,
            version: None,
            json: item.json,
        };
        failure = sorter.add(dated).err();
        failure.is_none() && !stop.load(Ordering::Relaxed)
    });
    if let Some(error) = failure {
        return Err(error);
    }
    if stop.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let mut report = Report::new(&arguments.data.join("rejects.ndjson"));
    if !record_all(&hub, sorter, &mut report, &bar, &stop)? {
        bail!("{} holds other data; name another directory with --data", arguments.data.display());
    }
    bar.finish_and_clear();
    hub.store().close()?;
    if !arguments.quiet {
        report.print(stop.load(Ordering::Relaxed));
    }
    if report.rejected() > 0 {
        bail!(
            "{} resources of the community were refused; this is a fault of the program",
            report.rejected()
        );
    }
    Ok(!stop.load(Ordering::Relaxed))
}

/// Writes the community to NDJSON files, one a type, with the moments of recording in `meta.lastUpdated`.
fn write_files(settings: &Settings, folder: &Path, is_quiet: bool) -> Result<ExitCode> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    if std::fs::read_dir(folder)?.next().is_some() {
        bail!("{} is not empty; name a new folder", folder.display());
    }
    let bar = progress::bar(settings.persons, "persons", is_quiet);
    let mut files: BTreeMap<&'static str, (BufWriter<File>, u64)> = BTreeMap::new();
    let mut failure = None;
    population::generate(settings, &mut |item| {
        if item.resource_type == "Patient" {
            bar.inc(1);
        }
        failure = write_item(folder, &mut files, &item).err();
        failure.is_none()
    });
    bar.finish_and_clear();
    if let Some(error) = failure {
        return Err(error).with_context(|| format!("writing to {}", folder.display()));
    }
    for (name, (file, count)) in &mut files {
        file.flush()?;
        say!("{:>12}  {name}", web::grouped(*count));
    }
    say!("load them with: yojigen import {} --data hub --recorded-from meta.lastUpdated", folder.display());
    Ok(ExitCode::SUCCESS)
}

fn write_item(
    folder: &Path,
    files: &mut BTreeMap<&'static str, (BufWriter<File>, u64)>,
    item: &population::Item,
) -> std::io::Result<()> {
    let (file, count) = match files.entry(item.resource_type) {
        std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
        std::collections::btree_map::Entry::Vacant(entry) => {
            let path = folder.join(format!("{}.ndjson", item.resource_type));
            entry.insert((BufWriter::with_capacity(1 << 20, File::create(path)?), 0))
        }
    };
    let recorded = fhir::date_time::format_instant(item.recorded);
    let members = item.json.trim_start_matches('{');
    // The member goes before the others; readers take members in any order.
    writeln!(file, "{{\"meta\":{{\"lastUpdated\":\"{recorded}\"}},{members}")?;
    *count += 1;
    Ok(())
}
