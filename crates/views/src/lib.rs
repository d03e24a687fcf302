//! SQL on FHIR v2: views, from resources to columns (<https://sql-on-fhir.org>).
//!
//! A [`ViewDefinition`] is read once: what is wrong with it is said with the place it stands at, its paths are analysed
//! against R4, and it becomes a plan. A [`Run`] takes resources, one after the other, and builds Arrow columns of their
//! rows in one pass; [`ViewDefinition::batches`] does so for a stream of kept texts, [`parallel`] on several threads.
//!
//! * *Only what is looked at is read.* A view's paths say which elements they need; of a kept text nothing else is
//!   parsed ([`fhir::json::Projection`]). Paths that only walk run as walks ([`fhirpath::Walk`]), all others in the one
//!   FHIRPath evaluator.
//! * *Decimals are exact where they can be.* A column of decimals is either `Decimal128(38, 12)`, to compute with (what
//!   has more than twelve digits after the point is rounded half to even), or the text as it was written
//!   ([`Decimals`]); JSON, NDJSON and CSV are written from the latter.
//! * *Dates stay texts*, as precise as they were written.
//! * *A value that does not fit is an error*, not a null: several values where `collection` is not set, a text in a
//!   column of integers. The one exception is the absence of a value.

mod cells;
mod column;
mod compile;
mod constant;
mod definition;
mod error;
pub mod parallel;
mod plan;
mod run;
pub mod write;

pub use column::{Column, ColumnType, Decimals};
pub use definition::{MAX_BYTES, MAX_COLUMNS, MAX_DEPTH};
pub use error::Error;
pub use plan::ViewDefinition;
pub use run::{Batches, Run};
