//! The log of a data directory that may be in service, to be read.
//!
//! The directory is opened a second time, as for a backup ([`crate::backup()`]); a reader sees the log as it was at that moment. Entries are
//! looked for from the newest on, by the index that narrows most: cost grows with what is found.

use std::path::{Path, PathBuf};

use fhir::body::write_spliced;
use fhir::date_time::{Micros, format_instant};
use fhir::{TypeId, r4};

use crate::engine::{Engine, Family, Limits, View};
use crate::error::{Error, corrupt};
use crate::fold::read_entry;
use crate::layout::bodies::{Content as BodyContent, Version};
use crate::layout::log::{CHAIN_BYTES, Command, Content, Entry, Settings};
use crate::layout::{circumstances, history, ids, rows};
use crate::numbers::{PackedId, Place, Seat};
use crate::reader::{stored_head, version_at};
use crate::replay::StoreSource;

/// Which entries are looked for.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    /// A type, or one resource of it.
    pub resource: Option<(TypeId, Option<String>)>,
    /// Circumstances, by their number in [`crate::Circumstances::NAMES`].
    pub circumstances: Vec<(u8, String)>,
    /// None recorded before this moment.
    pub since: Option<Micros>,
}

/// An entry as the log has it.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Its place.
    pub place: Place,
    /// Its chain value.
    pub chain: [u8; CHAIN_BYTES],
    /// What it says.
    pub entry: Entry,
}

/// The text of a command's version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogText {
    /// There is none: a deletion.
    None,
    /// It was destroyed.
    Destroyed,
    /// JSON.
    Json(String),
}

/// A log that is read.
pub struct LogReader {
    engine: Engine,
    last: Place,
}

impl LogReader {
    /// Opens the log of a data directory as it is now.
    ///
    /// # Errors
    /// A directory that is none of yojigen's, or damaged.
    pub fn open(path: &Path, limits: &Limits) -> Result<LogReader, Error> {
        let engine = Engine::open_for_reading(path, limits)?;
        let last = StoreSource::new(View::newest(&engine)?)?.last();
        Ok(LogReader { engine, last })
    }

    /// The newest entry's place; 0 if there is none.
    #[must_use]
    pub fn last(&self) -> Place {
        self.last
    }

    /// What the log says it depends on.
    ///
    /// # Errors
    /// As the engine says.
    pub fn settings(&self) -> Result<Settings, Error> {
        match self.entry(Place(1))?.entry.content {
            Content::Settings(settings) => Ok(settings),
            Content::Transaction(_) | Content::Redaction(_) => {
                Err(corrupt("entry 1 of the log", "it does not state the settings"))
            }
        }
    }

    /// The entry at a place.
    ///
    /// # Errors
    /// As the engine says; a place that is not in the log.
    pub fn entry(&self, place: Place) -> Result<LogEntry, Error> {
        let (chain, entry) = read_entry(&View::newest(&self.engine)?, place)?;
        Ok(LogEntry { place, chain, entry })
    }

    /// The newest entry at or before a place that a filter lets through.
    ///
    /// # Errors
    /// As the engine says.
    pub fn newest(&self, filter: &LogFilter, at: Place) -> Result<Option<LogEntry>, Error> {
        let mut at = at.min(self.last);
        while at.0 > 0 {
            let Some(place) = self.candidate(filter, at)?.filter(|place| place.0 > 0) else {
                return Ok(None);
            };
            let found = self.entry(place)?;
            if filter.since.is_some_and(|since| found.entry.instant < since) {
                return Ok(None);
            }
            if is_wanted(filter, &found.entry) {
                return Ok(Some(found));
            }
            at = Place(place.0 - 1);
        }
        Ok(None)
    }

    /// The last place at or before another where an entry may be wanted.
    fn candidate(&self, filter: &LogFilter, at: Place) -> Result<Option<Place>, Error> {
        let view = View::newest(&self.engine)?;
        if let Some((resource_type, Some(id))) = &filter.resource {
            let Some(number) = r4().resource_number(*resource_type) else { return Ok(None) };
            let Some(value) = view.get(Family::State, ids::key(number, &PackedId::new(id)))? else {
                return Ok(None);
            };
            let resource = ids::decode(&value);
            let head = stored_head(&view, resource)?;
            return Ok(version_at(&view, &head, resource, at)?.map(|(place, _)| place));
        }
        if let Some((field, text)) = filter.circumstances.first() {
            let prefix = circumstances::prefix(*field, text);
            let start = circumstances::key(*field, text, at);
            let mut commits = view.range(Family::State, &start, &search::condition::after_prefix(&prefix));
            commits.seek_to_first();
            let found = commits.key().map(circumstances::read_place);
            commits.status()?;
            return Ok(found);
        }
        if let Some((resource_type, None)) = &filter.resource {
            let Some(number) = r4().resource_number(*resource_type) else { return Ok(None) };
            let (start, end) = (history::key(number, Place(0), 0), history::key(number, Place(at.0 + 1), 0));
            let mut versions = view.range(Family::State, &start, &end);
            versions.seek_to_last();
            let found = versions.key().map(|key| history::read_key(key).0);
            versions.status()?;
            return Ok(found);
        }
        Ok(Some(at))
    }

    /// The text a command of an entry wrote.
    ///
    /// # Errors
    /// As the engine says; a body that is missing.
    pub fn text(&self, of: &LogEntry, command: &Command) -> Result<LogText, Error> {
        if command.body.is_none() {
            return Ok(LogText::None);
        }
        let seat = Seat { person: command.person, resource: command.resource };
        let key = rows::key(seat, command.type_number, of.place);
        let value = View::newest(&self.engine)?.get(Family::Bodies, key)?;
        let name = || format!("a body of entry {} of the log ({})", of.place, command.id.unpack());
        let value = value.ok_or_else(|| corrupt(&name(), "it is missing"))?;
        let version = Version::decode(&value)?;
        Ok(match version.content {
            BodyContent::Deletion => LogText::None,
            BodyContent::Destroyed { .. } => LogText::Destroyed,
            BodyContent::Text { splice, text, .. } => {
                let mut json = String::new();
                let (number, instant) = (version.version.to_string(), format_instant(version.instant));
                write_spliced(text, splice, &number, &instant, &mut json);
                LogText::Json(json)
            }
        })
    }
}

fn is_wanted(filter: &LogFilter, entry: &Entry) -> bool {
    let fields = entry.circumstances.fields();
    let has_circumstances = filter
        .circumstances
        .iter()
        .all(|(field, text)| fields.get(usize::from(*field)).copied().flatten() == Some(text.as_str()));
    let has_resource = filter.resource.as_ref().is_none_or(|(resource_type, id)| {
        let Content::Transaction(commands) = &entry.content else { return false };
        commands.iter().any(|command| {
            Some(command.type_number) == r4().resource_number(*resource_type)
                && id.as_ref().is_none_or(|id| command.id.unpack() == *id)
        })
    });
    has_circumstances && has_resource
}

/// Something that differs when a data directory's log may have grown: the sizes of the engine's logs, and which there are.
#[must_use]
pub fn log_state(path: &Path) -> Vec<(PathBuf, u64)> {
    let Ok(files) = std::fs::read_dir(path.join("db")) else { return Vec::new() };
    let mut state: Vec<(PathBuf, u64)> = files
        .filter_map(|file| {
            let file = file.ok()?;
            let is_log = file.path().extension().is_some_and(|e| e == "log");
            Some((file.path(), file.metadata().ok()?.len())).filter(|_| is_log)
        })
        .collect();
    state.sort_unstable();
    state
}
