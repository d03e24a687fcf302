//! batch and transaction: `POST [base]` (<https://hl7.org/fhir/R4/http.html#transaction>).
//!
//! A transaction is one proposal, a batch one for each write. Entries are done in the specification's order (DELETE,
//! POST, PUT, then GET), answered in their own. In a transaction references to entries' fullUrls become references to
//! what the entries become.

mod answer;
mod request;

pub use answer::{EntryResponse, Prefer, described, findings};
pub use request::version_of_etag;

use fhir::{IssueType, NodeRef, Resource, r4};
use store::{Action, Command, Condition, Substitutions};

use self::request::{Method, Request, invalid, request, stored, substitutions, unresolved};
use crate::patch::{On, Patch};
use crate::{Access, Failure, Hub, Kind, Prepared, WriteOptions};

/// What an entry is to become.
enum Planned {
    /// A write, by its place among the commands (in a transaction) or proposals (in a batch).
    Write(usize),
    /// A read of an address relative to the base.
    Get(String),
    /// There is nothing to do: a conditional delete finds nothing.
    Nothing,
    /// It cannot be done.
    Refused(Failure),
}

/// A batch or transaction on its way.
pub struct Batch {
    is_transaction: bool,
    entries: Vec<Planned>,
    /// The entry each command (or proposal) comes from.
    sources: Vec<usize>,
    writes: Vec<Prepared>,
}

impl Batch {
    /// What has to be submitted: nothing or one for a transaction, one for each write of a batch. To be called once.
    pub fn take_writes(&mut self) -> Vec<Prepared> {
        std::mem::take(&mut self.writes)
    }

    /// Whether an entry was refused because finding out what it means costs more than was allowed.
    #[must_use]
    pub fn is_too_costly(&self) -> bool {
        self.entries.iter().any(|e| matches!(e, Planned::Refused(failure) if failure.kind == Kind::TooCostly))
    }

    /// Whether some of it depends on what a search finds: then it may have to be planned again.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        self.writes
            .iter()
            .any(|w| w.proposal.commands.iter().any(|c| c.condition.is_some() || c.based_on.is_some()))
    }
}

/// The commands of a transaction's entries in the order they are done, what becomes of each entry, and the entry each
/// command comes from.
type Transaction = (Vec<Command>, Vec<Planned>, Vec<usize>);

/// The id an entry writes, and the search that decided it.
type Target = (String, Option<Box<Condition>>);

impl Hub {
    /// Plans a batch or transaction.
    ///
    /// # Errors
    /// If it is neither, has too many entries, or (a transaction) one of its entries cannot be done.
    pub fn plan_bundle(
        &self,
        access: &Access,
        root: NodeRef<'_>,
        options: &WriteOptions,
    ) -> Result<Batch, Failure> {
        let is_transaction = match root.text_at("type").as_deref() {
            Some("transaction") => true,
            Some("batch") => false,
            other => {
                let message = format!(
                    "a Bundle posted here is a batch or a transaction, found {}; to store a Bundle as a resource, post it to Bundle",
                    other.unwrap_or("no type")
                );
                return Err(invalid(IssueType::Value, message).under("Bundle.type"));
            }
        };
        let entries: Vec<NodeRef<'_>> = root.all("entry").collect();
        if entries.len() > self.limits.bundle_entries {
            let message = format!(
                "{} entries; at most {} are accepted in one request. Load larger amounts with: yojigen import FILE --server URL",
                entries.len(),
                self.limits.bundle_entries
            );
            return Err(Failure::new(Kind::TooLarge, IssueType::TooLong, message).under("Bundle.entry"));
        }
        let requests: Vec<Result<Request<'_>, Failure>> = entries.iter().map(|e| request(*e)).collect();
        if is_transaction {
            let mut ids = |_: NodeRef<'_>| self.new_id();
            let (commands, entries, sources) = self.transaction_commands(Some(access), requests, &mut ids)?;
            let writes = if commands.is_empty() {
                Vec::new()
            } else {
                vec![self.prepared(access, self.with_provenance(commands, options)?, options.once)]
            };
            Ok(Batch { is_transaction: true, entries, sources, writes })
        } else {
            Ok(self.plan_batch(access, requests))
        }
    }

    /// Plans a write anew whose condition had moved: the whole transaction, or the batch's entry behind the write at this
    /// place. `None` if now there is nothing to do.
    ///
    /// # Errors
    /// What now stands against it.
    pub fn plan_again(
        &self,
        access: &Access,
        batch: &mut Batch,
        at: usize,
        root: NodeRef<'_>,
        options: &WriteOptions,
    ) -> Result<Option<Prepared>, Failure> {
        if batch.is_transaction {
            *batch = self.plan_bundle(access, root, options)?;
            return Ok(batch.take_writes().pop());
        }
        let index = batch.sources[at];
        let Some(entry) = root.all("entry").nth(index) else { return Ok(None) };
        let planned = request(entry).and_then(|request| {
            let target = self.target(Some(access), &request, &mut |_| self.new_id())?;
            let command = target.map(|(id, condition)| {
                self.command(Some(access), &request, id, condition, &Substitutions::new())
            });
            command.transpose()
        });
        match planned {
            Ok(Some(command)) => Ok(Some(self.prepared(access, vec![command], None))),
            Ok(None) => {
                batch.entries[index] = Planned::Nothing;
                Ok(None)
            }
            Err(failure) => {
                batch.entries[index] = Planned::Refused(failure);
                Ok(None)
            }
        }
    }

    fn plan_batch(&self, access: &Access, requests: Vec<Result<Request<'_>, Failure>>) -> Batch {
        let mut batch =
            Batch { is_transaction: false, entries: Vec::new(), sources: Vec::new(), writes: Vec::new() };
        for (index, request) in requests.into_iter().enumerate() {
            let planned = request.and_then(|request| {
                if request.method == Method::Get {
                    return Ok(Planned::Get(request.url));
                }
                let Some((id, condition)) = self.target(Some(access), &request, &mut |_| self.new_id())?
                else {
                    return Ok(Planned::Nothing);
                };
                let command = self.command(Some(access), &request, id, condition, &Substitutions::new())?;
                batch.writes.push(self.prepared(access, vec![command], None));
                batch.sources.push(index);
                Ok(Planned::Write(batch.writes.len() - 1))
            });
            batch.entries.push(planned.unwrap_or_else(Planned::Refused));
        }
        batch
    }

    /// The id an entry writes, with what decided it; `None` if a conditional delete finds nothing. Without an access
    /// nothing is looked up, and conditional updates and deletes are refused.
    fn target(
        &self,
        access: Option<&Access>,
        request: &Request<'_>,
        ids: &mut dyn FnMut(NodeRef<'_>) -> String,
    ) -> Result<Option<Target>, Failure> {
        let Some(criteria) = &request.criteria else {
            let id = request.id.clone().or_else(|| request.resource.map(ids));
            return Ok(Some((id.unwrap_or_default(), None)));
        };
        let Some(access) = access else {
            let message = "conditional updates and deletes are not imported; load this with --server URL, or name the resource by its id";
            return Err(
                Failure::new(Kind::NotSupported, IssueType::NotSupported, message).under("request.url")
            );
        };
        let under = |failure: Failure| failure.under("request.url");
        let resource_type = request.resource_type.unwrap_or(r4().well_known().resource);
        match (request.method, request.resource) {
            (Method::Put, Some(resource)) => {
                let (id, condition) = self.update_target(access, resource, criteria).map_err(under)?;
                Ok(Some((id, Some(condition))))
            }
            (Method::Patch, _) => {
                let (id, condition) = self.patch_target(access, resource_type, criteria).map_err(under)?;
                Ok(Some((id, Some(condition))))
            }
            _ => {
                let condition = self.condition(access, resource_type, criteria, 1).map_err(under)?;
                Ok(condition.found.first().cloned().map(|id| (id, Some(condition))))
            }
        }
    }

    /// Reads a transaction. `ids` gives ids to resources that are created.
    fn transaction_commands(
        &self,
        access: Option<&Access>,
        requests: Vec<Result<Request<'_>, Failure>>,
        ids: &mut dyn FnMut(NodeRef<'_>) -> String,
    ) -> Result<Transaction, Failure> {
        let at_entry = |index: usize| format!("Bundle.entry[{index}]");
        let mut known: Vec<Request<'_>> = Vec::with_capacity(requests.len());
        for (index, request) in requests.into_iter().enumerate() {
            known.push(request.map_err(|f| f.under(&at_entry(index)))?);
        }
        let mut targets: Vec<Option<Target>> = Vec::with_capacity(known.len());
        for (index, request) in known.iter().enumerate() {
            let target = if request.method == Method::Get {
                None
            } else {
                self.target(access, request, ids).map_err(|f| f.under(&at_entry(index)))?
            };
            targets.push(target);
        }
        let mut searches = std::collections::BTreeSet::new();
        for (at, request) in known.iter().enumerate() {
            let finds_nothing =
                matches!(&targets[at], Some((_, Some(condition))) if condition.found.is_empty());
            let search = (request.resource_type, request.criteria.as_deref());
            if finds_nothing && !searches.insert(search) {
                let message = format!(
                    "'{}' is also the search of another entry; both would create what it finds",
                    request.url
                );
                return Err(
                    invalid(IssueType::Duplicate, message).under(&format!("{}.request.url", at_entry(at)))
                );
            }
        }
        let ids: Vec<String> =
            targets.iter().map(|t| t.as_ref().map(|(id, _)| id.clone()).unwrap_or_default()).collect();
        let substitutions = substitutions(&known, &ids)?;
        let mut order: Vec<usize> = (0..known.len()).collect();
        order.sort_by_key(|at| known[*at].method as u8);
        let mut entries: Vec<Option<Planned>> = known.iter().map(|_| None).collect();
        let (mut commands, mut sources) = (Vec::new(), Vec::new());
        for at in order {
            let request = &known[at];
            if request.method == Method::Get {
                entries[at] = Some(Planned::Get(request.url.clone()));
                continue;
            }
            let Some((id, condition)) = targets[at].take() else {
                entries[at] = Some(Planned::Nothing);
                continue;
            };
            let command = self
                .command(access, request, id, condition, &substitutions)
                .map_err(|f| f.under(&at_entry(at)))?;
            if let Some(resource) = request.resource {
                unresolved(resource, &substitutions).map_err(|f| f.under(&at_entry(at)))?;
            }
            entries[at] = Some(Planned::Write(commands.len()));
            sources.push(at);
            commands.push(command);
        }
        Ok((commands, entries.into_iter().flatten().collect(), sources))
    }

    fn command(
        &self,
        access: Option<&Access>,
        request: &Request<'_>,
        id: String,
        condition: Option<Box<Condition>>,
        substitutions: &Substitutions,
    ) -> Result<Command, Failure> {
        let resource_type = request.resource_type.unwrap_or(r4().well_known().resource);
        let (Some(resource), true) = (request.resource, request.method != Method::Delete) else {
            return Ok(Command {
                if_match: request.if_match,
                condition,
                ..Command::new(resource_type, id, Action::Delete)
            });
        };
        if request.method == Method::Patch {
            let Some(access) = access else {
                let message = "patches are not imported; load this with --server URL";
                return Err(Failure::new(Kind::NotSupported, IssueType::NotSupported, message)
                    .under("request.method"));
            };
            let patch = Patch::of_entry(resource, &self.limits).map_err(|f| f.under("resource"))?;
            let change = |current: &Resource| patch.apply(current, &self.limits);
            let on = On { resource_type, id: &id, if_match: request.if_match, condition };
            return self.changed(access, on, substitutions, &change);
        }
        if request.method == Method::Put && condition.is_none() && resource.id().as_deref() != Some(&id) {
            let message = format!("the resource must say the id of its address: \"id\":\"{id}\"");
            return Err(invalid(IssueType::Invalid, message).under("resource"));
        }
        if !fhir::primitive::is_id(&id) {
            return Err(invalid(
                IssueType::Value,
                format!("'{id}' is not an id: 1 to 64 of A-Z a-z 0-9 - ."),
            )
            .under("request.url"));
        }
        let (draft, references) = match access {
            Some(_) => self.draft(resource, &id, substitutions)?,
            None => self.unchecked_draft(resource, &id, substitutions)?,
        };
        let action = if request.method == Method::Post {
            let if_none_exist = match &request.if_none_exist {
                Some(text) => Some(Box::new(self.criteria(resource_type, text)?)),
                None => None,
            };
            Action::Create { draft, references, if_none_exist }
        } else if condition.as_ref().is_some_and(|c| c.found.is_empty()) {
            Action::Create { draft, references, if_none_exist: None }
        } else {
            Action::Update { draft, references }
        };
        Ok(Command { if_match: request.if_match, condition, ..Command::new(resource_type, id, action) })
    }
}

impl Hub {
    /// The commands of a Bundle that is imported: of a transaction its entries', of a collection or search result one
    /// for each resource (an update under its id, or a creation if it has none).
    ///
    /// # Errors
    /// The first entry that cannot be done.
    pub(crate) fn bundle_commands(
        &self,
        root: NodeRef<'_>,
        ids: &mut dyn FnMut(NodeRef<'_>) -> String,
    ) -> Result<Vec<Command>, Failure> {
        let is_request = matches!(root.text_at("type").as_deref(), Some("transaction" | "batch"));
        let requests = root
            .all("entry")
            .filter(|e| is_request || e.child("resource").is_some())
            .map(|entry| if is_request { request(entry) } else { Ok(stored(entry)) })
            .filter(|r| !matches!(r, Ok(r) if r.method == Method::Get))
            .collect();
        Ok(self.transaction_commands(None, requests, ids)?.0)
    }
}

/// Whether a document is a Bundle to be carried out rather than stored.
#[must_use]
pub fn is_bundle(document: &Resource) -> bool {
    document.root().value_type() == r4().well_known().bundle
}
