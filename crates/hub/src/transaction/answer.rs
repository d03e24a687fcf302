//! The Bundle that answers a batch or transaction.

use super::request::ReadCondition;
use super::{Batch, Planned};
use crate::{Access, Failure, Hub, Kind, bundle, outcome};
use fhir::date_time::format_instant;
use fhir::json::JsonWriter;
use fhir::{Issue, IssueType, r4};
use std::collections::BTreeMap;
use store::{CommandOutcome, Effect, Outcome, Rejection};

/// What a client wants of the answer to a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Prefer {
    /// The resource (for a single write), nothing (in a Bundle).
    #[default]
    Default,
    /// Nothing.
    Minimal,
    /// The resource.
    Representation,
    /// What there is to say about it.
    OperationOutcome,
}

/// The answer to one entry.
#[derive(Clone, Debug)]
pub struct EntryResponse {
    /// HTTP status.
    pub status: u16,
    /// A resource as JSON.
    pub resource: Option<String>,
    /// Whether the resource is an OperationOutcome about the entry.
    pub is_outcome: bool,
    /// Where what was written can be read.
    pub location: Option<String>,
    /// Its version.
    pub etag: Option<String>,
    /// When it was recorded.
    pub last_modified: Option<String>,
}

impl EntryResponse {
    /// The answer of a failure.
    #[must_use]
    pub fn of_failure(failure: &Failure) -> EntryResponse {
        EntryResponse {
            resource: Some(outcome::outcome(&failure.issues)),
            is_outcome: true,
            etag: failure.version.map(bundle::etag),
            ..EntryResponse::of_status(failure.kind.status())
        }
    }

    /// An answer that is a status alone.
    #[must_use]
    pub fn of_status(status: u16) -> EntryResponse {
        EntryResponse {
            status,
            resource: None,
            is_outcome: false,
            location: None,
            etag: None,
            last_modified: None,
        }
    }
}

impl Hub {
    /// The Bundle that answers a batch or transaction, from the outcomes of what [`Batch::take_writes`] gave, in order.
    /// `get` answers an address relative to the base, under a condition.
    ///
    /// # Errors
    /// Why a transaction was not done.
    pub fn answer_bundle(
        &self,
        access: &Access,
        batch: &Batch,
        outcomes: Vec<Result<Outcome, Rejection>>,
        prefer: Prefer,
        get: &dyn Fn(&str, &ReadCondition) -> EntryResponse,
    ) -> Result<String, Failure> {
        // What became of each entry that writes; a conditional delete may do so several times.
        let mut written: BTreeMap<usize, Result<Vec<CommandOutcome>, Failure>> = BTreeMap::new();
        if batch.is_transaction {
            for outcome in outcomes {
                let outcome = outcome.map_err(|rejection| rejected(rejection, &batch.sources))?;
                for (entry, command) in batch.sources.iter().zip(outcome.commands) {
                    if let Ok(known) = written.entry(*entry).or_insert_with(|| Ok(Vec::new())) {
                        known.push(command);
                    }
                }
            }
        } else {
            for (entry, outcome) in batch.sources.iter().zip(outcomes) {
                written.insert(*entry, outcome.map(|o| o.commands).map_err(Failure::from));
            }
        }
        let mut json = JsonWriter::new();
        json.object(|b| {
            b.member("resourceType", "Bundle");
            b.member("type", if batch.is_transaction { "transaction-response" } else { "batch-response" });
            if batch.entries.is_empty() {
                return;
            }
            b.name("entry").array(|list| {
                for (at, planned) in batch.entries.iter().enumerate() {
                    let response = match planned {
                        Planned::Get(url, condition) => get(url, condition),
                        Planned::Refused(failure) => EntryResponse::of_failure(failure),
                        Planned::Nothing => EntryResponse::of_status(204),
                        Planned::Write => match written.remove(&at) {
                            Some(Ok(outcomes)) => self.entry_response(access, &outcomes, prefer),
                            Some(Err(failure)) => EntryResponse::of_failure(&failure),
                            None => self.entry_response(access, &[], prefer),
                        },
                    };
                    list.object(|e| write_entry(e, &response));
                }
            });
        });
        Ok(json.finish())
    }

    /// The answer to a write within a Bundle.
    pub(super) fn entry_response(
        &self,
        access: &Access,
        outcomes: &[CommandOutcome],
        prefer: Prefer,
    ) -> EntryResponse {
        let outcome = match outcomes {
            [only] => only,
            [] => {
                let message = "the write has no outcome";
                return EntryResponse::of_failure(&Failure::new(
                    Kind::Internal,
                    IssueType::Exception,
                    message,
                ));
            }
            // Several resources were deleted: there is no one version to name.
            many => {
                let issues: Vec<Issue> = many.iter().flat_map(findings).collect();
                let is_outcome = prefer == Prefer::OperationOutcome;
                let resource = is_outcome.then(|| outcome::outcome(&issues));
                return EntryResponse { resource, is_outcome, ..EntryResponse::of_status(204) };
            }
        };
        let name = format!("{}/{}", r4().type_name(outcome.resource_type), outcome.id);
        let (status, exists) = match outcome.effect {
            Effect::Created => (201, true),
            Effect::Updated | Effect::Unchanged | Effect::Found => (200, true),
            Effect::Deleted | Effect::NothingToDelete | Effect::Destroyed => (204, false),
        };
        let is_outcome = prefer == Prefer::OperationOutcome
            || !outcome.missing.is_empty() && prefer != Prefer::Representation;
        let resource = match prefer {
            _ if is_outcome => Some(outcome::outcome(&findings(outcome))),
            Prefer::Representation if exists => {
                self.read(access, outcome.resource_type, &outcome.id, None).ok().map(|kept| kept.json())
            }
            _ => None,
        };
        EntryResponse {
            status,
            resource,
            is_outcome,
            location: exists.then(|| format!("{name}/_history/{}", outcome.version)),
            etag: (outcome.version > 0).then(|| bundle::etag(outcome.version)),
            last_modified: (outcome.version > 0).then(|| format_instant(outcome.instant)),
        }
    }
}

/// What there is to say about a write: what it did, and what it refers to that is not there.
#[must_use]
pub fn findings(outcome: &CommandOutcome) -> Vec<Issue> {
    let missing = outcome.missing.iter().map(|target| {
        let message = format!(
            "it refers to {target}, which is not there; the reference is kept, and GET [base]/$broken-references lists it"
        );
        Issue { severity: fhir::Severity::Warning, ..Issue::error(IssueType::NotFound, message) }
    });
    std::iter::once(outcome::information(&described(outcome))).chain(missing).collect()
}

/// What a write did, in words.
#[must_use]
pub fn described(outcome: &CommandOutcome) -> String {
    let name = format!("{}/{}", r4().type_name(outcome.resource_type), outcome.id);
    match outcome.effect {
        Effect::Created => format!("{name} was created"),
        Effect::Updated => format!("{name} was updated; this is version {}", outcome.version),
        Effect::Unchanged => format!("{name} says this already; version {} stands", outcome.version),
        Effect::Deleted => format!("{name} was deleted"),
        Effect::NothingToDelete => format!("there was no {name} to delete"),
        Effect::Destroyed => format!("what {name} said is destroyed"),
        Effect::Found => format!("If-None-Exist found {name}; nothing was created"),
    }
}

pub(super) fn write_entry(json: &mut JsonWriter, response: &EntryResponse) {
    if let (Some(resource), false) = (&response.resource, response.is_outcome) {
        json.raw_member("resource", resource);
    }
    json.name("response").object(|r| {
        r.member("status", &response.status.to_string());
        if let Some(location) = &response.location {
            r.member("location", location);
        }
        if let Some(etag) = &response.etag {
            r.member("etag", etag);
        }
        if let Some(last_modified) = &response.last_modified {
            r.member("lastModified", last_modified);
        }
        if let (Some(resource), true) = (&response.resource, response.is_outcome) {
            r.raw_member("outcome", resource);
        }
    });
}

/// A rejection, placed at the entry it is about.
pub(super) fn rejected(rejection: Rejection, sources: &[usize]) -> Failure {
    let place = match &rejection {
        Rejection::Command { index, .. } => sources.get(*index).map(|at| format!("Bundle.entry[{at}]")),
        Rejection::Store(_) => None,
    };
    let failure = Failure::from(rejection);
    match place {
        Some(place) => failure.under(&place),
        None => failure,
    }
}
