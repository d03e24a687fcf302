//! Into a data directory: prepare in parallel, commit in the order of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};

use anyhow::Result;
use fhir::{Issue, IssueType, Limits, TypeId};
use hub::{Access, Failure, Hub, Prepared, once_key};
use indicatif::ProgressBar;
use store::{Command, Outcome, Rejection};

use super::report::Report;
use super::source::{Content, MAX_DOCUMENT, Sources, Unit};
use super::{Stop, pipeline};

/// Commits on their way to the disk.
const UNCOMMITTED: usize = 24;

/// A unit, made ready: what is to be committed, and what was refused before it reached the hub.
#[derive(Default)]
struct Ready {
    commits: Vec<Commit>,
    refused: Vec<Refused>,
}

/// What is committed together; if it is refused, piece by piece.
struct Commit {
    name: String,
    prepared: Prepared,
    pieces: Vec<Piece>,
}

/// A part of a unit that can be committed alone.
struct Piece {
    name: String,
    bytes: Vec<u8>,
}

struct Refused {
    piece: Piece,
    issues: Vec<Issue>,
}

/// The limits of files: those of requests, but for the number of entries.
pub(super) fn limits(hub: &Hub) -> Limits {
    Limits { bundle_bytes: MAX_DOCUMENT, bundle_entries: usize::MAX, ..hub.limits }
}

/// Makes commands of what units hold.
struct Preparer<'h> {
    hub: &'h Hub,
    access: Access,
    limits: Limits,
    /// Makes the keys of this import unlike those of any other.
    salt: String,
}

/// Imports. `is_again`: even what was imported before.
pub(super) fn run(
    hub: &Hub,
    sources: &Sources,
    is_again: bool,
    report: &mut Report,
    bar: &ProgressBar,
    stop: &Stop,
) -> Result<()> {
    let salt = if is_again { hub.new_id() } else { String::new() };
    let preparer = Preparer { hub, access: Access::open("import"), limits: limits(hub), salt };
    let counter = sources.counter();
    let (finished, outcomes) = channel();
    let mut commits =
        Commits { preparer: &preparer, report, finished, outcomes, under_way: BTreeMap::new(), next: 0 };
    pipeline::run(
        sources,
        stop,
        |unit| preparer.ready(unit),
        |ready| {
            bar.set_position(counter.load(Ordering::Relaxed));
            commits.take(ready);
            Ok(())
        },
    )?;
    commits.settle(0);
    Ok(())
}

impl Preparer<'_> {
    fn ready(&self, unit: Unit) -> Ready {
        match unit.content {
            Content::Unreadable(reason) => {
                let issues = vec![Issue::error(IssueType::Invalid, reason)];
                let piece = Piece { name: unit.name, bytes: Vec::new() };
                Ready { refused: vec![Refused { piece, issues }], ..Ready::default() }
            }
            Content::Document { bytes, is_kept_whole } => {
                let piece = Piece { name: unit.name.clone(), bytes };
                match self.commands(&piece.bytes, is_kept_whole) {
                    Ok(commands) => {
                        let kind: &[u8] = if is_kept_whole { b"whole" } else { b"parts" };
                        let prepared = self.prepared(commands, kind, &piece.bytes);
                        let commit = Commit { name: unit.name, prepared, pieces: vec![piece] };
                        Ready { commits: vec![commit], ..Ready::default() }
                    }
                    Err(failure) => {
                        Ready { refused: vec![Refused { piece, issues: failure.issues }], ..Ready::default() }
                    }
                }
            }
            Content::Lines(lines) => self.lines(&unit.name, lines),
        }
    }

    fn commands(&self, bytes: &[u8], is_kept_whole: bool) -> Result<Vec<Command>, Failure> {
        let document = fhir::json::parse(bytes, &self.limits)?;
        self.hub.import_commands(&document, is_kept_whole, &mut |_| self.hub.new_id())
    }

    fn prepared(&self, commands: Vec<Command>, kind: &[u8], bytes: &[u8]) -> Prepared {
        let once = once_key(&[b"import", kind, bytes, self.salt.as_bytes()]);
        self.hub.import_proposal(&self.access, commands, once, None)
    }

    /// Lines are committed together, but no resource twice in one commit, and none that does not read.
    fn lines(&self, name: &str, lines: Vec<(u64, Vec<u8>)>) -> Ready {
        let file = name.rsplit_once(':').map_or(name, |(file, _)| file);
        let mut ready = Ready::default();
        let (mut group, mut pieces, mut names) =
            (Vec::new(), Vec::new(), BTreeSet::<(TypeId, String)>::new());
        let close = |group: &mut Vec<Command>, pieces: &mut Vec<Piece>, ready: &mut Ready| {
            let (commands, pieces) = (std::mem::take(group), std::mem::take(pieces));
            if let Some(first) = pieces.first() {
                let (name, bytes) =
                    (first.name.clone(), pieces.iter().map(|p| p.bytes.as_slice()).collect::<Vec<_>>());
                let prepared = self.prepared(commands, b"lines", &bytes.concat());
                ready.commits.push(Commit { name, prepared, pieces });
            }
        };
        for (number, bytes) in lines {
            let piece = Piece { name: format!("{file}:{number}"), bytes };
            match self.commands(&piece.bytes, false) {
                Err(failure) => ready.refused.push(Refused { piece, issues: failure.issues }),
                Ok(commands) => {
                    let own: Vec<_> = commands.iter().map(|c| (c.resource_type, c.id.clone())).collect();
                    if own.iter().any(|n| names.contains(n)) {
                        names.clear();
                        close(&mut group, &mut pieces, &mut ready);
                    }
                    names.extend(own);
                    group.extend(commands);
                    pieces.push(piece);
                }
            }
        }
        close(&mut group, &mut pieces, &mut ready);
        ready
    }
}

/// What is under way to the disk.
struct Commits<'p, 'h, 'r> {
    preparer: &'p Preparer<'h>,
    report: &'r mut Report,
    finished: std::sync::mpsc::Sender<(u64, Result<Outcome, Rejection>)>,
    outcomes: Receiver<(u64, Result<Outcome, Rejection>)>,
    under_way: BTreeMap<u64, (String, Vec<Piece>)>,
    next: u64,
}

impl Commits<'_, '_, '_> {
    fn take(&mut self, ready: Ready) {
        for refused in ready.refused {
            self.report.reject(&refused.piece.name, &refused.issues, &refused.piece.bytes);
        }
        for Commit { name, prepared, pieces } in ready.commits {
            if prepared.is_empty() {
                continue;
            }
            let number = self.next;
            self.next += 1;
            self.under_way.insert(number, (name, pieces));
            let finished = self.finished.clone();
            self.preparer.hub.submit(prepared, move |outcome| {
                let _ = finished.send((number, outcome));
            });
            self.settle(UNCOMMITTED);
        }
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
                Err(Rejection::Command { .. }) if pieces.len() > 1 => {
                    pieces.iter().for_each(|p| self.piece(p))
                }
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
        let preparer = self.preparer;
        let outcome = preparer.commands(&piece.bytes, false).and_then(|commands| {
            preparer.hub.submit_and_wait(preparer.prepared(commands, b"lines", &piece.bytes))
        });
        match outcome {
            Ok(outcome) => self.report.committed(&outcome),
            Err(failure) => self.report.reject(&piece.name, &failure.issues, &piece.bytes),
        }
    }
}
