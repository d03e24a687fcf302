//! Whom a hub may call.
//!
//! A Subscription is written by a client and makes the hub send requests, from where it stands in its network. So it
//! calls its own machine only, and what the operator names: a prefix is compared part by part, scheme, host, port and
//! path, so that `https://a.example/hooks` does not also allow `https://a.example.org/` or `https://a.example/hooks2`.

use std::net::IpAddr;

use fhir::{Issue, IssueType};
use ureq::http::Uri;

use super::definition::{Channel, Definition};
use super::email::Mailer;

/// What subscriptions may do.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    endpoints: Vec<Allowed>,
    /// What sends email, if anything does.
    pub(crate) mailer: Option<Mailer>,
}

/// What an operator allows.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Allowed {
    /// Addresses under one.
    Under(Address),
    /// All mail, or mail to one address or domain (`@a.example`).
    Mail(String),
}

/// An http or https URL taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Address {
    scheme: String,
    host: String,
    port: u16,
    path: String,
}

impl Address {
    fn read(text: &str) -> Result<Address, String> {
        let uri: Uri = text.parse().map_err(|e| format!("'{text}' is not a URL: {e}"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(format!("'{text}' is not a whole URL; write https://host/path"));
        };
        let scheme = scheme.to_ascii_lowercase();
        let standard_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            other => return Err(format!("'{other}' is not called from here; http and https are")),
        };
        if authority.as_str().contains('@') {
            return Err("a name or password in a URL would be shown with it; a subscription has channel.header for that".to_owned());
        }
        let path = uri.path().to_owned();
        let lower = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
        if lower.split(['/', '\\']).any(|segment| segment.starts_with("..")) {
            return Err("the path leads back up ('..')".to_owned());
        }
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        Ok(Address { scheme, host, port: authority.port_u16().unwrap_or(standard_port), path })
    }

    fn is_loopback(&self) -> bool {
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|a| a.is_loopback())
    }

    fn is_under(&self, other: &Address) -> bool {
        let rest = self.path.strip_prefix(other.path.as_str());
        let is_path_under =
            rest.is_some_and(|rest| rest.is_empty() || other.path.ends_with('/') || rest.starts_with('/'));
        (&self.scheme, &self.host, self.port) == (&other.scheme, &other.host, other.port) && is_path_under
    }
}

/// Whether an address is one of this machine's own.
pub(crate) fn is_loopback(url: &str) -> bool {
    Address::read(url).is_ok_and(|a| a.is_loopback())
}

impl Rules {
    /// Allows what is under an address (`https://a.example/hooks`), or mail (`mailto:`, `mailto:a@b.example`,
    /// `mailto:@b.example`).
    ///
    /// # Errors
    /// What is neither.
    pub fn allow(&mut self, text: &str) -> Result<(), String> {
        self.endpoints.push(match text.strip_prefix("mailto:") {
            Some(address) => Allowed::Mail(address.to_ascii_lowercase()),
            None => Allowed::Under(Address::read(text)?),
        });
        Ok(())
    }

    /// Lets email be sent through a relay (`smtp://user:password@host:587?tls=required`) from an address.
    ///
    /// # Errors
    /// What is wrong with them; the URL, which may carry a password, is not repeated.
    pub fn send_mail(&mut self, relay: &str, sender: &str) -> Result<(), String> {
        self.mailer = Some(Mailer::new(relay, sender)?);
        Ok(())
    }

    /// Whether the hub may do what a subscription asks for.
    ///
    /// # Errors
    /// What it may not, and how that is allowed.
    pub(crate) fn check(&self, definition: &Definition) -> Result<(), Issue> {
        let refusal = match definition.channel {
            Channel::Websocket => None,
            Channel::RestHook => self.refusal(&definition.endpoint, "--subscription-endpoint"),
            Channel::Email => self.mail_refusal(&definition.endpoint),
        };
        let refused = |message| Issue::error(IssueType::Forbidden, message);
        refusal.map_or(Ok(()), |message| Err(refused(message).at("Subscription.channel.endpoint")))
    }

    /// Why an address may not be called, and the flag of `yojigen serve` that allows it; nothing if it may.
    pub(crate) fn refusal(&self, endpoint: &str, flag: &str) -> Option<String> {
        let address = match Address::read(endpoint) {
            Ok(address) => address,
            Err(message) => return Some(message),
        };
        let is_allowed = address.is_loopback()
            || self.endpoints.iter().any(|a| matches!(a, Allowed::Under(under) if address.is_under(under)));
        let Address { scheme, host, .. } = &address;
        (!is_allowed).then(|| {
            format!(
                "this hub calls its own machine and the addresses its operator named, and {scheme}://{host} is none of them; yojigen serve {flag} {scheme}://{host}/ allows it"
            )
        })
    }

    fn mail_refusal(&self, endpoint: &str) -> Option<String> {
        if self.mailer.is_none() {
            return Some(
                "this hub sends no email: it was started without --smtp; use rest-hook or websocket"
                    .to_owned(),
            );
        }
        let Some(address) = endpoint.strip_prefix("mailto:") else {
            return Some(format!("an email goes to mailto:name@host, found '{endpoint}'"));
        };
        if let Err(message) = Mailer::address(address) {
            return Some(message);
        }
        let lower = address.to_ascii_lowercase();
        let is_allowed = self.endpoints.iter().any(|allowed| match allowed {
            Allowed::Mail(domain) if domain.starts_with('@') => lower.ends_with(domain.as_str()),
            Allowed::Mail(whole) => whole.is_empty() || *whole == lower,
            Allowed::Under(_) => false,
        });
        (!is_allowed).then(|| {
            format!(
                "this hub sends email to the addresses its operator named, and {address} is none of them; yojigen serve --subscription-endpoint mailto:{address} allows it"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_calls_its_own_machine_and_what_is_named() {
        let mut rules = Rules::default();
        rules.allow("https://a.example/hooks").unwrap();
        rules.allow("http://b.example:8080/").unwrap();
        for allowed in [
            "http://localhost:9/x",
            "http://127.0.0.1/",
            "https://[::1]:8443/x",
            "https://a.example/hooks",
            "https://A.example:443/hooks/7?token=1",
            "http://b.example:8080/any/where",
        ] {
            assert_eq!(rules.refusal(allowed, "--flag"), None, "{allowed}");
        }
        for refused in [
            "https://a.example/hooks2",
            "https://a.example/hooks/../admin",
            "https://a.example/hooks/%2e%2e/admin",
            "https://a.example.org/hooks",
            "https://a.example@evil.example/hooks",
            "http://a.example/hooks",
            "https://b.example:8080/",
            "http://169.254.169.254/latest",
            "http://10.0.0.1/",
            "http://localhost.evil.example/",
            "ftp://localhost/",
            "file:///etc/passwd",
            "/relative",
            "",
        ] {
            assert!(rules.refusal(refused, "--flag").is_some(), "{refused}");
        }
        assert!(rules.allow("nonsense").is_err());
    }

    #[test]
    fn email_is_refused_by_name_without_a_relay() {
        let mut rules = Rules::default();
        assert!(rules.mail_refusal("mailto:a@b.example").unwrap().contains("--smtp"));
        rules.send_mail("smtp://user:secret@localhost:2525", "hub@c.example").unwrap();
        assert!(rules.mail_refusal("mailto:a@b.example").unwrap().contains("mailto:a@b.example allows it"));
        rules.allow("mailto:@b.example").unwrap();
        assert_eq!(rules.mail_refusal("mailto:a@B.example"), None);
        for refused in ["mailto:a@bb.example", "a@b.example", "mailto:nobody", "mailto:a@b.example@b.example"]
        {
            assert!(rules.mail_refusal(refused).is_some(), "{refused}");
        }
        assert!(!format!("{rules:?}").contains("secret"));
        let refusal = rules.send_mail("gopher://user:secret@host", "hub@c.example").unwrap_err();
        assert!(!refusal.contains("secret"), "{refusal}");
    }
}
