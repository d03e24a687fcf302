//! What goes wrong, in the hub's words.

use std::fmt::Display;

use fhir::IssueType;
use hub::{Failure, Kind};

/// Something of the hub's own that should not have happened.
pub(crate) fn internal(error: &impl Display) -> Failure {
    Failure::new(Kind::Internal, IssueType::Exception, error.to_string())
}

/// What was asked for cannot be done, and why.
pub(crate) fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Invalid, IssueType::Invalid, message)
}

/// A definition or a limit that stands against an evaluation.
#[must_use]
pub fn failure_of(error: &measures::Error) -> Failure {
    Failure::new(Kind::Unprocessable, IssueType::Processing, error.to_string())
}
