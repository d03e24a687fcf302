//! Is it alive, is it ready, what has it done.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hub::Vitals;
use hub::openapi::{self, ServicePath};
use tokio::sync::watch;

use crate::{App, Shared, oauth};

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

/// The surface as OpenAPI; written once, since it is the same as long as the hub is served.
pub(crate) async fn openapi(State(app): State<Shared>, headers: HeaderMap) -> Response {
    let (document, tag) = app.openapi.get_or_init(|| {
        let part = app.auth.as_deref().map(oauth::openapi::part).unwrap_or_default();
        let document = openapi::document(&app.version, PATHS, part);
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
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], told(&app)).into_response()
}

/// The same, as text.
fn told(app: &App) -> String {
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
    app.metrics.render()
}

/// How the hub does, for its pages; a look is taken now and then until it stops.
pub(crate) fn vitals(app: &Shared, mut stopped: watch::Receiver<bool>) -> Vitals {
    // The store is closed by whoever holds it last.
    let (telling, taking) = (Arc::downgrade(app), Arc::downgrade(app));
    let vitals = Vitals::new(
        app.version.clone(),
        hub::now(),
        Box::new(move || telling.upgrade().map(|app| told(&app)).unwrap_or_default()),
        Box::new(move || taking.upgrade().map(|app| app.lanes.taken()).unwrap_or_default()),
    );
    let looking = vitals.clone();
    tokio::spawn(async move {
        loop {
            looking.look();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(hub::EVERY)) => {}
                _ = stopped.changed() => return,
            }
        }
    });
    vitals
}
