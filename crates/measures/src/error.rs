//! What is wrong with a definition, or with evaluating it.

use std::fmt;

/// A finding, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The definition, `Measure/rmi-bp-control`, or the table.
    pub of: String,
    /// The place in it, a FHIRPath; empty where it is the whole.
    pub place: String,
    /// What was found, what was expected, and the way out.
    pub message: String,
    /// Whether it was given up from outside.
    pub is_cancelled: bool,
}

impl Error {
    pub(crate) fn new(of: impl Into<String>, place: impl Into<String>, message: impl Into<String>) -> Error {
        Error { of: of.into(), place: place.into(), message: message.into(), is_cancelled: false }
    }

    pub(crate) fn sql(of: &str, place: &str, error: &sql::Error) -> Error {
        let is_cancelled = error.kind == sql::Kind::Cancelled;
        Error { is_cancelled, ..Error::new(of, place, error.to_string()) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of)?;
        if !self.place.is_empty() {
            write!(f, ", {}", self.place)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Error {}
