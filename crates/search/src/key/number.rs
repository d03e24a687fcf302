//! Number keys.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 1: one number; 2: a range |
//! | n | the number, or the range's lower end, in [`fhir::Decimal::write_key`]'s form; 0x00 for no lower end |
//! | n | a range's upper end; 0xff for none |
//!
//! Ranges come from `Range`, from quantities with a comparator and from sampled data. They are few and stand together.

use fhir::Decimal;

/// A number, or a range with open ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// One number.
    Point(Decimal),
    /// From the first to the second, both included; `None` is open.
    Range(Option<Decimal>, Option<Decimal>),
}

/// The first byte of a single number's key.
pub const POINT: u8 = 1;
/// The first byte of a range's key.
pub const RANGE: u8 = 2;
const BELOW_ALL: u8 = 0x00;
const ABOVE_ALL: u8 = 0xff;

/// Writes a number or range.
pub fn write(out: &mut Vec<u8>, extent: &Extent) {
    match extent {
        Extent::Point(value) => {
            out.push(POINT);
            value.write_key(out);
        }
        Extent::Range(low, high) => {
            out.push(RANGE);
            match low {
                Some(value) => value.write_key(out),
                None => out.push(BELOW_ALL),
            }
            match high {
                Some(value) => value.write_key(out),
                None => out.push(ABOVE_ALL),
            }
        }
    }
}

/// The length of the decimal at the start of `bytes`.
fn decimal_length(bytes: &[u8]) -> Option<usize> {
    let end = match bytes.first()? {
        0x80 | &BELOW_ALL | &ABOVE_ALL => return Some(1),
        0x82 => 0x00,
        0x7e => 0xff,
        _ => return None,
    };
    // The exponent: one byte, or an escape and four. Negative numbers have it inverted.
    let first = if end == 0 { *bytes.get(1)? } else { !*bytes.get(1)? };
    let start = if matches!(first, 0x01 | 0xfe) { 6 } else { 2 };
    let digits = bytes.get(start..)?.iter().position(|b| *b == end)?;
    Some(start + digits + 1)
}

/// The parts of a number key: lower end, upper end (the same for one number), and what follows. Ends compare as bytes.
#[must_use]
pub fn read(key: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (kind, rest) = key.split_first()?;
    let (low, rest) = rest.split_at(decimal_length(rest)?);
    if *kind == POINT {
        return Some((low, low, rest));
    }
    let (high, rest) = rest.split_at(decimal_length(rest)?);
    Some((low, high, rest))
}

/// A decimal's bytes.
#[must_use]
pub fn decimal_key(value: &Decimal) -> Vec<u8> {
    let mut key = Vec::with_capacity(16);
    value.write_key(&mut key);
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_read_back(a in "-?[0-9]{1,20}(\\.[0-9]{1,9})?(e-?[0-9]{1,3})?", b in "-?[0-9]{1,9}") {
            let (a, b) = (Decimal::parse(&a).unwrap(), Decimal::parse(&b).unwrap());
            for extent in [Extent::Point(a), Extent::Range(Some(a), Some(b)), Extent::Range(None, Some(b)), Extent::Range(Some(a), None)] {
                let mut key = Vec::new();
                write(&mut key, &extent);
                let length = key.len();
                key.extend_from_slice(b"rest");
                let (_, _, rest) = read(&key).unwrap();
                prop_assert_eq!(rest, b"rest", "{:?} {}", extent, length);
            }
        }
    }
}
