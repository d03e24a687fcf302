//! `/me`: what a person sees of their own record, adds to it, shares and decides.
//!
//! Every page is about one Patient, `/me/{id}/…`, whether somebody looks at their own record or, as a proxy, at that of
//! whom they act for; what they may see and write is the hub's decision. What a page writes are FHIR resources whose
//! author is whoever writes ([`own::Own::author`]), so that each remains theirs to change.

mod answer;
mod card;
mod cycle;
pub(crate) mod entry;
mod frame;
mod goal;
mod home;
mod import;
mod line;
mod looked;
mod medicines;
mod moment;
mod more;
mod next;
mod offline;
mod own;
mod questions;
mod results;
mod safety;
mod saved;
mod sharing;
mod start;
mod take;
mod threshold;
mod timeline;

use axum::Router;
use axum::routing::get;

use crate::site::Site;

/// The pages of a person.
pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/me", get(start::start))
        .route("/me/{id}", get(home::home))
        .route("/me/{id}/timeline", get(timeline::timeline))
        .route("/me/{id}/results", get(results::draw))
        .route("/me/{id}/medicines", get(medicines::draw))
        .route("/me/{id}/sharing", get(sharing::draw).post(sharing::change))
        .route("/me/{id}/looked", get(looked::draw))
        .route("/me/{id}/cycle", get(cycle::page).post(cycle::change))
        .route("/me/{id}/card", get(card::draw))
        .route("/me/{id}/take", get(take::draw))
        .route("/me/{id}/take/readable", get(take::document))
        .route("/me/{id}/questions", get(questions::choose))
        .route("/me/{id}/questions/{asked}", get(questions::form).post(questions::save))
        .route("/me/{id}/import", get(import::form).post(import::take))
        .route("/manifest.webmanifest", get(offline::manifest))
        .route("/me-worker.js", get(offline::worker))
        .route("/me/{id}/offline", get(offline::draw))
        .route("/me/{id}/more", get(more::draw))
        .route("/me/{id}/add", get(entry::choose::choose))
        .route("/me/{id}/add/{kind}", get(entry::add::form).post(entry::add::save))
        .route("/me/{id}/entry/{type}/{rid}", get(entry::change::form).post(entry::change::save))
}
