//! Where people sign in, allow apps what these ask for, and see what they allowed.
//!
//! Plain forms; the one script asks the browser for passkeys, and all works without it but these. Each form carries a token that only the browser it was shown in can send back: it is made from
//! the session's cookie, or, before there is one, from a cookie that is set with the first form. Passwords and codes are
//! never put into an address or a page.

mod account;
mod consent;
mod enter;
mod guest;
mod invitation;
mod outside;
mod wording;

use std::sync::Arc;

use auth::{Auth, Kind, MadePasskey, Refusal};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use self::guest::Guest;
use crate::failure::Failure;
use crate::visit::Visit;

/// So many passwords are tried at once: each costs 19 MiB and a core for a while.
static TRIES: Semaphore = Semaphore::const_new(2);

/// What the pages work with.
#[derive(Clone)]
pub(crate) struct Desk {
    auth: Arc<Auth>,
    zone: &'static str,
}

/// The pages where people sign in. Times are shown in a zone, by its IANA name.
pub fn sign_in_pages(auth: Arc<Auth>, zone: &str) -> Router {
    // It lives as long as the program.
    let zone: &'static str = Box::leak(zone.to_owned().into_boxed_str());
    Router::new()
        .route("/auth/sign-in", get(enter::page).post(enter::enter))
        .route("/auth/passkey", post(enter::enter_by_passkey))
        .route("/auth/outside", get(outside::end))
        .route("/auth/outside/begin", get(outside::begin))
        .route("/auth/outside/leave", get(outside::leave))
        .route("/auth/sign-out", post(enter::leave))
        .route("/auth/authorize", get(consent::ask).post(consent::posted))
        .route("/auth/consent", post(consent::decide))
        .route("/auth/invitation", get(invitation::page).post(invitation::accept))
        .route("/auth/account", get(account::page).post(account::change))
        .with_state(Desk { auth, zone })
}

/// Does what waits for the disk, or takes long on purpose, away from the threads that serve.
async fn away<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let interrupted = |_| Refusal::new(Kind::ServerError, "the work was interrupted");
    tokio::task::spawn_blocking(work).await.map_err(interrupted)?
}

/// The same for work that hashes passwords: few at once.
async fn away_with_password<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let _turn = TRIES.acquire().await;
    away(work).await
}

/// Sends the browser elsewhere.
fn go(place: &str, cookies: &[String]) -> Response {
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/"));
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // What stands in the address is for whom it is sent to only.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for cookie in cookies.iter().filter_map(|c| HeaderValue::from_str(c).ok()) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// A refusal as a page.
fn refused(visit: &Visit, refusal: Refusal) -> Response {
    Failure::Refused(refusal).page(visit)
}

/// The passkey in the form that was sent, if it has one.
fn made_passkey(guest: &Guest, name: &str) -> Option<MadePasskey> {
    let field = |name: &str| guest.field(name).to_owned();
    let made = MadePasskey {
        name: name.to_owned(),
        client_data: field("client-data"),
        attestation: field("attestation"),
        transports: field("transports"),
        browser: guest.token(),
    };
    (!made.attestation.is_empty()).then_some(made)
}

/// A place on this hub to come back to: a path, and nothing a browser would take for another host.
fn own_place(text: &str) -> &str {
    let is_own = text.starts_with('/')
        && !text[1..].starts_with(['/', '\\'])
        && text.len() <= 8000
        && text.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'\\');
    if is_own { text } else { "/auth/account" }
}

/// What a browser has to be let lead to, of a redirect URI: its origin, or its scheme.
fn origin(uri: &str) -> String {
    match uri.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => {
            format!("{scheme}://{}", rest.split(['/', '?']).next().unwrap_or_default())
        }
        _ => uri.split_once(':').map(|(scheme, _)| format!("{scheme}:")).unwrap_or_default(),
    }
}

/// Everything a handler starts with.
type Start = (State<Desk>, Guest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for place in ["/", "/people?q=a", "/auth/authorize?redirect_uri=https%3A%2F%2Fapp.example"] {
            assert_eq!(own_place(place), place);
        }
        for place in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil",
            "/a\nb",
            "javascript:x",
        ] {
            assert_eq!(own_place(place), "/auth/account", "{place}");
        }
    }

    #[test]
    fn a_form_may_lead_to_the_app_and_nowhere_else() {
        assert_eq!(origin("https://app.example:8443/cb?x=1"), "https://app.example:8443");
        assert_eq!(origin("com.example.app:/cb"), "com.example.app:");
    }
}
