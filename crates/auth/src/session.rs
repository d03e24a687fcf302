//! Sessions: a signed-in browser. It ends when nothing was asked for a while, and after a working day in any case.

use serde::{Deserialize, Serialize};

use crate::records::{absent, forget, put};
use crate::refusal::Refusal;
use crate::user::User;
use crate::{Auth, secret};

/// So many sessions and grants of one user are looked at.
pub(crate) const MOST: usize = 1000;
/// A session's last use is written down at most so often, in seconds.
pub(crate) const TOUCH: u64 = 60;

/// A session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Its name, which is no secret.
    pub id: String,
    /// The user's id.
    pub user: String,
    /// When the user signed in, in seconds since 1970.
    pub began: u64,
    /// When it was last used, to the minute.
    pub seen: u64,
    /// From where.
    pub address: String,
    /// With what program, as that says.
    pub agent: String,
    /// Whether a second factor was used.
    pub has_code: bool,
    /// By what it began.
    #[serde(default)]
    pub way: Way,
}

/// By what somebody signs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// A password, and a code if there is a second factor.
    #[default]
    Password,
    /// A passkey, as the vault calls it.
    Passkey(String),
    /// An outside provider.
    Outside,
}

/// So long after signing in one may change how one signs in, in seconds.
const FRESH: u64 = 900;

fn session_key(hash: &str) -> String {
    format!("session/{hash}")
}

fn of_user_key(user: &str, session: &str) -> String {
    format!("of-user/{user}/session/{session}")
}

impl Auth {
    /// Begins a session; what its cookie says.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn begin_session(
        &self,
        user: &User,
        address: &str,
        agent: &str,
        way: Way,
    ) -> Result<String, Refusal> {
        let text = secret::token("yjs_")?;
        let (hash, now) = (secret::hash(&text), self.now());
        let session = Session {
            id: secret::id()?,
            user: user.id.clone(),
            began: now,
            seen: now,
            address: address.to_owned(),
            agent: agent.chars().filter(|c| !c.is_control()).take(160).collect(),
            // A passkey is both factors.
            has_code: matches!(way, Way::Passkey(_)) || (way == Way::Password && user.has_totp()),
            way,
        };
        let ends = Some(now + self.settings.session_longest);
        let changes = [
            put(&session_key(&hash), &session, ends)?,
            put(&of_user_key(&user.id, &session.id), &hash, ends)?,
        ];
        self.change(&[absent(&session_key(&hash))], &changes)?;
        Ok(text)
    }

    /// Notes that in a user's session a second factor was shown.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn second_factor_was_shown(&self, user: &str, session: &str) -> Result<(), Refusal> {
        if let Some(hash) = self.record::<String>(&of_user_key(user, session))? {
            let _ = self.update::<Session>(&session_key(&hash), |session| {
                session.has_code = true;
                Ok(())
            })?;
        }
        self.forget_identities();
        Ok(())
    }

    /// Whether a session is still good.
    pub(crate) fn is_awake(&self, session: &Session) -> bool {
        session.seen + self.settings.session_idle > self.now()
    }

    /// Whether somebody signed in a moment ago: who finds a browser left open changes no way in.
    #[must_use]
    pub fn is_fresh(&self, session: &Session) -> bool {
        session.began + FRESH > self.now()
    }

    /// The session of a cookie.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn session(&self, cookie: &str) -> Result<Option<Session>, Refusal> {
        let found = self.record::<Session>(&session_key(&secret::hash(cookie)))?;
        Ok(found.filter(|session| self.is_awake(session)))
    }

    /// Writes down that a session is in use.
    pub(crate) fn touch(&self, cookie: &str) -> Result<(), Refusal> {
        let now = self.now();
        let _ = self.update::<Session>(&session_key(&secret::hash(cookie)), |session| {
            session.seen = now;
            Ok(())
        })?;
        Ok(())
    }

    /// A user's sessions, the one used last first.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn sessions(&self, user: &str) -> Result<Vec<Session>, Refusal> {
        let hashes: Vec<String> = self.records(&of_user_key(user, ""), MOST)?;
        let mut found = Vec::new();
        for hash in hashes {
            found.extend(self.record::<Session>(&session_key(&hash))?.filter(|s| self.is_awake(s)));
        }
        found.sort_by_key(|session| std::cmp::Reverse(session.seen));
        Ok(found)
    }

    /// Whether a user's session is still good.
    pub(crate) fn has_session(&self, user: &str, session: &str) -> Result<bool, Refusal> {
        let hash = self.record::<String>(&of_user_key(user, session))?;
        let found = hash.map(|hash| self.record::<Session>(&session_key(&hash))).transpose()?.flatten();
        Ok(found.is_some_and(|session| self.is_awake(&session)))
    }

    /// Ends a user's session.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn end_session(&self, user: &str, session: &str) -> Result<(), Refusal> {
        let of_user = of_user_key(user, session);
        if let Some(hash) = self.record::<String>(&of_user)? {
            self.change(&[], &[forget(&session_key(&hash)), forget(&of_user)])?;
        }
        self.forget_identities();
        Ok(())
    }

    /// Ends all sessions of a user, and takes back what the user allowed to apps.
    pub(crate) fn end_all(&self, user: &str) -> Result<(), Refusal> {
        for session in self.names(&of_user_key(user, ""), MOST)? {
            self.end_session(user, &session)?;
        }
        for grant in self.grants(user)? {
            self.end_grant(&grant.id)?;
        }
        Ok(())
    }
}
