//! Why something is not allowed, in the terms of OAuth (RFC 6749, 6750, 7009, 7591; OpenID Connect Core 3.1.2.6).
//!
//! A description never names a secret, and says no more of an account than whoever asks knows already.

use std::fmt;

use crate::vault::VaultError;

/// What kind of refusal it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A parameter is missing, twice there, or wrong.
    InvalidRequest,
    /// The client is not known or did not prove who it is.
    InvalidClient,
    /// The code, refresh token or verifier is wrong, expired, used, or another client's.
    InvalidGrant,
    /// The client may not do this.
    UnauthorizedClient,
    /// There is no such grant type here.
    UnsupportedGrantType,
    /// There is no such response type here.
    UnsupportedResponseType,
    /// Nothing of what is asked for can be granted.
    InvalidScope,
    /// The user said no, or may not do this.
    AccessDenied,
    /// The user would have to sign in.
    LoginRequired,
    /// The user would have to be asked.
    InteractionRequired,
    /// The access token is not known, expired or revoked.
    InvalidToken,
    /// The access token does not allow this.
    InsufficientScope,
    /// What a client says of itself is wrong.
    InvalidClientMetadata,
    /// A redirect URI is wrong.
    InvalidRedirectUri,
    /// Too many guesses.
    Throttled,
    /// There is no such thing.
    NotFound,
    /// The hub failed.
    ServerError,
}

impl Kind {
    /// Its code, and its HTTP status where it is not carried by a redirect.
    fn both(self) -> (&'static str, u16) {
        match self {
            Kind::InvalidRequest => ("invalid_request", 400),
            Kind::InvalidClient => ("invalid_client", 401),
            Kind::InvalidGrant => ("invalid_grant", 400),
            Kind::UnauthorizedClient => ("unauthorized_client", 400),
            Kind::UnsupportedGrantType => ("unsupported_grant_type", 400),
            Kind::UnsupportedResponseType => ("unsupported_response_type", 400),
            Kind::InvalidScope => ("invalid_scope", 400),
            Kind::AccessDenied => ("access_denied", 403),
            Kind::LoginRequired => ("login_required", 401),
            Kind::InteractionRequired => ("interaction_required", 403),
            Kind::InvalidToken => ("invalid_token", 401),
            Kind::InsufficientScope => ("insufficient_scope", 403),
            Kind::InvalidClientMetadata => ("invalid_client_metadata", 400),
            Kind::InvalidRedirectUri => ("invalid_redirect_uri", 400),
            Kind::Throttled => ("temporarily_unavailable", 429),
            Kind::NotFound => ("invalid_request", 404),
            Kind::ServerError => ("server_error", 500),
        }
    }

    /// Its code in OAuth.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.both().0
    }

    /// Its HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        self.both().1
    }
}

/// A refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What kind.
    pub kind: Kind,
    /// For whoever builds the client.
    pub description: String,
    /// Which field of a form it is about: `login`, `login-taken`, `password`, `patient`.
    pub field: Option<&'static str>,
    /// After so many seconds it may be tried again.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(kind: Kind, description: impl Into<String>) -> Refusal {
        Refusal { kind, description: description.into(), field: None, retry_after: None }
    }

    /// About a field of a form.
    #[must_use]
    pub(crate) fn of_field(self, field: &'static str) -> Refusal {
        Refusal { field: Some(field), ..self }
    }

    /// What was sent is wrong.
    pub(crate) fn request(description: impl Into<String>) -> Refusal {
        Refusal::new(Kind::InvalidRequest, description)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl std::error::Error for Refusal {}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Refusal {
        tracing::error!(%error, "the vault of secrets did not answer");
        Refusal::new(Kind::ServerError, "the vault of secrets did not answer; see the hub's log")
    }
}
