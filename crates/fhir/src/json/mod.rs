//! JSON ⇄ resource (<https://hl7.org/fhir/R4/json.html>).

mod lexer;
mod pretty;
mod read;
pub mod scan;
mod write;

pub use lexer::unescape;
pub use pretty::pretty;
pub use read::{Reader, parse};
pub use write::{JsonWriter, quote};
