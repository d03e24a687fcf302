//! Compartments: which resources belong to a Patient, an Encounter … and through which search parameters.
//!
//! Source: <https://hl7.org/fhir/R4/compartmentdefinition.html>.

use super::TypeId;

/// One compartment.
#[derive(Debug)]
pub struct Compartment {
    /// The type it is named after.
    pub name: &'static str,
    /// Member types and the reference parameters that make a resource a member.
    pub members: Vec<(TypeId, Vec<&'static str>)>,
}

impl Compartment {
    /// The parameters that make a resource of this type a member; empty if none does.
    #[must_use]
    pub fn parameters(&self, resource: TypeId) -> &[&'static str] {
        self.members.iter().find(|(id, _)| *id == resource).map_or(&[], |(_, codes)| codes)
    }
}
