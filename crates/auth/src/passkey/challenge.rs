//! Challenges: what an authenticator signs (section 13.4.3), and what goes to an outside provider and comes back.
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

/// One for a passkey is good for so long, in seconds.
const LASTS: u64 = 300;
/// One that goes elsewhere: people may have to find their telephone there.
const LASTS_OUTSIDE: u64 = 600;
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
pub(crate) enum Ceremony<'a> {
    /// Making a passkey for a user.
    Register(&'a str),
    /// Signing in.
    SignIn,
    /// Signing in at an outside provider, and going on to a place here.
    Outside(&'a str),
}

/// That a challenge is used up: to be part of the change its answer brings.
pub(crate) struct Use {
    pub(crate) condition: Condition,
    pub(crate) change: Change,
}

impl Auth {
    fn seal(&self, head: &[u8], ceremony: Ceremony<'_>, browser: &str) -> Result<[u8; SEAL], Refusal> {
        let (word, more) = match ceremony {
            Ceremony::Register(user) => ("register", user),
            Ceremony::SignIn => ("sign in", ""),
            Ceremony::Outside(place) => ("outside", place),
        };
        let mut hasher = blake3::Hasher::new_keyed(&self.challenges.get()?);
        for part in [head, word.as_bytes(), more.as_bytes(), browser.as_bytes()] {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()).update(part);
        }
        Ok(*hasher.finalize().as_bytes())
    }

    /// A new one, for a browser.
    pub(crate) fn new_challenge(&self, ceremony: Ceremony<'_>, browser: &str) -> Result<String, Refusal> {
        let mut head = secret::random::<NONCE>()?.to_vec();
        let lasts = if matches!(ceremony, Ceremony::Outside(_)) { LASTS_OUTSIDE } else { LASTS };
        head.extend((self.now() + lasts).to_be_bytes());
        let seal = self.seal(&head, ceremony, browser)?;
        Ok(BASE64URL_NOPAD.encode(&[head.as_slice(), &seal].concat()))
    }

    /// A secret that belongs to a challenge, and that nobody can tell from it.
    pub(crate) fn derived(&self, text: &str, purpose: &str) -> Result<String, Refusal> {
        let mut hasher = blake3::Hasher::new_keyed(&self.challenges.get()?);
        hasher.update(purpose.as_bytes()).update(&[0]).update(text.as_bytes());
        Ok(BASE64URL_NOPAD.encode(hasher.finalize().as_bytes()))
    }

    /// Takes the challenge an answer was signed for.
    ///
    /// # Errors
    /// If the hub did not give it to this browser for this, or it is too old or used.
    pub(crate) fn take_challenge(
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::Settings;
    use crate::vault::MemoryVault;

    #[test]
    fn a_challenge_is_for_one_thing_in_one_browser_once_and_soon() {
        let now = Arc::new(AtomicU64::new(1_000));
        let hub = || {
            let clock = Arc::clone(&now);
            let clock = Box::new(move || clock.load(Ordering::Relaxed));
            Auth::with_clock(Box::new(MemoryVault::default()), Settings::at("http://localhost:1"), clock)
        };
        let auth = hub();
        let text = auth.new_challenge(Ceremony::Register("u"), "b").unwrap();
        let take = |text: &str, ceremony, browser| auth.take_challenge(text, ceremony, browser).is_ok();
        assert!(take(&text, Ceremony::Register("u"), "b"));
        for (ceremony, browser) in [
            (Ceremony::Register("v"), "b"),
            (Ceremony::Register("u"), "c"),
            (Ceremony::SignIn, "b"),
            (Ceremony::Outside("u"), "b"),
        ] {
            assert!(!take(&text, ceremony, browser), "{ceremony:?} {browser}");
        }
        // Of another start of the hub, cut, changed.
        assert!(hub().take_challenge(&text, Ceremony::Register("u"), "b").is_err());
        let changed = format!("{}{}", if text.starts_with('A') { "B" } else { "A" }, &text[1..]);
        for other in [&text[1..], &text[..60], "", "=", &changed] {
            assert!(!take(other, Ceremony::Register("u"), "b"), "{other}");
        }
        assert_ne!(auth.derived(&text, "a").unwrap(), auth.derived(&text, "b").unwrap());
        let used = auth.take_challenge(&text, Ceremony::Register("u"), "b").unwrap();
        assert!(auth.change(&[used.condition], &[used.change]).unwrap());
        assert!(!take(&text, Ceremony::Register("u"), "b"), "twice");
        let next = auth.new_challenge(Ceremony::SignIn, "b").unwrap();
        now.fetch_add(LASTS - 1, Ordering::Relaxed);
        assert!(take(&next, Ceremony::SignIn, "b"));
        now.fetch_add(1, Ordering::Relaxed);
        assert!(!take(&next, Ceremony::SignIn, "b"), "too late");
    }
}
