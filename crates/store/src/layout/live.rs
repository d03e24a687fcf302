//! Index rows of what exists now: family `live`.
//!
//! | key | value |
//! |---|---|
//! | type's number (1), parameter's number (1), value key, person (5), resource (5) | varint: four times the place the row begins at, plus [`Flags`]; then the entry's extra |
//!
//! Value keys are those of `search::key`. Parameter 255 without a value key lists the type's resources.
//!
//! Written by the fold. A row belongs to a current version; when a version without it comes, the row moves to `past`.
//! A row both versions have stays as it is, with the place it began at.
//!
//! All rows of one value stand in the order of person and resource, so that rows of different values can be
//! intersected by leaps, and one person's are together within any value.

use crate::error::{Error, corrupt};
use crate::numbers::{Place, SEAT_BYTES, Seat, read_varint, write_varint};

/// The parameter number of the list of a type's resources.
pub(crate) const ALL: u8 = 255;

/// The key of a row.
pub(crate) fn key(type_number: u8, parameter: u8, value: &[u8], seat: Seat) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + value.len() + SEAT_BYTES);
    key.push(type_number);
    key.push(parameter);
    key.extend_from_slice(value);
    key.extend_from_slice(&seat.bytes());
    key
}

/// The value key and seat of a row's key.
pub(crate) fn read_key(key: &[u8]) -> Option<(&[u8], Seat)> {
    let end = key.len().checked_sub(SEAT_BYTES).filter(|end| *end >= 2)?;
    Some((&key[2..end], Seat::read(&key[end..])?))
}

/// What a search has to know of a row before it takes it for its resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Flags {
    /// The resource has had several rows of the parameter at once while this row lived.
    pub(crate) has_siblings: bool,
    /// Several entries that differ only in their extras share the row; it carries none of them, `rows` has all.
    pub(crate) is_shared: bool,
}

impl Flags {
    pub(crate) fn bits(self) -> u8 {
        u8::from(self.has_siblings) | u8::from(self.is_shared) << 1
    }

    pub(crate) fn from_bits(bits: u8) -> Flags {
        Flags { has_siblings: bits & 1 != 0, is_shared: bits & 2 != 0 }
    }
}

/// What a row says beside its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LiveRow<'a> {
    pub(crate) from: Place,
    pub(crate) flags: Flags,
    pub(crate) extra: &'a [u8],
}

impl<'a> LiveRow<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(6 + self.extra.len());
        write_varint(&mut value, self.from.0 << 2 | u64::from(self.flags.bits()));
        value.extend_from_slice(self.extra);
        value
    }

    pub(crate) fn decode(mut value: &'a [u8]) -> Result<LiveRow<'a>, Error> {
        let bits = read_varint(&mut value)
            .ok_or_else(|| corrupt("an index row (family live)", "its value is cut short"))?;
        Ok(LiveRow { from: Place(bits >> 2), flags: Flags::from_bits((bits & 3) as u8), extra: value })
    }
}
