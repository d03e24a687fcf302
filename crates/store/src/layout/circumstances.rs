//! Commits by their circumstances: `state`, table `q`.
//!
//! | key | value |
//! |---|---|
//! | `q`, field (1), text cut at 200 bytes, 0, place, later first (5) | – |
//!
//! Written by the fold for every circumstance a commit has. "What did this author write?" is a range.

use super::table::CIRCUMSTANCES;
use crate::numbers::{Place, descending_bytes, read_descending};

/// All commits with this circumstance.
pub(crate) fn prefix(field: u8, text: &str) -> Vec<u8> {
    let mut key = vec![CIRCUMSTANCES, field];
    key.extend(search::key::cut(text).bytes().map(|b| if b == 0 { b' ' } else { b }));
    key.push(0);
    key
}

pub(crate) fn key(field: u8, text: &str, place: Place) -> Vec<u8> {
    let mut key = prefix(field, text);
    key.extend_from_slice(&descending_bytes(place));
    key
}

/// The place a key ends with.
pub(crate) fn read_place(key: &[u8]) -> Place {
    read_descending(&key[key.len().saturating_sub(5)..])
}
