//! Who asks, before anything else is looked at.
//!
//! Every request but those to public addresses is [`guard`]ed: it carries a token or a session of this hub, and what that
//! allows ([`access_of`]) goes with it as a [`hub::Access`]. REST makes no access of its own.

use std::sync::Arc;

use access::scope::Scopes;
use access::{Purpose, Subject};
use auth::{Auth, Identity, Refusal};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use fhir::{Issue, IssueType};
use hub::{Access, Failure, Hub};

use crate::{Shared, rest};

/// What anyone may see: nothing of anybody's.
const PUBLIC: &[&str] = &["/fhir/metadata", "/health", "/ready", "/openapi.json"];

/// What an identity may see and do, through a door: the hub's rules, consents and the token's scopes, decided now.
///
/// # Errors
/// A scope that no index can decide.
fn access_of(hub: &Hub, identity: &Identity, channel: &str) -> Result<Access, Failure> {
    hub.access_of(&Arc::new(subject(identity)), channel)
}

/// An identity, as the rules know it. A system that was given no roles is one: its scopes say what it may.
fn subject(identity: &Identity) -> Subject {
    let roles = match (identity.is_user, identity.roles.as_slice()) {
        (false, []) => vec!["system".to_owned()],
        (_, roles) => roles.to_vec(),
    };
    let said = identity.purpose.as_deref().and_then(Purpose::of);
    let organisation = identity.organization.as_deref().and_then(|o| o.strip_prefix("Organization/"));
    Subject {
        user: identity.is_user.then(|| identity.subject.clone()),
        fhir_user: identity.fhir_user.clone(),
        patient: identity.patient.clone(),
        proxied: identity.proxied.clone(),
        organisations: organisation.map(str::to_owned).into_iter().collect(),
        client: identity.client.clone(),
        scopes: identity.scopes.as_deref().map(|text| Scopes::read(text).0),
        context_patient: identity.launch_patient.clone(),
        purpose: said.unwrap_or_else(|| Purpose::of_roles(&roles)),
        break_glass: None,
        roles,
    }
}

/// Lets requests through with their access, and no others.
pub(crate) async fn guard(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let Some(auth) = &app.auth else { return next.run(request).await };
    let path = request.uri().path();
    if PUBLIC.contains(&path) || path.starts_with("/assets/") {
        return next.run(request).await;
    }
    let is_page = !path.starts_with("/fhir") && path != "/metrics" && request.method() == Method::GET;
    match auth.identify(request.headers(), request.method()) {
        Ok(Some(identity)) if path == "/metrics" && !identity.roles.iter().any(|role| role == "operator") => {
            let message = "what the hub has done is shown to operators";
            rest::respond_with_issue(403, &Issue::error(IssueType::Forbidden, message))
        }
        Ok(Some(identity)) => {
            let channel = if path.starts_with("/fhir") { "rest" } else { "pages" };
            match access_of(&app.hub, &identity, channel) {
                Ok(access) => {
                    request.extensions_mut().insert(access);
                    next.run(request).await
                }
                Err(failure) => rest::respond_with_failure(&failure),
            }
        }
        Ok(None) if is_page => sign_in(&request),
        Ok(None) => challenge(auth, None),
        Err(refusal) => challenge(auth, Some(&refusal)),
    }
}

/// A person is shown where to sign in, and comes back.
fn sign_in(request: &Request) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let encoded: String =
        percent_encoding::utf8_percent_encode(wanted, percent_encoding::NON_ALPHANUMERIC).to_string();
    let place = HeaderValue::from_str(&format!("/auth/sign-in?return={encoded}"));
    let place = place.unwrap_or(HeaderValue::from_static("/auth/sign-in"));
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, place), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
    )
        .into_response()
}

/// RFC 6750, section 3: without a token no error is named.
fn challenge(auth: &Arc<Auth>, refusal: Option<&Refusal>) -> Response {
    let realm = &auth.settings().issuer;
    let (status, code, said, named) = match refusal {
        None => (
            401,
            IssueType::Login,
            "this takes an access token of this hub (Authorization: Bearer …)",
            String::new(),
        ),
        Some(refusal) => {
            let code = match refusal.kind.status() {
                401 => IssueType::Login,
                403 => IssueType::Forbidden,
                _ => IssueType::Exception,
            };
            // Descriptions have no quotation marks of their own.
            let named = format!(", error=\"{}\", error_description=\"{refusal}\"", refusal.kind.code());
            (refusal.kind.status(), code, refusal.description.as_str(), named)
        }
    };
    let mut response = rest::respond_with_issue(status, &Issue::error(code, said));
    if status == 401
        && let Ok(value) = HeaderValue::from_str(&format!("Bearer realm=\"{realm}\"{named}"))
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
