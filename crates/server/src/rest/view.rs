//! `$viewdefinition-run`: rows of a view, in a form of their own.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use bytes::Bytes;
use fhir::IssueType;
use hub::{Failure, Kind, ViewRunRequest};
use views::write::Format;

use super::{Answer, Call, body};

/// What a call may send: a view and resources to try it on.
const MAX_BODY: usize = 16 << 20;

/// Whether an address asks for rows, whose forms are not those of resources.
pub(super) fn asks_for_rows(segments: &[String]) -> bool {
    segments.last().is_some_and(|name| is_run(name))
}

/// The operation's name, and the short one it has on the type.
pub(super) fn is_run(name: &str) -> bool {
    matches!(name, "$viewdefinition-run" | "$run")
}

/// The form the headers ask for; none if they take anything.
fn accepted(headers: &HeaderMap) -> Result<Option<Format>, Failure> {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()) else { return Ok(None) };
    let mut kinds = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    let found = kinds.clone().find_map(Format::named);
    if found.is_some()
        || kinds.any(|kind| matches!(kind, "" | "*/*" | "application/*" | "text/*" | "text/html"))
    {
        return Ok(found);
    }
    let known = Format::ALL.map(Format::media_type).join(", ");
    let message = format!("Accept: '{accept}' is not available here; {known} are");
    Err(Failure::new(Kind::NotAcceptable, IssueType::NotSupported, message))
}

/// Runs a view: one that is sent, or that a Library holds.
pub(super) async fn run(call: Call, request: Request, library: Option<String>) -> Result<Answer, Failure> {
    let method = request.method().clone();
    if method != Method::POST && library.is_none() {
        let message =
            "a view is sent with POST; one that is kept is run at /fhir/Library/id/$viewdefinition-run";
        return Err(Failure::new(Kind::NotAllowed, IssueType::NotSupported, message));
    }
    let accepted = accepted(request.headers())?;
    let sent = match method {
        Method::POST => {
            let is_json = super::format::of_body(request.headers())? == super::format::Format::Json;
            let sent = body::read(&call.app, request, MAX_BODY).await?;
            if !is_json && !sent.bytes.is_empty() {
                let message = "a ViewDefinition is no resource type of R4, so it is sent as JSON";
                return Err(Failure::new(Kind::UnsupportedMediaType, IssueType::NotSupported, message));
            }
            Some(sent)
        }
        _ => None,
    };
    let app = Arc::clone(&call.app);
    // It goes through all there is of a type.
    let work = move || {
        let hub = &call.app.hub;
        let bytes = sent.as_ref().map_or(&[][..], |sent| &sent.bytes[..]);
        let asked = ViewRunRequest::read(hub, bytes, &call.pairs, library)?;
        let format = asked.format.or(accepted).unwrap_or(Format::Json);
        let rows = hub.view_run(&call.access, &asked, format)?;
        let mut answer = Answer::empty(200).with(header::CONTENT_TYPE, format.media_type().to_owned());
        answer.content = Some(Bytes::from(rows));
        answer.is_presented = true;
        Ok(answer)
    };
    app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))
}
