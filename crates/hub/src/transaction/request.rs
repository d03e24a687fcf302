//! An entry of a Bundle as what it asks for, and what its references stand for.

use std::collections::BTreeSet;

use crate::{Failure, Kind};
use fhir::{Issue, IssueType, NodeRef, Reference, TypeId, r4};
use store::Substitutions;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    Delete,
    Post,
    Put,
    Patch,
    Get,
}

impl Method {
    /// When it is done: DELETE, POST, PUT and PATCH, GET (<https://hl7.org/fhir/R4/http.html#trules>).
    pub(super) fn rank(self) -> u8 {
        match self {
            Method::Delete => 0,
            Method::Post => 1,
            Method::Put | Method::Patch => 2,
            Method::Get => 3,
        }
    }
}

/// What a read within a Bundle depends on (<https://hl7.org/fhir/R4/http.html#cread>).
#[derive(Clone, Debug, Default)]
pub struct ReadCondition {
    /// `ifNoneMatch`
    pub none_match: Option<String>,
    /// `ifModifiedSince`, an instant.
    pub modified_since: Option<String>,
}

/// An entry's request.
pub(super) struct Request<'b> {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) resource_type: Option<TypeId>,
    pub(super) id: Option<String>,
    pub(super) resource: Option<NodeRef<'b>>,
    pub(super) if_match: Option<u64>,
    pub(super) if_none_exist: Option<String>,
    /// The search that names the resource, of a conditional update or delete.
    pub(super) criteria: Option<String>,
    pub(super) full_url: Option<String>,
    pub(super) read_condition: ReadCondition,
}

pub(super) fn invalid(code: IssueType, message: impl Into<String>) -> Failure {
    Failure::new(Kind::Invalid, code, message)
}

/// The version an `If-Match` names.
///
/// # Errors
/// If it names none; a well-formed tag that no version here can have is a condition that does not hold.
pub fn version_of_etag(text: &str) -> Result<u64, Failure> {
    let tag = text.trim().strip_prefix("W/").unwrap_or(text.trim());
    let plain = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(tag);
    if let Ok(version) = plain.parse() {
        return Ok(version);
    }
    let is_tag = plain.len() + 2 == tag.len() && !plain.contains('"');
    let message = format!("If-Match: '{text}' is not a version of this hub; write W/\"3\" as the ETag said");
    Err(match is_tag {
        true => Failure::new(Kind::PreconditionFailed, IssueType::Conflict, message),
        false => Failure::new(Kind::Invalid, IssueType::Value, message),
    })
}

/// Refuses a condition that an entry's method does not take: to ignore it would be to write in spite of it.
fn no_other_conditions(entry: NodeRef<'_>, method: Method) -> Result<(), Failure> {
    let known: &[&str] = match method {
        Method::Get => &["ifNoneMatch", "ifModifiedSince"],
        Method::Post => &["ifNoneExist"],
        Method::Put | Method::Patch | Method::Delete => &["ifMatch"],
    };
    for name in ["ifMatch", "ifNoneExist", "ifNoneMatch", "ifModifiedSince"] {
        let place = format!("request.{name}");
        if !known.contains(&name) && entry.text_at(&place).is_some() {
            let message = format!("{name} is no condition of this method, which takes {}", known.join(", "));
            return Err(invalid(IssueType::NotSupported, message).under(&place));
        }
    }
    Ok(())
}

pub(super) fn request(entry: NodeRef<'_>) -> Result<Request<'_>, Failure> {
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
    no_other_conditions(entry, method)?;
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
        read_condition: ReadCondition {
            none_match: text("request.ifNoneMatch"),
            modified_since: text("request.ifModifiedSince"),
        },
        url,
    })
}

/// An entry of a history as what makes the same version here: what it deletes is deleted, what it says is written under
/// the id it says, whatever the method was.
pub(super) fn recorded(entry: NodeRef<'_>) -> Result<Request<'_>, Failure> {
    if entry.text_at("request.method").as_deref() == Some("DELETE") {
        let request = request(entry)?;
        return Ok(Request { if_match: None, criteria: None, ..request });
    }
    let request = stored(entry);
    if request.method != Method::Put {
        let message = "an entry of a history says a deletion, or carries a resource with its id";
        return Err(invalid(IssueType::Required, message).under("resource"));
    }
    Ok(request)
}

/// An entry that only carries a resource, as the request to store it.
pub(super) fn stored(entry: NodeRef<'_>) -> Request<'_> {
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
        read_condition: ReadCondition::default(),
    }
}

/// The fullUrls of entries.
pub(super) fn full_urls(requests: &[Result<Request<'_>, Failure>]) -> BTreeSet<String> {
    requests.iter().flatten().filter_map(|request| request.full_url.clone()).collect()
}

/// A reference by `urn:uuid:` that is not known would point nowhere for ever.
pub(super) fn unresolved(resource: NodeRef<'_>, is_known: &dyn Fn(&str) -> bool) -> Result<(), Failure> {
    let reference = r4().well_known().reference;
    for node in resource.descendants().filter(|n| n.value_type() == reference) {
        let Some(text) = node.text_at("reference") else { continue };
        if text.starts_with("urn:uuid:") && !is_known(&text) {
            let message = format!(
                "the reference '{text}' in {} is not the fullUrl of an entry of this transaction",
                node.name()
            );
            return Err(Failure::from(Issue::error(IssueType::NotFound, message)).under("resource"));
        }
    }
    Ok(())
}

/// What stands for references to entries: each fullUrl, for one that is an address of a server also its relative form,
/// and the search of an entry that creates or updates what it finds.
pub(super) fn substitutions(requests: &[Request<'_>], ids: &[String]) -> Result<Substitutions, Failure> {
    let mut found = Substitutions::new();
    for (at, (request, id)) in requests.iter().zip(ids).enumerate() {
        let Some(resource_type) = request.resource_type.filter(|_| {
            request.resource.is_some() && matches!(request.method, Method::Post | Method::Put | Method::Patch)
        }) else {
            continue;
        };
        let name = r4().type_name(resource_type);
        let target = format!("{name}/{id}");
        if let Some(search) = request.if_none_exist.as_ref().or(request.criteria.as_ref()) {
            let search = search.split_once('?').map_or(search.as_str(), |(_, search)| search);
            found.insert(format!("{name}?{search}"), target.clone());
        }
        let Some(full_url) = &request.full_url else { continue };
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
