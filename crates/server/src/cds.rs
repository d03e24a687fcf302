//! CDS Hooks over HTTP: discovery, calls, feedback. What they say is in [`cds`].
//!
//! A call and what became of its cards are in the ledger: which rules spoke on which cards, whom it was about, which services
//! of others were asked.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use cds::{Call, Card, Outside, outside, services};
use fhir::IssueType;
use hub::{Access, Failure, Hub, Kind, Peer};
use safety::Language;
use serde_json::{Value, json};

use crate::rest::body;
use crate::{Shared, audit, identity, rest};

/// A call is no longer: drafts of orders and a person's prefetch.
const MOST_BYTES: usize = 8 << 20;

/// The addresses.
pub(crate) fn routes(app: &Shared) -> Router {
    Router::new()
        .route("/cds-services", get(discovery))
        .route("/cds-services/{id}", post(call))
        .route("/cds-services/{id}/feedback", post(tell))
        .with_state(Shared::clone(app))
}

/// What is offered.
async fn discovery(headers: HeaderMap) -> Response {
    answer(&services::discovery(language(&headers)))
}

fn answer(body: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (StatusCode::OK, headers, body.to_string()).into_response()
}

/// The first language asked for that is spoken here.
fn language(headers: &HeaderMap) -> Language {
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut tags = asked.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    let spoken = tags.find(|tag| ["ja", "en"].iter().any(|l| tag.to_ascii_lowercase().starts_with(l)));
    Language::of_tag(spoken.unwrap_or("ja"))
}

/// What is known of a request, for the ledger.
struct Asked {
    action: &'static str,
    address: Option<String>,
    target: String,
    query: String,
}

impl Asked {
    fn of(request: &Request, action: &'static str, id: &str) -> Asked {
        let address = request.extensions().get::<Peer>().map(|peer| peer.0.to_string());
        Asked { action, address, target: String::new(), query: format!("service={id}") }
    }
}

async fn call(State(app): State<Shared>, Path(id): Path<String>, request: Request) -> Response {
    let access = identity::of_request(&app, &request);
    let mut asked = Asked::of(&request, "cds-hooks", &id);
    let outcome = advise(&app, &access, &id, request, &mut asked).await;
    finish(&app, &access, asked, outcome).await
}

async fn tell(State(app): State<Shared>, Path(id): Path<String>, request: Request) -> Response {
    let access = identity::of_request(&app, &request);
    let mut asked = Asked::of(&request, "cds-feedback", &id);
    let outcome = async {
        services::find(&id)?;
        let kept = cds::feedback::read(&json_of(&app, request).await?)?;
        asked.query = format!("{}&{kept}", asked.query);
        Ok(json!({}))
    };
    let outcome = outcome.await;
    if outcome.is_ok() && app.hub.ledger().is_none() {
        tracing::info!(feedback = %asked.query, "what became of cards");
    }
    finish(&app, &access, asked, outcome).await
}

/// Puts a request into the ledger, and answers.
async fn finish(app: &Shared, access: &Access, asked: Asked, outcome: Result<Value, Failure>) -> Response {
    let (status, reason) = match &outcome {
        Ok(_) => (200, None),
        Err(failure) => {
            (failure.kind.status(), failure.issues.first().map(|issue| issue.diagnostics.clone()))
        }
    };
    let told = audit::Asked::other(app, asked.action, asked.target, asked.query, asked.address);
    if let Some(told) = told
        && let Err(failure) = audit::record(app, told, access, status, reason.as_deref()).await
    {
        return rest::respond_with_failure(&failure);
    }
    match outcome {
        Ok(body) => answer(&body),
        Err(failure) => rest::respond_with_failure(&failure),
    }
}

/// The JSON of a request.
async fn json_of(app: &Shared, request: Request) -> Result<Value, Failure> {
    let read = body::read(app, request, MOST_BYTES).await?;
    serde_json::from_slice(&read.bytes).map_err(|error| {
        let message = format!("the body is no JSON that can be read: {error}");
        Failure::new(Kind::Invalid, IssueType::Structure, message)
    })
}

/// Answers a call with cards.
async fn advise(
    app: &Shared,
    access: &Access,
    id: &str,
    request: Request,
    asked: &mut Asked,
) -> Result<Value, Failure> {
    let service = services::find(id)?;
    let language = language(request.headers());
    let is_passed_on = request.headers().contains_key(outside::PASSED_ON);
    let call = Call::read(&json_of(app, request).await?, service)?;
    asked.target = format!("Patient/{}", call.patient);
    let (hub, access) = (app.hub.clone(), access.clone());
    let others = (!is_passed_on && !app.cds.is_empty()).then(|| std::sync::Arc::clone(&app.cds));
    let looked = tokio::task::spawn_blocking(move || look(&hub, &access, &call, others.as_deref(), language));
    let interrupted =
        || Failure::new(Kind::Internal, IssueType::Exception, "the check was interrupted; call again");
    let (own, told) = looked.await.map_err(|_| interrupted())??;
    for part in own.iter().filter_map(Card::told) {
        asked.query.push_str(&part);
    }
    for answered in &told {
        asked.query.push_str(&format!("&asked={}", answered.name));
    }
    let mut cards: Vec<Value> = own.into_iter().map(|card| card.json).collect();
    cards.extend(outside::cards(told, language));
    Ok(json!({"cards": cards}))
}

/// The hub's own cards, and what services of others answered.
fn look(
    hub: &Hub,
    access: &Access,
    call: &Call,
    others: Option<&Outside>,
    language: Language,
) -> Result<(Vec<Card>, Vec<outside::Told>), Failure> {
    let known = cds::facts::gather(hub, access, call)?;
    let cards = cds::cards::cards(&cds::check::reports(&known, call), language);
    Ok((cards, others.map(|others| others.ask(hub, access, call)).unwrap_or_default()))
}
