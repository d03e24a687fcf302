//! What a `Reference.reference` says (<https://hl7.org/fhir/R4/references.html#literal>).

use crate::definitions::{TypeId, r4};
use crate::primitive::is_id;

/// A literal reference, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reference<'a> {
    /// `#id`: a contained resource; an empty id is the container.
    Contained(&'a str),
    /// `[base/]Type/id[/_history/version]`.
    Rest {
        /// What stands before, without the last slash; empty for a relative reference.
        base: &'a str,
        /// The type.
        resource_type: TypeId,
        /// The id.
        id: &'a str,
        /// The version it is pinned to.
        version: Option<&'a str>,
    },
    /// `Type?parameters`: to be resolved by a search when a transaction is committed.
    Conditional {
        /// The type.
        resource_type: TypeId,
        /// The criteria, without the question mark.
        query: &'a str,
    },
    /// Any other URI: `urn:uuid:…`, `urn:oid:…`, or an address that is not one of a FHIR server.
    Other(&'a str),
}

impl<'a> Reference<'a> {
    /// Takes a reference apart. Never fails: what is not understood is [`Reference::Other`].
    #[must_use]
    pub fn parse(text: &'a str) -> Reference<'a> {
        if let Some(id) = text.strip_prefix('#') {
            return Reference::Contained(id);
        }
        if let Some((name, query)) = text.split_once('?')
            && let Some(resource_type) = r4().resource_type(name)
        {
            return Reference::Conditional { resource_type, query };
        }
        Self::parse_rest(text).unwrap_or(Reference::Other(text))
    }

    fn parse_rest(text: &'a str) -> Option<Reference<'a>> {
        let (path, version) = match text.split_once("/_history/") {
            Some((path, version)) if is_id(version) => (path, Some(version)),
            Some(_) => return None,
            None => (text, None),
        };
        let (front, id) = path.rsplit_once('/')?;
        let (base, name) = front.rsplit_once('/').unwrap_or(("", front));
        let is_absolute = base.starts_with("http://") || base.starts_with("https://");
        if !is_id(id) || !(base.is_empty() && !front.starts_with('/') || is_absolute) {
            return None;
        }
        let resource_type = r4().resource_type(name)?;
        Some(Reference::Rest { base, resource_type, id, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_references_are_taken_apart() {
        let patient = r4().resource_type("Patient").unwrap();
        assert_eq!(
            Reference::parse("http://a.example/fhir/Patient/1/_history/2"),
            Reference::Rest {
                base: "http://a.example/fhir",
                resource_type: patient,
                id: "1",
                version: Some("2")
            }
        );
        assert_eq!(
            Reference::parse("Patient/1"),
            Reference::Rest { base: "", resource_type: patient, id: "1", version: None }
        );
        assert_eq!(
            Reference::parse("Patient?identifier=a|b"),
            Reference::Conditional { resource_type: patient, query: "identifier=a|b" }
        );
        assert_eq!(Reference::parse("#x"), Reference::Contained("x"));
        for text in [
            "Patient",
            "/Patient/1",
            "Patiant/1",
            "a/Patient/1",
            "urn:uuid:1",
            "Patient/1/_history/",
            "Patient/a b",
        ] {
            assert_eq!(Reference::parse(text), Reference::Other(text));
        }
    }
}
