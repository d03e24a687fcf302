//! Challenges: what an authenticator signs (section 13.4.3).
//!
//! A page that offers a passkey has one in it, and most such pages are left again; so nothing is written down for it. It
//! carries until when it is good and a seal over that, what it is for and the browser it was shown in. Only when an answer
//! to it was right is it written down, until it has expired: a second answer finds it used.
//!
//! The seal's key is made anew with each start of the hub; a page from before then is too old.

use std::sync::OnceLock;

use data_encoding::BASE64URL_NOPAD;

use crate::records::{absent, put};
use crate::refusal::{Kind, Refusal};
use crate::vault::{Change, Condition};
use crate::{Auth, secret};

/// It is good for so long, in seconds.
const LASTS: u64 = 300;
const NONCE: usize = 16;
const HEAD: usize = NONCE + 8;
const SEAL: usize = 32;

/// The key of the seals.
#[derive(Default)]
pub(crate) struct ChallengeKey(OnceLock<[u8; 32]>);

impl ChallengeKey {
    fn get(&self) -> Result<[u8; 32], Refusal> {
        if let Some(key) = self.0.get() {
            return Ok(*key);
        }
        let fresh = secret::random::<32>()?;
        Ok(*self.0.get_or_init(|| fresh))
    }
}

/// What a challenge is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ceremony<'a> {
    /// Making a passkey for a user.
    Register(&'a str),
    /// Signing in.
    SignIn,
}

/// That a challenge is used up: to be part of the change its answer brings.
pub(super) struct Use {
    pub(super) condition: Condition,
    pub(super) change: Change,
}

impl Auth {
    fn seal(&self, head: &[u8], ceremony: Ceremony<'_>, browser: &str) -> Result<[u8; SEAL], Refusal> {
        let (word, user) = match ceremony {
            Ceremony::Register(user) => ("register", user),
            Ceremony::SignIn => ("sign in", ""),
        };
        let mut hasher = blake3::Hasher::new_keyed(&self.challenges.get()?);
        for part in [head, word.as_bytes(), user.as_bytes(), browser.as_bytes()] {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()).update(part);
        }
        Ok(*hasher.finalize().as_bytes())
    }

    /// A new one, for a browser.
    pub(super) fn new_challenge(&self, ceremony: Ceremony<'_>, browser: &str) -> Result<String, Refusal> {
        let mut head = secret::random::<NONCE>()?.to_vec();
        head.extend((self.now() + LASTS).to_be_bytes());
        let seal = self.seal(&head, ceremony, browser)?;
        Ok(BASE64URL_NOPAD.encode(&[head.as_slice(), &seal].concat()))
    }

    /// Takes the challenge an answer was signed for.
    ///
    /// # Errors
    /// If the hub did not give it to this browser for this, or it is too old or used.
    pub(super) fn take_challenge(
        &self,
        text: &str,
        ceremony: Ceremony<'_>,
        browser: &str,
    ) -> Result<Use, Refusal> {
        let late =
            || Refusal::new(Kind::LoginRequired, "this took too long, or was used already; begin anew");
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        let bytes = bytes.filter(|bytes| bytes.len() == HEAD + SEAL).ok_or_else(late)?;
        let (head, seal) = bytes.split_at(HEAD);
        // blake3's hashes compare in a time that does not tell where they differ.
        let own = blake3::Hash::from_bytes(self.seal(head, ceremony, browser)?);
        let expires = head.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)).unwrap_or_default();
        if own != *seal || expires <= self.now() {
            return Err(late());
        }
        let key = format!("challenge/{}", secret::hash(text));
        if self.record::<bool>(&key)?.is_some() {
            return Err(late());
        }
        Ok(Use { condition: absent(&key), change: put(&key, &true, Some(expires))? })
    }
}
