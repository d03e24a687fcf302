//! Reference keys.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 1: a resource of this hub; 2: a URI; 3: an identifier; 4: a resource of this hub, by its id |
//! | 1 + 5 | *1*: the type's number, the resource's number |
//! | n + 1 | *2*: the URI (`uri.rs`), a canonical one without its version |
//! | 1 + n | *4*: the type's number, the id; only under `OTHER_REFERENCES` |
//! | n + 5 | *3*: the identifier as a token (`token.rs`) |
//!
//! *Extra*: the version of a reference that is pinned to one.

use fhir::{TypeId, r4};

use super::{token, uri};
use crate::entry::{KeyWriter, RESOURCE_BYTES};

/// The first byte of a reference to a resource of this hub.
pub const LOCAL: u8 = 1;
/// The first byte of a reference by URI.
pub const URI: u8 = 2;
/// The first byte of a reference by identifier.
pub const IDENTIFIER: u8 = 3;

/// The first byte of a reference to a resource of this hub by its id: such a one gives it no number.
pub const BY_ID: u8 = 4;

/// A reference to a resource of this hub by its id.
#[must_use]
pub fn by_id(resource_type: TypeId, id: &str) -> Vec<u8> {
    [&[BY_ID, r4().resource_number(resource_type).unwrap_or(u8::MAX)], id.as_bytes()].concat()
}

/// Type's number and id of a reference by id.
#[must_use]
pub fn read_by_id(key: &[u8]) -> Option<(u8, &str)> {
    let (type_number, id) = key.strip_prefix(&[BY_ID])?.split_first()?;
    Some((*type_number, std::str::from_utf8(id).ok()?))
}

/// Writes a reference to a resource of this hub.
pub fn write_local(out: &mut KeyWriter, resource_type: TypeId, id: &str, version: Option<&str>) {
    out.key.push(LOCAL);
    out.key.push(r4().resource_number(resource_type).unwrap_or(u8::MAX));
    out.resource(resource_type, id);
    out.extra.extend_from_slice(version.unwrap_or("").as_bytes());
}

/// Writes a reference by URI; a version after `|` goes to the extra.
pub fn write_uri(out: &mut KeyWriter, text: &str) {
    let (text, version) = text.rsplit_once('|').unwrap_or((text, ""));
    out.key.push(URI);
    uri::write(out, text);
    if out.extra.is_empty() {
        out.extra.extend_from_slice(version.as_bytes());
    }
}

/// Writes a reference by identifier.
pub fn write_identifier(out: &mut KeyWriter, system: Option<&str>, value: &str) {
    out.key.push(IDENTIFIER);
    token::write(out, system, value);
}

/// A reference key, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKey<'a> {
    /// Type's number, resource's number.
    Local(u8, u64),
    /// URI.
    Uri(&'a [u8]),
    /// Code and system's number.
    Identifier(&'a [u8], u32),
}

/// The parts of a reference key, and what follows.
#[must_use]
pub fn read(key: &[u8]) -> Option<(ReferenceKey<'_>, &[u8])> {
    let (kind, rest) = key.split_first()?;
    match *kind {
        LOCAL => {
            let (type_number, rest) = rest.split_first()?;
            let (number, rest) = rest.split_first_chunk::<RESOURCE_BYTES>()?;
            Some((ReferenceKey::Local(*type_number, resource_number(number)), rest))
        }
        URI => uri::read(rest).map(|(uri, rest)| (ReferenceKey::Uri(uri), rest)),
        IDENTIFIER => {
            token::read(rest).map(|(code, system, rest)| (ReferenceKey::Identifier(code, system), rest))
        }
        _ => None,
    }
}

/// A resource's number from its bytes in a key.
#[must_use]
pub fn resource_number(bytes: &[u8; RESOURCE_BYTES]) -> u64 {
    bytes.iter().fold(0, |sum, b| sum << 8 | u64::from(*b))
}

/// A resource's number as its bytes in a key.
#[must_use]
pub fn resource_bytes(number: u64) -> [u8; RESOURCE_BYTES] {
    let [_, _, _, bytes @ ..] = number.to_be_bytes();
    bytes
}
