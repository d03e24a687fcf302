//! `/me/{id}/add`: what can be entered.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::kind::KINDS;
use crate::failure::Failure;
use crate::me::answer::show;
use crate::me::frame::Frame;
use crate::me::own::Own;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;

/// A kind that may be chosen.
pub(in crate::me) struct Choice {
    pub(in crate::me) key: &'static str,
    pub(in crate::me) address: String,
    pub(in crate::me) name: String,
}

#[derive(Template)]
#[template(path = "me/choose.html")]
struct ChoosePage {
    shell: Shell,
    frame: Frame,
    choices: Vec<Choice>,
    /// Where files of measurements are taken in; only for who may.
    import: String,
    questions: String,
}

/// The kinds that may be entered here, at most so many.
pub(in crate::me) fn choices(own: &Own, most: usize) -> Vec<Choice> {
    let may = KINDS.iter().filter(|kind| own.may_write(kind.type_name()));
    let choice = |kind: &super::kind::Kind| Choice {
        key: kind.key,
        address: own.at(&format!("/add/{}", kind.key)),
        name: own.words.say_code("me-entry", kind.key).unwrap_or_default(),
    };
    may.take(most).map(choice).collect()
}

fn page(own: &Own) -> Result<ChoosePage, Failure> {
    Ok(ChoosePage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "add"),
        choices: choices(own, KINDS.len()),
        import: own.at("/import"),
        questions: own.at("/questions"),
    })
}

/// Answers with the page.
pub(in crate::me) async fn choose(
    State(site): State<Site>,
    Path(id): Path<String>,
    visit: Visit,
) -> Response {
    show(site, visit, id, page).await
}
