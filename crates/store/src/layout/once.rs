//! What was asked to be done only once: `state`, table `o`.
//!
//! | key | value |
//! |---|---|
//! | `o`, the request's key (16) | place (5) |
//!
//! Written by the fold with a commit that carries such a key (an import's unit, a client's Idempotency-Key). A second
//! proposal with the key is answered with the first one's outcome.

use super::table::ONCE;
use crate::numbers::{Place, number_bytes, read_number};

pub(crate) fn key(once: &[u8; 16]) -> Vec<u8> {
    [&[ONCE], once.as_slice()].concat()
}

pub(crate) fn encode(place: Place) -> [u8; 5] {
    number_bytes(place.0)
}

pub(crate) fn decode(value: &[u8]) -> Place {
    Place(read_number(value))
}
