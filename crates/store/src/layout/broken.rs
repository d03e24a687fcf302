//! Resources that are, or were, referred to and do not exist: `state`, table `b`.
//!
//! | key | value |
//! |---|---|
//! | `b`, type's number (1), packed id | nothing |
//!
//! Written by the fold for whatever a version refers to that is not there, and for whatever is deleted; removed when it is
//! written. Who refers to it is in the index.

use super::table::BROKEN;
use crate::numbers::PackedId;

pub(crate) fn key(type_number: u8, id: &PackedId) -> Vec<u8> {
    [&[BROKEN, type_number], id.as_bytes()].concat()
}

/// After the last key.
pub(crate) const END: [u8; 1] = [BROKEN + 1];

/// Type's number and id.
pub(crate) fn read_key(key: &[u8]) -> Option<(u8, PackedId)> {
    let (type_number, id) = key.strip_prefix(&[BROKEN])?.split_first()?;
    Some((*type_number, PackedId::from_bytes(id)))
}
