//! What the hub says of its authorisation: SMART App Launch 2.2 ("Conformance"), OpenID Connect Discovery 1.0, RFC 8414.

use serde_json::{Value, json};

use crate::Auth;
use crate::assertion::ASSERTION_TYPE;
use crate::scope;

/// What can be asked of users and systems, by SMART's names.
const CAPABILITIES: &[&str] = &[
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
];

impl Auth {
    /// The document at each of the well-known addresses: one says all that any of the three standards asks for.
    #[must_use]
    pub fn metadata(&self) -> Value {
        let issuer = &self.settings.issuer;
        let at = |path: &str| format!("{issuer}/auth/{path}");
        let resources = ["patient/*.cruds", "user/*.cruds", "system/*.cruds"];
        let scopes: Vec<&str> = scope::words().chain(resources).collect();
        let methods = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
        let authenticated = &methods[1..];
        let algorithms = ["RS384", "ES384"];
        let mut about = json!({
            "issuer": issuer,
            "jwks_uri": at("jwks"),
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"),
            "userinfo_endpoint": at("userinfo"),
            "introspection_endpoint": at("introspect"),
            "revocation_endpoint": at("revoke"),
            "management_endpoint": at("account"),
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "scopes_supported": scopes,
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "amr", "nonce", "fhirUser", "profile", "name",
                "preferred_username"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint_auth_methods_supported": authenticated,
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "authorization_response_iss_parameter_supported": true,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
            "claims_parameter_supported": false,
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "ui_locales_supported": ["ja", "en"],
            "capabilities": CAPABILITIES,
            "client_assertion_types_supported": [ASSERTION_TYPE],
        });
        if self.settings.may_register {
            about["registration_endpoint"] = json!(at("register"));
        }
        about
    }
}
