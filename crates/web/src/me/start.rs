//! `/me`: leads somebody to their own record, or to that of whom they act for; in an open hub to whomever is looked up.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hub::{Access, Hub};

use super::answer::go;
use crate::audit::audited;
use crate::calendar::today;
use crate::failure::Failure;
use crate::people;
use crate::person::Person;
use crate::record::Record;
use crate::shell::{Shell, respond_with_scripts};
use crate::site::Site;
use crate::visit::Visit;

/// Characters taken from the box.
const MOST_CHARACTERS: usize = 120;

#[derive(Template)]
#[template(path = "me/start.html")]
struct StartPage {
    shell: Shell,
    /// Whether anybody may be looked up.
    is_open: bool,
    sought: String,
    people: Vec<Person>,
}

fn page(hub: Hub, access: Access, visit: &Visit) -> Result<StartPage, Failure> {
    let sought: String = visit.value("q").unwrap_or_default().chars().take(MOST_CHARACTERS).collect();
    let record = Record::of(hub, access, None);
    let patients = match visit.subject() {
        None if sought.is_empty() => Vec::new(),
        None => people::found(&record, &sought, 30)?.resources,
        Some(subject) => {
            let read = subject.proxied.iter().take(30).map(|id| record.read("Patient", id));
            read.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
        }
    };
    let zone = record.hub.zone();
    let on = today(zone);
    Ok(StartPage {
        people: patients.iter().map(|p| Person::read(p.root(), on, zone, visit.words)).collect(),
        is_open: visit.subject().is_none(),
        sought,
        shell: Shell::of(visit),
    })
}

/// Answers with the person's own page, or with whose there are.
pub(super) async fn start(State(site): State<Site>, visit: Visit) -> Response {
    if let Some(subject) = visit.subject() {
        let only = subject.patient.as_ref().or(match subject.proxied.as_slice() {
            [only] => Some(only),
            _ => None,
        });
        if let Some(id) = only {
            return go(&format!("/me/{id}"));
        }
    }
    let asked = visit.clone();
    match audited(site.hub, &visit, "Patient".to_owned(), move |hub, access| page(hub, access, &asked)).await
    {
        Ok(page) => respond_with_scripts(&visit, StatusCode::OK, &page, ""),
        Err(failure) => failure.page(&visit),
    }
}
