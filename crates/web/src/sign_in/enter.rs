//! `/auth/sign-in` and `/auth/sign-out`.

use std::sync::Arc;

use askama::Template;
use auth::{Kind, Refusal, SignIn, User};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use fluent_bundle::FluentValue;

use super::guest::{Guest, ended, written};
use super::{Desk, Start, away, away_with_password, go, origin, own_place};
use crate::shell::{Shell, respond_leading_to};
use crate::words::Words;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    shell: Shell,
    form: String,
    return_to: String,
    login: String,
    /// The first half of a sign-in, when a code is asked for.
    half: Option<String>,
    fault: Option<String>,
}

/// What went wrong, in the reader's words.
pub(super) fn in_words(words: Words, refusal: &Refusal) -> String {
    match (refusal.kind, refusal.retry_after) {
        (Kind::Throttled, Some(seconds)) => {
            words.say_with("sign-in-wait", &[("seconds", FluentValue::from(seconds))])
        }
        (Kind::ServerError, _) => words.say("hub-failed-why"),
        (Kind::LoginRequired, _) => words.say("sign-in-late"),
        _ => words.say("sign-in-wrong"),
    }
}

/// Where the form leads in the end, if that is an app.
fn leads_to(desk: &Desk, return_to: &str) -> String {
    let Some(query) = return_to.strip_prefix("/auth/authorize?") else { return String::new() };
    let pairs = search::query::split(query).unwrap_or_default();
    desk.auth.authorization(&pairs).map(|request| origin(&request.redirect_uri)).unwrap_or_default()
}

struct Shown<'a> {
    return_to: &'a str,
    login: &'a str,
    half: Option<String>,
    fault: Option<String>,
}

fn show(desk: &Desk, guest: &Guest, status: StatusCode, shown: Shown<'_>) -> Response {
    let mut visit = guest.visit.clone();
    // Also after the form was sent the page in the other language is this one.
    visit.pairs = vec![("return".to_owned(), shown.return_to.to_owned())];
    let page = SignInPage {
        shell: Shell::of(&visit),
        form: guest.token(),
        return_to: shown.return_to.to_owned(),
        login: shown.login.to_owned(),
        half: shown.half,
        fault: shown.fault,
    };
    let place = leads_to(desk, shown.return_to);
    guest.remember(respond_leading_to(&visit, status, &page, &place))
}

/// Shows the form.
pub(super) async fn page((State(desk), guest): Start) -> Response {
    let return_to = own_place(guest.visit.value("return").unwrap_or_default()).to_owned();
    let login: String = guest.visit.value("login").unwrap_or_default().chars().take(64).collect();
    show(
        &desk,
        &guest,
        StatusCode::OK,
        Shown { return_to: &return_to, login: &login, half: None, fault: None },
    )
}

/// Takes the form.
pub(super) async fn enter((State(desk), guest): Start) -> Response {
    let words = guest.visit.words;
    let return_to = own_place(guest.field("return")).to_owned();
    let (login, half) = (guest.field("login").to_owned(), guest.field("half").to_owned());
    if !guest.is_believed() {
        let fault = Some(words.say("sign-in-late"));
        let shown = Shown { return_to: &return_to, login: &login, half: None, fault };
        return show(&desk, &guest, StatusCode::BAD_REQUEST, shown);
    }
    let (auth, address) = (Arc::clone(&desk.auth), guest.address.clone());
    let tried = if half.is_empty() {
        let (login, password) = (login.clone(), guest.field("password").to_owned());
        away_with_password(move || auth.sign_in(&login, &password, &address)).await
    } else {
        let (half, code) = (half.clone(), guest.field("code").to_owned());
        away(move || auth.sign_in_with_code(&half, &code, &address).map(|user| SignIn::Done(Box::new(user))))
            .await
    };
    match tried {
        Ok(SignIn::Done(user)) => {
            let agent = guest.agent.clone();
            let session = match begin(&desk, &guest, *user, agent).await {
                Ok(session) => session,
                Err(refusal) => return super::refused(&guest.visit, refusal),
            };
            let cookie = written(desk.auth.session_cookie(), &session, desk.auth.is_secure());
            go(&return_to, &[cookie])
        }
        Ok(SignIn::CodeNeeded(half)) => {
            let shown = Shown { return_to: &return_to, login: &login, half: Some(half), fault: None };
            show(&desk, &guest, StatusCode::OK, shown)
        }
        Err(refusal) => {
            let status = match refusal.kind {
                Kind::Throttled => StatusCode::TOO_MANY_REQUESTS,
                Kind::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::FORBIDDEN,
            };
            let half = Some(half).filter(|h| !h.is_empty() && refusal.kind != Kind::LoginRequired);
            let fault = Some(in_words(words, &refusal));
            show(&desk, &guest, status, Shown { return_to: &return_to, login: &login, half, fault })
        }
    }
}

/// Begins a session; one that the browser had before ends.
pub(super) async fn begin(desk: &Desk, guest: &Guest, user: User, agent: String) -> Result<String, Refusal> {
    let (auth, address) = (Arc::clone(&desk.auth), guest.address.clone());
    let before = guest.signed_in.as_ref().map(|(session, user)| (user.id.clone(), session.id.clone()));
    away(move || {
        if let Some((user, session)) = before {
            auth.end_session(&user, &session)?;
        }
        auth.begin_session(&user, &address, &agent)
    })
    .await
}

/// Signs out.
pub(super) async fn leave((State(desk), guest): Start) -> Response {
    if let Some((session, user)) = &guest.signed_in
        && guest.is_believed()
    {
        let (auth, user, session) = (Arc::clone(&desk.auth), user.id.clone(), session.id.clone());
        if let Err(refusal) = away(move || auth.end_session(&user, &session)).await {
            return super::refused(&guest.visit, refusal);
        }
    }
    go("/auth/sign-in", &[ended(desk.auth.session_cookie(), desk.auth.is_secure())])
}
