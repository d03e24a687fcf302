//! Type names in expressions: `Patient`, `FHIR.string`, `System.String`.

use fhir::{TypeId, r4};

/// A type FHIRPath itself defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SystemType {
    Any,
    Boolean,
    String,
    Integer,
    Decimal,
    Date,
    DateTime,
    Time,
    Quantity,
}

impl SystemType {
    /// The type with this name, without `System.`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<SystemType> {
        Some(match name {
            "Any" => Self::Any,
            "Boolean" => Self::Boolean,
            "String" => Self::String,
            "Integer" => Self::Integer,
            "Decimal" => Self::Decimal,
            "Date" => Self::Date,
            "DateTime" => Self::DateTime,
            "Time" => Self::Time,
            "Quantity" => Self::Quantity,
            _ => return None,
        })
    }

    /// Its name, without `System.`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "Any",
            Self::Boolean => "Boolean",
            Self::String => "String",
            Self::Integer => "Integer",
            Self::Decimal => "Decimal",
            Self::Date => "Date",
            Self::DateTime => "DateTime",
            Self::Time => "Time",
            Self::Quantity => "Quantity",
        }
    }
}

/// A type an expression names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeSpecifier {
    /// One of FHIRPath's own.
    System(SystemType),
    /// One of FHIR's.
    Fhir(TypeId),
    /// `Quantity` without a namespace names both.
    Quantity(TypeId),
}

impl TypeSpecifier {
    /// Looks a name up: FHIR's types first, then FHIRPath's own.
    #[must_use]
    pub fn parse(namespace: Option<&str>, name: &str) -> Option<TypeSpecifier> {
        let fhir = || r4().type_named(name);
        let system = || SystemType::from_name(name).map(TypeSpecifier::System);
        match namespace {
            Some("FHIR") => fhir().map(TypeSpecifier::Fhir),
            Some("System") => system(),
            Some(_) => None,
            None if name == "Quantity" => fhir().map(TypeSpecifier::Quantity),
            None => fhir().map(TypeSpecifier::Fhir).or_else(system),
        }
    }
}
