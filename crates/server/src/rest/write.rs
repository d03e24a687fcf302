//! create, update, delete.

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use fhir::{IssueType, Resource, TypeId, r4};
use hub::{Failure, Kind, Prefer, Prepared, WriteOptions, described, outcome};
use store::{CommandOutcome, Effect, Outcome, Rejection};
use tokio::sync::oneshot;

use super::{Answer, Call, body, headers};

/// The type a path names.
pub(super) fn type_named(name: &str) -> Result<TypeId, Failure> {
    r4().resource_type(name).ok_or_else(|| {
        let near = fhir::issue::nearest(name, r4().resource_types.iter().map(|t| r4().type_name(*t)));
        let hint =
            if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) };
        Failure::new(
            Kind::NotFound,
            IssueType::NotSupported,
            format!("R4 has no resource type '{name}'{hint}"),
        )
    })
}

/// Refuses parameters on an interaction that has none.
fn no_parameters(call: &Call) -> Result<(), Failure> {
    let pairs = search::query::split(&call.query)?;
    match pairs
        .iter()
        .find(|(n, v)| !(n == "_format" && v.contains("json") || n == "_pretty" && v == "false"))
    {
        None => Ok(()),
        Some((name, _)) => Err(Failure::new(
            Kind::Invalid,
            IssueType::NotSupported,
            format!("{name}: this interaction takes no such parameter"),
        )),
    }
}

/// Waits for a write's outcome without holding a thread.
pub(super) async fn submit(call: &Call, prepared: Prepared) -> Result<Outcome, Rejection> {
    let (sender, receiver) = oneshot::channel();
    call.app.hub.submit(prepared, move |outcome| {
        let _ = sender.send(outcome);
    });
    receiver.await.unwrap_or(Err(Rejection::Store(store::Error::Stopped)))
}

/// Reads the resource and prepares its write, in the light or heavy lane as its size asks.
async fn prepare(
    call: &Call,
    request: Request,
    wanted: TypeId,
    how: impl FnOnce(&hub::Hub, &hub::Access, &Resource, &WriteOptions) -> Result<Prepared, Failure>
    + Send
    + 'static,
) -> Result<Prepared, Failure> {
    body::check_type(request.headers())?;
    let options = headers::write_options(request.headers(), &call.app.hub.limits)?;
    let read = body::read(&call.app, request, call.app.hub.limits.resource_bytes).await?;
    let (hub, access) = (call.app.hub.clone(), call.access.clone());
    let is_light = read.bytes.len() <= call.app.lanes.limits.light_body;
    let work = move || {
        let resource = fhir::json::parse(&read.bytes, &hub.limits)?;
        let found = resource.root().value_type();
        if found != wanted {
            let message = format!(
                "the resource is a {}, the address says {}",
                r4().type_name(found),
                r4().type_name(wanted)
            );
            return Err(Failure::new(Kind::Invalid, IssueType::Invalid, message).under(r4().type_name(found)));
        }
        let prepared = how(&hub, &access, &resource, &options);
        drop(read.room);
        prepared
    };
    if is_light {
        return work();
    }
    call.app.lanes.heavy(work).await.unwrap_or_else(|| Err(interrupted()))
}

pub(super) fn interrupted() -> Failure {
    Failure::new(Kind::Internal, IssueType::Exception, "the work was interrupted")
}

/// The answer to a write of one resource.
fn answer(call: &Call, outcome: &CommandOutcome) -> Result<Answer, Failure> {
    let name = format!("{}/{}", r4().type_name(outcome.resource_type), outcome.id);
    let status = match outcome.effect {
        Effect::Created => 201,
        Effect::Deleted | Effect::NothingToDelete => 204,
        Effect::Updated | Effect::Unchanged | Effect::Found => 200,
    };
    let is_gone = status == 204;
    let mut answer = match call.preferences.answer {
        Prefer::OperationOutcome => {
            let json = outcome::outcome(&[outcome::information(&described(outcome))]);
            Answer::json(if is_gone { 200 } else { status }, json)
        }
        Prefer::Minimal => Answer::empty(status),
        _ if is_gone => Answer::empty(status),
        _ => {
            let kept = call.app.hub.read(&call.access, outcome.resource_type, &outcome.id, None);
            // Deleted again in the meantime: there is nothing to show.
            kept.map_or_else(|_| Answer::empty(status), |kept| Answer::json(status, kept.json()))
        }
    };
    if outcome.version > 0 {
        answer = answer.with(header::ETAG, hub::bundle::etag(outcome.version));
    }
    if !is_gone {
        answer = answer.with(header::LAST_MODIFIED, headers::http_date(outcome.instant));
        answer = answer.with(header::LOCATION, format!("{}/{name}/_history/{}", call.base, outcome.version));
    }
    Ok(answer)
}

fn first(outcome: Outcome) -> Result<CommandOutcome, Failure> {
    outcome.commands.into_iter().next().ok_or_else(interrupted)
}

/// `POST [base]/Type`
pub(super) async fn create(call: Call, request: Request) -> Result<Answer, Failure> {
    no_parameters(&call)?;
    let resource_type = type_named(&call.segments[0])?;
    let prepared = prepare(&call, request, resource_type, |hub, access, resource, options| {
        hub.create(access, resource.root(), options)
    });
    let prepared = prepared.await?;
    let outcome = first(submit(&call, prepared).await?)?;
    answer(&call, &outcome)
}

/// `PUT [base]/Type/id`
pub(super) async fn update(call: Call, request: Request) -> Result<Answer, Failure> {
    no_parameters(&call)?;
    let resource_type = type_named(&call.segments[0])?;
    let id = call.segments[1].clone();
    let prepared = prepare(&call, request, resource_type, move |hub, access, resource, options| {
        hub.update(access, resource.root(), &id, options)
    });
    let prepared = prepared.await?;
    let outcome = first(submit(&call, prepared).await?)?;
    answer(&call, &outcome)
}

/// `DELETE [base]/Type/id`
pub(super) async fn delete(call: Call, request: Request) -> Result<Answer, Failure> {
    no_parameters(&call)?;
    let resource_type = type_named(&call.segments[0])?;
    let options = options(request.headers(), &call)?;
    let prepared = call.app.hub.delete(&call.access, resource_type, &call.segments[1], &options)?;
    let outcome = first(submit(&call, prepared).await?)?;
    answer(&call, &outcome)
}

fn options(headers: &HeaderMap, call: &Call) -> Result<WriteOptions, Failure> {
    headers::write_options(headers, &call.app.hub.limits)
}
