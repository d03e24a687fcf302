//! Who asks, before anything else is looked at.
//!
//! Every request but those to public addresses is [`guard`]ed: it carries a token or a session of this hub, and what that
//! allows ([`access_of`]) goes with it as a [`hub::Access`]. Nothing behind the guard makes an access of its own.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use access::scope::Scopes;
use access::{Purpose, Subject};
use auth::{Auth, Identity, Refusal, SECOND_FACTOR_FIELD};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use fhir::{Issue, IssueType};
use hub::{Access, Failure, Hub, Kind, Peer};
use ledger::Action;

use crate::edge::rates::TooMany;
use crate::{Shared, audit, oauth, rest};

/// What anyone may see: nothing of anybody's.
pub(crate) const PUBLIC: &[&str] = &["/fhir/metadata", "/health", "/ready", "/openapi.json", "/cds-services"];

/// So many accesses are remembered; beyond that all are forgotten.
const REMEMBERED: usize = 10_000;
/// The header that says why a person's decision is passed over.
const BREAK_GLASS: &str = "x-break-glass";
/// A reason has at least so many characters, and at most so many.
const REASON: std::ops::RangeInclusive<usize> = 5..=500;
/// The role of programs that act for themselves.
const SYSTEM: &str = "system";

/// Accesses worked out of late, by the name of the token or session they belong to.
#[derive(Debug, Default)]
pub(crate) struct Accesses(RwLock<HashMap<String, (Arc<Identity>, Access)>>);

/// What an identity may see and do: its rights under the hub's rules. What these say of the record (who belongs where, who
/// consented to what) is asked of the record at each request.
///
/// # Errors
/// If the reason for passing over a decision is none, or not for this identity; if a scope cannot be decided.
fn access_of(app: &Shared, identity: &Arc<Identity>, headers: &HeaderMap) -> Result<Access, Failure> {
    let reason = break_glass(identity, headers)?;
    // Whom a proxy acts for stands in the record and may end any day.
    let is_lasting = reason.is_none() && !identity.roles.iter().any(|role| role == "proxy");
    if is_lasting {
        let known = app.accesses.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, access)) = known.get(&identity.token_id)
            && Arc::ptr_eq(of, identity)
        {
            return Ok(access.clone());
        }
    }
    let access = app.hub.access_of(&Arc::new(subject(&app.hub, identity, reason)?), "rest")?;
    if is_lasting {
        let mut known = app.accesses.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(identity.token_id.clone(), (Arc::clone(identity), access.clone()));
    }
    Ok(access)
}

/// Why a person's decision is passed over, if the request says so.
fn break_glass(identity: &Identity, headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(BREAK_GLASS) else { return Ok(None) };
    let refused =
        |kind, code, message: &str| Err(Failure::new(kind, code, format!("X-Break-Glass: {message}")));
    if !identity.is_user || !identity.roles.iter().any(|role| role == "clinician") {
        return refused(
            Kind::Forbidden,
            IssueType::Forbidden,
            "only a clinician may pass over a person's decision",
        );
    }
    // What is not ASCII comes percent-encoded.
    let text =
        value.to_str().ok().and_then(|text| percent_encoding::percent_decode_str(text).decode_utf8().ok());
    match text.map(|text| text.trim().to_owned()) {
        Some(text) if REASON.contains(&text.chars().count()) && !text.chars().any(char::is_control) => {
            Ok(Some(text))
        }
        _ => refused(
            Kind::Invalid,
            IssueType::Required,
            "say why, in 5 to 500 characters (percent-encoded UTF-8); the person is told",
        ),
    }
}

/// An identity in the terms of the rules.
fn subject(hub: &Hub, identity: &Identity, reason: Option<String>) -> Result<Subject, Failure> {
    let mut roles = identity.roles.clone();
    // A program that was given roles has those, and no others.
    if !identity.is_user && roles.is_empty() {
        roles.push(SYSTEM.to_owned());
    }
    let purpose = match &identity.purpose {
        Some(code) => Purpose::of(code).ok_or_else(|| {
            let message = format!("the purpose '{code}' is none this hub's rules know");
            Failure::new(Kind::Forbidden, IssueType::Forbidden, message)
        })?,
        None => Purpose::of_roles(&roles),
    };
    let is_proxy = roles.iter().any(|role| role == "proxy");
    // Whom the operator says, and whom a RelatedPerson says that is the user.
    let mut proxied = identity.proxied.clone();
    if let Some(reference) = identity.fhir_user.as_deref().filter(|_| is_proxy) {
        proxied.extend(hub.acts_for(reference)?);
    }
    let organisation = |reference: &String| reference.strip_prefix("Organization/").map(str::to_owned);
    Ok(Subject {
        user: identity.is_user.then(|| identity.subject.clone()),
        roles,
        fhir_user: identity.fhir_user.clone(),
        patient: identity.patient.clone(),
        proxied,
        organisations: identity.organization.iter().filter_map(organisation).collect(),
        client: identity.client.clone(),
        // What is not understood grants nothing.
        scopes: identity.scopes.as_deref().map(|text| Scopes::read(text).0),
        context_patient: identity.launch_patient.clone(),
        purpose,
        break_glass: reason,
    })
}

/// Lets requests through with their access, and no others.
pub(crate) async fn guard(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let Some(auth) = &app.auth else { return next.run(request).await };
    let path = request.uri().path();
    if PUBLIC.contains(&path) || path.starts_with("/assets/") {
        return match stranger(&app, &request) {
            // Whether the hub lives may always be asked.
            Err(too_many) if !matches!(path, "/health" | "/ready") => rest::respond_with_too_many(too_many),
            _ => next.run(request).await,
        };
    }
    let is_page = !is_fhir(path);
    let known = auth.identify(request.headers(), request.method());
    let taken = match &known {
        Ok(Some(of)) => app.limiter.known(of.client.as_deref(), of.is_user.then_some(of.subject.as_str())),
        _ => stranger(&app, &request),
    };
    if let Err(too_many) = taken {
        // It is not told in the ledger, which could be filled by it.
        return rest::respond_with_too_many(too_many);
    }
    match known {
        // Figures on the hub's working are for those who run it.
        Ok(Some(identity)) if path == "/metrics" && !runs_the_hub(&identity) => {
            let message = "metrics are for operators";
            rest::respond_with_issue(403, &Issue::error(IssueType::Forbidden, message))
        }
        Ok(Some(identity)) => match access_of(&app, &identity, request.headers()) {
            Ok(mut access) => {
                if is_page {
                    access.circumstances.channel = Some("pages".to_owned());
                }
                request.extensions_mut().insert(access);
                request.extensions_mut().insert(identity);
                next.run(request).await
            }
            Err(failure) => {
                let reason =
                    failure.issues.first().map(|issue| issue.diagnostics.clone()).unwrap_or_default();
                note(&app, audit::Asked::of(&app, &request), failure.kind.status(), &reason).await;
                rest::respond_with_failure(&failure)
            }
        },
        // The first page tells everyone what the hub is, and what is published is for everyone.
        Ok(None) if is_for_everyone(path) && shows_pages(&request) => {
            let mut access = app.hub.anybody();
            access.circumstances.channel = Some("pages".to_owned());
            request.extensions_mut().insert(access);
            next.run(request).await
        }
        // What was written is not lost because the session ended meanwhile.
        Ok(None) if is_page && sends_a_form(&request) && auth.is_own_page(request.headers()) => {
            request.extensions_mut().insert(app.hub.nobody());
            request.extensions_mut().insert(auth::SignedOut);
            next.run(request).await
        }
        Ok(None) if is_page && shows_pages(&request) => sign_in(&request, "/auth/sign-in"),
        // Where it is set up, or asked for.
        Err(refusal) if is_page && refusal.field == Some(SECOND_FACTOR_FIELD) => {
            sign_in(&request, "/auth/account")
        }
        Ok(None) => {
            note(&app, audit::Asked::of(&app, &request), 401, "nobody is signed in").await;
            challenge(auth, None)
        }
        Err(refusal) => {
            let asked = audit::Asked::of(&app, &request);
            note(&app, asked, refusal.kind.status(), &refusal.description).await;
            challenge(auth, Some(&refusal))
        }
    }
}

/// Whether a page is for everyone.
fn is_for_everyone(path: &str) -> bool {
    path == "/" || path == "/figures" || path.starts_with("/figures/")
}

/// Whether a request is for something to be read by a person.
fn shows_pages(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok());
    request.method() == Method::GET || accepts.is_some_and(|types| types.contains("text/html"))
}

/// Whether a page without script sends what was written on it.
fn sends_a_form(request: &Request) -> bool {
    request.method() == Method::POST && shows_pages(request)
}

/// Takes a request of somebody who is not known.
fn stranger(app: &Shared, request: &Request) -> Result<(), TooMany> {
    request.extensions().get::<Peer>().map_or(Ok(()), |peer| app.limiter.unknown(peer.0))
}

fn is_fhir(path: &str) -> bool {
    path == "/fhir" || path.starts_with("/fhir/")
}

fn runs_the_hub(identity: &Identity) -> bool {
    !identity.is_user || identity.roles.iter().any(|role| role == "operator")
}

/// A refusal is in the ledger like anything that was asked.
async fn note(app: &Shared, asked: Option<audit::Asked>, status: u16, reason: &str) {
    if let Some(asked) = asked {
        let access = app.hub.watched(app.hub.nobody());
        // It is refused either way.
        let _ = audit::record(app, asked, &access, status, Some(reason)).await;
    }
}

/// The access of a request: what the guard gave it; where nobody signs in, everything; else nothing.
pub(crate) fn of_request(app: &Shared, request: &Request) -> Access {
    let access = match request.extensions().get::<Access>() {
        Some(access) => access.clone(),
        None if app.auth.is_none() => Access::open("rest"),
        None => app.hub.nobody(),
    };
    app.hub.watched(access)
}

/// Sign-ins and sign-outs, tokens given and refused are in the ledger, on disk, before they are answered.
pub(crate) async fn sign_ins(State(app): State<Shared>, request: Request, next: Next) -> Response {
    if let Err(too_many) = stranger(&app, &request) {
        return oauth::too_many(too_many);
    }
    let is_post = request.method() == Method::POST;
    let action = match request.uri().path() {
        "/auth/outside" if request.method() == Method::GET => Action::SignIn,
        "/auth/sign-in" | "/auth/passkey" if is_post => Action::SignIn,
        "/auth/sign-out" if is_post => Action::SignOut,
        path @ ("/auth/token" | "/auth/revoke") if is_post => {
            Action::Other(path.trim_start_matches("/auth/").to_owned())
        }
        _ => return next.run(request).await,
    };
    let Some(asked) = audit::Asked::to_sign_in(&app, &request, action) else {
        return next.run(request).await;
    };
    let before = known(&app, request.headers());
    let response = next.run(request).await;
    let given: HeaderMap = (response.headers().get_all(header::SET_COOKIE).iter())
        .filter_map(|value| value.to_str().ok()?.split(';').next()?.parse().ok())
        .map(|pair: HeaderValue| (header::COOKIE, pair))
        .collect();
    let access = known(&app, &given).or(before).unwrap_or_else(|| app.hub.nobody());
    let access = app.hub.watched(access);
    // A person is led on by 303.
    let status = response.status().as_u16();
    let status = if status == 303 { 200 } else { status };
    match audit::record(&app, asked, &access, status, None).await {
        Ok(()) => response,
        Err(failure) => rest::respond_with_failure(&failure),
    }
}

/// The access of whoever these headers name, if they name somebody.
fn known(app: &Shared, headers: &HeaderMap) -> Option<Access> {
    let identity = app.auth.as_ref()?.whoever(headers, &Method::GET).ok()??;
    app.hub.access_of(&Arc::new(subject(&app.hub, &identity, None).ok()?), "sign-in").ok()
}

/// A person is shown where to sign in, and comes back.
fn sign_in(request: &Request, page: &'static str) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let encoded: String =
        percent_encoding::utf8_percent_encode(wanted, percent_encoding::NON_ALPHANUMERIC).to_string();
    let place = HeaderValue::from_str(&format!("{page}?return={encoded}"));
    let place = place.unwrap_or(HeaderValue::from_static(page));
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, place), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
    )
        .into_response()
}

/// RFC 6750, section 3: without a token no error is named.
fn challenge(auth: &Arc<Auth>, refusal: Option<&Refusal>) -> Response {
    let realm = &auth.settings().issuer;
    let (status, code, said, named) = match refusal {
        None => (
            401,
            IssueType::Login,
            "this takes an access token of this hub (Authorization: Bearer …)",
            String::new(),
        ),
        Some(refusal) => {
            let code = match refusal.kind.status() {
                401 => IssueType::Login,
                403 => IssueType::Forbidden,
                _ => IssueType::Exception,
            };
            // Descriptions have no quotation marks of their own.
            let named = format!(", error=\"{}\", error_description=\"{refusal}\"", refusal.kind.code());
            (refusal.kind.status(), code, refusal.description.as_str(), named)
        }
    };
    let mut response = rest::respond_with_issue(status, &Issue::error(code, said));
    if status == 401
        && let Ok(value) = HeaderValue::from_str(&format!("Bearer realm=\"{realm}\"{named}"))
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
