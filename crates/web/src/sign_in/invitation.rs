//! `/auth/invitation`: a link for one use, by which a password is set or the first operator comes in.

use std::sync::Arc;

use askama::Template;
use auth::{Invitation, Kind, Refusal, SHORTEST_PASSWORD};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use fluent_bundle::FluentValue;

use super::guest::{Guest, written};
use super::{Start, away, away_with_password, enter, go, refused};
use crate::shell::{Shell, respond};
use crate::words::Words;

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage {
    shell: Shell,
    form: String,
    secret: String,
    is_first_operator: bool,
    login: String,
    name: String,
    rule: String,
    fault: Option<String>,
}

/// The rule a password has to keep.
pub(super) fn rule(words: Words) -> String {
    words.say_with("password-rule", &[("count", FluentValue::from(SHORTEST_PASSWORD))])
}

fn show(guest: &Guest, secret: &str, invitation: &Invitation, fault: Option<String>) -> Response {
    let status = if fault.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let mut visit = guest.visit.clone();
    visit.pairs = vec![("secret".to_owned(), secret.to_owned())];
    let page = InvitationPage {
        shell: Shell::of(&visit),
        form: guest.token(),
        secret: secret.to_owned(),
        is_first_operator: *invitation == Invitation::FirstOperator,
        login: guest.field("login").to_owned(),
        name: guest.field("name").to_owned(),
        rule: rule(visit.words),
        fault,
    };
    guest.remember(respond(&visit, status, &page))
}

/// Shows the form.
pub(super) async fn page((State(desk), guest): Start) -> Response {
    let secret = guest.visit.value("secret").unwrap_or_default().to_owned();
    let (auth, asked) = (Arc::clone(&desk.auth), secret.clone());
    match away(move || auth.invitation(&asked)).await {
        Ok(invitation) => show(&guest, &secret, &invitation, None),
        Err(refusal) => refused(&guest.visit, refusal),
    }
}

/// Takes the form; whoever comes by it is signed in.
pub(super) async fn accept((State(desk), guest): Start) -> Response {
    let words = guest.visit.words;
    let secret = guest.field("secret").to_owned();
    let (auth, asked) = (Arc::clone(&desk.auth), secret.clone());
    let invitation = match away(move || auth.invitation(&asked)).await {
        Ok(invitation) => invitation,
        Err(refusal) => return refused(&guest.visit, refusal),
    };
    if !guest.is_believed() {
        return show(&guest, &secret, &invitation, Some(words.say("sign-in-late")));
    }
    let (password, again) = (guest.field("password").to_owned(), guest.field("again").to_owned());
    if password != again {
        return show(&guest, &secret, &invitation, Some(words.say("password-differs")));
    }
    let auth = Arc::clone(&desk.auth);
    let (login, name, used) =
        (guest.field("login").to_owned(), guest.field("name").to_owned(), secret.clone());
    let accepted = away_with_password(move || auth.accept(&used, &login, &name, &password)).await;
    match accepted {
        // Who has a second factor shows it first.
        Ok(user) if user.has_totp() => go("/auth/sign-in", &[]),
        Ok(user) => match enter::begin(&desk, &guest, user, guest.agent.clone()).await {
            Ok(session) => {
                let cookie = written(desk.auth.session_cookie(), &session, desk.auth.is_secure());
                go("/auth/account", &[cookie])
            }
            Err(refusal) => refused(&guest.visit, refusal),
        },
        Err(refusal) if refusal.kind == Kind::InvalidRequest => {
            show(&guest, &secret, &invitation, Some(will_not_do(words, &refusal)))
        }
        Err(refusal) => refused(&guest.visit, refusal),
    }
}

/// That a name or password will not do, and why.
pub(super) fn will_not_do(words: Words, refusal: &Refusal) -> String {
    match refusal.field {
        Some("login") => words.say("login-rule"),
        Some("login-taken") => words.say("login-taken"),
        _ => format!("{} {}", words.say("password-weak"), rule(words)),
    }
}
