//! Is it alive, is it ready, what has it done.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::Shared;

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
