//! patch: `PATCH [base]/Type/id`, by id or by a search (<https://hl7.org/fhir/R4/http.html#patch>).
//!
//! A patch is applied to the current version, and what comes out is an update made from that version: if another
//! version is current when its turn comes, it is applied anew. The labels of what comes out are the ones the patch
//! left.

pub mod fhirpath;
pub mod json;
mod selector;
pub mod xml;

use fhir::subset::Subset;
use fhir::xml::dom::Element;
use fhir::{IssueType, Limits, NodeRef, Resource, TypeId, r4};
use store::{Action, Command, Condition, Substitutions};

use crate::{Access, Failure, Hub, Kind, Prepared, WriteOptions};

/// A patch, read.
#[derive(Clone, Debug)]
pub enum Patch {
    /// JSON Patch (RFC 6902).
    Json(json_patch::Patch),
    /// FHIRPath Patch: a Parameters resource (<https://hl7.org/fhir/R4/fhirpatch.html>).
    FhirPath(Box<Resource>),
    /// XML Patch (RFC 5261).
    Xml(Element),
}

/// The resource a change is made on, and what must hold for it.
pub(crate) struct On<'a> {
    pub(crate) resource_type: TypeId,
    pub(crate) id: &'a str,
    pub(crate) if_match: Option<u64>,
    pub(crate) condition: Option<Box<Condition>>,
}

/// A patch has at most so many operations.
const MAX_OPERATIONS: usize = 1000;

/// A patch that cannot be applied.
pub(crate) fn unprocessable(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Unprocessable, IssueType::Processing, message)
}

impl Patch {
    /// Reads a JSON Patch.
    ///
    /// # Errors
    /// Text that is none.
    pub fn json(text: &[u8]) -> Result<Patch, Failure> {
        serde_json::from_slice(text).map(Patch::Json).map_err(|e| {
            let message =
                format!("not a JSON Patch (an array of operations with op and path, RFC 6902): {e}");
            Failure::new(Kind::Invalid, IssueType::Structure, message)
        })
    }

    /// Reads an XML Patch.
    ///
    /// # Errors
    /// Text that is none.
    pub fn xml(text: &str) -> Result<Patch, Failure> {
        Element::parse(text).map(Patch::Xml).map_err(|e| {
            Failure::new(Kind::Invalid, IssueType::Structure, format!("not an XML Patch (RFC 5261): {e}"))
        })
    }

    /// Reads a FHIRPath Patch.
    ///
    /// # Errors
    /// A resource that is no Parameters.
    pub fn fhirpath(parameters: Resource) -> Result<Patch, Failure> {
        let found = parameters.root().type_name();
        if found == "Parameters" {
            return Ok(Patch::FhirPath(Box::new(parameters)));
        }
        let message = format!("a FHIRPath Patch is a Parameters resource, found a {found}");
        Err(Failure::new(Kind::Invalid, IssueType::Structure, message))
    }

    /// The patch an entry of a Bundle carries: Parameters, or a Binary of a patch's media type
    /// (<https://hl7.org/fhir/R4/http.html#patch>).
    ///
    /// # Errors
    /// What is no patch.
    pub fn of_entry(resource: NodeRef<'_>, limits: &Limits) -> Result<Patch, Failure> {
        if resource.type_name() != "Binary" {
            let text = resource.raw();
            return Patch::fhirpath(fhir::json::parse(text.as_bytes(), limits)?);
        }
        let kind = resource.text_at("contentType").unwrap_or_default();
        let data: String =
            resource.text_at("data").unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
        let data = data_encoding::BASE64.decode(data.as_bytes()).map_err(|e| {
            Failure::new(Kind::Invalid, IssueType::Value, format!("not base64: {e}")).under("data")
        })?;
        match kind.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Patch::json(&data),
            "application/xml-patch+xml" => Patch::xml(&String::from_utf8_lossy(&data)),
            other => {
                let message = format!(
                    "a patch in a Binary is application/json-patch+json or application/xml-patch+xml, found '{other}'"
                );
                Err(Failure::new(Kind::Invalid, IssueType::NotSupported, message).under("contentType"))
            }
        }
    }

    /// What becomes of a resource.
    ///
    /// # Errors
    /// An operation that does not apply, a result that is no resource.
    pub fn apply(&self, resource: &Resource, limits: &Limits) -> Result<Resource, Failure> {
        let patched = match self {
            Patch::Json(patch) => {
                let text = json::apply(resource.text(), patch, limits)?;
                fhir::json::parse(text.as_bytes(), limits)
            }
            Patch::FhirPath(parameters) => return fhirpath::apply(resource, parameters.root(), limits),
            Patch::Xml(patch) => {
                let document =
                    fhir::xml::to_xml(resource.root()).map_err(|e| unprocessable(e.to_string()))?;
                let mut document = Element::parse(&document).map_err(unprocessable)?;
                xml::apply(&mut document, patch)?;
                fhir::xml::parse(document.to_xml().as_bytes(), limits)
            }
        };
        patched.map_err(refused)
    }
}

/// A result that is no resource: that is the patch's fault.
pub(crate) fn refused(issues: Vec<fhir::Issue>) -> Failure {
    Failure { kind: Kind::Unprocessable, ..Failure::invalid(issues) }
}

impl Hub {
    /// Prepares a patched version of a resource.
    ///
    /// # Errors
    /// If there is none, it is not the version required, or the patch does not apply.
    pub fn patch(
        &self,
        access: &Access,
        resource_type: TypeId,
        id: &str,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        if let Some(repeated) = self.repeated(access, options)? {
            return Ok(repeated);
        }
        let on = On { resource_type, id, if_match: options.if_match, condition: None };
        let command = self.patched(access, on, patch)?;
        Ok(self.prepared(access, self.with_provenance(vec![command], options)?, options.once))
    }

    /// Prepares a patched version of the one resource a search finds.
    ///
    /// # Errors
    /// As [`Hub::patch`]; a search that finds none or several.
    pub fn patch_by(
        &self,
        access: &Access,
        resource_type: TypeId,
        text: &str,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        if let Some(repeated) = self.repeated(access, options)? {
            return Ok(repeated);
        }
        let (id, condition) = self.patch_target(access, resource_type, text)?;
        let on = On { resource_type, id: &id, if_match: options.if_match, condition: Some(condition) };
        let command = self.patched(access, on, patch)?;
        Ok(self.prepared(access, self.with_provenance(vec![command], options)?, options.once))
    }

    /// The one resource a conditional patch is for.
    pub(crate) fn patch_target(
        &self,
        access: &Access,
        resource_type: TypeId,
        text: &str,
    ) -> Result<(String, Box<Condition>), Failure> {
        let condition = self.condition(access, resource_type, text, 1)?;
        let Some(id) = condition.found.first().cloned() else {
            let message = format!("{}?{text} finds nothing to patch", r4().type_name(resource_type));
            return Err(Failure::new(Kind::NotFound, IssueType::NotFound, message));
        };
        Ok((id, condition))
    }

    fn patched(&self, access: &Access, on: On<'_>, patch: &Patch) -> Result<Command, Failure> {
        let change = |current: &Resource| patch.apply(current, &self.limits);
        self.changed(access, on, &Substitutions::new(), &change)
    }

    /// The command that makes of the current version of a resource what `change` makes of it.
    pub(crate) fn changed(
        &self,
        access: &Access,
        on: On<'_>,
        substitutions: &Substitutions,
        change: &dyn Fn(&Resource) -> Result<Resource, Failure>,
    ) -> Result<Command, Failure> {
        let On { resource_type, id, if_match, condition } = on;
        let kept = self.read(access, resource_type, id, None)?;
        let current = fhir::json::parse(kept.json().as_bytes(), &self.limits)?;
        let name = format!("{}/{id}", r4().type_name(resource_type));
        let changed = change(&current)?;
        let root = changed.root();
        if root.value_type() != resource_type || root.id().as_deref() != Some(id) {
            return Err(unprocessable(format!(
                "a patch must not change what a resource is: {name} would become {}/{}",
                root.type_name(),
                root.id().unwrap_or_default()
            )));
        }
        let (draft, references) = self.draft(root, id, substitutions)?;
        Ok(Command {
            if_match,
            condition,
            based_on: Some(kept.version),
            ..Command::new(resource_type, id, Action::Replace { draft, references })
        })
    }
}

/// A resource that says of itself that it is not whole must not take the place of the whole
/// (<https://hl7.org/fhir/R4/search.html#summary>).
pub(crate) fn not_a_part(root: NodeRef<'_>) -> Result<(), Failure> {
    let is_part = root.child("meta").is_some_and(|meta| {
        meta.all("tag").any(|tag| {
            tag.text_at("code").as_deref() == Some("SUBSETTED")
                && tag.text_at("system").as_deref() == Some(Subset::TAG_SYSTEM)
        })
    });
    if !is_part {
        return Ok(());
    }
    let message = "this is a part of a resource (it is tagged SUBSETTED) and would take the place of the whole; read it without _summary and _elements, and send that";
    Err(Failure::new(Kind::Invalid, IssueType::BusinessRule, message).under(root.type_name()))
}
