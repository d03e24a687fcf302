//! Which changes are events: a change of the log held against what a subscription is about.
//!
//! A criterion is a search. Whether a version matches is that search, narrowed to the resource's id, as of the entry's
//! place (or the place before, for the version before): it costs the resource's own rows, and gives the same whenever it
//! is asked.

use fhir::{TypeId, r4};
use search::query::{self, Criterion, Query};
use serde::Deserialize;
use store::layout::log::Operation;
use store::{Budget, Place, Reader};

use super::topic::Trigger;
use crate::{Failure, Hub};

/// How a resource changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// There is one where there was none.
    Create,
    /// There is a further version.
    Update,
    /// It is no more.
    Delete,
}

impl Kind {
    /// How a command changed a resource; destroying what it said earlier does not.
    pub(crate) fn of(operation: Operation) -> Option<Kind> {
        match operation {
            Operation::Create => Some(Kind::Create),
            Operation::Update | Operation::Replace => Some(Kind::Update),
            Operation::Delete => Some(Kind::Delete),
            Operation::Destroy => None,
        }
    }
}

/// A change of the log.
pub(crate) struct Change<'a> {
    /// A state at or after the change.
    pub(crate) reader: &'a Reader,
    /// The entry.
    pub(crate) place: Place,
    /// The type.
    pub(crate) resource_type: TypeId,
    /// The id.
    pub(crate) id: &'a str,
    /// How.
    pub(crate) kind: Kind,
    /// Index rows one test may look at. Rows are the same whenever they are counted; time is not.
    pub(crate) rows: u64,
}

impl Change<'_> {
    /// Whether the resource matched a search as of a place.
    ///
    /// # Errors
    /// As a search's.
    pub(crate) fn matched(&self, query: &Query, at: Place) -> Result<bool, store::Failure> {
        if query.resource_type != self.resource_type {
            return Ok(false);
        }
        let mut query = query.clone();
        query.criteria.push(Criterion::Id(vec![self.id.to_owned()]));
        Ok(self.reader.count(&query, at, Budget::of_rows(self.rows))? > 0)
    }
}

/// What a subscription is about.
#[derive(Debug)]
pub(crate) enum Selection {
    /// R4: a search. A resource that is created or updated and then matches is an event.
    Search(Query),
    /// A topic, with filters. Where there are filters, only types that one of them names are meant, and a resource must
    /// match all filters of its type.
    Topic {
        /// What makes an event.
        triggers: Vec<Trigger>,
        /// What more must hold: of the new version, or of the last one if the resource is deleted.
        filters: Vec<Query>,
    },
}

impl Selection {
    /// Whether changes of a type may be events.
    pub(crate) fn concerns(&self, resource_type: TypeId) -> bool {
        match self {
            Selection::Search(query) => query.resource_type == resource_type,
            Selection::Topic { triggers, filters } => {
                let is_filtered_in =
                    filters.is_empty() || filters.iter().any(|f| f.resource_type == resource_type);
                is_filtered_in && triggers.iter().any(|t| t.concerns(resource_type))
            }
        }
    }

    /// Whether a change is an event.
    ///
    /// # Errors
    /// As a search's.
    pub(crate) fn fires(&self, change: &Change<'_>) -> Result<bool, store::Failure> {
        match self {
            Selection::Search(query) => {
                Ok(change.kind != Kind::Delete && change.matched(query, change.place)?)
            }
            Selection::Topic { triggers, filters } => {
                let mut is_fired = false;
                for trigger in triggers {
                    is_fired = is_fired || trigger.fires(change)?;
                }
                let at = match change.kind {
                    Kind::Delete => Place(change.place.0.saturating_sub(1)),
                    Kind::Create | Kind::Update => change.place,
                };
                for filter in filters.iter().filter(|f| f.resource_type == change.resource_type) {
                    is_fired = is_fired && change.matched(filter, at)?;
                }
                Ok(is_fired)
            }
        }
    }
}

/// Reads `Type?parameter=value`; `Type` alone is all of that type.
///
/// # Errors
/// What is not understood.
pub(crate) fn criteria(hub: &Hub, text: &str) -> Result<Query, Failure> {
    let (name, search) = text.split_once('?').unwrap_or((text, ""));
    let resource_type = r4().known_resource_type(name).map_err(|message| {
        let message =
            format!("{message}; write a search of this hub, Type?parameter=value, without its address");
        fhir::Issue::error(fhir::IssueType::Invalid, message)
    })?;
    if search.is_empty() {
        return Ok(query::read(resource_type, &[], hub.reading())?);
    }
    Ok(hub.criteria(resource_type, search)?.query)
}
