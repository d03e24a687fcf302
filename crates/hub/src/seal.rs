//! Cursors of those who may not see everything.
//!
//! A cursor names places in the log and numbers of resources; who may see little of a hub would read in it how much there
//! is. So theirs are sealed (ChaCha20-Poly1305, a key for each start of the program): nothing can be read in them, none
//! can be made up, and one given to somebody is refused to others.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use fhir::{Issue, IssueType};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use search::query::Pair;

use crate::{Access, Failure, Hub, Kind};

/// The key cursors are sealed with.
#[derive(Clone)]
pub(crate) struct Seal(Option<Arc<LessSafeKey>>);

impl Seal {
    /// A new key.
    pub(crate) fn new() -> Seal {
        let mut bytes = [0; 32];
        let key = SystemRandom::new()
            .fill(&mut bytes)
            .and_then(|()| UnboundKey::new(&CHACHA20_POLY1305, &bytes))
            .map(|key| Arc::new(LessSafeKey::new(key)));
        Seal(key.ok())
    }
}

/// Whose a cursor is.
fn owner(access: &Access) -> Aad<Vec<u8>> {
    let who = &access.circumstances;
    let fields = [&who.author, &who.on_behalf_of, &who.client, &who.purpose];
    Aad::from(fields.map(|f| f.as_deref().unwrap_or_default()).join("\n").into_bytes())
}

impl Hub {
    /// A cursor as it is given away.
    pub(crate) fn sealed(&self, access: &Access, cursor: String) -> Result<String, Failure> {
        if access.rights.is_none() {
            return Ok(cursor);
        }
        let failed = || Failure::new(Kind::Internal, IssueType::Exception, "a cursor could not be sealed");
        let key = self.seal.0.as_ref().ok_or_else(failed)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| failed())?;
        let mut text = cursor.into_bytes();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), owner(access), &mut text)
            .map_err(|_| failed())?;
        Ok(BASE64URL_NOPAD.encode(&[nonce.as_slice(), &text].concat()))
    }

    /// A query's pairs, its cursor as it was before it was given away.
    ///
    /// # Errors
    /// As [`Hub::opened`].
    pub fn opened_pairs(&self, access: &Access, pairs: &[Pair]) -> Result<Vec<Pair>, Failure> {
        let open = |(name, text): &Pair| match name.as_str() {
            "_cursor" => Ok((name.clone(), self.opened(access, text)?)),
            _ => Ok((name.clone(), text.clone())),
        };
        pairs.iter().map(open).collect()
    }

    /// A cursor as it was before it was given away.
    ///
    /// # Errors
    /// If it was given to somebody else, before the last start, or by nobody.
    pub fn opened(&self, access: &Access, cursor: &str) -> Result<String, Failure> {
        if access.rights.is_none() {
            return Ok(cursor.to_owned());
        }
        let open = || {
            let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
            let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
            let mut sealed = sealed.to_vec();
            let key = self.seal.0.as_ref()?;
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let text = key.open_in_place(nonce, owner(access), &mut sealed).ok()?;
            String::from_utf8(text.to_vec()).ok()
        };
        open().ok_or_else(|| {
            let message =
                "_cursor: this hub did not give you this place, or has been started anew since; begin anew";
            Issue::error(IssueType::Invalid, message).into()
        })
    }
}
