//! For which host passkeys are made: the hub's own, whole. Browsers make them only where nobody listens in (https, or
//! localhost) and only for names, not addresses.

/// A host passkeys are made for, and the origin of its pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// The host: `hub.example`.
    pub id: String,
    /// The origin as browsers write it: `https://hub.example:8443`.
    pub origin: String,
}

impl RelyingParty {
    /// That of a hub known by an address.
    pub(super) fn of(issuer: &str) -> Option<RelyingParty> {
        let (scheme, rest) = issuer.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?.to_lowercase();
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority.as_str(), None),
        };
        let is_local = host == "localhost" || host.ends_with(".localhost");
        let is_name = host.contains(|c: char| c.is_ascii_alphabetic()) && !host.contains(['[', '@', ' ']);
        if !is_name || !(scheme == "https" || (scheme == "http" && is_local)) {
            return None;
        }
        let usual = if scheme == "https" { "443" } else { "80" };
        let port = port.filter(|port| *port != usual).map(|port| format!(":{port}"));
        Some(RelyingParty {
            origin: format!("{scheme}://{host}{}", port.unwrap_or_default()),
            id: host.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_for_names_that_nobody_listens_in_on() {
        for (issuer, id, origin) in [
            ("https://Hub.example", "hub.example", "https://hub.example"),
            ("https://hub.example:443", "hub.example", "https://hub.example"),
            ("https://hub.example:8443/x", "hub.example", "https://hub.example:8443"),
            ("http://localhost:8080", "localhost", "http://localhost:8080"),
        ] {
            let party = RelyingParty::of(issuer).unwrap();
            assert_eq!((party.id.as_str(), party.origin.as_str()), (id, origin));
        }
        for issuer in
            ["http://hub.example", "https://192.0.2.1", "http://127.0.0.1:8080", "https://[::1]:1", "hub"]
        {
            assert_eq!(RelyingParty::of(issuer), None, "{issuer}");
        }
    }
}
