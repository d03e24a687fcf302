//! `/hub`: the hub's own state, and what those who run it do.

use axum::Router;

use crate::site::Site;

/// The pages of an operator.
pub(crate) fn routes() -> Router<Site> {
    Router::new()
}
