//! What the hub asks of others: a JSON object at an address, over https (loopback may be http).
//!
//! Redirects are not followed, answers are bounded in size and time. Where to ask is never a stranger's choice: an outside provider and
//! hosts with keys of clients are named by the operator.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Request, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// An answer has at most so many bytes, and comes within this time.
const LARGEST: u64 = 512 << 10;
const TIME: Duration = Duration::from_secs(10);

/// Host and port of an address that may be asked: https, or http of this machine; without a user, in plain characters.
pub(crate) fn place(url: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_secure = scheme == "https";
    let (host, port) = host_and_port(authority, if is_secure { 443 } else { 80 })?;
    let is_plain = url.bytes().all(|b| (0x21..=0x7e).contains(&b)) && !url.contains('\\');
    (is_plain && (is_secure || (scheme == "http" && is_loopback(host)))).then_some((host, port))
}

/// Host and port, which may be left out; a host of IPv6 stands in brackets.
pub(crate) fn host_and_port(authority: &str, usual: u16) -> Option<(&str, u16)> {
    let end = authority.find(']').map_or_else(|| authority.find(':'), |end| Some(end + 1));
    let (host, port) = authority.split_at(end.unwrap_or(authority.len()));
    let is_well = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let is_host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_well),
    };
    let port = match port.strip_prefix(':') {
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => port.parse().ok()?,
        None if port.is_empty() => usual,
        _ => return None,
    };
    is_host.then_some((host, port))
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What asks; of this machine without a proxy.
pub(crate) fn agent(of_loopback: bool) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(TIME))
        .user_agent("yojigen")
        .tls_config(tls);
    let config = if of_loopback { config.proxy(None) } else { config };
    Agent::with_parts(config.build(), DefaultConnector::default(), Elsewhere(DefaultResolver::default()))
}

/// Names do not lead to where no server of others is: to this machine (but by its own names), to its neighbours on the wire, where clouds
/// keep their machines' secrets, or to nowhere.
#[derive(Debug)]
struct Elsewhere(DefaultResolver);

impl Resolver for Elsewhere {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        let host = uri.host().unwrap_or_default();
        let is_named = is_loopback(host) || host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
        if is_named || found.iter().all(|place| is_elsewhere(place.ip())) {
            return Ok(found);
        }
        Err(ureq::Error::HostNotFound)
    }
}

fn is_elsewhere(address: std::net::IpAddr) -> bool {
    match address.to_canonical() {
        std::net::IpAddr::V4(v4) => {
            !(v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast())
        }
        std::net::IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast())
        }
    }
}

/// Asks for a JSON object.
///
/// # Errors
/// Why there is none; of what was answered the text holds no more than an error's code.
pub(crate) fn ask(agent: &Agent, request: Request<String>) -> Result<Value, String> {
    let path = request.uri().path().to_owned();
    let mut answer = agent.run(request).map_err(|e| format!("{path} does not answer: {e}"))?;
    let status = answer.status();
    let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
    let body = body.map_err(|_| format!("{path} answers with more than {LARGEST} bytes, or not whole"))?;
    let said = serde_json::from_slice::<Value>(&body).ok().filter(Value::is_object);
    if !status.is_success() {
        // The error's code is the standard's; the rest may be anything.
        let code = said.as_ref().and_then(|said| said.get("error")?.as_str());
        let code = code.filter(|code| code.len() < 60 && code.bytes().all(|b| b.is_ascii_graphic()));
        return Err(format!("{path} answers {}: {}", status.as_u16(), code.unwrap_or("no code")));
    }
    said.ok_or_else(|| format!("{path} does not answer with a JSON object"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_asked() {
        for (url, found) in [
            ("https://id.example", ("id.example", 443)),
            ("https://id.example:8443/keys?x=1", ("id.example", 8443)),
            ("https://[2001:db8::1]:444/", ("[2001:db8::1]", 444)),
            ("http://localhost:1/", ("localhost", 1)),
            ("http://[::1]/keys", ("[::1]", 80)),
        ] {
            assert_eq!(place(url), Some(found), "{url}");
        }
        for url in [
            "",
            "id.example",
            "http://id.example/",
            "http://localhost.id.example/",
            "http://127.0.0.1.id.example/",
            "https://",
            "https:///keys",
            "https://user@id.example/",
            "https://id.example:/",
            "https://id.example:+1/",
            "https://id.example:65536/",
            "https://[id.example]/",
            "https://[::1/",
            "https://id.example\\@other.example/",
            "https://id.example/a b",
            "file:///etc/passwd",
            "ftp://localhost/",
        ] {
            assert_eq!(place(url), None, "{url}");
        }
    }

    #[test]
    fn a_name_leads_to_others_only() {
        for address in [
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "::ffff:127.0.0.1",
            "::",
        ] {
            assert!(!is_elsewhere(address.parse().unwrap()), "{address}");
        }
        for address in ["192.0.2.1", "10.1.2.3", "2001:db8::1", "fd00::1"] {
            assert!(is_elsewhere(address.parse().unwrap()), "{address}");
        }
    }
}
