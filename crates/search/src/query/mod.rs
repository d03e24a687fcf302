//! A query string, typed: what `GET [base]/Type?…` asks for (<https://hl7.org/fhir/R4/search.html>).
//!
//! Reading never guesses. A parameter, modifier, prefix or value that is not understood is an error naming the nearest
//! known ones, because an answer to a different question is worse than none; only `Prefer: handling=lenient` drops
//! them, and then the answer says so.

mod control;
mod criterion;
mod parse;
mod subset;
mod value;

pub use control::{Include, Sort, SortBy, Total};
pub use criterion::Criterion;
pub use parse::{CONTROLS, Pair, Reading, literal, read, split};
pub use subset::{SubsetAsked, subset, widen};
pub use value::{Prefix, ReferenceValue, SystemValue, Value};

use fhir::date_time::Micros;
use fhir::subset::Subset;
use fhir::{Issue, TypeId};

/// A typed query.
#[derive(Clone, Debug)]
pub struct Query {
    /// The type searched.
    pub resource_type: TypeId,
    /// All of these hold.
    pub criteria: Vec<Criterion>,
    /// `_include`
    pub includes: Vec<Include>,
    /// `_revinclude`
    pub reverse_includes: Vec<Include>,
    /// `_sort`, most significant first; empty for the index's own order.
    pub sort: Vec<Sort>,
    /// `_count`
    pub count: Option<usize>,
    /// `_total`
    pub total: Total,
    /// `_summary=count`
    pub is_count_only: bool,
    /// `_summary`, `_elements`: the part of each resource that is answered.
    pub subset: Option<Subset>,
    /// `_asOf`: the moment of recording the answer is true for; microseconds since 1970 UTC.
    pub as_of: Option<Micros>,
    /// `_cursor`: where a page begins, as an earlier answer gave it.
    pub cursor: Option<String>,
    /// The parameters that were understood, as given, without `_cursor`: the self link.
    pub understood: Vec<Pair>,
    /// What was dropped under lenient handling.
    pub dropped: Vec<Issue>,
}
