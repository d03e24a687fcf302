//! A resource made ready to be written: everything about it that can be computed before its commit has a place.

use std::collections::BTreeMap;

use fhir::body::{Body, Edit, KeptLabels};
use fhir::definitions::TypeKind;
use fhir::json::quote;
use fhir::primitive::Primitive;
use fhir::{Issue, IssueType, Limits, NodeRef, Resource, r4};
use search::{Extracted, Zone, extract};

/// A resource made ready to be written.
#[derive(Debug)]
pub struct Draft {
    /// Its text.
    pub body: Body,
    /// What it says to the index.
    pub extracted: Extracted,
    /// References that are searches (`Patient?identifier=…`), to be resolved when it is committed.
    pub conditional: Vec<String>,
    /// Whether it has tags or security labels.
    pub has_labels: bool,
}

/// References and what stands instead of them.
pub type Substitutions = BTreeMap<String, String>;

impl Draft {
    /// The draft of the resource at `root` under this id, with references substituted.
    ///
    /// # Errors
    /// What about it cannot be indexed.
    pub fn new(
        root: NodeRef<'_>,
        id: &str,
        substitutions: &Substitutions,
        zone: &Zone,
    ) -> Result<Draft, Issue> {
        let edits = if substitutions.is_empty() { Vec::new() } else { edits(root, substitutions) };
        let body = Body::new(root, id, &edits, &KeptLabels::default());
        if edits.is_empty() { Draft::of(body, root, id, zone) } else { Draft::of_body(body, id, zone) }
    }

    /// The draft of a text that is final but for its version.
    ///
    /// # Errors
    /// What about it cannot be read or indexed.
    pub fn of_body(body: Body, id: &str, zone: &Zone) -> Result<Draft, Issue> {
        let resource = read(&body)?;
        Draft::of(body, resource.root(), id, zone)
    }

    fn of(body: Body, root: NodeRef<'_>, id: &str, zone: &Zone) -> Result<Draft, Issue> {
        let mut extracted = extract(root, id, zone)
            .map_err(|e| Issue::error(IssueType::TooCostly, e).at(root.type_name()))?;
        let conditional = std::mem::take(&mut extracted.conditional);
        let has_labels =
            root.child("meta").is_some_and(|m| m.child("tag").is_some() || m.child("security").is_some());
        Ok(Draft { body, extracted, conditional, has_labels })
    }

    /// The same resource with references substituted and labels added.
    ///
    /// # Errors
    /// As [`Draft::new`].
    pub fn rewritten(
        &self,
        id: &str,
        substitutions: &Substitutions,
        labels: &KeptLabels,
        zone: &Zone,
    ) -> Result<Draft, Issue> {
        let resource = read(&self.body)?;
        let edits = edits(resource.root(), substitutions);
        Draft::of_body(Body::new(resource.root(), id, &edits, labels), id, zone)
    }
}

/// Reads a text this hub has accepted before.
/// A body as a resource. Its text alone may not read: a `meta` whose members are all the hub's is empty in it.
fn read(body: &Body) -> Result<Resource, Issue> {
    let mut text = String::with_capacity(body.text.len() + 64);
    body.write("1", "1970-01-01T00:00:00Z", &mut text);
    let limits = Limits { resource_bytes: usize::MAX, ..Limits::default() };
    fhir::json::parse(text.as_bytes(), &limits).map_err(|mut issues| issues.swap_remove(0))
}

/// Where substituted references stand: in References, in elements of type uri, url, oid and uuid, and in the narrative's
/// links and images (<https://hl7.org/fhir/R4/http.html#trules>).
fn edits(root: NodeRef<'_>, substitutions: &Substitutions) -> Vec<Edit> {
    let mut edits = Vec::new();
    let reference = r4().well_known().reference;
    for node in root.descendants() {
        let definition = node.type_definition();
        if node.value_type() == reference {
            if let Some(literal) = node.child("reference") {
                edits.extend(replace(literal, substitutions));
            }
        } else if definition.kind == TypeKind::Primitive {
            match definition.primitive {
                Some(Primitive::Uri | Primitive::Url | Primitive::Oid | Primitive::Uuid) => {
                    edits.extend(replace(node, substitutions));
                }
                Some(Primitive::Xhtml) => edits.extend(replace_in_narrative(node, substitutions)),
                _ => {}
            }
        }
    }
    edits
}

fn replace(node: NodeRef<'_>, substitutions: &Substitutions) -> Option<Edit> {
    let value = node.value()?;
    // A version or fragment after the reference stays.
    let end =
        value.find("/_history/").or_else(|| value.rfind('#').filter(|at| *at > 0)).unwrap_or(value.len());
    let (target, rest) = match substitutions.get(value.as_ref()) {
        Some(target) => (target, ""),
        None => (substitutions.get(&value[..end])?, &value[end..]),
    };
    Some(Edit { start: node.node().start, end: node.node().end, text: escaped(&format!("{target}{rest}")) })
}

fn replace_in_narrative(node: NodeRef<'_>, substitutions: &Substitutions) -> Option<Edit> {
    let value = node.value()?;
    let mut text = value.to_string();
    for (from, to) in substitutions {
        if !text.contains(from.as_str()) {
            continue;
        }
        for attribute in ["href", "src"] {
            for quote in ['"', '\''] {
                text = text.replace(
                    &format!("{attribute}={quote}{from}{quote}"),
                    &format!("{attribute}={quote}{to}{quote}"),
                );
            }
        }
    }
    (text != value).then(|| Edit { start: node.node().start, end: node.node().end, text: escaped(&text) })
}

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quote(&mut quoted, text);
    quoted[1..quoted.len() - 1].to_owned()
}

/// The labels of a body that another does not have: what survives an update (JSON of each Coding).
///
/// # Errors
/// If one of the texts does not read.
pub(crate) fn kept_labels(old: &Body, new: &Body) -> Result<KeptLabels, Issue> {
    let (old, new) = (read(old)?, read(new)?);
    let identity = |label: NodeRef<'_>| {
        let part = |name: &str| label.child(name).and_then(NodeRef::value).map(String::from);
        (part("system"), part("code"))
    };
    let missing = |name: &str| {
        let of = |resource: &Resource| {
            let labels =
                resource.root().child("meta").into_iter().flat_map(|m| m.all(name).collect::<Vec<_>>());
            labels.map(|l| (identity(l), l.raw().to_owned())).collect::<Vec<_>>()
        };
        let present = of(&new);
        let lost = of(&old).into_iter().filter(|(id, _)| !present.iter().any(|(other, _)| other == id));
        lost.map(|(_, json)| json).collect()
    };
    Ok(KeptLabels { tags: missing("tag"), security: missing("security") })
}
