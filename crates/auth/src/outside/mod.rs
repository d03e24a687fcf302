//! Signing in at an outside OpenID provider (OpenID Connect Core 1.0): a hospital's directory, a country's identity.
//!
//! * [`rules`]: whose accounts there mean what here: which claims name somebody and give which role. A file of the operator's.
//! * [`provider`]: what the provider says of itself (discovery), its keys, and requests to it.
//! * [`id_token`]: what must be so before anything it says is believed.
//! * [`flow`]: the browser goes there and comes back: code, PKCE, `state` and `nonce`, each for one browser and once.
//! * [`account`]: which account of this hub it is; never by a name or address that merely looks the same.
//!
//! The provider says who somebody is. What they may do is decided here, by roles and rules, as for everyone.
//!
//! Design not chosen: the crate `openidconnect`. It brings an RSA with an open advisory and five more curves; what a sign-in needs of it
//! is [`crate::jws`], which is here, and three requests.

mod account;
mod flow;
mod id_token;
mod provider;
mod rules;

pub use account::NewLink;
pub use flow::Arrived;
pub use rules::Rules;

use std::path::PathBuf;

use crate::Auth;
use crate::refusal::{Kind, Refusal};
use provider::Provider;

/// An outside provider, as the operator names it.
#[derive(Clone, Debug)]
pub struct Outside {
    /// Its issuer identifier, letter for letter: `https://id.example/realms/hospital`.
    pub issuer: String,
    /// What this hub is called there.
    pub client_id: String,
    /// Where the secret is that it has there, if it has one. Read at each sign-in, so that it can be changed.
    pub secret_file: Option<PathBuf>,
    /// What its accounts mean here.
    pub rules: Rules,
}

/// A provider and what is known of it.
pub(crate) struct Known {
    outside: Outside,
    provider: Provider,
}

fn failed(why: impl Into<String>) -> Refusal {
    let refusal = Refusal::new(Kind::AccessDenied, why).of_field("outside");
    tracing::warn!(why = refusal.description, "signing in at the outside provider failed");
    refusal
}

impl Auth {
    /// The same, with an outside provider where people sign in too.
    #[must_use]
    pub fn with_outside(self, outside: Outside) -> Auth {
        let provider = Provider::new(&outside.issuer);
        Auth { outside: Some(Known { outside, provider }), ..self }
    }

    /// What the outside provider is called, if there is one.
    #[must_use]
    pub fn outside_name(&self) -> Option<&str> {
        let outside = &self.outside.as_ref()?.outside;
        let host = || outside.issuer.split("://").nth(1).and_then(|rest| rest.split('/').next());
        outside.rules.name.as_deref().or_else(host)
    }

    fn known_outside(&self) -> Result<&Known, Refusal> {
        let missing = || Refusal::new(Kind::NotFound, "nobody signs in elsewhere for this hub");
        self.outside.as_ref().ok_or_else(missing)
    }

    /// Where the browser comes back to; the provider has to know it, letter for letter.
    #[must_use]
    pub fn outside_redirect_uri(&self) -> String {
        format!("{}/auth/outside", self.settings.issuer)
    }
}
