//! Keys that join the rows of one view to those of another (SQL on FHIR v2).
//!
//! A key is `Type/id`: ids alone are not unique among the types. What refers to another server keeps its address,
//! because nothing here has that key.

use std::borrow::Cow;

use fhir::{NodeRef, Reference, r4};

use super::Call;
use crate::error::Error;
use crate::evaluate::Scope;
use crate::types::TypeSpecifier;
use crate::value::{Collection, Item, Value};

type Outcome<'a> = Result<Collection<'a>, Error>;

fn text(value: String) -> Item<'static> {
    Item::Value(Value::String(value.into()))
}

pub(super) fn get_resource_key<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    call.input
        .iter()
        .filter_map(|item| match item.node() {
            Some(node) if node.is_resource() => {
                node.id().map(|id| Ok(text(format!("{}/{id}", node.type_name()))))
            }
            _ => Some(Err(Error::new("getResourceKey() is asked of a resource, not of one of its elements"))),
        })
        .collect()
}

pub(super) fn get_reference_key<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let wanted = call.specifier;
    let mut found = Vec::with_capacity(call.input.len());
    for item in &call.input {
        let reference = item.node().filter(|n| r4().is_a(n.value_type(), r4().well_known().reference));
        let reference = reference.ok_or_else(|| Error::new("getReferenceKey() is asked of a Reference"))?;
        found.extend(reference_key(reference, wanted).map(|key| text(key.into_owned())));
    }
    Ok(found)
}

/// The key of what a Reference points at; `None` if that is of another type, contained, or not said literally.
pub(crate) fn reference_key(reference: NodeRef<'_>, wanted: Option<TypeSpecifier>) -> Option<Cow<'_, str>> {
    let literal = reference.child("reference")?.value()?;
    // What most references say: a type and an id, and nothing else.
    if let (Some(TypeSpecifier::Fhir(id)), Cow::Borrowed(text)) = (wanted, &literal)
        && let Some(rest) = text.strip_prefix(r4().type_name(id)).and_then(|rest| rest.strip_prefix('/'))
        && fhir::primitive::is_id(rest)
    {
        return Some(literal);
    }
    let fits = |found: Option<fhir::TypeId>| match wanted {
        None => true,
        Some(TypeSpecifier::Fhir(id)) => found.is_some_and(|found| r4().is_a(found, id)),
        Some(_) => false,
    };
    let (found, length) = match Reference::parse(&literal) {
        Reference::Contained(_) | Reference::Conditional { .. } => return None,
        Reference::Rest { resource_type, version, .. } => {
            let pinned = version.map_or(0, |v| v.len() + "/_history/".len());
            (Some(resource_type), literal.len().saturating_sub(pinned))
        }
        Reference::Other(_) => {
            let named = reference.child("type").and_then(NodeRef::value);
            (named.and_then(|n| r4().resource_type(&n)), literal.len())
        }
    };
    fits(found).then(|| match literal {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..length).unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(text.get(..length).unwrap_or(&text).to_owned()),
    })
}
