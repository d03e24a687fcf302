//! What a resource is now: `state`, table `r`.
//!
//! | key | value |
//! |---|---|
//! | `r`, resource's number (5) | [`Head`], postcard |
//!
//! Written by the fold with every version, and when a resource is first referred to.

use serde::{Deserialize, Serialize};

use super::table::HEADS;
use crate::error::{Error, corrupt};
use crate::numbers::{PackedId, Place, ResourceNumber, Seat, number_bytes};

/// Whether a resource exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum State {
    /// It has been referred to, never written.
    Unwritten,
    /// It exists.
    Live,
    /// It was deleted.
    Deleted,
}

/// What a resource is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Its type's number.
    pub type_number: u8,
    /// Its id.
    pub id: PackedId,
    /// Whether it exists.
    pub state: State,
    /// The number of its current version, from 1; 0 if it was never written.
    pub version: u64,
    /// The commit of its current version.
    pub place: Place,
    /// The commit since which it exists without interruption, and with the same person.
    pub since: Place,
    /// Whose record its current version is kept in.
    pub person: ResourceNumber,
    /// Bytes of its current version's text.
    pub size: u32,
    /// Whether its current version has tags or security labels, which survive an update.
    pub has_labels: bool,
    /// Where earlier versions are kept, if it has moved from person to person: the commit that moved it away, and whose.
    pub earlier_persons: Vec<(Place, ResourceNumber)>,
}

impl Head {
    /// A resource that is only referred to.
    #[must_use]
    pub(crate) fn unwritten(type_number: u8, id: PackedId) -> Head {
        Head {
            type_number,
            id,
            state: State::Unwritten,
            version: 0,
            place: Place(0),
            since: Place(0),
            person: ResourceNumber(0),
            size: 0,
            has_labels: false,
            earlier_persons: Vec::new(),
        }
    }

    /// Whose record the version current at `place` is kept in.
    #[must_use]
    pub(crate) fn person_at(&self, place: Place) -> ResourceNumber {
        let earlier = self.earlier_persons.iter().find(|(until, _)| place < *until);
        earlier.map_or(self.person, |(_, person)| *person)
    }

    /// Where its current version is kept.
    pub(crate) fn seat(&self, resource: ResourceNumber) -> Seat {
        Seat { person: self.person, resource }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).unwrap_or_default()
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Head, Error> {
        postcard::from_bytes(value).map_err(|e| corrupt("a head (state, table r)", e.to_string()))
    }
}

pub(crate) fn key(resource: ResourceNumber) -> Vec<u8> {
    [&[HEADS], number_bytes(resource.0).as_slice()].concat()
}
