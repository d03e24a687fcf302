//! A hub that is open to all answers only to its own machine.
//!
//! It listens on loopback only (`listen`), and that is not enough: a page of any site, open in a browser on the machine,
//! can send requests there. So a request must name a loopback host (which a foreign name that resolves to loopback is
//! not), and if it says where it comes from, that must be loopback too.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use fhir::{Issue, IssueType};
use hub::Access;

use crate::{Shared, audit, rest};

/// The host a request names, with its port.
pub(crate) fn host<'r>(headers: &'r HeaderMap, uri: &'r Uri) -> Option<&'r str> {
    uri.authority().map(|a| a.as_str()).or_else(|| headers.get(header::HOST)?.to_str().ok())
}

/// Whether a host name (with or without port) is this machine's own.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let is_address = name.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback());
    is_address || name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

/// Refuses requests that do not come from this machine.
pub(crate) async fn guard(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let Some(refusal) = refusal(request.headers(), request.uri()) else { return next.run(request).await };
    if let Some(asked) = audit::Asked::of(&app, &request) {
        let access = app.hub.watched(Access::open("rest"));
        // It is refused either way.
        let _ = audit::record(&app, asked, &access, 403, Some(&refusal)).await;
    }
    rest::respond_with_issue(403, &Issue::error(IssueType::Forbidden, refusal))
}

fn refusal(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    match host(headers, uri) {
        None => return Some("the request names no host".to_owned()),
        Some(host) if !is_loopback(host) => {
            return Some(format!(
                "this hub is open to its own machine only (--open), and '{host}' is not a name of it; use localhost"
            ));
        }
        Some(_) => {}
    }
    let origin = headers.get(header::ORIGIN)?;
    let host = origin.to_str().ok().and_then(|o| o.split_once("://")).map(|(_, host)| host);
    if host.is_some_and(is_loopback) {
        return None;
    }
    Some(
        "this hub is open to its own machine only (--open); pages of other origins may not use it".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:80",
            "127.8.9.1",
            "[::1]:8080",
            "LOCALHOST",
            "hub.localhost:1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "example.org",
            "localhost.example.org",
            "10.0.0.1:80",
            "[::2]",
            "127.0.0.1.example.org",
            "",
            "0.0.0.0",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
