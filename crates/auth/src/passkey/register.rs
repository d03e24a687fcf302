//! A passkey is made (section 7.1).

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::challenge::Ceremony;
use super::{MOST, Passkey, attestation, authenticator_data, client_data, cose, id_of, name_of, part};
use super::{of_user_key, passkey_key};
use crate::Auth;
use crate::records::{absent, put};
use crate::refusal::Refusal;
use crate::user::User;
use crate::vault::{Change, Condition};

/// How authenticators are reached, as far as this hub knows (section 5.8.4).
const TRANSPORTS: [&str; 6] = ["usb", "nfc", "ble", "smart-card", "hybrid", "internal"];

/// What a browser sends of a passkey it has made.
#[derive(Clone, Default)]
pub struct MadePasskey {
    /// What its owner calls it.
    pub name: String,
    /// `clientDataJSON`, base64url.
    pub client_data: String,
    /// `attestationObject`, base64url.
    pub attestation: String,
    /// `getTransports()`, with commas between.
    pub transports: String,
    /// What ties forms to the browser.
    pub browser: String,
}

impl std::fmt::Debug for MadePasskey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MadePasskey({})", self.name)
    }
}

/// A passkey that may be kept, and the changes that keep it.
pub(crate) struct Checked {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) changes: Vec<Change>,
}

impl Auth {
    /// What a page hands to the browser so that it makes a passkey for a user, as JSON: none where there can be none.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn ask_for_new_passkey(
        &self,
        id: &str,
        login: &str,
        name: &str,
        browser: &str,
    ) -> Result<Option<Value>, Refusal> {
        let Some(party) = self.relying_party() else { return Ok(None) };
        let known = self.passkeys(id)?;
        if known.len() >= MOST {
            return Ok(None);
        }
        let excluded: Vec<Value> = known
            .iter()
            .map(|own| json!({"type": "public-key", "id": own.credential, "transports": own.transports}))
            .collect();
        Ok(Some(json!({
            "origin": party.origin,
            "rp": {"id": party.id, "name": "Yojigen"},
            "user": {"id": BASE64URL_NOPAD.encode(id.as_bytes()), "name": login, "displayName": name},
            "challenge": self.new_challenge(Ceremony::Register(id), browser)?,
            "pubKeyCredParams": cose::ALGORITHMS.map(|alg| json!({"type": "public-key", "alg": alg})),
            "excludeCredentials": excluded,
            "authenticatorSelection":
                {"residentKey": "required", "requireResidentKey": true, "userVerification": "required"},
            "attestation": "none",
            "timeout": 300_000,
        })))
    }

    /// Checks a passkey that was made for a user.
    ///
    /// # Errors
    /// What is not as it must be.
    pub(crate) fn check_passkey(&self, id: &str, made: &MadePasskey) -> Result<Checked, Refusal> {
        let party = self.party()?;
        let name = name_of(&made.name)?;
        let said = part("client data", &made.client_data)?;
        let said = client_data::read(&said, "webauthn.create", &party)?;
        let used = self.take_challenge(&said.challenge, Ceremony::Register(id), &made.browser)?;
        let data = attestation::authenticator_data(&part("attestation object", &made.attestation)?)?;
        let data = authenticator_data::read(&data, &party)?;
        let attested = data.attested.ok_or_else(|| Refusal::request("the passkey's key is missing (AT)"))?;
        if self.passkeys(id)?.len() >= MOST {
            return Err(Refusal::request(format!("a user has at most {MOST} passkeys")));
        }
        let known: Vec<String> = made.transports.split(',').map(str::to_owned).collect();
        let passkey = Passkey {
            id: id_of(&attested.credential),
            user: id.to_owned(),
            name,
            credential: BASE64URL_NOPAD.encode(&attested.credential),
            key: BASE64URL_NOPAD.encode(&attested.cose),
            counter: data.counter,
            transports: TRANSPORTS
                .iter()
                .filter(|t| known.iter().any(|k| k == *t))
                .map(|t| (*t).to_owned())
                .collect(),
            is_synced: data.is_synced,
            is_backed_up: data.is_backed_up,
            is_suspect: false,
            created: self.now(),
            used: None,
        };
        let key = passkey_key(&passkey.id);
        if self.record::<Passkey>(&key)?.is_some() {
            return Err(Refusal::request("this passkey is registered already").of_field("passkey-known"));
        }
        let of_user = put(&of_user_key(id, &passkey.id), &true, None)?;
        Ok(Checked {
            conditions: vec![absent(&key), used.condition],
            changes: vec![put(&key, &passkey, None)?, of_user, used.change],
        })
    }

    /// Gives a user a passkey that was made.
    ///
    /// # Errors
    /// If it will not do.
    pub fn add_passkey(&self, user: &User, made: &MadePasskey) -> Result<(), Refusal> {
        let checked = self.check_passkey(&user.id, made)?;
        if self.change(&checked.conditions, &checked.changes)? {
            return Ok(());
        }
        Err(Refusal::request("this passkey is registered already").of_field("passkey-known"))
    }
}
