//! FHIR R4 search as pure functions: a resource gives index entries, a query string gives a typed query, and a typed
//! condition can both name the ranges of keys it needs and decide about one entry.
//!
//! * [`Parameters`]: the search parameters of each resource type, numbered. A parameter whose expression is covered
//!   by others (`patient` by `subject`, `combo-code` by `code` and `component-code`) stores nothing of its own: it is
//!   answered from theirs.
//! * [`extract`]: resource → [`Entry`]s. An entry is a parameter's number and a *value key*: bytes whose order is the
//!   order search needs, written by one file a parameter type under [`key`]. References and code systems stay open
//!   [`Link`]s, because the numbers they become are given by the store.
//! * [`query`]: query string → [`query::Query`]. Nothing is ignored: an unknown parameter, modifier, prefix or a value of
//!   the wrong form is an [`Issue`](fhir::Issue) that names the nearest known ones.
//! * [`condition`]: a typed criterion, linked to numbers, as ranges of value keys (for driving a search) and as a test
//!   (for filtering). Ranges may be generous; the test is exact. Both read the same bytes, so that no candidate's body
//!   has to be opened.
//!
//! Nothing here knows a database, a clock or a zone: they come in as values ([`Zone`], [`condition::Now`]).

pub mod condition;
pub mod entry;
pub mod extract;
pub mod key;
pub mod normalize;
pub mod parameters;
pub mod query;
pub mod restriction;
mod zone;

pub use entry::{Entry, Link, LinkedEntry, Linker};
pub use extract::{Extracted, OTHER_REFERENCES, extract};
pub use parameters::{Parameter, Parameters, parameters};
pub use zone::Zone;

/// What entries look like. Raised whenever the same resource would give other entries than before; a store written
/// by another version is indexed anew from its log.
pub const EXTRACTOR_VERSION: u32 = 2;
