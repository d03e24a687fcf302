//! Into a data directory: read, prepare in parallel, commit in the order of the files.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex};

use anyhow::Result;
use fhir::{Issue, Limits};
use hub::{Access, Failure, Hub, Prepared, once_key};
use indicatif::ProgressBar;
use store::{Command, Outcome, Rejection};

use super::Stop;
use super::report::Report;
use super::source::{Content, MAX_DOCUMENT, Sources, Unit};

/// Units read ahead of those being prepared.
const AHEAD: usize = 8;
/// Units prepared and not yet committed.
const UNCOMMITTED: usize = 24;

/// A unit, made ready or refused.
enum Ready {
    /// To be committed; if that is refused, piece by piece.
    Commit { name: String, prepared: Vec<Prepared>, pieces: Vec<Piece> },
    /// Refused before it reached the hub.
    Refused(Vec<Refused>),
}

/// A part of a unit that can be committed alone.
struct Piece {
    name: String,
    bytes: Vec<u8>,
}

struct Refused {
    name: String,
    issues: Vec<Issue>,
    bytes: Vec<u8>,
}

/// What waits to be committed, by the order of reading.
#[derive(Default)]
struct Waiting {
    ready: Mutex<BTreeMap<u64, Ready>>,
    changed: Condvar,
}

/// The limits of files: those of requests, but for the number of entries and the size of Bundles.
fn limits(hub: &Hub) -> Limits {
    Limits { bundle_bytes: MAX_DOCUMENT, bundle_entries: usize::MAX, ..hub.limits }
}

/// Imports.
pub(super) fn run(
    hub: &Hub,
    sources: Sources,
    is_again: bool,
    report: &mut Report,
    bar: &ProgressBar,
    stop: &Stop,
) -> Result<()> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let (units, incoming) = sync_channel::<(u64, Unit)>(AHEAD);
    let incoming = Arc::new(Mutex::new(incoming));
    let waiting = Arc::new(Waiting::default());
    let (finished, outcomes) = channel();
    let counter = sources.counter();
    std::thread::scope(|scope| {
        let reader_stop = Arc::clone(stop);
        let reader = scope.spawn(move || read(&sources, &units, &reader_stop));
        for _ in 0..workers {
            let (incoming, waiting) = (Arc::clone(&incoming), Arc::clone(&waiting));
            let salt = if is_again { Some(hub.new_id()) } else { None };
            scope.spawn(move || prepare(hub, &incoming, &waiting, salt.as_deref()));
        }
        let mut commits = Commits { hub, report, finished, outcomes, under_way: BTreeMap::new() };
        let mut next = 0;
        let mut last = None;
        loop {
            if last.is_none() && reader.is_finished() {
                // How many units there were is known when the reader has ended; the scope joins it.
                last = Some(());
            }
            let Some(ready) = take(&waiting, next, || last.is_some() && Arc::strong_count(&waiting) == 1) else { break };
            next += 1;
            bar.set_position(counter.load(Ordering::Relaxed));
            commits.commit(ready);
        }
        commits.finish();
    });
    bar.set_position(counter.load(Ordering::Relaxed));
    Ok(())
}

fn read(sources: &Sources, units: &SyncSender<(u64, Unit)>, stop: &Stop) {
    let mut number = 0;
    sources.each(&mut |unit| {
        let is_sent = !stop.load(Ordering::Relaxed) && units.send((number, unit)).is_ok();
        number += 1;
        is_sent
    });
}

fn prepare(hub: &Hub, incoming: &Mutex<Receiver<(u64, Unit)>>, waiting: &Arc<Waiting>, salt: Option<&str>) {
    let access = Access::open("import");
    let limits = limits(hub);
    loop {
        let received = match incoming.lock() {
            Ok(incoming) => incoming.recv(),
            Err(_) => return,
        };
        let Ok((number, unit)) = received else { return };
        let ready = ready(hub, &access, &limits, unit, salt);
        let Ok(mut list) = waiting.ready.lock() else { return };
        // Those further on wait for room; the one that is next never does.
        while list.len() >= UNCOMMITTED && list.first_key_value().is_some_and(|(first, _)| *first < number) {
            list = match waiting.changed.wait(list) {
                Ok(list) => list,
                Err(_) => return,
            };
        }
        list.insert(number, ready);
        waiting.changed.notify_all();
    }
}

/// The unit with a number, when it is ready; `None` when there will be none.
fn take(waiting: &Waiting, number: u64, is_over: impl Fn() -> bool) -> Option<Ready> {
    let mut list = waiting.ready.lock().ok()?;
    loop {
        if let Some(ready) = list.remove(&number) {
            waiting.changed.notify_all();
            return Some(ready);
        }
        if is_over() && list.is_empty() {
            return None;
        }
        let (unlocked, _) = waiting.changed.wait_timeout(list, std::time::Duration::from_millis(20)).ok()?;
        list = unlocked;
        if is_over() && !list.contains_key(&number) {
            return None;
        }
    }
}

fn key(kind: &[u8], bytes: &[u8], salt: Option<&str>) -> [u8; 16] {
    once_key(&[b"import", kind, bytes, salt.unwrap_or_default().as_bytes()])
}

fn document_commands(
    hub: &Hub,
    limits: &Limits,
    bytes: &[u8],
    is_kept_whole: bool,
) -> Result<Vec<Command>, Failure> {
    let document = fhir::json::parse(bytes, limits)?;
    hub.import_commands(&document, is_kept_whole, &mut |_| hub.new_id())
}

fn ready(hub: &Hub, access: &Access, limits: &Limits, unit: Unit, salt: Option<&str>) -> Ready {
    match unit.content {
        Content::Unreadable(reason) => {
            let issues = vec![Issue::error(fhir::IssueType::Invalid, reason)];
            Ready::Refused(vec![Refused { name: unit.name, issues, bytes: Vec::new() }])
        }
        Content::Document { bytes, is_kept_whole } => {
            match document_commands(hub, limits, &bytes, is_kept_whole) {
                Ok(commands) => {
                    let once = key(if is_kept_whole { b"whole" } else { b"parts" }, &bytes, salt);
                    let prepared = vec![hub.import_proposal(access, commands, once, None)];
                    let pieces = vec![Piece { name: unit.name.clone(), bytes }];
                    Ready::Commit { name: unit.name, prepared, pieces }
                }
                Err(failure) => Ready::Refused(vec![Refused { name: unit.name, issues: failure.issues, bytes }]),
            }
        }
        Content::Lines(lines) => lines_ready(hub, access, limits, &unit.name, lines, salt),
    }
}

/// Lines are committed together, but none twice in one commit, and none that does not read.
fn lines_ready(
    hub: &Hub,
    access: &Access,
    limits: &Limits,
    name: &str,
    lines: Vec<(u64, Vec<u8>)>,
    salt: Option<&str>,
) -> Ready {
    let file = name.rsplit_once(':').map_or(name, |(file, _)| file);
    let mut groups: Vec<(Vec<Command>, Vec<u8>)> = vec![(Vec::new(), Vec::new())];
    let mut names = std::collections::BTreeSet::new();
    let (mut pieces, mut refused) = (Vec::new(), Vec::new());
    for (number, line) in lines {
        let name = format!("{file}:{number}");
        match document_commands(hub, limits, &line, false) {
            Err(failure) => refused.push(Refused { name, issues: failure.issues, bytes: line }),
            Ok(commands) => {
                let own: Vec<(fhir::TypeId, String)> = commands.iter().map(|c| (c.resource_type, c.id.clone())).collect();
                if own.iter().any(|n| names.contains(n)) {
                    names.clear();
                    groups.push((Vec::new(), Vec::new()));
                }
                names.extend(own);
                if let Some((group, bytes)) = groups.last_mut() {
                    group.extend(commands);
                    bytes.extend_from_slice(&line);
                }
                pieces.push(Piece { name, bytes: line });
            }
        }
    }
    groups.retain(|(commands, _)| !commands.is_empty());
    let prepared: Vec<Prepared> = groups
        .into_iter()
        .map(|(commands, bytes)| hub.import_proposal(access, commands, key(b"lines", &bytes, salt), None))
        .collect();
    if prepared.is_empty() || !refused.is_empty() {
        // Refused lines are reported; the good ones of the group go in line by line beside them.
        let good = pieces.into_iter().map(|p| Refused { name: p.name, issues: Vec::new(), bytes: p.bytes });
        refused.extend(good);
        return Ready::Refused(refused);
    }
    Ready::Commit { name: name.to_owned(), prepared, pieces }
}

/// What is under way to the disk.
struct Commits<'h, 'r> {
    hub: &'h Hub,
    report: &'r mut Report,
    finished: std::sync::mpsc::Sender<(u64, Result<Outcome, Rejection>)>,
    outcomes: Receiver<(u64, Result<Outcome, Rejection>)>,
    under_way: BTreeMap<u64, (String, Vec<Piece>)>,
}

impl Commits<'_, '_> {
    fn commit(&mut self, ready: Ready) {
        match ready {
            Ready::Refused(list) => {
                for refused in list {
                    if refused.issues.is_empty() {
                        self.piece(&Piece { name: refused.name, bytes: refused.bytes });
                    } else {
                        self.report.reject(&refused.name, &refused.issues, &refused.bytes);
                    }
                }
            }
            Ready::Commit { name, prepared, pieces } => {
                let mut pieces = Some(pieces);
                let is_one = prepared.len() == 1;
                for prepared in prepared {
                    let number = self.under_way.last_key_value().map_or(0, |(n, _)| n + 1);
                    // If a unit makes several commits, each is reported alone and retried line by line only as a whole.
                    let own = if is_one { pieces.take().unwrap_or_default() } else { Vec::new() };
                    self.under_way.insert(number, (name.clone(), own));
                    let finished = self.finished.clone();
                    self.hub.submit(prepared, move |outcome| {
                        let _ = finished.send((number, outcome));
                    });
                }
            }
        }
        self.settle(UNCOMMITTED);
    }

    /// Takes outcomes until at most `limit` commits are under way.
    fn settle(&mut self, limit: usize) {
        loop {
            let received = if self.under_way.len() > limit {
                self.outcomes.recv().ok()
            } else {
                self.outcomes.try_recv().ok()
            };
            let Some((number, outcome)) = received else { return };
            let Some((name, pieces)) = self.under_way.remove(&number) else { continue };
            match outcome {
                Ok(outcome) => self.report.committed(&outcome),
                Err(_) if pieces.len() > 1 => pieces.iter().for_each(|p| self.piece(p)),
                Err(rejection) => {
                    let failure = Failure::from(rejection);
                    let bytes = pieces.first().map(|p| p.bytes.as_slice()).unwrap_or_default();
                    self.report.reject(&name, &failure.issues, bytes);
                }
            }
        }
    }

    /// Commits a piece alone, after what is under way.
    fn piece(&mut self, piece: &Piece) {
        let access = Access::open("import");
        let outcome = document_commands(self.hub, &limits(self.hub), &piece.bytes, false).and_then(|commands| {
            let once = key(b"lines", &piece.bytes, None);
            self.hub.submit_and_wait(self.hub.import_proposal(&access, commands, once, None))
        });
        match outcome {
            Ok(outcome) => self.report.committed(&outcome),
            Err(failure) => self.report.reject(&piece.name, &failure.issues, &piece.bytes),
        }
    }

    fn finish(&mut self) {
        while !self.under_way.is_empty() {
            self.settle(0);
        }
    }
}
