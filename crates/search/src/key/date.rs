//! Date keys.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the class |
//! | 5 | the first second, counted from 1970 UTC plus 2^39 |
//! | 3 | *fine classes*: the first microsecond within it |
//! | 5 | *classes that do not imply it*: the second just after the end |
//! | 3 | *fine classes*: the microsecond just after the end, within that second |
//!
//! A date is the interval of time it covers, from its first moment to just after its last. The class says how long it
//! is at most, so that a comparison with its end is a range of its start, no wider than the class: an index of
//! intervals out of sorted keys. Exact seconds and days, by far the commonest, imply their end and take six bytes.

use fhir::date_time::Micros;

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400;
const BIAS: i64 = 1 << 39;
const MAX_SECOND: i64 = (1 << 40) - 1;

/// An interval of time: first moment, and the moment just after the last. Open ends are the extremes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// Microseconds since 1970 UTC; [`Interval::BEGINNING`] if open.
    pub start: Micros,
    /// Microseconds since 1970 UTC; [`Interval::END`] if open.
    pub end: Micros,
}

impl Interval {
    /// Before all time.
    pub const BEGINNING: Micros = -BIAS * MICROS;
    /// After all time.
    pub const END: Micros = (MAX_SECOND - BIAS) * MICROS;
}

/// How long intervals of a class are at most, in seconds; `None` is not bounded.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// The key's first byte.
    pub number: u8,
    /// The longest interval, in seconds.
    pub longest: Option<i64>,
    /// Whether every interval of the class is exactly that long.
    pub is_exact: bool,
    /// Whether microseconds are written.
    pub is_fine: bool,
}

const fn class(number: u8, longest: Option<i64>, is_exact: bool, is_fine: bool) -> Class {
    Class { number, longest, is_exact, is_fine }
}

/// All classes, by number.
pub const CLASSES: [Class; 12] = [
    class(0, Some(1), true, false),
    class(1, Some(DAY), true, false),
    class(2, Some(DAY), false, false),
    class(3, Some(32 * DAY), false, false),
    class(4, Some(366 * DAY), false, false),
    class(5, Some(3660 * DAY), false, false),
    class(6, None, false, false),
    class(7, Some(DAY), false, true),
    class(8, Some(32 * DAY), false, true),
    class(9, Some(366 * DAY), false, true),
    class(10, Some(3660 * DAY), false, true),
    class(11, None, false, true),
];

fn class_of(interval: &Interval) -> &'static Class {
    let is_fine = interval.start % MICROS != 0 || interval.end % MICROS != 0;
    let length = interval.end - interval.start;
    let fits = |c: &&Class| {
        let longest = c.longest.map_or(i64::MAX, |s| s * MICROS);
        c.is_fine == is_fine && if c.is_exact { length == longest } else { length <= longest }
    };
    CLASSES.iter().find(fits).unwrap_or(&CLASSES[11])
}

fn write_second(out: &mut Vec<u8>, micros: Micros) {
    let second = (micros.div_euclid(MICROS) + BIAS).clamp(0, MAX_SECOND);
    out.extend_from_slice(&second.to_be_bytes()[3..]);
}

fn write_fraction(out: &mut Vec<u8>, micros: Micros) {
    let fraction = micros.rem_euclid(MICROS) as u32;
    out.extend_from_slice(&fraction.to_be_bytes()[1..]);
}

/// Writes an interval.
pub fn write(out: &mut Vec<u8>, interval: &Interval) {
    let class = class_of(interval);
    out.push(class.number);
    write_second(out, interval.start);
    if class.is_fine {
        write_fraction(out, interval.start);
    }
    if !class.is_exact {
        write_second(out, interval.end);
    }
    if class.is_fine {
        write_fraction(out, interval.end);
    }
}

/// The parts of a date key: its interval, and what follows.
#[must_use]
pub fn read(key: &[u8]) -> Option<(Interval, &[u8])> {
    let (number, rest) = key.split_first()?;
    let class = CLASSES.get(usize::from(*number))?;
    let second = |rest: &[u8]| {
        let (bytes, _) = rest.split_first_chunk::<5>()?;
        Some((bytes.iter().fold(0i64, |sum, b| sum << 8 | i64::from(*b)) - BIAS) * MICROS)
    };
    let fraction = |rest: &[u8]| {
        let (bytes, _) = rest.split_first_chunk::<3>()?;
        Some(bytes.iter().fold(0i64, |sum, b| sum << 8 | i64::from(*b)))
    };
    let mut start = second(rest)?;
    let mut rest = &rest[5..];
    if class.is_fine {
        start += fraction(rest)?;
        rest = &rest[3..];
    }
    if class.is_exact {
        let end = start + class.longest? * MICROS;
        return Some((Interval { start, end }, rest));
    }
    let mut end = second(rest)?;
    rest = &rest[5..];
    if class.is_fine {
        end += fraction(rest)?;
        rest = &rest[3..];
    }
    Some((Interval { start, end }, rest))
}

/// The range of keys of one class whose start lies from `low` to before `high`.
#[must_use]
pub fn range(class: &Class, low: Micros, high: Micros) -> (Vec<u8>, Vec<u8>) {
    let bound = |micros: Micros| {
        let mut key = vec![class.number];
        let micros = micros.clamp(Interval::BEGINNING, Interval::END);
        write_second(&mut key, micros);
        if class.is_fine {
            write_fraction(&mut key, micros);
        } else if micros % MICROS != 0 && micros < Interval::END {
            // Whole seconds at or after a broken one begin with the next.
            key.truncate(1);
            write_second(&mut key, micros + MICROS);
        }
        key
    };
    let end = if high >= Interval::END { vec![class.number + 1] } else { bound(high) };
    (bound(low), end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_read_back(start in -3_000_000_000_000_000i64..8_000_000_000_000_000, length in 1i64..500_000_000_000_000, whole: bool) {
            let unit = if whole { MICROS } else { 1 };
            let interval = Interval { start: start / unit * unit, end: (start + length) / unit * unit + unit };
            let mut key = Vec::new();
            write(&mut key, &interval);
            let class = CLASSES[usize::from(key[0])];
            let (low, high) = range(&class, interval.start, interval.start + 1);
            prop_assert!(low.as_slice() <= key.as_slice() && key.as_slice() < high.as_slice());
            let (_, none) = range(&class, 0, interval.start);
            prop_assert!(key.as_slice() >= none.as_slice());
            key.push(7);
            prop_assert_eq!(read(&key), Some((interval, &[7u8][..])));
        }
    }

    #[test]
    fn days_and_seconds_take_six_bytes() {
        for length in [1, DAY] {
            let mut key = Vec::new();
            write(&mut key, &Interval { start: 5 * MICROS, end: (5 + length) * MICROS });
            assert_eq!(key.len(), 6);
        }
    }
}
