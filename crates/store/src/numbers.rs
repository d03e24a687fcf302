//! The numbers the store gives: resources, code systems, places in the log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A resource's number, given when the resource is first written or first referred to, in log order, from 1. Small,
/// dense and ordered by time, it stands for type and id in every index key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ResourceNumber(pub u64);

/// A commit's place in the log, from 1, without gaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Place(pub u64);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose record a resource belongs to (the number of a Patient), and its own number. Most index keys end with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Seat {
    /// The person; zero for what belongs to nobody.
    pub person: ResourceNumber,
    /// The resource.
    pub resource: ResourceNumber,
}

/// Bytes of a resource's number or a place in the log, in keys.
pub(crate) const NUMBER_BYTES: usize = search::entry::RESOURCE_BYTES;
/// Bytes of a [`Seat`] in keys.
pub(crate) const SEAT_BYTES: usize = 2 * NUMBER_BYTES;

/// A number as the bytes of a key.
pub(crate) fn number_bytes(number: u64) -> [u8; NUMBER_BYTES] {
    search::key::reference::resource_bytes(number)
}

/// A number from the bytes of a key.
pub(crate) fn read_number(bytes: &[u8]) -> u64 {
    bytes.iter().take(NUMBER_BYTES).fold(0, |sum, b| sum << 8 | u64::from(*b))
}

/// The largest number that fits a key.
const MAX_NUMBER: u64 = (1 << (8 * NUMBER_BYTES)) - 1;

/// A place as bytes that put later ones first.
pub(crate) fn descending_bytes(place: Place) -> [u8; NUMBER_BYTES] {
    number_bytes(MAX_NUMBER - place.0.min(MAX_NUMBER))
}

/// The inverse of [`descending_bytes`].
pub(crate) fn read_descending(bytes: &[u8]) -> Place {
    Place(MAX_NUMBER - read_number(bytes))
}

impl Seat {
    pub(crate) fn bytes(self) -> [u8; SEAT_BYTES] {
        let mut bytes = [0; SEAT_BYTES];
        bytes[..NUMBER_BYTES].copy_from_slice(&number_bytes(self.person.0));
        bytes[NUMBER_BYTES..].copy_from_slice(&number_bytes(self.resource.0));
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Seat> {
        let bytes = bytes.get(..SEAT_BYTES)?;
        Some(Seat {
            person: ResourceNumber(read_number(bytes)),
            resource: ResourceNumber(read_number(&bytes[NUMBER_BYTES..])),
        })
    }
}

/// Appends a number in as few bytes as it needs: seven bits a byte, the lowest first.
pub(crate) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a number written by [`write_varint`] off the front of `bytes`.
pub(crate) fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A resource's id in as few bytes as it needs: a lower-case UUID as its 16 bytes after 0x01, any other text after
/// 0x02. In keys, the order of ids is the order of UUIDs, then that of other texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PackedId(Vec<u8>);

const UUID: u8 = 1;
const TEXT: u8 = 2;

impl PackedId {
    /// Packs an id.
    #[must_use]
    pub fn new(id: &str) -> PackedId {
        if fhir::primitive::is_uuid(id) {
            let digits: Vec<u8> = id.bytes().filter(|b| *b != b'-').map(hex).collect();
            let mut packed = vec![UUID];
            packed.extend(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]));
            return PackedId(packed);
        }
        let mut packed = vec![TEXT];
        packed.extend_from_slice(id.as_bytes());
        PackedId(packed)
    }

    /// The id.
    #[must_use]
    pub fn unpack(&self) -> String {
        match self.0.split_first() {
            Some((&UUID, bytes)) => {
                let mut text = String::with_capacity(36);
                for (at, byte) in bytes.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        text.push('-');
                    }
                    text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
                    text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
                }
                text
            }
            Some((_, bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            None => String::new(),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> PackedId {
        PackedId(bytes.to_vec())
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_unpack_as_they_were(id in "[A-Za-z0-9\\-\\.]{1,64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}") {
            prop_assert_eq!(PackedId::new(&id).unpack(), id);
        }

        #[test]
        fn varints_read_back(value: u64, shift in 0u32..64) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            write_varint(&mut bytes, value);
            bytes.push(7);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(read_varint(&mut rest), Some(value));
            prop_assert_eq!(rest, [7]);
        }

        #[test]
        fn later_places_come_first(a in 0u64..1 << 40, b in 0u64..1 << 40) {
            prop_assert_eq!(descending_bytes(Place(a)).cmp(&descending_bytes(Place(b))), b.cmp(&a));
            prop_assert_eq!(read_descending(&descending_bytes(Place(a))), Place(a));
        }
    }
}
