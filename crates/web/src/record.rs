//! What a page asks of the hub.
//!
//! All questions of one page are asked as of one moment, so that a page never shows two states of the record, and each
//! has a bound: how many resources at most, and how many index rows may be looked at.

use std::time::Duration;

use fhir::date_time::Micros;
use fhir::{IssueType, Limits, Resource, TypeId, r4};
use hub::{Access, Hub, Kind, SearchRequest};
use search::query::Pair;
use serde_json::Value;
use store::{Budget, Kept};

use crate::failure::Failure;

/// Index rows one question may look at.
const ROWS: u64 = 2_000_000;
/// Time one question may take.
const TIME: Duration = Duration::from_secs(10);
/// References of the record are relative, so the address it is asked at does not matter.
const BASE: &str = "http://localhost/fhir";
/// Resources fetched at once.
const AT_ONCE: usize = 1000;

/// The record as of one moment.
pub(crate) struct Record {
    pub(crate) hub: Hub,
    pub(crate) access: Access,
    /// The moment.
    pub(crate) moment: Micros,
}

/// Some resources, and what is known about the rest.
#[derive(Default)]
pub(crate) struct Found {
    /// The resources, in order.
    pub(crate) resources: Vec<Resource>,
    /// What the search's includes add.
    pub(crate) included: Vec<Resource>,
    /// How many there are in all, if known.
    pub(crate) total: Option<u64>,
    /// Where the next ones begin, if there are more.
    pub(crate) next: Option<String>,
}

impl Record {
    /// The record as it is now, or as it was known at a moment.
    pub(crate) fn of(hub: Hub, access: Access, as_of: Option<Micros>) -> Record {
        let now = hub.reader(&access).instant();
        Record { moment: as_of.map_or(now, |moment| moment.min(now)), hub, access }
    }

    /// A type by its name.
    fn resource_type(name: &str) -> Result<TypeId, Failure> {
        let missing =
            || hub::Failure::new(Kind::Internal, IssueType::Exception, format!("R4 has no type {name}"));
        r4().resource_type(name).ok_or_else(|| missing().into())
    }

    /// One resource; none if there is none, or it does not read.
    pub(crate) fn read(&self, type_name: &str, id: &str) -> Result<Option<Resource>, Failure> {
        match self.hub.read(&self.access, Record::resource_type(type_name)?, id, Some(self.moment)) {
            Ok(kept) => Ok(parsed(&kept)),
            Err(failure) if failure.kind == Kind::NotFound => Ok(None),
            Err(failure) if failure.kind == Kind::Gone => Err(Failure::Deleted),
            Err(failure) => Err(failure.into()),
        }
    }

    /// A resource as it is now, as JSON, to be changed and written anew; with its version.
    pub(crate) fn to_change(&self, type_name: &str, id: &str) -> Result<Option<(Value, String)>, Failure> {
        let kept = match self.hub.read(&self.access, Record::resource_type(type_name)?, id, None) {
            Ok(kept) => kept,
            Err(failure) if matches!(failure.kind, Kind::NotFound | Kind::Gone) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let Ok(resource) = serde_json::from_str::<Value>(&kept.json()) else { return Ok(None) };
        let version = resource["meta"]["versionId"].as_str().unwrap_or_default().to_owned();
        Ok(Some((resource, version)))
    }

    /// A page of a search.
    pub(crate) fn search(
        &self,
        type_name: &str,
        pairs: &[(&str, &str)],
        count: usize,
    ) -> Result<Found, Failure> {
        let pairs: Vec<Pair> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let resource_type = Record::resource_type(type_name)?;
        let request =
            SearchRequest { resource_type, compartment: None, pairs: &pairs, base: BASE, is_lenient: false };
        let mut query = self.hub.query(&request)?;
        query.count = Some(count);
        query.as_of = Some(self.moment);
        let answer = self.hub.search(&self.access, query, Budget::new(ROWS, TIME))?;
        let resources = answer.matches.iter().filter_map(parsed).collect();
        let included = answer.included.iter().filter_map(parsed).collect();
        Ok(Found { resources, included, total: answer.total, next: answer.next })
    }

    /// A person's resources of a type, at most so many, in an order.
    pub(crate) fn of_person(
        &self,
        type_name: &str,
        person: &str,
        sort: &str,
        most: usize,
    ) -> Result<Found, Failure> {
        let reference = format!("Patient/{person}");
        let mut found = Found::default();
        let mut cursor: Option<String> = None;
        loop {
            let mut pairs = vec![("patient", reference.as_str())];
            if !sort.is_empty() {
                pairs.push(("_sort", sort));
            }
            if let Some(cursor) = &cursor {
                pairs.push(("_cursor", cursor));
            }
            let left = most - found.resources.len().min(most);
            let page = self.search(type_name, &pairs, left.min(AT_ONCE))?;
            let is_stuck = page.resources.is_empty();
            found.resources.extend(page.resources);
            found.next = page.next;
            cursor.clone_from(&found.next);
            if cursor.is_none() || is_stuck || found.resources.len() >= most {
                return Ok(found);
            }
        }
    }
}

/// The resource of a version; what is kept has been read before, so one that does not read is left out.
fn parsed(kept: &Kept) -> Option<Resource> {
    // Whatever the limits were when it came in.
    let limits = Limits { resource_bytes: usize::MAX, depth: 128, ..Limits::default() };
    fhir::json::parse(kept.json().as_bytes(), &limits).ok()
}
