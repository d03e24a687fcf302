//! A write's audit: its entry in the log.

use std::collections::HashMap;

use fhir::r4;
use ledger::{Action, Record};
use store::{Circumstances, Place, Reader, ResourceNumber};

use super::request::AuditEventRequest;
use crate::Failure;
use crate::seen::persons_of;

/// An AuditEvent names so many resources; of more it says how many.
const MAX_NAMED: usize = 100;
/// Of larger commits, whom the rest is about is only known by whose record it was written into.
const MAX_READ: usize = 1000;
/// So many entries are looked at for one page.
const LOOKED: usize = 20_000;

/// An entry of the log.
pub(super) struct Written {
    pub(super) place: Place,
    pub(super) record: Record,
    /// What was written, and the numbers of its persons in the record's list.
    named: Vec<(String, Vec<usize>)>,
}

/// Ids, each once, by number.
#[derive(Default)]
struct Numbered {
    ids: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Numbered {
    fn number(&mut self, id: &str) -> usize {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = self.ids.len();
        self.ids.push(id.to_owned());
        self.numbers.insert(id.to_owned(), number);
        number
    }
}

/// Some entries, newest first.
#[derive(Default)]
pub(super) struct Page {
    pub(super) found: Vec<Written>,
    /// Before which place the next page goes on, if there may be more.
    pub(super) next: Option<u64>,
}

impl Written {
    /// What was written, `Type/id/_history/version`: all, or what is about one person.
    pub(super) fn versions(&self, person: Option<&str>) -> Vec<String> {
        let at = person.and_then(|id| self.record.persons.iter().position(|p| p == id));
        let is_wanted = |of: &[usize]| at.is_none_or(|at| of.contains(&at));
        let named = self.named.iter().filter(|(_, of)| is_wanted(of)).map(|(version, _)| version);
        let mut versions: Vec<String> = named.clone().take(MAX_NAMED).cloned().collect();
        let more = named.count() - versions.len();
        if more > 0 {
            versions.push(format!("and {more} more; yojigen log show {}", self.place));
        }
        versions
    }
}

/// The entry at a place; `None` if there is none, or it writes no resource.
pub(super) fn get(reader: &Reader, place: Place) -> Result<Option<Written>, Failure> {
    if place.0 == 0 || place > reader.place() {
        return Ok(None);
    }
    let entry = reader.entry(place)?;
    let store::LogContent::Transaction(commands) = entry.content else { return Ok(None) };
    let mut persons = Numbered::default();
    let mut named = Vec::with_capacity(commands.len());
    for (at, command) in commands.iter().enumerate() {
        let mut about = Vec::new();
        if command.person != ResourceNumber(0) {
            about.push(persons.number(&reader.name_of(command.person)?.1));
        }
        if at < MAX_READ
            && let Some(kept) = reader.written_at(command.resource, place)?
        {
            for id in persons_of(&kept) {
                let number = persons.number(&id);
                if !about.contains(&number) {
                    about.push(number);
                }
            }
        }
        let name = r4().resource_numbered(command.type_number).map_or("?", |t| r4().type_name(t));
        named.push((format!("{name}/{}/_history/{}", command.id.unpack(), command.version), about));
    }
    let persons = persons.ids;
    let action = match commands.as_slice() {
        [one] => match one.operation {
            store::LogOperation::Create => Action::Create,
            store::LogOperation::Update | store::LogOperation::Replace => Action::Update,
            store::LogOperation::Delete => Action::Delete,
            store::LogOperation::Destroy => Action::Operation("$purge".to_owned()),
        },
        _ => Action::Bundle,
    };
    let Circumstances { author, organisation, on_behalf_of, client, purpose, channel, request_id } =
        entry.circumstances;
    let record = Record {
        instant: entry.instant,
        action,
        status: 200,
        agent: author,
        organisation,
        on_behalf_of,
        client,
        purpose,
        channel,
        request_id,
        persons,
        is_everyone: commands.len() > MAX_READ,
        ..Record::default()
    };
    Ok(Some(Written { place, record, named }))
}

/// Entries before a place, newest first.
pub(super) fn page(
    reader: &Reader,
    request: &AuditEventRequest,
    persons: &[String],
    before: u64,
    count: usize,
) -> Result<Page, Failure> {
    let filter = &request.filter;
    let mut last = reader.place().0.min(before.saturating_sub(1));
    if let Some(until) = filter.until {
        last = last.min(reader.place_as_of(until - 1)?.0);
    }
    let of_persons = match persons {
        [] => None,
        persons => Some(reader.commits_of_patients(persons)?),
    };
    let mut listed = of_persons.map(|places| places.into_iter().filter(move |place| place.0 <= last));
    let author = Reader::circumstance("_author");
    let mut next = |at: u64| -> Result<Option<Place>, Failure> {
        match (&mut listed, &filter.agent, author) {
            (Some(places), _, _) => Ok(places.next()),
            (None, Some(agent), Some(field)) => Ok(reader.commit_by(field, agent, Place(at))?),
            _ => Ok(Some(Place(at))),
        }
    };
    let mut page = Page::default();
    let mut at = last;
    for _ in 0..LOOKED {
        let Some(place) = next(at)?.filter(|place| place.0 > 0) else { return Ok(page) };
        at = place.0 - 1;
        let Some(written) = get(reader, place)? else { continue };
        let record = &written.record;
        if filter.from.is_some_and(|from| record.instant < from) {
            return Ok(page);
        }
        let is_wanted = filter.agent.as_ref().is_none_or(|agent| record.agent.as_ref() == Some(agent))
            && (filter.actions.is_empty() || filter.actions.contains(&record.action.code()))
            // Its version may be one that was not about them.
            && (persons.is_empty() || record.is_everyone || record.persons.iter().any(|p| persons.contains(p)))
            && filter.entity.as_ref().is_none_or(|entity| {
                let is_it = |version: &str| {
                    version == entity
                        || version.split_once("/_history/").is_some_and(|(name, _)| name == entity)
                };
                written.named.iter().any(|(version, _)| is_it(version))
            });
        if is_wanted {
            page.found.push(written);
            if page.found.len() == count {
                page.next = Some(place.0);
                return Ok(page);
            }
        }
    }
    page.next = Some(at + 1);
    Ok(page)
}
