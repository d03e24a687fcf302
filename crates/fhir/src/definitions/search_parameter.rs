//! Search parameters as R4 defines them.

use super::TypeId;

/// The type of a search parameter's value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum SearchParameterType {
    Number,
    Date,
    String,
    Token,
    Reference,
    Composite,
    Quantity,
    Uri,
    Special,
}

impl SearchParameterType {
    /// The code of <http://hl7.org/fhir/search-param-type>, or `None`.
    #[must_use]
    pub fn from_code(code: &str) -> Option<SearchParameterType> {
        Some(match code {
            "number" => Self::Number,
            "date" => Self::Date,
            "string" => Self::String,
            "token" => Self::Token,
            "reference" => Self::Reference,
            "composite" => Self::Composite,
            "quantity" => Self::Quantity,
            "uri" => Self::Uri,
            "special" => Self::Special,
            _ => return None,
        })
    }

    /// The code of <http://hl7.org/fhir/search-param-type>.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Date => "date",
            Self::String => "string",
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Composite => "composite",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
            Self::Special => "special",
        }
    }
}

/// A part of a composite parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SearchComponent {
    /// The canonical URL of the parameter whose type the part has.
    pub definition: &'static str,
    /// FHIRPath from each value of the composite's own expression.
    pub expression: &'static str,
}

/// A search parameter.
#[derive(Debug)]
pub struct SearchParameter {
    /// The name in a query.
    pub code: &'static str,
    /// The type of its value.
    pub kind: SearchParameterType,
    /// The types it is defined on (may be abstract).
    pub bases: Vec<TypeId>,
    /// For references: the types that may be referred to.
    pub targets: Vec<TypeId>,
    /// Canonical URL.
    pub url: &'static str,
    /// FHIRPath that yields the values; empty where R4 gives none.
    pub expression: &'static str,
    /// The parts of a composite.
    pub components: Vec<SearchComponent>,
}
