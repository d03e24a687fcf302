//! `AuditEvent`: who looked and who wrote (<https://hl7.org/fhir/R4/auditevent.html>).
//!
//! * A read, search, refusal or sign-in is a record of the ledger: `ledger-42`.
//! * A write is an entry of the log, which has its circumstances: `log-7`.
//! * As it concerns one person, naming nobody else: `ledger-42-3`, `log-7-1`, the third and first person it names; what
//!   concerns a person without naming them ends in 0.
//!
//! Who is told of a person and not of all gets these numbers sealed ([`ids`]), and no place in the chain: in them they would
//! count how much is read and written of others.
//!
//! Both are merged by time, newest first. AuditEvents that others sent are resources like any other and are searched as
//! such with `_ledger=false`; an answer says if there are some.

mod ids;
mod request;
mod written;

pub use self::request::AuditEventRequest;

use fhir::date_time::format_instant;
use fhir::json::JsonWriter;
use fhir::{IssueType, TypeId, r4};
use ledger::{Event, Filter, Found, Ledger, Record, Sight};
use store::Place;

use self::ids::{Ids, Kept};
use self::request::Cursor;
use self::written::Written;
use crate::audit::unwritten;
use crate::{Access, Failure, Hub, Kind, bundle, outcome};

/// Ids of AuditEvents that the hub makes begin so; nothing else is stored under them.
pub const OWN_IDS: [&str; 2] = ["ledger-", "log-"];

/// How much of a record an AuditEvent tells.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// As it concerns one of those it names: the number, from 1, and the id.
    Person(usize, String),
    /// As it concerns those it does not name.
    Unnamed,
}

impl Part {
    /// What it tells to those asked for; all of it if nobody is.
    fn of(named: &[String], asked: &[String]) -> Part {
        let at = named.iter().position(|id| asked.contains(id));
        match at.and_then(|at| Some((at, named.get(at)?))) {
            _ if asked.is_empty() => Part::Whole,
            Some((at, id)) => Part::Person(at + 1, id.clone()),
            None => Part::Unnamed,
        }
    }

    /// The number an id says it by; none for all of it.
    fn at(&self) -> Option<usize> {
        match self {
            Part::Whole => None,
            Part::Person(at, _) => Some(*at),
            Part::Unnamed => Some(0),
        }
    }

    fn person(&self) -> Option<&str> {
        match self {
            Part::Person(_, id) => Some(id),
            Part::Whole | Part::Unnamed => None,
        }
    }
}

/// One AuditEvent.
struct Told {
    id: String,
    record: Record,
    link: Option<(u64, ledger::chain::Link)>,
    versions: Vec<String>,
    /// How much of the record it tells.
    part: Part,
    /// Its number in the ledger, or place in the log.
    number: u64,
    is_written: bool,
}

impl Told {
    fn of_found(found: Found, part: Part, ids: &Ids) -> Told {
        Told {
            id: ids.write(Kept::Ledger, found.sequence, part.at()),
            link: ids.are_plain().then_some((found.sequence, found.link)),
            versions: Vec::new(),
            part,
            number: found.sequence,
            is_written: false,
            record: found.record,
        }
    }

    fn of_written(written: Written, part: Part, ids: &Ids) -> Told {
        Told {
            id: ids.write(Kept::Log, written.place.0, part.at()),
            link: None,
            versions: written.versions(part.person()),
            part,
            number: written.place.0,
            is_written: true,
            record: written.record,
        }
    }

    fn write(&self, json: &mut JsonWriter, node: &str, base: &str) {
        let sight = match &self.part {
            Part::Whole => Sight::Whole,
            Part::Person(_, id) => Sight::Person(id),
            Part::Unnamed => Sight::Nobody,
        };
        let link = self.link.as_ref().map(|(sequence, link)| (*sequence, link));
        let event = Event {
            id: &self.id,
            record: &self.record,
            link,
            versions: &self.versions,
            node,
            base: Some(base),
            sight,
        };
        event.write(json);
    }

    fn is_seen(&self, access: &Access) {
        match &self.part {
            Part::Whole => access.saw_event(&self.record.persons),
            Part::Person(_, id) => access.saw_event(std::slice::from_ref(id)),
            Part::Unnamed => access.saw_event(&[]),
        }
    }
}

impl Hub {
    /// The AuditEvents that a request asks for, newest first, as a Bundle. Every way of reading the ledger comes through
    /// here and [`Hub::audit_event`].
    ///
    /// # Errors
    /// A ledger or store that does not read.
    pub fn audit_events(
        &self,
        access: &Access,
        request: &AuditEventRequest,
        base: &str,
    ) -> Result<String, Failure> {
        let Some(ledger) = &self.ledger else { return Err(request::no_ledger()) };
        if !self.may_ask_about(access, &request.patients)? {
            let message = "who looked is told to those it is about: ask with patient= for your own record, or for that of whom you act for";
            return Err(Failure::new(Kind::Forbidden, IssueType::Forbidden, message));
        }
        // One sees one's own reads.
        ledger.flush().map_err(|e| unwritten(&e))?;
        let reader = self.store.reader();
        let mut persons: Vec<String> = Vec::new();
        for id in &request.patients {
            access.asked_for(id);
            persons.extend(reader.linked_patients(id, self.budget())?);
        }
        let count =
            request.count.unwrap_or(self.search_limits.default_count).min(self.search_limits.max_count);
        let ids = ids_for(access, ledger);
        let start = request.cursor.unwrap_or_default();
        let (mut told, mut frontier) = (Vec::with_capacity(2 * count + 2), i64::MIN);
        let (mut reads_end, mut writes_end) = (None, None);
        if request.wants_reads() {
            let filter =
                Filter { persons: persons.clone(), before: Some(start.ledger), ..request.filter.clone() };
            let page = ledger.records().page(&filter, count + 1).map_err(|e| unwritten(&e))?;
            reads_end = page.next;
            if let Some(next) = page.next.filter(|_| page.found.len() <= count) {
                // It stopped looking here: what is older is not known yet.
                let at = ledger.records().get(next).map_err(|e| unwritten(&e))?;
                frontier = at.map_or(frontier, |found| found.record.instant);
            }
            told.extend(page.found.into_iter().map(|found| {
                let part = Part::of(&found.record.persons, &persons);
                Told::of_found(found, part, &ids)
            }));
        }
        if request.wants_writes() {
            let page = written::page(&reader, request, &persons, start.log, count + 1)?;
            writes_end = page.next;
            if let Some(next) = page.next.filter(|_| page.found.len() <= count) {
                frontier = frontier.max(reader.instant_of(Place(next))?);
            }
            told.extend(page.found.into_iter().map(|found| {
                let part = Part::of(&found.record.persons, &persons);
                Told::of_written(found, part, &ids)
            }));
        }
        told.sort_by_key(|t| std::cmp::Reverse(t.record.instant));
        let known = told.iter().take_while(|t| t.record.instant >= frontier).count();
        let later = told.split_off(known.min(count));
        // Each stream goes on with the newest of its events that is not told, or where it stopped looking.
        let goes_on = |is_written: bool, end: Option<u64>| {
            let untold = later.iter().filter(|t| t.is_written == is_written).map(|t| t.number + 1).max();
            untold.or(end)
        };
        let (reads, writes) = (goes_on(false, reads_end), goes_on(true, writes_end));
        let has_more = reads.is_some() || writes.is_some();
        let next = has_more.then(|| Cursor { ledger: reads.unwrap_or(0), log: writes.unwrap_or(0) });
        let next = next.map(|next| self.sealed(access, next.encode())).transpose()?;
        told.iter().for_each(|one| one.is_seen(access));
        let stored = r4().resource_type("AuditEvent").map_or(Ok(0), |t| reader.total(t, None))?;
        Ok(searchset(&told, request, next.as_deref(), stored, ledger, base))
    }

    /// An AuditEvent of the hub's own by its id, and when it was recorded; `None` if the id is none of the hub's own.
    ///
    /// # Errors
    /// A ledger or store that does not read.
    pub fn audit_event(
        &self,
        access: &Access,
        id: &str,
        base: &str,
    ) -> Result<Option<(String, i64)>, Failure> {
        let Some(ledger) = &self.ledger else { return Ok(None) };
        let ids = ids_for(access, ledger);
        let Some((kept, number, at)) = ids.read(id) else { return Ok(None) };
        let reader = self.store.reader();
        let told = match kept {
            Kept::Ledger => {
                ledger.flush().map_err(|e| unwritten(&e))?;
                let found = ledger.records().get(number).map_err(|e| unwritten(&e))?;
                found.and_then(|found| {
                    let part = part_at(&found.record.persons, at)?;
                    Some(Told::of_found(found, part, &ids))
                })
            }
            Kept::Log => written::get(&reader, Place(number))?.and_then(|written| {
                let part = part_at(&written.record.persons, at)?;
                Some(Told::of_written(written, part, &ids))
            }),
        };
        let Some(told) = told else { return Ok(None) };
        let about: Vec<String> = told.part.person().map(str::to_owned).into_iter().collect();
        if !self.may_ask_about(access, &about)? {
            return Ok(None);
        }
        Ok(Some({
            told.is_seen(access);
            let mut json = JsonWriter::new();
            told.write(&mut json, ledger.records().node(), base);
            (json.finish(), told.record.instant)
        }))
    }

    /// Whether someone may be told who looked at these persons: everyone may of themselves and of whom they act for, with
    /// the Patients linked to them; an auditor, and a program that may do everything, of all.
    fn may_ask_about(&self, access: &Access, patients: &[String]) -> Result<bool, Failure> {
        let Some(subject) = &access.subject else { return Ok(true) };
        if is_told_of_all(access) {
            return Ok(access.of_type(audit_event()).is_ok());
        }
        if patients.is_empty() || access.of_type(audit_event()).is_err() {
            return Ok(false);
        }
        let reader = self.store.reader();
        let mut own = Vec::new();
        for id in subject.patient.iter().chain(&subject.proxied) {
            own.extend(reader.linked_patients(id, self.budget())?);
        }
        Ok(patients.iter().all(|id| own.contains(id)))
    }
}

fn audit_event() -> TypeId {
    r4().resource_type("AuditEvent").unwrap_or(r4().well_known().resource)
}

/// The part an id's last number means; `None` if it means nobody.
fn part_at(persons: &[String], at: Option<usize>) -> Option<Part> {
    match at {
        None => Some(Part::Whole),
        Some(0) => Some(Part::Unnamed),
        Some(at) => persons.get(at - 1).map(|id| Part::Person(at, id.clone())),
    }
}

/// Whether someone is told of all persons, not of their own alone.
fn is_told_of_all(access: &Access) -> bool {
    let is_role = |role: &String| matches!(role.as_str(), "auditor" | "system");
    access.subject.as_ref().is_none_or(|subject| subject.roles.iter().any(is_role))
}

/// Ids as someone gets them.
fn ids_for(access: &Access, ledger: &Ledger) -> Ids {
    if is_told_of_all(access) { Ids::plain(ledger) } else { Ids::sealed(ledger) }
}

fn searchset(
    told: &[Told],
    request: &AuditEventRequest,
    next: Option<&str>,
    stored: u64,
    ledger: &Ledger,
    base: &str,
) -> String {
    let path = format!("{base}/AuditEvent");
    let own = request.cursor_given.as_deref();
    let mut json = JsonWriter::new();
    json.object(|b| {
        b.member("resourceType", "Bundle");
        b.member("type", "searchset");
        if let Some(newest) = told.first().filter(|_| own.is_none()) {
            b.member("timestamp", &format_instant(newest.record.instant));
        }
        b.name("link").array(|list| {
            bundle::link(list, "self", &bundle::address(&path, &request.understood, own));
            if next.is_some() {
                bundle::link(list, "next", &bundle::address(&path, &request.understood, next));
            }
        });
        if told.is_empty() && stored == 0 {
            return;
        }
        b.name("entry").array(|list| {
            for one in told {
                list.object(|e| {
                    e.member("fullUrl", &format!("{path}/{}", one.id));
                    one.write(e.name("resource"), ledger.records().node(), base);
                    e.name("search").object(|s| {
                        s.member("mode", "match");
                    });
                });
            }
            if stored > 0 {
                let message = format!(
                    "{stored} AuditEvents that others sent are stored here as resources and not in this list; search them with _ledger=false"
                );
                list.object(|e| {
                    outcome::write(e.name("resource"), &[outcome::information(&message)]);
                    e.name("search").object(|s| {
                        s.member("mode", "outcome");
                    });
                });
            }
        });
    });
    json.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_by_number() {
        let persons = ["p".to_owned(), "q".to_owned()];
        assert_eq!(Part::of(&persons, &["q".to_owned()]), Part::Person(2, "q".to_owned()));
        assert_eq!(Part::of(&persons, &["x".to_owned()]), Part::Unnamed);
        assert_eq!(Part::of(&persons, &[]), Part::Whole);
        assert_eq!(part_at(&persons, Some(2)), Some(Part::Person(2, "q".to_owned())));
        assert_eq!(part_at(&persons, Some(3)), None);
        assert_eq!(part_at(&persons, Some(0)).map(|part| part.at()), Some(Some(0)));
    }
}
