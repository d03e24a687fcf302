//! Code systems and their numbers: `state`, tables `s` and `t`.
//!
//! | key | value |
//! |---|---|
//! | `s`, URI | number (4) |
//! | `t`, number (4) | URI |
//!
//! Written by the fold when a URI is first used as a system; never changes. Number 0 is "no system".

use super::table::{SYMBOL_NUMBERS, SYMBOL_TEXTS};

pub(crate) fn number_key(uri: &str) -> Vec<u8> {
    [&[SYMBOL_NUMBERS], uri.as_bytes()].concat()
}

pub(crate) fn text_key(number: u32) -> Vec<u8> {
    [&[SYMBOL_TEXTS], number.to_be_bytes().as_slice()].concat()
}

pub(crate) fn encode(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

pub(crate) fn decode(value: &[u8]) -> u32 {
    value.iter().take(4).fold(0, |sum, b| sum << 8 | u32::from(*b))
}
