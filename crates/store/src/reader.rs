//! Reading: one state of the store, now or as of any place before.

mod commits;
mod every;
mod history;
mod restricted;
mod sweep;

pub use self::every::EveryVersion;
pub use self::history::{HistoryEntry, HistoryRange};
pub use self::sweep::Swept;

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
use crate::layout::log::{self};
use crate::layout::meta::destroyed_key;
use crate::layout::{heads, ids, once, rows};
use crate::numbers::{PackedId, Place, ResourceNumber, Seat};
use crate::search::{Budget, Cursor, Failure, Found, Page, Searcher, Wanted};
use crate::writer::{Published, Shared};
use ::search::restriction::Restriction;

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

/// One state of the store.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
    published: Arc<Published>,
    restriction: Option<Arc<Restriction>>,
    /// The place by whose state the restriction decides, if not the newest.
    decided_at: Option<Place>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, published: Arc<Published>) -> Reader {
        Reader { shared, published, restriction: None, decided_at: None }
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

    /// Whether texts of some version have been destroyed, so that the past is not wholly there any more.
    ///
    /// # Errors
    /// As the engine says.
    pub fn has_destroyed(&self) -> Result<bool, Error> {
        Ok(self.view()?.get(Family::State, destroyed_key())?.is_some())
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
        if head.state == State::Unwritten || !self.is_seen(&head, number, at.unwrap_or(head.place))? {
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
        let is_seen = |place| self.is_seen(&head, number, place);
        // Numbers rise with places: halve the places between the first and the current version.
        let (mut low, mut high) = (0, head.place.0);
        while low <= high {
            let middle = low + (high - low) / 2;
            match version_at(&view, &head, number, Place(middle))? {
                Some((place, found)) if found.version == version => {
                    return Ok((at.is_none_or(|at| place <= at) && is_seen(place)?).then_some(found));
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
        let now = self.restriction.is_some().then(|| self.deciding(budget.clone())).transpose()?;
        let searcher = Searcher::at(self.view()?, at, is_now, instant.max(0), &self.shared.memory, budget);
        Ok(match (&self.restriction, now) {
            (Some(restriction), Some(now)) => searcher.restricted(Arc::clone(restriction), now),
            _ => searcher,
        })
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
        let Some((number, head)) = self.head(&self.view()?, owner_type, id)? else { return Ok(None) };
        if !self.is_seen(&head, number, at)? {
            return Ok(None);
        }
        self.searcher(at, budget)?.everything(owner_type, number, wanted).map(Some)
    }
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
pub(crate) fn kept(
    view: &View<'_>,
    head: &Head,
    number: ResourceNumber,
    place: Place,
) -> Result<Option<Kept>, Error> {
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
