//! batch and transaction: `POST [base]` (<https://hl7.org/fhir/R4/http.html#transaction>).
//!
//! A transaction is one proposal, a batch one for each entry that writes. Entries are done in the specification's order
//! (DELETE, POST, PUT and PATCH, then GET), answered in their own. In a transaction references to entries' fullUrls, and
//! by the search of a conditional entry, become references to what the entries become.
//!
//! A history is done as a batch, oldest first: it may say several versions of one resource, which a transaction may not
//! (<https://hl7.org/fhir/R4/http.html#other-bundles>).

mod answer;
mod request;

pub use answer::{EntryResponse, Prefer, described, findings};
pub use request::{ReadCondition, version_of_etag};

use fhir::{IssueType, NodeRef, Resource, r4};
use store::{Action, Command, Condition, Substitutions};

use self::request::{
    Method, Request, full_urls, invalid, recorded, request, stored, substitutions, unresolved,
};
use crate::conditional::Chosen;
use crate::patch::{On, Patch};
use crate::{Access, Failure, Hub, Kind, Prepared, WriteOptions};

/// What an entry is to become.
enum Planned {
    /// A write.
    Write,
    /// A read of an address relative to the base.
    Get(String, ReadCondition),
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

    /// Refuses a batch's entry that stands for one that does not read.
    pub fn refuse(&mut self, entry: usize, failure: Failure) {
        if let Some(planned) = self.entries.get_mut(entry) {
            *planned = Planned::Refused(failure);
        }
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
        let kind = root.text_at("type");
        let is_transaction = match kind.as_deref() {
            Some("transaction") => true,
            Some("batch" | "history") => false,
            other => {
                let message = format!(
                    "a Bundle posted here is a batch, a transaction or a history, found {}; to store a Bundle as a resource, post it to Bundle",
                    other.unwrap_or("no type")
                );
                return Err(invalid(IssueType::Value, message).under("Bundle.type"));
            }
        };
        let entries: Vec<NodeRef<'_>> = root.all("entry").collect();
        if entries.len() > self.limits.bundle_entries {
            return Err(too_many_entries(self.limits.bundle_entries));
        }
        if kind.as_deref() == Some("history") {
            let requests: Vec<_> = entries.iter().map(|e| recorded(*e)).collect();
            // Newest first, as histories are.
            let order = (0..requests.len()).rev().collect();
            return Ok(self.plan_batch(access, requests, order));
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
            let order = in_order(&requests);
            Ok(self.plan_batch(access, requests, order))
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
        match request(entry).and_then(|request| self.entry_commands(access, &request)) {
            Ok(commands) if commands.is_empty() => {
                batch.entries[index] = Planned::Nothing;
                Ok(None)
            }
            Ok(commands) => Ok(Some(self.prepared(access, commands, None))),
            Err(failure) => {
                batch.entries[index] = Planned::Refused(failure);
                Ok(None)
            }
        }
    }

    /// Plans each entry alone, in this order.
    fn plan_batch(
        &self,
        access: &Access,
        requests: Vec<Result<Request<'_>, Failure>>,
        order: Vec<usize>,
    ) -> Batch {
        let mut batch =
            Batch { is_transaction: false, entries: Vec::new(), sources: Vec::new(), writes: Vec::new() };
        let full_urls = full_urls(&requests);
        batch.entries.extend(requests.iter().map(|_| Planned::Nothing));
        for index in order {
            let planned = requests[index].as_ref().map_err(Clone::clone).and_then(|request| {
                if request.method == Method::Get {
                    return Ok(Planned::Get(request.url.clone(), request.read_condition.clone()));
                }
                if let Some(resource) = request.resource {
                    // Each entry stands alone: what another one becomes is not known to it.
                    unresolved(resource, &|url| !full_urls.contains(url))?;
                }
                let commands = self.entry_commands(access, request)?;
                if commands.is_empty() {
                    return Ok(Planned::Nothing);
                }
                batch.writes.push(self.prepared(access, commands, None));
                batch.sources.push(index);
                Ok(Planned::Write)
            });
            batch.entries[index] = planned.unwrap_or_else(Planned::Refused);
        }
        batch
    }

    /// What an entry that stands alone does.
    fn entry_commands(&self, access: &Access, request: &Request<'_>) -> Result<Vec<Command>, Failure> {
        let targets = self.targets(Some(access), request, &mut |_| self.new_id())?.into_iter();
        let commands = targets
            .map(|(id, condition)| self.command(Some(access), request, id, condition, &Substitutions::new()));
        commands.collect()
    }

    /// The ids an entry writes, with what decided them: one, or as many as a conditional delete finds. Without an access
    /// nothing is looked up, and conditional updates and deletes are refused.
    fn targets(
        &self,
        access: Option<&Access>,
        request: &Request<'_>,
        ids: &mut dyn FnMut(NodeRef<'_>) -> String,
    ) -> Result<Vec<Chosen>, Failure> {
        let Some(criteria) = &request.criteria else {
            let id = request.id.clone().or_else(|| request.resource.map(ids));
            return Ok(vec![(id.unwrap_or_default(), None)]);
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
                Ok(vec![(id, Some(condition))])
            }
            (Method::Patch, _) => {
                let (id, condition) = self.patch_target(access, resource_type, criteria).map_err(under)?;
                Ok(vec![(id, Some(condition))])
            }
            _ => self.delete_targets(access, resource_type, criteria).map_err(under),
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
        let mut targets: Vec<Vec<Chosen>> = Vec::with_capacity(known.len());
        for (index, request) in known.iter().enumerate() {
            targets.push(match request.method {
                Method::Get => Vec::new(),
                _ => self.targets(access, request, ids).map_err(|f| f.under(&at_entry(index)))?,
            });
        }
        let mut searches = std::collections::BTreeSet::new();
        for (at, request) in known.iter().enumerate() {
            let finds_nothing =
                matches!(targets[at].as_slice(), [(_, Some(condition))] if condition.found.is_empty());
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
            targets.iter().map(|t| t.first().map(|(id, _)| id.clone()).unwrap_or_default()).collect();
        let substitutions = substitutions(&known, &ids)?;
        let mut order: Vec<usize> = (0..known.len()).collect();
        order.sort_by_key(|at| known[*at].method.rank());
        let mut entries: Vec<Option<Planned>> = known.iter().map(|_| None).collect();
        let (mut commands, mut sources) = (Vec::new(), Vec::new());
        for at in order {
            let request = &known[at];
            if request.method == Method::Get {
                entries[at] = Some(Planned::Get(request.url.clone(), request.read_condition.clone()));
                continue;
            }
            let chosen = std::mem::take(&mut targets[at]);
            entries[at] = Some(if chosen.is_empty() { Planned::Nothing } else { Planned::Write });
            for (id, condition) in chosen {
                let command = self
                    .command(access, request, id, condition, &substitutions)
                    .map_err(|f| f.under(&at_entry(at)))?;
                sources.push(at);
                commands.push(command);
            }
            if let Some(resource) = request.resource {
                unresolved(resource, &|url| substitutions.contains_key(url))
                    .map_err(|f| f.under(&at_entry(at)))?;
            }
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
        let has_new_id = request.method == Method::Post || (condition.is_some() && resource.id().is_none());
        let if_match = request.if_match;
        Ok(Command { if_match, condition, has_new_id, ..Command::new(resource_type, id, action) })
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

/// The refusal of a Bundle with more entries than are accepted.
#[must_use]
pub fn too_many_entries(limit: usize) -> Failure {
    let message = format!(
        "more than {limit} entries; no more are accepted in one request. Load larger amounts with: yojigen import FILE --server URL"
    );
    Failure::new(Kind::TooLarge, IssueType::TooLong, message).under("Bundle.entry")
}

/// The entries in the order they are done.
fn in_order(requests: &[Result<Request<'_>, Failure>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by_key(|at| requests[*at].as_ref().map_or(0, |request| request.method.rank()));
    order
}

/// Whether a document is a Bundle to be carried out rather than stored.
#[must_use]
pub fn is_bundle(document: &Resource) -> bool {
    document.root().value_type() == r4().well_known().bundle
}
