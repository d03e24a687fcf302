//! `X-Provenance`: a Provenance that comes with a write, and becomes a resource of its own in the same commit
//! (<https://hl7.org/fhir/R4/provenance.html#header>).

use fhir::json::quote;
use fhir::{Issue, IssueType, Limits, Resource, r4};

use crate::Failure;

/// A Provenance whose targets are filled in when it is known what was written.
#[derive(Clone, Debug)]
pub struct Provenance {
    json: String,
}

impl Provenance {
    /// Reads the header's value.
    ///
    /// # Errors
    /// If it is not a Provenance, or names targets itself.
    pub fn parse(header: &str, limits: &Limits) -> Result<Provenance, Failure> {
        let json = header.trim();
        let probe = Provenance { json: json.to_owned() };
        let resource = probe.targeting(&["Patient/x".to_owned()], limits)?;
        if Some(resource.root().value_type()) != r4().resource_type("Provenance") {
            return Err(Issue::error(
                IssueType::Invalid,
                "X-Provenance: its value is a Provenance resource in JSON",
            )
            .into());
        }
        Ok(probe)
    }

    /// The Provenance of these targets.
    ///
    /// # Errors
    /// If it is not a Provenance, or names targets itself.
    pub(crate) fn targeting(&self, targets: &[String], limits: &Limits) -> Result<Resource, Failure> {
        let mut list = String::new();
        for target in targets {
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str("{\"reference\":");
            quote(&mut list, target);
            list.push('}');
        }
        let Some(rest) = self.json.strip_prefix('{') else {
            return Err(Issue::error(
                IssueType::Invalid,
                "X-Provenance: its value is a Provenance resource in JSON",
            )
            .into());
        };
        let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
        let json = format!("{{\"target\":[{list}]{comma}{rest}");
        fhir::json::parse(json.as_bytes(), limits)
            .map_err(|issues| Failure::invalid(issues).under("X-Provenance"))
    }
}
