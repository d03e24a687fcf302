//! The hub over HTTP.
//!
//! * [`rest`]: FHIR REST at `/fhir`. It only translates: a request into a call of `hub`, its answer into a response.
//! * [`lanes`]: light work runs where it arrives; heavy work (large bodies, costly searches) waits in a lane of its own, so
//!   that it takes no one else's time; and what all requests hold in memory is bounded.
//! * [`open`]: a hub without authorisation answers only to its own machine.

mod audit;
mod health;
mod lanes;
mod listen;
mod open;
mod rest;
mod websocket;

pub use lanes::LaneLimits;
pub use listen::{Running, start};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use axum::Router;
use axum::routing::{any, get};
use hub::{Hub, Jobs, Subscriptions};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::broadcast;

use crate::lanes::Lanes;

/// How the hub is served.
#[derive(Clone, Default)]
pub struct Config {
    /// Limits on work under way.
    pub lanes: LaneLimits,
    /// The program's version, for the CapabilityStatement.
    pub version: String,
    /// What runs jobs, if anything does.
    pub jobs: Option<Jobs>,
    /// What serves subscriptions, if anything does.
    pub subscriptions: Option<Subscriptions>,
}

/// What every request shares.
pub(crate) struct App {
    pub(crate) hub: Hub,
    pub(crate) lanes: Lanes,
    pub(crate) version: String,
    pub(crate) jobs: Option<Jobs>,
    pub(crate) subscriptions: Option<Subscriptions>,
    pub(crate) started: String,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) is_draining: AtomicBool,
    /// Ids of subscriptions that have something new.
    pub(crate) news: broadcast::Sender<String>,
    /// Websockets that are open.
    pub(crate) websockets: AtomicUsize,
}

impl App {
    /// The hub for what is tried where it arrives: its searches look at few rows before they are given up.
    pub(crate) fn light_hub(&self) -> Hub {
        let mut hub = self.hub.clone();
        hub.search_limits.rows = self.lanes.limits.light_rows;
        hub
    }
}

pub(crate) type Shared = Arc<App>;

/// The routes of the hub; `pages` are added to them.
fn router(app: Shared, pages: Router) -> Router {
    Router::new()
        .route("/fhir", any(rest::handle))
        .route("/fhir/", any(rest::handle))
        .route("/fhir/_jobs/{id}/{file}", get(rest::job_file))
        .route("/fhir/_websocket", any(websocket::handle))
        .route("/fhir/{*path}", any(rest::handle))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(health::openapi))
        .with_state(Arc::clone(&app))
        .merge(pages)
        .layer(axum::middleware::from_fn_with_state(app, open::guard))
}
