//! JSON ⇄ resource (<https://hl7.org/fhir/R4/json.html>).

mod lexer;
mod pretty;
mod projection;
mod read;
pub mod scan;
mod skip;
mod write;

pub use lexer::unescape;
pub use pretty::pretty;
pub use projection::{Place, ProjectedReader, Projection, Unreadable};
pub use read::{Reader, parse};
pub use write::{JsonWriter, quote};
