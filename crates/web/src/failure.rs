//! What goes wrong, as a page.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::shell::{Shell, respond};
use crate::visit::Visit;
use crate::words::Words;

/// Why a page cannot be shown.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is nothing at the address.
    NothingHere,
    /// There is no such person.
    NoSuchPerson,
    /// The person's record was deleted.
    Deleted,
    /// The person was not known at the moment asked for; the page that shows the present is at this path.
    NotKnownThen(String),
    /// The page is for others.
    NotFor,
    /// A date does not read.
    BadDate(String),
    /// The hub refuses or fails.
    Hub(hub::Failure),
    /// Nobody can be let in like this.
    Refused(auth::Refusal),
}

impl From<hub::Failure> for Failure {
    fn from(failure: hub::Failure) -> Failure {
        Failure::Hub(failure)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Failure {
        Failure::Hub(error.into())
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    shell: Shell,
    status: u16,
    title: String,
    explanation: String,
    detail: Option<String>,
    /// Where to go from here: address and words.
    way_out: (String, String),
}

impl Failure {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Failure::NothingHere | Failure::NoSuchPerson | Failure::NotKnownThen(_) => 404,
            Failure::NotFor => 403,
            Failure::Deleted => 410,
            Failure::BadDate(_) => 400,
            Failure::Hub(failure) => failure.kind.status(),
            Failure::Refused(refusal) => refusal.kind.status(),
        }
    }

    fn words(&self, words: Words) -> (String, String) {
        match self {
            Failure::NothingHere => (words.say("nothing-here"), words.say("nothing-here-why")),
            Failure::NoSuchPerson => (words.say("no-such-person"), words.say("no-such-person-why")),
            Failure::NotFor => (words.say("not-for"), words.say("not-for-why")),
            Failure::Deleted => (words.say("person-deleted"), words.say("person-deleted-why")),
            Failure::NotKnownThen(_) => (words.say("not-known-then"), words.say("not-known-then-why")),
            Failure::BadDate(_) => (words.say("bad-date"), words.say("bad-date-why")),
            Failure::Hub(failure) if failure.kind == hub::Kind::TooCostly => {
                (words.say("too-costly"), words.say("too-costly-why"))
            }
            Failure::Hub(failure) if failure.kind.status() < 500 => {
                (words.say("not-understood"), words.say("not-understood-why"))
            }
            Failure::Refused(refusal) if refusal.kind == auth::Kind::NotFound => {
                (words.say("link-used"), words.say("link-used-why"))
            }
            Failure::Refused(refusal) if refusal.kind.status() < 500 => {
                (words.say("app-refused"), words.say("app-refused-why"))
            }
            Failure::Hub(_) | Failure::Refused(_) => {
                (words.say("record-failed"), words.say("record-failed-why"))
            }
        }
    }

    /// What stands beside a form that was refused, and the status; another failure is a page of its own.
    pub(crate) fn on_form(self) -> Result<(String, StatusCode), Failure> {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST);
        match self {
            Failure::Refused(refusal) => Ok((refusal.description, status)),
            Failure::Hub(failure) => {
                let first = failure.issues.into_iter().next();
                Ok((first.map(|issue| issue.diagnostics).unwrap_or_default(), status))
            }
            other => Err(other),
        }
    }

    /// The failure as a page.
    pub(crate) fn page(self, visit: &Visit) -> Response {
        let words = visit.words;
        let (title, explanation) = self.words(words);
        let way_out = match &self {
            Failure::NotKnownThen(path) => (path.clone(), words.say("back-to-now")),
            Failure::BadDate(_) => (visit.path.clone(), words.say("back-to-now")),
            _ => ("/".to_owned(), words.say("back-home")),
        };
        let status = self.status();
        let detail = match self {
            Failure::BadDate(text) => Some(text.chars().take(60).collect()),
            Failure::Hub(failure) => failure.issues.first().map(|i| i.diagnostics.clone()),
            Failure::Refused(refusal) => Some(refusal.description),
            _ => None,
        };
        let page = FailurePage { shell: Shell::of(visit), status, title, explanation, detail, way_out };
        respond(visit, StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &page)
    }
}

/// Answers for an address where there is nothing.
pub(crate) async fn nothing_here(visit: Visit) -> Response {
    Failure::NothingHere.page(&visit)
}

/// Does work that waits for the disk, away from the threads that serve.
pub(crate) async fn away<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let stopped =
        |_| hub::Failure::new(hub::Kind::Internal, fhir::IssueType::Exception, "the work was interrupted");
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}
