//! `/clinic`: what a clinician sees of a patient, and writes.
//!
//! * [`list`]: today's list, drafts that wait, and finding a patient.
//! * [`chart`]: one screen for one patient, now or as it was known on any day.
//! * [`write`]: notes, problems, prescriptions, …, each a short form beside the chart, kept as a draft at every keystroke.
//! * [`codes`]: finding codes by a few letters.
//! * [`act`]: what is done to what stands there: resolving, stopping, telling the patient.
//! * [`print`]: the referral letter and the summary, on paper.

mod act;
mod chart;
mod codes;
mod drafts;
mod kind;
mod list;
mod note;
mod present;
mod print;
mod renew;
mod results;
mod safety;
mod write;

use axum::Router;
use axum::routing::{get, post};

use crate::drafts::Writer;
use crate::site::Site;
use crate::visit::Visit;

/// The pages of a clinician.
pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/clinic", get(list::list))
        .route("/clinic/codes", get(codes::codes))
        .route("/clinic/{id}", get(chart::chart))
        .route("/clinic/{id}/trends", get(chart::trends))
        .route("/clinic/{id}/write/{kind}", get(write::page).post(write::post))
        .route("/clinic/{id}/draft/{kind}", get(drafts::look).post(drafts::save))
        .route("/clinic/{id}/check", post(write::check))
        .route("/clinic/{id}/renew", get(renew::page).post(renew::post))
        .route("/clinic/{id}/act", post(act::act))
        .route("/clinic/{id}/summary", get(print::summary))
        .route("/clinic/{id}/letter/{order}", get(print::letter))
}

/// Whether a visit is by somebody who treats patients; in an open hub everybody may try.
pub(crate) fn is_clinician(visit: &Visit) -> bool {
    visit.access.is_none() || visit.has_role("clinician") || visit.has_role("pharmacist")
}

/// Who writes.
fn writer(visit: &Visit) -> Writer {
    let id = visit.subject().and_then(|subject| subject.user.clone()).unwrap_or_default();
    let name = visit.name.clone().unwrap_or_else(|| visit.words.say("somebody-here"));
    Writer { id, name }
}
