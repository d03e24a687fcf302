//! The asynchronous pattern (<https://hl7.org/fhir/R4/async.html>): kick-off, status, cancellation, files.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use fhir::{Issue, IssueType, TypeId, r4};
use hub::{
    BulkDeleteRequest, EraseRequest, ExportLevel, ExportRequest, Failure, ImportRequest, Job, JobState, Jobs,
    Kind, MadeFile, Work,
};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use super::{Answer, Call, made_file, respond_with_issue};
use crate::{Shared, audit, identity};

const NDJSON: &str = "application/fhir+ndjson";
/// A client asks again after so many seconds.
const RETRY: &str = "1";

fn jobs(call: &Call) -> Result<&Jobs, Failure> {
    let missing = || Failure::new(Kind::NotSupported, IssueType::NotSupported, "this hub runs no jobs");
    call.app.jobs.as_ref().ok_or_else(missing)
}

/// A job's answer comes later.
fn must_be_async(headers: &HeaderMap) -> Result<(), Failure> {
    let is_async = headers
        .get_all("prefer")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .any(|v| v.split([',', ';']).any(|p| p.trim() == "respond-async"));
    if is_async {
        return Ok(());
    }
    let message = "this takes a while: send Prefer: respond-async, and ask at the address in Content-Location how far it is";
    Err(Failure::new(Kind::Invalid, IssueType::Required, message))
}

fn accepted(call: &Call, id: String) -> Result<Answer, Failure> {
    Ok(Answer::empty(202).with(header::CONTENT_LOCATION, format!("{}/_jobs/{id}", call.base)))
}

fn asked_at(call: &Call) -> String {
    let path = format!("{}/{}", call.base, call.segments.join("/"));
    hub::bundle::address(&path, &call.pairs, None)
}

/// `$import`
pub(super) async fn import(call: Call, request: Request) -> Result<Answer, Failure> {
    must_be_async(request.headers())?;
    super::write::no_parameters(&call)?;
    let sent = super::body::read(&call.app, request, 4 << 20).await?;
    let (hub, id) = (&call.app.hub, call.app.hub.new_id());
    let asked = ImportRequest::read(&sent.bytes, hub)?;
    let import = hub.import_job(&call.access, asked, asked_at(&call), id.clone())?;
    accepted(&call, jobs(&call)?.submit(id, Work::Import(import))?)
}

/// `$bulk-delete`
pub(super) async fn bulk_delete(
    mut call: Call,
    request: Request,
    resource_type: TypeId,
) -> Result<Answer, Failure> {
    let headers = request.headers().clone();
    super::operation::parameters(&mut call, request).await?;
    let asked = BulkDeleteRequest::read(resource_type, &call.pairs)?;
    let app = Shared::clone(&call.app);
    let work = move || {
        let (hub, id) = (&call.app.hub, call.app.hub.new_id());
        match hub.bulk_delete(&call.access, asked, asked_at(&call), id.clone())? {
            Err(preview) => Ok(Answer::json(200, preview)),
            Ok(delete) => {
                must_be_async(&headers)?;
                accepted(&call, jobs(&call)?.submit(id, Work::Delete(delete))?)
            }
        }
    };
    app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))
}

/// `$erase`
pub(super) async fn erase(mut call: Call, request: Request, id: String) -> Result<Answer, Failure> {
    let headers = request.headers().clone();
    super::operation::parameters(&mut call, request).await?;
    let asked = EraseRequest::read(&call.pairs)?;
    let app = Shared::clone(&call.app);
    let work = move || {
        let (hub, job) = (&call.app.hub, call.app.hub.new_id());
        call.access.reads();
        if asked.is_preview {
            return Ok(Answer::json(200, hub.erasure_preview(&call.access, &id, &asked)?));
        }
        hub.may_erase()?;
        must_be_async(&headers)?;
        let erase = hub.erasure(&call.access, &id, &asked, job.clone())?;
        accepted(&call, jobs(&call)?.submit(job, Work::Erase(Box::new(erase)))?)
    };
    app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))
}

/// `$export`
pub(super) fn export(call: &Call, headers: &HeaderMap, level: ExportLevel) -> Result<Answer, Failure> {
    must_be_async(headers)?;
    let hub = &call.app.hub;
    let asked = ExportRequest::read(hub, &call.pairs)?;
    let export = hub.export(&call.access, level, asked, asked_at(call))?;
    accepted(call, jobs(call)?.submit(hub.new_id(), Work::Export(export))?)
}

fn unknown(id: &str) -> Failure {
    let message = format!("there is no job {id}; what a job made is kept for a day");
    Failure::new(Kind::NotFound, IssueType::NotFound, message)
}

/// A job of the one who asks; another's is not there.
fn own(call: &Call, id: &str) -> Result<Job, Failure> {
    jobs(call)?.job(id).filter(|job| job.work.is_for(&call.access)).ok_or_else(|| unknown(id))
}

/// `GET [base]/_jobs/id`
pub(super) fn status(call: &Call, id: &str) -> Result<Answer, Failure> {
    let job = own(call, id)?;
    match job.state {
        JobState::Working { done, total } => {
            let progress = match total {
                0 => "waiting".to_owned(),
                total if matches!(job.work, Work::Erase(_)) => format!("step {} of {total}", done + 1),
                total => format!("{done} of about {total} resources"),
            };
            let answer = Answer::empty(202).with(header::RETRY_AFTER, RETRY.to_owned());
            Ok(answer.with(HeaderName::from_static("x-progress"), progress))
        }
        JobState::Failed(message) => Err(Failure::new(Kind::Internal, IssueType::Exception, message)),
        JobState::Done => {
            let manifest = job.work.manifest(&|file| format!("{}/_jobs/{id}/{file}", call.base));
            let mut answer = Answer::json(200, manifest);
            answer.is_presented = true;
            answer.media_type = Some("application/json");
            Ok(answer)
        }
    }
}

/// `DELETE [base]/_jobs/id`
pub(super) fn cancel(call: &Call, id: &str) -> Result<Answer, Failure> {
    own(call, id)?;
    if jobs(call)?.cancel(id) { Ok(Answer::empty(202)) } else { Err(unknown(id)) }
}

/// Whether a file may hold rows of persons: by the type it is named by; what is no type (deletions) may.
fn has_persons(file: &str) -> bool {
    let name = file.split('.').next().unwrap_or_default();
    let Some(resource_type) = r4().resource_type(name) else { return true };
    let compartment = r4().compartment("Patient");
    name == "Patient" || compartment.is_none_or(|c| !c.parameters(resource_type).is_empty())
}

/// `GET [base]/_jobs/id/file`
pub(crate) async fn file(
    State(app): State<Shared>,
    Path((id, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let access = identity::of_request(&app, &request);
    let own = app.jobs.as_ref().filter(|jobs| jobs.job(&id).is_some_and(|job| job.work.is_for(&access)));
    let found = own.map_or(Ok(None), |jobs| jobs.file(&id, &name));
    if let Err(error) = &found {
        tracing::error!(%error, "a job's file cannot be opened");
    }
    let Ok(Some(made)) = found else {
        return respond_with_issue(
            404,
            &Issue::error(IssueType::NotFound, format!("there is no file {name} of job {id}")),
        );
    };
    if let Some(asked) = audit::Asked::of(&app, &request).map(audit::Asked::export) {
        if has_persons(&name) {
            access.saw_everyone();
        }
        if let Err(failure) = audit::record(&app, asked, &access, 200, None).await {
            return super::respond(super::of_failure(&failure));
        }
    }
    let mut response = match made {
        MadeFile::Clear(path) => match ServeFile::new(path).oneshot(request).await {
            Ok(response) => response.into_response(),
            Err(never) => match never {},
        },
        MadeFile::Sealed(reader) => made_file::answer(reader),
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    response
}
