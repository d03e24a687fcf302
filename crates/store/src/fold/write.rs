//! A version, or an end: its body, its index rows, its head, and what follows from that.

use fhir::body::Body;
use fhir::date_time::Micros;
use fhir::definitions::SearchParameterType;
use fhir::r4;
use search::{OTHER_REFERENCES, parameters};

use super::transaction::{Beside, Transaction};
use super::{destroy, rows, total_at, type_of};
use crate::draft::{Draft, Substitutions, kept_labels};
use crate::engine::{Family, View};
use crate::error::{Error, corrupt};
use crate::layout::bodies::{Content as BodyContent, NONCE_BYTES, Version};
use crate::layout::heads::{Head, State};
use crate::layout::log::{self, Operation};
use crate::layout::{broken, classes, history, live, past, totals};
use crate::numbers::{PackedId, Place, ResourceNumber, Seat};
use crate::proposal::{CommandOutcome, Effect, Reason, Rejection};

impl Transaction<'_> {
    /// Writes a version.
    #[allow(clippy::too_many_arguments)] // they are the parts of one command
    pub(super) fn write(
        &mut self,
        index: usize,
        id: &str,
        number: ResourceNumber,
        mut head: Head,
        mut draft: Draft,
        nonce: [u8; NONCE_BYTES],
        beside: Beside,
        operation: Operation,
    ) -> Result<CommandOutcome, Rejection> {
        let was_live = head.state == State::Live;
        let resource_type = type_of(head.type_number);
        if was_live && head.has_labels && operation != Operation::Replace {
            let (_, old) = self.current(number, &head)?;
            let labels = kept_labels(&old, &draft.body).map_err(|issue| Rejection::Command {
                index,
                reason: Reason::Invalid,
                issue,
            })?;
            if !labels.is_empty() {
                draft = draft
                    .rewritten(id, &Substitutions::new(), &labels, self.fold.zone())
                    .map_err(|issue| Rejection::Command { index, reason: Reason::Invalid, issue })?;
            }
        }
        let size = u32::try_from(draft.body.text.len()).unwrap_or(u32::MAX);
        if was_live && head.size == size {
            let (instant, old) = self.current(number, &head)?;
            if old.text == draft.body.text {
                let (effect, version) = (Effect::Unchanged, head.version);
                let (id, missing) = (id.to_owned(), Vec::new());
                return Ok(CommandOutcome { effect, resource_type, id, version, instant, missing });
            }
        }
        let person = match &draft.extracted.person {
            Some(id) => {
                let patient = r4().resource_number(r4().well_known().patient).unwrap_or(0);
                self.number(patient, &PackedId::new(id))?
            }
            None => ResourceNumber(0),
        };
        let old_seat = head.seat(number);
        let seat = Seat { person, resource: number };
        // In a replay the version before may be one whose text is destroyed: then it has none.
        let has_rows = was_live && head.since.0 > 0;
        let old_rows = if has_rows { self.old_rows(old_seat, &head)? } else { Vec::new() };
        let mut entries = Vec::with_capacity(draft.extracted.entries.len());
        let referred = self.referred.len();
        for entry in std::mem::take(&mut draft.extracted.entries) {
            if entry.parameter == OTHER_REFERENCES
                && let Some((type_number, id)) = search::key::reference::read_by_id(&entry.key)
            {
                self.referred.push((type_number, PackedId::new(id), self.command));
            }
            entries.push(entry.link(self)?);
        }
        if resource_type == r4().well_known().bundle {
            // It refers to its own entries.
            self.referred.truncate(referred);
        }
        self.may_become(index, head.type_number, seat, id, &entries, !was_live)?;
        let parameters =
            old_rows.iter().map(|r| r.entry.parameter).chain(entries.iter().map(|e| e.parameter));
        self.note_persons(head.type_number, &[old_seat, seat], parameters);
        let has_moved = has_rows && old_seat != seat;
        let mut change = if has_moved {
            rows::step(&[], entries, self.place)
        } else {
            rows::step(&old_rows, entries, self.place)
        };
        if has_moved {
            change.ended = rows::end(&old_rows);
            self.end_row(head.type_number, live::ALL, &[], old_seat, head.since, live::Flags::default(), &[]);
        }
        for group in &change.ended {
            self.end_row(
                head.type_number,
                group.parameter,
                &group.key,
                old_seat,
                group.from,
                group.flags,
                &group.extra,
            );
        }
        self.note_classes(head.type_number, &change.written)?;
        for group in &change.written {
            let key = live::key(head.type_number, group.parameter, &group.key, seat);
            let row = live::LiveRow { from: group.from, flags: group.flags, extra: &group.extra };
            self.put_row(key, &row);
        }
        if !has_rows || has_moved {
            let key = live::key(head.type_number, live::ALL, &[], seat);
            let row = live::LiveRow { from: self.place, flags: live::Flags::default(), extra: &[] };
            self.put_row(key, &row);
            head.since = self.place;
        }
        if !was_live {
            self.begin_live(&head)?;
        }
        if head.place.0 > 0 && head.person != person {
            head.earlier_persons.push((self.place, head.person));
        }
        let operation = if was_live { operation } else { Operation::Create };
        head.state = State::Live;
        head.version += 1;
        head.place = self.place;
        head.person = person;
        head.size = size;
        head.has_labels = draft.has_labels;
        let rows_key = crate::layout::rows::key(seat, head.type_number, self.place);
        self.put(Family::Rows, &rows_key, crate::layout::rows::encode(&change.rows, self.place));
        let version = Version {
            version: head.version,
            is_creation: !was_live,
            instant: self.changes.instant,
            content: BodyContent::Text { nonce: &nonce, splice: draft.body.splice, text: &draft.body.text },
        };
        self.put(Family::Bodies, &rows_key, version.encode());
        self.note_version(head.type_number, number);
        self.commands.push(log::Command {
            operation,
            type_number: head.type_number,
            id: head.id.clone(),
            if_match: beside.if_match,
            criteria: beside.criteria,
            resolved: beside.resolved,
            body: Some((log::body_hash(&nonce, &draft.body.text), size)),
            resource: number,
            person,
            version: head.version,
        });
        let version = head.version;
        self.heads.insert(number, head);
        Ok(CommandOutcome {
            effect: if was_live { Effect::Updated } else { Effect::Created },
            resource_type,
            id: id.to_owned(),
            version,
            instant: self.changes.instant,
            missing: Vec::new(),
        })
    }

    /// Deletes a resource.
    pub(super) fn end(
        &mut self,
        id: &str,
        beside: Beside,
        number: ResourceNumber,
        mut head: Head,
    ) -> Result<CommandOutcome, Error> {
        let resource_type = type_of(head.type_number);
        if head.state != State::Live {
            let instant =
                if head.place.0 > 0 { self.current(number, &head)?.0 } else { self.changes.instant };
            return Ok(CommandOutcome {
                effect: Effect::NothingToDelete,
                resource_type,
                id: id.to_owned(),
                version: head.version,
                instant,
                missing: Vec::new(),
            });
        }
        let seat = head.seat(number);
        let has_rows = head.since.0 > 0;
        let old_rows = if has_rows { self.old_rows(seat, &head)? } else { Vec::new() };
        self.note_persons(head.type_number, &[seat], old_rows.iter().map(|r| r.entry.parameter));
        for group in rows::end(&old_rows) {
            self.end_row(
                head.type_number,
                group.parameter,
                &group.key,
                seat,
                group.from,
                group.flags,
                &group.extra,
            );
        }
        if has_rows {
            self.end_row(head.type_number, live::ALL, &[], seat, head.since, live::Flags::default(), &[]);
        }
        self.count(head.type_number, -1)?;
        self.put(Family::State, broken::key(head.type_number, &head.id), []);
        head.state = State::Deleted;
        head.version += 1;
        head.place = self.place;
        head.size = 0;
        let version = Version {
            version: head.version,
            is_creation: false,
            instant: self.changes.instant,
            content: BodyContent::Deletion,
        };
        self.put(
            Family::Bodies,
            crate::layout::rows::key(seat, head.type_number, self.place),
            version.encode(),
        );
        self.note_version(head.type_number, number);
        self.commands.push(log::Command {
            operation: Operation::Delete,
            type_number: head.type_number,
            id: head.id.clone(),
            if_match: beside.if_match,
            criteria: beside.criteria,
            resolved: beside.resolved,
            body: None,
            resource: number,
            person: head.person,
            version: head.version,
        });
        let version = head.version;
        self.heads.insert(number, head);
        Ok(CommandOutcome {
            effect: Effect::Deleted,
            resource_type,
            id: id.to_owned(),
            version,
            instant: self.changes.instant,
            missing: Vec::new(),
        })
    }

    /// Notes that what searches remember of persons changes: links of Patients, and Consents.
    fn note_persons(&self, type_number: u8, seats: &[Seat], mut changed: impl Iterator<Item = u8>) {
        let well_known = r4().well_known();
        let persons = &self.fold.memory.persons;
        if r4().resource_number(well_known.consent) == Some(type_number) {
            for seat in seats {
                persons.consents_change(seat.person, self.place);
            }
        } else if r4().resource_number(well_known.patient) == Some(type_number) {
            let link = parameters().of(well_known.patient).named("link").map(|p| p.number);
            if changed.any(|parameter| Some(parameter) == link) {
                persons.links_change(self.place);
            }
        }
    }

    /// When a resource's current version was recorded, and its body (empty for a deletion).
    pub(super) fn current(&self, number: ResourceNumber, head: &Head) -> Result<(Micros, Body), Error> {
        let key = crate::layout::rows::key(head.seat(number), head.type_number, head.place);
        let value = self.view.get(Family::Bodies, key)?;
        let value = value.ok_or_else(|| {
            corrupt("a body (family bodies)", format!("that of resource {} is missing", number.0))
        })?;
        let version = Version::decode(&value)?;
        Ok((version.instant, destroy::text_of(&version)))
    }

    pub(super) fn old_rows(&self, seat: Seat, head: &Head) -> Result<Vec<crate::layout::rows::Row>, Error> {
        let key = crate::layout::rows::key(seat, head.type_number, head.place);
        let value = self.view.get(Family::Rows, key)?;
        let value = value.ok_or_else(|| {
            corrupt(
                "a version's entries (family rows)",
                format!("those of resource {} are missing", seat.resource.0),
            )
        })?;
        crate::layout::rows::decode(&value, head.place)
    }

    pub(super) fn put_row(&mut self, key: Vec<u8>, row: &live::LiveRow<'_>) {
        self.fold.memory.members.row_changes(&key, true, self.place);
        self.put(Family::Live, key, row.encode());
    }

    pub(super) fn delete_row(&mut self, key: &[u8]) {
        self.fold.memory.members.row_changes(key, false, self.place);
        self.delete(Family::Live, key);
    }

    /// Moves a row from `live` to `past`.
    #[allow(clippy::too_many_arguments)] // they are the parts of one row
    pub(super) fn end_row(
        &mut self,
        type_number: u8,
        parameter: u8,
        value: &[u8],
        seat: Seat,
        from: Place,
        flags: live::Flags,
        extra: &[u8],
    ) {
        let key = live::key(type_number, parameter, value, seat);
        self.delete_row(&key);
        let row = past::PastRow { to: self.place, flags, extra };
        self.put(Family::Past, past::key(&key, from), row.encode());
    }

    /// Adds to the total of a type.
    pub(super) fn count(&mut self, type_number: u8, change: i64) -> Result<(), Error> {
        let known =
            self.changes.totals.get(&type_number).or_else(|| self.fold.totals.get(&type_number)).copied();
        let total = match known {
            Some(total) => total,
            None => stored_total(&self.view, type_number, self.place)?,
        };
        let total = total.saturating_add_signed(change);
        self.changes.totals.insert(type_number, total);
        self.put(Family::State, totals::key(type_number, self.place), totals::encode(total));
        Ok(())
    }

    /// Lists the version in its type's history.
    pub(super) fn note_version(&mut self, type_number: u8, number: ResourceNumber) {
        self.put(Family::State, history::key(type_number, self.place, self.index), history::encode(number));
        self.index += 1;
    }

    /// Notes classes of dates that occur for the first time.
    pub(super) fn note_classes(&mut self, type_number: u8, groups: &[rows::Group]) -> Result<(), Error> {
        let set = parameters().of(type_of(type_number));
        for group in groups {
            let is_date = set
                .parameters
                .get(usize::from(group.parameter))
                .is_some_and(|p| p.kind == SearchParameterType::Date);
            let Some(class) = group.key.first().filter(|_| is_date) else { continue };
            self.note_class(type_number, group.parameter, *class)?;
        }
        Ok(())
    }

    pub(super) fn note_class(&mut self, type_number: u8, parameter: u8, class: u8) -> Result<(), Error> {
        let key = (type_number, parameter);
        let known = self.changes.classes.get(&key).or_else(|| self.fold.classes.get(&key)).copied();
        let bits = match known {
            Some(bits) => bits,
            None => {
                let stored = self.view.get(Family::State, classes::key(type_number, parameter))?;
                stored.map_or(0, |value| classes::decode(&value))
            }
        };
        let with = bits | 1 << class;
        if with != bits {
            self.put(Family::State, classes::key(type_number, parameter), classes::encode(with));
        }
        self.changes.classes.insert(key, with);
        Ok(())
    }

    /// A resource that was not there is: it counts, and is missing no longer.
    pub(super) fn begin_live(&mut self, head: &Head) -> Result<(), Error> {
        self.count(head.type_number, 1)?;
        let broken = broken::key(head.type_number, &head.id);
        if self.view.get(Family::State, &broken)?.is_some() {
            self.delete(Family::State, broken);
        }
        Ok(())
    }
}

/// The total of a type before a place.
fn stored_total(view: &View<'_>, type_number: u8, before: Place) -> Result<u64, Error> {
    total_at(view, type_number, Place(before.0.saturating_sub(1)))
}
