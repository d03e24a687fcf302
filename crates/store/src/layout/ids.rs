//! Id → number: `state`, table `i`.
//!
//! | key | value |
//! |---|---|
//! | `i`, type's number (1), packed id | resource's number (5) |
//!
//! Written by the fold when a resource is first written or referred to; never changes.

use super::table::IDS;
use crate::numbers::{PackedId, ResourceNumber, number_bytes, read_number};

pub(crate) fn key(type_number: u8, id: &PackedId) -> Vec<u8> {
    [&[IDS, type_number], id.as_bytes()].concat()
}

/// All ids of a type.
pub(crate) fn prefix(type_number: u8) -> Vec<u8> {
    vec![IDS, type_number]
}

pub(crate) fn encode(number: ResourceNumber) -> [u8; 5] {
    number_bytes(number.0)
}

pub(crate) fn decode(value: &[u8]) -> ResourceNumber {
    ResourceNumber(read_number(value))
}
