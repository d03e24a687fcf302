//! Signed tokens: JWS compact (RFC 7515) with JWT claims (RFC 7519), as narrow as SMART needs.
//!
//! Which algorithm a signature is checked by follows from the *key* (its type and curve), never from the token's header:
//! the header must agree, so neither `none` nor an HMAC under a public key can be talked into. RS384 and ES384 are
//! SMART's; ES256 is what this hub signs its id_tokens with; RS256 is what outside providers sign theirs with, unless their key says
//! otherwise. RSA keys have 2,048 to 8,192 bits.
//!
//! Design not chosen: the crate `jsonwebtoken`. Its two backends are a C library of their own and a pure one whose RSA
//! has an open advisory (RUSTSEC-2023-0071); `ring` is in the program already, for TLS, and what is left is this page.

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Map, Value};

/// So long a token is read at most.
const LONGEST: usize = 16 << 10;
/// A key set has at most so many keys.
const KEYS: usize = 50;

/// What the claims of a token are.
pub(crate) type Claims = Map<String, Value>;

/// A public key, by what it verifies.
#[derive(Clone, Debug)]
enum PublicKey {
    Rs256 { n: Vec<u8>, e: Vec<u8> },
    Rs384 { n: Vec<u8>, e: Vec<u8> },
    Es384(Vec<u8>),
    Es256(Vec<u8>),
}

impl PublicKey {
    fn algorithm(&self) -> &'static str {
        match self {
            PublicKey::Rs256 { .. } => "RS256",
            PublicKey::Rs384 { .. } => "RS384",
            PublicKey::Es384(_) => "ES384",
            PublicKey::Es256(_) => "ES256",
        }
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            PublicKey::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            PublicKey::Rs384 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA384, message, signature)
            }
            PublicKey::Es384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            PublicKey::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

/// Public keys by their kid.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySet(Vec<(Option<String>, PublicKey)>);

impl KeySet {
    /// Reads a JSON Web Key Set (RFC 7517). Keys of other kinds are passed over; private or symmetric ones are an error:
    /// somebody is about to give a secret away.
    ///
    /// # Errors
    /// If it is no key set, or has what must not be there.
    pub(crate) fn read(set: &Value) -> Result<KeySet, String> {
        KeySet::read_with(set, |n, e, _| PublicKey::Rs384 { n, e })
    }

    /// The same of an outside provider's.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn of_provider(set: &Value) -> Result<KeySet, String> {
        KeySet::read_with(set, |n, e, algorithm| match algorithm {
            Some("RS384") => PublicKey::Rs384 { n, e },
            _ => PublicKey::Rs256 { n, e },
        })
    }

    /// With what an RSA key verifies, by its `alg`.
    fn read_with(
        set: &Value,
        of_rsa: impl Fn(Vec<u8>, Vec<u8>, Option<&str>) -> PublicKey,
    ) -> Result<KeySet, String> {
        let keys = set.get("keys").and_then(Value::as_array).ok_or("a JSON Web Key Set is {\"keys\":[…]}")?;
        if keys.len() > KEYS {
            return Err(format!("a JSON Web Key Set has at most {KEYS} keys here"));
        }
        let mut found = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let member = |name: &str| key.get(name).and_then(Value::as_str);
            if ["d", "p", "q", "k"].iter().any(|secret| key.get(*secret).is_some()) {
                return Err(format!(
                    "keys[{at}] has its private part; give the public key only, and make a new one"
                ));
            }
            if member("use").is_some_and(|u| u != "sig") {
                continue;
            }
            let bytes = |name: &str, length: Option<usize>| -> Result<Vec<u8>, String> {
                let read = member(name).and_then(|t| BASE64URL_NOPAD.decode(t.as_bytes()).ok());
                let read = read.filter(|b| !b.is_empty() && length.is_none_or(|l| b.len() == l));
                read.ok_or_else(|| {
                    format!("keys[{at}].{name} is missing or no base64url of the right length")
                })
            };
            let point = |length: usize| -> Result<Vec<u8>, String> {
                Ok([&[4][..], &bytes("x", Some(length))?, &bytes("y", Some(length))?].concat())
            };
            let read = match (member("kty"), member("crv")) {
                (Some("RSA"), _) => {
                    let (n, e) = (bytes("n", None)?, bytes("e", None)?);
                    let bits = n.len() * 8;
                    if !(2048..=8192).contains(&bits) || n[0] == 0 {
                        return Err(format!(
                            "keys[{at}]: an RSA key has 2,048 to 8,192 bits and no leading zeros"
                        ));
                    }
                    of_rsa(n, e, member("alg"))
                }
                (Some("EC"), Some("P-384")) => PublicKey::Es384(point(48)?),
                (Some("EC"), Some("P-256")) => PublicKey::Es256(point(32)?),
                _ => continue,
            };
            if member("alg").is_some_and(|alg| alg != read.algorithm()) {
                continue;
            }
            found.push((member("kid").map(str::to_owned), read));
        }
        Ok(KeySet(found))
    }

    /// Whether it has no key that could verify anything.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The claims of a token that one of the keys signed by one of these algorithms.
    ///
    /// # Errors
    /// Why it is no such token; the text holds nothing of it.
    pub(crate) fn claims(&self, token: &str, algorithms: &[&str]) -> Result<Claims, String> {
        let (header, message, signature) = split(token)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let algorithm = text("alg").ok_or("its header names no algorithm")?;
        if !algorithms.contains(&algorithm) {
            return Err(format!("it is signed by another algorithm than {}", algorithms.join(" or ")));
        }
        // RFC 7515, 4.1.11: what must be understood and is not.
        if header.contains_key("crit") {
            return Err("its header has extensions that must be understood (crit)".to_owned());
        }
        let signature =
            BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_| "its signature does not read")?;
        let mut candidates = self.candidates(&header).peekable();
        if candidates.peek().is_none() {
            return Err("no key has its kid and algorithm".to_owned());
        }
        if !candidates.any(|key| key.has_signed(message.as_bytes(), &signature)) {
            return Err("its signature is not that of the key".to_owned());
        }
        let claims = message.split_once('.').and_then(|(_, claims)| object(claims));
        claims.ok_or_else(|| "its claims do not read".to_owned())
    }

    /// The keys a header names.
    fn candidates(&self, header: &Claims) -> impl Iterator<Item = &PublicKey> {
        let text = |name: &str| header.get(name).and_then(Value::as_str).map(str::to_owned);
        let (algorithm, kid) = (text("alg"), text("kid"));
        let is_named = move |own: &Option<String>| kid.is_none() || *own == kid;
        let keys = self.0.iter();
        keys.filter(move |(own, key)| algorithm.as_deref() == Some(key.algorithm()) && is_named(own))
            .map(|(_, key)| key)
    }

    /// Whether one of the keys is that which a token names; not whether it signed it.
    #[must_use]
    pub(crate) fn has_key_for(&self, token: &str) -> bool {
        split(token).is_ok_and(|(header, ..)| self.candidates(&header).next().is_some())
    }
}

/// Header, signed text and signature of a token.
fn split(token: &str) -> Result<(Claims, &str, &str), String> {
    if token.len() > LONGEST {
        return Err(format!("a token has at most {LONGEST} bytes"));
    }
    let (message, signature) = token.rsplit_once('.').ok_or("it is no JWT")?;
    let (header, _) = message.split_once('.').ok_or("it is no JWT")?;
    Ok((object(header).ok_or("its header does not read")?, message, signature))
}

/// The address of keys that a token's header names (`jku`, RFC 7515, section 4.1.2).
pub(crate) fn keys_uri(token: &str) -> Option<Value> {
    split(token).ok()?.0.remove("jku")
}

fn object(part: &str) -> Option<Claims> {
    let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// What is signed: header and claims.
pub(crate) fn signing_input(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}", encode(header), encode(claims))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    fn pair() -> (EcdsaKeyPair, Value) {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let jwk = json!({"kty": "EC", "crv": "P-384", "kid": "k", "x": encode(&point[1..49]), "y": encode(&point[49..])});
        (pair, jwk)
    }

    fn signed(pair: &EcdsaKeyPair, header: &Value) -> String {
        let message = signing_input(header, &json!({"iss": "c"}));
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    const ALLOWED: &[&str] = &["RS384", "ES384"];

    #[test]
    fn only_the_key_decides() {
        let (key, jwk) = pair();
        let set = KeySet::read(&json!({"keys": [jwk]})).unwrap();
        let good = signed(&key, &json!({"alg": "ES384", "kid": "k"}));
        assert_eq!(set.claims(&good, ALLOWED).unwrap()["iss"], "c");
        assert!(set.claims(&signed(&key, &json!({"alg": "ES384"})), ALLOWED).is_ok());
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "None", "kid": "k"}),
            json!({"alg": "HS256", "kid": "k"}),
            json!({"alg": "RS384", "kid": "k"}),
            json!({"alg": "ES384", "kid": "other"}),
            json!({"alg": "ES384", "kid": "k", "crit": ["b64"]}),
            json!({"alg": ["ES384"], "kid": "k"}),
            json!({"kid": "k"}),
        ] {
            assert!(set.claims(&signed(&key, &header), ALLOWED).is_err(), "{header}");
        }
        let (other, _) = pair();
        assert!(set.claims(&signed(&other, &json!({"alg": "ES384", "kid": "k"})), ALLOWED).is_err());
        let (message, _) = good.rsplit_once('.').unwrap();
        assert!(set.claims(&format!("{message}."), ALLOWED).is_err());
        assert!(set.claims(&format!("{good}="), ALLOWED).is_err());
    }

    /// Signed once by another program, whose key was then thrown away.
    const RSA_MODULUS: &str = "kZJudJBsZMF_XxebYCJ1rs0JsfHWCTBW_cvo-0QvnvvtCrqD5qwGScbc9hTHXNEPdDSVK7UJRtQXOX2qcYnMa0ySZUPQnn0pZQg4w0QNk-BurCGNMRpVWnbD2m6AUY3J6LQLz7Ebh81PwmS2JE0ZrdVbX6mVTjfGytmd6ZzPIrVcx6eM5kO0SRl2USuIfHBbRZ-nCqk0RfYSf9t_cx5jbGVGnttK549GXsgzN2_j3XuU1FxmLDyrY-kXG6IIRWP7_CyiAalHSR_SXqBIgRgS2xUWNiBYYT54rGTI6J1t45vG9MU9f8IwJ6vm8fThKJkaYQBNOCg-3v8IDsTieRhoZw";
    const RSA_SIGNED: &str = "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCIsImtpZCI6InIifQ.eyJpc3MiOiJjIn0.BUuFi6lT1k-bMoVu5ux8F7IroIUPVph5ar_Z_QUF3Hij6rJ3g0wdTOdQYm19vyHeL0FJU4qrBit88yJvqwnKwOJT4CMa_9q8kqHjXRuAQH4fntjVHg1RkweasuK-Gm3cNfA30tTrr6Z7uJFyCjm8IclHO6m94wn7NZGDpBcC6ii6CAwRBB2L5xGoruEpuAHg48_FvLlrybee8RIfKuwQmIgJ7_i_mYF962wnwt35bwL6GpeimREj667tS4ifK-UHPbWWxiXXOn55vjHrfkQTUm4E_Sn5re8ZcGrjj89x9C4GH46WqX3PZVdHCpUMmOmjberGKL1pyJBJAAHyqIJQjQ";

    #[test]
    fn rsa_is_verified_and_its_public_key_is_no_secret_of_an_hmac() {
        let jwk = json!({"kty": "RSA", "kid": "r", "n": RSA_MODULUS, "e": "AQAB"});
        let set = KeySet::read(&json!({"keys": [jwk]})).unwrap();
        assert_eq!(set.claims(RSA_SIGNED, ALLOWED).unwrap()["iss"], "c");
        let mut changed = RSA_SIGNED.to_owned();
        changed.replace_range(90..91, if &changed[90..91] == "A" { "B" } else { "A" });
        assert!(set.claims(&changed, ALLOWED).is_err());
        // The key that everyone knows, used as that of an HMAC.
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, RSA_MODULUS.as_bytes());
        for algorithm in ["HS256", "RS384"] {
            let message = signing_input(&json!({"alg": algorithm, "kid": "r"}), &json!({"iss": "c"}));
            let tag = ring::hmac::sign(&key, message.as_bytes());
            let token = format!("{message}.{}", BASE64URL_NOPAD.encode(tag.as_ref()));
            assert!(set.claims(&token, ALLOWED).is_err(), "{algorithm}");
        }
    }

    #[test]
    fn what_a_providers_key_verifies_by_is_one_algorithm() {
        let set = |alg: Option<&str>| {
            let mut jwk = json!({"kty": "RSA", "kid": "r", "n": RSA_MODULUS, "e": "AQAB"});
            if let Some(alg) = alg {
                jwk["alg"] = json!(alg);
            }
            KeySet::of_provider(&json!({"keys": [jwk]})).unwrap()
        };
        let any = ["RS256", "RS384"];
        assert!(set(Some("RS384")).claims(RSA_SIGNED, &any).is_ok());
        for alg in [None, Some("RS256")] {
            assert!(set(alg).claims(RSA_SIGNED, &any).unwrap_err().contains("no key"), "{alg:?}");
        }
        assert!(set(Some("PS256")).is_empty());
    }

    #[test]
    fn a_key_set_with_a_secret_is_refused() {
        let (_, mut jwk) = pair();
        jwk["d"] = json!("AAAA");
        assert!(KeySet::read(&json!({"keys": [jwk]})).unwrap_err().contains("private"));
        assert!(KeySet::read(&json!({"keys": [{"kty": "oct", "k": "AAAA"}]})).is_err());
        assert!(KeySet::read(&json!([])).is_err());
        assert!(KeySet::read(&json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]})).is_err());
        assert!(KeySet::read(&json!({"keys": [{"kty": "OKP"}]})).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[A-Za-z0-9_.-]{0,200}", other in ".{0,60}") {
            let (_, jwk) = pair();
            let set = KeySet::read(&json!({"keys": [jwk]})).unwrap();
            prop_assert!(set.claims(&text, ALLOWED).is_err() && set.claims(&other, ALLOWED).is_err());
        }

        #[test]
        fn one_changed_letter_is_another_token(at in 0_usize..400, letter in "[A-Za-z0-9_-]") {
            let (key, jwk) = pair();
            let set = KeySet::read(&json!({"keys": [jwk]})).unwrap();
            let token = signed(&key, &json!({"alg": "ES384", "kid": "k"}));
            let at = at % token.len();
            let changed = format!("{}{letter}{}", &token[..at], &token[at + 1..]);
            prop_assert!(changed == token || set.claims(&changed, ALLOWED).is_err());
        }
    }
}
