//! create, update, delete.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use fhir::{IssueType, Limits, Resource, TypeId, r4};
use hub::{Access, Failure, Hub, Kind, OWN_IDS, Prefer, Prepared, WriteOptions, findings, outcome};
use search::query::{self, SubsetAsked};
use store::{CommandOutcome, Effect, Outcome, Reason, Rejection};
use tokio::sync::oneshot;

use super::format::Format;
use super::{Answer, Call, binary, body, format, headers};

/// The type a path names.
pub(super) fn type_named(name: &str) -> Result<TypeId, Failure> {
    r4().known_resource_type(name)
        .map_err(|message| Failure::new(Kind::NotFound, IssueType::NotSupported, message))
}

/// Refuses parameters on an interaction that has none.
pub(super) fn no_parameters(call: &Call) -> Result<(), Failure> {
    match call.pairs.first() {
        Some((name, _)) if !call.preferences.is_lenient => Err(Failure::new(
            Kind::Invalid,
            IssueType::NotSupported,
            format!("{name}: this interaction takes no such parameter"),
        )),
        _ => Ok(()),
    }
}

/// `_summary` and `_elements` say how much of what was written is answered
/// (<https://hl7.org/fhir/R4/http.html#parameters>).
pub(super) fn take_part(call: &mut Call) -> Result<(), Failure> {
    let Some(resource_type) = call.segments.first().map(|name| type_named(name)).transpose()? else {
        return Ok(());
    };
    let mut part = None;
    for (name, value) in std::mem::take(&mut call.pairs) {
        let found = match query::subset(resource_type, &name, &value) {
            Some(Ok(SubsetAsked::Part(found))) => query::widen(&mut part, found),
            Some(Ok(SubsetAsked::Whole)) => Ok(()),
            Some(Ok(SubsetAsked::Count)) => Err("count is for searches".to_owned()),
            Some(Err(message)) => Err(message),
            None => {
                call.pairs.push((name, value));
                continue;
            }
        };
        found
            .map_err(|message| Failure::new(Kind::Invalid, IssueType::Value, format!("{name}: {message}")))?;
    }
    call.part = part;
    Ok(())
}

/// Submits a write; its outcome comes later.
pub(super) fn propose(call: &Call, prepared: Prepared) -> oneshot::Receiver<Result<Outcome, Rejection>> {
    let (sender, receiver) = oneshot::channel();
    let access = call.access.clone();
    call.app.hub.submit(prepared, move |outcome| {
        if outcome.as_ref().is_ok_and(|outcome| outcome.place.is_some()) {
            access.committed();
        }
        let _ = sender.send(outcome);
    });
    receiver
}

/// Waits for a write's outcome without holding a thread.
pub(super) async fn submit(call: &Call, prepared: Prepared) -> Result<Outcome, Rejection> {
    propose(call, prepared).await.unwrap_or(Err(Rejection::Store(store::Error::Stopped)))
}

/// Reads the resource and prepares its write, in the light or heavy lane as its size asks.
async fn prepare(
    call: &Call,
    request: Request,
    wanted: TypeId,
    id: Option<&str>,
    how: impl FnOnce(&hub::Hub, &hub::Access, &Resource, &WriteOptions) -> Result<Prepared, Failure>
    + Send
    + 'static,
) -> Result<Prepared, Failure> {
    let form = Form::of(request.headers(), wanted, id)?;
    let options = headers::write_options(request.headers(), &call.app.hub.limits)?;
    let read = body::read(&call.app, request, call.app.hub.limits.resource_bytes).await?;
    let (hub, access) = (call.app.hub.clone(), call.access.clone());
    let is_light = read.bytes.len() <= call.app.lanes.limits.light_body;
    let work = move || {
        let resource = resource_of(wanted, &form, &read, &hub.limits)?;
        let prepared = how(&hub, &access, &resource, &options);
        drop(read.room);
        prepared
    };
    if is_light {
        return work();
    }
    call.app.lanes.heavy(work).await.unwrap_or_else(|| Err(interrupted()))
}

/// What a body is: a resource, or (sent to Binary) content to be put into one.
enum Form {
    Fhir(Format),
    Content(binary::Raw, Option<Format>),
}

impl Form {
    fn of(headers: &HeaderMap, wanted: TypeId, id: Option<&str>) -> Result<Form, Failure> {
        let is_binary = r4().type_name(wanted) == "Binary";
        match binary::raw(headers, id).filter(|_| is_binary) {
            Some(raw) => Ok(Form::Content(raw, format::of_body(headers).ok())),
            None => Ok(Form::Fhir(format::of_body(headers)?)),
        }
    }
}

/// Reads a body that must be a resource of a type.
fn resource_of(wanted: TypeId, form: &Form, read: &body::Body, limits: &Limits) -> Result<Resource, Failure> {
    let resource = match form {
        Form::Fhir(format) => format.read(&read.bytes, limits)?,
        Form::Content(raw, Some(format)) if raw.is_resource(&read.bytes) => {
            format.read(&read.bytes, limits)?
        }
        Form::Content(raw, _) => raw.resource(&read.bytes, limits)?,
    };
    let found = resource.root().value_type();
    if found != wanted {
        let message = format!(
            "the resource is a {}, the address says {}",
            r4().type_name(found),
            r4().type_name(wanted)
        );
        return Err(Failure::new(Kind::Invalid, IssueType::Invalid, message).under(r4().type_name(found)));
    }
    Ok(resource)
}

pub(super) fn interrupted() -> Failure {
    Failure::new(Kind::Internal, IssueType::Exception, "the work was interrupted")
}

/// The answer to a write of one resource.
pub(super) fn answer(call: &Call, outcome: &CommandOutcome) -> Result<Answer, Failure> {
    let name = format!("{}/{}", r4().type_name(outcome.resource_type), outcome.id);
    let status = match outcome.effect {
        Effect::Created => 201,
        Effect::Deleted | Effect::NothingToDelete | Effect::Destroyed => 204,
        Effect::Updated | Effect::Unchanged | Effect::Found => 200,
    };
    let is_gone = status == 204;
    let mut answer = match call.preferences.answer {
        Prefer::OperationOutcome => {
            let json = outcome::outcome(&findings(outcome));
            Answer::json(if is_gone { 200 } else { status }, json)
        }
        Prefer::Minimal => Answer::empty(status),
        _ if is_gone => Answer::empty(status),
        _ => {
            let kept = call.app.hub.read(&call.access, outcome.resource_type, &outcome.id, None);
            // Deleted again in the meantime: there is nothing to show.
            kept.map_or_else(
                |_| Answer::empty(status),
                |kept| {
                    let mut json = String::new();
                    hub::bundle::write_part(&kept, call.part.as_ref(), &mut json);
                    Answer::json(status, json)
                },
            )
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

pub(super) fn first(outcome: Outcome) -> Result<CommandOutcome, Failure> {
    outcome.commands.into_iter().next().ok_or_else(interrupted)
}

/// `POST [base]/Type`
pub(super) async fn create(call: Call, request: Request) -> Result<Answer, Failure> {
    no_parameters(&call)?;
    headers::no_conditions_but(request.headers(), &["if-none-exist"])?;
    let resource_type = type_named(&call.segments[0])?;
    let prepared = prepare(&call, request, resource_type, None, |hub, access, resource, options| {
        hub.create(access, resource.root(), options)
    });
    let prepared = prepared.await?;
    let outcome = first(submit(&call, prepared).await?)?;
    answer(&call, &outcome)
}

/// Prepares a write from what the hub holds.
pub(super) type Prepare = Arc<dyn Fn(&Hub, &Access) -> Result<Prepared, Failure> + Send + Sync>;

/// Submits what `prepare` gives, anew while it is overtaken by other writes. It is tried where it arrived with a small
/// budget; what is large or needs more goes to the heavy lane.
pub(super) async fn submit_while_moved(
    call: &Call,
    is_light: bool,
    prepare: Prepare,
) -> Result<Outcome, Failure> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match submit(call, planned(call, is_light, &prepare).await?).await {
            Err(rejection) if Hub::is_moved(&rejection) && attempts < hub::ATTEMPTS => {}
            done => return Ok(done?),
        }
    }
}

async fn planned(call: &Call, is_light: bool, prepare: &Prepare) -> Result<Prepared, Failure> {
    if is_light {
        match prepare(&call.app.light_hub(), &call.access) {
            Err(failure) if failure.kind == Kind::TooCostly => {}
            done => return done,
        }
    }
    let (hub, access, prepare) = (call.app.hub.clone(), call.access.clone(), Arc::clone(prepare));
    call.app.lanes.heavy(move || prepare(&hub, &access)).await.unwrap_or_else(|| Err(interrupted()))
}

/// The parameters as a search: what names the resource of a conditional interaction.
pub(super) fn criteria(call: &Call) -> String {
    let pairs = call.pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('=', "%3D")
}

pub(super) fn needs_criteria(call: &Call) -> Result<String, Failure> {
    if call.pairs.is_empty() {
        let message = "name the resource by its id (Type/id) or by a search (Type?parameter=value)";
        return Err(Failure::new(Kind::Invalid, IssueType::Required, message));
    }
    Ok(criteria(call))
}

/// `PUT [base]/Type?search`
pub(super) async fn conditional_update(call: Call, request: Request) -> Result<Answer, Failure> {
    let criteria = needs_criteria(&call)?;
    headers::no_conditions_but(request.headers(), &["if-match"])?;
    let resource_type = type_named(&call.segments[0])?;
    let form = Form::of(request.headers(), resource_type, None)?;
    let options = options(request.headers(), &call)?;
    let read = body::read(&call.app, request, call.app.hub.limits.resource_bytes).await?;
    let (limits, is_light) = (call.app.hub.limits, read.bytes.len() <= call.app.lanes.limits.light_body);
    let parse = move || resource_of(resource_type, &form, &read, &limits);
    let resource = if is_light {
        parse()?
    } else {
        call.app.lanes.heavy(parse).await.unwrap_or_else(|| Err(interrupted()))?
    };
    let prepare: Prepare =
        Arc::new(move |hub, access| hub.update_by(access, resource.root(), &criteria, &options));
    let outcome = first(submit_while_moved(&call, is_light, prepare).await?)?;
    answer(&call, &outcome)
}

/// `DELETE [base]/Type?search`
pub(super) async fn conditional_delete(call: Call, request: Request) -> Result<Answer, Failure> {
    let criteria = needs_criteria(&call)?;
    headers::no_conditions_but(request.headers(), &["if-match"])?;
    let resource_type = type_named(&call.segments[0])?;
    let options = options(request.headers(), &call)?;
    let nothing = format!("{}?{criteria} finds nothing to delete", call.segments[0]);
    let prepare: Prepare =
        Arc::new(move |hub, access| hub.delete_by(access, resource_type, &criteria, &options));
    if planned(&call, true, &prepare).await?.does_nothing() {
        return Ok(match call.preferences.answer {
            Prefer::OperationOutcome => {
                Answer::json(200, outcome::outcome(&[outcome::information(&nothing)]))
            }
            _ => Answer::empty(204),
        });
    }
    let outcome = submit_while_moved(&call, true, prepare).await?;
    match outcome.commands.as_slice() {
        [only] => answer(&call, only),
        many => Ok(match call.preferences.answer {
            Prefer::OperationOutcome => {
                let deleted: Vec<_> = many.iter().flat_map(findings).collect();
                Answer::json(200, outcome::outcome(&deleted))
            }
            _ => Answer::empty(204),
        }),
    }
}

/// `PUT [base]/Type/id`
pub(super) async fn update(call: Call, request: Request) -> Result<Answer, Failure> {
    no_parameters(&call)?;
    headers::no_conditions_but(request.headers(), &["if-match", "if-none-match"])?;
    let must_be_new = headers::must_be_new(request.headers())?;
    let resource_type = type_named(&call.segments[0])?;
    let id = call.segments[1].clone();
    if r4().type_name(resource_type) == "AuditEvent" && OWN_IDS.iter().any(|own| id.starts_with(own)) {
        let message =
            format!("AuditEvent/{id}: ids that begin with {} are the hub's own", OWN_IDS.join(" or "));
        return Err(Failure::new(Kind::Unprocessable, IssueType::BusinessRule, message));
    }
    let prepared = prepare(
        &call,
        request,
        resource_type,
        Some(&call.segments[1]),
        move |hub, access, resource, options| hub.update(access, resource.root(), &id, options),
    );
    let prepared = prepared.await?;
    let outcome = submit(&call, prepared).await.map_err(|rejection| match rejection {
        Rejection::Command { reason: Reason::Invalid, issue, index }
            if must_be_new && issue.code == IssueType::Duplicate =>
        {
            Rejection::Command { reason: Reason::PreconditionFailed, issue, index }
        }
        other => other,
    });
    answer(&call, &first(outcome?)?)
}

/// `DELETE [base]/Type/id`
pub(super) async fn delete(call: Call, request: Request) -> Result<Answer, Failure> {
    no_parameters(&call)?;
    headers::no_conditions_but(request.headers(), &["if-match"])?;
    let resource_type = type_named(&call.segments[0])?;
    let options = options(request.headers(), &call)?;
    let prepared = call.app.hub.delete(&call.access, resource_type, &call.segments[1], &options)?;
    let outcome = first(submit(&call, prepared).await?)?;
    answer(&call, &outcome)
}

pub(super) fn options(headers: &HeaderMap, call: &Call) -> Result<WriteOptions, Failure> {
    headers::write_options(headers, &call.app.hub.limits)
}
