//! Operations: addresses whose last segment begins with `$` (<https://hl7.org/fhir/R4/operations.html>).

use std::sync::Arc;

use axum::extract::Request;
use axum::http::Method;
use fhir::issue::nearest;
use fhir::{IssueType, TypeId, r4};
use hub::{BrokenReferencesRequest, EverythingRequest, ExportLevel, Failure, Kind, MetaChange, OPERATIONS};

use super::write::{Prepare, no_parameters, options, submit_while_moved, type_named};
use super::{Answer, Call, body, format, jobs};

/// What an operation is called on.
enum Place {
    System,
    Type(TypeId),
    Instance(TypeId, String),
}

fn names() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|operation| operation.name)
}

/// Whether an address is that of an operation.
pub(super) fn is_operation(segments: &[String]) -> bool {
    segments.last().is_some_and(|s| s.starts_with('$'))
}

/// Carries an operation out.
pub(super) async fn operation(mut call: Call, request: Request) -> Result<Answer, Failure> {
    let (place, name) = match call.segments.as_slice() {
        [name] => (Place::System, name.clone()),
        [kind, name] => (Place::Type(type_named(kind)?), name.clone()),
        [kind, id, name] => (Place::Instance(type_named(kind)?, id.clone()), name.clone()),
        _ => {
            let message = format!("there is nothing at /fhir/{}", call.segments.join("/"));
            return Err(Failure::new(Kind::NotFound, IssueType::NotFound, message));
        }
    };
    let method = request.method().clone();
    if name.starts_with("$meta") {
        no_parameters(&call)?;
    }
    match (name.as_str(), place) {
        ("$everything", Place::Instance(resource_type, id)) if has_everything(resource_type) => {
            everything(call, request, resource_type, id).await
        }
        ("$export", place) => {
            let headers = request.headers().clone();
            parameters(&mut call, request).await?;
            let level = match place {
                Place::System => ExportLevel::System,
                Place::Type(t) if r4().type_name(t) == "Patient" => ExportLevel::Patient,
                Place::Instance(t, id) if r4().type_name(t) == "Group" => ExportLevel::Group(id),
                _ => {
                    let message = "$export is called on the whole hub, on Patient, or on a Group: /fhir/$export, /fhir/Patient/$export, /fhir/Group/id/$export";
                    return Err(Failure::new(Kind::NotFound, IssueType::NotSupported, message));
                }
            };
            jobs::export(&call, &headers, level)
        }
        ("$broken-references", Place::System) if method != Method::POST => {
            let asked = BrokenReferencesRequest::read(&call.pairs)?;
            let app = Arc::clone(&call.app);
            let address = format!("{}/{name}", call.base);
            let work = move || call.app.hub.broken_references(&call.access, &asked, &address);
            let json = app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))?;
            Ok(Answer::json(200, json))
        }
        ("$broken-references", _) => Err(Failure::new(
            Kind::NotFound,
            IssueType::NotSupported,
            "$broken-references is asked of the whole hub: GET /fhir/$broken-references",
        )),
        ("$everything", Place::Instance(..)) => Err(Failure::new(
            Kind::NotFound,
            IssueType::NotSupported,
            "$everything is called on a Patient or an Encounter",
        )),
        ("$meta", Place::Instance(resource_type, id)) => {
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
        (known, _) if names().any(|name| name == known) => Err(Failure::new(
            Kind::NotFound,
            IssueType::NotSupported,
            format!("{name} is called on one resource: Type/id/{name}"),
        )),
        _ => {
            let near = nearest(&name, names());
            let hint = if near.is_empty() {
                String::new()
            } else {
                format!(" (did you mean {}?)", near.join(" or "))
            };
            let message = format!("the operation {name} is not available here{hint}");
            Err(Failure::new(Kind::NotFound, IssueType::NotSupported, message))
        }
    }
}

fn has_everything(resource_type: TypeId) -> bool {
    matches!(r4().type_name(resource_type), "Patient" | "Encounter")
}

/// The parameters of an operation that may come as a Parameters resource: those of simple values, as pairs.
async fn parameters(call: &mut Call, request: Request) -> Result<(), Failure> {
    if request.method() != Method::POST {
        return Ok(());
    }
    let kind = format::of_body(request.headers())?;
    let sent = body::read(&call.app, request, 1 << 20).await?;
    if sent.bytes.is_empty() {
        return Ok(());
    }
    let resource = kind.read(&sent.bytes, &call.app.hub.limits)?;
    for parameter in resource.root().all("parameter") {
        let (Some(name), Some(value)) = (parameter.text_at("name"), parameter.text_at("value")) else {
            let message = "the operation's parameters are simple values";
            return Err(
                Failure::new(Kind::Invalid, IssueType::Invalid, message).under("Parameters.parameter")
            );
        };
        call.pairs.push((name.into_owned(), value.into_owned()));
    }
    Ok(())
}

async fn everything(
    mut call: Call,
    request: Request,
    resource_type: TypeId,
    id: String,
) -> Result<Answer, Failure> {
    parameters(&mut call, request).await?;
    let asked = EverythingRequest::read(&call.app.hub, &call.pairs)?;
    let app = Arc::clone(&call.app);
    let work = move || {
        let owner = (resource_type, id.as_str());
        call.app.hub.everything(&call.access, owner, &asked, &call.base, &call.presentation.pairs)
    };
    // A record may be long.
    let json = app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))?;
    Ok(Answer::json(200, json))
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
    let sent = body::read(&call.app, request, 1 << 20).await?;
    let is_light = sent.bytes.len() <= call.app.lanes.limits.light_body;
    let parameters = kind.read(&sent.bytes, &call.app.hub.limits)?;
    let named = id.clone();
    let prepare: Prepare = Arc::new(move |hub, access| {
        hub.change_meta(access, resource_type, &named, &parameters, how, &options)
    });
    submit_while_moved(&call, is_light, prepare).await?;
    Ok(Answer::json(200, call.app.hub.meta(&call.access, resource_type, &id)?))
}
