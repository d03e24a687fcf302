//! `/me/{id}/more`: everything else.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::answer::show;
use super::frame::Frame;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;

/// Where else one may go: what follows the person's address, and the key of its name.
const PLACES: &[(&str, &str)] = &[
    ("/results", "results"),
    ("/cycle", "cycle"),
    ("/questions", "questions"),
    ("/sharing", "sharing"),
    ("/looked", "looked"),
    ("/card", "card"),
    ("/take", "take"),
    ("/import", "import"),
    ("/offline", "offline"),
];

#[derive(Template)]
#[template(path = "me/more.html")]
struct MorePage {
    shell: Shell,
    frame: Frame,
    /// Address, name, what is there.
    places: Vec<(String, String, String)>,
}

/// Answers with the page.
pub(super) async fn draw(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, |own| {
        let said = |family: &str, key: &str| own.words.say_code(family, key).unwrap_or_default();
        let place =
            |(rest, key): &(&str, &str)| (own.at(rest), said("me-place", key), said("me-place-why", key));
        Ok(MorePage {
            shell: Shell::of(&own.visit),
            frame: Frame::of(own, "more"),
            places: PLACES.iter().map(place).collect(),
        })
    })
    .await
}
