//! The asynchronous pattern (<https://hl7.org/fhir/R4/async.html>): kick-off, status, cancellation, files.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use fhir::{Issue, IssueType};
use hub::{ExportLevel, ExportRequest, Failure, JobState, Jobs, Kind};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use super::{Answer, Call, respond_with_issue};
use crate::Shared;

const NDJSON: &str = "application/fhir+ndjson";
/// A client asks again after so many seconds.
const RETRY: &str = "1";

fn jobs(call: &Call) -> Result<&Jobs, Failure> {
    let missing = || Failure::new(Kind::NotSupported, IssueType::NotSupported, "this hub runs no jobs");
    call.app.jobs.as_ref().ok_or_else(missing)
}

/// `$export`
pub(super) fn export(call: &Call, headers: &HeaderMap, level: ExportLevel) -> Result<Answer, Failure> {
    let is_async = headers
        .get_all("prefer")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .any(|v| v.split([',', ';']).any(|p| p.trim() == "respond-async"));
    if !is_async {
        let message = "an export takes a while: send Prefer: respond-async, and ask at the address in Content-Location how far it is";
        return Err(Failure::new(Kind::Invalid, IssueType::Required, message));
    }
    let hub = &call.app.hub;
    let asked = ExportRequest::read(hub, &call.pairs)?;
    let path = format!("{}/{}", call.base, call.segments.join("/"));
    let request = hub::bundle::address(&path, &call.pairs, None);
    let export = hub.export(&call.access, level, asked, request)?;
    let id = jobs(call)?.submit(hub.new_id(), export)?;
    Ok(Answer::empty(202).with(header::CONTENT_LOCATION, format!("{}/_jobs/{id}", call.base)))
}

fn unknown(id: &str) -> Failure {
    let message = format!("there is no job {id}; what a job made is kept for a day");
    Failure::new(Kind::NotFound, IssueType::NotFound, message)
}

/// `GET [base]/_jobs/id`
pub(super) fn status(call: &Call, id: &str) -> Result<Answer, Failure> {
    let job = jobs(call)?.job(id).ok_or_else(|| unknown(id))?;
    match job.state {
        JobState::Working { done, total } => {
            let progress = match total {
                0 => "waiting".to_owned(),
                total => format!("{done} of about {total} resources"),
            };
            let answer = Answer::empty(202).with(header::RETRY_AFTER, RETRY.to_owned());
            Ok(answer.with(HeaderName::from_static("x-progress"), progress))
        }
        JobState::Failed(message) => Err(Failure::new(Kind::Internal, IssueType::Exception, message)),
        JobState::Done => {
            let manifest = job.export.manifest(&|file| format!("{}/_jobs/{id}/{file}", call.base));
            let mut answer = Answer::json(200, manifest);
            answer.is_presented = true;
            answer.media_type = Some("application/json");
            Ok(answer)
        }
    }
}

/// `DELETE [base]/_jobs/id`
pub(super) fn cancel(call: &Call, id: &str) -> Result<Answer, Failure> {
    if jobs(call)?.cancel(id) { Ok(Answer::empty(202)) } else { Err(unknown(id)) }
}

/// `GET [base]/_jobs/id/file`
pub(crate) async fn file(
    State(app): State<Shared>,
    Path((id, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Some(path) = app.jobs.as_ref().and_then(|jobs| jobs.file(&id, &name)) else {
        return respond_with_issue(
            404,
            &Issue::error(IssueType::NotFound, format!("there is no file {name} of job {id}")),
        );
    };
    match ServeFile::new(path).oneshot(request).await {
        Ok(response) => {
            let mut response = response.into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
            response
        }
        Err(never) => match never {},
    }
}
