//! What a provider says of itself (OpenID Connect Discovery 1.0), its keys, and requests to it.
//!
//! Where to ask is learned from the provider the operator named, over https (loopback may be http). Redirects are not followed,
//! answers are bounded in size and time. Its metadata are asked for anew each hour, its keys when a signature is by one that
//! is not known, though not more often than every ten seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use ureq::Agent;
use ureq::http::{Request, header};
use ureq::tls::{RootCerts, TlsConfig};

use crate::jws::KeySet;

/// An answer has at most so many bytes, and comes within this time.
const LARGEST: u64 = 512 << 10;
const TIME: Duration = Duration::from_secs(10);
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

/// Whether an address may be asked.
fn is_safe(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_plain =
        !authority.is_empty() && url.bytes().all(|b| (0x21..=0x7e).contains(&b)) && !authority.contains('@');
    is_plain && (scheme == "https" || (scheme == "http" && is_loopback))
}

impl Metadata {
    fn read(issuer: &str, said: &Value) -> Result<Metadata, String> {
        if said.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err("its metadata name another issuer".to_owned());
        }
        let maybe = |name: &str| -> Result<Option<String>, String> {
            match said.get(name).and_then(Value::as_str) {
                Some(url) if is_safe(url) => Ok(Some(url.to_owned())),
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
        let config = if issuer.starts_with("http://") { config.proxy(None) } else { config };
        Provider {
            issuer: issuer.to_owned(),
            agent: config.build().into(),
            metadata: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    fn ask(&self, request: Request<String>) -> Result<Value, String> {
        let path = request.uri().path().to_owned();
        let mut answer = self.agent.run(request).map_err(|e| format!("{path} does not answer: {e}"))?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
        let body =
            body.map_err(|_| format!("{path} answers with more than {LARGEST} bytes, or not whole"))?;
        let said = serde_json::from_slice::<Value>(&body).ok().filter(Value::is_object);
        if !status.is_success() {
            // The error's code is the standard's; the rest may be anything.
            let code = said.as_ref().and_then(|said| said.get("error")?.as_str());
            let code = code.filter(|code| code.len() < 60 && code.bytes().all(|b| b.is_ascii_graphic()));
            return Err(format!("{path} answers {}: {}", status.as_u16(), code.unwrap_or("no code")));
        }
        said.ok_or_else(|| format!("{path} does not answer with a JSON object"))
    }

    fn read(&self, url: &str, bearer: Option<&str>) -> Result<Value, String> {
        let mut request = Request::get(url).header(header::ACCEPT, "application/json");
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.ask(request.body(String::new()).map_err(|_| "an address of its is none".to_owned())?)
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
        self.ask(request.body(form).map_err(|_| "its token_endpoint is no address".to_owned())?)
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
