//! The hub over HTTP.
//!
//! * [`rest`]: FHIR REST at `/fhir`. It only translates: a request into a call of `hub`, its answer into a response.
//! * [`lanes`]: light work runs where it arrives; heavy work (large bodies, costly searches) waits in a lane of its own, so
//!   that it takes no one else's time; and what all requests hold in memory is bounded.
//! * [`identity`]: who asks, and what that lets them do; [`oauth`]: how programs come by tokens.
//! * `cds`: CDS Hooks.
//! * [`open`]: a hub without authorisation answers only to its own machine.
//! * [`edge`]: what stands between the internet and the hub: TLS, limits of connections and requests, strict framing.

mod audit;
mod cds;
mod edge;
mod health;
mod identity;
mod lanes;
mod listen;
mod oauth;
mod open;
mod rest;
mod websocket;

pub use edge::{Acme, Certificates, ConnectionLimits, Edge, Rates, Source};
pub use lanes::LaneLimits;
pub use listen::{Running, start};

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, OnceLock};

use auth::Auth;
use axum::Router;
use axum::http::HeaderValue;
use axum::routing::{any, get};
use bytes::Bytes;
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
    /// Who lets people and apps in; nobody in a hub that is open to its own machine.
    pub auth: Option<Arc<Auth>>,
    /// Proxies that are believed when they name whom they speak for.
    pub trusted_proxies: Vec<IpAddr>,
    /// How the hub meets the internet.
    pub edge: Edge,
    /// Services of others that are asked about orders.
    pub cds: Arc<::cds::Outside>,
    /// The hub's indicators, if the pages have some too.
    pub figures: Option<Arc<::figures::Figures>>,
}

/// What every request shares.
pub(crate) struct App {
    pub(crate) hub: Hub,
    pub(crate) lanes: Lanes,
    pub(crate) version: String,
    pub(crate) jobs: Option<Jobs>,
    pub(crate) subscriptions: Option<Subscriptions>,
    pub(crate) auth: Option<Arc<Auth>>,
    pub(crate) started: String,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) accesses: identity::Accesses,
    pub(crate) is_draining: AtomicBool,
    /// Ids of subscriptions that have something new.
    pub(crate) news: broadcast::Sender<String>,
    /// Websockets that are open.
    pub(crate) websockets: AtomicUsize,
    /// The hub's indicators.
    pub(crate) figures: Arc<::figures::Figures>,
    /// Services of others that are asked about orders.
    pub(crate) cds: Arc<::cds::Outside>,
    /// Requests of late.
    pub(crate) limiter: edge::rates::Limiter,
    /// The surface as OpenAPI, and its tag.
    pub(crate) openapi: OnceLock<(Bytes, HeaderValue)>,
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

/// The routes of the hub; `pages` are added to them, and `sign_in`, which are for everyone.
fn router(app: Shared, pages: Router, sign_in: Router) -> Router {
    let auth = app.auth.clone();
    let fhir = Router::new()
        .route("/fhir", any(rest::handle))
        .route("/fhir/", any(rest::handle))
        .route("/fhir/_jobs/{id}/{file}", get(rest::job_file))
        .route("/fhir/_websocket", any(websocket::handle))
        .route("/fhir/{*path}", any(rest::handle))
        .with_state(Arc::clone(&app))
        .merge(cds::routes(&app));
    let others = Router::new()
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(health::openapi))
        .with_state(Arc::clone(&app))
        .merge(pages);
    let Some(auth) = auth else {
        return fhir.merge(others).layer(axum::middleware::from_fn_with_state(app, open::guard));
    };
    // What answers other origins' preflights stands before what asks for a token.
    let signed = axum::middleware::from_fn_with_state(Arc::clone(&app), identity::sign_ins);
    let guard = axum::middleware::from_fn_with_state(app, identity::guard);
    let fhir = fhir.layer(guard.clone()).layer(oauth::cross_origin(&auth));
    fhir.merge(others.layer(guard)).merge(oauth::routes(&auth).merge(sign_in).layer(signed))
}
