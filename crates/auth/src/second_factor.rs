//! Roles whose users show a second factor: what it takes until a session counts.
//!
//! It is shown by a passkey, by a code after the password, or at an outside provider that says so (`amr` with `mfa`, RFC 8176). Whoever has
//! none yet sets one up first; whoever has one shows it, and cannot set another up by the password alone.

use crate::Auth;
use crate::grant::Grant;
use crate::refusal::{Kind, Refusal};
use crate::session::Session;
use crate::user::User;

/// The field of a refusal that says that a second factor is missing.
pub const FIELD: &str = "second-factor";

/// What a session still takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// Nothing.
    Done,
    /// The user has none yet, and sets one up.
    ToSetUp,
    /// The user has one, and signs in by it.
    ToShow,
    /// The user signs in at a provider, and shows it there.
    ToShowElsewhere,
}

impl Auth {
    /// Whether users with one of these roles show a second factor.
    pub(crate) fn takes_second_factor(&self, roles: &[String]) -> bool {
        roles.iter().any(|role| self.settings.second_factor_roles.contains(role))
    }

    /// What a user's session still takes.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn second_factor(&self, user: &User, session: &Session) -> Result<SecondFactor, Refusal> {
        Ok(match () {
            () if session.has_code || !self.takes_second_factor(&user.roles) => SecondFactor::Done,
            () if user.is_managed => SecondFactor::ToShowElsewhere,
            () if user.has_totp() || !self.passkeys(&user.id)?.is_empty() => SecondFactor::ToShow,
            () => SecondFactor::ToSetUp,
        })
    }

    /// Whether what an app was granted counts no more: it was without a second factor, which the user's roles take by now.
    pub(crate) fn is_too_weak(&self, grant: &Grant, user: &User) -> bool {
        !grant.has_code && self.takes_second_factor(&user.roles)
    }

    pub(crate) fn second_factor_missing(&self) -> Refusal {
        let why = format!(
            "this role takes a second factor; set one up, or sign in by it, at {}/auth/account",
            self.settings.issuer
        );
        Refusal::new(Kind::AccessDenied, why).of_field(FIELD)
    }
}
