//! Destroying texts: what a resource's versions said up to one of them is gone from bodies and index, for every moment; the
//! log keeps that they were.
//!
//! The index rows of what is left are made as if the resource had begun with the first version left: so does a replay, which
//! finds no texts for those before.

use fhir::body::{Body, Splice};
use fhir::{IssueType, r4};

use super::transaction::{Beside, Transaction, reject};
use super::{rows, type_of};
use crate::draft::Draft;
use crate::engine::Family;
use crate::error::Error;
use crate::layout::bodies::{Content, Version};
use crate::layout::heads::{Head, State};
use crate::layout::log::{self, Operation};
use crate::layout::meta::destroyed_key;
use crate::layout::remains::{Named, Remains};
use crate::layout::rows::Row;
use crate::layout::{live, past};
use crate::numbers::{Place, ResourceNumber, Seat};
use crate::proposal::{CommandOutcome, Effect, Reason, Rejection};

/// A version as it is kept.
struct Stored {
    seat: Seat,
    place: Place,
    version: u64,
    content: Kind,
    /// The kept bytes.
    value: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Deletion,
    Destroyed,
}

/// A text that a replay does not find any more.
#[derive(Debug)]
pub struct Gone {
    pub(crate) remains: Remains,
    /// Its hash and size, as the log has them.
    pub(crate) body: ([u8; log::HASH_BYTES], u32),
    /// What was done.
    pub(crate) operation: Operation,
}

impl Transaction<'_> {
    /// Destroys the texts of a resource's versions up to one.
    pub(super) fn destroy(
        &mut self,
        index: usize,
        id: &str,
        number: ResourceNumber,
        mut head: Head,
        up_to: u64,
    ) -> Result<CommandOutcome, Rejection> {
        let name = format!("{}/{id}", r4().type_name(type_of(head.type_number)));
        if head.state == State::Live && up_to >= head.version {
            let message = format!("{name} exists; what it says now is destroyed only after it is deleted");
            return Err(reject(index, Reason::PreconditionFailed, IssueType::Conflict, message));
        }
        let mut outcome = CommandOutcome {
            effect: Effect::NothingToDelete,
            resource_type: type_of(head.type_number),
            id: id.to_owned(),
            version: head.version,
            instant: self.changes.instant,
            missing: Vec::new(),
        };
        let versions = self.versions(number, &head)?;
        let is_doomed = |v: &Stored| v.content == Kind::Text && v.version <= up_to;
        // A replay may find them gone already; the command stands all the same.
        if !self.is_replay && !versions.iter().any(is_doomed) {
            return Ok(outcome);
        }
        self.put(Family::State, destroyed_key(), []);
        self.forget_rows(&head, &versions)?;
        for version in versions.iter().filter(|v| is_doomed(v)) {
            let key = crate::layout::rows::key(version.seat, head.type_number, version.place);
            let kept = Version::decode(&version.value)?;
            if let Content::Text { text, splice, .. } = kept.content {
                let body = Body { text: text.to_owned(), splice };
                let draft = Draft::of_body(body, id, self.fold.zone())
                    .map_err(|issue| Rejection::Command { index, reason: Reason::Invalid, issue })?;
                let remains = Remains::of(&draft, head.type_number).encode();
                let gone = Version { content: Content::Destroyed { remains: &remains }, ..kept };
                self.put(Family::Bodies, &key, gone.encode());
            }
            self.delete(Family::Rows, key);
        }
        let left: Vec<&Stored> = versions.iter().filter(|v| !is_doomed(v)).collect();
        head.since = self.lay_rows(&head, &left)?;
        if !left.iter().any(|v| v.content == Kind::Text) {
            head.has_labels = false;
        }
        self.commands.push(log::Command {
            operation: Operation::Destroy,
            type_number: head.type_number,
            id: head.id.clone(),
            if_match: None,
            criteria: None,
            resolved: Vec::new(),
            body: None,
            resource: number,
            person: head.person,
            version: up_to,
        });
        self.heads.insert(number, head);
        outcome.effect = Effect::Destroyed;
        Ok(outcome)
    }

    /// All versions of a resource, the first one first.
    fn versions(&self, number: ResourceNumber, head: &Head) -> Result<Vec<Stored>, Error> {
        let mut persons: Vec<ResourceNumber> = head.earlier_persons.iter().map(|(_, p)| *p).collect();
        persons.push(head.person);
        persons.sort_unstable();
        persons.dedup();
        let mut found = Vec::new();
        for person in persons {
            let seat = Seat { person, resource: number };
            let prefix = crate::layout::rows::prefix(seat, head.type_number);
            let mut range =
                self.view.range(Family::Bodies, &prefix, &search::condition::after_prefix(&prefix));
            range.seek_to_first();
            while let Some((key, value)) = range.item() {
                let version = Version::decode(value)?;
                let content = match version.content {
                    Content::Text { .. } => Kind::Text,
                    Content::Deletion => Kind::Deletion,
                    Content::Destroyed { .. } => Kind::Destroyed,
                };
                let place = crate::layout::rows::read_place(key);
                found.push(Stored { seat, place, version: version.version, content, value: value.to_vec() });
                range.next();
            }
            range.status().map_err(Error::from)?;
        }
        found.sort_unstable_by_key(|v| v.place);
        Ok(found)
    }

    fn rows_of(&self, head: &Head, version: &Stored) -> Result<Vec<Row>, Error> {
        let key = crate::layout::rows::key(version.seat, head.type_number, version.place);
        match self.view.get(Family::Rows, key)? {
            Some(value) => crate::layout::rows::decode(&value, version.place),
            None => Ok(Vec::new()),
        }
    }

    /// Removes every index row the resource has or had.
    fn forget_rows(&mut self, head: &Head, versions: &[Stored]) -> Result<(), Error> {
        for version in versions {
            let mut keys: Vec<(Vec<u8>, Place)> = self
                .rows_of(head, version)?
                .into_iter()
                .map(|row| {
                    let (parameter, value) = (row.entry.parameter, &row.entry.key);
                    (live::key(head.type_number, parameter, value, version.seat), row.from)
                })
                .collect();
            keys.dedup();
            keys.push((live::key(head.type_number, live::ALL, &[], version.seat), version.place));
            for (key, from) in keys {
                self.delete(Family::Past, past::key(&key, from));
                self.delete_row(&key);
            }
        }
        Ok(())
    }

    /// Lays the index rows of the versions that are left. The place since which the resource is in the index.
    fn lay_rows(&mut self, head: &Head, left: &[&Stored]) -> Result<Place, Error> {
        let mut since = Place(0);
        let mut current: Option<(Seat, Vec<Row>)> = None;
        for version in left {
            let before = current.take();
            if version.content == Kind::Destroyed {
                continue;
            }
            let is_moved = before.as_ref().is_some_and(|(seat, _)| *seat != version.seat);
            let mut ended = Vec::new();
            if (version.content == Kind::Deletion || is_moved)
                && let Some((seat, rows)) = &before
            {
                ended = rows::end(rows);
                self.past_all(head, *seat, since, version.place);
            }
            let old_seat = before.as_ref().map_or(version.seat, |(seat, _)| *seat);
            if version.content == Kind::Text {
                if before.is_none() || is_moved {
                    since = version.place;
                }
                let old = before.map(|(_, rows)| rows).filter(|_| !is_moved).unwrap_or_default();
                let entries = self.rows_of(head, version)?.into_iter().map(|row| row.entry).collect();
                let change = rows::step(&old, entries, version.place);
                ended.extend(change.ended);
                let key = crate::layout::rows::key(version.seat, head.type_number, version.place);
                self.put(Family::Rows, key, crate::layout::rows::encode(&change.rows, version.place));
                current = Some((version.seat, change.rows));
            }
            for group in ended {
                let key = live::key(head.type_number, group.parameter, &group.key, old_seat);
                let row = past::PastRow { to: version.place, flags: group.flags, extra: &group.extra };
                self.put(Family::Past, past::key(&key, group.from), row.encode());
            }
        }
        if let Some((seat, rows)) = current {
            for group in rows::end(&rows) {
                let key = live::key(head.type_number, group.parameter, &group.key, seat);
                let row = live::LiveRow { from: group.from, flags: group.flags, extra: &group.extra };
                self.put_row(key, &row);
            }
            let key = live::key(head.type_number, live::ALL, &[], seat);
            let row = live::LiveRow { from: since, flags: live::Flags::default(), extra: &[] };
            self.put_row(key, &row);
        }
        Ok(since)
    }

    fn past_all(&mut self, head: &Head, seat: Seat, from: Place, to: Place) {
        let key = live::key(head.type_number, live::ALL, &[], seat);
        let row = past::PastRow { to, flags: live::Flags::default(), extra: &[] };
        self.put(Family::Past, past::key(&key, from), row.encode());
    }

    /// Writes, in a replay, a version whose text is destroyed.
    pub(super) fn write_gone(
        &mut self,
        id: &str,
        number: ResourceNumber,
        mut head: Head,
        gone: Gone,
        beside: Beside,
    ) -> Result<CommandOutcome, Rejection> {
        let was_live = head.state == State::Live;
        let person = match &gone.remains.person {
            Some(id) => {
                let patient = r4().resource_number(r4().well_known().patient).unwrap_or(0);
                self.number(patient, &crate::numbers::PackedId::new(id))?
            }
            None => ResourceNumber(0),
        };
        let is_bundle = type_of(head.type_number) == r4().well_known().bundle;
        for named in &gone.remains.named {
            match named {
                Named::System(uri) => {
                    search::Linker::system(self, uri)?;
                }
                Named::Resource(type_number, id) => {
                    self.number(*type_number, id)?;
                }
                Named::Unnumbered(..) => {}
            }
            if let (Named::Resource(type_number, id) | Named::Unnumbered(type_number, id), false) =
                (named, is_bundle)
            {
                self.referred.push((*type_number, id.clone(), self.command));
            }
        }
        for (parameter, class) in &gone.remains.classes {
            self.note_class(head.type_number, *parameter, *class)?;
        }
        if !was_live {
            self.begin_live(&head)?;
        }
        if head.place.0 > 0 && head.person != person {
            head.earlier_persons.push((self.place, head.person));
        }
        head.state = State::Live;
        head.version += 1;
        head.place = self.place;
        head.person = person;
        head.size = gone.body.1;
        head.has_labels = false;
        head.since = Place(0);
        let key = crate::layout::rows::key(head.seat(number), head.type_number, self.place);
        let remains = gone.remains.encode();
        let version = Version {
            version: head.version,
            is_creation: !was_live,
            instant: self.changes.instant,
            content: Content::Destroyed { remains: &remains },
        };
        self.put(Family::Bodies, key, version.encode());
        self.note_version(head.type_number, number);
        self.commands.push(log::Command {
            operation: gone.operation,
            type_number: head.type_number,
            id: head.id.clone(),
            if_match: beside.if_match,
            criteria: beside.criteria,
            resolved: beside.resolved,
            body: Some(gone.body),
            resource: number,
            person,
            version: head.version,
        });
        let outcome = CommandOutcome {
            effect: if was_live { Effect::Updated } else { Effect::Created },
            resource_type: type_of(head.type_number),
            id: id.to_owned(),
            version: head.version,
            instant: self.changes.instant,
            missing: Vec::new(),
        };
        self.heads.insert(number, head);
        Ok(outcome)
    }
}

/// The text of a version, if it is not destroyed.
pub(super) fn text_of(version: &Version<'_>) -> Body {
    match version.content {
        Content::Text { text, splice, .. } => Body { text: text.to_owned(), splice },
        Content::Deletion | Content::Destroyed { .. } => {
            Body { text: String::new(), splice: Splice::Alone(0) }
        }
    }
}
