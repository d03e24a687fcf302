//! `/auth/invitation`: a link for one use, by which a passkey or password is set or the first operator comes in.

use std::sync::Arc;

use askama::Template;
use auth::{Accepted, Invitation, Kind, Refusal, SHORTEST_PASSWORD, Way};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use fluent_bundle::FluentValue;

use super::account::program;
use super::guest::Guest;
use super::{Desk, Start, away, away_with_password, enter, go, made_passkey, refused};
use crate::shell::{Shell, respond, respond_with_scripts};
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
    /// What the browser is asked, where it can make a passkey, and for which user.
    passkey: Option<String>,
    user: String,
    fault: Option<String>,
}

/// The rule a password has to keep.
pub(super) fn rule(words: Words) -> String {
    words.say_with("password-rule", &[("count", FluentValue::from(SHORTEST_PASSWORD))])
}

/// Who comes in by a link.
struct Invited {
    id: String,
    login: String,
    /// What the browser is asked, where it can make a passkey.
    passkey: Option<String>,
}

fn invited(desk: &Desk, guest: &Guest, invitation: &Invitation) -> Result<Invited, Refusal> {
    let auth = &desk.auth;
    let (id, login, name) = match invitation {
        Invitation::FirstOperator => (auth.new_user_id()?, guest.field("login").to_owned(), String::new()),
        Invitation::Password { user } => match auth.user(user)? {
            Some(user) => (user.id, user.login, user.name),
            None => return Err(Refusal::new(Kind::NotFound, "there is no such user")),
        },
    };
    let asked = auth.ask_for_new_passkey(&id, &login, &name, &guest.token())?;
    Ok(Invited { id, login, passkey: asked.map(|asked| asked.to_string()) })
}

fn show(
    desk: &Desk,
    guest: &Guest,
    secret: &str,
    invitation: &Invitation,
    fault: Option<String>,
) -> Response {
    let invited = match invited(desk, guest, invitation) {
        Ok(invited) => invited,
        Err(refusal) => return refused(&guest.visit, refusal),
    };
    let status = if fault.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let mut visit = guest.visit.clone();
    visit.pairs = vec![("secret".to_owned(), secret.to_owned())];
    let page = InvitationPage {
        shell: Shell::of(&visit),
        form: guest.token(),
        secret: secret.to_owned(),
        is_first_operator: *invitation == Invitation::FirstOperator,
        login: invited.login,
        name: guest.field("name").to_owned(),
        rule: rule(visit.words),
        passkey: invited.passkey,
        user: invited.id,
        fault,
    };
    guest.remember(match page.passkey {
        Some(_) => respond_with_scripts(&visit, status, &page, ""),
        None => respond(&visit, status, &page),
    })
}

/// Shows the form.
pub(super) async fn page((State(desk), guest): Start) -> Response {
    let secret = guest.visit.value("secret").unwrap_or_default().to_owned();
    let (auth, asked) = (Arc::clone(&desk.auth), secret.clone());
    match away(move || auth.invitation(&asked)).await {
        Ok(invitation) => show(&desk, &guest, &secret, &invitation, None),
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
        return show(&desk, &guest, &secret, &invitation, Some(words.say("sign-in-late")));
    }
    let (login, name) = (guest.field("login").to_owned(), guest.field("name").to_owned());
    let accepted = match made_passkey(&guest, &program(&guest.agent)) {
        Some(made) => Accepted::Passkey { login, name, user: guest.field("user").to_owned(), made },
        None if guest.field("password") != guest.field("again") => {
            return show(&desk, &guest, &secret, &invitation, Some(words.say("password-differs")));
        }
        None => Accepted::Password { login, name, password: guest.field("password").to_owned() },
    };
    let is_passkey = matches!(accepted, Accepted::Passkey { .. });
    let (auth, used) = (Arc::clone(&desk.auth), secret.clone());
    match away_with_password(move || auth.accept(&used, &accepted)).await {
        // Who has a second factor shows it first; a passkey is both.
        Ok(user) if user.has_totp() && !is_passkey => go("/auth/sign-in", &[]),
        Ok(user) => {
            // Which passkey it was is known from its first use on.
            let way = if is_passkey { Way::Passkey(String::new()) } else { Way::Password };
            let begun = enter::begin(&desk, &guest, user, way).await;
            enter::arrive(&desk, &guest, begun, "/auth/account")
        }
        Err(refusal) if refusal.kind == Kind::LoginRequired => {
            show(&desk, &guest, &secret, &invitation, Some(words.say("sign-in-late")))
        }
        Err(refusal) if is_passkey && refusal.kind == Kind::InvalidRequest && refusal.field.is_none() => {
            show(&desk, &guest, &secret, &invitation, Some(words.say("passkey-will-not-do")))
        }
        Err(refusal) if refusal.kind == Kind::InvalidRequest => {
            show(&desk, &guest, &secret, &invitation, Some(will_not_do(words, &refusal)))
        }
        Err(refusal) => refused(&guest.visit, refusal),
    }
}

/// That a name or password will not do, and why.
pub(super) fn will_not_do(words: Words, refusal: &Refusal) -> String {
    match refusal.field {
        Some("login") => words.say("login-rule"),
        Some("login-taken") => words.say("login-taken"),
        Some("passkey-known") => words.say("passkey-known"),
        Some("passkey-name") => words.say("passkey-name-rule"),
        Some("passkey-last") => words.say("passkey-last"),
        _ => format!("{} {}", words.say("password-weak"), rule(words)),
    }
}
