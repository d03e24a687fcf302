//! What is to be seen to about medicines taken together: doubles, interactions, allergies.

use fhir::Resource;

use super::own::Own;
use crate::failure::Failure;

/// Something to be seen to.
#[derive(Debug)]
pub(super) struct Warning {
    /// What it is about.
    pub(super) title: String,
    /// Why, and what to do.
    pub(super) words: String,
    /// Who says so.
    pub(super) source: String,
    pub(super) is_grave: bool,
}

/// What is to be seen to, gravest first.
pub(super) fn warnings(
    _: &Own,
    _requests: &[Resource],
    _statements: &[Resource],
    _allergies: &[Resource],
) -> Result<Vec<Warning>, Failure> {
    Ok(Vec::new())
}
