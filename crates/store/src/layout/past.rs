//! Index rows of what was: family `past`.
//!
//! | key | value |
//! |---|---|
//! | a live row's key, then the place it began at (5) | the place it ended at (5), the live row's flags (1), the entry's extra |
//!
//! Written by the fold when a version or a deletion ends a row. The row held from its first place to before its last.

use super::live::Flags;
use crate::error::{Error, corrupt};
use crate::numbers::{NUMBER_BYTES, Place, number_bytes, read_number};

/// The key of a past row, from its key when it lived.
pub(crate) fn key(live_key: &[u8], from: Place) -> Vec<u8> {
    [live_key, number_bytes(from.0).as_slice()].concat()
}

/// The key it had when it lived, and the place it began at.
pub(crate) fn read_key(key: &[u8]) -> Option<(&[u8], Place)> {
    let end = key.len().checked_sub(NUMBER_BYTES)?;
    Some((&key[..end], Place(read_number(&key[end..]))))
}

/// What a past row says beside its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PastRow<'a> {
    pub(crate) to: Place,
    pub(crate) flags: Flags,
    pub(crate) extra: &'a [u8],
}

impl<'a> PastRow<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(NUMBER_BYTES + 1 + self.extra.len());
        value.extend_from_slice(&number_bytes(self.to.0));
        value.push(self.flags.bits());
        value.extend_from_slice(self.extra);
        value
    }

    pub(crate) fn decode(value: &'a [u8]) -> Result<PastRow<'a>, Error> {
        let (head, extra) = value
            .split_at_checked(NUMBER_BYTES + 1)
            .ok_or_else(|| corrupt("an index row (family past)", "its value is cut short"))?;
        Ok(PastRow { to: Place(read_number(head)), flags: Flags::from_bits(head[NUMBER_BYTES]), extra })
    }
}
