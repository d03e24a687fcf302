//! Somebody signs in by a passkey (section 7.2). No name is typed: the passkey says whose it is.

use serde_json::{Value, json};

use super::challenge::Ceremony;
use super::cose::PublicKey;
use super::{LONGEST_ID, Passkey, authenticator_data, client_data, id_of, part, passkey_key};
use crate::Auth;
use crate::records::put;
use crate::refusal::{Kind, Refusal};
use crate::throttle::Guess;
use crate::user::User;

/// What a browser sends of a passkey that is used.
#[derive(Clone, Default)]
pub struct ShownPasskey {
    /// The credential's id, base64url.
    pub credential: String,
    /// `clientDataJSON`, base64url.
    pub client_data: String,
    /// `authenticatorData`, base64url.
    pub authenticator_data: String,
    /// `signature`, base64url.
    pub signature: String,
    /// `userHandle`, base64url.
    pub user_handle: String,
    /// What ties forms to the browser.
    pub browser: String,
}

impl std::fmt::Debug for ShownPasskey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShownPasskey")
    }
}

fn denied(why: &str) -> Refusal {
    Refusal::new(Kind::AccessDenied, why)
}

impl Auth {
    /// What a page hands to the browser so that it offers passkeys, as JSON: none where there can be none.
    ///
    /// # Errors
    /// If the operating system gives no entropy.
    pub fn ask_for_passkey(&self, browser: &str) -> Result<Option<Value>, Refusal> {
        let Some(party) = self.relying_party() else { return Ok(None) };
        Ok(Some(json!({
            "origin": party.origin,
            "rpId": party.id,
            "challenge": self.new_challenge(Ceremony::SignIn, browser)?,
            "userVerification": "required",
            "timeout": 300_000,
        })))
    }

    /// Signs somebody in: who, and the passkey's name in the vault.
    ///
    /// # Errors
    /// What is not as it must be; whoever asks is told less.
    pub fn sign_in_with_passkey(
        &self,
        shown: &ShownPasskey,
        address: &str,
    ) -> Result<(User, String), Refusal> {
        let party = self.party()?;
        let credential = part("id", &shown.credential)?;
        let id = id_of(&credential);
        let account = format!("passkey {id}");
        let guess = Guess { account: &account, address };
        self.throttle.try_guess(guess, self.now())?;
        let key = passkey_key(&id);
        let known = self.read::<Passkey>(&key)?.filter(|_| credential.len() <= LONGEST_ID);
        let known = known.ok_or_else(|| denied("the passkey is not registered here"))?;
        let passkey = &known.record;
        if part("user handle", &shown.user_handle)? != passkey.user.as_bytes() {
            return Err(denied("the passkey is another user's"));
        }
        let said = part("client data", &shown.client_data)?;
        let said = client_data::read(&said, "webauthn.get", &party)?;
        let used = self.take_challenge(&said.challenge, Ceremony::SignIn, &shown.browser)?;
        let bytes = part("authenticator data", &shown.authenticator_data)?;
        let data = authenticator_data::read(&bytes, &party)?;
        if data.is_synced != passkey.is_synced {
            return Err(denied("whether the passkey may be backed up (BE) has changed"));
        }
        let signature = part("signature", &shown.signature)?;
        let message = [bytes.as_slice(), &said.hash].concat();
        if !passkey.public_key()?.has_signed(&message, &signature) {
            return Err(denied("the signature is not the passkey's"));
        }
        let user = self.user(&passkey.user)?.filter(|user| !user.is_disabled);
        let user = user.ok_or_else(|| denied("the user may not sign in"))?;
        // Authenticators that do not count say 0 each time.
        let counts = data.counter > 0 || passkey.counter > 0;
        let is_copied = counts && data.counter <= passkey.counter;
        let changed = Passkey {
            counter: data.counter.max(passkey.counter),
            is_backed_up: data.is_backed_up,
            is_suspect: passkey.is_suspect || is_copied,
            used: if is_copied || passkey.is_suspect { passkey.used } else { Some(self.now()) },
            ..passkey.clone()
        };
        let changes = [put(&key, &changed, None)?, used.change];
        if !self.change(&[known.unchanged(), used.condition], &changes)? {
            return Err(Refusal::new(Kind::LoginRequired, "this was used already; begin anew"));
        }
        if changed.is_suspect {
            tracing::warn!(
                passkey = id,
                user = user.id,
                "a passkey's counter went back: there may be a copy of it"
            );
            return Err(denied("the passkey's counter went back; there may be a copy of it"));
        }
        self.throttle.was_right(guess);
        Ok((user, id))
    }
}

impl Passkey {
    fn public_key(&self) -> Result<PublicKey, Refusal> {
        let unreadable = || Refusal::new(Kind::ServerError, "a passkey of the vault does not read");
        let bytes = part("key", &self.key).map_err(|_| unreadable())?;
        PublicKey::read(&mut minicbor::Decoder::new(&bytes)).map_err(|_| unreadable())
    }
}
