//! What of the record one may see or change: part of every plan, not a filter afterwards.
//!
//! A [`Restriction`] speaks of rows: whose record they lie in, of which type they are, what their index entries say.
//! All of it can be asked of the index, so that a search leaps over what may not be seen instead of looking at it. It
//! is decided on the newest state, whatever the place a read is made for: as-of chooses data, never rights, and a
//! resource's current labels bind all its versions.

use std::fmt;
use std::sync::Arc;

use crate::parameters::Parameter;
use crate::query::Criterion;
use fhir::date_time::Micros;
use fhir::{TypeId, r4};

/// A set of resource types.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Types([u64; 4]);

impl Types {
    /// Every type.
    pub const ALL: Types = Types([u64::MAX; 4]);

    /// Of these types.
    #[must_use]
    pub fn of(types: impl IntoIterator<Item = TypeId>) -> Types {
        let mut set = Types::default();
        for number in types.into_iter().filter_map(|t| r4().resource_number(t)) {
            set.0[usize::from(number >> 6)] |= 1 << (number & 63);
        }
        set
    }

    /// Whether a type is in it.
    #[must_use]
    pub fn has(&self, resource_type: TypeId) -> bool {
        r4().resource_number(resource_type).is_some_and(|number| self.has_number(number))
    }

    /// Whether the type with a number is in it.
    #[must_use]
    pub fn has_number(&self, number: u8) -> bool {
        self.0[usize::from(number >> 6)] & 1 << (number & 63) != 0
    }
}

/// A reference that makes its source's person one of the restricted one's: the Encounter's service provider.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The type that refers.
    pub resource_type: TypeId,
    /// By which parameter.
    pub parameter: &'static Parameter,
    /// To what.
    pub target: (TypeId, String),
}

impl PartialEq for Membership {
    fn eq(&self, other: &Membership) -> bool {
        // Parameters are of one table.
        std::ptr::eq(self.parameter, other.parameter)
            && self.resource_type == other.resource_type
            && self.target == other.target
    }
}

/// Whose rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Whose {
    /// Everyone's and nobody's.
    Anyone,
    /// Those that lie in no person's record.
    Nobody,
    /// Those of these Patients (ids) and the Patients linked with them.
    Patients(Vec<String>),
    /// Those of every person one of these references makes a member, and the Patients linked with such a person.
    Members(Vec<Membership>),
}

/// What may be seen: rows of these types, of these persons, that satisfy all criteria.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What it is called, for whoever asks which one decided.
    pub name: String,
    /// Of which types.
    pub types: Types,
    /// Whose.
    pub whose: Whose,
    /// On their index entries; only `Values`, `Missing` and `Id` can be asked of one row.
    pub criteria: Vec<Criterion>,
    /// Whether the person must have permitted it by a Consent.
    pub needs_consent: bool,
}

/// What one person's Consent says of some of their rows.
#[derive(Clone, Debug)]
pub struct Provision {
    /// Permit, or deny.
    pub is_permit: bool,
    /// How narrowly it speaks: of several that concern a row the narrowest decides; among equals, deny.
    pub specificity: u32,
    /// Of which types.
    pub types: Types,
    /// On their index entries, as for a [`Grant`].
    pub criteria: Vec<Criterion>,
}

/// A Consent, as it is kept.
#[derive(Clone, Copy, Debug)]
pub struct ConsentText<'t> {
    /// Its id.
    pub id: &'t str,
    /// Its version.
    pub version: u64,
    /// Its JSON.
    pub text: &'t str,
}

/// For which moment it is asked what is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Now, which is not before what was recorded last (microseconds since 1970 UTC).
    Now {
        /// When that was.
        at_least: Micros,
    },
    /// A moment before.
    Then(Micros),
}

/// The current JSON of a resource by type and id, if there is one that can be read.
pub type Kept<'k> = &'k dyn Fn(TypeId, &str) -> Option<String>;

/// Reads Consents for the one restricted.
pub trait Consents: Send + Sync {
    /// What a Consent says at this moment to the one restricted; nothing if it is not in force or does not concern them.
    /// `kept` is asked who belongs to groups, teams and roles it names.
    fn provisions(&self, consent: ConsentText<'_>, moment: Moment, kept: Kept<'_>) -> Arc<[Provision]>;
}

/// What may be seen. Every layer admits a row by one of its grants; nothing hidden concerns it; its person's Consents
/// do not deny it.
#[derive(Clone, Default)]
pub struct Restriction {
    /// Each admits by any of its grants: the hub's rules, and what an app was granted.
    pub layers: Vec<Vec<Grant>>,
    /// Rows these describe are not seen.
    pub hidden: Vec<Grant>,
    /// The persons' own decisions, where they bind.
    pub consents: Option<Arc<dyn Consents>>,
}

impl fmt::Debug for Restriction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restriction")
            .field("layers", &self.layers)
            .field("hidden", &self.hidden)
            .field("consents", &self.consents.is_some())
            .finish()
    }
}

/// What decided about a row.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// Whether it may be seen.
    pub is_seen: bool,
    /// For each layer the first grant that admits it, if one does.
    pub admitted_by: Vec<Option<String>>,
    /// What hides it, if something does.
    pub hidden_by: Option<String>,
    /// What its person's Consents say; nothing if they do not bind, or do not speak of it.
    pub consent: Option<bool>,
}

impl Rights {
    /// Whether they are to do everything.
    #[must_use]
    pub fn are_all(&self) -> bool {
        let all = [&self.read, &self.search, &self.create, &self.update, &self.delete];
        self.may_choose_ids && all.iter().all(|restriction| restriction.is_none())
    }
}

impl Grant {
    fn is_of_everything(&self) -> bool {
        self.types == Types::ALL
            && matches!(self.whose, Whose::Anyone)
            && self.criteria.is_empty()
            && !self.needs_consent
    }
}

impl Restriction {
    /// Whether it restricts nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.hidden.is_empty()
            && self.consents.is_none()
            && self.layers.iter().all(|layer| layer.iter().any(Grant::is_of_everything))
    }

    /// Nothing may be seen.
    #[must_use]
    pub fn nothing() -> Restriction {
        Restriction { layers: vec![Vec::new()], hidden: Vec::new(), consents: None }
    }

    /// Whether rows of the type may be seen at all.
    #[must_use]
    pub fn concerns(&self, resource_type: TypeId) -> bool {
        self.layers.iter().all(|layer| layer.iter().any(|grant| grant.types.has(resource_type)))
    }
}

/// What one may do.
#[derive(Clone, Debug)]
pub struct Rights {
    /// What may be read by its id. A writer's own conditions and references are held to this too.
    pub read: Arc<Restriction>,
    /// What may be found.
    pub search: Arc<Restriction>,
    /// What may be created.
    pub create: Arc<Restriction>,
    /// What may be changed: the version there is and the one to come must both be inside.
    pub update: Arc<Restriction>,
    /// What may be deleted.
    pub delete: Arc<Restriction>,
    /// Whether the ids of new resources may be chosen.
    pub may_choose_ids: bool,
}
