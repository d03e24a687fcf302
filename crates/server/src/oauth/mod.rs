//! The authorisation server's addresses for programs; those for people are pages (`web`).

mod form;
mod launch;
mod token;

use std::net::IpAddr;
use std::sync::Arc;

use auth::{Auth, Kind, Refusal};
use axum::Router;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::edge::rates::TooMany;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

/// Addresses that pages of other origins may use: what the hub says of itself, those of any; the record and tokens, those of a
/// registered client (SMART App Launch 2.2). No cookie ever goes with such a request.
pub(crate) fn cross_origin(auth: &Arc<Auth>) -> CorsLayer {
    let auth = Arc::clone(auth);
    let is_allowed = move |origin: &HeaderValue, request: &Parts| {
        let path = request.uri.path();
        path == "/fhir/metadata"
            || path == "/cds-services"
            || path.contains("/.well-known/")
            || path == "/auth/jwks"
            || origin.to_str().is_ok_and(|origin| auth.is_origin_of_client(origin))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_allowed))
        .allow_methods(AllowMethods::list([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ]))
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::ETAG,
            header::LAST_MODIFIED,
            header::LOCATION,
            header::CONTENT_LOCATION,
            header::WWW_AUTHENTICATE,
            header::RETRY_AFTER,
            HeaderName::from_static("x-progress"),
        ])
        .max_age(std::time::Duration::from_secs(600))
}

/// The routes for programs.
pub(crate) fn routes(auth: &Arc<Auth>) -> Router {
    let described = |auth: &Arc<Auth>| {
        let auth = Arc::clone(auth);
        get(async move || answer(StatusCode::OK, &auth.metadata(), "public, max-age=300"))
    };
    Router::new()
        .route("/auth/token", post(token::token))
        .route("/auth/introspect", post(token::introspect))
        .route("/auth/revoke", post(token::revoke))
        .route("/auth/register", post(token::register))
        .route("/auth/userinfo", get(token::user_info).post(token::user_info))
        .route("/auth/jwks", get(token::key_set))
        .layer(cross_origin(auth))
        // A session's, so of this hub's own pages only.
        .route("/auth/launch", post(launch::launch))
        .with_state(Arc::clone(auth))
        .merge(
            Router::new()
                .route("/fhir/.well-known/smart-configuration", described(auth))
                .route("/.well-known/smart-configuration", described(auth))
                .route("/.well-known/openid-configuration", described(auth))
                .route("/.well-known/oauth-authorization-server", described(auth))
                .layer(cross_origin(auth)),
        )
}

/// A JSON document.
fn answer(status: StatusCode, body: &Value, caching: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, body.to_string()).into_response()
}

/// What only whoever asked may keep, and no cache.
fn secret_answer(status: StatusCode, body: &Value) -> Response {
    answer(status, body, "no-store")
}

/// A refusal as OAuth says it (RFC 6749, section 5.2).
fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({"error": refusal.kind.code(), "error_description": refusal.description});
    let mut response = secret_answer(status, &body);
    let headers = response.headers_mut();
    if let Some(seconds) = refusal.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    let scheme = match refusal.kind {
        Kind::InvalidClient => Some("Basic realm=\"clients\""),
        Kind::InvalidToken => Some("Bearer error=\"invalid_token\""),
        Kind::InsufficientScope => Some("Bearer error=\"insufficient_scope\""),
        _ => None,
    };
    if let Some(scheme) = scheme {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    }
    response
}

/// A request that is one too many, as OAuth says it.
pub(crate) fn too_many(too_many: TooMany) -> Response {
    let TooMany { of, wait } = too_many;
    let why = format!("too many requests of this {of}; the next is taken in {wait} seconds");
    refused(&Refusal { retry_after: Some(wait), ..Refusal::new(Kind::Throttled, why) })
}

/// Does what waits for the disk, or takes long on purpose, away from the threads that serve.
async fn away<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let interrupted = |_| Refusal::new(Kind::ServerError, "the work was interrupted");
    tokio::task::spawn_blocking(work).await.map_err(interrupted)?
}

/// From where a request comes: the other end of the connection, or, if that is a proxy the operator trusts, whom it names
/// last in `X-Forwarded-For`.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let named = || {
        let value = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        value.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
    };
    let peer = peer.to_canonical();
    let is_trusted = trusted.contains(&peer);
    named().filter(|_| is_trusted).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let (proxy, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("198.51.100.9, 198.51.100.7"));
        assert_eq!(client_address(proxy, &headers, &[proxy]), "198.51.100.7".parse::<IpAddr>().unwrap());
        assert_eq!(client_address(other, &headers, &[proxy]), other);
        assert_eq!(client_address(proxy, &HeaderMap::new(), &[proxy]), proxy);
        headers.insert("x-forwarded-for", HeaderValue::from_static("unknown"));
        assert_eq!(client_address(proxy, &headers, &[proxy]), proxy);
    }
}
