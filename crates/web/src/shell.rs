//! What surrounds every page, and the response it is sent in.

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use crate::assets;
use crate::language::Language;
use crate::visit::Visit;
use crate::words::Words;

/// Nothing but this hub's own files; no frame. What scripts may run and what forms may lead to come last.
const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
/// A page without script.
const NO_SCRIPT: &str = "'none'";
/// A page with scripts of this hub.
const OWN_SCRIPT: &str = "'self'";

/// A part of the pages that is for some.
#[derive(Debug)]
pub(crate) struct Area {
    /// Where it begins.
    pub(crate) address: &'static str,
    /// What it is called.
    pub(crate) name: String,
    /// Whether this page is in it.
    pub(crate) is_here: bool,
}

/// The parts that are for whoever is signed in; in an open hub all.
fn areas(visit: &Visit) -> Vec<Area> {
    let all: [(&str, &str, &[&str]); 3] = [
        ("/me", "area-me", &["person", "proxy"]),
        ("/clinic", "area-clinic", &["clinician", "pharmacist"]),
        ("/hub", "area-hub", &["operator", "auditor"]),
    ];
    let is_in = |address: &str| {
        visit.path.strip_prefix(address).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let area = |(address, key, _): (&'static str, &str, &[&str])| Area {
        address,
        name: visit.words.say(key),
        is_here: is_in(address),
    };
    let is_for = |roles: &[&str]| visit.access.is_none() || roles.iter().any(|role| visit.has_role(role));
    all.into_iter().filter(|(_, _, roles)| is_for(roles)).map(area).collect()
}

/// What the surroundings of a page are drawn from.
#[derive(Debug)]
pub(crate) struct Shell {
    /// The language's sentences.
    pub(crate) words: Words,
    /// Where the reader may go.
    pub(crate) areas: Vec<Area>,
    /// Who is signed in, by the name that is shown.
    pub(crate) who: Option<String>,
    /// Whether the hub is open to everyone on its machine.
    pub(crate) is_open: bool,
    /// Whether letters are large.
    pub(crate) is_large: bool,
    /// This page in the other size of letters.
    pub(crate) in_other_size: String,
    /// This page in Japanese.
    pub(crate) in_japanese: String,
    /// This page in English.
    pub(crate) in_english: String,
}

impl Shell {
    /// The surroundings of a visit's page.
    pub(crate) fn of(visit: &Visit) -> Shell {
        Shell {
            words: visit.words,
            areas: areas(visit),
            who: visit.name.clone(),
            is_open: visit.access.is_none(),
            is_large: visit.is_large,
            in_other_size: visit.in_size(!visit.is_large),
            in_japanese: visit.in_language(Language::Japanese),
            in_english: visit.in_language(Language::English),
        }
    }

    /// The address of one of the hub's own files.
    pub(crate) fn asset(&self, file: &str) -> String {
        assets::address(file)
    }

    /// The page's language tag.
    pub(crate) fn tag(&self) -> &'static str {
        self.words.language.tag()
    }

    /// Whether the page is in Japanese.
    pub(crate) fn is_japanese(&self) -> bool {
        self.words.language == Language::Japanese
    }
}

/// A page as a response.
pub(crate) fn respond(visit: &Visit, status: StatusCode, page: &impl Template) -> Response<Body> {
    respond_leading_to(visit, status, page, "")
}

/// A page whose form leads, by a redirect, to another place: its origin, or its scheme with a colon. Browsers apply
/// `form-action` to redirects too.
pub(crate) fn respond_leading_to(
    visit: &Visit,
    status: StatusCode,
    page: &impl Template,
    place: &str,
) -> Response<Body> {
    respond_under(visit, status, page, NO_SCRIPT, place)
}

/// The same, of a page that has scripts.
pub(crate) fn respond_with_scripts(
    visit: &Visit,
    status: StatusCode,
    page: &impl Template,
    place: &str,
) -> Response<Body> {
    respond_under(visit, status, page, OWN_SCRIPT, place)
}

fn respond_under(
    visit: &Visit,
    status: StatusCode,
    page: &impl Template,
    scripts: &str,
    place: &str,
) -> Response<Body> {
    let Ok(text) = page.render() else {
        let mut response = Response::new(Body::from("500"));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, visit.words.language.tag()),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept-Language, Cookie"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = |place: &str| format!("{POLICY}; script-src {scripts}; form-action 'self' {place}");
    let policy = HeaderValue::from_str(&policy(place)).or_else(|_| HeaderValue::from_str(&policy("")));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.unwrap_or(HeaderValue::from_static(POLICY)));
    for cookie in visit.cookies().iter().filter_map(|c| HeaderValue::from_str(c).ok()) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}
