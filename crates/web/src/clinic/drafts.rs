//! `/clinic/{id}/draft/{kind}`: the way of a keystroke to the hub and back, as JSON.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::kind::Kind;
use super::{is_clinician, writer};
use crate::drafts::{Draft, LARGEST, Save, Saved, Writer};
use crate::failure::{Failure, away};
use crate::record::Record;
use crate::site::Site;
use crate::visit::Visit;
use fhir::primitive::is_id;

/// What a window sends.
#[derive(Deserialize)]
struct Sent {
    /// The draft.
    id: String,
    /// The window, by a name of its own.
    #[serde(default)]
    window: String,
    #[serde(flatten)]
    save: Save,
}

/// Whether somebody may write about a patient: whoever may read who it is.
fn may(site: &Site, visit: &Visit, patient: &str) -> Result<(), Failure> {
    if !is_clinician(visit) || !is_id(patient) {
        return Err(Failure::NoSuchPerson);
    }
    let record = Record::of(site.hub.clone(), visit.access(), None);
    record.read("Patient", patient)?.map(|_| ()).ok_or(Failure::NoSuchPerson)
}

fn told(site: &Site, state: &str, draft: &Draft, window: &str, who: &Writer) -> Value {
    json!({
        "state": state, "revision": draft.revision, "fields": draft.fields, "by": draft.last,
        "kept": draft.kept, "others": site.drafts.open(&draft.id, window, who),
    })
}

fn answer(result: Result<Value, Failure>) -> Response {
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(failure) => {
            let status = StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, json!({"state": "refused"}))
        }
    };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

/// Saves a draft.
pub(crate) async fn save(
    State(site): State<Site>,
    Path((patient, kind)): Path<(String, String)>,
    visit: Visit,
    body: Bytes,
) -> Response {
    if body.len() > 3 * LARGEST {
        return answer(Err(too_large()));
    }
    let (Ok(sent), Some(kind)) = (serde_json::from_slice::<Sent>(&body), Kind::of(&kind)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let who = writer(&visit);
    answer(
        away(move || {
            may(&site, &visit, &patient)?;
            let save = Save { window: sent.window.clone(), ..sent.save };
            let saved = site.drafts.save(&patient, kind.name(), &sent.id, &who, save);
            let (state, draft) = match saved.map_err(not_saved)? {
                Saved::Stored(draft) => ("stored", draft),
                Saved::Merged(draft) => ("merged", draft),
                Saved::Conflict(draft) => ("conflict", draft),
            };
            Ok(told(&site, state, &draft, &sent.window, &who))
        })
        .await,
    )
}

/// What a draft says now, for a window that has it open.
pub(crate) async fn look(
    State(site): State<Site>,
    Path((patient, _)): Path<(String, String)>,
    visit: Visit,
) -> Response {
    let who = writer(&visit);
    answer(
        away(move || {
            may(&site, &visit, &patient)?;
            let value = |name: &str| visit.value(name).unwrap_or_default().to_owned();
            let (id, window) = (value("draft"), value("window"));
            match site.drafts.get(&patient, &id) {
                Some(draft) => Ok(told(&site, "stored", &draft, &window, &who)),
                None => Ok(json!({"state": "none", "others": site.drafts.open(&id, &window, &who)})),
            }
        })
        .await,
    )
}

fn too_large() -> Failure {
    hub::Failure::new(hub::Kind::TooLarge, fhir::IssueType::TooLong, "a draft is at most 512 KiB").into()
}

/// Why a draft was not saved.
pub(crate) fn not_saved(error: std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::InvalidInput => too_large(),
        std::io::ErrorKind::QuotaExceeded => {
            let message = "there are 200 drafts about this person; sign or throw away some";
            hub::Failure::new(hub::Kind::Conflict, fhir::IssueType::TooCostly, message).into()
        }
        std::io::ErrorKind::StorageFull => {
            hub::Failure::new(hub::Kind::StorageFull, fhir::IssueType::NoStore, "the disk is full").into()
        }
        _ => hub::Failure::new(hub::Kind::Internal, fhir::IssueType::Exception, error.to_string()).into(),
    }
}
