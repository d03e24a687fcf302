//! What R4 says, as data.
//!
//! [`r4`] reads the compiled-in table once. Types, elements and names are small integers, so that a resource's nodes
//! carry them and a comparison is one instruction. Strings are `&'static str` into the table's own text.

mod compartment;
mod search_parameter;
mod table;
mod terminology;

pub use compartment::Compartment;
pub use search_parameter::{SearchComponent, SearchParameter, SearchParameterType};
pub use terminology::{CaseSensitivity, CodeSystem, Concept, Terminology, ValueSet, ValueSetPart};

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

/// A type: primitive, complex, resource, or the nested type of a backbone element.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TypeId(pub u16);

/// An element definition. An element taken over from a base type is the same element.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ElementId(pub u16);

/// An element's name without `[x]`, as FHIRPath writes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NameId(pub u16);

/// What a type is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TypeKind {
    /// A value without elements of its own but `id` and `extension`.
    Primitive,
    /// A data type.
    Complex,
    /// A resource type.
    Resource,
    /// The type of a backbone element, named by its path.
    Nested,
}

/// A rule in FHIRPath.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Constraint {
    /// The rule's key, `obs-6`.
    pub key: &'static str,
    /// Whether breaking it is an error (otherwise a warning).
    pub is_error: bool,
    /// FHIRPath, with the constrained element as context.
    pub expression: &'static str,
    /// What it says in words.
    pub human: &'static str,
}

/// A type of R4.
#[derive(Debug)]
pub struct TypeDefinition {
    /// `Patient`, `HumanName`, `Observation.component`.
    pub name: &'static str,
    /// What it is.
    pub kind: TypeKind,
    /// The type it specialises.
    pub base: Option<TypeId>,
    /// Abstract types have no instances.
    pub is_abstract: bool,
    /// The published pattern of a primitive; empty for others.
    pub pattern: &'static str,
    /// Every element, inherited ones first.
    pub elements: Vec<ElementId>,
    /// Rules on the type itself.
    pub constraints: Vec<Constraint>,
    /// JSON property → where its value goes.
    pub properties: FxHashMap<&'static str, Property>,
    /// Positions in `elements` that need at least one value.
    pub required: Vec<u16>,
    /// For a primitive type, which one.
    pub primitive: Option<crate::primitive::Primitive>,
    /// Whether the JSON object carries `resourceType`.
    pub is_resource: bool,
}

/// Where a JSON property's value goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Property {
    /// Position in [`TypeDefinition::elements`]; the choices of one `value[x]` share it.
    pub slot: u16,
    /// The element.
    pub element: ElementId,
    /// The type its value has.
    pub value_type: TypeId,
    /// `_name`: the `id` and `extension` of a primitive.
    pub is_companion: bool,
}

/// The strength of a binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BindingStrength {
    /// A code from the value set.
    Required,
    /// A code from the value set where it has one that fits.
    Extensible,
    /// A recommendation.
    Preferred,
    /// An example.
    Example,
}

/// The value set an element's codes come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binding {
    /// How binding it is.
    pub strength: BindingStrength,
    /// Canonical URL, without version.
    pub value_set: &'static str,
}

/// A type an element may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElementType {
    /// The type.
    pub id: TypeId,
    /// For Reference and canonical: the types (or profiles) that may be referred to; empty for any.
    pub targets: Vec<&'static str>,
}

/// An element of a type.
#[derive(Debug)]
pub struct ElementDefinition {
    /// As published, `value[x]` with its suffix.
    pub published_name: &'static str,
    /// `value`.
    pub name: &'static str,
    /// The same, as a number.
    pub name_id: NameId,
    /// At least this many.
    pub min: u32,
    /// At most this many; `None` is `*`.
    pub max: Option<u32>,
    /// The types its value may have.
    pub types: Vec<ElementType>,
    /// Whether it is a choice, `value[x]`.
    pub is_choice: bool,
    /// Whether `_summary=true` shows it.
    pub is_summary: bool,
    /// Whether it changes the meaning of its owner.
    pub is_modifier: bool,
    /// Where its codes come from.
    pub binding: Option<Binding>,
    /// Rules on it (beside its type's).
    pub constraints: Vec<Constraint>,
}

impl ElementDefinition {
    /// Whether JSON writes it as an array.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.max != Some(1)
    }
}

/// Everything the table says.
#[derive(Debug)]
pub struct Definitions {
    /// By [`TypeId`].
    pub types: Vec<TypeDefinition>,
    /// By [`ElementId`].
    pub elements: Vec<ElementDefinition>,
    /// By [`NameId`].
    pub names: Vec<&'static str>,
    /// The concrete resource types in alphabetical order; a type's place here is its number on disk.
    pub resource_types: Vec<TypeId>,
    /// The compartments: Patient, Encounter, RelatedPerson, Practitioner, Device.
    pub compartments: Vec<Compartment>,
    by_name: FxHashMap<&'static str, TypeId>,
    name_ids: FxHashMap<&'static str, NameId>,
    search_parameters: Vec<SearchParameter>,
    search_parameters_of: Vec<Vec<u16>>,
    resource_numbers: Vec<Option<u8>>,
    well_known: WellKnown,
    terminology_text: &'static str,
    terminology: OnceLock<Terminology>,
}

/// Types and names the code itself speaks of.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct WellKnown {
    pub element: TypeId,
    pub extension: TypeId,
    pub resource: TypeId,
    pub reference: TypeId,
    pub coding: TypeId,
    pub codeable_concept: TypeId,
    pub identifier: TypeId,
    pub quantity: TypeId,
    pub xhtml: TypeId,
    pub bundle: TypeId,
    pub patient: TypeId,
    pub consent: TypeId,
    pub id: NameId,
    pub meta: NameId,
}

/// The definitions of R4 (4.0.1).
#[must_use]
pub fn r4() -> &'static Definitions {
    static R4: OnceLock<Definitions> = OnceLock::new();
    R4.get_or_init(|| table::read(include_str!("../../definitions/r4.table")))
}

impl Definitions {
    /// The type with this name, or `None`.
    #[must_use]
    pub fn type_named(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// The concrete resource type with this name, or `None`.
    #[must_use]
    pub fn resource_type(&self, name: &str) -> Option<TypeId> {
        self.type_named(name).filter(|id| self.resource_number(*id).is_some())
    }

    /// The concrete resource type with this name.
    ///
    /// # Errors
    /// A sentence that says that there is none, and which are near.
    pub fn known_resource_type(&self, name: &str) -> Result<TypeId, String> {
        self.resource_type(name).ok_or_else(|| {
            let near = crate::issue::nearest(name, self.resource_types.iter().map(|t| self.type_name(*t)));
            let shown: String = name.chars().take(60).collect();
            format!("R4 has no resource type '{shown}'{}", crate::issue::did_you_mean(&near))
        })
    }

    /// A type's definition.
    #[must_use]
    pub fn type_of(&self, id: TypeId) -> &TypeDefinition {
        &self.types[usize::from(id.0)]
    }

    /// A type's name.
    #[must_use]
    pub fn type_name(&self, id: TypeId) -> &'static str {
        self.type_of(id).name
    }

    /// An element's definition.
    #[must_use]
    pub fn element(&self, id: ElementId) -> &ElementDefinition {
        &self.elements[usize::from(id.0)]
    }

    /// The number of an element name, or `None` if no type has such an element.
    #[must_use]
    pub fn name_id(&self, name: &str) -> Option<NameId> {
        self.name_ids.get(name).copied()
    }

    /// A concrete resource type's place in the alphabet: 0 for Account … 145 for VisionPrescription.
    #[must_use]
    pub fn resource_number(&self, id: TypeId) -> Option<u8> {
        self.resource_numbers.get(usize::from(id.0)).copied().flatten()
    }

    /// The resource type at a place in the alphabet.
    #[must_use]
    pub fn resource_numbered(&self, number: u8) -> Option<TypeId> {
        self.resource_types.get(usize::from(number)).copied()
    }

    /// Whether `id` is `ancestor` or derives from it.
    #[must_use]
    pub fn is_a(&self, id: TypeId, ancestor: TypeId) -> bool {
        let mut current = Some(id);
        while let Some(step) = current {
            if step == ancestor {
                return true;
            }
            current = self.type_of(step).base;
        }
        false
    }

    /// The element called `name` of a type, and its place there.
    #[must_use]
    pub fn element_named(&self, id: TypeId, name: &str) -> Option<(usize, ElementId)> {
        let elements = &self.type_of(id).elements;
        elements.iter().position(|e| self.element(*e).name == name).map(|at| (at, elements[at]))
    }

    /// The types and names the code itself speaks of.
    #[must_use]
    pub fn well_known(&self) -> &WellKnown {
        &self.well_known
    }

    /// Every search parameter of a resource type: its own, DomainResource's and Resource's, ordered by code.
    pub fn search_parameters(&self, resource: TypeId) -> impl Iterator<Item = &SearchParameter> {
        let of = self.search_parameters_of.get(usize::from(resource.0)).map_or(&[][..], Vec::as_slice);
        of.iter().map(|at| &self.search_parameters[usize::from(*at)])
    }

    /// The search parameter of a resource type with this code.
    #[must_use]
    pub fn search_parameter(&self, resource: TypeId, code: &str) -> Option<&SearchParameter> {
        self.search_parameters(resource).find(|p| p.code == code)
    }

    /// The search parameter with this canonical URL.
    #[must_use]
    pub fn search_parameter_at(&self, url: &str) -> Option<&SearchParameter> {
        self.search_parameters.iter().find(|p| p.url == url)
    }

    /// The compartment named after a resource type.
    #[must_use]
    pub fn compartment(&self, name: &str) -> Option<&Compartment> {
        self.compartments.iter().find(|c| c.name == name)
    }

    /// Code systems and value sets; read from the table on first use.
    #[must_use]
    pub fn terminology(&self) -> &Terminology {
        self.terminology.get_or_init(|| terminology::read(self.terminology_text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_type_of_r4_is_there() {
        let r4 = r4();
        assert_eq!(r4.resource_types.len(), 146);
        let names: Vec<_> = r4.resource_types.iter().map(|t| r4.type_name(*t)).collect();
        assert!(names.is_sorted());
        assert_eq!((names[0], names[145]), ("Account", "VisionPrescription"));
        assert!(r4.resource_type("DomainResource").is_none(), "abstract types have no instances");
    }

    #[test]
    fn elements_know_cardinality_types_and_targets() {
        let r4 = r4();
        let observation = r4.resource_type("Observation").unwrap();
        let (_, status) = r4.element_named(observation, "status").unwrap();
        assert_eq!((r4.element(status).min, r4.element(status).max), (1, Some(1)));
        let (_, subject) = r4.element_named(observation, "subject").unwrap();
        assert_eq!(r4.element(subject).types[0].targets, ["Patient", "Group", "Device", "Location"]);
        let (_, value) = r4.element_named(observation, "value").unwrap();
        assert!(r4.element(value).is_choice && r4.element(value).types.len() == 11);
        let quantity = r4.type_of(observation).properties["valueQuantity"];
        assert_eq!(r4.type_name(quantity.value_type), "Quantity");
    }

    #[test]
    fn a_content_reference_shares_the_type_it_names() {
        let r4 = r4();
        let entry = r4.type_named("Bundle.entry").unwrap();
        let link = r4.type_of(entry).properties["link"];
        assert_eq!(r4.type_name(link.value_type), "Bundle.link");
    }

    #[test]
    fn inheritance_reaches_element() {
        let r4 = r4();
        let age = r4.type_named("Age").unwrap();
        assert!(r4.is_a(age, r4.well_known().quantity));
        assert!(r4.is_a(r4.type_named("code").unwrap(), r4.type_named("string").unwrap()));
        assert!(r4.is_a(r4.type_named("Patient").unwrap(), r4.well_known().resource));
    }

    #[test]
    fn search_parameters_include_the_base_types() {
        let r4 = r4();
        let patient = r4.resource_type("Patient").unwrap();
        let codes: Vec<_> = r4.search_parameters(patient).map(|p| p.code).collect();
        for code in ["_id", "_lastUpdated", "_tag", "birthdate", "name", "general-practitioner"] {
            assert!(codes.contains(&code), "{code}");
        }
        assert!(codes.is_sorted());
    }

    #[test]
    fn compartments_are_the_five_of_r4() {
        let names: Vec<_> = r4().compartments.iter().map(|c| c.name).collect();
        assert_eq!(names, ["Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"]);
        let patient = r4().compartment("Patient").unwrap();
        let observation = r4().resource_type("Observation").unwrap();
        assert_eq!(patient.parameters(observation), ["subject", "performer"]);
    }

    #[test]
    fn code_systems_say_whether_case_matters() {
        let gender = r4().terminology().code_system("http://hl7.org/fhir/administrative-gender").unwrap();
        assert_eq!(gender.case_sensitivity, CaseSensitivity::Sensitive);
        assert_eq!(gender.concepts.len(), 4);
    }
}
