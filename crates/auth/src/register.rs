//! Dynamic registration (RFC 7591): an app introduces itself. Off unless the operator permits it; what registers itself is
//! never given the rights of a system, and its users see that nobody vouches for it.

use serde_json::{Value, json};

use crate::client::{ClientKind, NewClient};
use crate::refusal::{Kind, Refusal};
use crate::{Auth, client::Client};

/// So many may register themselves in an hour.
const AN_HOUR: u64 = 60;

impl Auth {
    /// Registers what introduces itself: the body of the answer (201).
    ///
    /// # Errors
    /// If the operator does not permit it, too many came, or what it says will not do.
    pub fn register(&self, about: &Value) -> Result<Value, Refusal> {
        if !self.settings.may_register {
            let why = "apps do not register themselves here; ask the hub's operator (yojigen client add)";
            return Err(Refusal::new(Kind::AccessDenied, why));
        }
        let wrong = |why: &str| Refusal::new(Kind::InvalidClientMetadata, why);
        let of_late = self.vault.scan("registered/", usize::try_from(AN_HOUR).unwrap_or(60), self.now())?;
        if of_late.len() as u64 >= AN_HOUR {
            return Err(Refusal {
                retry_after: Some(3600),
                ..Refusal::new(Kind::Throttled, "too many apps registered themselves; try again in an hour")
            });
        }
        let text = |name: &str| -> Result<Option<&str>, Refusal> {
            match about.get(name) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) => Ok(Some(text)),
                Some(_) => Err(wrong(&format!("{name} is a text"))),
            }
        };
        let list = |name: &str| -> Result<Vec<String>, Refusal> {
            match about.get(name) {
                None | Some(Value::Null) => Ok(Vec::new()),
                Some(Value::Array(list)) => {
                    let texts = list.iter().map(|v| v.as_str().map(str::to_owned));
                    texts.collect::<Option<_>>().ok_or_else(|| wrong(&format!("{name} is a list of texts")))
                }
                Some(_) => Err(wrong(&format!("{name} is a list of texts"))),
            }
        };
        let grant_types = list("grant_types")?;
        if let Some(other) =
            grant_types.iter().find(|t| !["authorization_code", "refresh_token"].contains(&t.as_str()))
        {
            return Err(wrong(&format!("grant type '{other}' is not given to what registers itself")));
        }
        if list("response_types")?.iter().any(|t| t != "code") {
            return Err(wrong("response_types is [\"code\"]"));
        }
        let keys_uri = text("jwks_uri")?;
        keys_uri.map_or(Ok(()), |uri| self.check_key_host(uri))?;
        let kind = match text("token_endpoint_auth_method")?.unwrap_or("none") {
            "none" => ClientKind::Public,
            "client_secret_basic" | "client_secret_post" => ClientKind::Confidential,
            "private_key_jwt" => ClientKind::Keyed,
            _ => {
                return Err(wrong(
                    "token_endpoint_auth_method is none, client_secret_basic, client_secret_post or private_key_jwt",
                ));
            }
        };
        let (client, secret) = self.add_client(&NewClient {
            id: String::new(),
            name: text("client_name")?.unwrap_or_default().to_owned(),
            kind,
            redirect_uris: list("redirect_uris")?,
            scopes: text("scope")?.unwrap_or("openid fhirUser launch/patient patient/*.rs").to_owned(),
            keys: about.get("jwks").filter(|keys| !keys.is_null()).cloned(),
            keys_uri: keys_uri.map(str::to_owned),
            purpose: None,
            roles: Vec::new(),
            organization: None,
            may_introspect: false,
            is_dynamic: true,
        })?;
        let mark = format!("registered/{}", client.id);
        self.change(&[], &[crate::records::put(&mark, &true, Some(self.now() + 3600))?])?;
        Ok(described(&client, secret.as_deref()))
    }
}

fn described(client: &Client, secret: Option<&str>) -> Value {
    let method = match client.kind {
        ClientKind::Public => "none",
        ClientKind::Confidential => "client_secret_basic",
        ClientKind::Keyed => "private_key_jwt",
    };
    let mut about = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "scope": client.scopes,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    });
    if let Some(uri) = &client.keys_uri {
        about["jwks_uri"] = json!(uri);
    }
    if let Some(secret) = secret {
        about["client_secret"] = json!(secret);
        about["client_secret_expires_at"] = json!(0);
    }
    about
}
