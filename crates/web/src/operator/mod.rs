//! `/hub`: the hub's own state, and what those who run it do.
//!
//! * [`state`]: how it does: rates, latency, what is taken of machine and lanes.
//! * [`jobs`]: long work: how far, stopping it, what it refused.
//! * [`users`], [`clients`]: who may sign in, and which apps there are.
//! * [`audit`]: who did what.
//! * [`directory`]: organisations, places, people who work there.
//! * [`flow`]: what happens in the institutions, in numbers.
//! * [`indicators`]: what is computed from the record itself.
//! * [`releases`]: figures that everyone may read, published and withdrawn.
//! * [`policies`]: the rules, and what others would change.
//!
//! Those who run a hub see no person's record: what these pages say of persons is numbers. A page acts for who is signed
//! in to the hub's own pages; an app with a token of an operator's does not get here.

mod audit;
mod clients;
mod directory;
mod flow;
mod indicators;
mod jobs;
mod map;
mod policies;
mod releases;
mod state;
mod users;

pub(crate) use audit::cell;
pub(crate) use indicators::Figure;
pub use state::LAST_BACKUP;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use fhir::IssueType;
use hub::Kind;

use crate::failure::Failure;
use crate::site::Site;
use crate::visit::Visit;

/// The pages of an operator.
pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/hub", get(state::state))
        .route("/hub/jobs", get(jobs::list))
        .route("/hub/jobs/{id}", get(jobs::one).post(jobs::resubmit))
        .route("/hub/jobs/{id}/stop", post(jobs::stop))
        .route("/hub/users", get(users::list).post(users::act))
        .route("/hub/clients", get(clients::list).post(clients::act))
        .route("/hub/audit", get(audit::page))
        .route("/hub/audit.csv", get(audit::csv))
        .route("/hub/directory", get(directory::page))
        .route("/hub/flow", get(flow::page))
        .route("/hub/indicators", get(indicators::page))
        .route("/hub/indicators/{id}", get(indicators::detail))
        .route("/hub/releases", get(releases::page).post(releases::publish))
        .route("/hub/releases/{number}/withdraw", post(releases::withdraw))
        .route("/hub/policies", get(policies::page).post(policies::preview))
}

/// Whether a visit has a role here, by somebody at the pages and no app; in an open hub everybody has.
fn is_for(visit: &Visit, roles: &[&str]) -> bool {
    let is_person = |subject: &access::Subject| subject.client.is_none() && subject.scopes.is_none();
    visit.access.is_none()
        || (visit.subject().is_some_and(is_person) && roles.iter().any(|role| visit.has_role(role)))
}

/// Whether a visit is by somebody who runs the hub.
fn runs_the_hub(visit: &Visit) -> bool {
    is_for(visit, &["operator"])
}

/// A page of these.
#[derive(Debug)]
struct Place {
    address: &'static str,
    name: String,
    is_here: bool,
}

/// The pages that are for a visit.
fn places(visit: &Visit) -> Vec<Place> {
    let all: [(&str, &str, &[&str]); 10] = [
        ("/hub", "hub-state", &["operator"]),
        ("/hub/flow", "hub-flow", &["operator"]),
        ("/hub/indicators", "hub-indicators", &["operator"]),
        ("/hub/releases", "hub-publish", &["operator"]),
        ("/hub/jobs", "hub-jobs", &["operator"]),
        ("/hub/users", "hub-users", &["operator"]),
        ("/hub/clients", "hub-clients", &["operator"]),
        ("/hub/directory", "hub-directory", &["operator"]),
        ("/hub/policies", "hub-policies", &["operator"]),
        ("/hub/audit", "hub-audit", &["operator", "auditor"]),
    ];
    let place = |(address, key, _): (&'static str, &str, &[&str])| {
        let rest = visit.path.strip_prefix(address);
        let is_within =
            rest.is_some_and(|rest| rest.is_empty() || (address != "/hub" && rest.starts_with('/')));
        Place { address, name: visit.words.say(key), is_here: is_within }
    };
    all.into_iter().filter(|(_, _, roles)| is_for(visit, roles)).map(place).collect()
}

/// Leads to another page.
fn go(place: &str) -> Response {
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/hub"));
    let headers = [(header::LOCATION, place), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// What was sent cannot be done.
pub(crate) fn refused(why: impl Into<String>) -> Failure {
    hub::Failure::new(Kind::Invalid, IssueType::Invalid, why).into()
}
