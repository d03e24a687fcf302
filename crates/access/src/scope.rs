//! Scopes of SMART App Launch 2.2 (<https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html>) and of
//! OpenID Connect.
//!
//! A scope of resources is `(patient|user|system)/(Type|*).(cruds|read|write|*)[?search-parameters]`. The letters stand
//! for create, read, update, delete, search, in that order; those of version 1 are read as version 2 says: `read` is `rs`,
//! `write` is `cud`, `*` is `cruds`. The part after `?` narrows the scope to the resources a search by it would find.
//!
//! Scopes come from strangers, so reading them never fails as a whole: what is not understood is set apart
//! ([`Scopes::read`]), and it grants nothing. Narrowing ([`Scopes::narrowed_to`]) is exact: of two scopes what both
//! grant, their searches joined. What a scope means for a resource is decided by `access`, not here.

use std::collections::BTreeSet;
use std::fmt;

use fhir::{TypeId, r4};
use serde::{Deserialize, Serialize};

/// So long a list of scopes is read at most.
pub const MAX_LENGTH: usize = 8192;
/// So many scopes are read at most.
pub const MAX_SCOPES: usize = 200;

/// Whose data a scope of resources is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// That of one patient, the one in context.
    Patient,
    /// What the user may see.
    User,
    /// What the client itself may see; no user is there.
    System,
}

impl Level {
    /// Its name in a scope.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Level::Patient => "patient",
            Level::User => "user",
            Level::System => "system",
        }
    }

    fn of_code(code: &str) -> Option<Level> {
        [Level::Patient, Level::User, Level::System].into_iter().find(|l| l.code() == code)
    }
}

/// What may be done, as a set of letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing.
    pub const NONE: Permissions = Permissions(0);
    /// `c`: create.
    pub const CREATE: Permissions = Permissions(1);
    /// `r`: read, vread, history of one.
    pub const READ: Permissions = Permissions(2);
    /// `u`: update and patch.
    pub const UPDATE: Permissions = Permissions(4);
    /// `d`: delete.
    pub const DELETE: Permissions = Permissions(8);
    /// `s`: search, and history of a type.
    pub const SEARCH: Permissions = Permissions(16);
    /// All of them.
    pub const ALL: Permissions = Permissions(31);

    const LETTERS: [(char, Permissions); 5] = [
        ('c', Permissions::CREATE),
        ('r', Permissions::READ),
        ('u', Permissions::UPDATE),
        ('d', Permissions::DELETE),
        ('s', Permissions::SEARCH),
    ];

    /// Whether all of these are among them.
    #[must_use]
    pub fn contains(self, others: Permissions) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What both have.
    #[must_use]
    pub fn and(self, others: Permissions) -> Permissions {
        Permissions(self.0 & others.0)
    }

    /// What either has.
    #[must_use]
    pub fn or(self, others: Permissions) -> Permissions {
        Permissions(self.0 | others.0)
    }

    /// The letters, or the words of version 1. Letters stand once each and in order.
    fn parse(text: &str) -> Option<Permissions> {
        match text {
            "read" => return Some(Permissions::READ.or(Permissions::SEARCH)),
            "write" => {
                return Some(Permissions::CREATE.or(Permissions::UPDATE).or(Permissions::DELETE));
            }
            "*" => return Some(Permissions::ALL),
            _ => {}
        }
        let mut found = Permissions::NONE;
        let mut letters = Permissions::LETTERS.iter();
        for letter in text.chars() {
            let (_, permission) = letters.find(|(l, _)| *l == letter)?;
            found = found.or(*permission);
        }
        (!found.is_empty()).then_some(found)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = Permissions::LETTERS.iter().filter(|(_, p)| self.contains(*p));
        letters.map(|(letter, _)| *letter).try_for_each(|letter| write!(f, "{letter}"))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A scope of resources.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ResourceScope {
    /// Whose data.
    pub level: Level,
    /// Of which type; `None` for `*`.
    pub resource_type: Option<TypeId>,
    /// What may be done.
    pub permissions: Permissions,
    /// Only what a search by all of these finds: raw `name=value` pairs as they stood, still percent-encoded; empty for
    /// no narrowing.
    pub search: Vec<String>,
}

impl ResourceScope {
    /// Whether it speaks of a type at all.
    #[must_use]
    pub fn is_about(&self, resource_type: TypeId) -> bool {
        self.resource_type.is_none_or(|own| own == resource_type)
    }

    /// What both grant; `None` if that is nothing.
    #[must_use]
    pub fn and(&self, other: &ResourceScope) -> Option<ResourceScope> {
        let resource_type = match (self.resource_type, other.resource_type) {
            (None, any) | (any, None) => any,
            (one, two) if one == two => one,
            _ => return None,
        };
        let permissions = self.permissions.and(other.permissions);
        if self.level != other.level || permissions.is_empty() {
            return None;
        }
        let mut search = self.search.clone();
        search.extend(other.search.iter().filter(|p| !self.search.contains(*p)).cloned());
        Some(ResourceScope { level: self.level, resource_type, permissions, search })
    }

    /// Whether everything this one grants is granted by the other by itself.
    #[must_use]
    pub fn is_within(&self, other: &ResourceScope) -> bool {
        self.level == other.level
            && (other.resource_type.is_none() || self.resource_type == other.resource_type)
            && other.permissions.contains(self.permissions)
            && other.search.iter().all(|pair| self.search.contains(pair))
    }
}

impl fmt::Display for ResourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.resource_type.map_or("*", |id| r4().type_name(id));
        write!(f, "{}/{name}.{}", self.level.code(), self.permissions)?;
        if !self.search.is_empty() {
            write!(f, "?{}", self.search.join("&"))?;
        }
        Ok(())
    }
}

/// One scope.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Who signed in: an id_token.
    Openid,
    /// The user's own FHIR resource.
    FhirUser,
    /// The user's name.
    Profile,
    /// The context of an EHR launch.
    Launch,
    /// A patient, chosen at the launch.
    LaunchPatient,
    /// An encounter, taken from the launch.
    LaunchEncounter,
    /// A refresh token that lasts when the user has gone.
    OfflineAccess,
    /// A refresh token that lasts as long as the user is signed in.
    OnlineAccess,
    /// Resources.
    Resource(ResourceScope),
}

/// The scopes that are one word.
const WORDS: &[(&str, Scope)] = &[
    ("openid", Scope::Openid),
    ("fhirUser", Scope::FhirUser),
    ("profile", Scope::Profile),
    ("launch", Scope::Launch),
    ("launch/patient", Scope::LaunchPatient),
    ("launch/encounter", Scope::LaunchEncounter),
    ("offline_access", Scope::OfflineAccess),
    ("online_access", Scope::OnlineAccess),
];

/// The scopes that are one word, as they are announced.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(word, _)| *word)
}

impl Scope {
    /// One scope from its text.
    ///
    /// # Errors
    /// If it is not one; the message says why and what is expected.
    pub fn parse(text: &str) -> Result<Scope, String> {
        if let Some((_, scope)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(scope.clone());
        }
        let expected = "expected openid, fhirUser, profile, launch, launch/patient, launch/encounter, offline_access, \
             online_access or (patient|user|system)/(Type|*).(cruds|read|write|*)[?search-parameters]";
        if !text.bytes().all(|b| b == 0x21 || (0x23..=0x5b).contains(&b) || (0x5d..=0x7e).contains(&b)) {
            return Err(format!("a scope has a character it may not have; {expected}"));
        }
        let unknown = || format!("scope '{text}' is not known; {expected}");
        let (level, rest) = text.split_once('/').ok_or_else(unknown)?;
        let level = Level::of_code(level).ok_or_else(unknown)?;
        let (what, search) = match rest.split_once('?') {
            Some((what, search)) => (what, Some(search)),
            None => (rest, None),
        };
        let (name, letters) = what.split_once('.').ok_or_else(unknown)?;
        let resource_type = match name {
            "*" => None,
            name => Some(r4().known_resource_type(name).map_err(|found| format!("scope '{text}': {found}"))?),
        };
        let permissions = Permissions::parse(letters).ok_or_else(|| {
            format!(
                "scope '{text}': '{letters}' are no permissions; expected letters of 'cruds' in that order, read, \
                 write or *"
            )
        })?;
        let search = match search {
            None => Vec::new(),
            Some(pairs) => read_pairs(text, pairs)?,
        };
        Ok(Scope::Resource(ResourceScope { level, resource_type, permissions, search }))
    }
}

/// The pairs of a search. That each names something is checked here; that it is a search parameter, by `access`.
fn read_pairs(scope: &str, pairs: &str) -> Result<Vec<String>, String> {
    let mut found: Vec<String> = Vec::new();
    for pair in pairs.split('&') {
        let is_whole =
            pair.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
        if !is_whole {
            return Err(format!("scope '{scope}': '{pair}' is no search parameter; expected name=value"));
        }
        if !found.iter().any(|known| known == pair) {
            found.push(pair.to_owned());
        }
    }
    Ok(found)
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Resource(scope) => scope.fmt(f),
            word => f.write_str(WORDS.iter().find(|(_, s)| s == word).map_or("", |(text, _)| text)),
        }
    }
}

/// A list of scopes, each once, in the order they were asked for.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Scopes(Vec<Scope>);

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> String {
        scopes.to_string()
    }
}

impl TryFrom<String> for Scopes {
    type Error = String;

    fn try_from(text: String) -> Result<Scopes, String> {
        Scopes::parse(&text)
    }
}

impl Scopes {
    /// No scopes.
    #[must_use]
    pub fn none() -> Scopes {
        Scopes::default()
    }

    /// Reads a list; what is not understood comes back beside it, each with the reason, and grants nothing.
    #[must_use]
    pub fn read(text: &str) -> (Scopes, Vec<String>) {
        if text.len() > MAX_LENGTH {
            return (Scopes::none(), vec![format!("more than {MAX_LENGTH} bytes of scopes are not read")]);
        }
        let mut scopes = Scopes::none();
        let mut unknown = Vec::new();
        for (at, word) in text.split(' ').filter(|w| !w.is_empty()).enumerate() {
            if at >= MAX_SCOPES {
                unknown.push(format!("more than {MAX_SCOPES} scopes are not read"));
                break;
            }
            match Scope::parse(word) {
                Ok(scope) => scopes.add(scope),
                Err(reason) => unknown.push(reason),
            }
        }
        (scopes, unknown)
    }

    /// Reads a list in which everything must be understood.
    ///
    /// # Errors
    /// The reason for the first that is not.
    pub fn parse(text: &str) -> Result<Scopes, String> {
        let (scopes, unknown) = Scopes::read(text);
        unknown.into_iter().next().map_or(Ok(scopes), Err)
    }

    /// Adds one, if it is not among them.
    pub fn add(&mut self, scope: Scope) {
        if !self.0.contains(&scope) {
            self.0.push(scope);
        }
    }

    /// Whether one is among them, as it stands.
    #[must_use]
    pub fn has(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Those of resources.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceScope> {
        self.0.iter().filter_map(|scope| match scope {
            Scope::Resource(resource) => Some(resource),
            _ => None,
        })
    }

    /// Whether any of them is of this level.
    #[must_use]
    pub fn has_level(&self, level: Level) -> bool {
        self.resources().any(|scope| scope.level == level)
    }

    /// Only those that hold a condition.
    #[must_use]
    pub fn only(&self, holds: impl Fn(&Scope) -> bool) -> Scopes {
        Scopes(self.0.iter().filter(|s| holds(s)).cloned().collect())
    }

    /// What both lists grant: of the words those in both, of the scopes of resources all that two of them share. What
    /// stands within another of the result is left out.
    #[must_use]
    pub fn narrowed_to(&self, limits: &Scopes) -> Scopes {
        let mut narrowed = Scopes::none();
        for scope in &self.0 {
            match scope {
                Scope::Resource(asked) => {
                    let shared: BTreeSet<ResourceScope> =
                        limits.resources().filter_map(|limit| asked.and(limit)).collect();
                    let is_needless =
                        |one: &ResourceScope| shared.iter().any(|other| other != one && one.is_within(other));
                    shared
                        .iter()
                        .filter(|s| !is_needless(s))
                        .for_each(|s| narrowed.add(Scope::Resource(s.clone())));
                }
                word if limits.has(word) => narrowed.add(word.clone()),
                _ => {}
            }
        }
        narrowed
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            write!(f, "{}{scope}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resource(text: &str) -> ResourceScope {
        match Scope::parse(text).unwrap() {
            Scope::Resource(scope) => scope,
            other => panic!("{other:?}"),
        }
    }

    fn narrowed(asked: &str, limits: &str) -> String {
        Scopes::parse(asked).unwrap().narrowed_to(&Scopes::parse(limits).unwrap()).to_string()
    }

    #[test]
    fn versions_one_and_two_say_the_same() {
        for (one, two) in [
            ("patient/Observation.read", "patient/Observation.rs"),
            ("user/*.write", "user/*.cud"),
            ("system/*.*", "system/*.cruds"),
        ] {
            assert_eq!(Scope::parse(one).unwrap().to_string(), two);
        }
    }

    #[test]
    fn what_is_no_scope_is_told() {
        for text in [
            "",
            "patient",
            "patient/",
            "patient/Observation",
            "patient/Observation.",
            "patient/Observation.sr",
            "patient/Observation.rr",
            "patient/Observation.x",
            "patient/Observations.rs",
            "patient/observation.rs",
            "patient/Observation.rs?",
            "patient/Observation.rs?category",
            "patient/Observation.rs?=x",
            "patient/Observation.rs?code=",
            "Patient/Observation.rs",
            "launch/",
            "patient/Observation.rs?code=\"",
            "患者/Observation.rs",
        ] {
            assert!(Scope::parse(text).is_err(), "{text}");
        }
        let reason = Scope::parse("patient/Observatio.rs").unwrap_err();
        assert!(reason.contains("Observation"), "{reason}");
        let (scopes, unknown) = Scopes::read("openid nonsense  patient/*.rs");
        assert_eq!(scopes.to_string(), "openid patient/*.rs");
        assert_eq!(unknown.len(), 1);
    }

    #[test]
    fn a_search_stays_as_it_stood() {
        let text = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory&code=a%26b";
        let scope = resource(text);
        assert_eq!(scope.search.len(), 2);
        assert_eq!(scope.to_string(), text);
    }

    #[test]
    fn narrowing_gives_what_both_grant() {
        assert_eq!(
            narrowed("patient/*.cruds openid", "patient/Observation.rs fhirUser"),
            "patient/Observation.rs"
        );
        assert_eq!(narrowed("patient/Observation.rs", "patient/*.cruds"), "patient/Observation.rs");
        assert_eq!(narrowed("patient/*.rs", "user/*.rs system/*.rs"), "");
        assert_eq!(narrowed("patient/*.r", "patient/*.cud"), "");
        assert_eq!(
            narrowed("patient/Observation.rs?code=a", "patient/Observation.rs?category=b"),
            "patient/Observation.rs?code=a&category=b"
        );
        assert_eq!(
            narrowed("patient/*.rs", "patient/Observation.r?code=a patient/*.r patient/Condition.s"),
            "patient/*.r patient/Condition.s"
        );
    }

    fn any_scope() -> impl Strategy<Value = Scope> {
        let types = prop_oneof![Just("*"), Just("Patient"), Just("Observation"), Just("Condition")];
        let levels = prop_oneof![Just("patient"), Just("user"), Just("system")];
        let searches = prop_oneof![Just(""), Just("?a=1"), Just("?b=2"), Just("?a=1&b=2")];
        (levels, types, 1_u8..32, searches).prop_map(|(level, name, letters, search)| {
            let text = format!("{level}/{name}.{}{search}", Permissions(letters));
            Scope::parse(&text).unwrap()
        })
    }

    fn any_scopes() -> impl Strategy<Value = Scopes> {
        proptest::collection::vec(any_scope(), 0..6).prop_map(|list| {
            let mut scopes = Scopes::none();
            list.into_iter().for_each(|s| scopes.add(s));
            scopes
        })
    }

    /// Whether scopes grant a deed on a resource that certain searches find.
    fn grants(scopes: &Scopes, level: Level, name: &str, deed: Permissions, found_by: &[&str]) -> bool {
        let id = r4().resource_type(name).unwrap();
        scopes.resources().any(|s| {
            s.level == level
                && s.is_about(id)
                && s.permissions.contains(deed)
                && s.search.iter().all(|p| found_by.contains(&p.as_str()))
        })
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in ".{0,300}") {
            let (scopes, _) = Scopes::read(&text);
            prop_assert_eq!(Scopes::parse(&scopes.to_string()).unwrap(), scopes);
        }

        #[test]
        fn near_scopes_do_not_panic(text in "(patient|user|system|launch)?/?[A-Za-z*]{0,12}[.?/]{0,2}[cruds*]{0,6}(\\?[a-z=&%|]{0,12})?") {
            if let Ok(scope) = Scope::parse(&text) {
                prop_assert_eq!(Scope::parse(&scope.to_string()).unwrap(), scope);
            }
        }

        #[test]
        fn what_is_written_reads_the_same(scope in any_scope()) {
            prop_assert_eq!(Scope::parse(&scope.to_string()).unwrap(), scope);
        }

        #[test]
        fn narrowing_is_an_intersection(one in any_scopes(), two in any_scopes()) {
            let both = one.narrowed_to(&two);
            for level in [Level::Patient, Level::User, Level::System] {
                for name in ["Patient", "Observation", "Condition", "Encounter"] {
                    for (_, deed) in Permissions::LETTERS {
                        for found_by in [&[][..], &["a=1"], &["b=2"], &["a=1", "b=2"]] {
                            prop_assert_eq!(
                                grants(&both, level, name, deed, found_by),
                                grants(&one, level, name, deed, found_by)
                                    && grants(&two, level, name, deed, found_by)
                            );
                        }
                    }
                }
            }
        }
    }
}
