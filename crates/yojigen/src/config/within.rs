//! Whole numbers within bounds.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, RangedU64ValueParser, TypedValueParser};
use clap::{Arg, Command, Error};

/// Reads a whole number from the first to the last bound. The bounds can be asked for, as a possible value that is not
/// offered: the library keeps those of its own parser to itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within(pub(crate) u64, pub(crate) u64);

impl TypedValueParser for Within {
    type Value = u64;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<u64, Error> {
        RangedU64ValueParser::<u64>::new().range(self.0..=self.1).parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let bounds = PossibleValue::new(format!("{} to {}", self.0, self.1)).hide(true);
        Some(Box::new(std::iter::once(bounds)))
    }
}
