//! Is it alive, is it ready, what has it done.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hub::openapi::{self, ServicePath};

use crate::Shared;

/// The addresses outside of FHIR.
const PATHS: &[ServicePath] = &[
    ServicePath { path: "/health", documentation: "The process runs", media_type: "text/plain" },
    ServicePath {
        path: "/ready",
        documentation: "It takes requests; 503 while it stops",
        media_type: "text/plain",
    },
    ServicePath {
        path: "/metrics",
        documentation: "What it has done, for Prometheus",
        media_type: "text/plain",
    },
    ServicePath { path: "/openapi.json", documentation: "This description", media_type: "application/json" },
    ServicePath {
        path: "/cds-services",
        documentation: "CDS Hooks 2.0: the services that check orders; POST /cds-services/{id} calls one",
        media_type: "application/json",
    },
];

/// The surface as OpenAPI; written once, since it is the same as long as the program runs.
pub(crate) async fn openapi(State(app): State<Shared>, headers: HeaderMap) -> Response {
    static WRITTEN: OnceLock<(Bytes, HeaderValue)> = OnceLock::new();
    let (document, tag) = WRITTEN.get_or_init(|| {
        let document = openapi::document(&app.version, PATHS);
        let mut hasher = DefaultHasher::new();
        document.hash(&mut hasher);
        let tag = HeaderValue::from_str(&format!("W/\"{:016x}\"", hasher.finish()));
        (document.into(), tag.unwrap_or(HeaderValue::from_static("W/\"1\"")))
    });
    let caching =
        [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    if headers.get(header::IF_NONE_MATCH) == Some(tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, "application/json")], document.clone()).into_response()
}

/// The process runs.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// It takes requests.
pub(crate) async fn ready(State(app): State<Shared>) -> Response {
    if app.is_draining.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response()
    } else {
        "ready\n".into_response()
    }
}

/// What it has done, for Prometheus.
pub(crate) async fn metrics(State(app): State<Shared>) -> Response {
    let done = app.hub.store().metrics();
    for (name, value) in [
        ("yojigen_commits_total", &done.commits),
        ("yojigen_rejections_total", &done.rejections),
        ("yojigen_versions_written_total", &done.versions),
        ("yojigen_syncs_total", &done.syncs),
        ("yojigen_sync_nanoseconds_total", &done.sync_nanos),
        ("yojigen_fold_nanoseconds_total", &done.fold_nanos),
    ] {
        metrics::counter!(name).absolute(value.load(Ordering::Relaxed));
    }
    let reader = app.hub.store().reader();
    metrics::gauge!("yojigen_log_place").set(reader.place().0 as f64);
    let body = app.metrics.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], body).into_response()
}
