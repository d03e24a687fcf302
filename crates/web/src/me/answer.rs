//! How a page of a person is asked for and answered.

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use fhir::IssueType;
use hub::Kind;

use super::own::Own;
use crate::audit::audited;
use crate::failure::Failure;
use crate::form::Form;
use crate::shell::respond_with_scripts;
use crate::site::Site;
use crate::visit::Visit;

/// What a form that was sent leads to.
pub(super) enum Answer<T> {
    /// Another page.
    Go(String),
    /// The form again, with what is to be seen to.
    Again(T),
}

/// Answers with a page.
pub(super) async fn show<T: Template + Send + 'static>(
    site: Site,
    visit: Visit,
    id: String,
    draw: impl FnOnce(&Own) -> Result<T, Failure> + Send + 'static,
) -> Response<Body> {
    let asked = visit.clone();
    let target = format!("Patient/{id}");
    let drawn =
        audited(site.hub, &visit, target, move |hub, access| draw(&Own::open(hub, access, asked, &id)?));
    match drawn.await {
        Ok(page) => respond_with_scripts(&visit, StatusCode::OK, &page, ""),
        Err(failure) => failure.page(&visit),
    }
}

/// Does what a form asks for.
pub(super) async fn act<T: Template + Send + 'static>(
    site: Site,
    form: Form,
    id: String,
    work: impl FnOnce(&Own, &Form) -> Result<Answer<T>, Failure> + Send + 'static,
) -> Response<Body> {
    let visit = form.visit.clone();
    if form.is_cut {
        let why = visit.words.say("form-cut");
        return Failure::from(hub::Failure::new(Kind::TooLarge, IssueType::TooLong, why)).page(&visit);
    }
    let asked = visit.clone();
    let target = format!("Patient/{id}");
    let done = audited(site.hub, &visit, target, move |hub, access| {
        work(&Own::open(hub, access, asked, &id)?, &form)
    });
    match done.await {
        Ok(Answer::Go(place)) => go(&place),
        Ok(Answer::Again(page)) => respond_with_scripts(&visit, StatusCode::UNPROCESSABLE_ENTITY, &page, ""),
        Err(failure) => failure.page(&visit),
    }
}

/// Sends the browser to another page of this hub.
pub(super) fn go(place: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::LOCATION, HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/me")));
    response
}
