//! Who asks, before anything else is looked at.
//!
//! Every request but those to public addresses is [`guard`]ed: it carries a token or a session of this hub, and what that
//! allows ([`access_of`]) goes with it as a [`hub::Access`]. REST makes no access of its own.

use std::sync::Arc;

use auth::{Auth, Identity, Refusal};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use fhir::{Issue, IssueType};
use hub::{Access, Failure, Kind};

use crate::{Shared, rest};

/// What anyone may see: nothing of anybody's.
const PUBLIC: &[&str] = &["/fhir/metadata", "/health", "/ready", "/openapi.json"];

/// What an identity may see and do.
///
/// # Errors
/// If that is nothing.
#[allow(clippy::unnecessary_wraps)] // the rules will have both answers
fn access_of(identity: &Identity, _headers: &HeaderMap) -> Result<Access, Failure> {
    let who = &identity.name;
    let message =
        format!("{who} is signed in, but access rules are not compiled in: nothing is shown to anyone");
    Err(Failure::new(Kind::Forbidden, IssueType::Forbidden, message))
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
        Ok(Some(identity)) => match access_of(&identity, request.headers()) {
            Ok(access) => {
                request.extensions_mut().insert(access);
                request.extensions_mut().insert(identity);
                next.run(request).await
            }
            Err(failure) => rest::respond_with_failure(&failure),
        },
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
