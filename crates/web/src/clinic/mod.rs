//! `/clinic`: what a clinician sees of a patient, and writes.

use axum::Router;

use crate::site::Site;

/// The pages of a clinician.
pub(crate) fn routes() -> Router<Site> {
    Router::new()
}
