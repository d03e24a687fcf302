//! Quantities: a number in a unit.

use fhir::Decimal;

use super::number::NumberTest;
use super::{Numbers, Part, Scan, Test};
use crate::key::cut;
use crate::key::quantity::{self, UNIT_TEXT};
use crate::query::Prefix;

/// A comparison with a quantity.
#[derive(Clone, Debug)]
pub struct QuantityTest {
    number: NumberTest,
    /// The unit's code or text; `None` is any.
    unit: Option<Vec<u8>>,
    /// The unit system's number; `None` is any.
    system: Option<u32>,
}

impl QuantityTest {
    pub(super) fn consume<'k>(&self, key: &'k [u8]) -> Option<(bool, &'k [u8])> {
        let found = quantity::read(key)?;
        let is_unit = match &self.unit {
            // Each quantity is met by its code; its unit's text would be a second time.
            None => found.system != UNIT_TEXT,
            Some(unit) => unit.as_slice() == found.unit,
        };
        let is_system = self.system.is_none_or(|s| s == found.system);
        Some((is_unit && is_system && self.number.holds(found.low, found.high), found.rest))
    }
}

pub(super) fn link(
    prefix: Prefix,
    number: &Decimal,
    system: Option<&str>,
    unit: Option<&str>,
    numbers: &dyn Numbers,
) -> (Test, Vec<Scan>) {
    let system = match system {
        None => None,
        Some(uri) => match numbers.system(uri) {
            Some(number) => Some(number),
            None => return (Test::Never, Vec::new()),
        },
    };
    let unit = unit.map(|u| cut(u).as_bytes().to_vec());
    let number = NumberTest::new(prefix, number);
    let inner = number.scans();
    let scans = match (&unit, system) {
        (None, _) => vec![Scan::Each { prefix: Vec::new(), part: Part::Unit, inner }],
        (Some(unit), None) => {
            vec![Scan::Each { prefix: [unit.as_slice(), &[0]].concat(), part: Part::System, inner }]
        }
        (Some(unit), Some(system)) => {
            let before = [unit.as_slice(), &[0], &system.to_be_bytes()].concat();
            inner.into_iter().map(|scan| scan.after(&before)).collect()
        }
    };
    (Test::Quantity(QuantityTest { number, unit, system }), scans)
}
