//! Into an empty data directory, at the moments of recording that the data says.
//!
//! The log is in the order of time, files are not. So all resources are first sorted by moment, in files when there are
//! many; then those of one moment are committed together, each under a key of its content, so that the same import can
//! go on where it was stopped.

use std::cmp::Ordering as Compare;
use std::collections::{BTreeSet, BinaryHeap};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context, Result};
use fhir::{Issue, IssueType, NodeRef, r4};
use hub::{Access, Dated, Failure, Hub, RecordedFrom, once_key};
use indicatif::ProgressBar;
use store::{Outcome, Rejection};

use super::local::limits;
use super::report::Report;
use super::source::{Content, Sources, Unit};
use super::{Stop, pipeline};

/// Bytes sorted in memory; more go to files.
const RUN: usize = 128 << 20;
/// Bytes of one moment committed together: more than one commit of a hub holds, so that what had one moment there has
/// one here.
const GROUP: usize = 160 << 20;

/// Groups on their way to the disk.
const UNCOMMITTED: usize = 256;

/// A resource to be recorded.
#[derive(PartialEq, Eq, Debug)]
struct Item {
    instant: i64,
    /// In the order of the files.
    number: u64,
    resource_type: &'static str,
    id: String,
    version: Option<u64>,
    json: String,
}

impl Item {
    fn key(&self) -> (i64, u64) {
        (self.instant, self.number)
    }
}

struct Refusal {
    name: String,
    issues: Vec<Issue>,
    bytes: Vec<u8>,
}

/// Imports; false if nothing was done, as the directory holds other data.
pub(super) fn run(
    hub: &Hub,
    sources: &Sources,
    from: RecordedFrom,
    report: &mut Report,
    bar: &ProgressBar,
    stop: &Stop,
) -> Result<bool> {
    let mut sorter = Sorter::default();
    let counter = sources.counter();
    bar.set_message("sorting by moment of recording");
    let dated = |unit: Unit| prepare(hub, from, unit);
    pipeline::run(sources, stop, dated, |(items, refusals)| {
        bar.set_position(counter.load(Ordering::Relaxed));
        for refusal in refusals {
            report.reject(&refusal.name, &refusal.issues, &refusal.bytes);
        }
        items.into_iter().try_for_each(|item| sorter.add(item))
    })?;
    if stop.load(Ordering::Relaxed) {
        return Ok(true);
    }
    record_all(hub, sorter, report, bar, stop)
}

/// Records what was sorted; false if nothing was done, as the directory holds other data.
pub(crate) fn record_all(
    hub: &Hub,
    sorter: Sorter,
    report: &mut Report,
    bar: &ProgressBar,
    stop: &Stop,
) -> Result<bool> {
    bar.set_message("recording");
    bar.set_length(sorter.next);
    bar.set_position(0);
    bar.reset_eta();
    commit(hub, sorter.sorted()?, report, bar, stop)
}

/// The resources of a unit with their moments.
fn prepare(hub: &Hub, from: RecordedFrom, unit: Unit) -> (Vec<Dated>, Vec<Refusal>) {
    let documents = match unit.content {
        Content::Unreadable(reason) => {
            let issues = vec![Issue::error(IssueType::Invalid, reason)];
            return (Vec::new(), vec![Refusal { name: unit.name, issues, bytes: Vec::new() }]);
        }
        Content::Document { bytes, is_kept_whole } => vec![(unit.name, bytes, is_kept_whole)],
        Content::Lines(lines) => {
            let file = unit.name.rsplit_once(':').map_or(unit.name.as_str(), |(file, _)| file);
            lines.into_iter().map(|(number, bytes)| (format!("{file}:{number}"), bytes, false)).collect()
        }
    };
    let (limits, mut items, mut refusals) = (limits(hub), Vec::new(), Vec::new());
    for (name, bytes, is_kept_whole) in documents {
        let mut ids = content_ids(&bytes);
        let found = fhir::json::parse(&bytes, &limits)
            .map_err(Failure::from)
            .and_then(|document| hub.dated(&document, is_kept_whole, from, &mut ids));
        match found {
            Ok(found) => items.extend(found),
            Err(failure) => refusals.push(Refusal { name, issues: failure.issues, bytes }),
        }
    }
    (items, refusals)
}

/// Ids made of the content, so that the same import gives the same ones when it goes on.
fn content_ids(document: &[u8]) -> impl FnMut(NodeRef<'_>) -> String + use<> {
    let document = once_key(&[document]);
    let mut number = 0u64;
    move |_| {
        number += 1;
        let key = once_key(&[b"id", &document, &number.to_be_bytes()]);
        key.iter().map(|b| format!("{b:02x}")).collect()
    }
}

fn commit(
    hub: &Hub,
    mut sorted: Sorted,
    report: &mut Report,
    bar: &ProgressBar,
    stop: &Stop,
) -> Result<bool> {
    let now =
        i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros()).unwrap_or(i64::MAX);
    let reader = hub.reader(&Access::open("import"));
    let had_data = reader.totals(None)?.iter().any(|(_, n)| *n > 0);
    let mut under_way = UnderWay::new();
    let (mut is_first, mut next) = (true, sorted.next()?);
    while let Some(first) = next.take() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let instant = first.instant;
        let mut names = BTreeSet::from([(first.resource_type, first.id.clone())]);
        let mut bytes = first.json.len();
        let mut group = vec![first];
        next = sorted.next()?;
        while let Some(item) = &next {
            let is_new = names.insert((item.resource_type, item.id.clone()));
            bytes += item.json.len();
            if item.instant != instant || bytes > GROUP || !is_new {
                break;
            }
            group.extend(next.take());
            next = sorted.next()?;
        }
        bar.inc(group.len() as u64);
        if instant > now {
            for item in &group {
                let issue = Issue::error(IssueType::Value, "the moment of recording is in the future");
                report.reject(&format!("{}/{}", item.resource_type, item.id), &[issue], item.json.as_bytes());
            }
            continue;
        }
        let once = key(&group);
        if is_first && had_data && !reader.is_done(&once)? {
            return Ok(false);
        }
        is_first = false;
        under_way.record(hub, group, once)?;
        under_way.settle(UNCOMMITTED, report);
    }
    under_way.settle(0, report);
    Ok(true)
}

fn key(group: &[Item]) -> [u8; 16] {
    let parts: Vec<&[u8]> = group.iter().map(|i| i.json.as_bytes()).collect();
    once_key(&[b"recorded", &group[0].instant.to_be_bytes(), &once_key(&parts)])
}

/// Commits on their way to the disk, in the order of time.
struct UnderWay {
    finished: Sender<Settled>,
    outcomes: Receiver<Settled>,
    count: usize,
}

/// A group and what became of it.
type Settled = (Vec<Item>, Result<Outcome, Rejection>);

impl UnderWay {
    fn new() -> UnderWay {
        let (finished, outcomes) = channel();
        UnderWay { finished, outcomes, count: 0 }
    }

    /// Proposes a group; what is proposed first is committed first.
    fn record(&mut self, hub: &Hub, group: Vec<Item>, once: [u8; 16]) -> Result<()> {
        let access = Access::open("import");
        let mut commands = Vec::with_capacity(group.len());
        for item in &group {
            let document = fhir::json::parse(item.json.as_bytes(), &limits(hub)).map_err(first_issue)?;
            let made = hub
                .import_commands(&document, true, &mut |_| item.id.clone())
                .map_err(|f| first_issue(f.issues))?;
            commands.extend(made.into_iter().map(|c| store::Command { version: item.version, ..c }));
        }
        let prepared = hub.import_proposal(&access, commands, once, Some(group[0].instant));
        let finished = self.finished.clone();
        self.count += 1;
        hub.submit(prepared, move |outcome| {
            let _ = finished.send((group, outcome));
        });
        Ok(())
    }

    /// Takes outcomes until at most `limit` groups are under way.
    fn settle(&mut self, limit: usize, report: &mut Report) {
        while self.count > 0 {
            let settled =
                if self.count > limit { self.outcomes.recv().ok() } else { self.outcomes.try_recv().ok() };
            let Some((group, outcome)) = settled else { return };
            self.count -= 1;
            match outcome {
                Ok(outcome) => report.committed(&outcome),
                Err(rejection) => {
                    let failure = Failure::from(rejection);
                    for item in group {
                        let name = format!("{}/{}", item.resource_type, item.id);
                        report.reject(&name, &failure.issues, item.json.as_bytes());
                    }
                }
            }
        }
    }
}

fn first_issue(issues: Vec<Issue>) -> anyhow::Error {
    anyhow::anyhow!("{}", issues.first().map_or_else(String::new, ToString::to_string))
}

/// Sorts resources by moment, in memory or, when they are many, in files.
#[derive(Default)]
pub(crate) struct Sorter {
    items: Vec<Item>,
    bytes: usize,
    runs: Vec<File>,
    next: u64,
}

impl Sorter {
    /// Adds a resource.
    pub(crate) fn add(&mut self, dated: Dated) -> Result<()> {
        let Dated { instant, resource_type, id, version, json } = dated;
        self.bytes += json.len() + 128;
        self.items.push(Item { instant, number: self.next, resource_type, id, version, json });
        self.next += 1;
        if self.bytes >= RUN { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        self.items.sort_unstable_by_key(Item::key);
        let mut file = BufWriter::new(tempfile::tempfile().context("making a file to sort in")?);
        for item in self.items.drain(..) {
            write_item(&mut file, &item).context("writing a file to sort in")?;
        }
        let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(file);
        self.bytes = 0;
        Ok(())
    }

    fn sorted(mut self) -> Result<Sorted> {
        self.items.sort_unstable_by_key(Item::key);
        let mut runs = vec![Run::Memory(self.items.into_iter())];
        runs.extend(self.runs.into_iter().map(|file| Run::File(BufReader::new(file))));
        let mut heads = BinaryHeap::new();
        for (at, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next()?.map(|item| Head { item, run: at }));
        }
        Ok(Sorted { runs, heads })
    }
}

enum Run {
    Memory(std::vec::IntoIter<Item>),
    File(BufReader<File>),
}

impl Run {
    fn next(&mut self) -> Result<Option<Item>> {
        match self {
            Run::Memory(items) => Ok(items.next()),
            Run::File(file) => read_item(file).context("reading a file to sort in"),
        }
    }
}

#[derive(PartialEq, Eq)]
struct Head {
    item: Item,
    run: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> Compare {
        other.item.key().cmp(&self.item.key())
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<Compare> {
        Some(self.cmp(other))
    }
}

/// Everything, in the order of time.
struct Sorted {
    runs: Vec<Run>,
    heads: BinaryHeap<Head>,
}

impl Sorted {
    fn next(&mut self) -> Result<Option<Item>> {
        let Some(Head { item, run }) = self.heads.pop() else { return Ok(None) };
        if let Some(following) = self.runs[run].next()? {
            self.heads.push(Head { item: following, run });
        }
        Ok(Some(item))
    }
}

fn write_item(out: &mut impl Write, item: &Item) -> std::io::Result<()> {
    out.write_all(&item.instant.to_le_bytes())?;
    out.write_all(&item.number.to_le_bytes())?;
    out.write_all(&item.version.unwrap_or(0).to_le_bytes())?;
    for text in [item.resource_type, &item.id, &item.json] {
        out.write_all(&(text.len() as u64).to_le_bytes())?;
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

fn read_item(file: &mut BufReader<File>) -> Result<Option<Item>> {
    use std::io::BufRead as _;
    if file.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut number = || -> Result<u64> {
        let mut bytes = [0; 8];
        file.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    };
    let (instant, order, version) = (number()?.cast_signed(), number()?, number()?);
    let mut text = || -> Result<String> {
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let mut bytes = vec![0; usize::try_from(u64::from_le_bytes(length))?];
        file.read_exact(&mut bytes)?;
        Ok(String::from_utf8(bytes)?)
    };
    let (resource_type, id, json) = (text()?, text()?, text()?);
    let resource_type = r4().resource_type(&resource_type).map_or("Resource", |t| r4().type_name(t));
    let version = (version > 0).then_some(version);
    Ok(Some(Item { instant, number: order, resource_type, id, version, json }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_through_files_comes_back_in_the_order_of_time() {
        let mut sorter = Sorter::default();
        let instants = [5i64, 3, 9, 3, -1, 7];
        for (at, instant) in instants.iter().enumerate() {
            let json = format!("{{\"number\":{at}}}");
            let dated = Dated {
                instant: *instant,
                resource_type: "Patient",
                id: at.to_string(),
                version: None,
                json,
            };
            sorter.add(dated).unwrap();
            if at % 2 == 1 {
                sorter.spill().unwrap();
            }
        }
        let mut sorted = sorter.sorted().unwrap();
        let mut ids = Vec::new();
        while let Some(item) = sorted.next().unwrap() {
            ids.push(item.id);
        }
        assert_eq!(ids, ["4", "1", "3", "0", "5", "2"]);
    }
}
