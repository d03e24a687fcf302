//! What went wrong with an expression.

use std::fmt;

/// A finding in an expression or its evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Byte offset in the expression, where known.
    pub position: Option<usize>,
    /// What was found and what was expected.
    pub message: String,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Error {
        Error { position: None, message: message.into() }
    }

    pub(crate) fn at(position: usize, message: impl Into<String>) -> Error {
        Error { position: Some(position), message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(at) => write!(f, "at character {}: {}", at + 1, self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}
