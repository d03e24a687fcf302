//! What must be so before an id_token is believed (OpenID Connect Core 1.0, section 3.1.3.7).

use serde_json::Value;

use crate::jws::Claims;
use crate::secret;

/// What a signature may be by; by which it is says the key.
pub(super) const ALGORITHMS: &[&str] = &["RS256", "RS384", "ES256", "ES384"];
/// Clocks may differ by so much, in seconds.
const SLACK: u64 = 30;
/// A subject has at most so many characters (section 2).
const LONGEST_SUBJECT: usize = 255;

/// For whom it must be.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: u64,
}

/// Whom it is about.
///
/// # Errors
/// What is not as it must be.
pub(super) fn subject(claims: &Claims, expected: &Expected<'_>) -> Result<String, String> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let number = |name: &str| claims.get(name).and_then(Value::as_u64);
    if text("iss") != Some(expected.issuer) {
        return Err("its iss is another issuer".to_owned());
    }
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audiences.contains(&expected.client) {
        return Err("its aud is another client".to_owned());
    }
    let party = claims.get("azp").map(Value::as_str);
    let is_for_others = audiences.len() > 1 && party.is_none();
    if is_for_others || party.is_some_and(|party| party != Some(expected.client)) {
        return Err("its azp is another client, or missing".to_owned());
    }
    if number("exp").is_none_or(|exp| exp + SLACK <= expected.now) {
        return Err("it has expired (exp)".to_owned());
    }
    if number("iat").is_none_or(|iat| iat > expected.now + SLACK) {
        return Err("it was issued in the future (iat)".to_owned());
    }
    if claims.contains_key("nbf") && number("nbf").is_none_or(|nbf| nbf > expected.now + SLACK) {
        return Err("it is not good yet (nbf)".to_owned());
    }
    if !text("nonce").is_some_and(|nonce| secret::is_same(nonce, expected.nonce)) {
        return Err("its nonce is not that of this sign-in".to_owned());
    }
    let subject = text("sub").filter(|sub| !sub.is_empty() && sub.len() <= LONGEST_SUBJECT);
    subject.map(str::to_owned).ok_or_else(|| "its sub is missing or too long".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_exactly_for_this_sign_in_is_nothing() {
        let expected = Expected { issuer: "https://id.example", client: "hub", nonce: "n", now: 1000 };
        let said = |changes: Value| {
            let mut claims = json!({"iss": "https://id.example", "aud": "hub", "exp": 1100, "iat": 1000, "nonce": "n", "sub": "s"});
            for (name, value) in changes.as_object().unwrap() {
                match value {
                    Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                    value => claims[name] = value.clone(),
                }
            }
            subject(claims.as_object().unwrap(), &expected)
        };
        assert_eq!(said(json!({})).unwrap(), "s");
        assert!(said(json!({"aud": ["hub", "other"], "azp": "hub"})).is_ok());
        for (changes, why) in [
            (json!({"iss": "https://id.example/"}), "iss"),
            (json!({"iss": null}), "iss"),
            (json!({"aud": "other"}), "aud"),
            (json!({"aud": null}), "aud"),
            (json!({"aud": [1]}), "aud"),
            (json!({"aud": ["hub", "other"]}), "azp"),
            (json!({"azp": "other"}), "azp"),
            (json!({"azp": 1}), "azp"),
            (json!({"exp": 900}), "exp"),
            (json!({"exp": null}), "exp"),
            (json!({"exp": "1100"}), "exp"),
            (json!({"iat": 2000}), "iat"),
            (json!({"iat": null}), "iat"),
            (json!({"nbf": 2000}), "nbf"),
            (json!({"nonce": "m"}), "nonce"),
            (json!({"nonce": null}), "nonce"),
            (json!({"sub": null}), "sub"),
            (json!({"sub": ""}), "sub"),
            (json!({"sub": "x".repeat(256)}), "sub"),
        ] {
            assert!(said(changes.clone()).unwrap_err().contains(why), "{changes}");
        }
    }
}
