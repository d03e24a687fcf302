//! Operations: addresses whose last segment begins with `$` (<https://hl7.org/fhir/R4/operations.html>).

use axum::extract::Request;
use axum::http::Method;
use fhir::issue::nearest;
use fhir::{IssueType, TypeId};
use hub::{Failure, Kind, MetaChange};

use super::write::{options, submit_while_moved, type_named};
use super::{Answer, Call, body, format};

/// What an operation is called on.
enum Place {
    System,
    Type,
    Instance(TypeId, String),
}

const NAMES: &[&str] = &["$meta", "$meta-add", "$meta-delete"];

/// Whether an address is that of an operation.
pub(super) fn is_operation(segments: &[String]) -> bool {
    segments.last().is_some_and(|s| s.starts_with('$'))
}

/// Carries an operation out.
pub(super) async fn operation(call: Call, request: Request) -> Result<Answer, Failure> {
    let (place, name) = match call.segments.as_slice() {
        [name] => (Place::System, name.clone()),
        [kind, name] => {
            type_named(kind)?;
            (Place::Type, name.clone())
        }
        [kind, id, name] => (Place::Instance(type_named(kind)?, id.clone()), name.clone()),
        _ => {
            let message = format!("there is nothing at /fhir/{}", call.segments.join("/"));
            return Err(Failure::new(Kind::NotFound, IssueType::NotFound, message));
        }
    };
    let method = request.method().clone();
    match (name.as_str(), place) {
        ("$meta", Place::Instance(resource_type, id)) if method != Method::DELETE => {
            Ok(Answer::json(200, call.app.hub.meta(&call.access, resource_type, &id)?))
        }
        ("$meta-add", Place::Instance(resource_type, id)) if method == Method::POST => {
            change_meta(call, request, resource_type, id, MetaChange::Add).await
        }
        ("$meta-delete", Place::Instance(resource_type, id)) if method == Method::POST => {
            change_meta(call, request, resource_type, id, MetaChange::Delete).await
        }
        ("$meta-add" | "$meta-delete", Place::Instance(..)) => Err(Failure::new(
            Kind::NotAllowed,
            IssueType::NotSupported,
            format!("{name} changes the record: call it with POST"),
        )),
        (known, _) if NAMES.contains(&known) => Err(Failure::new(
            Kind::NotFound,
            IssueType::NotSupported,
            format!("{name} is called on one resource: Type/id/{name}"),
        )),
        _ => {
            let near = nearest(&name, NAMES.iter().copied());
            let hint = if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) };
            let message = format!("the operation {name} is not available here{hint}");
            Err(Failure::new(Kind::NotFound, IssueType::NotSupported, message))
        }
    }
}

async fn change_meta(
    call: Call,
    request: Request,
    resource_type: TypeId,
    id: String,
    how: MetaChange,
) -> Result<Answer, Failure> {
    let kind = format::of_body(request.headers())?;
    let options = options(request.headers(), &call)?;
    let sent = body::read(&call.app, request, call.app.hub.limits.resource_bytes).await?;
    let hub = &call.app.hub;
    let parameters = kind.read(&sent.bytes, &hub.limits)?;
    let prepare = || hub.change_meta(&call.access, resource_type, &id, &parameters, how, &options);
    submit_while_moved(&call, prepare).await?;
    Ok(Answer::json(200, hub.meta(&call.access, resource_type, &id)?))
}
