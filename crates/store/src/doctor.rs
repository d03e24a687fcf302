//! Is everything that was written still there, and does it agree?

use std::path::Path;

use search::{LinkedEntry, Linker};

use crate::draft::Draft;
use crate::engine::{Engine, Family, Limits, View};
use crate::error::Error;
use crate::fold::type_of;
use crate::gaps::Gaps;
use crate::layout::bodies::{Content as BodyContent, Version};
use crate::layout::heads::{Head, State};
use crate::layout::live::LiveRow;
use crate::layout::log::{self, CHAIN_BYTES, Content, Entry};
use crate::layout::meta::{Counters, counters_key};
use crate::layout::past::PastRow;
use crate::layout::{broken, heads, ids, live, past, rows, symbols, totals};
use crate::numbers::{PackedId, Place, ResourceNumber, Seat};
use crate::reader::stored_head;
use crate::{blobs, wal};

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which file, entry, resource or row.
    pub place: String,
    /// What is wrong.
    pub finding: String,
}

/// How far an examination or replay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// How much there is; zero if that is not known.
    pub total: u64,
}

/// More findings than this are counted, not listed.
const MAX_FINDINGS: usize = 100;

/// Examines the store at a directory that no other process has open: every file's checksums, the log's chain, every
/// body against its hash, every index row against its version's entries, and every current version's entries against
/// its text.
///
/// # Errors
/// Only if the directory cannot be examined at all; damage is a finding.
pub fn examine(
    path: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    if path.join(crate::engine::RESTORING).exists() {
        return Err(Error::Unfinished(path.to_owned()));
    }
    let db = path.join("db");
    let files =
        crate::checksums::verify(path).into_iter().chain(wal::examine(&db)).chain(blobs::examine(&db));
    for (place, finding) in files {
        findings.push(Finding { place, finding });
    }
    let engine = match Engine::open_for_examination(path, limits) {
        Ok(engine) => engine,
        Err(
            error @ (Error::InUse(_)
            | Error::NotAStore(_)
            | Error::TooNew { .. }
            | Error::Unfinished(_)
            | Error::Key(_)),
        ) => return Err(error),
        Err(error) => {
            findings.push(of_error(error));
            return Ok(findings);
        }
    };
    let mut examination = Examination { view: View::newest(&engine)?, findings, omitted: 0, progress };
    examination.run()?;
    let Examination { mut findings, omitted, .. } = examination;
    if omitted > 0 {
        findings.push(Finding {
            place: "and more".to_owned(),
            finding: format!("{omitted} further findings are not listed"),
        });
    }
    Ok(findings)
}

fn of_error(error: Error) -> Finding {
    match error {
        Error::Corrupt { place, finding } => Finding { place, finding },
        other => Finding { place: "the data directory".to_owned(), finding: other.to_string() },
    }
}

struct Examination<'v, 'p> {
    view: View<'v>,
    findings: Vec<Finding>,
    omitted: usize,
    progress: &'p mut dyn FnMut(Progress),
}

/// What counting found, to be compared at the end.
#[derive(Default)]
struct Counts {
    versions: u64,
    live_rows: u64,
    heads: u64,
    /// Resources, by type's number, whose current text is destroyed, as a log leaves them that ends before its purge does.
    gone: std::collections::BTreeMap<u8, u64>,
}

/// A step of progress is told every so many items.
const STEP: u64 = 2000;

impl Examination<'_, '_> {
    fn note(&mut self, place: impl Into<String>, finding: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { place: place.into(), finding: finding.into() });
        } else {
            self.omitted += 1;
        }
    }

    fn tell(&mut self, stage: &'static str, done: u64, total: u64) {
        if done.is_multiple_of(STEP) || done == total {
            (self.progress)(Progress { stage, done, total });
        }
    }

    /// Runs a part; damage that stops it is a finding, and the next part runs.
    fn part(&mut self, what: fn(&mut Self, &mut Counts) -> Result<(), Error>, counts: &mut Counts) {
        if let Err(error) = what(self, counts) {
            let Finding { place, finding } = of_error(error);
            self.note(place, finding);
        }
    }

    fn run(&mut self) -> Result<(), Error> {
        let mut counts = Counts::default();
        self.part(Self::log, &mut counts);
        self.part(Self::resources, &mut counts);
        self.part(Self::live_rows, &mut counts);
        self.part(Self::past_rows, &mut counts);
        self.part(Self::bodies, &mut counts);
        self.part(Self::state, &mut counts);
        Ok(())
    }

    /// The chain, the order of places and instants, every body against its hash.
    fn log(&mut self, counts: &mut Counts) -> Result<(), Error> {
        let stored = self.view.get(Family::State, counters_key())?.and_then(|v| Counters::decode(&v));
        let total = stored.map_or(0, |c| c.place.0);
        let mut entries = self.view.sweep(Family::Log);
        entries.seek_to_first();
        let mut chain = [0; CHAIN_BYTES];
        let (mut expected, mut last_instant) = (1, i64::MIN);
        let mut gaps = Gaps::default();
        while let Some((key, value)) = entries.item() {
            let place = log::read_key(key);
            let name = format!("entry {place} of the log");
            if place.0 != expected {
                self.note(
                    format!("entry {expected} of the log"),
                    format!("it is missing; the next one is {place}"),
                );
            }
            expected = place.0 + 1;
            match Entry::decode(place, value) {
                Err(error) => self.note(name, error.to_string()),
                Ok((stored_chain, entry)) => {
                    gaps.meet(place, &entry);
                    let is_whole = entry.redacted_by.is_none();
                    if is_whole && log::chain(&chain, &value[CHAIN_BYTES..]) != stored_chain {
                        self.note(
                            &name,
                            "the chain is broken here: the entry or the one before is not what was written",
                        );
                    }
                    chain = stored_chain;
                    if entry.instant <= last_instant {
                        self.note(&name, "its instant is not after the one before");
                    }
                    last_instant = entry.instant;
                    if let Content::Transaction(commands) = entry.content {
                        let made = |c: &log::Command| c.operation != log::Operation::Destroy;
                        for command in commands.into_iter().filter(made) {
                            counts.versions += 1;
                            self.body(place, &command)?;
                        }
                    }
                }
            }
            self.tell("the log and every body", place.0, total);
            entries.next();
        }
        entries.status()?;
        for (place, finding) in gaps.findings(Place(total)) {
            self.note(format!("entry {place} of the log"), finding);
        }
        if expected != total + 1 {
            self.note("the log", format!("it ends with entry {}; the counters say {total}", expected - 1));
        }
        Ok(())
    }

    fn body(&mut self, place: Place, command: &log::Command) -> Result<(), Error> {
        let name = format!(
            "{}/{} version {}",
            fhir::r4().type_name(type_of(command.type_number)),
            command.id.unpack(),
            command.version
        );
        let seat = Seat { person: command.person, resource: command.resource };
        let Some(value) = self.view.get(Family::Bodies, rows::key(seat, command.type_number, place))? else {
            self.note(name, "its body is missing");
            return Ok(());
        };
        let version = match Version::decode(&value) {
            Ok(version) => version,
            Err(error) => {
                self.note(name, error.to_string());
                return Ok(());
            }
        };
        if version.version != command.version {
            self.note(&name, format!("its body says version {}", version.version));
        }
        match (version.content, command.body) {
            (BodyContent::Text { nonce, text, .. }, Some((hash, size))) => {
                if text.len() != size as usize || log::body_hash(nonce, text) != hash {
                    self.note(name, "its text is not what was written (its hash differs from the log's)");
                }
            }
            (BodyContent::Deletion, None) | (BodyContent::Destroyed { .. }, Some(_)) => {}
            _ => self.note(name, "its body and its entry in the log disagree about whether there is a text"),
        }
        Ok(())
    }

    /// Every head: its id, its current version's entries, the rows they stand for, and what the text gives.
    fn resources(&mut self, counts: &mut Counts) -> Result<(), Error> {
        let zone = self.zone()?;
        let total = self
            .view
            .get(Family::State, counters_key())?
            .and_then(|v| Counters::decode(&v))
            .map_or(0, |c| c.resource.0);
        for number in 1..=total {
            let number = ResourceNumber(number);
            counts.heads += 1;
            let Some(value) = self.view.get(Family::State, heads::key(number))? else {
                self.note(format!("resource {}", number.0), "its head is missing");
                continue;
            };
            let head = Head::decode(&value)?;
            let name = format!("{}/{}", fhir::r4().type_name(type_of(head.type_number)), head.id.unpack());
            let listed = self.view.get(Family::State, ids::key(head.type_number, &head.id))?;
            if listed.map(|v| ids::decode(&v)) != Some(number) {
                self.note(&name, "its id does not lead to it");
            }
            if head.state == State::Live {
                self.resource(&name, number, &head, &zone, counts)?;
            }
            self.tell("every resource and its index rows", number.0, total);
        }
        Ok(())
    }

    fn zone(&self) -> Result<search::Zone, Error> {
        let (_, entry) = crate::fold::read_entry(&self.view, Place(1))?;
        match entry.content {
            Content::Settings(settings) => search::Zone::named(&settings.zone),
            Content::Transaction(_) | Content::Redaction(_) => None,
        }
        .ok_or_else(|| crate::error::corrupt("entry 1 of the log", "it names no time zone that is known"))
    }

    fn resource(
        &mut self,
        name: &str,
        number: ResourceNumber,
        head: &Head,
        zone: &search::Zone,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        let seat = head.seat(number);
        let key = rows::key(seat, head.type_number, head.place);
        if head.since.0 == 0 {
            *counts.gone.entry(head.type_number).or_default() += 1;
            return Ok(());
        }
        let Some(value) = self.view.get(Family::Rows, &key)? else {
            self.note(name, "the entries of its current version are missing");
            return Ok(());
        };
        let listed = rows::decode(&value, head.place)?;
        let mut row_keys: Vec<(u8, &[u8])> =
            listed.iter().map(|r| (r.entry.parameter, r.entry.key.as_slice())).collect();
        row_keys.dedup();
        counts.live_rows += row_keys.len() as u64 + 1;
        for (parameter, value_key) in row_keys {
            let from = listed
                .iter()
                .find(|r| (r.entry.parameter, r.entry.key.as_slice()) == (parameter, value_key))
                .map(|r| r.from);
            let row = self.view.get(Family::Live, live::key(head.type_number, parameter, value_key, seat))?;
            match row.as_deref().map(LiveRow::decode).transpose() {
                Ok(Some(row)) if Some(row.from) == from => {}
                Ok(Some(_)) => self.note(
                    name,
                    format!("an index row of parameter {parameter} begins at another place than listed"),
                ),
                Ok(None) => self.note(name, format!("an index row of parameter {parameter} is missing")),
                Err(error) => self.note(name, error.to_string()),
            }
        }
        if self.view.get(Family::Live, live::key(head.type_number, live::ALL, &[], seat))?.is_none() {
            self.note(name, "it is not in the list of its type's resources");
        }
        let Some(body) = self.view.get(Family::Bodies, key)? else { return Ok(()) }; // reported with the log
        if let BodyContent::Text { text, splice, .. } = Version::decode(&body)?.content {
            let body = fhir::Body { text: text.to_owned(), splice };
            match Draft::of_body(body, &head.id.unpack(), zone) {
                Err(issue) => self.note(name, format!("its text does not read: {}", issue.diagnostics)),
                Ok(draft) => {
                    let mut numbers = KnownNumbers(self.view);
                    let linked = draft
                        .extracted
                        .entries
                        .into_iter()
                        .map(|e| e.link(&mut numbers))
                        .collect::<Result<Vec<_>, _>>();
                    let mut entries: Vec<LinkedEntry> = linked?;
                    entries.sort_unstable();
                    entries.dedup();
                    if entries.iter().ne(listed.iter().map(|r| &r.entry)) {
                        self.note(name, "its listed entries are not those its text gives");
                    }
                }
            }
        }
        Ok(())
    }

    /// No live row without a resource: there are as many as the resources list.
    fn live_rows(&mut self, counts: &mut Counts) -> Result<(), Error> {
        let mut found = 0;
        let mut iterator = self.view.sweep(Family::Live);
        iterator.seek_to_first();
        while let Some((_, value)) = iterator.item() {
            LiveRow::decode(value)?;
            found += 1;
            self.tell("current index rows", found, counts.live_rows.max(found));
            iterator.next();
        }
        iterator.status()?;
        if found != counts.live_rows {
            self.note(
                "family live",
                format!("it has {found} rows; the current versions stand for {}", counts.live_rows),
            );
        }
        Ok(())
    }

    /// Every past row was listed by the version current when it began, and ends after that.
    fn past_rows(&mut self, _: &mut Counts) -> Result<(), Error> {
        let mut done = 0;
        let mut iterator = self.view.sweep(Family::Past);
        iterator.seek_to_first();
        while let Some((key, value)) = iterator.item() {
            let row = PastRow::decode(value)?;
            if let Some((live_key, from)) = past::read_key(key)
                && let Some((value_key, seat)) = live::read_key(live_key)
            {
                let (type_number, parameter) = (live_key[0], live_key[1]);
                let name = format!(
                    "a past index row of {} number {}",
                    fhir::r4().type_name(type_of(type_number)),
                    seat.resource.0
                );
                if row.to <= from {
                    self.note(&name, "it ends before it begins");
                }
                if parameter != live::ALL {
                    let version = self.view.get(Family::Rows, rows::key(seat, type_number, from))?;
                    let is_listed = version.is_some_and(|v| {
                        let mut listed = rows::Rows(&v);
                        listed.any(|r| r.parameter == parameter && r.key == value_key)
                    });
                    if !is_listed {
                        self.note(&name, format!("the version of commit {from} does not list it"));
                    }
                }
            }
            done += 1;
            self.tell("past index rows", done, 0);
            iterator.next();
        }
        Ok(iterator.status()?)
    }

    /// No body without an entry: there are as many as the log's commands.
    fn bodies(&mut self, counts: &mut Counts) -> Result<(), Error> {
        let mut found = 0;
        let mut iterator = self.view.sweep(Family::Bodies);
        iterator.seek_to_first();
        while iterator.valid() {
            found += 1;
            self.tell("bodies", found, counts.versions.max(found));
            iterator.next();
        }
        iterator.status()?;
        if found != counts.versions {
            self.note(
                "family bodies",
                format!("it has {found} versions; the log has {} commands", counts.versions),
            );
        }
        let mut iterator = self.view.sweep(Family::Rows);
        iterator.seek_to_first();
        while let Some((key, value)) = iterator.item() {
            rows::decode(value, rows::read_place(key))?;
            iterator.next();
        }
        Ok(iterator.status()?)
    }

    /// The small tables read through, and the totals are those of the lists.
    fn state(&mut self, counts: &mut Counts) -> Result<(), Error> {
        let mut iterator = self.view.sweep(Family::State);
        iterator.seek_to_first();
        while let Some(key) = iterator.key() {
            if let Some((type_number, id)) = broken::read_key(key)
                && let Some(number) = self.view.get(Family::State, ids::key(type_number, &id))?
                && stored_head(&self.view, ids::decode(&number))?.state == State::Live
            {
                let name = format!("{}/{}", fhir::r4().type_name(type_of(type_number)), id.unpack());
                self.note(name, "it is listed as missing and is there");
            }
            iterator.next();
        }
        iterator.status()?;
        for number in 0..=u8::MAX {
            let Some(resource_type) = fhir::r4().resource_numbered(number) else { break };
            let prefix = [number, live::ALL];
            let mut list = self.view.range(Family::Live, &prefix, &search::condition::after_prefix(&prefix));
            list.seek_to_first();
            let mut count = 0;
            while list.valid() {
                count += 1;
                list.next();
            }
            list.status()?;
            let place = Place(u64::MAX >> 24);
            let (start, end) =
                (totals::key(number, place), search::condition::after_prefix(&totals::prefix(number)));
            let mut stored = self.view.range(Family::State, &start, &end);
            stored.seek_to_first();
            let stored = stored.value().map_or(0, totals::decode);
            let gone = counts.gone.get(&number).copied().unwrap_or(0);
            if stored != count + gone {
                let name = fhir::r4().type_name(resource_type);
                self.note(format!("the total of {name}"), format!("it says {stored}; {count} are listed"));
            }
        }
        Ok(())
    }
}

/// The numbers the store has given; none are made.
struct KnownNumbers<'v>(View<'v>);

impl Linker for KnownNumbers<'_> {
    type Error = Error;

    fn system(&mut self, uri: &str) -> Result<u32, Error> {
        Ok(self.0.get(Family::State, symbols::number_key(uri))?.map_or(0, |v| symbols::decode(&v)))
    }

    fn resource(&mut self, resource_type: fhir::TypeId, id: &str) -> Result<u64, Error> {
        let type_number = fhir::r4().resource_number(resource_type).unwrap_or(u8::MAX);
        Ok(self
            .0
            .get(Family::State, ids::key(type_number, &PackedId::new(id)))?
            .map_or(0, |v| ids::decode(&v).0))
    }
}
