//! FHIR XML (<https://hl7.org/fhir/R4/xml.html>).
//!
//! Reading turns XML into JSON by the definitions and lets the JSON reader check it: there is one judge of what a
//! resource may say, and one form in which it is kept. Findings are carried back to line and column of the XML.

pub mod dom;
mod entries;
mod read;
mod write;

pub use entries::has_more_entries;
pub use read::parse;
pub use write::{Unwritable, element_name, to_pretty_xml, to_xml, to_xml_named};

/// The namespace of FHIR's elements.
pub const NAMESPACE: &str = "http://hl7.org/fhir";
