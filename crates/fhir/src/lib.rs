//! FHIR R4 as values.
//!
//! * [`definitions`]: what R4 says (types, elements, search parameters, compartments, code systems), read from one
//!   table that `cargo xtask definitions` distils from the official package. Nothing about a resource type is typed by
//!   hand or generated as code: a type is a row, and all 146 of them are equal.
//! * [`Resource`]: one resource (or Bundle) as the bytes it came in, without insignificant white space, and a tree of
//!   [`Node`]s that point into those bytes. Decimals keep their digits and strings their escapes because they are
//!   never turned into anything else.
//! * [`json`]: bytes → [`Resource`]. Reading is checking: the reader walks the definitions beside the text, so unknown
//!   elements, wrong types, bad formats and wrong cardinality are found in the one pass, each with its FHIRPath, line
//!   and column. It never panics and never recurses deeper than [`Limits::depth`].
//! * [`xml`]: the same in XML, both ways, through the one JSON reader.
//! * [`subset`]: `_summary` and `_elements`.
//! * the primitives: [`Decimal`] with its digits, [`DateTime`] with its precision and zone, [`Reference`].
//!
//! Design not chosen: a struct per resource type. It costs minutes of build time, loses what it does not know, and
//! makes the 146 types unequal in practice.

pub mod body;
pub mod date_time;
pub mod decimal;
pub mod definitions;
pub mod issue;
pub mod json;
pub mod limits;
pub mod primitive;
pub mod reference;
pub mod resource;
pub mod subset;
pub mod xhtml;
pub mod xml;

pub use body::Body;
pub use date_time::DateTime;
pub use decimal::Decimal;
pub use definitions::{Definitions, ElementId, NameId, TypeId, r4};
pub use issue::{Issue, IssueType, Severity};
pub use limits::Limits;
pub use reference::Reference;
pub use resource::{Node, NodeRef, Resource, Shape};
