//! `/auth/authorize`: what an app asks for, in plain words, and the answer.

use std::sync::Arc;

use askama::Template;
use auth::scope::{Level, Scope, Scopes};
use auth::{AuthorizationRequest, Kind, PatientChoice, Refusal, Rejected, SecondFactor, User, is_id};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use search::query::{Pair, split};

use super::guest::Guest;
use super::wording::{Line, lines};
use super::{Desk, Start, away, go, origin, refused};
use crate::shell::{Shell, respond_leading_to};
use crate::visit::{Visit, address};

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage {
    shell: Shell,
    form: String,
    request: String,
    app: String,
    /// Where the answer goes.
    place: String,
    user: String,
    is_unvouched: bool,
    /// The patient the app would work on, unless it is the user.
    patient: Option<String>,
    is_own_record: bool,
    is_patient_asked: bool,
    chosen: String,
    lines: Vec<Line>,
    is_writing: bool,
    fault: Option<String>,
}

/// An authorization request that came as a form: the browser comes again, with its cookies.
pub(super) async fn posted((State(_), guest): Start) -> Response {
    go(&address("/auth/authorize", &guest.pairs), &[])
}

/// The same request, to be asked again after signing in.
fn sign_in_first(request: Option<&AuthorizationRequest>, pairs: &[Pair]) -> Response {
    // Asked to sign in anew, a person does that once.
    let pairs: Vec<Pair> = pairs
        .iter()
        .filter_map(|(name, value)| match name.as_str() {
            "prompt" => {
                let rest: Vec<&str> =
                    value.split(' ').filter(|w| *w != "login" && *w != "select_account").collect();
                (!rest.is_empty()).then(|| (name.clone(), rest.join(" ")))
            }
            "max_age" => None,
            _ => Some((name.clone(), value.clone())),
        })
        .collect();
    let back = address("/auth/authorize", &pairs);
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let hint = request.and_then(|r| r.login_hint.as_deref()).map(|hint| format!("&login={}", encode(hint)));
    go(&format!("/auth/sign-in?return={}{}", encode(&back), hint.unwrap_or_default()), &[])
}

/// Whether the role of whoever is signed in takes a second factor that was not shown.
fn is_missing_code(desk: &Desk, guest: &Guest) -> bool {
    let signed_in = guest.signed_in.as_ref();
    signed_in.is_some_and(|(session, user)| desk.auth.second_factor(user, session) != Ok(SecondFactor::Done))
}

/// The same request, to be asked again after that.
fn code_first(pairs: &[Pair]) -> Response {
    go(&address("/auth/account", &[("return".to_owned(), address("/auth/authorize", pairs))]), &[])
}

/// Shows what is asked, or sends the browser where it has to be first.
pub(super) async fn ask((State(desk), guest): Start) -> Response {
    let Ok(pairs) = split(&guest.query) else {
        return refused(
            &guest.visit,
            Refusal::new(Kind::InvalidRequest, "the address is not UTF-8 when decoded"),
        );
    };
    let pairs: Vec<Pair> = pairs.into_iter().filter(|(name, _)| name != "lang").collect();
    let (auth, read) = (Arc::clone(&desk.auth), pairs.clone());
    let request = match tokio::task::spawn_blocking(move || auth.authorization(&read)).await {
        Ok(Ok(request)) => request,
        Ok(Err(Rejected::Here(refusal))) => return refused(&guest.visit, refusal),
        Ok(Err(Rejected::There(place))) => return go(&place, &[]),
        Err(_) => return refused(&guest.visit, Refusal::new(Kind::ServerError, "the work was interrupted")),
    };
    let is_prompt = |word: &str| request.prompt.iter().any(|w| w == word);
    let is_fresh = |began: u64| request.max_age.is_none_or(|age| began + age >= desk.auth.now());
    let signed_in = guest.signed_in.as_ref().filter(|(session, _)| is_fresh(session.began));
    let Some((_, user)) = signed_in.filter(|_| !is_prompt("login") && !is_prompt("select_account")) else {
        if is_prompt("none") {
            let refusal = Refusal::new(Kind::LoginRequired, "the user would have to sign in");
            return go(&desk.auth.refused(&request, &refusal), &[]);
        }
        return sign_in_first(Some(&request), &pairs);
    };
    if is_missing_code(&desk, &guest) {
        return code_first(&pairs);
    }
    if is_prompt("none") {
        let refusal = Refusal::new(Kind::InteractionRequired, "the user is asked each time");
        return go(&desk.auth.refused(&request, &refusal), &[]);
    }
    show(&desk, &guest, &request, user, &pairs, None)
}

fn show(
    desk: &Desk,
    guest: &Guest,
    request: &AuthorizationRequest,
    user: &User,
    pairs: &[Pair],
    fault: Option<String>,
) -> Response {
    let choice = match desk.auth.patient_choice(request, user) {
        Ok(choice) => choice,
        Err(refusal) => return go(&desk.auth.refused(request, &refusal), &[]),
    };
    let words = guest.visit.words;
    let visit = Visit { path: "/auth/authorize".to_owned(), pairs: pairs.to_vec(), ..guest.visit.clone() };
    let of_one = request.scopes.has_level(Level::Patient) || request.scopes.has(&Scope::LaunchPatient);
    let (patient, is_patient_asked) = match choice {
        PatientChoice::NotNeeded => (None, false),
        PatientChoice::Is(id) => (Some(id), false),
        PatientChoice::Asked => (None, true),
    };
    let is_own_record = of_one && patient.is_some() && patient == user.patient;
    let lines = lines(words, &request.scopes);
    let place = origin(&request.redirect_uri);
    let page = ConsentPage {
        shell: Shell::of(&visit),
        form: guest.token(),
        request: address("", pairs).trim_start_matches('?').to_owned(),
        app: request.client.name.clone(),
        place: place.clone(),
        user: user.name.clone(),
        is_unvouched: request.client.is_dynamic,
        patient: patient.filter(|_| !is_own_record),
        is_own_record,
        is_patient_asked,
        chosen: guest.field("patient").chars().take(80).collect(),
        is_writing: lines.iter().any(|line| line.is_writing),
        lines,
        fault,
    };
    let status = if page.fault.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    guest.remember(respond_leading_to(&visit, status, &page, &place))
}

/// Takes the answer.
pub(super) async fn decide((State(desk), guest): Start) -> Response {
    let words = guest.visit.words;
    let Ok(pairs) = split(guest.field("request")) else {
        return refused(
            &guest.visit,
            Refusal::new(Kind::InvalidRequest, "the form is not UTF-8 when decoded"),
        );
    };
    // Read anew: a form's hidden fields are not to be trusted more than an address.
    let request = match desk.auth.authorization(&pairs) {
        Ok(request) => request,
        Err(Rejected::Here(refusal)) => return refused(&guest.visit, refusal),
        Err(Rejected::There(place)) => return go(&place, &[]),
    };
    let Some((session, user)) = guest.signed_in.clone() else { return sign_in_first(Some(&request), &pairs) };
    if !guest.is_believed() {
        return show(&desk, &guest, &request, &user, &pairs, Some(words.say("sign-in-late")));
    }
    if is_missing_code(&desk, &guest) {
        return code_first(&pairs);
    }
    if guest.field("decision") != "allow" {
        let refusal = Refusal::new(Kind::AccessDenied, "the user did not allow it");
        return go(&desk.auth.refused(&request, &refusal), &[]);
    }
    let ticked: Vec<&str> =
        guest.pairs.iter().filter(|(n, _)| n == "scope").map(|(_, v)| v.as_str()).collect();
    let mut allowed = Scopes::read(&ticked.join(" ")).0;
    for silent in [Scope::Launch, Scope::LaunchPatient, Scope::LaunchEncounter] {
        allowed.add(silent);
    }
    let patient = guest.field("patient").trim().trim_start_matches("Patient/").to_owned();
    if !patient.is_empty() && !is_id(&patient) {
        return show(&desk, &guest, &request, &user, &pairs, Some(words.say("consent-patient-needed")));
    }
    if ticked.is_empty() {
        return show(&desk, &guest, &request, &user, &pairs, Some(words.say("consent-nothing")));
    }
    let (auth, asked, who) = (Arc::clone(&desk.auth), request.clone(), user.clone());
    let patient = (!patient.is_empty()).then_some(patient);
    match away(move || auth.allow(&asked, &who, &session, &allowed, patient.as_deref())).await {
        Ok(place) => go(&place, &[]),
        Err(refusal) if refusal.field == Some("patient") => {
            show(&desk, &guest, &request, &user, &pairs, Some(words.say("consent-patient-needed")))
        }
        Err(refusal) => go(&desk.auth.refused(&request, &refusal), &[]),
    }
}
