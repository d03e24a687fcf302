//! What is told of a grant's holder and its tokens: the id_token, `/auth/userinfo`, introspection.

use serde_json::{Map, Value, json};

use super::Grant;
use crate::Auth;
use crate::client::Client;
use crate::refusal::{Kind, Refusal};
use crate::scope::{Scope, Scopes};

/// An id_token lasts so long.
const ID_TOKEN: u64 = 3600;

impl Auth {
    /// OpenID Connect Core 1.0, section 2; SMART's `fhirUser`.
    pub(super) fn id_token(
        &self,
        grant: &Grant,
        user: &str,
        scopes: &Scopes,
        nonce: Option<&str>,
    ) -> Result<String, Refusal> {
        let now = self.now();
        let mut claims = self.about_user(user, scopes)?;
        let mut say = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        say("iss", json!(self.settings.issuer));
        say("aud", json!(grant.client));
        say("iat", json!(now));
        say("exp", json!(now + ID_TOKEN));
        say("auth_time", json!(grant.auth_time));
        // RFC 8176: more than one factor, whichever.
        if grant.has_code {
            say("amr", json!(["mfa"]));
        }
        if let Some(nonce) = nonce {
            say("nonce", json!(nonce));
        }
        self.sign(&Value::Object(claims))
    }

    /// What may be said of a user under these scopes.
    fn about_user(&self, id: &str, scopes: &Scopes) -> Result<Map<String, Value>, Refusal> {
        let user = self.user(id)?.ok_or_else(|| Refusal::new(Kind::InvalidToken, "there is no such user"))?;
        let mut about = Map::new();
        about.insert("sub".to_owned(), json!(user.id));
        let may_say = |scope| scopes.has(&scope);
        if may_say(Scope::Profile) {
            about.insert("name".to_owned(), json!(user.name));
            about.insert("preferred_username".to_owned(), json!(user.login));
        }
        if let Some(own) = user.fhir_user.filter(|_| may_say(Scope::FhirUser)) {
            let absolute = format!("{}/{own}", self.settings.fhir_base);
            // The scope `profile` once said what `fhirUser` says now.
            if may_say(Scope::Profile) {
                about.insert("profile".to_owned(), json!(absolute));
            }
            about.insert("fhirUser".to_owned(), json!(absolute));
        }
        Ok(about)
    }

    /// `/auth/userinfo`
    ///
    /// # Errors
    /// If the token is not good, or not for this.
    pub fn user_info(&self, token: &str) -> Result<Value, Refusal> {
        let (access, grant) = self.access(token)?.ok_or_else(|| {
            Refusal::new(Kind::InvalidToken, "the access token is not known, expired or revoked")
        })?;
        let scopes = Scopes::read(&access.scopes).0;
        match grant.user {
            Some(user) if scopes.has(&Scope::Openid) => Ok(Value::Object(self.about_user(&user, &scopes)?)),
            _ => Err(Refusal::new(Kind::InsufficientScope, "this takes the scope openid")),
        }
    }

    /// What a token is (RFC 7662). A client may ask about its own; a resource server about all.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn introspect(&self, client: &Client, token: &str) -> Result<Value, Refusal> {
        let inactive = json!({"active": false});
        let Some((access, grant)) = self.access(token)? else { return Ok(inactive) };
        let may_know = grant.client == client.id || client.may_introspect;
        let holder = match &grant.user {
            Some(id) => self.user(id)?.filter(|user| !user.is_disabled).map(Some),
            None => Some(None),
        };
        let (Some(user), true) = (holder, may_know) else { return Ok(inactive) };
        let mut about = json!({
            "active": true,
            "scope": access.scopes,
            "client_id": grant.client,
            "token_type": "Bearer",
            "exp": access.expires,
            "iat": access.issued,
            "iss": self.settings.issuer,
            "aud": self.settings.fhir_base,
            "sub": grant.user.as_deref().unwrap_or(&grant.client),
            "jti": access.id,
        });
        let scopes = Scopes::read(&access.scopes).0;
        let own = user.and_then(|user| user.fhir_user).filter(|_| scopes.has(&Scope::FhirUser));
        let further = [
            ("patient", grant.patient),
            ("encounter", grant.encounter),
            ("fhirUser", own.map(|own| format!("{}/{own}", self.settings.fhir_base))),
        ];
        for (name, value) in further {
            if let Some(value) = value {
                about[name] = json!(value);
            }
        }
        Ok(about)
    }
}
