//! Keys wrapped by the key: AES-256-GCM (ring), a random nonce before each.

use data_encoding::BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::key::{Key, random};

/// A wrapped key, as a file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrapped {
    /// Which key wraps it.
    by: String,
    /// Nonce, key and proof, base64.
    sealed: String,
}

pub(crate) fn aead(key: &[u8; 32]) -> Result<LessSafeKey, Error> {
    let unbound = UnboundKey::new(&AES_256_GCM, key);
    Ok(LessSafeKey::new(unbound.map_err(|_| Error::Key("a key has the wrong length".to_owned()))?))
}

impl Wrapped {
    /// Wraps a key; `purpose` is what it is unwrapped for, and for nothing else.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub(crate) fn new(secret: &[u8; 32], by: &Key, purpose: &str) -> Result<Wrapped, Error> {
        Ok(Wrapped { by: by.id(), sealed: seal(secret, &by.wrapping(), purpose)? })
    }

    /// Unwraps it; `place` is where it stands.
    ///
    /// # Errors
    /// Another key's, or damaged.
    pub(crate) fn open(&self, key: &Key, purpose: &str, place: &str) -> Result<[u8; 32], Error> {
        if self.by != key.id() {
            return Err(Error::Key(format!(
                "{place} was sealed with another key: with {}, and the key given is {}; give the one it was sealed with (--key-file)",
                self.by,
                key.id()
            )));
        }
        open(&self.sealed, &key.wrapping(), purpose, place)
    }
}

/// A secret, sealed with a key: nonce, secret and proof in base64.
pub(crate) fn seal(secret: &[u8; 32], with: &[u8; 32], purpose: &str) -> Result<String, Error> {
    let nonce: [u8; NONCE_LEN] = random()?;
    let mut sealed = secret.to_vec();
    aead(with)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(purpose.as_bytes()),
            &mut sealed,
        )
        .map_err(|_| Error::Key("a key could not be wrapped".to_owned()))?;
    Ok(BASE64.encode(&[nonce.as_slice(), &sealed].concat()))
}

/// The secret.
pub(crate) fn open(sealed: &str, with: &[u8; 32], purpose: &str, place: &str) -> Result<[u8; 32], Error> {
    let damaged = || crate::error::damaged(place, "a wrapped key is not what was written");
    let bytes = BASE64.decode(sealed.as_bytes()).map_err(|_| damaged())?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
    let mut secret = sealed.to_vec();
    let opened = aead(with)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(purpose.as_bytes()), &mut secret)
        .map_err(|_| damaged())?;
    opened.try_into().map_err(|_| damaged())
}
