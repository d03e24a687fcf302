//! Parameters about the answer rather than the resources: `_sort`, `_include`, `_total`.

use fhir::TypeId;

use crate::parameters::Parameter;

/// One key of `_sort`.
#[derive(Clone, Copy, Debug)]
pub struct Sort {
    /// What is compared.
    pub by: SortBy,
    /// Whether larger values come first.
    pub is_descending: bool,
}

/// What a sort compares.
#[derive(Clone, Copy, Debug)]
pub enum SortBy {
    /// The values of a parameter.
    Parameter(&'static Parameter),
    /// The id.
    Id,
    /// When the current version was recorded.
    LastUpdated,
}

/// `_include` or `_revinclude`.
#[derive(Clone, Debug)]
pub struct Include {
    /// The type whose reference is followed.
    pub source: TypeId,
    /// The reference parameters that are followed: one, or all for `*`.
    pub parameters: Vec<&'static Parameter>,
    /// Only targets of this type.
    pub target: Option<TypeId>,
    /// Whether what is included is searched for more (`:iterate`).
    pub is_iterated: bool,
}

/// `_total`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Total {
    /// Where it costs nothing.
    #[default]
    IfFree,
    /// Not at all.
    None,
    /// Roughly.
    Estimate,
    /// Exactly.
    Accurate,
}
