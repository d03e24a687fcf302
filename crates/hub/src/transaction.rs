//! batch and transaction: `POST [base]` (<https://hl7.org/fhir/R4/http.html#transaction>).
//!
//! A transaction is one proposal, a batch one for each write. Entries are done in the specification's order (DELETE,
//! POST, PUT, then GET), answered in their own. In a transaction references to entries' fullUrls become references to
//! what the entries become.

use std::collections::BTreeMap;

use fhir::date_time::format_instant;
use fhir::json::JsonWriter;
use fhir::{Issue, IssueType, NodeRef, Reference, Resource, TypeId, r4};
use store::{Action, Command, CommandOutcome, Condition, Effect, Outcome, Rejection, Substitutions};

use crate::patch::{On, Patch};
use crate::{Access, Failure, Hub, Kind, Prepared, WriteOptions, bundle, outcome};

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
            status: failure.kind.status(),
            resource: Some(outcome::outcome(&failure.issues)),
            is_outcome: true,
            location: None,
            etag: failure.version.map(bundle::etag),
            last_modified: None,
        }
    }

    fn nothing_to_delete() -> EntryResponse {
        EntryResponse {
            status: 204,
            resource: None,
            is_outcome: false,
            location: None,
            etag: None,
            last_modified: None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    Delete,
    Post,
    Put,
    Patch,
    Get,
}

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

/// An entry's request.
struct Request<'b> {
    method: Method,
    url: String,
    resource_type: Option<TypeId>,
    id: Option<String>,
    resource: Option<NodeRef<'b>>,
    if_match: Option<u64>,
    if_none_exist: Option<String>,
    /// The search that names the resource, of a conditional update or delete.
    criteria: Option<String>,
    full_url: Option<String>,
}

fn invalid(code: IssueType, message: impl Into<String>) -> Failure {
    Failure::new(Kind::Invalid, code, message)
}

/// The version an `If-Match` names.
///
/// # Errors
/// If it does not name one.
pub fn version_of_etag(text: &str) -> Result<u64, Failure> {
    let plain = text.trim().strip_prefix("W/").unwrap_or(text.trim()).trim_matches('"');
    plain.parse().map_err(|_| {
        let message =
            format!("If-Match: '{text}' is not a version of this hub; write W/\"3\" as the ETag said");
        Failure::new(Kind::Invalid, IssueType::Value, message)
    })
}

fn request(entry: NodeRef<'_>) -> Result<Request<'_>, Failure> {
    let text = |path: &str| entry.text_at(path).map(String::from);
    let Some(method) = text("request.method") else {
        return Err(invalid(IssueType::Required, "an entry of a batch or transaction needs request.method")
            .under("request"));
    };
    let method = match method.as_str() {
        "DELETE" => Method::Delete,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "GET" | "HEAD" => Method::Get,
        other => {
            let message =
                format!("the method {other} is not available here; GET, POST, PUT, PATCH and DELETE are");
            return Err(
                Failure::new(Kind::NotSupported, IssueType::NotSupported, message).under("request.method")
            );
        }
    };
    let url = text("request.url").unwrap_or_default();
    let (path, query) = url.split_once('?').map_or((url.as_str(), None), |(p, q)| (p, Some(q)));
    let mut segments = path.trim_start_matches('/').split('/');
    let type_name = segments.next().unwrap_or_default();
    let id = segments.next().filter(|s| !s.is_empty()).map(str::to_owned);
    let resource_type = r4().resource_type(type_name);
    let resource = entry.child("resource");
    let is_write = method != Method::Get;
    if is_write {
        if resource_type.is_none() {
            let message = format!("'{url}' does not name a resource type of R4");
            return Err(invalid(IssueType::Value, message).under("request.url"));
        }
        if segments.next().is_some() {
            return Err(
                invalid(IssueType::Value, format!("'{url}' is more than Type/id")).under("request.url")
            );
        }
        if query.is_some() && (method == Method::Post || id.is_some()) {
            let message = format!("'{url}' has a search where none decides; a POST has ifNoneExist");
            return Err(invalid(IssueType::Value, message).under("request.url"));
        }
    }
    if method == Method::Patch && resource.is_none() {
        return Err(invalid(IssueType::Required, "this entry needs the patch, as Parameters or Binary")
            .under("resource"));
    }
    if matches!(method, Method::Post | Method::Put) {
        let Some(resource) = resource else {
            return Err(
                invalid(IssueType::Required, "this entry needs the resource to write").under("resource")
            );
        };
        if Some(resource.value_type()) != resource_type {
            let message = format!("the resource is a {}, the address says '{url}'", resource.type_name());
            return Err(invalid(IssueType::Invalid, message).under("resource"));
        }
    }
    match (method, &id) {
        (Method::Post, Some(_)) => {
            return Err(invalid(IssueType::Value, format!("POST takes a type alone, found '{url}'"))
                .under("request.url"));
        }
        (Method::Put | Method::Patch | Method::Delete, None) if query.is_none() => {
            return Err(
                invalid(IssueType::Value, format!("this needs Type/id, found '{url}'")).under("request.url")
            );
        }
        _ => {}
    }
    let if_match = text("request.ifMatch").map(|t| version_of_etag(&t)).transpose();
    Ok(Request {
        method,
        resource_type,
        id,
        resource,
        if_match: if_match.map_err(|f| f.under("request.ifMatch"))?,
        if_none_exist: text("request.ifNoneExist"),
        criteria: query.filter(|_| is_write).map(str::to_owned),
        full_url: text("fullUrl"),
        url,
    })
}

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

    /// The Bundle that answers a batch or transaction, from the outcomes of what [`Batch::take_writes`] gave, in order.
    /// `get` answers an address relative to the base.
    ///
    /// # Errors
    /// Why a transaction was not done.
    pub fn answer_bundle(
        &self,
        access: &Access,
        batch: &Batch,
        outcomes: Vec<Result<Outcome, Rejection>>,
        prefer: Prefer,
        get: &dyn Fn(&str) -> EntryResponse,
    ) -> Result<String, Failure> {
        let mut written: BTreeMap<usize, Result<CommandOutcome, Failure>> = BTreeMap::new();
        if batch.is_transaction {
            for outcome in outcomes {
                match outcome {
                    Ok(outcome) => {
                        let known = outcome.commands.into_iter().take(batch.sources.len());
                        written.extend(known.enumerate().map(|(at, c)| (at, Ok(c))));
                    }
                    Err(rejection) => return Err(rejected(rejection, &batch.sources)),
                }
            }
        } else {
            for (at, outcome) in outcomes.into_iter().enumerate() {
                let outcome = outcome.map_err(Failure::from).and_then(|o| {
                    let missing =
                        || Failure::new(Kind::Internal, IssueType::Exception, "the write has no outcome");
                    o.commands.into_iter().next().ok_or_else(missing)
                });
                written.insert(at, outcome);
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
                for planned in &batch.entries {
                    let response = match planned {
                        Planned::Get(url) => get(url),
                        Planned::Refused(failure) => EntryResponse::of_failure(failure),
                        Planned::Nothing => EntryResponse::nothing_to_delete(),
                        Planned::Write(at) => match written.remove(at) {
                            Some(Ok(outcome)) => self.entry_response(access, &outcome, prefer),
                            Some(Err(failure)) => EntryResponse::of_failure(&failure),
                            None => EntryResponse::of_failure(&Failure::new(
                                Kind::Internal,
                                IssueType::Exception,
                                "the write has no outcome",
                            )),
                        },
                    };
                    list.object(|e| write_entry(e, &response));
                }
            });
        });
        Ok(json.finish())
    }

    /// The answer to a write within a Bundle.
    fn entry_response(&self, access: &Access, outcome: &CommandOutcome, prefer: Prefer) -> EntryResponse {
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

fn write_entry(json: &mut JsonWriter, response: &EntryResponse) {
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
fn rejected(rejection: Rejection, sources: &[usize]) -> Failure {
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

/// An entry that only carries a resource, as the request to store it.
fn stored(entry: NodeRef<'_>) -> Request<'_> {
    let resource = entry.child("resource");
    let id = resource.and_then(NodeRef::id).map(String::from);
    Request {
        method: if id.is_some() { Method::Put } else { Method::Post },
        url: String::new(),
        resource_type: resource.map(NodeRef::value_type),
        id,
        resource,
        if_match: None,
        if_none_exist: None,
        criteria: None,
        full_url: entry.text_at("fullUrl").map(String::from),
    }
}

/// What stands for references to entries: each fullUrl, and for one that is an address of a server also its relative
/// form.
fn substitutions(requests: &[Request<'_>], ids: &[String]) -> Result<Substitutions, Failure> {
    let mut found = Substitutions::new();
    for (at, (request, id)) in requests.iter().zip(ids).enumerate() {
        let (Some(full_url), Some(resource_type)) = (&request.full_url, request.resource_type) else {
            continue;
        };
        if request.resource.is_none() || request.method == Method::Get {
            continue;
        }
        let target = format!("{}/{id}", r4().type_name(resource_type));
        if let Reference::Rest { base, resource_type, id, .. } = Reference::parse(full_url)
            && !base.is_empty()
        {
            found.insert(format!("{}/{id}", r4().type_name(resource_type)), target.clone());
        }
        if found.insert(full_url.clone(), target).is_some() {
            let message = format!("the fullUrl '{full_url}' stands at two entries; each entry needs its own");
            return Err(invalid(IssueType::Duplicate, message).under(&format!("Bundle.entry[{at}].fullUrl")));
        }
    }
    found.retain(|from, to| from != to);
    Ok(found)
}

/// A reference by `urn:uuid:` that no entry has as its fullUrl would point nowhere for ever.
fn unresolved(resource: NodeRef<'_>, substitutions: &Substitutions) -> Result<(), Failure> {
    let reference = r4().well_known().reference;
    for node in resource.descendants().filter(|n| n.value_type() == reference) {
        let Some(text) = node.text_at("reference") else { continue };
        if text.starts_with("urn:uuid:") && !substitutions.contains_key(text.as_ref()) {
            let message = format!("the reference '{text}' in {} is not the fullUrl of an entry", node.name());
            return Err(Failure::from(Issue::error(IssueType::NotFound, message)).under("resource"));
        }
    }
    Ok(())
}

/// Whether a document is a Bundle to be carried out rather than stored.
#[must_use]
pub fn is_bundle(document: &Resource) -> bool {
    document.root().value_type() == r4().well_known().bundle
}
