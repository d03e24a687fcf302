//! `/auth/account`: where one is signed in, what apps one allowed what, one's passkeys, password and second factor.

use std::sync::Arc;

use askama::Template;
use auth::{Auth, Grant, Kind, Passkey, Refusal, SecondFactor, Session, User};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use search::Zone;

use super::guest::Guest;
use super::wording::{Line, lines};
use super::{Desk, Start, away, away_with_password, go, invitation, made_passkey, own_place, refused};
use crate::calendar::written_moment;
use crate::shell::{Shell, respond, respond_with_scripts};
use crate::visit::address;
use crate::words::Words;

/// What sets a second factor up.
const SETS_UP: &[&str] = &["begin-code", "confirm-code", "add-passkey"];

/// A session, as it is shown.
struct SessionLine {
    id: String,
    agent: String,
    address: String,
    began: String,
    seen: String,
    is_this: bool,
}

/// What an app was allowed, as it is shown.
struct GrantLine {
    id: String,
    name: String,
    since: String,
    patient: Option<String>,
    lines: Vec<Line>,
}

/// A passkey, as it is shown.
struct PasskeyLine {
    id: String,
    name: String,
    created: String,
    used: Option<String>,
    is_synced: bool,
    is_suspect: bool,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    shell: Shell,
    form: String,
    name: String,
    login: String,
    roles: Vec<String>,
    sessions: Vec<SessionLine>,
    grants: Vec<GrantLine>,
    /// Whether an outside provider is the only way in.
    is_managed: bool,
    /// Whether passkeys can be made here.
    has_passkeys: bool,
    passkeys: Vec<PasskeyLine>,
    /// What the browser is asked, where it can make a further one now.
    passkey: Option<String>,
    /// What a new one may be called.
    device: String,
    /// Whether ways in may be changed: not in a browser that was left open.
    is_fresh: bool,
    has_password: bool,
    has_code: bool,
    /// Secret and address of a second factor that is being set up.
    new_code: Option<(String, String)>,
    /// Recovery codes, shown this once.
    recovery: Vec<String>,
    left: usize,
    rule: String,
    said: Option<String>,
    fault: Option<String>,
    /// Whether this is all the user may do before a second factor is shown, and whether it can be set up here.
    is_all: bool,
    may_set_up: bool,
    /// Where the forms lead: here, with the place to go on to.
    here: String,
    /// Where to go on to, when all is done.
    onward: Option<String>,
}

/// What is told after something was done.
#[derive(Default)]
struct Told {
    new_code: Option<(String, String)>,
    recovery: Vec<String>,
    said: Option<String>,
    fault: Option<String>,
}

fn drawn(desk: &Desk, guest: &Guest, told: Told) -> Result<AccountPage, Refusal> {
    let words = guest.visit.words;
    let (auth, zone) = (&desk.auth, Zone::named(desk.zone));
    let Some((own, user)) = &guest.signed_in else {
        return Err(Refusal::new(Kind::LoginRequired, "nobody is signed in"));
    };
    // As it is now, not as it was before what was just done.
    let user = auth.user(&user.id)?.unwrap_or_else(|| user.clone());
    let written = |seconds: u64| {
        let micros = i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000);
        zone.as_ref().map(|zone| written_moment(micros, zone, words)).unwrap_or_default()
    };
    let session = |session: Session| SessionLine {
        is_this: session.id == own.id,
        agent: program(&session.agent),
        address: session.address,
        began: written(session.began),
        seen: written(session.seen),
        id: session.id,
    };
    let grant = |auth: &Auth, grant: Grant| -> Result<GrantLine, Refusal> {
        let name = auth.client(&grant.client)?.map_or(grant.client, |client| client.name);
        let scopes = auth::scope::Scopes::read(&grant.scopes).0;
        Ok(GrantLine {
            id: grant.id,
            name,
            since: written(grant.created),
            patient: grant.patient.filter(|p| Some(p) != user.patient.as_ref()),
            lines: lines(words, &scopes),
        })
    };
    let passkey = |own: Passkey| PasskeyLine {
        id: own.id,
        name: own.name,
        created: written(own.created),
        used: own.used.map(written),
        is_synced: own.is_synced,
        is_suspect: own.is_suspect,
    };
    let own = auth.sessions(&user.id)?.into_iter().find(|s| s.id == own.id).unwrap_or_else(|| own.clone());
    let needed = auth.second_factor(&user, &own)?;
    let place = guest.visit.value("return").map(own_place);
    let here = place.map(|place| address("/auth/account", &[("return".to_owned(), place.to_owned())]));
    let is_fresh = auth.is_fresh(&own);
    let asked = match is_fresh && !user.is_managed && needed != SecondFactor::ToShow {
        true => auth.ask_for_new_passkey(&user.id, &user.login, &user.name, &guest.token())?,
        false => None,
    };
    let role = |role: &String| words.say_code("role", role).unwrap_or_else(|| role.clone());
    Ok(AccountPage {
        shell: Shell::of(&guest.visit),
        form: guest.token(),
        roles: user.roles.iter().map(role).collect(),
        sessions: auth.sessions(&user.id)?.into_iter().map(session).collect(),
        grants: auth.grants(&user.id)?.into_iter().map(|g| grant(auth, g)).collect::<Result<_, _>>()?,
        is_managed: user.is_managed,
        has_passkeys: auth.relying_party().is_some() && !user.is_managed,
        passkeys: auth.passkeys(&user.id)?.into_iter().map(passkey).collect(),
        passkey: asked.map(|asked| asked.to_string()),
        device: program(&guest.agent),
        is_fresh,
        has_password: user.has_password(),
        has_code: user.has_totp(),
        left: user.recovery_codes(),
        new_code: told.new_code,
        recovery: told.recovery,
        rule: invitation::rule(words),
        said: told.said,
        fault: told.fault.or_else(|| to_do(words, needed)),
        is_all: needed != SecondFactor::Done,
        may_set_up: matches!(needed, SecondFactor::Done | SecondFactor::ToSetUp),
        here: here.unwrap_or_else(|| "/auth/account".to_owned()),
        onward: place.filter(|_| needed == SecondFactor::Done).map(str::to_owned),
        name: user.name.clone(),
        login: user.login.clone(),
    })
}

/// What has to be done before anything else.
fn to_do(words: Words, needed: SecondFactor) -> Option<String> {
    let name = match needed {
        SecondFactor::Done => return None,
        SecondFactor::ToSetUp => "factor-to-set-up",
        SecondFactor::ToShow => "factor-to-show",
        SecondFactor::ToShowElsewhere => "factor-to-show-elsewhere",
    };
    Some(words.say(name))
}

/// The name in what a browser says of itself.
pub(super) fn program(agent: &str) -> String {
    let known = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    let name = known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| (*name).to_owned());
    name.unwrap_or_else(|| agent.chars().take(40).collect())
}

/// Shows the page.
pub(super) async fn page((State(desk), guest): Start) -> Response {
    show(desk, guest, Told::default()).await
}

async fn show(desk: Desk, guest: Guest, told: Told) -> Response {
    if guest.signed_in.is_none() {
        return go("/auth/sign-in?return=%2Fauth%2Faccount", &[]);
    }
    let status = if told.fault.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let visit = guest.visit.clone();
    match away(move || drawn(&desk, &guest, told)).await {
        Ok(page) if page.passkey.is_some() => respond_with_scripts(&visit, status, &page, ""),
        Ok(page) => respond(&visit, status, &page),
        Err(refusal) => refused(&visit, refusal),
    }
}

/// Does what one of the page's forms asks.
pub(super) async fn change((State(desk), guest): Start) -> Response {
    let words = guest.visit.words;
    let Some((session, user)) = guest.signed_in.clone() else { return page((State(desk), guest)).await };
    let is_fresh = desk.auth.is_fresh(&session);
    let is_passkey = guest.field("action").ends_with("-passkey");
    if !guest.is_believed() {
        let told = Told { fault: Some(words.say("sign-in-late")), ..Told::default() };
        return show(desk, guest, told).await;
    }
    let field = |name: &str| guest.field(name).to_owned();
    let needed = match desk.auth.second_factor(&user, &session) {
        Ok(needed) => needed,
        Err(refusal) => return refused(&guest.visit, refusal),
    };
    let (auth, id, address) = (Arc::clone(&desk.auth), field("id"), guest.address.clone());
    let done = match guest.field("action") {
        // Before a second factor is shown there is nothing but setting one up; and whoever has one does not set up another by the
        // password alone.
        action
            if needed != SecondFactor::Done
                && (needed != SecondFactor::ToSetUp || !SETS_UP.contains(&action)) =>
        {
            Ok(Told { fault: to_do(words, needed), ..Told::default() })
        }
        // Whoever is let go at the provider is gone here: there is no other way in.
        "add-passkey" | "password" | "begin-code" | "confirm-code" if user.is_managed => {
            Ok(Told { fault: Some(words.say("managed-elsewhere")), ..Told::default() })
        }
        "end-session" => away(move || auth.end_session(&user.id, &id).map(|()| Told::default())).await,
        "end-grant" => away(move || end_grant(&auth, &user, &id)).await,
        "begin-code" => {
            away(move || Ok(Told { new_code: Some(auth.begin_totp(&user.id)?), ..Told::default() })).await
        }
        "confirm-code" => {
            let code = field("code");
            away(move || confirm(&auth, &user, &session, &code, &address, words)).await
        }
        // Who finds a browser left open adds no way in of their own.
        "add-passkey" | "name-passkey" | "remove-passkey" if !is_fresh => {
            Ok(Told { fault: Some(words.say("fresh-first")), ..Told::default() })
        }
        "add-passkey" => {
            let made = made_passkey(&guest, guest.field("passkey-name")).unwrap_or_default();
            let added = move || {
                auth.add_passkey(&user, &made)?;
                // It was asked for this moment, and verified who holds it.
                if needed != SecondFactor::Done {
                    auth.second_factor_was_shown(&user.id, &session.id)?;
                }
                Ok(said(words, "passkey-is-set-up"))
            };
            away(added).await
        }
        "name-passkey" => {
            let name = field("passkey-name");
            away(move || auth.name_passkey(&user.id, &id, &name).map(|()| Told::default())).await
        }
        "remove-passkey" => {
            let removed = move || {
                auth.remove_passkey(&user.id, &id, &session.id).map(|()| said(words, "passkey-is-removed"))
            };
            away(removed).await
        }
        // Who has no password has nothing to show it by; a moment ago they signed in otherwise.
        "password" if !user.has_password() && !is_fresh => {
            Ok(Told { fault: Some(words.say("fresh-first")), ..Told::default() })
        }
        "password" => {
            if guest.field("password") != guest.field("again") {
                let told = Told { fault: Some(words.say("password-differs")), ..Told::default() };
                return show(desk, guest, told).await;
            }
            let (current, password) = (field("current"), field("password"));
            let changed = away_with_password(move || {
                if user.has_password() {
                    auth.sign_in(&user.login, &current, &address)?;
                }
                auth.set_password(&user.id, &password)
            });
            match changed.await {
                // All sessions ended, this one too.
                Ok(_) => return go("/auth/sign-in?return=%2Fauth%2Faccount", &[]),
                Err(refusal) if refusal.kind == Kind::InvalidRequest => {
                    Ok(Told { fault: Some(invitation::will_not_do(words, &refusal)), ..Told::default() })
                }
                Err(refusal) => {
                    Ok(Told { fault: Some(super::enter::in_words(words, &refusal)), ..Told::default() })
                }
            }
        }
        _ => Ok(Told::default()),
    };
    match done {
        Ok(told) => show(desk, guest, told).await,
        Err(refusal) if is_passkey && matches!(refusal.kind, Kind::InvalidRequest | Kind::LoginRequired) => {
            let fault = match (refusal.kind, refusal.field) {
                (Kind::LoginRequired, _) => words.say("sign-in-late"),
                (_, Some(_)) => invitation::will_not_do(words, &refusal),
                _ => words.say("passkey-will-not-do"),
            };
            show(desk, guest, Told { fault: Some(fault), ..Told::default() }).await
        }
        Err(refusal) => refused(&guest.visit, refusal),
    }
}

fn said(words: Words, name: &str) -> Told {
    Told { said: Some(words.say(name)), ..Told::default() }
}

/// Only one's own.
fn end_grant(auth: &Auth, user: &User, id: &str) -> Result<Told, Refusal> {
    if auth.grants(&user.id)?.iter().any(|grant| grant.id == id) {
        auth.end_grant(id)?;
    }
    Ok(Told::default())
}

fn confirm(
    auth: &Auth,
    user: &User,
    session: &Session,
    code: &str,
    address: &str,
    words: Words,
) -> Result<Told, Refusal> {
    match auth.confirm_totp(&user.id, code.trim(), address) {
        Ok(recovery) => {
            auth.second_factor_was_shown(&user.id, &session.id)?;
            Ok(Told { recovery, said: Some(words.say("code-is-set-up")), ..Told::default() })
        }
        Err(refusal) if refusal.kind == Kind::AccessDenied => Ok(Told {
            new_code: Some(auth.begin_totp(&user.id)?),
            fault: Some(words.say("sign-in-wrong")),
            ..Told::default()
        }),
        Err(refusal) => Err(refusal),
    }
}
