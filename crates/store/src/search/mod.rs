//! Running a search on the index, now or as of any place in the log.
//!
//! A query becomes a [`plan`]: its criteria linked to numbers, each a test on a resource's index entries and, where it
//! can be one, a source of candidates. One source drives, chosen by counting a few rows of each; the others filter. The
//! filters read the version's entry list (`rows`), never its body.
//!
//! Sources come in two orders. Rows of one value stand in the order of seats (person, resource): such streams are
//! merged and intersected by leaps ([`stream`]). Ranges of values stand in the order of values ([`values`]). Either way the
//! page's place in its source is a key, so that a page costs what is on it, wherever it lies, and can be turned both
//! ways. A sort drives along its own parameter's rows unless collecting and sorting is cheaper ([`sort`]).
//!
//! As of an earlier place, every source reads `live` and `past` together and keeps the rows whose lifetime holds the
//! place; includes, chains, `_has` and totals see the same place.
//!
//! Under a restriction every candidate passes the [`gate`], and streams leap over persons it does not admit.

mod budget;
mod collect;
mod cursor;
mod everything;
mod gate;
mod include;
mod links;
mod members;
mod page;
mod persons;
mod plan;
mod rows;
mod sort;
mod stream;
mod values;

use std::cell::RefCell;
use std::sync::{Arc, RwLock};

use fhir::date_time::Micros;
use fhir::definitions::CaseSensitivity;
use fhir::{Issue, TypeId, r4};
use search::condition::Numbers;
use search::query::Query;

pub use budget::{Budget, CRITERIA_ROWS};
pub use everything::Wanted;
pub(crate) use gate::{Entries, Gate};
use members::Members;
pub use page::{Cursor, Found, Page};
pub(crate) use persons::Persons;

use crate::engine::{Family, View};
use crate::error::Error;
use crate::layout::{ids, symbols};
use crate::numbers::{PackedId, Place, ResourceNumber, Seat};
use crate::reader::{Kept, kept, stored_head, version_at};
use ::search::restriction::Restriction;

/// Why a search has no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The store failed.
    Store(Error),
    /// The query asks for too much, or for something that cannot be.
    Query(Issue),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Store(error)
    }
}

/// Where a read has no query, what a restriction makes too costly is an error of its own.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::Store(error) => error,
            Failure::Query(issue) => Error::Undecided(issue.diagnostics),
        }
    }
}

impl From<sealing::Fault> for Failure {
    fn from(fault: sealing::Fault) -> Failure {
        Failure::Store(fault.into())
    }
}

/// The numbers of the code systems in which case matters, shared by fold and readers.
#[derive(Clone, Debug, Default)]
pub(crate) struct SystemNames {
    case_sensitive: Arc<RwLock<Vec<u32>>>,
}

/// What searches of a store remember together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) systems: SystemNames,
    pub(crate) persons: Persons,
    pub(crate) members: Members,
}

/// UCUM says that case matters; it is not among R4's own code systems.
const CASE_SENSITIVE: &[&str] = &["http://unitsofmeasure.org", "urn:ietf:bcp:47", "urn:ietf:bcp:13"];

impl SystemNames {
    /// Those a store has met.
    pub(crate) fn read(view: &View<'_>) -> Result<SystemNames, Error> {
        let names = SystemNames::default();
        let (start, end) = (symbols::text_key(0), symbols::text_key(u32::MAX));
        let mut rows = view.range(Family::State, &start, &end);
        rows.seek_to_first();
        while let (Some(key), Some(uri)) = (rows.key(), rows.value()) {
            if let Ok(uri) = std::str::from_utf8(uri) {
                names.learn(uri, symbols::decode(&key[1..]));
            }
            rows.next();
        }
        rows.status()?;
        Ok(names)
    }

    pub(crate) fn learn(&self, uri: &str, number: u32) {
        let of_r4 = r4().terminology().code_system(uri).map(|s| s.case_sensitivity);
        let is_sensitive = of_r4 == Some(CaseSensitivity::Sensitive) || CASE_SENSITIVE.contains(&uri);
        if is_sensitive && let Ok(mut numbers) = self.case_sensitive.write() {
            numbers.push(number);
        }
    }

    fn case_sensitive(&self) -> Vec<u32> {
        self.case_sensitive.read().map(|n| n.clone()).unwrap_or_default()
    }
}

/// A search on one state of the store.
pub(crate) struct Searcher<'v> {
    view: View<'v>,
    /// The place the answer is true for.
    at: Place,
    /// Whether that is the view's own last place, so that no past row can matter.
    is_now: bool,
    /// The instant of that place.
    instant: Micros,
    memory: Memory,
    budget: Budget,
    rows: RefCell<Option<rows::RowsReader<'v>>>,
    gate: Option<Gate<'v>>,
}

impl<'v> Searcher<'v> {
    /// On the newest state, for the fold.
    pub(crate) fn newest(view: View<'v>, at: Place, instant: Micros, memory: &Memory) -> Searcher<'v> {
        Searcher::at(view, at, true, instant, memory, Budget::default())
    }

    /// On the state as of a place.
    pub(crate) fn at(
        view: View<'v>,
        at: Place,
        is_now: bool,
        instant: Micros,
        memory: &Memory,
        budget: Budget,
    ) -> Searcher<'v> {
        Searcher {
            view,
            at,
            is_now,
            instant,
            memory: memory.clone(),
            budget,
            rows: RefCell::new(None),
            gate: None,
        }
    }

    /// The same, under a restriction; `now` is a search on the newest state.
    pub(crate) fn restricted(self, restriction: Arc<Restriction>, now: Searcher<'v>) -> Searcher<'v> {
        Searcher { gate: Some(Gate::new(restriction, now)), ..self }
    }

    /// Whether a row exists for the one who searches.
    pub(super) fn admits(&self, type_number: u8, seat: Seat) -> Result<bool, Failure> {
        self.gate.as_ref().map_or(Ok(true), |gate| gate.admits(type_number, seat))
    }

    /// The version of a resource that holds at the search's place.
    fn kept_here(&self, seat: Seat) -> Result<Option<Kept>, Failure> {
        let head = stored_head(&self.view, seat.resource)?;
        if head.place <= self.at {
            return Ok(kept(&self.view, &head, seat.resource, head.place)?);
        }
        Ok(version_at(&self.view, &head, seat.resource, self.at)?.map(|(_, kept)| kept))
    }

    /// The first resources that match, at most `limit`.
    pub(crate) fn first_matches(&self, query: &Query, limit: usize) -> Result<Vec<ResourceNumber>, Failure> {
        let plan = self.plan(query.resource_type, &query.criteria)?;
        let matches = self.seats(&plan, Some(limit))?;
        Ok(matches.into_iter().map(|seat| seat.resource).collect())
    }

    /// All resources that match.
    pub(crate) fn all(&self, query: &Query) -> Result<Vec<Found>, Failure> {
        let plan = self.plan(query.resource_type, &query.criteria)?;
        let seats = self.seats(&plan, None)?;
        Ok(seats.into_iter().map(|seat| Found { type_number: plan.type_number, seat }).collect())
    }

    /// How many resources match.
    pub(crate) fn count(&self, query: &Query) -> Result<u64, Failure> {
        let plan = self.plan(query.resource_type, &query.criteria)?;
        self.count_plan(&plan)
    }
}

impl Numbers for Searcher<'_> {
    fn system(&self, uri: &str) -> Option<u32> {
        let found = self.view.get(Family::State, symbols::number_key(uri)).ok().flatten();
        found.map(|value| symbols::decode(&value))
    }

    fn resource(&self, resource_type: TypeId, id: &str) -> Option<u64> {
        let type_number = r4().resource_number(resource_type)?;
        let found = self.view.get(Family::State, ids::key(type_number, &PackedId::new(id))).ok().flatten();
        found.map(|value| ids::decode(&value).0)
    }

    fn case_sensitive_systems(&self) -> Vec<u32> {
        self.memory.systems.case_sensitive()
    }
}
