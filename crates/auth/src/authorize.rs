//! The authorization request (OAuth 2.1 section 4.1.1, SMART App Launch 2.2): what an app asks of a user, and the answer that
//! goes back with the browser.
//!
//! Until client and redirect URI are certain nothing is sent anywhere: the user is told. After that every refusal goes to
//! the redirect URI, with `state` and `iss` (RFC 9207), so that an app that talks to several hubs cannot be confused.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::grant::{Code, Grant};
use crate::records::{absent, forget, put};
use crate::refusal::{Kind, Refusal};
use crate::scope::{Level, Scope, Scopes};
use crate::second_factor::SecondFactor;
use crate::session::Session;
use crate::user::{User, is_id};
use crate::{Auth, secret};

/// A launch lasts so long.
const LAUNCH: u64 = 300;
/// Roles that act for more than one patient, and so choose one.
const CHOOSERS: &[&str] = &["clinician", "pharmacist", "registrar", "proxy"];

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What an app was started on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Who started it.
    pub user: String,
    /// For which client, if it was for one.
    pub client: Option<String>,
    /// The patient.
    pub patient: Option<String>,
    /// The encounter.
    pub encounter: Option<String>,
}

/// What an app asks of a user.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// Which app.
    pub client: Client,
    /// What it may have at most, of what it asks.
    pub scopes: Scopes,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// The words of `prompt`.
    pub prompt: Vec<String>,
    /// A sign-in may be so many seconds old at most.
    pub max_age: Option<u64>,
    /// Who is likely to sign in.
    pub login_hint: Option<String>,
    state: Option<String>,
    challenge: String,
    nonce: Option<String>,
    launch: Option<(String, Launch)>,
}

/// A request that is not put to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Where the answer would go is not certain: the user is told.
    Here(Refusal),
    /// The app is told, at this address.
    There(String),
}

/// Which patient a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatientChoice {
    /// None.
    NotNeeded,
    /// This one.
    Is(String),
    /// One the user names.
    Asked,
}

pub(crate) fn redirect(uri: &str, pairs: &[(&str, &str)]) -> String {
    let mark = if uri.contains('?') { '&' } else { '?' };
    let encode = |text: &str| utf8_percent_encode(text, QUERY).to_string();
    let written: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={}", encode(v))).collect();
    format!("{uri}{mark}{}", written.join("&"))
}

impl Auth {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Rejected`]: here, or there.
    pub fn authorization(&self, pairs: &[(String, String)]) -> Result<AuthorizationRequest, Rejected> {
        let here = |refusal: Refusal| Rejected::Here(refusal);
        let value = |name: &str| -> Result<Option<&str>, Refusal> {
            let mut found = pairs.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
            let first = found.next().filter(|v| !v.is_empty());
            match found.next() {
                Some(_) => Err(Refusal::request(format!("{name} stands twice in the request"))),
                None => Ok(first),
            }
        };
        let needed = |name: &str| -> Result<&str, Refusal> {
            value(name)?.ok_or_else(|| Refusal::request(format!("{name} is missing")))
        };
        let client_id = needed("client_id").map_err(here)?;
        let unknown = || Refusal::new(Kind::InvalidClient, "the app is not registered here");
        let client = self.client(client_id).map_err(here)?.ok_or_else(|| here(unknown()))?;
        let redirect_uri = needed("redirect_uri").map_err(here)?;
        if !client.redirect_uris.iter().any(|own| own == redirect_uri) {
            let why = "redirect_uri is not, letter for letter, one the app is registered with";
            return Err(here(Refusal::new(Kind::InvalidRedirectUri, why)));
        }
        let state = value("state").map_err(here)?;
        let read = || -> Result<AuthorizationRequest, Refusal> {
            if needed("response_type")? != "code" {
                return Err(Refusal::new(Kind::UnsupportedResponseType, "response_type is code"));
            }
            if value("request")?.is_some() || value("request_uri")?.is_some() {
                return Err(Refusal::request("request objects are not taken here"));
            }
            if value("response_mode")?.is_some_and(|mode| mode != "query") {
                return Err(Refusal::request("response_mode is query"));
            }
            let challenge = needed("code_challenge")?;
            if value("code_challenge_method")? != Some("S256") {
                return Err(Refusal::request("code_challenge_method is S256"));
            }
            let is_challenge = challenge.len() == 43
                && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
            if !is_challenge {
                return Err(Refusal::request("code_challenge is no SHA-256 in base64url"));
            }
            let (asked, unknown) = Scopes::read(needed("scope")?);
            // Whoever asks only who somebody is (OpenID Connect) has no FHIR base to name.
            let is_of_record =
                |scope: &Scope| !matches!(scope, Scope::Openid | Scope::Profile | Scope::FhirUser);
            let aud = match value("aud")? {
                None if !asked.only(is_of_record).is_empty() => needed("aud")?,
                aud => aud.unwrap_or(&self.settings.fhir_base),
            };
            if aud.trim_end_matches('/') != self.settings.fhir_base {
                return Err(Refusal::request(format!(
                    "aud is not this hub's FHIR base, {}",
                    self.settings.fhir_base
                )));
            }
            let launch = match value("launch")? {
                Some(handle) => {
                    let found = self.record::<Launch>(&format!("launch/{}", secret::hash(handle)))?;
                    let found = found.filter(|l| l.client.as_ref().is_none_or(|id| *id == client.id));
                    let found =
                        found.ok_or_else(|| Refusal::request("launch is not known, used or too old"))?;
                    Some((handle.to_owned(), found))
                }
                None => None,
            };
            let may_be_asked = |scope: &Scope| match scope {
                Scope::Launch => launch.is_some(),
                Scope::LaunchEncounter => launch.as_ref().is_some_and(|(_, l)| l.encounter.is_some()),
                Scope::Resource(resource) => resource.level != Level::System,
                _ => true,
            };
            let scopes = asked.narrowed_to(&client.limits()).only(may_be_asked);
            if scopes.is_empty() {
                let why = unknown.into_iter().next();
                let why = why.unwrap_or_else(|| "the app is registered for none of it".to_owned());
                let why = format!("nothing of what is asked for can be granted: {why}");
                return Err(Refusal::new(Kind::InvalidScope, why));
            }
            let max_age = value("max_age")?.map(str::parse::<u64>).transpose();
            let prompt = value("prompt")?.unwrap_or_default();
            let prompt: Vec<String> =
                prompt.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
            let known = ["none", "login", "consent", "select_account"];
            if let Some(word) = prompt.iter().find(|word| !known.contains(&word.as_str())) {
                return Err(Refusal::request(format!(
                    "prompt '{word}' is not known; known are {}",
                    known.join(", ")
                )));
            }
            if prompt.len() > 1 && prompt.iter().any(|word| word == "none") {
                return Err(Refusal::request("prompt=none stands alone"));
            }
            Ok(AuthorizationRequest {
                client: client.clone(),
                scopes,
                redirect_uri: redirect_uri.to_owned(),
                prompt,
                max_age: max_age.map_err(|_| Refusal::request("max_age is no whole number of seconds"))?,
                login_hint: value("login_hint")?.map(|hint| hint.chars().take(64).collect()),
                state: state.map(str::to_owned),
                challenge: challenge.to_owned(),
                nonce: value("nonce")?.map(str::to_owned),
                launch,
            })
        };
        read().map_err(|refusal| Rejected::There(self.refused_at(redirect_uri, state, &refusal)))
    }

    fn refused_at(&self, redirect_uri: &str, state: Option<&str>, refusal: &Refusal) -> String {
        let mut pairs = vec![("error", refusal.kind.code()), ("error_description", &refusal.description)];
        pairs.extend(state.map(|state| ("state", state)));
        pairs.push(("iss", &self.settings.issuer));
        redirect(redirect_uri, &pairs)
    }

    /// Where the browser goes with a refusal.
    #[must_use]
    pub fn refused(&self, request: &AuthorizationRequest, refusal: &Refusal) -> String {
        self.refused_at(&request.redirect_uri, request.state.as_deref(), refusal)
    }

    /// Which patient a request of this user would be about.
    ///
    /// # Errors
    /// If it needs one and the user has none to give, or the launch is another user's.
    pub fn patient_choice(
        &self,
        request: &AuthorizationRequest,
        user: &User,
    ) -> Result<PatientChoice, Refusal> {
        if let Some((_, launch)) = &request.launch {
            if launch.user != user.id {
                return Err(Refusal::new(Kind::AccessDenied, "the app was started by another user"));
            }
            if let Some(patient) = &launch.patient {
                return Ok(PatientChoice::Is(patient.clone()));
            }
        }
        if !request.scopes.has_level(Level::Patient) && !request.scopes.has(&Scope::LaunchPatient) {
            return Ok(PatientChoice::NotNeeded);
        }
        let may_choose = CHOOSERS.iter().any(|role| user.has_role(role));
        match &user.patient {
            _ if may_choose => Ok(PatientChoice::Asked),
            Some(own) => Ok(PatientChoice::Is(own.clone())),
            None => {
                let why = "the app asks for one patient's data, and no patient's record belongs to this user";
                Err(Refusal::new(Kind::AccessDenied, why))
            }
        }
    }

    /// The user allows some of what is asked: where the browser goes, with the code.
    ///
    /// # Errors
    /// If there is nothing left to allow, or the patient is missing.
    pub fn allow(
        &self,
        request: &AuthorizationRequest,
        user: &User,
        session: &Session,
        allowed: &Scopes,
        patient: Option<&str>,
    ) -> Result<String, Refusal> {
        if self.second_factor(user, session)? != SecondFactor::Done {
            return Err(self.second_factor_missing());
        }
        // Only what was asked, whatever the form says.
        let scopes = request.scopes.only(|scope| allowed.has(scope));
        if scopes.is_empty() {
            return Err(Refusal::new(Kind::AccessDenied, "the user allowed nothing"));
        }
        let asked = AuthorizationRequest { scopes: scopes.clone(), ..request.clone() };
        let patient = match self.patient_choice(&asked, user)? {
            PatientChoice::NotNeeded => None,
            PatientChoice::Is(id) => Some(id),
            PatientChoice::Asked => {
                let chosen = patient.map(|p| p.trim().trim_start_matches("Patient/")).filter(|p| is_id(p));
                Some(
                    chosen
                        .ok_or_else(|| Refusal::request("no patient was chosen").of_field("patient"))?
                        .to_owned(),
                )
            }
        };
        let now = self.now();
        let is_online = scopes.has(&Scope::OnlineAccess) && !scopes.has(&Scope::OfflineAccess);
        let grant = Grant {
            id: secret::id()?,
            client: request.client.id.clone(),
            user: Some(user.id.clone()),
            scopes: scopes.to_string(),
            patient,
            encounter: request.launch.as_ref().and_then(|(_, launch)| launch.encounter.clone()),
            session: is_online.then(|| session.id.clone()),
            auth_time: session.began,
            created: now,
            has_code: session.has_code,
        };
        if let Some((handle, launch)) = &request.launch {
            let key = format!("launch/{}", secret::hash(handle));
            let read = self.read::<Launch>(&key)?.filter(|read| read.record == *launch);
            let gone = || Refusal::request("launch is not known, used or too old");
            if !self.change(&[read.ok_or_else(gone)?.unchanged()], &[forget(&key)])? {
                return Err(gone());
            }
        }
        let code = self.issue_code(&Code {
            grant,
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            nonce: request.nonce.clone(),
            is_used: false,
        })?;
        let mut pairs = vec![("code", code.as_str())];
        pairs.extend(request.state.as_deref().map(|state| ("state", state)));
        pairs.push(("iss", &self.settings.issuer));
        Ok(redirect(&request.redirect_uri, &pairs))
    }

    /// Begins a launch out of a record: the handle an app is started with.
    ///
    /// # Errors
    /// If an id does not read or the client is not known.
    pub fn begin_launch(&self, launch: &Launch) -> Result<String, Refusal> {
        for id in [&launch.patient, &launch.encounter].into_iter().flatten() {
            if !is_id(id) {
                return Err(Refusal::request("patient and encounter are ids of resources"));
            }
        }
        if let Some(client) = &launch.client
            && self.client(client)?.is_none()
        {
            return Err(Refusal::request("the client is not known"));
        }
        let handle = secret::token("yjl_")?;
        let key = format!("launch/{}", secret::hash(&handle));
        self.change(&[absent(&key)], &[put(&key, launch, Some(self.now() + LAUNCH))?])?;
        Ok(handle)
    }
}
