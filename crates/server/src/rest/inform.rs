//! `POST [base]/Condition/[id]/$inform`: a clinician told the patient.

use std::sync::Arc;

use axum::extract::Request;
use hub::{Failure, InformRequest};

use super::write::{Prepare, no_parameters, options, submit_while_moved, type_named};
use super::{Answer, Call, body, format, headers};

/// Carries it out.
pub(super) async fn inform(call: Call, request: Request, id: &str) -> Result<Answer, Failure> {
    no_parameters(&call)?;
    headers::no_conditions_but(request.headers(), &["if-match"])?;
    let headers = request.headers().clone();
    let options = options(&headers, &call)?;
    let sent = body::read(&call.app, request, 1 << 20).await?;
    let asked = match sent.bytes.is_empty() {
        true => InformRequest::default(),
        false => InformRequest::read(&format::of_body(&headers)?.read(&sent.bytes, &call.app.hub.limits)?)?,
    };
    let named = id.to_owned();
    let prepare: Prepare = Arc::new(move |hub, access| hub.inform(access, &named, &asked, &options));
    submit_while_moved(&call, true, prepare).await?;
    Ok(Answer::json(200, call.app.hub.read(&call.access, type_named("Condition")?, id, None)?.json()))
}
