//! Which account of this hub somebody is who signed in elsewhere.
//!
//! An account is linked with an issuer's subject, which never changes and is given to nobody else. A name or an address is
//! neither, so by these nobody is taken for somebody: a first sign-in is refused, or adds an account, as the rules say. With
//! `link-verified-email` an address counts that the provider has verified: the operator says that it may be believed of it.
//!
//! An account that a first sign-in added belongs to the provider: its roles are those of each sign-in, and there is no other way
//! in, so that whoever is let go there is gone here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rules::{Accounts, claim};
use super::{Known, failed};
use crate::jws::Claims;
use crate::records::{absent, forget, put};
use crate::refusal::{Kind, Refusal};
use crate::user::{NewUser, User, check_reference, is_id};
use crate::vault::Change;
use crate::{Auth, secret};

/// A user has at most so many.
const MOST: usize = 100;

/// An account elsewhere that is one here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewLink {
    /// Whose: the issuer identifier.
    pub issuer: String,
    /// Who there.
    pub subject: String,
}

#[derive(Serialize, Deserialize)]
struct Link {
    user: String,
    issuer: String,
    subject: String,
    created: u64,
}

fn link_key(link: &NewLink) -> String {
    // An issuer has no line break.
    format!("link/{}", secret::hash(&format!("{}\n{}", link.issuer, link.subject)))
}

fn of_user_key(user: &str, key: &str) -> String {
    format!("of-user/{user}/link/{}", key.trim_start_matches("link/"))
}

/// A claim as text.
fn text(claims: &Claims, path: &str) -> Option<String> {
    let found = claim(claims, path)?.as_str()?.trim();
    (!found.is_empty() && found.len() <= 1000).then(|| found.to_owned())
}

impl Auth {
    /// Links a user with an account elsewhere.
    ///
    /// # Errors
    /// If that is another user's already, or something will not do.
    pub fn link_user(&self, user: &str, link: &NewLink) -> Result<(), Refusal> {
        if link.subject.is_empty() || link.subject.len() > 255 || link.issuer.contains(char::is_whitespace) {
            return Err(Refusal::request("a link has an issuer, and a subject of 1 to 255 bytes"));
        }
        let key = link_key(link);
        let record = Link {
            user: user.to_owned(),
            issuer: link.issuer.clone(),
            subject: link.subject.clone(),
            created: self.now(),
        };
        let changes = [put(&key, &record, None)?, put(&of_user_key(user, &key), &true, None)?];
        if self.change(&[absent(&key)], &changes)? {
            return Ok(());
        }
        Err(Refusal::request("this account of the issuer is linked with a user already"))
    }

    /// The accounts elsewhere that are a user's.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn links(&self, user: &str) -> Result<Vec<NewLink>, Refusal> {
        let mut found = Vec::new();
        for hash in self.names(&of_user_key(user, ""), MOST)? {
            let link = self.record::<Link>(&format!("link/{hash}"))?;
            found.extend(link.map(|link| NewLink { issuer: link.issuer, subject: link.subject }));
        }
        Ok(found)
    }

    /// Ends all links of a user, and their sessions.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn unlink_user(&self, user: &str) -> Result<(), Refusal> {
        let hashes = self.names(&of_user_key(user, ""), MOST)?;
        let changes: Vec<Change> = (hashes.iter())
            .flat_map(|hash| [forget(&format!("link/{hash}")), forget(&of_user_key(user, hash))])
            .collect();
        self.change(&[], &changes)?;
        self.end_all(user)
    }

    /// The user these claims are about.
    pub(super) fn account_of(&self, known: &Known, claims: &Claims) -> Result<User, Refusal> {
        let (outside, rules) = (&known.outside, &known.outside.rules);
        let subject = text(claims, "sub").unwrap_or_default();
        let link = NewLink { issuer: outside.issuer.clone(), subject };
        let roles = rules.roles(claims);
        let linked = match self.record::<Link>(&link_key(&link))? {
            Some(found) => self.user(&found.user)?,
            None => None,
        };
        let user = match linked {
            Some(user) => user,
            None => match self.user_of_email(known, claims)? {
                Some(user) => {
                    self.link_user(&user.id, &link)?;
                    user
                }
                None if rules.accounts == Accounts::Add && !roles.is_empty() => {
                    self.add_for(known, claims, &link)?
                }
                None if rules.accounts == Accounts::Add => {
                    return Err(failed("no rule gives this account a role"));
                }
                None => {
                    let why = format!(
                        "the account is linked with no user here; yojigen user link NAME --issuer {} --subject …",
                        link.issuer
                    );
                    return Err(failed(why));
                }
            },
        };
        if user.is_disabled {
            return Err(failed("the user may not sign in"));
        }
        if !user.is_managed || user.roles == roles {
            return Ok(user);
        }
        if roles.is_empty() {
            self.end_all(&user.id)?;
            return Err(failed("no rule gives this account a role any more"));
        }
        self.set_roles(&user.id, &roles)
    }

    /// The user whose login name is an address that the provider has verified, if the rules let that count.
    fn user_of_email(&self, known: &Known, claims: &Claims) -> Result<Option<User>, Refusal> {
        let is_verified = claims.get("email_verified") == Some(&Value::Bool(true));
        let Some(email) =
            text(claims, "email").filter(|_| known.outside.rules.link_verified_email && is_verified)
        else {
            return Ok(None);
        };
        match self.user_named(&email) {
            Ok(user) => Ok(Some(user)),
            Err(refusal) if refusal.kind == Kind::ServerError => Err(refusal),
            Err(_) => Ok(None),
        }
    }

    fn add_for(&self, known: &Known, claims: &Claims, link: &NewLink) -> Result<User, Refusal> {
        let names = &known.outside.rules.claims;
        let login = text(claims, &names.login);
        let login = login
            .ok_or_else(|| failed(format!("the claim {} that names the account is missing", names.login)))?;
        let own_base = format!("{}/", self.settings.fhir_base);
        // Only what is a resource of this hub: another hub's Practitioner/17 is somebody else.
        let reference = |path: &Option<String>, types: &[&str]| -> Result<Option<String>, Refusal> {
            let Some(found) = path.as_ref().and_then(|path| text(claims, path)) else { return Ok(None) };
            let own = found.strip_prefix(&own_base).unwrap_or(&found).to_owned();
            check_reference(&own, types).map_err(|refusal| failed(refusal.description))?;
            Ok(Some(own))
        };
        let patient = names.patient.as_ref().and_then(|path| text(claims, path));
        let patient = patient.map(|id| id.trim_start_matches("Patient/").to_owned());
        if patient.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(failed("the claim that names the Patient has no id of one"));
        }
        let people = ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Person"];
        let new = NewUser {
            login,
            name: text(claims, &names.name).map(|name| name.chars().take(200).collect()).unwrap_or_default(),
            roles: known.outside.rules.roles(claims),
            fhir_user: reference(&names.fhir_user, &people)?,
            patient,
            proxied: Vec::new(),
            organization: reference(&names.organization, &["Organization"])?,
            password: None,
        };
        let user = self.add_managed_user(&new).map_err(|refusal| failed(refusal.description))?;
        self.link_user(&user.id, link)?;
        tracing::info!(user = user.id, "an account was added at a first sign-in elsewhere");
        Ok(user)
    }
}
