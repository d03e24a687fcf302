//! Passkeys: a person signs in by a key that their device keeps and never gives away (W3C Web Authentication, Level 3).
//!
//! * [`relying_party`]: for which host passkeys are made, and which origin may use them.
//! * [`challenge`]: what an authenticator signs, so that an answer is of this page, of now, and counts once.
//! * [`client_data`]: what the browser says it did. [`authenticator_data`]: what the authenticator says.
//! * [`attestation`]: what comes when a passkey is made. [`cose`]: its public key.
//! * `register`, `sign_in`: the two ceremonies (sections 7.1 and 7.2), each check in the order of the standard.
//!
//! Every passkey is discoverable and verifies its user (fingerprint, face, PIN): it is both factors at once, and no name is
//! typed. No attestation is asked for: which make of authenticator a person has is not the hub's concern.
//!
//! Design not chosen: the crate `webauthn-rs`, which needs OpenSSL; its pure siblings are not kept up or a first version.
//! What is left is one page of reading for each structure, on `ring` and `minicbor`.

mod attestation;
mod authenticator_data;
mod challenge;
mod client_data;
mod cose;
mod register;
mod relying_party;
mod sign_in;
#[cfg(test)]
mod vectors;

pub use register::MadePasskey;
pub use relying_party::RelyingParty;
pub use sign_in::ShownPasskey;

pub(crate) use challenge::{Ceremony, ChallengeKey};

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::records::forget;
use crate::refusal::{Kind, Refusal};
use crate::session::Way;
use crate::vault::Change;
use crate::{Auth, secret};

/// A person has at most so many.
const MOST: usize = 20;
/// A credential id has at most so many bytes (section 4, "Credential ID").
const LONGEST_ID: usize = 1023;
/// No part of an answer is longer.
const LONGEST_PART: usize = 32 << 10;
/// A passkey's name has at most so many characters.
const LONGEST_NAME: usize = 60;

/// A passkey.
#[derive(Clone, Serialize, Deserialize)]
pub struct Passkey {
    /// Its name in the vault and in forms: a hash of the credential's id.
    pub id: String,
    /// Whose it is: a user's id.
    pub user: String,
    /// What its owner calls it.
    pub name: String,
    /// The credential's id, base64url.
    credential: String,
    /// The public key, as COSE, base64url.
    key: String,
    /// How often it signed, as the authenticator counts; some always say 0.
    counter: u32,
    /// How the authenticator is reached.
    transports: Vec<String>,
    /// Whether it may be on several devices (backup eligible). That never changes.
    pub is_synced: bool,
    /// Whether it is, as of the last use (backup state).
    pub is_backed_up: bool,
    /// Whether its counter went back: there may be a copy. It signs nobody in any more.
    pub is_suspect: bool,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When somebody last signed in by it.
    pub used: Option<u64>,
}

impl std::fmt::Debug for Passkey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Passkey({}, {})", self.id, self.user)
    }
}

fn passkey_key(id: &str) -> String {
    format!("passkey/{id}")
}

fn of_user_key(user: &str, id: &str) -> String {
    format!("of-user/{user}/passkey/{id}")
}

/// A part of an answer, base64url.
fn part(name: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    let wrong = || Refusal::request(format!("the passkey's {name} is missing, too long or no base64url"));
    if text.is_empty() || text.len() > LONGEST_PART {
        return Err(wrong());
    }
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| wrong())
}

/// A name as it is kept.
fn name_of(text: &str) -> Result<String, Refusal> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Refusal::request(format!("a passkey's name has 1 to {LONGEST_NAME} characters"))
            .of_field("passkey-name"));
    }
    Ok(name.to_owned())
}

impl Auth {
    /// For which host passkeys are made here; none where browsers make none: an address, or no https.
    #[must_use]
    pub fn relying_party(&self) -> Option<RelyingParty> {
        RelyingParty::of(&self.settings.issuer)
    }

    fn party(&self) -> Result<RelyingParty, Refusal> {
        let none = "passkeys are for hubs that are reached by https and a host's name, or as localhost";
        self.relying_party().ok_or_else(|| Refusal::request(none))
    }

    /// A user's passkeys, the oldest first.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn passkeys(&self, user: &str) -> Result<Vec<Passkey>, Refusal> {
        let mut found = Vec::new();
        for id in self.names(&of_user_key(user, ""), MOST)? {
            found.extend(self.record::<Passkey>(&passkey_key(&id))?);
        }
        found.sort_by_key(|passkey| passkey.created);
        Ok(found)
    }

    /// One of a user's own.
    fn own_passkey(&self, user: &str, id: &str) -> Result<Passkey, Refusal> {
        let own = self.record::<Passkey>(&passkey_key(id))?.filter(|passkey| passkey.user == user);
        own.ok_or_else(|| Refusal::new(Kind::NotFound, "there is no such passkey"))
    }

    /// Calls a user's passkey something else.
    ///
    /// # Errors
    /// If it is not the user's, or the name will not do.
    pub fn name_passkey(&self, user: &str, id: &str, name: &str) -> Result<(), Refusal> {
        let name = name_of(name)?;
        self.own_passkey(user, id)?;
        let _ = self.update::<Passkey>(&passkey_key(id), |passkey| {
            passkey.name.clone_from(&name);
            Ok(())
        })?;
        Ok(())
    }

    /// Removes a user's passkey, unless it is the last way in; sessions that began by it end, but the one that asks.
    ///
    /// # Errors
    /// If it is not the user's, or the last way in (its field is `passkey-last`).
    pub fn remove_passkey(&self, user: &str, id: &str, session: &str) -> Result<(), Refusal> {
        self.own_passkey(user, id)?;
        let has_other_way =
            self.user(user)?.is_some_and(|user| user.has_password()) || !self.links(user)?.is_empty();
        let others = self.passkeys(user)?.into_iter().filter(|own| own.id != id && !own.is_suspect).count();
        if !has_other_way && others == 0 {
            let why =
                "this passkey is the only way this user signs in; set a password or another passkey first";
            return Err(Refusal::request(why).of_field("passkey-last"));
        }
        self.change(&[], &forgotten(user, id))?;
        for own in self.sessions(user)? {
            if own.way == Way::Passkey(id.to_owned()) && own.id != session {
                self.end_session(user, &own.id)?;
            }
        }
        Ok(())
    }

    /// Removes all passkeys of a user: for who lost the device, or whose account another had.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn remove_passkeys(&self, user: &str) -> Result<(), Refusal> {
        let changes: Vec<Change> =
            (self.names(&of_user_key(user, ""), MOST)?.iter()).flat_map(|id| forgotten(user, id)).collect();
        self.change(&[], &changes)?;
        self.end_all(user)
    }
}

fn forgotten(user: &str, id: &str) -> [Change; 2] {
    [forget(&passkey_key(id)), forget(&of_user_key(user, id))]
}

/// What a credential's id is called in the vault.
fn id_of(credential: &[u8]) -> String {
    secret::hash(&BASE64URL_NOPAD.encode(credential))
}
