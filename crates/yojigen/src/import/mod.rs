//! `yojigen import`
//!
//! One thread reads files into units ([`source`]), some make commands of them ([`pipeline`]), and one hands
//! those to the hub in the order of the files ([`local`]), or sends them to a server ([`remote`]). Each unit is committed under a key made of its
//! content, in the same commit as what it holds, so there is no checkpoint that could disagree with the data.

mod local;
mod pipeline;
pub(crate) mod recorded;
mod remote;
pub(crate) mod report;
mod source;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use hub::RecordedFrom;

use crate::cli::{ImportArguments, RecordedFromArgument};
use crate::hub_at::{self, Opening};
use crate::{progress, serve};
use report::Report;
use source::Sources;

/// What stops an import before its end.
pub(crate) type Stop = Arc<AtomicBool>;

/// Imports.
pub(crate) fn run(arguments: &ImportArguments) -> Result<ExitCode> {
    let sources = Sources::find(&arguments.paths)?;
    let stop: Stop = Arc::new(AtomicBool::new(false));
    watch_for_interruption(&stop);
    let mut report = Report::new(&arguments.rejects);
    let bar = progress::bar(sources.bytes(), "bytes", arguments.quiet);
    match (&arguments.server, &arguments.data) {
        (Some(server), _) => remote::run(server, &sources, arguments, &mut report, &bar, &stop)?,
        (None, Some(path)) => {
            let is_new = !store::Store::is_at(path);
            let recorded = recorded_from(arguments, &sources);
            let opening = Opening {
                path,
                zone: &arguments.zone,
                limits: store::Limits::default(),
                seed: None,
                is_recorded: is_new && recorded.is_some(),
                references: store::ReferencePolicy::default(),
            };
            let mut hub = hub_at::open(&opening)?;
            hub.limits = serve::resource_limits(&arguments.resources);
            let is_done = match recorded {
                Some(from) => recorded::run(&hub, &sources, from, &mut report, &bar, &stop)?,
                None => false,
            };
            if !is_done && arguments.recorded_from.is_some() {
                bail!(
                    "this data directory holds other data; moments of recording can be set only in an empty one"
                );
            }
            if !is_done {
                local::run(&hub, &sources, arguments.again, &mut report, &bar, &stop)?;
            }
            hub.store().close()?;
        }
        (None, None) => bail!("name a data directory (--data) or a server (--server)"),
    }
    bar.finish_and_clear();
    let was_stopped = stop.load(Ordering::Relaxed);
    if arguments.json {
        say!("{}", report.json(was_stopped));
    } else {
        report.print(was_stopped);
    }
    Ok(if report.rejected() > 0 || was_stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Where moments come from: as asked, or from `meta.lastUpdated` if an export is loaded into an empty directory.
fn recorded_from(arguments: &ImportArguments, sources: &Sources) -> Option<RecordedFrom> {
    match arguments.recorded_from {
        Some(RecordedFromArgument::LastUpdated) => Some(RecordedFrom::LastUpdated),
        Some(RecordedFromArgument::Issued) => Some(RecordedFrom::Issued),
        Some(RecordedFromArgument::Period) => Some(RecordedFrom::Period),
        None => sources.has_manifest.then_some(RecordedFrom::LastUpdated),
    }
}

/// The first Ctrl-C or SIGTERM ends the import in order, a second one at once.
pub(crate) fn watch_for_interruption(stop: &Stop) {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if stop.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                eprintln!("stopping; run the same command again to go on");
            }
        });
    });
}
