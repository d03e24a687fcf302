//! Which classes of dates a parameter's rows have: `state`, table `d`.
//!
//! | key | value |
//! |---|---|
//! | `d`, type's number (1), parameter's number (1) | a bit for each class (2) |
//!
//! Written by the fold when a class first occurs; bits are never taken back. A search looks only into classes that
//! occur.

use super::table::CLASSES;

pub(crate) fn key(type_number: u8, parameter: u8) -> [u8; 3] {
    [CLASSES, type_number, parameter]
}

pub(crate) fn encode(bits: u16) -> [u8; 2] {
    bits.to_be_bytes()
}

pub(crate) fn decode(value: &[u8]) -> u16 {
    value.iter().take(2).fold(0, |sum, b| sum << 8 | u16::from(*b))
}
