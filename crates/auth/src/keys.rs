//! The keys this hub signs id_tokens with (ES256). A new one is made every thirty days; an old one is shown until what it
//! signed has expired.

use std::sync::{Arc, PoisonError};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::records::{absent, put};
use crate::refusal::{Kind, Refusal};
use crate::{Auth, jws, secret};

/// A key signs for so long.
const SIGNS: u64 = 30 * 24 * 3600;
/// It is shown for so much longer; an id_token lasts an hour.
const SHOWN: u64 = 24 * 3600;

#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    kid: String,
    /// PKCS #8, base64.
    pair: String,
    created: u64,
}

/// A key that signs.
pub(crate) struct SigningKey {
    kid: String,
    pair: EcdsaKeyPair,
    created: u64,
}

fn failed(_: impl Sized) -> Refusal {
    Refusal::new(Kind::ServerError, "the hub's signing key does not work")
}

impl Stored {
    fn load(&self) -> Result<SigningKey, Refusal> {
        let pkcs8 = BASE64.decode(self.pair.as_bytes()).map_err(failed)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &SystemRandom::new())
            .map_err(failed)?;
        Ok(SigningKey { kid: self.kid.clone(), pair, created: self.created })
    }
}

impl SigningKey {
    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        // 4, then x and y of 32 bytes each.
        let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len().saturating_sub(1) / 2);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": BASE64URL_NOPAD.encode(x), "y": BASE64URL_NOPAD.encode(y)})
    }
}

impl Auth {
    fn stored_keys(&self) -> Result<Vec<SigningKey>, Refusal> {
        self.records::<Stored>("key/", 1000)?.iter().map(Stored::load).collect()
    }

    /// The newest key, made if there is none or it has signed long enough.
    pub(crate) fn signing_key(&self) -> Result<Arc<SigningKey>, Refusal> {
        let is_fresh = |key: &Arc<SigningKey>| key.created + SIGNS > self.now();
        let mut current = self.signing_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = current.as_ref().filter(|key| is_fresh(key)) {
            return Ok(Arc::clone(key));
        }
        let newest = self.stored_keys()?.into_iter().max_by_key(|key| key.created).map(Arc::new);
        let key = match newest.filter(is_fresh) {
            Some(key) => key,
            None => Arc::new(self.make_key()?),
        };
        *current = Some(Arc::clone(&key));
        Ok(key)
    }

    fn make_key(&self) -> Result<SigningKey, Refusal> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(failed)?;
        let stored = Stored { kid: secret::id()?, pair: BASE64.encode(pkcs8.as_ref()), created: self.now() };
        let key = format!("key/{}", stored.kid);
        self.change(&[absent(&key)], &[put(&key, &stored, Some(stored.created + SIGNS + SHOWN))?])?;
        tracing::info!(kid = stored.kid, "a new signing key was made");
        stored.load()
    }

    /// The public keys, as a JSON Web Key Set.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn key_set(&self) -> Result<Value, Refusal> {
        self.signing_key()?;
        let keys: Vec<Value> = self.stored_keys()?.iter().map(SigningKey::jwk).collect();
        Ok(json!({"keys": keys}))
    }

    /// Signs claims.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, Refusal> {
        let key = self.signing_key()?;
        let message = jws::signing_input(&json!({"alg": "ES256", "typ": "JWT", "kid": key.kid}), claims);
        let signature = key.pair.sign(&SystemRandom::new(), message.as_bytes()).map_err(failed)?;
        Ok(format!("{message}.{}", BASE64URL_NOPAD.encode(signature.as_ref())))
    }
}
