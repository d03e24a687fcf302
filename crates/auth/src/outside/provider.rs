//! What a provider says of itself (OpenID Connect Discovery 1.0), its keys, and requests to it.
//!
//! Where to ask is learned from the provider the operator named. Its metadata are asked for anew each hour, its keys when a signature is
//! by one that is not known, though not more often than every ten seconds.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use ureq::Agent;
use ureq::http::{Request, header};

use crate::fetch::{self, place};
use crate::jws::KeySet;

/// Metadata are believed so long, in seconds.
const METADATA: u64 = 3600;
/// Keys are not asked for more often.
const KEYS: u64 = 10;

/// What a provider says of itself.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) userinfo_endpoint: Option<String>,
    pub(super) end_session_endpoint: Option<String>,
    /// Whether each of its answers names it (RFC 9207).
    pub(super) names_itself: bool,
    /// Whether a secret is sent in the body: it takes it nowhere else.
    pub(super) takes_secret_in_body: bool,
    jwks_uri: String,
}

/// A provider.
pub(super) struct Provider {
    issuer: String,
    agent: Agent,
    metadata: Mutex<Option<(u64, Arc<Metadata>)>>,
    keys: Mutex<Option<(u64, Arc<KeySet>)>>,
}

impl Metadata {
    fn read(issuer: &str, said: &Value) -> Result<Metadata, String> {
        if said.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err("its metadata name another issuer".to_owned());
        }
        let maybe = |name: &str| -> Result<Option<String>, String> {
            match said.get(name).and_then(Value::as_str) {
                Some(url) if place(url).is_some() => Ok(Some(url.to_owned())),
                Some(_) => Err(format!("its {name} is no https address")),
                None => Ok(None),
            }
        };
        let needed = |name: &str| maybe(name)?.ok_or_else(|| format!("its metadata have no {name}"));
        let list = |name: &str| said.get(name).and_then(Value::as_array);
        let takes = |method: &str| {
            list("token_endpoint_auth_methods_supported").is_some_and(|all| all.iter().any(|m| m == method))
        };
        Ok(Metadata {
            authorization_endpoint: needed("authorization_endpoint")?,
            token_endpoint: needed("token_endpoint")?,
            userinfo_endpoint: maybe("userinfo_endpoint")?,
            end_session_endpoint: maybe("end_session_endpoint")?,
            names_itself: said.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            takes_secret_in_body: takes("client_secret_post") && !takes("client_secret_basic"),
            jwks_uri: needed("jwks_uri")?,
        })
    }
}

impl Provider {
    pub(super) fn new(issuer: &str) -> Provider {
        Provider {
            issuer: issuer.to_owned(),
            agent: fetch::agent(issuer.starts_with("http://")),
            metadata: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    fn read(&self, url: &str, bearer: Option<&str>) -> Result<Value, String> {
        let mut request = Request::get(url).header(header::ACCEPT, "application/json");
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        fetch::ask(
            &self.agent,
            request.body(String::new()).map_err(|_| "an address of its is none".to_owned())?,
        )
    }

    /// What it says of itself.
    pub(super) fn metadata(&self, now: u64) -> Result<Arc<Metadata>, String> {
        let known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, metadata)) = known.filter(|(asked, _)| asked + METADATA > now) {
            return Ok(metadata);
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata = Arc::new(Metadata::read(&self.issuer, &self.read(&url, None)?)?);
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&metadata)));
        Ok(metadata)
    }

    /// Its keys; asked for anew if they are not those that were `tried` in vain.
    pub(super) fn keys(&self, now: u64, has_failed: bool) -> Result<Arc<KeySet>, String> {
        let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, keys)) = known.filter(|(asked, _)| !has_failed || asked + KEYS > now) {
            return Ok(keys);
        }
        let said = self.read(&self.metadata(now)?.jwks_uri, None)?;
        let keys = Arc::new(KeySet::of_provider(&said)?);
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&keys)));
        Ok(keys)
    }

    /// Exchanges a code.
    pub(super) fn exchange(&self, url: &str, form: String, basic: Option<&str>) -> Result<Value, String> {
        let mut request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        if let Some(basic) = basic {
            request = request.header(header::AUTHORIZATION, format!("Basic {basic}"));
        }
        fetch::ask(
            &self.agent,
            request.body(form).map_err(|_| "its token_endpoint is no address".to_owned())?,
        )
    }

    /// What it says at the userinfo endpoint, of the same person.
    pub(super) fn userinfo(
        &self,
        url: &str,
        token: &str,
        subject: &str,
    ) -> Result<Map<String, Value>, String> {
        match self.read(url, Some(token))? {
            // OpenID Connect Core 5.3.2: tokens can be swapped, so this must agree.
            Value::Object(said) if said.get("sub").and_then(Value::as_str) == Some(subject) => Ok(said),
            _ => Err("its userinfo is about another person".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_its_own_metadata_and_safe_addresses_are_believed() {
        let at = |path: &str| format!("https://id.example/{path}");
        let said = |changes: Value| {
            let mut said = json!({"issuer": "https://id.example", "authorization_endpoint": at("a"), "token_endpoint": at("t"),
                "jwks_uri": at("j")});
            for (name, value) in changes.as_object().unwrap() {
                said[name] = value.clone();
            }
            Metadata::read("https://id.example", &said)
        };
        assert!(said(json!({})).is_ok());
        assert!(said(json!({"token_endpoint": "http://127.0.0.1:1/t"})).is_ok());
        for (changes, why) in [
            (json!({"issuer": "https://id.example/"}), "another issuer"),
            (json!({"issuer": "https://evil.example"}), "another issuer"),
            (json!({"issuer": null}), "another issuer"),
            (json!({"token_endpoint": "http://id.example/t"}), "no https"),
            (json!({"jwks_uri": "https://user@id.example/"}), "no https"),
            (json!({"jwks_uri": "file:///etc/passwd"}), "no https"),
            (json!({"jwks_uri": 1}), "have no"),
        ] {
            let found = said(changes.clone()).unwrap_err();
            assert!(found.contains(why), "{changes}: {found}");
        }
    }
}
