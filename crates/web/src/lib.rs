//! Pages: what the hub holds, finding people, a chart.

use axum::Router;
use hub::Hub;

/// The pages of a hub.
pub fn pages(_hub: Hub) -> Router {
    Router::new()
}
