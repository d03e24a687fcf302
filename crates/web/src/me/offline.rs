//! Reading and writing without a connection: what makes the pages installable, the worker that keeps them, and the page
//! where it is turned on for a device.
//!
//! What is kept on a device is encrypted with a key that its browser does not give away, and only where the person turns it
//! on: a device that is shared keeps nothing. Signing out clears it; a session that has ended clears the pages.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::answer::show;
use super::frame::Frame;
use crate::assets;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;

const WORKER: &str = include_str!("../../assets/scripts/me-worker.js");

#[derive(Template)]
#[template(path = "me/offline.html")]
struct OfflinePage {
    shell: Shell,
    frame: Frame,
}

/// What an installed app is called and where it begins.
pub(super) async fn manifest(visit: Visit) -> Response {
    let icon = json!({"src": assets::address("mark.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"});
    let manifest = json!({
        "id": "/me",
        "name": "Yojigen",
        "short_name": visit.words.say("area-me"),
        "lang": visit.words.language.tag(),
        "start_url": "/me",
        "scope": "/",
        "display": "standalone",
        "background_color": "#fcfcfb",
        "theme_color": "#0f638f",
        "icons": [icon],
    });
    let headers = [
        (header::CONTENT_TYPE, "application/manifest+json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept-Language, Cookie"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::OK, headers, manifest.to_string()).into_response()
}

/// The worker: always the newest.
pub(super) async fn worker() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::OK, headers, WORKER).into_response()
}

/// Answers with the page where it is turned on.
pub(super) async fn draw(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, |own| {
        Ok(OfflinePage { shell: Shell::of(&own.visit), frame: Frame::of(own, "more") })
    })
    .await
}
