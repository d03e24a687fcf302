//! Who someone is, and what an app may do in their name.
//!
//! * [`scope`]: what an app asks for, in SMART's words; narrowed to what it is registered for and what its user allows.
//! * [`vault`]: where secrets live; beside the model, never in history or exports.
//! * `user`, `passkey`, `password`, `totp`, `second_factor`, `throttle`, `session`: a person signs in.
//! * `outside`: or at a provider elsewhere.
//! * `client`, `assertion`, `jws`, `key_uri`, `register`: an app is known, and proves who it is.
//! * `authorize`, `grant`: a person allows an app something; codes, access tokens, refresh tokens and their end.
//! * `keys`, `metadata`: what the hub signs with and says of itself.
//! * `identity`: who sends a request. This is all that the rest of the hub needs: [`Auth::identify`].
//! * [`admin`]: what an operator does on the command line, to a hub that is stopped or running.
//!
//! OAuth 2.1, SMART App Launch 2.2 and Backend Services, OpenID Connect Core 1.0; RFC 6750, 7009, 7523, 7591, 7636, 7662,
//! 8414, 9207. Everything here is synchronous; HTTP is spoken by `server`, pages are drawn by `web`.
//!
//! Design not chosen: access tokens that carry what they allow (JWT). They cannot be revoked before they expire without
//! asking a list that has to be kept all the same, and they show what they say to whoever holds them.

pub mod admin;
mod assertion;
mod authorize;
mod client;
mod fetch;
mod grant;
mod identity;
mod jws;
mod key_uri;
mod keys;
mod metadata;
mod origin;
mod outside;
mod passkey;
mod password;
mod records;
mod refusal;
mod register;
mod second_factor;
mod secret;
mod session;
mod throttle;
mod totp;
mod user;
pub mod vault;

pub use access::scope;
pub use assertion::{ASSERTION_TYPE, Shown};
pub use authorize::{AuthorizationRequest, Launch, PatientChoice, Rejected};
pub use client::{Client, ClientKind, NewClient};
pub use grant::{Grant, challenge};
pub use identity::{Identity, SignedOut, bearer, cookie};
pub use key_uri::is_key_host;
pub use outside::{Arrived, NewLink, Outside, Rules};
pub use passkey::{MadePasskey, Passkey, RelyingParty, ShownPasskey};
pub use password::SHORTEST as SHORTEST_PASSWORD;
pub use refusal::{Kind, Refusal};
pub use second_factor::{FIELD as SECOND_FACTOR_FIELD, SecondFactor};
pub use secret::{form_secret, form_token, is_same};
pub use session::{Session, Way};
pub use totp::code as totp_code;
pub use user::{Accepted, Invitation, NewUser, ROLES, SignIn, User, is_id};

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::identity::Identities;
use crate::keys::SigningKey;
use crate::passkey::ChallengeKey;
use crate::throttle::Throttle;
use crate::vault::Vault;

/// How people and apps are let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The address the hub is known by, without a slash at its end: `https://hub.example`.
    pub issuer: String,
    /// The FHIR base: `https://hub.example/fhir`.
    pub fhir_base: String,
    /// Seconds an access token lasts.
    pub access_lifetime: u64,
    /// Seconds after which a session that is not used ends.
    pub session_idle: u64,
    /// Seconds after which a session ends in any case.
    pub session_longest: u64,
    /// Whether apps may register themselves.
    pub may_register: bool,
    /// Hosts that are asked for keys of clients: `keys.example`, `keys.example:8443`.
    pub key_hosts: Vec<String>,
    /// Roles whose users show a second factor.
    pub second_factor_roles: Vec<String>,
}

impl Settings {
    /// The settings of a hub that is known by an address.
    #[must_use]
    pub fn at(issuer: &str) -> Settings {
        let issuer = issuer.trim_end_matches('/').to_owned();
        Settings {
            fhir_base: format!("{issuer}/fhir"),
            issuer,
            access_lifetime: 900,
            session_idle: 1800,
            session_longest: 12 * 3600,
            may_register: false,
            key_hosts: Vec::new(),
            second_factor_roles: Vec::new(),
        }
    }
}

/// Seconds since 1970.
pub type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

/// Sign-in, grants and tokens of one hub.
pub struct Auth {
    vault: Box<dyn Vault>,
    clock: Clock,
    settings: Settings,
    throttle: Throttle,
    identities: Identities,
    origins: origin::Origins,
    published: key_uri::Published,
    signing_key: Mutex<Option<Arc<SigningKey>>>,
    challenges: ChallengeKey,
    outside: Option<outside::Known>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Auth({})", self.settings.issuer)
    }
}

impl Auth {
    /// On a vault, by the machine's clock.
    #[must_use]
    pub fn new(vault: Box<dyn Vault>, settings: Settings) -> Auth {
        let clock =
            Box::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
        Auth::with_clock(vault, settings, clock)
    }

    /// By another clock.
    #[must_use]
    pub fn with_clock(vault: Box<dyn Vault>, settings: Settings, clock: Clock) -> Auth {
        Auth {
            vault,
            clock,
            settings,
            throttle: Throttle::default(),
            identities: Identities::default(),
            origins: origin::Origins::default(),
            published: key_uri::Published::default(),
            signing_key: Mutex::default(),
            challenges: ChallengeKey::default(),
            outside: None,
        }
    }

    /// How people and apps are let in.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the hub is reached by https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.settings.issuer.starts_with("https://")
    }

    /// Now, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.clock)()
    }

    /// Removes what has expired and changes keys when it is time; to be done now and then.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn tidy(&self) -> Result<usize, Refusal> {
        self.signing_key()?;
        Ok(self.vault.sweep(self.now())?)
    }
}
