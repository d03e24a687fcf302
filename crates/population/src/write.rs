//! The FHIR data types, as they are written.

use fhir::json::JsonWriter;

use crate::calendar::{Moment, moment_text};
use crate::numbers::fixed;

pub(crate) const LOINC: &str = "http://loinc.org";
pub(crate) const JLAC10: &str = "urn:oid:1.2.392.200119.4.504";
pub(crate) const ICD10: &str = "http://hl7.org/fhir/sid/icd-10";
pub(crate) const ATC: &str = "http://www.whocc.no/atc";
pub(crate) const CVX: &str = "http://hl7.org/fhir/sid/cvx";
pub(crate) const UCUM: &str = "http://unitsofmeasure.org";

/// System, code and display; an empty display is left out.
pub(crate) type Coding<'a> = (&'a str, &'a str, &'a str);

/// What a [`JsonWriter`] can write of FHIR.
pub(crate) trait Elements {
    /// The members of a coding.
    fn coding_object(&mut self, coding: Coding<'_>) -> &mut Self;
    /// A member that is one coding.
    fn coding(&mut self, name: &str, coding: Coding<'_>) -> &mut Self;
    /// A member that is one concept; an empty text is left out.
    fn concept(&mut self, name: &str, codings: &[Coding<'_>], text: &str) -> &mut Self;
    /// A member that is a list with one concept.
    fn concepts(&mut self, name: &str, codings: &[Coding<'_>], text: &str) -> &mut Self;
    /// A member that refers to a resource.
    fn reference(&mut self, name: &str, resource_type: &str, id: &str) -> &mut Self;
    /// A member that is a list with one reference.
    fn references(&mut self, name: &str, resource_type: &str, id: &str) -> &mut Self;
    /// A member that is a quantity in UCUM.
    fn quantity(&mut self, name: &str, value: f64, digits: u32, unit: &str, ucum: &str) -> &mut Self;
    /// A member that is a moment.
    fn moment(&mut self, name: &str, moment: Moment) -> &mut Self;
    /// A member that is a period, perhaps still open.
    fn period(&mut self, name: &str, start: Moment, end: Option<Moment>) -> &mut Self;
}

fn concept_object(json: &mut JsonWriter, codings: &[Coding<'_>], text: &str) {
    json.object(|o| {
        if !codings.is_empty() {
            o.name("coding").array(|a| {
                for coding in codings {
                    a.coding_object(*coding);
                }
            });
        }
        if !text.is_empty() {
            o.member("text", text);
        }
    });
}

fn reference_object(json: &mut JsonWriter, resource_type: &str, id: &str) {
    json.object(|o| {
        o.name("reference").raw_with(|out| {
            for part in ["\"", resource_type, "/", id, "\""] {
                out.push_str(part);
            }
        });
    });
}

impl Elements for JsonWriter {
    fn coding_object(&mut self, (system, code, display): Coding<'_>) -> &mut Self {
        self.object(|o| {
            o.member("system", system).member("code", code);
            if !display.is_empty() {
                o.member("display", display);
            }
        })
    }

    fn coding(&mut self, name: &str, coding: Coding<'_>) -> &mut Self {
        self.name(name).coding_object(coding)
    }

    fn concept(&mut self, name: &str, codings: &[Coding<'_>], text: &str) -> &mut Self {
        concept_object(self.name(name), codings, text);
        self
    }

    fn concepts(&mut self, name: &str, codings: &[Coding<'_>], text: &str) -> &mut Self {
        self.name(name).array(|a| concept_object(a, codings, text))
    }

    fn reference(&mut self, name: &str, resource_type: &str, id: &str) -> &mut Self {
        reference_object(self.name(name), resource_type, id);
        self
    }

    fn references(&mut self, name: &str, resource_type: &str, id: &str) -> &mut Self {
        self.name(name).array(|a| reference_object(a, resource_type, id))
    }

    fn quantity(&mut self, name: &str, value: f64, digits: u32, unit: &str, ucum: &str) -> &mut Self {
        self.name(name).object(|o| {
            o.raw_member("value", &fixed(value, digits)).member("unit", unit);
            o.member("system", UCUM).member("code", ucum);
        })
    }

    fn moment(&mut self, name: &str, moment: Moment) -> &mut Self {
        self.member(name, &moment_text(moment))
    }

    fn period(&mut self, name: &str, start: Moment, end: Option<Moment>) -> &mut Self {
        self.name(name).object(|o| {
            o.moment("start", start);
            if let Some(end) = end {
                o.moment("end", end);
            }
        })
    }
}
