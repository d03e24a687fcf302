//! What the store is: `state`, table `m`.
//!
//! | key | value |
//! |---|---|
//! | `m` `index` | what the index was made with (`search::Parameters::fingerprint`), 8 bytes |
//! | `m` `destroyed` | nothing; there since texts have been destroyed |
//! | `m` `counters` | varints: the last place in the log, the last resource number, the last symbol number |
//!
//! Written by the fold: the index's making when the log begins or is folded anew, the counters with every commit.

use super::table::META;
use crate::numbers::{Place, ResourceNumber, read_varint, write_varint};

/// Key of what the index was made with.
pub(crate) fn index_key() -> Vec<u8> {
    [&[META], b"index".as_slice()].concat()
}

/// Key of the counters.
pub(crate) fn counters_key() -> Vec<u8> {
    [&[META], b"counters".as_slice()].concat()
}

/// Key of whether texts have been destroyed.
pub(crate) fn destroyed_key() -> Vec<u8> {
    [&[META], b"destroyed".as_slice()].concat()
}

/// What the fold counts.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) place: Place,
    pub(crate) resource: ResourceNumber,
    pub(crate) symbol: u32,
}

impl Counters {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut value = Vec::with_capacity(12);
        write_varint(&mut value, self.place.0);
        write_varint(&mut value, self.resource.0);
        write_varint(&mut value, u64::from(self.symbol));
        value
    }

    pub(crate) fn decode(mut value: &[u8]) -> Option<Counters> {
        let mut next = || read_varint(&mut value);
        Some(Counters {
            place: Place(next()?),
            resource: ResourceNumber(next()?),
            symbol: u32::try_from(next()?).ok()?,
        })
    }
}
