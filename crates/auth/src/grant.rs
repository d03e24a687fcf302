//! Grants: what a user allowed an app, or a system is allowed for itself. Every token belongs to one, and ends with it at
//! once; a code or refresh token that comes a second time ends its grant, for one of the two who had it is a thief.
//!
//! Access tokens are random and kept as hashes. A look in memory answers for them ([`crate::identity`]); nothing they
//! allow outlives their revocation.

mod told;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::{Client, ClientKind};
use crate::records::{absent, forget, put};
use crate::refusal::{Kind, Refusal};
use crate::scope::{Level, Scope, Scopes};
use crate::session::MOST;
use crate::vault::Change;
use crate::{Auth, secret};

/// A code is exchanged within so many seconds.
const CODE: u64 = 60;
/// And remembered for so much longer, so that its second coming is noticed.
const CODE_REMEMBERED: u64 = 3600;
/// A grant with refresh tokens ends after a year in any case.
const LONGEST: u64 = 365 * 24 * 3600;
/// A system's access token lasts at most so long (SMART Backend Services: five minutes).
const SYSTEM: u64 = 300;

/// What was allowed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// Its name, which is no secret.
    pub id: String,
    /// To which client.
    pub client: String,
    /// By which user; none for a system acting for itself.
    pub user: Option<String>,
    /// What.
    pub scopes: String,
    /// The patient in context.
    pub patient: Option<String>,
    /// The encounter in context.
    pub encounter: Option<String>,
    /// The session it ends with, if it does.
    pub(crate) session: Option<String>,
    /// When the user signed in.
    pub(crate) auth_time: u64,
    /// When it was given, in seconds since 1970.
    pub created: u64,
    /// Whether the user had shown a second factor.
    #[serde(default)]
    pub(crate) has_code: bool,
}

/// What a code stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    /// The S256 challenge.
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) is_used: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AccessToken {
    pub(crate) id: String,
    pub(crate) grant: String,
    pub(crate) scopes: String,
    pub(crate) issued: u64,
    pub(crate) expires: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RefreshToken {
    grant: String,
    is_used: bool,
}

/// What is handed to a client, and the changes that make it so.
struct Issued {
    answer: Map<String, Value>,
    changes: Vec<Change>,
}

pub(crate) fn grant_key(id: &str) -> String {
    format!("grant/{id}")
}

fn of_user_key(user: &str, grant: &str) -> String {
    format!("of-user/{user}/grant/{grant}")
}

pub(crate) fn token_key(token: &str) -> String {
    format!("token/{}", secret::hash(token))
}

fn refresh_key(token: &str) -> String {
    format!("refresh/{}", secret::hash(token))
}

fn code_key(code: &str) -> String {
    format!("code/{}", secret::hash(code))
}

fn invalid(description: &str) -> Refusal {
    Refusal::new(Kind::InvalidGrant, description)
}

/// The S256 challenge of a verifier (RFC 7636); none if it is no verifier.
#[must_use]
pub fn challenge(verifier: &str) -> Option<String> {
    let is_well = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(is_well) {
        return None;
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    Some(data_encoding::BASE64URL_NOPAD.encode(digest.as_ref()))
}

impl Auth {
    /// A code for a grant that is to be.
    pub(crate) fn issue_code(&self, code: &Code) -> Result<String, Refusal> {
        let text = secret::token("yjo_")?;
        let key = code_key(&text);
        let expires = self.now() + CODE + CODE_REMEMBERED;
        self.change(&[absent(&key)], &[put(&key, code, Some(expires))?])?;
        Ok(text)
    }

    /// Exchanges a code (`authorization_code`): the body of the answer.
    ///
    /// # Errors
    /// `invalid_grant`, whatever it is that does not fit. A code that comes again ends what it gave.
    pub fn exchange_code(
        &self,
        client: &Client,
        text: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<Value, Refusal> {
        let key = code_key(text);
        let read = self.read::<Code>(&key)?.ok_or_else(|| invalid("the code is not known or too old"))?;
        let again = |grant: &str| {
            self.end_grant(grant)?;
            tracing::warn!(grant, "an authorization code came a second time; what it gave is revoked");
            Err(invalid("the code was used already; what it gave is revoked"))
        };
        let code = &read.record;
        if code.is_used {
            return again(&code.grant.id);
        }
        if code.grant.created + CODE <= self.now() {
            return Err(invalid("the code is not known or too old"));
        }
        if code.grant.client != client.id {
            return Err(invalid("the code was given to another client"));
        }
        if code.redirect_uri != redirect_uri {
            return Err(invalid("redirect_uri is not that of the authorization request"));
        }
        let is_right = challenge(verifier).is_some_and(|c| secret::is_same(&c, &code.challenge));
        if !is_right {
            return Err(invalid(
                "code_verifier does not match the code_challenge of the authorization request",
            ));
        }
        self.check_user(&code.grant)?;
        let scopes = Scopes::read(&code.grant.scopes).0;
        let mut issued = self.issue(&code.grant, &scopes, code.nonce.as_deref())?;
        let has_refresh = issued.answer.contains_key("refresh_token");
        let lasts = if has_refresh { LONGEST } else { self.settings.access_lifetime };
        issued.changes.extend(self.keep_grant(&code.grant, lasts)?);
        let used = Code { is_used: true, ..code.clone() };
        issued.changes.push(put(&key, &used, read.kept.expires)?);
        if !self.change(&[read.unchanged()], &issued.changes)? {
            // Another was faster with the same code.
            return again(&code.grant.id);
        }
        Ok(Value::Object(issued.answer))
    }

    fn keep_grant(&self, grant: &Grant, lasts: u64) -> Result<Vec<Change>, Refusal> {
        let expires = Some(self.now() + lasts);
        let mut changes = vec![put(&grant_key(&grant.id), grant, expires)?];
        if let Some(user) = &grant.user {
            changes.push(put(&of_user_key(user, &grant.id), &grant.id, expires)?);
        }
        Ok(changes)
    }

    fn check_user(&self, grant: &Grant) -> Result<(), Refusal> {
        let Some(id) = &grant.user else { return Ok(()) };
        let user = self.user(id)?.filter(|user| !user.is_disabled);
        let user = user.ok_or_else(|| invalid("the user may no longer sign in"))?;
        if self.is_too_weak(grant, &user) {
            return Err(invalid("the user's role takes a second factor; the user has to sign in anew"));
        }
        match &grant.session {
            Some(session) if !self.has_session(id, session)? => Err(invalid("the user has signed out")),
            _ => Ok(()),
        }
    }

    /// Tokens of a grant.
    fn issue(&self, grant: &Grant, scopes: &Scopes, nonce: Option<&str>) -> Result<Issued, Refusal> {
        let now = self.now();
        let lasts = match grant.user {
            Some(_) => self.settings.access_lifetime,
            None => self.settings.access_lifetime.min(SYSTEM),
        };
        let access = secret::token("yja_")?;
        let record = AccessToken {
            id: secret::id()?,
            grant: grant.id.clone(),
            scopes: scopes.to_string(),
            issued: now,
            expires: now + lasts,
        };
        let mut changes = vec![put(&token_key(&access), &record, Some(record.expires))?];
        let mut answer = Map::new();
        let mut say = |name: &str, value: Value| answer.insert(name.to_owned(), value);
        say("access_token", json!(access));
        say("token_type", json!("Bearer"));
        say("expires_in", json!(lasts));
        say("scope", json!(record.scopes));
        if let Some(patient) = &grant.patient {
            say("patient", json!(patient));
        }
        if let Some(encounter) = &grant.encounter {
            say("encounter", json!(encounter));
        }
        if [Scope::OfflineAccess, Scope::OnlineAccess].iter().any(|scope| scopes.has(scope)) {
            let refresh = secret::token("yjr_")?;
            let record = RefreshToken { grant: grant.id.clone(), is_used: false };
            // Remembered to the end of the grant, so that its second coming is noticed.
            changes.push(put(&refresh_key(&refresh), &record, Some(grant.created + LONGEST))?);
            say("refresh_token", json!(refresh));
        }
        if scopes.has(&Scope::Openid)
            && let Some(id) = &grant.user
        {
            say("id_token", json!(self.id_token(grant, id, scopes, nonce)?));
        }
        Ok(Issued { answer, changes })
    }

    /// The public client a refresh token was given to, if it was one: it has nothing to prove who it is by, and SMART App
    /// Launch 2.2 does not ask it to name itself when it refreshes. Any other client has to be authenticated.
    ///
    /// # Errors
    /// `invalid_grant` if the token is not known, `invalid_client` if it is another kind of client's.
    pub fn holder_of_refresh(&self, text: &str) -> Result<Client, Refusal> {
        let unknown = || invalid("the refresh token is not known, expired or revoked");
        let refresh = self.record::<RefreshToken>(&refresh_key(text))?.ok_or_else(unknown)?;
        let grant = self.record::<Grant>(&grant_key(&refresh.grant))?.ok_or_else(unknown)?;
        let client = self.client(&grant.client)?.ok_or_else(unknown)?;
        match client.kind {
            ClientKind::Public => Ok(client),
            _ => Err(Refusal::new(Kind::InvalidClient, "client_id is missing")),
        }
    }

    /// A refresh (`refresh_token`): the body of the answer, with a new refresh token.
    ///
    /// # Errors
    /// `invalid_grant`. A refresh token that comes again ends its grant.
    pub fn refresh(&self, client: &Client, text: &str, scope: Option<&str>) -> Result<Value, Refusal> {
        let key = refresh_key(text);
        let unknown = || invalid("the refresh token is not known, expired or revoked");
        let read = self.read::<RefreshToken>(&key)?.ok_or_else(unknown)?;
        let grant = self.record::<Grant>(&grant_key(&read.record.grant))?.ok_or_else(unknown)?;
        if grant.client != client.id {
            return Err(invalid("the refresh token was given to another client"));
        }
        let again = || {
            self.end_grant(&grant.id)?;
            tracing::warn!(grant = grant.id, "a refresh token came a second time; its grant is revoked");
            Err(invalid("the refresh token was used already; all that came of it is revoked"))
        };
        if read.record.is_used {
            return again();
        }
        self.check_user(&grant)?;
        let granted = Scopes::read(&grant.scopes).0;
        let scopes = match scope {
            None => granted,
            Some(text) => {
                let asked = Scopes::parse(text).map_err(|why| Refusal::new(Kind::InvalidScope, why))?;
                // What is refreshed stays refreshable, and says who it is, unless a new sign-in changes that.
                let kept =
                    granted.only(|s| matches!(s, Scope::OfflineAccess | Scope::OnlineAccess | Scope::Openid));
                let mut narrowed = asked.narrowed_to(&granted);
                kept.iter().for_each(|s| narrowed.add(s.clone()));
                narrowed
            }
        };
        if scopes.resources().next().is_none() && granted_resources(&grant) {
            return Err(Refusal::new(Kind::InvalidScope, "nothing of what is asked for was granted"));
        }
        let mut issued = self.issue(&grant, &scopes, None)?;
        let used = RefreshToken { is_used: true, ..read.record.clone() };
        issued.changes.push(put(&key, &used, read.kept.expires)?);
        if !self.change(&[read.unchanged()], &issued.changes)? {
            return again();
        }
        Ok(Value::Object(issued.answer))
    }

    /// A token for a system itself (`client_credentials`, SMART Backend Services): the body of the answer.
    ///
    /// # Errors
    /// If the client may not, or nothing of what it asks can be granted.
    pub fn client_credentials(&self, client: &Client, scope: &str) -> Result<Value, Refusal> {
        if client.kind != ClientKind::Keyed || client.is_dynamic {
            let why =
                "client_credentials is for systems that the operator registered with a key of their own";
            return Err(Refusal::new(Kind::UnauthorizedClient, why));
        }
        let (asked, unknown) = Scopes::read(scope);
        let of_system = |scope: &Scope| matches!(scope, Scope::Resource(r) if r.level == Level::System);
        let scopes = asked.narrowed_to(&client.limits()).only(of_system);
        if scopes.is_empty() {
            let why = unknown.into_iter().next();
            let why = why.unwrap_or_else(|| format!("the client is registered for: {}", client.scopes));
            return Err(Refusal::new(
                Kind::InvalidScope,
                format!("nothing of what is asked for can be granted; {why}"),
            ));
        }
        let now = self.now();
        let grant = Grant {
            id: secret::id()?,
            client: client.id.clone(),
            user: None,
            scopes: scopes.to_string(),
            patient: None,
            encounter: None,
            session: None,
            auth_time: now,
            created: now,
            has_code: false,
        };
        let mut issued = self.issue(&grant, &scopes, None)?;
        issued.changes.extend(self.keep_grant(&grant, SYSTEM)?);
        self.change(&[], &issued.changes)?;
        Ok(Value::Object(issued.answer))
    }

    /// An access token that is good, and its grant.
    pub(crate) fn access(&self, token: &str) -> Result<Option<(AccessToken, Grant)>, Refusal> {
        let Some((access, grant)) = self.held(token)? else { return Ok(None) };
        let user = grant.user.as_deref().map(|id| self.user(id)).transpose()?.flatten();
        Ok(user.is_none_or(|user| !self.is_too_weak(&grant, &user)).then_some((access, grant)))
    }

    /// An access token, whether or not it is good for anything now, and its grant.
    fn held(&self, token: &str) -> Result<Option<(AccessToken, Grant)>, Refusal> {
        let Some(access) = self.record::<AccessToken>(&token_key(token))? else { return Ok(None) };
        Ok(self.record::<Grant>(&grant_key(&access.grant))?.map(|grant| (access, grant)))
    }

    /// What users allowed apps.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn grants(&self, user: &str) -> Result<Vec<Grant>, Refusal> {
        let ids: Vec<String> = self.names(&of_user_key(user, ""), MOST)?;
        let mut found = Vec::new();
        for id in ids {
            found.extend(self.record::<Grant>(&grant_key(&id))?);
        }
        found.sort_by_key(|grant| std::cmp::Reverse(grant.created));
        Ok(found)
    }

    /// Ends a grant, and with it all its tokens.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn end_grant(&self, id: &str) -> Result<(), Refusal> {
        let key = grant_key(id);
        if let Some(grant) = self.record::<Grant>(&key)? {
            let of_user = grant.user.map(|user| forget(&of_user_key(&user, id)));
            let changes: Vec<Change> = [forget(&key)].into_iter().chain(of_user).collect();
            self.change(&[], &changes)?;
        }
        self.forget_identities();
        Ok(())
    }

    /// Revokes a token of a client (RFC 7009); one that is not known is revoked already.
    ///
    /// # Errors
    /// If it is another client's.
    pub fn revoke(&self, client: &Client, token: &str) -> Result<(), Refusal> {
        let foreign = || Refusal::new(Kind::UnauthorizedClient, "the token was given to another client");
        if let Some((_, grant)) = self.held(token)? {
            if grant.client != client.id {
                return Err(foreign());
            }
            self.change(&[], &[forget(&token_key(token))])?;
            self.forget_identities();
        } else if let Some(refresh) = self.record::<RefreshToken>(&refresh_key(token))? {
            match self.record::<Grant>(&grant_key(&refresh.grant))? {
                Some(grant) if grant.client != client.id => return Err(foreign()),
                Some(grant) => self.end_grant(&grant.id)?,
                None => {}
            }
        }
        Ok(())
    }
}

fn granted_resources(grant: &Grant) -> bool {
    Scopes::read(&grant.scopes).0.resources().next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier).unwrap(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(challenge("short"), None);
        assert_eq!(challenge(&"あ".repeat(20)), None);
        assert_eq!(challenge(&"a".repeat(129)), None);
    }
}
