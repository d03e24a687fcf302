//! Quantity keys.
//!
//! | bytes | what |
//! |---|---|
//! | n | the unit's code, or its text where there is no code |
//! | 1 | 0 |
//! | 4 | the unit system's number, 0 for none; 0xffffffff marks a unit's text that stands beside a code |
//! | n | the number (`number.rs`) |
//!
//! The unit first, so that a comparison within one unit is one range. A search without a unit steps from unit to unit.

use super::number::{self, Extent};
use super::{cut, until_zero};
use crate::entry::{KeyWriter, SYSTEM_BYTES};

/// Stands where a system's number would: the unit is the text beside a code, listed so that `5||mmHg` finds it.
pub const UNIT_TEXT: u32 = u32::MAX;

/// Writes a quantity by its unit's code (or text, if there is no code).
pub fn write(out: &mut KeyWriter, system: Option<&str>, unit: &str, extent: &Extent) {
    write_unit(out, unit);
    out.system(system.filter(|s| !s.is_empty()));
    number::write(&mut out.key, extent);
}

/// Writes a quantity by the text of its unit, beside the entry by its code.
pub fn write_by_text(out: &mut KeyWriter, unit: &str, extent: &Extent) {
    write_unit(out, unit);
    out.key.extend_from_slice(&UNIT_TEXT.to_be_bytes());
    number::write(&mut out.key, extent);
}

fn write_unit(out: &mut KeyWriter, unit: &str) {
    out.key.extend(cut(unit).bytes().map(|b| if b == 0 { b' ' } else { b }));
    out.key.push(0);
}

/// The parts of a quantity key: unit, system's number, lower end, upper end, and what follows.
#[must_use]
pub fn read(key: &[u8]) -> Option<QuantityKey<'_>> {
    let (unit, rest) = until_zero(key)?;
    let (system, rest) = rest.split_first_chunk::<SYSTEM_BYTES>()?;
    let (low, high, rest) = number::read(rest)?;
    Some(QuantityKey { unit, system: u32::from_be_bytes(*system), low, high, rest })
}

/// A quantity key, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct QuantityKey<'a> {
    /// The unit.
    pub unit: &'a [u8],
    /// The unit system's number, or [`UNIT_TEXT`].
    pub system: u32,
    /// The lower end.
    pub low: &'a [u8],
    /// The upper end.
    pub high: &'a [u8],
    /// What follows.
    pub rest: &'a [u8],
}
