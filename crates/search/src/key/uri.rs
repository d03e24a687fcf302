//! URI keys.
//!
//! | bytes | what |
//! |---|---|
//! | n | the URI, cut at 200 bytes |
//! | 1 | 0 |
//!
//! *Extra*: the URI as written, if it was cut. URIs compare byte for byte (<https://hl7.org/fhir/R4/search.html#uri>).

use super::{cut, until_zero};
use crate::entry::KeyWriter;

/// Writes a URI.
pub fn write(out: &mut KeyWriter, uri: &str) {
    let kept = cut(uri);
    out.key.extend(kept.bytes().map(|b| if b == 0 { b' ' } else { b }));
    out.key.push(0);
    if kept != uri {
        out.extra.extend_from_slice(uri.as_bytes());
    }
}

/// The parts of a URI key: the URI, and what follows.
#[must_use]
pub fn read(key: &[u8]) -> Option<(&[u8], &[u8])> {
    until_zero(key)
}
