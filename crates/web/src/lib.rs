//! Pages: what the hub holds, finding people, a chart.
//!
//! Every page is drawn on the server, whole, from one state of the record, and works without a script. A chart is SVG
//! in the page; its labels are HTML beside it, so that they grow with the reader's letters and a drawing may be
//! stretched to any width without stretching a word. Time runs along the same ten columns in every drawing of a chart,
//! as on a line map: what stands above each other happened together.
//!
//! * [`language`], [`words`]: Japanese and English; no sentence stands in code or templates.
//! * [`home`], [`people`], [`chart`]: the three pages. Each asks `hub` directly and never HTTP.
//! * [`published`]: figures for everyone, at fixed releases.
//! * [`sign_in`]: where people sign in, allow apps what these ask for, and see what they allowed.
//! * [`me`]: what a person sees of their own record, adds to it, shares and decides.
//! * [`failure`]: everything that goes wrong is a page too, with the right status.
//!
//! Design not chosen: a client-side application on top of REST. It would show nothing before megabytes of script have
//! run, would need the record's rules a second time, and could not be printed or read aloud as it is. Also not chosen: a
//! charting library; the drawings here are a few hundred lines that are tested as numbers.
//!
//! A page of people's data is never cached, and its content security policy allows nothing but this hub's own files.

mod again;
mod assets;
mod audit;
mod bedside;
mod birth_date;
mod calendar;
mod chart;
mod clinic;
mod concept;
mod drafts;
mod failure;
mod form;
mod home;
mod language;
mod me;
mod operator;
mod people;
mod person;
mod published;
mod quantity;
mod record;
mod shell;
mod sign_in;
mod site;
mod visit;
mod words;
mod writing;

use axum::Router;
use axum::routing::get;
pub use drafts::erase_drafts;
pub use operator::LAST_BACKUP;
pub use quantity::grouped;
pub use sign_in::sign_in_pages;
pub use site::Site;

/// The pages of a hub.
pub fn pages(site: Site) -> Router {
    Router::new()
        .route("/", get(home::home))
        .route("/people", get(people::people))
        .route("/figures", get(published::newest))
        .route("/figures/{name}", get(published::one))
        .route("/patients/{id}", get(chart::chart))
        .route("/assets/{name}", get(assets::asset))
        .merge(me::routes())
        .merge(clinic::routes())
        .merge(operator::routes())
        .fallback(failure::nothing_here)
        .layer(axum::middleware::from_fn(again::instead))
        .with_state(site)
}
