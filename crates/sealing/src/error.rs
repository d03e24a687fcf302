//! What can go wrong with keys and what is sealed.

use std::fmt;

/// Why something could not be opened or sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The key, or that there is none: place, finding and way out.
    Key(String),
    /// Something sealed is not what was sealed, or not there.
    Damaged {
        /// Which file or row.
        place: String,
        /// What is wrong.
        finding: String,
    },
    /// The disk failed.
    Io(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Key(message) | Error::Io(message) => f.write_str(message),
            Error::Damaged { place, finding } => write!(f, "{place} is damaged: {finding}"),
        }
    }
}

impl std::error::Error for Error {}

pub(crate) fn damaged(place: impl Into<String>, finding: impl Into<String>) -> Error {
    Error::Damaged { place: place.into(), finding: finding.into() }
}
