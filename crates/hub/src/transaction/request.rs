//! An entry of a Bundle as what it asks for, and what its references stand for.

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
}

pub(super) fn invalid(code: IssueType, message: impl Into<String>) -> Failure {
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
    }
}

/// A reference by `urn:uuid:` that no entry has as its fullUrl would point nowhere for ever.
pub(super) fn unresolved(resource: NodeRef<'_>, substitutions: &Substitutions) -> Result<(), Failure> {
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

/// What stands for references to entries: each fullUrl, and for one that is an address of a server also its relative
/// form.
pub(super) fn substitutions(requests: &[Request<'_>], ids: &[String]) -> Result<Substitutions, Failure> {
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
