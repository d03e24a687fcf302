//! Numbers. What is equal depends on the digits written, what is greater or less does not
//! (<https://hl7.org/fhir/R4/search.html#number>).

use fhir::Decimal;

use super::{Scan, Test};
use crate::key::number::{self, POINT, RANGE, decimal_key};
use crate::query::Prefix;

/// A comparison with a number.
#[derive(Clone, Debug)]
pub struct NumberTest {
    prefix: Prefix,
    value: Vec<u8>,
    /// For `eq` and `ne` the interval of the precision written, for `ap` the one of ten per cent.
    low: Vec<u8>,
    high: Vec<u8>,
}

impl NumberTest {
    pub(super) fn new(prefix: Prefix, value: &Decimal) -> NumberTest {
        let (low, high) = if prefix == Prefix::Approximately { value.around() } else { value.bounds() };
        NumberTest { prefix, value: decimal_key(value), low: decimal_key(&low), high: decimal_key(&high) }
    }

    pub(super) fn consume<'k>(&self, key: &'k [u8]) -> Option<(bool, &'k [u8])> {
        let (low, high, rest) = number::read(key)?;
        Some((self.holds(low, high), rest))
    }

    /// Whether it holds of a number (or range) from `low` to `high`.
    pub(super) fn holds(&self, low: &[u8], high: &[u8]) -> bool {
        let value = self.value.as_slice();
        let is_equal = || {
            let ends_inside =
                if low == high { high < self.high.as_slice() } else { high <= self.high.as_slice() };
            low >= self.low.as_slice() && ends_inside
        };
        match self.prefix {
            Prefix::Equal => is_equal(),
            Prefix::NotEqual => !is_equal(),
            Prefix::Greater => high > value,
            Prefix::GreaterOrEqual => high >= value,
            Prefix::Less => low < value,
            Prefix::LessOrEqual => low <= value,
            Prefix::StartsAfter => low > value,
            Prefix::EndsBefore => high < value,
            Prefix::Approximately => low <= self.high.as_slice() && high >= self.low.as_slice(),
        }
    }

    /// Where numbers lie that pass; ranges stand together and are all looked at.
    pub(super) fn scans(&self) -> Vec<Scan> {
        let point = |key: &[u8]| [&[POINT], key].concat();
        let (first, last) = (vec![POINT], vec![RANGE]);
        let points = match self.prefix {
            Prefix::Equal | Prefix::Approximately => {
                let mut end = point(&self.high);
                end.push(0xff);
                Scan::range(point(&self.low), end)
            }
            Prefix::NotEqual => Scan::range(first, last),
            Prefix::Greater | Prefix::GreaterOrEqual | Prefix::StartsAfter => {
                Scan::range(point(&self.value), last)
            }
            Prefix::Less | Prefix::LessOrEqual | Prefix::EndsBefore => {
                let mut end = point(&self.value);
                end.push(0xff);
                Scan::range(first, end)
            }
        };
        vec![points, Scan::prefix(vec![RANGE])]
    }
}

pub(super) fn link(prefix: Prefix, value: &Decimal) -> (Test, Vec<Scan>) {
    let test = NumberTest::new(prefix, value);
    let scans = test.scans();
    (Test::Number(test), scans)
}
