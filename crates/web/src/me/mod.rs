//! `/me`: what a person sees of their own record, adds to it, shares and decides.

use axum::Router;

use crate::site::Site;

/// The pages of a person.
pub(crate) fn routes() -> Router<Site> {
    Router::new()
}
