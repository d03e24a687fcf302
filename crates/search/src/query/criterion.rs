//! One condition on a resource.

use fhir::TypeId;

use super::value::{Prefix, Value};
use crate::key::date::Interval;
use crate::parameters::Parameter;

/// A condition.
#[derive(Clone, Debug)]
pub enum Criterion {
    /// One of the parameter's values is one of these (or, negated, none is).
    Values {
        /// The parameter.
        parameter: &'static Parameter,
        /// Any of these.
        any_of: Vec<Value>,
        /// `:not`
        is_negated: bool,
    },
    /// `:missing`: the parameter has no value (or has one).
    Missing {
        /// The parameter.
        parameter: &'static Parameter,
        /// Whether it has none.
        is_missing: bool,
    },
    /// `_id`
    Id(Vec<String>),
    /// `_lastUpdated`: any of these.
    LastUpdated(Vec<(Prefix, Interval)>),
    /// `subject:Patient.name=x`: a resource the reference points at satisfies the criterion, by its type.
    Chain {
        /// The reference.
        parameter: &'static Parameter,
        /// What the resource it points at satisfies, for each type that has the parameter.
        targets: Vec<(TypeId, Criterion)>,
    },
    /// `_has:Observation:patient:code=x`: a resource of the type points here and satisfies the criterion.
    Has {
        /// The type that points.
        source: TypeId,
        /// The reference it points by.
        parameter: &'static Parameter,
        /// What it satisfies.
        criterion: Box<Criterion>,
    },
    /// The resource is in a compartment: one of these references points at the resource.
    Compartment {
        /// The compartment's type.
        resource_type: TypeId,
        /// The compartment's id.
        id: String,
        /// The references that make members; empty means the type has none, and nothing matches.
        parameters: Vec<&'static Parameter>,
    },
}
