//! patch.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header;
use fhir::{IssueType, Limits};
use hub::patch::Patch;
use hub::{Failure, Kind};

use super::format::Format;
use super::write::{
    Prepare, answer, criteria, first, interrupted, needs_criteria, no_parameters, options,
    submit_while_moved, type_named,
};
use super::{Answer, Call, body, headers};

/// Reads the patch a body is, by its type.
fn read(kind: &str, bytes: &[u8], limits: &Limits) -> Result<Patch, Failure> {
    let plain = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match plain.as_str() {
        "application/json-patch+json" => Patch::json(bytes),
        "application/xml-patch+xml" => {
            let text = std::str::from_utf8(bytes)
                .map_err(|_| Failure::new(Kind::Invalid, IssueType::Structure, "the patch is not UTF-8"))?;
            Patch::xml(text)
        }
        other => match Format::named(other) {
            Some(format) => Patch::fhirpath(format.read(bytes, limits)?),
            None => Err(Failure::new(
                Kind::UnsupportedMediaType,
                IssueType::NotSupported,
                format!(
                    "Content-Type: '{plain}' is not read here; a patch is application/json-patch+json, application/xml-patch+xml, or a Parameters resource (FHIRPath Patch) as application/fhir+json or application/fhir+xml"
                ),
            )),
        },
    }
}

/// `PATCH [base]/Type/id` and `PATCH [base]/Type?search`
pub(super) async fn patch(call: Call, request: Request) -> Result<Answer, Failure> {
    let resource_type = type_named(&call.segments[0])?;
    headers::no_conditions_but(request.headers(), &["if-match"])?;
    let id = call.segments.get(1).cloned();
    if id.is_some() {
        no_parameters(&call)?;
    } else {
        needs_criteria(&call)?;
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.to_owned();
    let options = options(request.headers(), &call)?;
    let sent = body::read(&call.app, request, call.app.hub.limits.resource_bytes).await?;
    let is_light = sent.bytes.len() <= call.app.lanes.limits.light_body;
    let limits = call.app.hub.limits;
    let parse = move || read(&kind, &sent.bytes, &limits);
    let patch = if is_light {
        parse()?
    } else {
        call.app.lanes.heavy(parse).await.unwrap_or_else(|| Err(interrupted()))?
    };
    let criteria = criteria(&call);
    let prepare: Prepare = Arc::new(move |hub, access| match &id {
        Some(id) => hub.patch(access, resource_type, id, &patch, &options),
        None => hub.patch_by(access, resource_type, &criteria, &patch, &options),
    });
    let outcome = first(submit_while_moved(&call, is_light, prepare).await?)?;
    answer(&call, &outcome)
}
