//! How many resources of a type exist: `state`, table `c`.
//!
//! | key | value |
//! |---|---|
//! | `c`, type's number (1), place, later first (5) | varint: how many exist from that commit on |
//!
//! Written by the fold when the number changes. The total now, or as of any place, is one seek.

use super::table::TOTALS;
use crate::numbers::{Place, descending_bytes, read_varint, write_varint};

pub(crate) fn key(type_number: u8, place: Place) -> Vec<u8> {
    [&[TOTALS, type_number], descending_bytes(place).as_slice()].concat()
}

/// All totals of a type.
pub(crate) fn prefix(type_number: u8) -> [u8; 2] {
    [TOTALS, type_number]
}

pub(crate) fn encode(count: u64) -> Vec<u8> {
    let mut value = Vec::with_capacity(4);
    write_varint(&mut value, count);
    value
}

pub(crate) fn decode(mut value: &[u8]) -> u64 {
    read_varint(&mut value).unwrap_or(0)
}
