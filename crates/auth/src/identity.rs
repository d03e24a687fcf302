//! Who asks: the identity behind a request's bearer token or session cookie.
//!
//! Once found it is remembered in memory by its secret's hash, so that the next request costs a hash and a look
//! (`identify` is measured in `tests`). Whatever ends or changes an identity (a revoked token, a user who is disabled or
//! has other roles, a client that is removed) forgets all of them at once: it is rare, and nothing can be missed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderMap, Method, header};

use crate::refusal::{Kind, Refusal};
use crate::second_factor::SecondFactor;
use crate::session::TOUCH;
use crate::{Auth, secret};

/// So many are remembered; beyond that all are forgotten.
const REMEMBERED: usize = 100_000;

/// Goes with a form of a page of this hub whose session has ended: whoever sent it is shown it again.
#[derive(Clone, Copy, Debug)]
pub struct SignedOut;

/// Who asks. What that allows is decided by `access`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's id; for a system acting for itself, its client's.
    pub subject: String,
    /// Whether the subject is a user.
    pub is_user: bool,
    /// The name that is shown.
    pub name: String,
    /// Of [`crate::ROLES`]; for a system those its client was given.
    pub roles: Vec<String>,
    /// The user's own resource: `Practitioner/1`.
    pub fhir_user: Option<String>,
    /// Whose record is the user's own: an id of a Patient.
    pub patient: Option<String>,
    /// The ids of the Patients the user acts for, as a proxy.
    pub proxied: Vec<String>,
    /// For whom the user, or the system, works: `Organization/1`.
    pub organization: Option<String>,
    /// By which client; none where the user acts in the hub's own pages.
    pub client: Option<String>,
    /// What the client was granted, to be read by [`crate::scope::Scopes::read`]; none where the user acts in the hub's own
    /// pages, and then nothing narrows what the user may do.
    pub scopes: Option<String>,
    /// The patient in context, an id.
    pub launch_patient: Option<String>,
    /// The encounter in context, an id.
    pub launch_encounter: Option<String>,
    /// For what, a code of `http://terminology.hl7.org/CodeSystem/v3-ActReason`, if the client says.
    pub purpose: Option<String>,
    /// The token's or session's name, which is no secret.
    pub token_id: String,
    /// Until when it is good, in seconds since 1970.
    pub expires: u64,
    /// Whether the user's roles take a second factor that was not shown.
    pub(crate) lacks_code: bool,
}

#[derive(Debug)]
struct Known {
    identity: Arc<Identity>,
    /// For a session, when its last use was written down.
    touched: Option<AtomicU64>,
}

/// Identities found of late.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    known: RwLock<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// How often all were forgotten.
    epoch: u64,
    by_hash: HashMap<[u8; 32], Arc<Known>>,
}

impl Identities {
    fn get(&self, hash: &[u8; 32], now: u64) -> (u64, Option<Arc<Known>>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        (known.epoch, known.by_hash.get(hash).filter(|k| k.identity.expires > now).cloned())
    }

    /// Remembers one that was looked up when all had been forgotten `epoch` times; if that happened again since, what was
    /// looked up may be old.
    fn remember(&self, epoch: u64, hash: [u8; 32], found: Arc<Known>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.epoch != epoch {
            return;
        }
        if known.by_hash.len() >= REMEMBERED {
            known.by_hash.clear();
        }
        known.by_hash.insert(hash, found);
    }

    fn forget(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.epoch += 1;
        known.by_hash.clear();
    }
}

/// The bearer token of a request.
///
/// # Errors
/// If there is another kind of authorization.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong =
        || Refusal::new(Kind::InvalidToken, "Authorization is 'Bearer' and one access token of this hub");
    if values.next().is_some() {
        return Err(wrong());
    }
    let (scheme, token) = value.to_str().ok().and_then(|v| v.split_once(' ')).ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(wrong());
    }
    Ok(Some(token.trim()))
}

/// The value of a cookie.
#[must_use]
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    values
        .flat_map(|v| v.split(';'))
        .filter_map(|c| c.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, v)| v)
}

impl Auth {
    /// Forgets who was found, so that everyone is looked up anew.
    pub(crate) fn forget_identities(&self) {
        self.identities.forget();
    }

    /// The session cookie's name: over https one that browsers keep to this host and to https (`__Host-`).
    #[must_use]
    pub fn session_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-yojigen" } else { "yojigen-session" }
    }

    /// Who sends a request with these headers; nobody if it carries neither token nor session. A method that changes
    /// something counts by a session only if the browser says that a page of this hub sends it.
    ///
    /// # Errors
    /// If it carries a token that is not good, a session's request comes from elsewhere, or the user's role takes a second factor
    /// that was not shown.
    pub fn identify(&self, headers: &HeaderMap, method: &Method) -> Result<Option<Arc<Identity>>, Refusal> {
        match self.whoever(headers, method)? {
            Some(identity) if identity.lacks_code => Err(self.second_factor_missing()),
            found => Ok(found),
        }
    }

    /// The same, whether or not a second factor is missing.
    ///
    /// # Errors
    /// The same but for that.
    pub fn whoever(&self, headers: &HeaderMap, method: &Method) -> Result<Option<Arc<Identity>>, Refusal> {
        if let Some(token) = bearer(headers)? {
            let invalid =
                || Refusal::new(Kind::InvalidToken, "the access token is not known, expired or revoked");
            return self.identity_of_token(token)?.ok_or_else(invalid).map(Some);
        }
        let Some(cookie) = cookie(headers, self.session_cookie()) else { return Ok(None) };
        let Some(identity) = self.identity_of_session(cookie)? else { return Ok(None) };
        if !method.is_safe() && !self.is_own_page(headers) {
            let why = "a session's request that changes something comes from a page of this hub";
            return Err(Refusal::new(Kind::AccessDenied, why));
        }
        Ok(Some(identity))
    }

    /// Whether the browser says that a page of this hub sends the request.
    #[must_use]
    pub fn is_own_page(&self, headers: &HeaderMap) -> bool {
        let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
        match text(header::ORIGIN) {
            Some(origin) => {
                let host = origin.split_once("://").map(|(_, host)| host);
                origin == self.settings.issuer || (host.is_some() && host == text(header::HOST))
            }
            None => headers.get("sec-fetch-site").is_some_and(|v| v == "same-origin"),
        }
    }

    fn identity_of_token(&self, token: &str) -> Result<Option<Arc<Identity>>, Refusal> {
        let hash = secret::hash_bytes(token);
        let (epoch, known) = self.identities.get(&hash, self.now());
        if let Some(known) = known {
            return Ok(Some(Arc::clone(&known.identity)));
        }
        let Some((access, grant)) = self.access(token)? else { return Ok(None) };
        let Some(client) = self.client(&grant.client)? else { return Ok(None) };
        let mut identity = Identity {
            subject: client.id.clone(),
            is_user: false,
            name: client.name.clone(),
            roles: client.roles,
            fhir_user: None,
            patient: None,
            proxied: Vec::new(),
            organization: client.organization,
            client: Some(client.id),
            scopes: Some(access.scopes),
            launch_patient: grant.patient,
            launch_encounter: grant.encounter,
            purpose: client.purpose,
            token_id: access.id,
            expires: access.expires,
            lacks_code: false,
        };
        if let Some(id) = &grant.user {
            let Some(user) = self.user(id)?.filter(|user| !user.is_disabled) else { return Ok(None) };
            identity = Identity {
                subject: user.id,
                is_user: true,
                name: user.name,
                roles: user.roles,
                fhir_user: user.fhir_user,
                patient: user.patient,
                proxied: user.proxied,
                organization: user.organization,
                ..identity
            };
        }
        let identity = Arc::new(identity);
        self.identities.remember(
            epoch,
            hash,
            Arc::new(Known { identity: Arc::clone(&identity), touched: None }),
        );
        Ok(Some(identity))
    }

    fn identity_of_session(&self, cookie: &str) -> Result<Option<Arc<Identity>>, Refusal> {
        let (hash, now) = (secret::hash_bytes(cookie), self.now());
        let (epoch, known) = self.identities.get(&hash, now);
        let is_awake = |seen: u64| seen + self.settings.session_idle > now;
        if let Some(known) = known
            && let Some(touched) = &known.touched
        {
            let seen = touched.load(Ordering::Relaxed);
            if !is_awake(seen) {
                return Ok(None);
            }
            // One of many at once writes it down.
            let is_due = seen + TOUCH <= now
                && touched.compare_exchange(seen, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            if is_due {
                self.touch(cookie)?;
            }
            return Ok(Some(Arc::clone(&known.identity)));
        }
        let Some(session) = self.session(cookie)? else { return Ok(None) };
        let Some(user) = self.user(&session.user)?.filter(|user| !user.is_disabled) else { return Ok(None) };
        let lacks_code = self.second_factor(&user, &session)? != SecondFactor::Done;
        let identity = Arc::new(Identity {
            subject: user.id,
            is_user: true,
            name: user.name,
            roles: user.roles,
            fhir_user: user.fhir_user,
            patient: user.patient,
            proxied: user.proxied,
            organization: user.organization,
            client: None,
            scopes: None,
            launch_patient: None,
            launch_encounter: None,
            purpose: None,
            token_id: session.id,
            expires: session.began + self.settings.session_longest,
            lacks_code,
        });
        if session.seen + TOUCH <= now {
            self.touch(cookie)?;
        }
        let known = Known { identity: Arc::clone(&identity), touched: Some(AtomicU64::new(now)) };
        self.identities.remember(epoch, hash, Arc::new(known));
        Ok(Some(identity))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::vault::MemoryVault;
    use crate::{ClientKind, NewClient, NewUser, Settings, SignIn};

    fn hub(now: &Arc<AtomicU64>) -> Auth {
        let clock = Arc::clone(now);
        let vault = Box::new(MemoryVault::default());
        Auth::with_clock(
            vault,
            Settings::at("http://localhost:1"),
            Box::new(move || clock.load(Ordering::Relaxed)),
        )
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_after_a_day_in_any_case() {
        let now = Arc::new(AtomicU64::new(1_000_000));
        let auth = hub(&now);
        let new = NewUser {
            login: "Hanako".to_owned(),
            roles: vec!["person".to_owned()],
            password: Some("correct horse battery".to_owned()),
            ..NewUser::default()
        };
        auth.add_user(&new).unwrap();
        let Ok(SignIn::Done(user)) = auth.sign_in("hanako ", "correct horse battery", "") else { panic!() };
        let session = auth.begin_session(&user, "", "", crate::Way::Password).unwrap();
        let headers = headers("cookie", &format!("a=b; yojigen-session={session}"));
        let is_known = || auth.identify(&headers, &Method::GET).unwrap().is_some();
        for _ in 0..23 {
            assert!(is_known());
            now.fetch_add(1700, Ordering::Relaxed);
        }
        assert!(is_known());
        // A restart forgets what memory knows; the vault knows when the session was used last.
        auth.forget_identities();
        assert!(is_known());
        now.fetch_add(1800, Ordering::Relaxed);
        assert!(!is_known(), "half an hour without use");
        let session = auth.begin_session(&user, "", "", crate::Way::Password).unwrap();
        let cookie = self::headers("cookie", &format!("yojigen-session={session}"));
        let began = now.load(Ordering::Relaxed);
        while auth.identify(&cookie, &Method::GET).unwrap().is_some() {
            now.fetch_add(600, Ordering::Relaxed);
        }
        assert_eq!(now.load(Ordering::Relaxed) - began, 12 * 3600);
    }

    #[test]
    fn a_token_is_known_at_once_and_forgotten_at_once() {
        let now = Arc::new(AtomicU64::new(1_000_000));
        let auth = hub(&now);
        let keys = serde_json::json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]});
        let new = NewClient {
            id: "warehouse".to_owned(),
            name: "Warehouse".to_owned(),
            kind: ClientKind::Keyed,
            redirect_uris: Vec::new(),
            scopes: "system/*.rs".to_owned(),
            keys: Some(keys),
            keys_uri: None,
            purpose: Some("HRESCH".to_owned()),
            roles: vec!["researcher".to_owned()],
            organization: None,
            may_introspect: false,
            is_dynamic: false,
        };
        let (client, _) = auth.add_client(&new).unwrap();
        let answer = auth.client_credentials(&client, "system/Patient.rs user/*.rs nonsense").unwrap();
        assert_eq!(
            (answer["scope"].as_str(), answer["expires_in"].as_u64()),
            (Some("system/Patient.rs"), Some(300))
        );
        let token = answer["access_token"].as_str().unwrap();
        let headers = headers("authorization", &format!("Bearer {token}"));
        let identity = auth.identify(&headers, &Method::POST).unwrap().unwrap();
        assert!(!identity.is_user && identity.subject == "warehouse" && identity.roles == ["researcher"]);
        assert_eq!(identity.scopes.as_deref(), Some("system/Patient.rs"));

        let began = std::time::Instant::now();
        for _ in 0..20_000 {
            assert!(auth.identify(&headers, &Method::GET).unwrap().is_some());
        }
        let each = began.elapsed() / 20_000;
        eprintln!("a known token costs {each:?}");
        assert!(each.as_micros() < 20, "{each:?}");

        auth.revoke(&client, token).unwrap();
        assert_eq!(auth.identify(&headers, &Method::GET).unwrap_err().kind, Kind::InvalidToken);
        let answer = auth.client_credentials(&client, "system/*.read").unwrap();
        let headers =
            self::headers("authorization", &format!("bearer {}", answer["access_token"].as_str().unwrap()));
        assert!(auth.identify(&headers, &Method::GET).is_ok());
        now.fetch_add(300, Ordering::Relaxed);
        assert!(auth.identify(&headers, &Method::GET).is_err(), "five minutes");
        for other in ["Basic x", "Bearer", "Bearer  ", "x"] {
            assert!(auth.identify(&self::headers("authorization", other), &Method::GET).is_err(), "{other}");
        }
    }

    #[test]
    fn what_was_looked_up_before_a_revocation_is_not_remembered_after_it() {
        let identities = Identities::default();
        let (epoch, _) = identities.get(&[0; 32], 0);
        identities.forget();
        let identity = Arc::new(Identity {
            subject: "a".to_owned(),
            is_user: true,
            name: String::new(),
            roles: Vec::new(),
            fhir_user: None,
            patient: None,
            proxied: Vec::new(),
            organization: None,
            client: None,
            scopes: None,
            launch_patient: None,
            launch_encounter: None,
            purpose: None,
            token_id: String::new(),
            expires: 10,
            lacks_code: false,
        });
        let known = || Arc::new(Known { identity: Arc::clone(&identity), touched: None });
        identities.remember(epoch, [0; 32], known());
        assert!(identities.get(&[0; 32], 0).1.is_none());
        identities.remember(epoch + 1, [0; 32], known());
        assert!(identities.get(&[0; 32], 0).1.is_some() && identities.get(&[0; 32], 10).1.is_none());
    }
}
