//! `/auth/sign-in` and `/auth/sign-out`.

use std::sync::Arc;

use askama::Template;
use auth::{Kind, Refusal, ShownPasskey, SignIn, User, Way};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use fluent_bundle::FluentValue;

use super::guest::{Guest, ended, written};
use super::{Desk, Start, away, away_with_password, go, origin, own_place};
use crate::shell::{Shell, respond_leading_to, respond_with_scripts};
use crate::visit::address;
use crate::words::Words;

/// A provider where people sign in too.
struct Elsewhere {
    /// What its button says, and where it leads.
    sign_in: String,
    place: String,
    /// What the link to sign out there says.
    leave: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    shell: Shell,
    form: String,
    return_to: String,
    login: String,
    /// The first half of a sign-in, when a code is asked for.
    half: Option<String>,
    /// What the browser is asked, where it may have a passkey.
    passkey: Option<String>,
    /// Where people sign in too.
    outside: Option<Elsewhere>,
    /// Whether somebody signed out who is still signed in there.
    has_left: bool,
    fault: Option<String>,
}

/// What went wrong, in the reader's words.
pub(super) fn in_words(words: Words, refusal: &Refusal) -> String {
    match (refusal.kind, refusal.retry_after) {
        (Kind::Throttled, Some(seconds)) => {
            words.say_with("sign-in-wait", &[("seconds", FluentValue::from(seconds))])
        }
        (Kind::ServerError, _) => words.say("record-failed-why"),
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
    // Also after a form was sent, or somebody came back, the page in the other language is this one.
    visit.path = "/auth/sign-in".to_owned();
    visit.pairs = vec![("return".to_owned(), shown.return_to.to_owned())];
    // Without entropy there is the password.
    let asked = desk.auth.ask_for_passkey(&guest.token()).ok().flatten();
    let outside = desk.auth.outside_name().map(|name| {
        let named = |what: &str| visit.words.say_with(what, &[("name", FluentValue::from(name))]);
        let back = [("return".to_owned(), shown.return_to.to_owned())];
        Elsewhere {
            sign_in: named("outside-sign-in"),
            place: address("/auth/outside/begin", &back),
            leave: named("outside-leave"),
        }
    });
    let page = SignInPage {
        shell: Shell::of(&visit),
        form: guest.token(),
        return_to: shown.return_to.to_owned(),
        login: shown.login.to_owned(),
        passkey: asked.map(|asked| asked.to_string()).filter(|_| shown.half.is_none()),
        outside: outside.filter(|_| shown.half.is_none()),
        has_left: guest.visit.value("left").is_some(),
        half: shown.half,
        fault: shown.fault,
    };
    let place = leads_to(desk, shown.return_to);
    guest.remember(match page.passkey {
        Some(_) => respond_with_scripts(&visit, status, &page, &place),
        None => respond_leading_to(&visit, status, &page, &place),
    })
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
            let begun = begin(&desk, &guest, *user, Way::Password).await;
            arrive(&desk, &guest, begun, &return_to)
        }
        Ok(SignIn::CodeNeeded(half)) => {
            let shown = Shown { return_to: &return_to, login: &login, half: Some(half), fault: None };
            show(&desk, &guest, StatusCode::OK, shown)
        }
        Err(refusal) => {
            let status = status_of(&refusal);
            let half = Some(half).filter(|h| !h.is_empty() && refusal.kind != Kind::LoginRequired);
            let fault = Some(in_words(words, &refusal));
            show(&desk, &guest, status, Shown { return_to: &return_to, login: &login, half, fault })
        }
    }
}

fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal.kind {
        Kind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        Kind::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::FORBIDDEN,
    }
}

/// Shows the sign-in page with what went wrong elsewhere.
pub(super) fn show_refusal(desk: &Desk, guest: &Guest, return_to: &str, refusal: &Refusal) -> Response {
    let words = guest.visit.words;
    let fault = match refusal.field {
        Some("outside") => words.say("outside-failed"),
        _ => in_words(words, refusal),
    };
    let shown = Shown { return_to: own_place(return_to), login: "", half: None, fault: Some(fault) };
    show(desk, guest, status_of(refusal), shown)
}

/// Takes a passkey.
pub(super) async fn enter_by_passkey((State(desk), guest): Start) -> Response {
    let words = guest.visit.words;
    let return_to = own_place(guest.field("return")).to_owned();
    let again = |status: StatusCode, fault: String| {
        let shown = Shown { return_to: &return_to, login: "", half: None, fault: Some(fault) };
        show(&desk, &guest, status, shown)
    };
    if !guest.is_believed() {
        return again(StatusCode::BAD_REQUEST, words.say("sign-in-late"));
    }
    let field = |name: &str| guest.field(name).to_owned();
    let shown = ShownPasskey {
        credential: field("credential"),
        client_data: field("client-data"),
        authenticator_data: field("authenticator-data"),
        signature: field("signature"),
        user_handle: field("user-handle"),
        browser: guest.token(),
    };
    let (auth, address) = (Arc::clone(&desk.auth), guest.address.clone());
    match away(move || auth.sign_in_with_passkey(&shown, &address)).await {
        Ok((user, passkey)) => {
            let begun = begin(&desk, &guest, user, Way::Passkey(passkey)).await;
            arrive(&desk, &guest, begun, &return_to)
        }
        Err(refusal) => {
            let fault = match refusal.kind {
                Kind::AccessDenied | Kind::InvalidRequest => words.say("passkey-refused"),
                _ => in_words(words, &refusal),
            };
            again(status_of(&refusal), fault)
        }
    }
}

/// Leads whoever is signed in to where they wanted.
pub(super) fn arrive(desk: &Desk, guest: &Guest, begun: Result<String, Refusal>, place: &str) -> Response {
    match begun {
        Ok(session) => go(place, &[written(desk.auth.session_cookie(), &session, desk.auth.is_secure())]),
        Err(refusal) => super::refused(&guest.visit, refusal),
    }
}

/// Begins a session; one that the browser had before ends.
pub(super) async fn begin(desk: &Desk, guest: &Guest, user: User, way: Way) -> Result<String, Refusal> {
    let (auth, address, agent) = (Arc::clone(&desk.auth), guest.address.clone(), guest.agent.clone());
    let before = guest.signed_in.as_ref().map(|(session, user)| (user.id.clone(), session.id.clone()));
    away(move || {
        if let Some((user, session)) = before {
            auth.end_session(&user, &session)?;
        }
        auth.begin_session(&user, &address, &agent, way)
    })
    .await
}

/// Signs out; a form of another site signs nobody out.
pub(super) async fn leave((State(desk), guest): Start) -> Response {
    if let Some((session, user)) = &guest.signed_in {
        if !guest.is_believed() {
            return go("/auth/account", &[]);
        }
        let (auth, user, session) = (Arc::clone(&desk.auth), user.id.clone(), session.id.clone());
        if let Err(refusal) = away(move || auth.end_session(&user, &session)).await {
            return super::refused(&guest.visit, refusal);
        }
    }
    let was_outside = guest.signed_in.as_ref().is_some_and(|(session, _)| session.way == Way::Outside);
    let place = if was_outside { "/auth/sign-in?left=outside" } else { "/auth/sign-in" };
    let mut response = go(place, &[ended(desk.auth.session_cookie(), desk.auth.is_secure())]);
    // Whatever pages kept on the device is gone with the session.
    response.headers_mut().insert("clear-site-data", axum::http::HeaderValue::from_static("\"storage\""));
    response
}
