//! A form that came when the session had ended: shown again with everything that was written, to be sent again.

use askama::Template;
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use crate::form::Form;
use crate::shell::{Shell, respond};

/// What is shorter is sent again and not shown.
const SHOWN: usize = 3;

#[derive(Template)]
#[template(path = "again.html")]
struct AgainPage {
    shell: Shell,
    /// Where the form goes.
    post: String,
    /// Every field, as it was sent.
    fields: Vec<(String, String)>,
    /// What somebody wrote.
    texts: Vec<String>,
    has_files: bool,
    is_cut: bool,
}

/// Answers who sent a form from a page of this hub and is signed in no more; lets all others through.
pub(crate) async fn instead(request: Request, next: Next) -> Response {
    if request.extensions().get::<auth::SignedOut>().is_none() {
        return next.run(request).await;
    }
    let Ok(form) = Form::from_request(request, &()).await;
    let Form { visit, fields, files, is_cut } = form;
    let is_secret = |name: &str| ["password", "secret", "code"].iter().any(|word| name.contains(word));
    let shown = fields.iter().filter(|(name, _)| !is_secret(name));
    let texts = shown.map(|(_, value)| value.trim()).filter(|text| text.chars().count() > SHOWN);
    let is_written = |text: &&str| text.contains(char::is_whitespace) || !text.is_ascii();
    let page = AgainPage {
        shell: Shell::of(&visit),
        post: crate::visit::address(&visit.path, &visit.pairs),
        texts: texts.filter(is_written).map(str::to_owned).collect(),
        has_files: files.iter().any(|file| !file.bytes.is_empty()),
        is_cut,
        fields,
    };
    respond(&visit, StatusCode::UNAUTHORIZED, &page)
}
