//! What every answer says to browsers and caches, where it does not say so itself.
//!
//! An answer of the hub is no page that runs anything: whatever is shown of it (a Binary somebody uploaded as HTML, above all) has
//! no script, no frame and no origin. Pages say what they need themselves (`web::shell`). What does not say that it may be is kept by
//! no cache. Over https a browser keeps to https (HSTS, RFC 6797).

use axum::extract::{Request, State};
use axum::http::header::Entry;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::Shared;

/// Nothing is loaded, run, framed or sent.
const POLICY: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox";
/// A year.
const HTTPS_ONLY: &str = "max-age=31536000";
/// What no page of the hub uses.
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
    microphone=(), midi=(), payment=(), usb=()";

/// Adds what an answer does not say itself.
pub(crate) async fn add(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let is_asset = request.uri().path().starts_with("/assets/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut add = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if !is_asset {
        add(header::CONTENT_SECURITY_POLICY, POLICY);
        add(header::CACHE_CONTROL, "no-store");
    }
    add(header::REFERRER_POLICY, "no-referrer");
    add(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    if app.auth.as_ref().is_some_and(|auth| auth.is_secure()) {
        add(header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
        keep_to_https(headers);
    }
    response
}

/// No cookie goes over plain http.
fn keep_to_https(headers: &mut HeaderMap) {
    if let Entry::Occupied(mut cookies) = headers.entry(header::SET_COOKIE) {
        for cookie in cookies.iter_mut() {
            let secure = cookie.to_str().ok().filter(|text| !text.contains("; Secure"));
            if let Some(Ok(secure)) = secure.map(|text| HeaderValue::from_str(&format!("{text}; Secure"))) {
                *cookie = secure;
            }
        }
    }
}
