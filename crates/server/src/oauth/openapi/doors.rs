//! The addresses of the authorisation server: what each takes, gives and refuses.

use auth::Kind;

/// How an address answers what it refuses.
pub(super) enum Refused {
    /// OAuth's errors, as JSON.
    AsJson,
    /// A page that says what is wrong.
    AsPage,
}

/// One method of an address.
pub(super) struct Door {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    /// What is sent: a form's or JSON object's members, and which must be there.
    pub(super) body: Option<(&'static str, &'static [&'static str], &'static [&'static str])>,
    /// Parameters in the address.
    pub(super) query: &'static [&'static str],
    /// By what somebody shows who they are, beside what stands in the body.
    pub(super) security: &'static [&'static str],
    /// Status, what it means, and the answer's schema.
    pub(super) answer: (&'static str, &'static str, Option<&'static str>),
    pub(super) refuses: &'static [Kind],
    pub(super) how: Refused,
}

const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const JSON: &str = "application/json";
pub(super) const PAGE: &str = "text/html";

const REQUEST: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "code_challenge_method",
    "launch",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
];
pub(super) const REQUEST_NEEDS: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "code_challenge_method",
];
/// How a client proves who it is in the body.
const TOKEN: &[&str] = &[
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
    "client_id",
    "client_secret",
    "client_assertion_type",
    "client_assertion",
];
const ABOUT_TOKEN: &[&str] =
    &["token", "token_type_hint", "client_id", "client_secret", "client_assertion_type", "client_assertion"];
const REGISTRATION: &[&str] = &[
    "client_name",
    "redirect_uris",
    "scope",
    "grant_types",
    "response_types",
    "token_endpoint_auth_method",
    "jwks",
    "jwks_uri",
];

const ASKED: Door = Door {
    method: "get",
    path: "/auth/authorize",
    summary: "A person allows an app something (SMART App Launch 2.2); the app is told by its redirect URI",
    body: None,
    query: REQUEST,
    security: &[],
    answer: ("303", "To sign in, or back to the app: with code, state and iss, or with error", None),
    refuses: &[Kind::InvalidRequest, Kind::InvalidClient, Kind::InvalidRedirectUri, Kind::Throttled],
    how: Refused::AsPage,
};

const INFORMED: Door = Door {
    method: "get",
    path: "/auth/userinfo",
    summary: "Who the user of a token is (OpenID Connect Core 1.0)",
    body: None,
    query: &[],
    security: &["bearer"],
    answer: ("200", "What may be said of the user", Some("UserInfo")),
    refuses: &[Kind::InvalidToken, Kind::InsufficientScope, Kind::Throttled],
    how: Refused::AsJson,
};

const DESCRIBED: Door = Door {
    method: "get",
    path: "/fhir/.well-known/smart-configuration",
    summary: "What the hub says of its authorisation (SMART App Launch 2.2)",
    body: None,
    query: &[],
    security: &[],
    answer: ("200", "The description", Some("AuthorizationMetadata")),
    refuses: &[Kind::Throttled],
    how: Refused::AsJson,
};

/// All of them.
pub(super) const DOORS: &[Door] = &[
    ASKED,
    Door { method: "post", body: Some((FORM, REQUEST, REQUEST_NEEDS)), query: &[], ..ASKED },
    Door {
        method: "post",
        path: "/auth/token",
        summary: "Tokens for a code, a refresh token, or a system itself",
        body: Some((FORM, TOKEN, &["grant_type"])),
        query: &[],
        security: &["client"],
        answer: ("200", "The tokens", Some("Tokens")),
        refuses: &[
            Kind::InvalidRequest,
            Kind::InvalidClient,
            Kind::InvalidGrant,
            Kind::UnauthorizedClient,
            Kind::UnsupportedGrantType,
            Kind::InvalidScope,
            Kind::Throttled,
        ],
        how: Refused::AsJson,
    },
    Door {
        method: "post",
        path: "/auth/introspect",
        summary: "What a token is (RFC 7662)",
        body: Some((FORM, ABOUT_TOKEN, &["token"])),
        query: &[],
        security: &["client"],
        answer: ("200", "Whether it is good, and what it allows", Some("Introspection")),
        refuses: &[Kind::InvalidRequest, Kind::InvalidClient, Kind::Throttled],
        how: Refused::AsJson,
    },
    Door {
        method: "post",
        path: "/auth/revoke",
        summary: "Ends a token (RFC 7009)",
        body: Some((FORM, ABOUT_TOKEN, &["token"])),
        query: &[],
        security: &["client"],
        answer: ("200", "It is no token any more", None),
        refuses: &[Kind::InvalidRequest, Kind::InvalidClient, Kind::UnauthorizedClient, Kind::Throttled],
        how: Refused::AsJson,
    },
    Door {
        method: "post",
        path: "/auth/register",
        summary: "An app registers itself (RFC 7591), where the operator permits it",
        body: Some((JSON, REGISTRATION, &["client_name", "redirect_uris"])),
        query: &[],
        security: &[],
        answer: ("201", "It is registered", Some("Registration")),
        refuses: &[
            Kind::InvalidClientMetadata,
            Kind::InvalidRedirectUri,
            Kind::AccessDenied,
            Kind::Throttled,
        ],
        how: Refused::AsJson,
    },
    INFORMED,
    Door { method: "post", ..INFORMED },
    Door {
        method: "get",
        path: "/auth/jwks",
        summary: "The keys id_tokens are signed with (RFC 7517)",
        body: None,
        query: &[],
        security: &[],
        answer: ("200", "The keys", Some("KeySet")),
        refuses: &[Kind::Throttled],
        how: Refused::AsJson,
    },
    Door {
        method: "post",
        path: "/auth/launch",
        summary: "A page where a user is signed in starts an app on a patient (SMART App Launch 2.2, EHR launch)",
        body: Some((JSON, &["patient", "encounter", "client"], &[])),
        query: &[],
        security: &["session"],
        answer: ("200", "What the app's launch address is opened with", Some("Launch")),
        refuses: &[
            Kind::InvalidRequest,
            Kind::LoginRequired,
            Kind::InvalidToken,
            Kind::AccessDenied,
            Kind::Throttled,
        ],
        how: Refused::AsJson,
    },
    DESCRIBED,
    Door { path: "/.well-known/smart-configuration", ..DESCRIBED },
    Door {
        path: "/.well-known/openid-configuration",
        summary: "The same as OpenID Connect Discovery 1.0 asks for it",
        ..DESCRIBED
    },
    Door {
        path: "/.well-known/oauth-authorization-server",
        summary: "The same as RFC 8414 asks for it",
        ..DESCRIBED
    },
];
