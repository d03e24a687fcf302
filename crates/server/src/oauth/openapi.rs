//! The addresses of the authorisation server as part of the hub's OpenAPI description, where people sign in.
//!
//! Each refusal is told by its status and OAuth's code for it, from the kinds of refusal an address has.

use std::collections::BTreeMap;

use auth::{Auth, Kind};
use serde_json::{Map, Value, json};

use crate::identity::PUBLIC;

/// How an address answers what it refuses.
enum Refused {
    /// OAuth's errors, as JSON.
    AsJson,
    /// A page that says what is wrong.
    AsPage,
}

/// One method of an address.
struct Door {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// What is sent: a form's or JSON object's members, and which must be there.
    body: Option<(&'static str, &'static [&'static str], &'static [&'static str])>,
    /// Parameters in the address.
    query: &'static [&'static str],
    /// By what somebody shows who they are, beside what stands in the body.
    security: &'static [&'static str],
    /// Status, what it means, and the answer's schema.
    answer: (&'static str, &'static str, Option<&'static str>),
    refuses: &'static [Kind],
    how: Refused,
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const PAGE: &str = "text/html";

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
const REQUEST_NEEDS: &[&str] = &[
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
const DOORS: &[Door] = &[
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

fn member(name: &str) -> Value {
    match name {
        "redirect_uris" | "grant_types" | "response_types" => {
            json!({"type": "array", "items": {"type": "string"}})
        }
        "jwks" => json!({"$ref": "#/components/schemas/KeySet"}),
        "grant_type" => json!({"enum": ["authorization_code", "refresh_token", "client_credentials"]}),
        "max_age" => json!({"type": "integer"}),
        _ => json!({"type": "string"}),
    }
}

/// What an address refuses, by status.
fn refusals(door: &Door) -> BTreeMap<u16, Vec<&'static str>> {
    let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for kind in door.refuses.iter().chain([&Kind::ServerError]) {
        by_status.entry(kind.status()).or_default().push(kind.code());
    }
    by_status
}

fn write(door: &Door) -> Value {
    let mut answers = Map::new();
    let (status, meaning, schema) = door.answer;
    let mut good = json!({"description": meaning});
    if let Some(schema) = schema {
        good["content"] = json!({JSON: {"schema": {"$ref": format!("#/components/schemas/{schema}")}}});
    }
    answers.insert(status.to_owned(), good);
    if matches!(door.how, Refused::AsPage) {
        answers.insert(
            "200".to_owned(),
            json!({"description": "A page that asks the user", "content": {PAGE: {"schema": {}}}}),
        );
    }
    for (status, codes) in refusals(door) {
        let content = match door.how {
            Refused::AsJson => {
                let own = json!({"properties": {"error": {"enum": codes}}});
                json!({JSON: {"schema": {"allOf": [{"$ref": "#/components/schemas/OAuthError"}, own]}}})
            }
            Refused::AsPage => json!({PAGE: {"schema": {}}}),
        };
        answers.insert(status.to_string(), json!({"description": codes.join(", "), "content": content}));
    }
    let security: Vec<Value> = door.security.iter().map(|name| json!({*name: []})).collect();
    // Beside the scheme of HTTP a client may show who it is in the body, or be a public one.
    let security = if door.security == ["client"] { [security, vec![json!({})]].concat() } else { security };
    let mut about = json!({"tags": ["authorisation"], "summary": door.summary, "security": security});
    if !door.query.is_empty() {
        let one = |name: &&str| json!({"name": name, "in": "query", "required": REQUEST_NEEDS.contains(name), "schema": member(name)});
        about["parameters"] = door.query.iter().map(one).collect();
    }
    if let Some((media_type, members, needed)) = door.body {
        let members: Map<String, Value> =
            members.iter().map(|name| ((*name).to_owned(), member(name))).collect();
        let schema = json!({"type": "object", "required": needed, "properties": members});
        about["requestBody"] = json!({"required": true, "content": {media_type: {"schema": schema}}});
    }
    about["responses"] = answers.into();
    about
}

fn schemas() -> Value {
    let object = |members: &[(&str, &str)], needed: &[&str]| {
        let members: Map<String, Value> =
            members.iter().map(|(name, form)| ((*name).to_owned(), json!({"type": form}))).collect();
        json!({"type": "object", "required": needed, "properties": members})
    };
    json!({
        "OAuthError": object(&[("error", "string"), ("error_description", "string")], &["error"]),
        "Tokens": object(
            &[("access_token", "string"), ("token_type", "string"), ("expires_in", "integer"), ("scope", "string"),
              ("refresh_token", "string"), ("id_token", "string"), ("patient", "string"), ("encounter", "string")],
            &["access_token", "token_type", "expires_in", "scope"],
        ),
        "Introspection": object(
            &[("active", "boolean"), ("scope", "string"), ("client_id", "string"), ("token_type", "string"), ("exp", "integer"),
              ("iat", "integer"), ("iss", "string"), ("aud", "string"), ("sub", "string"), ("jti", "string"), ("patient", "string"),
              ("encounter", "string"), ("fhirUser", "string")],
            &["active"],
        ),
        "Registration": object(
            &[("client_id", "string"), ("client_id_issued_at", "integer"), ("client_name", "string"), ("redirect_uris", "array"),
              ("scope", "string"), ("grant_types", "array"), ("response_types", "array"), ("token_endpoint_auth_method", "string"),
              ("jwks_uri", "string"), ("client_secret", "string"), ("client_secret_expires_at", "integer")],
            &["client_id", "redirect_uris", "token_endpoint_auth_method"],
        ),
        "UserInfo": object(
            &[("sub", "string"), ("name", "string"), ("preferred_username", "string"), ("profile", "string"), ("fhirUser", "string")],
            &["sub"],
        ),
        "Launch": object(
            &[("launch", "string"), ("iss", "string"), ("expires_in", "integer")],
            &["launch", "iss", "expires_in"],
        ),
        "KeySet": object(&[("keys", "array")], &["keys"]),
        "AuthorizationMetadata": object(
            &[("issuer", "string"), ("jwks_uri", "string"), ("authorization_endpoint", "string"), ("token_endpoint", "string"),
              ("userinfo_endpoint", "string"), ("introspection_endpoint", "string"), ("revocation_endpoint", "string"),
              ("management_endpoint", "string"), ("registration_endpoint", "string"), ("scopes_supported", "array"),
              ("capabilities", "array")],
            &["issuer", "authorization_endpoint", "token_endpoint", "capabilities"],
        ),
    })
}

/// What a hub where people sign in has beside the record.
pub(crate) fn part(auth: &Auth) -> Value {
    let said = auth.metadata();
    let at = |name: &str| said.get(name).cloned().unwrap_or_default();
    let scopes: Map<String, Value> = at("scopes_supported")
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|scope| Some((scope.as_str()?.to_owned(), json!(""))))
        .collect();
    let mut paths = Map::new();
    for path in PUBLIC {
        paths.insert((*path).to_owned(), json!({"get": {"security": []}}));
    }
    for door in DOORS {
        let item = paths.entry(door.path).or_insert_with(|| json!({}));
        item[door.method] = write(door);
    }
    let cookie = auth.session_cookie();
    json!({
        "tags": [{"name": "authorisation"}],
        "security": [{"smart": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "smart": {"type": "oauth2", "description": "SMART App Launch 2.2; PKCE with S256", "flows": {
                    "authorizationCode": {"authorizationUrl": at("authorization_endpoint"), "tokenUrl": at("token_endpoint"),
                                          "refreshUrl": at("token_endpoint"), "scopes": scopes},
                    "clientCredentials": {"tokenUrl": at("token_endpoint"), "scopes": {"system/*.cruds": ""}},
                }},
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access token of this hub"},
                "client": {"type": "http", "scheme": "basic", "description": "The client's name and secret; instead of it a client_secret or \
                            client_assertion in the body"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie, "description": "A person who is signed in; from this hub's own \
                             pages only"},
            },
        },
    })
}
