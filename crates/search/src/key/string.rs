//! String keys.
//!
//! | bytes | what |
//! |---|---|
//! | n | the normalised text, cut at 200 bytes |
//! | 1 | 0 |
//!
//! *Extra*: the text as written, if it differs from the key's. A prefix of the text is a prefix of the key.

use super::{cut, until_zero};
use crate::entry::KeyWriter;
use crate::normalize::normalize;

/// Writes a text; `false` if nothing of it remains to be searched for.
pub fn write(out: &mut KeyWriter, text: &str) -> bool {
    let normal = normalize(text);
    if normal.is_empty() {
        return false;
    }
    let kept = cut(&normal);
    out.key.extend_from_slice(kept.as_bytes());
    out.key.push(0);
    if kept != text {
        out.extra.extend_from_slice(text.as_bytes());
    }
    true
}

/// The parts of a string key: the normalised text, and what follows.
#[must_use]
pub fn read(key: &[u8]) -> Option<(&[u8], &[u8])> {
    until_zero(key)
}
