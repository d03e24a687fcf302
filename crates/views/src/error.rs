//! What is wrong with a view, or with a resource it runs on.

use std::fmt;

/// A finding, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The place in the view, `select[0].column[1].path`; empty where it is the view as a whole.
    pub place: String,
    /// What was found, what was expected, and the way out.
    pub message: String,
    /// The resource it was found in, `Patient/1`, where there is one.
    pub resource: Option<String>,
}

impl Error {
    pub(crate) fn at(place: impl Into<String>, message: impl Into<String>) -> Error {
        Error { place: place.into(), message: message.into(), resource: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        match &self.resource {
            Some(resource) => write!(f, " (in {resource})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
