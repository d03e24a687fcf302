//! Users: who may sign in, as what.

mod erase;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::passkey::MadePasskey;
use crate::records::{absent, forget, put};
use crate::refusal::{Kind, Refusal};
use crate::throttle::Guess;
use crate::vault::{Change, Condition};
use crate::{Auth, password, secret, totp};

/// What someone may be here. What a role may do is decided by `access`.
pub const ROLES: &[&str] =
    &["person", "proxy", "clinician", "pharmacist", "registrar", "operator", "researcher", "auditor", "peer"];

/// So many users are listed at most.
const LISTED: usize = 100_000;
/// A link to set a password lasts so long.
const INVITATION: u64 = 24 * 3600;
/// The link for the first operator lasts so long.
const FIRST: u64 = 3600;
/// Half a sign-in lasts so long.
const HALF: u64 = 300;

/// A second factor.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Totp {
    secret: String,
    /// The step of the code used last.
    last: u64,
    /// Whether a first code was entered, so that it counts.
    is_confirmed: bool,
}

/// A user.
#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    /// What never changes, and says nothing.
    pub id: String,
    /// What is typed to sign in.
    pub login: String,
    /// What is shown.
    pub name: String,
    /// Of [`ROLES`].
    pub roles: Vec<String>,
    /// The user's own resource: `Practitioner/1`, `Patient/2`.
    pub fhir_user: Option<String>,
    /// Whose record the user's own is: an id of a Patient.
    pub patient: Option<String>,
    /// The ids of the Patients the user acts for, as a proxy.
    #[serde(default)]
    pub proxied: Vec<String>,
    /// For whom the user works: `Organization/1`.
    pub organization: Option<String>,
    /// Whether the user may not sign in.
    pub is_disabled: bool,
    /// Whether an outside provider's first sign-in added the user: it says the roles, and there is no other way in.
    #[serde(default)]
    pub is_managed: bool,
    /// When the user was added, in seconds since 1970.
    pub created: u64,
    password: Option<String>,
    totp: Option<Totp>,
    recovery: Vec<String>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({}, {}, {:?})", self.id, self.login, self.roles)
    }
}

impl User {
    /// Whether a password was set.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Whether signing in takes a second factor.
    #[must_use]
    pub fn has_totp(&self) -> bool {
        self.totp.as_ref().is_some_and(|totp| totp.is_confirmed)
    }

    /// How many recovery codes are left.
    #[must_use]
    pub fn recovery_codes(&self) -> usize {
        self.recovery.len()
    }

    /// Whether the user has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}

/// What is said of a new user.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct NewUser {
    /// What is typed to sign in.
    pub login: String,
    /// What is shown; the login name if it is empty.
    pub name: String,
    /// Of [`ROLES`].
    pub roles: Vec<String>,
    /// The user's own resource.
    pub fhir_user: Option<String>,
    /// Whose record the user's own is.
    pub patient: Option<String>,
    /// The ids of the Patients the user acts for, as a proxy.
    pub proxied: Vec<String>,
    /// For whom the user works.
    pub organization: Option<String>,
    /// The password; without one an invitation sets it.
    pub password: Option<String>,
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewUser({}, {:?})", self.login, self.roles)
    }
}

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Invitation {
    /// To make the first operator.
    FirstOperator,
    /// To set the password of a user.
    Password {
        /// The user's id.
        user: String,
    },
}

/// How somebody who has a link comes in from now on. Login and display name are the first operator's.
#[derive(Clone)]
pub enum Accepted {
    /// By a password.
    Password {
        /// What is typed to sign in.
        login: String,
        /// What is shown.
        name: String,
        /// The password.
        password: String,
    },
    /// By a passkey.
    Passkey {
        /// What stands for the user where a name has to.
        login: String,
        /// What is shown.
        name: String,
        /// The id the passkey was made for, of the first operator.
        user: String,
        /// The passkey.
        made: MadePasskey,
    },
}

/// How far a sign-in came.
#[derive(Debug)]
pub enum SignIn {
    /// To its end.
    Done(Box<User>),
    /// The password was right; a code is needed. The text stands for the first half for five minutes.
    CodeNeeded(String),
}

pub(crate) fn user_key(id: &str) -> String {
    format!("user/{id}")
}

fn login_key(login: &str) -> String {
    format!("login/{login}")
}

/// A login name as it is kept.
fn login_name(text: &str) -> Result<String, Refusal> {
    let login = text.trim().to_lowercase();
    let is_well =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '@' | '+');
    if login.is_empty() || login.len() > 64 || !login.chars().all(is_well) {
        return Err(Refusal::request(
            "a login name has 1 to 64 letters a-z, digits or . _ - @ +; what is shown to others is the display name",
        )
        .of_field("login"));
    }
    Ok(login)
}

/// Checks roles.
///
/// # Errors
/// If there is none, or one is not known.
pub(crate) fn check_roles(roles: &[String]) -> Result<(), Refusal> {
    if roles.is_empty() {
        return Err(Refusal::request(format!("a user has at least one role of {}", ROLES.join(", "))));
    }
    match roles.iter().find(|role| !ROLES.contains(&role.as_str())) {
        Some(unknown) => {
            Err(Refusal::request(format!("role '{unknown}' is not known; known are {}", ROLES.join(", "))))
        }
        None => Ok(()),
    }
}

/// Checks a reference to a resource of this hub.
pub(crate) fn check_reference(reference: &str, types: &[&str]) -> Result<(), Refusal> {
    let parts = reference.split_once('/').filter(|(name, id)| types.contains(name) && is_id(id));
    let expected = || {
        Refusal::request(format!("'{reference}' is no reference to {}; write Type/id", types.join(" or ")))
    };
    parts.map(|_| ()).ok_or_else(expected)
}

/// Whether a text is an id of FHIR.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

impl Auth {
    /// Adds a user.
    ///
    /// # Errors
    /// If something said of it will not do, or the login name is taken.
    pub fn add_user(&self, new: &NewUser) -> Result<User, Refusal> {
        self.add_user_as(secret::id()?, new, false)
    }

    /// Adds a user whom an outside provider knows.
    pub(crate) fn add_managed_user(&self, new: &NewUser) -> Result<User, Refusal> {
        self.add_user_as(secret::id()?, new, true)
    }

    fn add_user_as(&self, id: String, new: &NewUser, is_managed: bool) -> Result<User, Refusal> {
        let login = login_name(&new.login)?;
        check_roles(&new.roles)?;
        if let Some(own) = &new.fhir_user {
            check_reference(
                own,
                &["Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Person"],
            )?;
        }
        if let Some(organization) = &new.organization {
            check_reference(organization, &["Organization"])?;
        }
        if let Some(patient) = new.patient.iter().chain(&new.proxied).find(|id| !is_id(id)) {
            return Err(Refusal::request(format!("'{patient}' is no id of a Patient")));
        }
        let name = if new.name.trim().is_empty() { login.clone() } else { new.name.trim().to_owned() };
        if name.chars().count() > 200 {
            return Err(Refusal::request("a display name has at most 200 characters"));
        }
        let password = match &new.password {
            Some(password) => {
                password::check(password, &login)?;
                Some(password::hash(password)?)
            }
            None => None,
        };
        let of_own = new.fhir_user.as_deref().and_then(|own| own.strip_prefix("Patient/")).map(str::to_owned);
        let user = User {
            id,
            name,
            roles: new.roles.clone(),
            fhir_user: new.fhir_user.clone(),
            patient: new.patient.clone().or(of_own),
            proxied: new.proxied.clone(),
            organization: new.organization.clone(),
            is_disabled: false,
            is_managed,
            created: self.now(),
            password,
            totp: None,
            recovery: Vec::new(),
            login,
        };
        let (key, login) = (user_key(&user.id), login_key(&user.login));
        let changes = [put(&key, &user, None)?, put(&login, &user.id, None)?];
        if !self.change(&[absent(&login), absent(&key)], &changes)? {
            return Err(
                Refusal::request(format!("there is a user '{}' already", user.login)).of_field("login-taken")
            );
        }
        Ok(user)
    }

    /// All users, by id.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn users(&self) -> Result<Vec<User>, Refusal> {
        self.records("user/", LISTED)
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn has_no_users(&self) -> Result<bool, Refusal> {
        Ok(self.vault.scan("user/", 1, self.now())?.is_empty())
    }

    /// A user by id.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn user(&self, id: &str) -> Result<Option<User>, Refusal> {
        self.record(&user_key(id))
    }

    /// A user by login name.
    ///
    /// # Errors
    /// If there is none.
    pub fn user_named(&self, login: &str) -> Result<User, Refusal> {
        let login = login_name(login)?;
        let found =
            self.record::<String>(&login_key(&login))?.map(|id| self.user(&id)).transpose()?.flatten();
        found.ok_or_else(|| Refusal::new(Kind::NotFound, format!("there is no user '{login}'")))
    }

    fn update_user(
        &self,
        id: &str,
        edit: impl FnMut(&mut User) -> Result<(), Refusal>,
    ) -> Result<User, Refusal> {
        let updated = self.update(&user_key(id), edit)?;
        self.forget_identities();
        updated.ok_or_else(|| Refusal::new(Kind::NotFound, "there is no such user"))
    }

    /// Lets a user in no more, or again. Who is not let in is signed out, and what apps were allowed is gone.
    ///
    /// # Errors
    /// If there is no such user.
    pub fn disable_user(&self, id: &str, is_disabled: bool) -> Result<User, Refusal> {
        let user = self.update_user(id, |user| {
            user.is_disabled = is_disabled;
            Ok(())
        })?;
        if is_disabled {
            self.end_all(id)?;
        }
        Ok(user)
    }

    /// Gives a user other roles.
    ///
    /// # Errors
    /// If there is no such user or role.
    pub fn set_roles(&self, id: &str, roles: &[String]) -> Result<User, Refusal> {
        check_roles(roles)?;
        self.update_user(id, |user| {
            user.roles = roles.to_vec();
            Ok(())
        })
    }

    /// Sets a password. All sessions of the user end, and what apps were allowed is gone.
    ///
    /// # Errors
    /// If it will not do.
    pub fn set_password(&self, id: &str, password: &str) -> Result<User, Refusal> {
        let user = self.user(id)?.ok_or_else(|| Refusal::new(Kind::NotFound, "there is no such user"))?;
        password::check(password, &user.login)?;
        let hash = password::hash(password)?;
        let user = self.update_user(id, |user| {
            user.password = Some(hash.clone());
            Ok(())
        })?;
        self.end_all(id)?;
        Ok(user)
    }

    /// Takes a user's second factor away: for who lost it and every recovery code.
    ///
    /// # Errors
    /// If there is no such user.
    pub fn remove_totp(&self, id: &str) -> Result<User, Refusal> {
        self.update_user(id, |user| {
            (user.totp, user.recovery) = (None, Vec::new());
            Ok(())
        })
    }

    /// Begins to set a second factor up: its secret and the address an app takes. It counts when a code was entered.
    ///
    /// # Errors
    /// If there is one already.
    pub fn begin_totp(&self, id: &str) -> Result<(String, String), Refusal> {
        let fresh = totp::new_secret()?;
        let user = self.update_user(id, |user| {
            match &user.totp {
                Some(totp) if totp.is_confirmed => {
                    return Err(Refusal::request("there is a second factor already"));
                }
                // The page may be loaded twice.
                Some(_) => {}
                None => user.totp = Some(Totp { secret: fresh.clone(), last: 0, is_confirmed: false }),
            }
            Ok(())
        })?;
        let secret = user.totp.map(|totp| totp.secret).unwrap_or_default();
        let address = totp::address(&secret, &self.settings.issuer, &user.login);
        Ok((secret, address))
    }

    /// Ends setting it up with a first code; the recovery codes, which are shown this once.
    ///
    /// # Errors
    /// If the code is not right.
    pub fn confirm_totp(&self, id: &str, code: &str, address: &str) -> Result<Vec<String>, Refusal> {
        let account = format!("code of {id}");
        let guess = Guess { account: &account, address };
        self.throttle.try_guess(guess, self.now())?;
        let (shown, kept) = totp::recovery_codes()?;
        let now = self.now();
        self.update_user(id, |user| {
            let totp = user.totp.as_mut().filter(|totp| !totp.is_confirmed);
            let totp = totp.ok_or_else(|| Refusal::request("no second factor is being set up"))?;
            let step = totp::step_of(&totp.secret, code, now, totp.last);
            totp.last = step.ok_or_else(|| Refusal::new(Kind::AccessDenied, "the code is not right"))?;
            totp.is_confirmed = true;
            user.recovery.clone_from(&kept);
            Ok(())
        })?;
        self.throttle.was_right(guess);
        Ok(shown)
    }

    /// Tries a password. It takes as long whether or not there is such a user, and says as little.
    ///
    /// # Errors
    /// If it is not right, or there were too many guesses.
    pub fn sign_in(&self, login: &str, password: &str, address: &str) -> Result<SignIn, Refusal> {
        let login = login_name(login).unwrap_or_default();
        let guess = Guess { account: &login, address };
        self.throttle.try_guess(guess, self.now())?;
        let user = self.user_named(&login).ok().filter(|user| !user.is_disabled);
        let is_right = password::is_right(password, user.as_ref().and_then(|u| u.password.as_deref()))?;
        let wrong = || Refusal::new(Kind::AccessDenied, "the name or the password is not right");
        let user = user.filter(|_| is_right).ok_or_else(wrong)?;
        self.throttle.was_right(guess);
        if !user.has_totp() {
            return Ok(SignIn::Done(Box::new(user)));
        }
        let half = secret::token("yjh_")?;
        let key = format!("half/{}", secret::hash(&half));
        self.change(&[absent(&key)], &[put(&key, &user.id, Some(self.now() + HALF))?])?;
        Ok(SignIn::CodeNeeded(half))
    }

    /// Ends a sign-in with a code, or one of the recovery codes.
    ///
    /// # Errors
    /// If the code is not right, or the first half is too long ago.
    pub fn sign_in_with_code(&self, half: &str, code: &str, address: &str) -> Result<User, Refusal> {
        let key = format!("half/{}", secret::hash(half));
        let late = || Refusal::new(Kind::LoginRequired, "this took too long; sign in again");
        let id = self.record::<String>(&key)?.ok_or_else(late)?;
        let account = format!("code of {id}");
        let guess = Guess { account: &account, address };
        self.throttle.try_guess(guess, self.now())?;
        let code = code.trim().replace(' ', "");
        let (now, kept) = (self.now(), secret::hash(&code.to_lowercase()));
        let user = self.update_user(&id, |user| {
            let before = user.recovery.len();
            user.recovery.retain(|own| !secret::is_same(own, &kept));
            if user.recovery.len() < before {
                return Ok(());
            }
            let step = user.totp.as_mut().and_then(|totp| {
                let step = totp::step_of(&totp.secret, &code, now, totp.last)?;
                totp.last = step;
                Some(step)
            });
            step.map(|_| ()).ok_or_else(|| Refusal::new(Kind::AccessDenied, "the code is not right"))
        })?;
        self.throttle.was_right(guess);
        self.change(&[], &[forget(&key)])?;
        if user.is_disabled { Err(late()) } else { Ok(user) }
    }

    /// A link for one use; what stands in it.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn invite(&self, invitation: &Invitation) -> Result<String, Refusal> {
        let text = secret::token("yji_")?;
        let lasts = if *invitation == Invitation::FirstOperator { FIRST } else { INVITATION };
        let key = format!("invitation/{}", secret::hash(&text));
        self.change(&[absent(&key)], &[put(&key, invitation, Some(self.now() + lasts))?])?;
        Ok(text)
    }

    /// What a link is for.
    ///
    /// # Errors
    /// If it was used, is too old, or never was.
    pub fn invitation(&self, text: &str) -> Result<Invitation, Refusal> {
        let found = self.record::<Invitation>(&format!("invitation/{}", secret::hash(text)))?;
        let found = found.filter(|i| *i != Invitation::FirstOperator || self.has_no_users().unwrap_or(false));
        found.ok_or_else(|| Refusal::new(Kind::NotFound, "this link was used or is too old"))
    }

    /// The id the first operator will have; a passkey is made for it before there is anybody.
    ///
    /// # Errors
    /// If the operating system gives no entropy.
    pub fn new_user_id(&self) -> Result<String, Refusal> {
        secret::id()
    }

    /// Uses a link up: gives the user a way in, or makes the first operator with the name given.
    ///
    /// # Errors
    /// If the link is no longer good, or what is said will not do; then it can be used again.
    pub fn accept(&self, text: &str, accepted: &Accepted) -> Result<User, Refusal> {
        let invitation = self.invitation(text)?;
        let key = format!("invitation/{}", secret::hash(text));
        let read = self.read::<Invitation>(&key)?;
        let gone = || Refusal::new(Kind::NotFound, "this link was used or is too old");
        let unchanged = read.ok_or_else(gone)?.unchanged();
        let use_up = |conditions: &[Condition], changes: &[Change]| -> Result<(), Refusal> {
            let conditions = [std::slice::from_ref(&unchanged), conditions].concat();
            let is_done = self.change(&conditions, &[&[forget(&key)], changes].concat())?;
            if is_done { Ok(()) } else { Err(gone()) }
        };
        match (invitation, accepted) {
            (Invitation::FirstOperator, Accepted::Password { login, name, password }) => {
                password::check(password, &login_name(login)?)?;
                use_up(&[], &[])?;
                self.add_user(&NewUser { password: Some(password.clone()), ..first_operator(login, name) })
            }
            (Invitation::FirstOperator, Accepted::Passkey { login, name, user, made }) => {
                if !is_id(user) || user.len() != 24 || self.user(user)?.is_some() {
                    return Err(Refusal::request("the first operator's id is not one this hub gave"));
                }
                login_name(login)?;
                let checked = self.check_passkey(user, made)?;
                use_up(&checked.conditions, &checked.changes)?;
                self.add_user_as(user.clone(), &first_operator(login, name), false)
            }
            (Invitation::Password { user }, Accepted::Password { password, .. }) => {
                let known = self.user(&user)?.ok_or_else(gone)?;
                password::check(password, &known.login)?;
                use_up(&[], &[])?;
                self.set_password(&user, password)
            }
            (Invitation::Password { user }, Accepted::Passkey { made, .. }) => {
                let known = self.user(&user)?.ok_or_else(gone)?;
                let checked = self.check_passkey(&user, made)?;
                use_up(&checked.conditions, &checked.changes)?;
                self.end_all(&user)?;
                Ok(known)
            }
        }
    }
}

/// What is said of the first operator.
fn first_operator(login: &str, name: &str) -> NewUser {
    let roles = vec!["operator".to_owned()];
    NewUser { login: login.to_owned(), name: name.to_owned(), roles, ..NewUser::default() }
}
