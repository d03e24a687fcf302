//! Token keys.
//!
//! | bytes | what |
//! |---|---|
//! | n | the code, folded to lower case, cut at 200 bytes |
//! | 1 | 0 |
//! | 4 | the system's number, 0 for none |
//!
//! *Extra*: the code as written, if it differs from the key's.
//!
//! Codes first: `code` alone is the commonest query, `system|code` is one contiguous range, and a code rarely has
//! more than two systems. Folded, because R4 wants tokens compared without case where a system does not say otherwise;
//! where it does, the extra decides.

use super::{cut, until_zero};
use crate::entry::{KeyWriter, SYSTEM_BYTES};
use crate::normalize::fold_case;

/// Writes a code of a system (or of none).
pub fn write(out: &mut KeyWriter, system: Option<&str>, code: &str) {
    let folded = fold_case(code);
    let kept = cut(&folded);
    out.key.extend(kept.bytes().map(|b| if b == 0 { b' ' } else { b }));
    out.key.push(0);
    if kept != code {
        out.extra.extend_from_slice(code.as_bytes());
    }
    out.system(system.filter(|s| !s.is_empty()));
}

/// The parts of a token key: code, system's number, and what follows.
#[must_use]
pub fn read(key: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let (code, rest) = until_zero(key)?;
    let (system, rest) = rest.split_first_chunk::<SYSTEM_BYTES>()?;
    Some((code, u32::from_be_bytes(*system), rest))
}
