//! Versions of a type in the order of recording: `state`, table `h`.
//!
//! | key | value |
//! |---|---|
//! | `h`, type's number (1), place (5), index in the commit (3) | resource's number (5) |
//!
//! Written by the fold with every version, deletions included. Answers the history of a type, and `_lastUpdated`.

use super::table::HISTORY;
use crate::numbers::{NUMBER_BYTES, Place, ResourceNumber, number_bytes, read_number};

pub(crate) fn key(type_number: u8, place: Place, index: u32) -> Vec<u8> {
    let mut key = vec![HISTORY, type_number];
    key.extend_from_slice(&number_bytes(place.0));
    key.extend_from_slice(&index.to_be_bytes()[1..]);
    key
}

/// Place and index of a key.
pub(crate) fn read_key(key: &[u8]) -> (Place, u32) {
    let rest = key.get(2..).unwrap_or_default();
    let index =
        rest.get(NUMBER_BYTES..).unwrap_or_default().iter().fold(0, |sum, b| sum << 8 | u32::from(*b));
    (Place(read_number(rest)), index)
}

pub(crate) fn encode(resource: ResourceNumber) -> [u8; 5] {
    number_bytes(resource.0)
}

pub(crate) fn decode(value: &[u8]) -> ResourceNumber {
    ResourceNumber(read_number(value))
}
