//! JSON ⇄ resource (<https://hl7.org/fhir/R4/json.html>).

mod lexer;
mod read;
mod write;

pub use lexer::unescape;
pub use read::{Reader, parse};
pub use write::{JsonWriter, quote};
