//! Reading: one state of the store, now or as of any place before.

use std::sync::Arc;

use fhir::body::{Splice, write_spliced};
use fhir::date_time::{Micros, format_instant};
use fhir::{TypeId, r4};
use search::query::Query;

use crate::engine::{Family, View};
use crate::error::{Error, corrupt};
use crate::fold::{read_entry, total_at, type_of};
use crate::layout::bodies::{Content, Version};
use crate::layout::heads::{Head, State};
use crate::layout::log::{self, Circumstances};
use crate::layout::{circumstances, heads, history, ids, once, rows};
use crate::numbers::{PackedId, Place, ResourceNumber, Seat};
use crate::search::{Budget, Cursor, Failure, Found, Page, Searcher, Wanted};
use crate::writer::{Published, Shared};

/// A version of a resource, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The type.
    pub resource_type: TypeId,
    /// The id.
    pub id: String,
    /// The version's number.
    pub version: u64,
    /// When it was recorded.
    pub instant: Micros,
    /// Whether it was the first after nothing or a deletion.
    pub is_creation: bool,
    /// Its text and where version and instant go; `None` for a deletion.
    pub text: Option<(String, Splice)>,
    /// Whether its text has been destroyed.
    pub is_destroyed: bool,
}

impl Kept {
    /// Whether it is the end of the resource.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.text.is_none() && !self.is_destroyed
    }

    /// Appends its JSON; nothing for a deletion.
    pub fn write(&self, out: &mut String) {
        if let Some((text, splice)) = &self.text {
            write_spliced(text, *splice, &self.version.to_string(), &format_instant(self.instant), out);
        }
    }

    /// Its JSON; empty for a deletion.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

/// A version met on a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// The version.
    pub kept: Kept,
    /// Whether it belongs to a person's record.
    pub has_person: bool,
}

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

/// One state of the store.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
    published: Arc<Published>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, published: Arc<Published>) -> Reader {
        Reader { shared, published }
    }

    pub(crate) fn view(&self) -> Result<View<'_>, Error> {
        View::pinned(&self.published.pinned)
    }

    /// The last commit of this state.
    #[must_use]
    pub fn place(&self) -> Place {
        self.published.place
    }

    /// When it was recorded.
    #[must_use]
    pub fn instant(&self) -> Micros {
        self.published.instant
    }

    /// Where dates without zone lie.
    #[must_use]
    pub fn zone(&self) -> &search::Zone {
        &self.shared.zone
    }

    /// The last commit recorded at or before a moment; place 0 if there is none.
    ///
    /// # Errors
    /// As the engine says.
    pub fn place_as_of(&self, moment: Micros) -> Result<Place, Error> {
        if moment >= self.published.instant {
            return Ok(self.published.place);
        }
        let view = self.view()?;
        let (mut low, mut high) = (0, self.published.place.0);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if read_entry(&view, Place(middle))?.1.instant <= moment {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(Place(low))
    }

    /// When a commit was recorded; before the first one, the beginning of time.
    ///
    /// # Errors
    /// As the engine says.
    pub fn instant_of(&self, place: Place) -> Result<Micros, Error> {
        match place {
            Place(0) => Ok(Micros::MIN),
            place if place == self.published.place => Ok(self.published.instant),
            place => Ok(read_entry(&self.view()?, place)?.1.instant),
        }
    }

    /// Whether something was done under this key.
    ///
    /// # Errors
    /// As the engine says.
    pub fn is_done(&self, once: &[u8; 16]) -> Result<bool, Error> {
        Ok(self.view()?.get(Family::State, once::key(once))?.is_some())
    }

    /// An entry of the log.
    ///
    /// # Errors
    /// As the engine says; if there is no such entry.
    pub fn entry(&self, place: Place) -> Result<log::Entry, Error> {
        Ok(read_entry(&self.view()?, place)?.1)
    }

    fn head(
        &self,
        view: &View<'_>,
        resource_type: TypeId,
        id: &str,
    ) -> Result<Option<(ResourceNumber, Head)>, Error> {
        let Some(type_number) = r4().resource_number(resource_type) else { return Ok(None) };
        let Some(value) = view.get(Family::State, ids::key(type_number, &PackedId::new(id)))? else {
            return Ok(None);
        };
        let number = ids::decode(&value);
        Ok(Some((number, stored_head(view, number)?)))
    }

    /// The version of a resource that is (or as of a place was) current, deletions included; `None` if it was never
    /// written by then.
    ///
    /// # Errors
    /// As the engine says.
    pub fn read(&self, resource_type: TypeId, id: &str, at: Option<Place>) -> Result<Option<Kept>, Error> {
        let view = self.view()?;
        let Some((number, head)) = self.head(&view, resource_type, id)? else { return Ok(None) };
        if head.state == State::Unwritten {
            return Ok(None);
        }
        match at.filter(|at| *at < head.place) {
            None => kept(&view, &head, number, head.place),
            Some(at) => current_at(&view, &head, number, at),
        }
    }

    /// A version of a resource by its number, as of a place.
    ///
    /// # Errors
    /// As the engine says.
    pub fn version(
        &self,
        resource_type: TypeId,
        id: &str,
        version: u64,
        at: Option<Place>,
    ) -> Result<Option<Kept>, Error> {
        let view = self.view()?;
        let Some((number, head)) = self.head(&view, resource_type, id)? else { return Ok(None) };
        if version == 0 || version > head.version {
            return Ok(None);
        }
        // Numbers rise with places: halve the places between the first and the current version.
        let (mut low, mut high) = (0, head.place.0);
        while low <= high {
            let middle = low + (high - low) / 2;
            match version_at(&view, &head, number, Place(middle))? {
                Some((place, found)) if found.version == version => {
                    return Ok(at.is_none_or(|at| place <= at).then_some(found));
                }
                // Between a version's commit and `middle` there is no other: skip them all.
                Some((place, found)) if found.version > version => match place.0.checked_sub(1) {
                    Some(next) => high = next,
                    None => return Ok(None),
                },
                _ => low = middle + 1,
            }
        }
        Ok(None)
    }

    /// How many resources of a type there are, or were as of a place.
    ///
    /// # Errors
    /// As the engine says.
    pub fn total(&self, resource_type: TypeId, at: Option<Place>) -> Result<u64, Error> {
        let type_number = r4().resource_number(resource_type).unwrap_or(u8::MAX);
        total_at(&self.view()?, type_number, at.unwrap_or(self.published.place))
    }

    /// How many resources of each type there are, or were as of a place; only types that have some.
    ///
    /// # Errors
    /// As the engine says.
    pub fn totals(&self, at: Option<Place>) -> Result<Vec<(TypeId, u64)>, Error> {
        let mut found = Vec::new();
        for resource_type in &r4().resource_types {
            let total = self.total(*resource_type, at)?;
            if total > 0 {
                found.push((*resource_type, total));
            }
        }
        Ok(found)
    }

    fn searcher<'v>(&'v self, at: Place, budget: Budget) -> Result<Searcher<'v>, Failure> {
        let is_now = at >= self.published.place;
        let instant = self.instant_of(at)?;
        let at = at.min(self.published.place);
        Ok(Searcher::at(self.view()?, at, is_now, instant.max(0), &self.shared.systems, budget))
    }

    /// The place a query is asked for: its cursor's, its `_asOf`'s, else this state's.
    ///
    /// # Errors
    /// A cursor of another hub or of nothing.
    pub fn place_of(&self, query: &Query, cursor: Option<&Cursor>) -> Result<Place, Failure> {
        match (cursor, query.as_of) {
            (Some(cursor), _) if cursor.at <= self.published.place => Ok(cursor.at),
            (Some(_), _) => Err(Failure::Query(fhir::Issue::error(
                fhir::IssueType::Invalid,
                "_cursor: this place in a search lies in the future of this hub; begin the search anew",
            ))),
            (None, Some(moment)) => Ok(self.place_as_of(moment)?),
            (None, None) => Ok(self.published.place),
        }
    }

    /// A page of a search.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub fn search(
        &self,
        query: &Query,
        at: Place,
        count: usize,
        cursor: Option<&Cursor>,
        budget: Budget,
    ) -> Result<Page, Failure> {
        self.searcher(at, budget)?.page(query, count, cursor)
    }

    /// How many resources match a query.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub fn count(&self, query: &Query, at: Place, budget: Budget) -> Result<u64, Failure> {
        self.searcher(at, budget)?.count(query)
    }

    /// The version of a found resource that holds at a place.
    ///
    /// # Errors
    /// As the engine says.
    pub fn kept(&self, found: Found, at: Place) -> Result<Option<Kept>, Error> {
        let view = self.view()?;
        let head = stored_head(&view, found.seat.resource)?;
        if head.place <= at {
            return kept(&view, &head, found.seat.resource, head.place);
        }
        current_at(&view, &head, found.seat.resource, at)
    }

    /// All resources that match a query, in no order that means anything.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub fn all(&self, query: &Query, at: Place, budget: Budget) -> Result<Vec<Found>, Failure> {
        self.searcher(at, budget)?.all(query)
    }

    /// Passes the version of every resource that holds at a place (deletions too) to `visit` until it returns false, in
    /// the order they lie in, after a key an earlier sweep gave (empty for the beginning). The disk is read once, from one
    /// end to the other, and the cache is left to others.
    ///
    /// # Errors
    /// As the engine says.
    pub fn sweep(
        &self,
        after: &[u8],
        at: Place,
        visit: &mut dyn FnMut(&[u8], Swept) -> bool,
    ) -> Result<(), Error> {
        let view = self.view()?;
        let mut bodies = view.sweep(Family::Bodies);
        bodies.seek(after);
        let mut done: Vec<u8> = after.to_vec();
        while let Some((key, value)) = bodies.item() {
            let Some((prefix, seat, type_number)) = rows::read_prefix(key) else {
                return Err(corrupt("a body (family bodies)", "its key does not parse"));
            };
            // Later versions come first: the first one that is old enough is the one; the rest is passed over.
            if prefix == done.as_slice() || rows::read_place(key) > at {
                bodies.next();
                continue;
            }
            let head = stored_head(&view, seat.resource)?;
            done.clear();
            done.extend_from_slice(prefix);
            if head.type_number == type_number && head.person_at(at) == seat.person {
                let kept = from_value(&head, value)?;
                if !visit(&done, Swept { kept, has_person: seat.person.0 != 0 }) {
                    return Ok(());
                }
            }
            bodies.next();
        }
        Ok(bodies.status()?)
    }

    /// Everything of a compartment as of a place: its owner, its members, and what they refer to. `None` if the owner was
    /// never written.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub fn everything(
        &self,
        owner_type: TypeId,
        id: &str,
        at: Place,
        wanted: &Wanted,
        budget: Budget,
    ) -> Result<Option<Vec<Found>>, Failure> {
        let Some((number, _)) = self.head(&self.view()?, owner_type, id)? else { return Ok(None) };
        self.searcher(at, budget)?.everything(owner_type, number, wanted).map(Some)
    }

    /// Passes the versions of found resources that hold at a place to `visit`, in the order given. Neighbours on disk
    /// cost little.
    ///
    /// # Errors
    /// As the engine says.
    pub fn each(&self, found: &[Found], at: Place, mut visit: impl FnMut(Kept)) -> Result<(), Error> {
        let view = self.view()?;
        let mut bodies = view.range(Family::Bodies, &[], &[0xff; 17]);
        for one in found {
            let prefix = rows::prefix(one.seat, one.type_number);
            bodies.seek(rows::key(one.seat, one.type_number, at));
            if let Some((key, value)) = bodies.item()
                && key.starts_with(&prefix)
            {
                let version = Version::decode(value)?;
                let Content::Text { text, splice, .. } = version.content else { continue };
                let id = fhir::json::scan::members(text).find(|m| m.name == "id");
                visit(Kept {
                    resource_type: type_of(one.type_number),
                    id: id.map(|m| m.value.trim_matches('"').to_owned()).unwrap_or_default(),
                    version: version.version,
                    instant: version.instant,
                    is_creation: version.is_creation,
                    text: Some((text.to_owned(), splice)),
                    is_destroyed: false,
                });
            } else {
                bodies.status()?;
            }
        }
        Ok(())
    }

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
        if head.state == State::Unwritten {
            return Ok(None);
        }
        let mut found = Vec::new();
        let mut place = match range.after {
            Some((after, _)) => after.0.checked_sub(1).map(Place),
            None => Some(range.as_of.map_or(head.place, |at| at.min(head.place))),
        };
        let mut next_instant = range.after.map_or(Ok(None), |(after, _)| self.instant_of(after).map(Some))?;
        while let Some(at) = place {
            let Some((version_place, version)) = version_at(&view, &head, number, at)? else { break };
            let is_wanted = in_range(range, version.instant, next_instant);
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
        let view = self.view()?;
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
            if self.is_wanted(&view, range, &head, number, &version, place)? {
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
        let view = self.view()?;
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
                    if self.is_wanted(&view, range, &head, command.resource, &version, place)? {
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
    fn commit_with(&self, view: &View<'_>, field: u8, text: &str, at: Place) -> Result<Option<Place>, Error> {
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

    /// Whether a version was current at some moment of the interval asked for.
    fn is_wanted(
        &self,
        view: &View<'_>,
        range: &HistoryRange,
        head: &Head,
        number: ResourceNumber,
        version: &Kept,
        place: Place,
    ) -> Result<bool, Error> {
        if range.at.is_none() {
            return Ok(true);
        }
        let next = if place >= head.place { None } else { next_instant(view, head, number, place)? };
        Ok(in_range(range, version.instant, next))
    }

    /// Passes every resource of a type that exists (or existed as of a place), in the order of ids, to `visit` until it
    /// returns false.
    ///
    /// # Errors
    /// As the engine says.
    pub fn each_of_type(
        &self,
        resource_type: TypeId,
        at: Option<Place>,
        mut visit: impl FnMut(Kept) -> bool,
    ) -> Result<(), Error> {
        let view = self.view()?;
        let type_number = r4().resource_number(resource_type).unwrap_or(u8::MAX);
        let at = at.unwrap_or(self.published.place);
        let (start, end) = (ids::prefix(type_number), ids::prefix(type_number + 1));
        let mut known = view.range(Family::State, &start, &end);
        known.seek_to_first();
        while let Some((_, value)) = known.item() {
            let number = ids::decode(value);
            let head = stored_head(&view, number)?;
            let version = match head.state {
                State::Unwritten => None,
                _ if head.place <= at => kept(&view, &head, number, head.place)?,
                _ => current_at(&view, &head, number, at)?,
            };
            if let Some(version) = version.filter(|v| v.text.is_some())
                && !visit(version)
            {
                return Ok(());
            }
            known.next();
        }
        Ok(known.status()?)
    }
}

fn in_range(range: &HistoryRange, instant: Micros, next: Option<Micros>) -> bool {
    range.since.is_none_or(|since| instant >= since)
        && range.at.is_none_or(|(start, end)| instant < end && next.is_none_or(|next| next > start))
}

pub(crate) fn stored_head(view: &View<'_>, number: ResourceNumber) -> Result<Head, Error> {
    let value = view.get(Family::State, heads::key(number))?;
    let value = value.ok_or_else(|| {
        corrupt("a head (state, table r)", format!("that of resource {} is missing", number.0))
    })?;
    Head::decode(&value)
}

fn from_value(head: &Head, value: &[u8]) -> Result<Kept, Error> {
    let version = Version::decode(value)?;
    let text = match version.content {
        Content::Text { text, splice, .. } => Some((text.to_owned(), splice)),
        Content::Deletion | Content::Destroyed { .. } => None,
    };
    Ok(Kept {
        resource_type: type_of(head.type_number),
        id: head.id.unpack(),
        version: version.version,
        instant: version.instant,
        is_creation: version.is_creation,
        text,
        is_destroyed: matches!(version.content, Content::Destroyed { .. }),
    })
}

/// The version recorded by a commit.
fn kept(view: &View<'_>, head: &Head, number: ResourceNumber, place: Place) -> Result<Option<Kept>, Error> {
    let seat = Seat { person: head.person_at(place), resource: number };
    let value = view.get(Family::Bodies, rows::key(seat, head.type_number, place))?;
    value.map(|value| from_value(head, &value)).transpose()
}

/// The version current at a place.
fn current_at(
    view: &View<'_>,
    head: &Head,
    number: ResourceNumber,
    at: Place,
) -> Result<Option<Kept>, Error> {
    Ok(version_at(view, head, number, at)?.map(|(_, version)| version))
}

/// The last version at or before a place, and its commit.
pub(crate) fn version_at(
    view: &View<'_>,
    head: &Head,
    number: ResourceNumber,
    at: Place,
) -> Result<Option<(Place, Kept)>, Error> {
    // Versions lie by person; the right person's come first, earlier ones' only if there is none.
    for person in persons_before(head, at) {
        let seat = Seat { person, resource: number };
        let prefix = rows::prefix(seat, head.type_number);
        let mut versions = view.range(
            Family::Bodies,
            &rows::key(seat, head.type_number, at),
            &::search::condition::after_prefix(&prefix),
        );
        versions.seek_to_first();
        if let Some((key, value)) = versions.item() {
            let place = rows::read_place(key);
            return Ok(Some((place, from_value(head, value)?)));
        }
        versions.status()?;
    }
    Ok(None)
}

/// The persons a resource was kept with at a place and before, latest first.
fn persons_before(head: &Head, at: Place) -> Vec<ResourceNumber> {
    let mut persons = vec![head.person_at(at)];
    for (until, person) in head.earlier_persons.iter().rev() {
        if *until <= at && !persons.contains(person) {
            persons.push(*person);
        }
    }
    persons
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
