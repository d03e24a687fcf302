//! Reading a ledger: a record by its number, and those of a person, an agent or a time, newest first.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealing::{Cursor, DataKeys};

use crate::chain::{self, Link};
use crate::engine::{self, Engine};
use crate::error::Error;
use crate::layout::{List, row_sequence};
use crate::record::Record;
use crate::{prune, writer};

/// So many records are looked at for one page; the next page goes on from there.
const LOOKED: usize = 20_000;

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those that name one of these Patients, or everyone; empty for all.
    pub persons: Vec<String>,
    /// Those of an agent.
    pub agent: Option<String>,
    /// Recorded at or after this.
    pub from: Option<i64>,
    /// Recorded before this.
    pub until: Option<i64>,
    /// With one of these codes of [`crate::Action::code`]; empty for all.
    pub actions: Vec<char>,
    /// With one of these outcomes ([`Record::outcome`]); empty for all.
    pub outcomes: Vec<char>,
    /// On this target, or naming it if it is a Patient.
    pub entity: Option<String>,
    /// Only records before this number.
    pub before: Option<u64>,
}

impl Filter {
    fn lets_through(&self, record: &Record) -> bool {
        let names = |id: &String| record.is_everyone || record.persons.contains(id);
        (self.persons.is_empty() || self.persons.iter().any(names))
            && self.agent.as_ref().is_none_or(|agent| record.agent.as_ref() == Some(agent))
            && self.from.is_none_or(|from| record.instant >= from)
            && self.until.is_none_or(|until| record.instant < until)
            && (self.actions.is_empty() || self.actions.contains(&record.action.code()))
            && (self.outcomes.is_empty() || self.outcomes.contains(&record.outcome()))
            && self.entity.as_ref().is_none_or(|entity| {
                let person = entity.strip_prefix("Patient/");
                record.target == *entity || person.is_some_and(|id| record.persons.iter().any(|p| p == id))
            })
    }
}

/// A record and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// From 1.
    pub sequence: u64,
    /// Its place in the chain.
    pub link: Link,
    /// What it says.
    pub record: Record,
}

/// Some records, newest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The records.
    pub found: Vec<Found>,
    /// Before which number the next page goes on, if there may be more.
    pub next: Option<u64>,
}

/// The records of a ledger.
#[derive(Clone)]
pub struct Records {
    pub(crate) engine: Arc<Engine>,
    pub(crate) folder: PathBuf,
    node: String,
    pub(crate) keys: Option<Arc<DataKeys>>,
}

impl Records {
    pub(crate) fn new(
        engine: Arc<Engine>,
        folder: &Path,
        node: String,
        keys: Option<&Arc<DataKeys>>,
    ) -> Records {
        Records { engine, folder: folder.to_owned(), node, keys: keys.map(Arc::clone) }
    }

    /// Opens a ledger that another process may be writing, to be read.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn open(folder: &Path) -> Result<Records, Error> {
        Records::open_sealed(folder, None)
    }

    /// The same for the ledger of a data directory that may be sealed.
    ///
    /// # Errors
    /// As [`Records::open`].
    pub fn open_sealed(folder: &Path, keys: Option<&Arc<DataKeys>>) -> Result<Records, Error> {
        writer::read_key(folder, keys.map(Arc::as_ref))?;
        let node = writer::read_node(folder)?;
        let engine = Engine::open_for_reading(folder, keys.map(Arc::as_ref))?;
        Ok(Records::new(Arc::new(engine), folder, node, keys))
    }

    /// The name of the node whose ledger it is.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// A record.
    ///
    /// # Errors
    /// Damage.
    pub fn get(&self, sequence: u64) -> Result<Option<Found>, Error> {
        let Some((link, bytes)) = self.engine.record(sequence)? else { return Ok(None) };
        Ok(Some(Found { sequence, link, record: Record::decode(&bytes, sequence)? }))
    }

    /// The last record's number, link and instant; of an empty ledger, those the next one follows on.
    pub(crate) fn last(&self) -> Result<(u64, Link, i64), Error> {
        let mut rows = self.engine.records()?;
        rows.seek_to_last();
        if let Some(found) = current(&rows)? {
            return Ok((found.sequence, found.link, found.record.instant));
        }
        rows.status()?;
        match prune::checkpoints(&self.engine)?.last() {
            Some(checkpoint) => Ok((checkpoint.through, checkpoint.link, checkpoint.until)),
            None => Ok((0, chain::BEGINNING, i64::MIN)),
        }
    }

    /// Passes every record to `visit`, oldest first, until it returns false.
    ///
    /// # Errors
    /// Damage.
    pub fn each(&self, filter: &Filter, visit: &mut dyn FnMut(Found) -> bool) -> Result<(), Error> {
        let mut rows = self.engine.sweep()?;
        rows.seek(self.first_at(filter.from)?.to_be_bytes());
        while let Some(found) = current(&rows)? {
            if filter.until.is_some_and(|until| found.record.instant >= until) {
                break;
            }
            if filter.lets_through(&found.record) && !visit(found) {
                break;
            }
            rows.next();
        }
        Ok(rows.status()?)
    }

    /// A page of at most so many records, newest first. It costs what is found where the filter names a person, an
    /// agent or a time; beside that it looks at a bounded number of records and says where to go on.
    ///
    /// # Errors
    /// Damage.
    pub fn page(&self, filter: &Filter, count: usize) -> Result<Page, Error> {
        let end = match filter.until {
            Some(until) => self.first_at(Some(until))?,
            None => u64::MAX,
        };
        let mut before = end.min(filter.before.unwrap_or(u64::MAX));
        let mut page = Page::default();
        let mut candidates = Candidates::new(self, filter, before)?;
        for _ in 0..LOOKED {
            let Some(sequence) = candidates.next()? else { return Ok(page) };
            before = sequence;
            // A row whose record was just taken away.
            let Some(found) = self.get(sequence)? else { continue };
            if filter.from.is_some_and(|from| found.record.instant < from) {
                return Ok(page);
            }
            if !filter.lets_through(&found.record) {
                continue;
            }
            if page.found.len() == count {
                page.next = page.found.last().map(|last| last.sequence);
                return Ok(page);
            }
            page.found.push(found);
        }
        page.next = Some(before);
        Ok(page)
    }

    /// The first number recorded at or after a moment: numbers and instants rise together.
    fn first_at(&self, moment: Option<i64>) -> Result<u64, Error> {
        let Some(moment) = moment else { return Ok(0) };
        let mut rows = self.engine.records()?;
        rows.seek_to_first();
        let Some(first) = current(&rows)? else { return Ok(rows.status().map(|()| 0)?) };
        let (mut low, mut high) = (first.sequence, self.last()?.0 + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            rows.seek(middle.to_be_bytes());
            match current(&rows)? {
                Some(found) if found.record.instant < moment => low = found.sequence + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }
}

/// The record an iterator stands at.
pub(crate) fn current(rows: &Cursor<'_>) -> Result<Option<Found>, Error> {
    let Some((key, value)) = rows.item() else { return Ok(None) };
    let sequence = key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let (link, bytes) = engine::split(sequence, value)?;
    Ok(Some(Found { sequence, link, record: Record::decode(bytes, sequence)? }))
}

/// The numbers that may match, newest first.
enum Candidates<'r> {
    /// Of several lists, each once.
    Lists(Vec<Cursor<'r>>),
    /// All there are.
    All(Cursor<'r>, u64),
}

impl<'r> Candidates<'r> {
    fn new(records: &'r Records, filter: &Filter, before: u64) -> Result<Candidates<'r>, Error> {
        let mut lists: BTreeSet<List> = filter.persons.iter().map(|id| List::person(id)).collect();
        if !lists.is_empty() {
            lists.insert(List::everyone());
        } else if let Some(agent) = &filter.agent {
            lists.insert(List::agent(agent));
        } else if before == 0 {
            return Ok(Candidates::Lists(Vec::new()));
        } else {
            return Ok(Candidates::All(records.engine.records()?, before - 1));
        }
        if before == 0 {
            return Ok(Candidates::Lists(Vec::new()));
        }
        let lists = lists.iter().map(|list| records.engine.list(list, before));
        Ok(Candidates::Lists(lists.collect::<Result<_, _>>()?))
    }

    fn next(&mut self) -> Result<Option<u64>, Error> {
        match self {
            Candidates::Lists(lists) => {
                for list in lists.iter() {
                    list.status()?;
                }
                let next = lists.iter().filter_map(|list| row_sequence(list.key()?)).max();
                for list in lists.iter_mut() {
                    if list.key().and_then(row_sequence) == next && next.is_some() {
                        list.next();
                    }
                }
                Ok(next)
            }
            Candidates::All(rows, at) => {
                rows.seek_for_prev(at.to_be_bytes());
                rows.status()?;
                let found = rows.key().and_then(|key| key.first_chunk::<8>()).map(|b| u64::from_be_bytes(*b));
                match found {
                    Some(sequence) if sequence > 0 => {
                        *at = sequence - 1;
                        Ok(Some(sequence))
                    }
                    _ => Ok(None),
                }
            }
        }
    }
}
