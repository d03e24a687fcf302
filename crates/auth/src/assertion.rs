//! How a client proves who it is at the token endpoint: by nothing (public), a secret (RFC 6749, 2.3.1), or an assertion it
//! signs (RFC 7523; SMART App Launch 2.2, "Client Authentication: Asymmetric").

use serde_json::Value;

use crate::client::{Client, ClientKind};
use crate::records::{absent, put};
use crate::refusal::{Kind, Refusal};
use crate::throttle::Guess;
use crate::{Auth, secret};

/// What an assertion is called.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// An assertion lasts at most so long.
const LONGEST: u64 = 300;
/// Clocks may differ by so much.
const SLACK: u64 = 30;

/// What a client shows.
#[derive(Clone, Debug, Default)]
pub struct Shown<'a> {
    /// `client_id`
    pub id: Option<&'a str>,
    /// `Authorization: Basic`, or `client_secret`.
    pub secret: Option<&'a str>,
    /// `client_assertion_type`
    pub assertion_type: Option<&'a str>,
    /// `client_assertion`
    pub assertion: Option<&'a str>,
    /// From where.
    pub address: &'a str,
}

fn invalid(description: impl Into<String>) -> Refusal {
    Refusal::new(Kind::InvalidClient, description)
}

impl Auth {
    /// The client that shows this.
    ///
    /// # Errors
    /// `invalid_client` if it does not prove who it is.
    pub fn authenticate(&self, shown: &Shown<'_>) -> Result<Client, Refusal> {
        if let Some(assertion) = shown.assertion {
            if shown.assertion_type != Some(ASSERTION_TYPE) {
                return Err(invalid(format!("client_assertion_type is {ASSERTION_TYPE}")));
            }
            if shown.secret.is_some() {
                return Err(Refusal::request("a client proves who it is in one way, not two"));
            }
            return self.asserted(assertion, shown.id);
        }
        let id = shown.id.ok_or_else(|| invalid("client_id is missing"))?;
        let client = self.client(id)?.ok_or_else(|| invalid("the client is not known"))?;
        match (client.kind, shown.secret) {
            (ClientKind::Public, None) => Ok(client),
            (ClientKind::Public, Some(_)) => Err(invalid("a public client has no secret")),
            (ClientKind::Confidential, Some(secret)) => {
                let account = format!("client {id}");
                let guess = Guess { account: &account, address: shown.address };
                self.throttle.try_guess(guess, self.now())?;
                if !client.has_secret(secret) {
                    return Err(invalid("the client's secret is not right"));
                }
                self.throttle.was_right(guess);
                Ok(client)
            }
            (ClientKind::Confidential, None) => Err(invalid("the client's secret is missing")),
            (ClientKind::Keyed, _) => Err(invalid("this client signs a client_assertion (private_key_jwt)")),
        }
    }

    fn asserted(&self, assertion: &str, id: Option<&str>) -> Result<Client, Refusal> {
        let wrong = |why: &str| invalid(format!("client_assertion: {why}"));
        // Whose keys to try is read from what is not verified yet; then it must be verified by exactly those.
        let issuer = unverified_issuer(assertion).ok_or_else(|| wrong("it is no JWT with an iss"))?;
        if id.is_some_and(|id| id != issuer) {
            return Err(wrong("its iss is not the client_id"));
        }
        let client = self.client(&issuer)?.ok_or_else(|| invalid("the client is not known"))?;
        if client.kind != ClientKind::Keyed {
            return Err(invalid("the client is not registered with a key of its own"));
        }
        // SMART App Launch 2.2, "Signature Verification": an address of keys is the registered one, or none.
        if crate::jws::keys_uri(assertion).is_some_and(|named| named.as_str() != client.keys_uri.as_deref()) {
            return Err(wrong("its jku is not the address of keys the client is registered with"));
        }
        let claims = self.keys_of(&client, assertion)?;
        let claims = claims.claims(assertion, &["RS384", "ES384"]).map_err(|why| wrong(&why))?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let number = |name: &str| {
            claims.get(name).map(|v| v.as_u64().ok_or_else(|| wrong("its times are no whole numbers")))
        };
        if text("iss") != Some(&client.id) || text("sub") != Some(&client.id) {
            return Err(wrong("its iss and sub are not both the client_id"));
        }
        let endpoint = format!("{}/auth/token", self.settings.issuer);
        let is_meant = match claims.get("aud") {
            Some(Value::String(aud)) => *aud == endpoint,
            Some(Value::Array(list)) => list.iter().any(|aud| aud.as_str() == Some(&endpoint)),
            _ => false,
        };
        if !is_meant {
            return Err(wrong(&format!("its aud is not {endpoint}")));
        }
        let now = self.now();
        let expires = number("exp").transpose()?.ok_or_else(|| wrong("it has no exp"))?;
        if expires <= now {
            return Err(wrong("it has expired"));
        }
        if expires > now + LONGEST + SLACK {
            return Err(wrong("it lasts longer than five minutes"));
        }
        for name in ["iat", "nbf"] {
            if number(name).transpose()?.is_some_and(|at| at > now + SLACK) {
                return Err(wrong("it is not valid yet"));
            }
        }
        let jti = text("jti").filter(|jti| !jti.is_empty()).ok_or_else(|| wrong("it has no jti"))?;
        let key = format!("jti/{}/{}", client.id, secret::hash(jti));
        if !self.change(&[absent(&key)], &[put(&key, &true, Some(expires + 1))?])? {
            return Err(wrong("it was used already; each has its own jti"));
        }
        Ok(client)
    }
}

fn unverified_issuer(assertion: &str) -> Option<String> {
    if assertion.len() > 16 << 10 {
        return None;
    }
    let claims = data_encoding::BASE64URL_NOPAD.decode(assertion.split('.').nth(1)?.as_bytes()).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}
