//! Clients: the apps and systems that are registered, and how each proves who it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::jws::KeySet;
use crate::key_uri::check_keys_uri;
use crate::records::{absent, forget, put};
use crate::refusal::{Kind, Refusal};
use crate::scope::{Level, Scopes};
use crate::user::{check_reference, check_roles};
use crate::{Auth, secret};

/// So many clients are listed at most.
const LISTED: usize = 100_000;
/// A client has at most so many redirect URIs.
const REDIRECT_URIS: usize = 20;

/// How a client proves who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// It cannot: an app on a person's telephone or in a browser.
    Public,
    /// By a secret: an app on a server.
    Confidential,
    /// By a key of its own: an app on a server, or a system without users (SMART Backend Services).
    Keyed,
}

/// A client.
#[derive(Clone, Serialize, Deserialize)]
pub struct Client {
    /// Its client_id.
    pub id: String,
    /// What users are shown.
    pub name: String,
    /// How it proves who it is.
    pub kind: ClientKind,
    /// Where users may be sent back to, exactly.
    pub redirect_uris: Vec<String>,
    /// The most it may be granted.
    pub scopes: String,
    /// For what it asks, a code of `http://terminology.hl7.org/CodeSystem/v3-ActReason`.
    pub purpose: Option<String>,
    /// What it is when it acts for itself.
    pub roles: Vec<String>,
    /// For whom it acts when it acts for itself.
    pub organization: Option<String>,
    /// Whether it may ask about tokens of others: a resource server.
    pub may_introspect: bool,
    /// Whether it registered itself.
    pub is_dynamic: bool,
    /// Since when there is it, in seconds since 1970.
    pub created: u64,
    /// Where its keys are, if it publishes them.
    #[serde(default)]
    pub keys_uri: Option<String>,
    secret: Option<String>,
    keys: Option<Value>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({}, {:?})", self.id, self.kind)
    }
}

impl Client {
    /// The most it may be granted.
    #[must_use]
    pub fn limits(&self) -> Scopes {
        Scopes::read(&self.scopes).0
    }

    /// Whether a secret is its own.
    pub(crate) fn has_secret(&self, text: &str) -> bool {
        self.secret.as_ref().is_some_and(|own| secret::is_same(own, &secret::hash(text)))
    }

    /// Its keys.
    pub(crate) fn keys(&self) -> Result<KeySet, Refusal> {
        let keys = self.keys.as_ref().map(KeySet::read).transpose();
        Ok(keys.map_err(|e| Refusal::new(Kind::ServerError, e))?.unwrap_or_default())
    }
}

/// What is said of a new client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewClient {
    /// Its client_id; one is made if it is empty.
    pub id: String,
    /// What users are shown.
    pub name: String,
    /// How it proves who it is.
    pub kind: ClientKind,
    /// Where users may be sent back to.
    pub redirect_uris: Vec<String>,
    /// The most it may be granted.
    pub scopes: String,
    /// Its keys, as a JSON Web Key Set.
    pub keys: Option<Value>,
    /// Where its keys are, if it publishes them instead.
    #[serde(default)]
    pub keys_uri: Option<String>,
    /// For what it asks.
    pub purpose: Option<String>,
    /// What it is when it acts for itself.
    pub roles: Vec<String>,
    /// For whom it acts when it acts for itself.
    pub organization: Option<String>,
    /// Whether it may ask about tokens of others.
    pub may_introspect: bool,
    /// Whether it registers itself.
    pub is_dynamic: bool,
}

pub(crate) fn client_key(id: &str) -> String {
    format!("client/{id}")
}

/// Whether an address may take an authorization code: https, loopback http, or an app's own scheme with a dot in it
/// (RFC 8252, section 7); without a fragment, and nothing a browser would run or read locally.
pub(crate) fn check_redirect_uri(uri: &str) -> Result<(), Refusal> {
    let refuse =
        |why: &str| Err(Refusal::new(Kind::InvalidRedirectUri, format!("redirect URI '{uri}': {why}")));
    if uri.len() > 2000
        || !uri.bytes().all(|b| (0x21..=0x7e).contains(&b) && !matches!(b, b'"' | b'<' | b'>' | b'\\'))
    {
        return refuse("it has characters a URI may not have, or more than 2,000");
    }
    if uri.contains('#') {
        return refuse("it may have no fragment");
    }
    let Some((scheme, rest)) = uri.split_once(':') else { return refuse("it is not absolute") };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
    if !is_scheme {
        return refuse("it has no scheme in small letters");
    }
    let authority = rest.strip_prefix("//").map(|r| r.split(['/', '?']).next().unwrap_or_default());
    match (scheme, authority) {
        ("https", Some(host)) if is_host(host) => Ok(()),
        ("http", Some(host)) if is_host(host) && is_loopback(host) => Ok(()),
        ("https" | "http", _) => refuse("write https://host/…; http is for loopback only"),
        (own, _) if own.contains('.') => Ok(()),
        _ => refuse("an app's own scheme is a name of its maker turned round, com.example.app"),
    }
}

fn is_host(host: &str) -> bool {
    let is_well = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    !host.is_empty() && host.bytes().all(is_well)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
}

impl Auth {
    /// Registers a client; with it its secret, if it has one, which is shown this once.
    ///
    /// # Errors
    /// If something said of it will not do, or there is one of that id.
    pub fn add_client(&self, new: &NewClient) -> Result<(Client, Option<String>), Refusal> {
        let wrong = |why: String| Err(Refusal::new(Kind::InvalidClientMetadata, why));
        let id = if new.id.is_empty() { secret::id()? } else { new.id.clone() };
        if id.len() > 100 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        {
            return wrong("a client_id has 1 to 100 letters, digits or - _ .".to_owned());
        }
        let name = new.name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return wrong("a client has a name of 1 to 100 characters, which users are shown".to_owned());
        }
        if new.redirect_uris.len() > REDIRECT_URIS {
            return wrong(format!("a client has at most {REDIRECT_URIS} redirect URIs"));
        }
        new.redirect_uris.iter().try_for_each(|uri| check_redirect_uri(uri))?;
        let scopes =
            Scopes::parse(&new.scopes).map_err(|why| Refusal::new(Kind::InvalidClientMetadata, why))?;
        let is_system = scopes.has_level(Level::System);
        if is_system && new.kind != ClientKind::Keyed {
            return wrong("system/ scopes are for clients with a key of their own".to_owned());
        }
        if is_system && new.is_dynamic {
            return wrong("system/ scopes are given by the hub's operator, not by registration".to_owned());
        }
        if !is_system && new.redirect_uris.is_empty() {
            return wrong("a client whose users sign in has a redirect URI".to_owned());
        }
        if !new.roles.is_empty() {
            check_roles(&new.roles)?;
        }
        if let Some(organization) = &new.organization {
            check_reference(organization, &["Organization"])?;
        }
        let keys = match (&new.keys, &new.keys_uri, new.kind) {
            (Some(keys), None, ClientKind::Keyed) => {
                let read =
                    KeySet::read(keys).map_err(|why| Refusal::new(Kind::InvalidClientMetadata, why))?;
                if read.is_empty() {
                    return wrong("its key set has no key for RS384 or ES384".to_owned());
                }
                Some(keys.clone())
            }
            (None, Some(uri), ClientKind::Keyed) => {
                check_keys_uri(uri)?;
                None
            }
            (Some(_), Some(_), ClientKind::Keyed) => {
                return wrong("a client has its keys here or at an address, not both".to_owned());
            }
            (None, None, ClientKind::Keyed) => {
                let why = "a client with a key of its own has a JSON Web Key Set, or an address where one is";
                return wrong(why.to_owned());
            }
            (None, None, _) => None,
            _ => return wrong("a key set is for clients with a key of their own".to_owned()),
        };
        let secret = if new.kind == ClientKind::Confidential { Some(secret::token("yjc_")?) } else { None };
        let client = Client {
            name: name.to_owned(),
            kind: new.kind,
            redirect_uris: new.redirect_uris.clone(),
            scopes: scopes.to_string(),
            purpose: new.purpose.clone(),
            roles: new.roles.clone(),
            organization: new.organization.clone(),
            may_introspect: new.may_introspect,
            is_dynamic: new.is_dynamic,
            created: self.now(),
            secret: secret.as_deref().map(secret::hash),
            keys_uri: new.keys_uri.clone(),
            keys,
            id,
        };
        let key = client_key(&client.id);
        if !self.change(&[absent(&key)], &[put(&key, &client, None)?])? {
            return wrong(format!("there is a client '{}' already", client.id));
        }
        self.forget_origins();
        Ok((client, secret))
    }

    /// All clients, by id.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn clients(&self) -> Result<Vec<Client>, Refusal> {
        self.records("client/", LISTED)
    }

    /// A client.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn client(&self, id: &str) -> Result<Option<Client>, Refusal> {
        self.record(&client_key(id))
    }

    /// Removes a client; all its tokens end with it.
    ///
    /// # Errors
    /// If there is none.
    pub fn remove_client(&self, id: &str) -> Result<Client, Refusal> {
        let missing = || Refusal::new(Kind::NotFound, format!("there is no client '{id}'"));
        let client = self.client(id)?.ok_or_else(missing)?;
        self.change(&[], &[forget(&client_key(id))])?;
        self.forget_identities();
        self.forget_origins();
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_sent_to_no_strange_place() {
        for uri in [
            "https://app.example/callback",
            "https://app.example",
            "http://localhost:9000/cb",
            "http://127.0.0.1/cb?x=1",
            "http://[::1]:9000/cb",
            "com.example.app:/callback",
        ] {
            assert!(check_redirect_uri(uri).is_ok(), "{uri}");
        }
        for uri in [
            "",
            "/callback",
            "//app.example/cb",
            "http://app.example/cb",
            "http://localhost.app.example/cb",
            "https://",
            "https:///cb",
            "https://user@app.example/cb",
            "https://app.example/cb#x",
            "https://app.example/a b",
            "https:\\\\app.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "HTTPS://app.example",
            "app:/cb",
        ] {
            assert!(check_redirect_uri(uri).is_err(), "{uri}");
        }
    }
}
