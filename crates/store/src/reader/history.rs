//! Histories: of a resource, of a type, of all, newest first.

use super::{Kept, Reader, kept, stored_head, version_at};
use crate::engine::{Family, View};
use crate::error::{Error, corrupt};
use crate::fold::read_entry;
use crate::layout::bodies::Version;
use crate::layout::heads::{Head, State};
use crate::layout::log::{self, Circumstances};
use crate::layout::{circumstances, history, rows};
use crate::numbers::{Place, ResourceNumber, Seat};
use crate::search::Gate;
use fhir::date_time::Micros;
use fhir::{TypeId, r4};

/// A version in a history, and where the history goes on after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The version.
    pub kept: Kept,
    /// Its commit.
    pub place: Place,
    /// Its place in the commit.
    pub index: u32,
}

/// Which part of a history is asked for.
#[derive(Clone, Debug, Default)]
pub struct HistoryRange {
    /// Recorded at or after this.
    pub since: Option<Micros>,
    /// Current at some moment of this interval.
    pub at: Option<(Micros, Micros)>,
    /// Only what comes after this place and index, newest first.
    pub after: Option<(Place, u32)>,
    /// As of this place.
    pub as_of: Option<Place>,
    /// At most so many.
    pub limit: usize,
}

impl Reader {
    /// Versions of one resource, newest first; `None` if it was never written.
    ///
    /// # Errors
    /// As the engine says.
    pub fn instance_history(
        &self,
        resource_type: TypeId,
        id: &str,
        range: &HistoryRange,
    ) -> Result<Option<Vec<HistoryEntry>>, Error> {
        let view = self.view()?;
        let Some((number, head)) = self.head(&view, resource_type, id)? else { return Ok(None) };
        if head.state == State::Unwritten || !self.is_seen(&head, number, head.place)? {
            return Ok(None);
        }
        let gate = self.gate()?;
        let mut found = Vec::new();
        let mut place = match range.after {
            Some((after, _)) => after.0.checked_sub(1).map(Place),
            None => Some(range.as_of.map_or(head.place, |at| at.min(head.place))),
        };
        let mut next_instant = range.after.map_or(Ok(None), |(after, _)| self.instant_of(after).map(Some))?;
        while let Some(at) = place {
            let Some((version_place, version)) = version_at(&view, &head, number, at)? else { break };
            let seat = Seat { person: head.person_at(version_place), resource: number };
            let is_seen = gate.as_ref().map_or(Ok(true), |gate| gate.admits(head.type_number, seat))?;
            let is_wanted = is_seen && in_range(range, version.instant, next_instant);
            if range.since.is_some_and(|since| version.instant < since) {
                break;
            }
            next_instant = Some(version.instant);
            if is_wanted {
                found.push(HistoryEntry { kept: version, place: version_place, index: 0 });
                if found.len() >= range.limit {
                    break;
                }
            }
            place = version_place.0.checked_sub(1).map(Place);
        }
        Ok(Some(found))
    }

    /// Versions of all resources of a type, newest first.
    ///
    /// # Errors
    /// As the engine says.
    pub fn type_history(
        &self,
        resource_type: TypeId,
        range: &HistoryRange,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let (view, gate) = (self.view()?, self.gate()?);
        let type_number = r4().resource_number(resource_type).unwrap_or(u8::MAX);
        let last = range.as_of.unwrap_or(self.published.place);
        let start = history::key(type_number, Place(0), 0);
        let end = match range.after {
            Some((place, index)) => history::key(type_number, place, index),
            None => history::key(type_number, Place(last.0 + 1), 0),
        };
        let mut versions = view.range(Family::State, &start, &end);
        versions.seek_to_last();
        let mut found = Vec::new();
        while let Some((key, value)) = versions.item() {
            let (place, index) = history::read_key(key);
            let number = history::decode(value);
            let head = stored_head(&view, number)?;
            let Some(version) = kept(&view, &head, number, place)? else {
                return Err(corrupt("a body (family bodies)", format!("that of commit {place} is missing")));
            };
            if range.since.is_some_and(|since| version.instant < since) {
                break;
            }
            if self.is_wanted(&view, gate.as_ref(), range, &head, number, &version, place)? {
                found.push(HistoryEntry { kept: version, place, index });
                if found.len() >= range.limit {
                    break;
                }
            }
            versions.prev();
        }
        versions.status()?;
        Ok(found)
    }

    /// Versions of all resources, newest first; with circumstances only those of commits that have all of them.
    ///
    /// # Errors
    /// As the engine says.
    pub fn system_history(
        &self,
        range: &HistoryRange,
        wanted: &[(u8, String)],
    ) -> Result<Vec<HistoryEntry>, Error> {
        let (view, gate) = (self.view()?, self.gate()?);
        let last = range.as_of.unwrap_or(self.published.place);
        let mut found = Vec::new();
        let mut place = range.after.map_or(last, |(place, _)| place);
        loop {
            if let Some((field, text)) = wanted.first() {
                match self.commit_with(&view, *field, text, place)? {
                    Some(next) => place = next,
                    None => break,
                }
            }
            if place.0 == 0 {
                break;
            }
            let (_, entry) = read_entry(&view, place)?;
            if range.since.is_some_and(|since| entry.instant < since) {
                break;
            }
            let has_all = wanted.iter().all(|(field, text)| {
                entry.circumstances.fields().get(usize::from(*field)).copied().flatten()
                    == Some(text.as_str())
            });
            if let log::Content::Transaction(commands) = &entry.content
                && has_all
            {
                for (index, command) in commands.iter().enumerate().rev() {
                    let index = u32::try_from(index).unwrap_or(u32::MAX);
                    if range.after.is_some_and(|(p, i)| p == place && index >= i) {
                        continue;
                    }
                    if command.operation == log::Operation::Destroy {
                        continue; // it makes no version
                    }
                    let head = stored_head(&view, command.resource)?;
                    let Some(version) = kept(&view, &head, command.resource, place)? else { continue };
                    let number = command.resource;
                    if self.is_wanted(&view, gate.as_ref(), range, &head, number, &version, place)? {
                        found.push(HistoryEntry { kept: version, place, index });
                        if found.len() >= range.limit {
                            return Ok(found);
                        }
                    }
                }
            }
            place = Place(place.0 - 1);
        }
        Ok(found)
    }

    /// The last commit at or before a place that has a circumstance.
    pub(super) fn commit_with(
        &self,
        view: &View<'_>,
        field: u8,
        text: &str,
        at: Place,
    ) -> Result<Option<Place>, Error> {
        let prefix = circumstances::prefix(field, text);
        let start = circumstances::key(field, text, at);
        let mut commits = view.range(Family::State, &start, &::search::condition::after_prefix(&prefix));
        commits.seek_to_first();
        let found = commits.key().map(circumstances::read_place);
        commits.status()?;
        Ok(found)
    }

    /// The field number of a circumstance's name in a query (`_author` …).
    #[must_use]
    pub fn circumstance(name: &str) -> Option<u8> {
        Circumstances::NAMES.iter().position(|n| *n == name).and_then(|at| u8::try_from(at).ok())
    }

    /// Whether a version was current at some moment of the interval asked for, and may be seen.
    #[allow(clippy::too_many_arguments)] // they are the parts of one question
    fn is_wanted(
        &self,
        view: &View<'_>,
        gate: Option<&Gate<'_>>,
        range: &HistoryRange,
        head: &Head,
        number: ResourceNumber,
        version: &Kept,
        place: Place,
    ) -> Result<bool, Error> {
        let seat = Seat { person: head.person_at(place), resource: number };
        if !gate.map_or(Ok(true), |gate| gate.admits(head.type_number, seat))? {
            return Ok(false);
        }
        if range.at.is_none() {
            return Ok(true);
        }
        let next = if place >= head.place { None } else { next_instant(view, head, number, place)? };
        Ok(in_range(range, version.instant, next))
    }
}

fn in_range(range: &HistoryRange, instant: Micros, next: Option<Micros>) -> bool {
    range.since.is_none_or(|since| instant >= since)
        && range.at.is_none_or(|(start, end)| instant < end && next.is_none_or(|next| next > start))
}

/// When the version after that of a commit was recorded.
fn next_instant(
    view: &View<'_>,
    head: &Head,
    number: ResourceNumber,
    place: Place,
) -> Result<Option<Micros>, Error> {
    let seat = Seat { person: head.person_at(place), resource: number };
    // Later versions come first, so the next one stands just before.
    let start = rows::prefix(seat, head.type_number);
    let mut versions = view.range(Family::Bodies, &start, &rows::key(seat, head.type_number, place));
    versions.seek_to_last();
    if let Some(value) = versions.value() {
        return Ok(Some(Version::decode(value)?.instant));
    }
    versions.status()?;
    match head.earlier_persons.iter().find(|(until, _)| *until > place) {
        Some((moved, _)) => Ok(kept(view, head, number, *moved)?.map(|v| v.instant)),
        None => Ok(None),
    }
}
