//! What FHIR adds (<https://hl7.org/fhir/R4/fhirpath.html#functions>).

use fhir::{NodeRef, Reference, r4, xhtml};

use super::Call;
use crate::error::Error;
use crate::evaluate::{Scope, boolean};
use crate::value::{Collection, Item};

type Outcome<'a> = Result<Collection<'a>, Error>;

fn extensions<'a>(scope: &Scope<'a, '_>, call: &Call<'_, 'a>) -> Outcome<'a> {
    let url = scope.text(&call.arguments[0], "extension()")?;
    let Some(url) = url else { return Ok(Vec::new()) };
    let nodes = call.input.iter().filter_map(Item::node);
    let found = nodes
        .flat_map(|n| n.all("extension"))
        .filter(|e| e.child("url").and_then(NodeRef::value).as_deref() == Some(&url));
    Ok(found.map(Item::Node).collect())
}

pub(super) fn extension<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    extensions(scope, &call)
}

pub(super) fn has_extension<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(boolean(!extensions(scope, &call)?.is_empty()))
}

pub(super) fn has_value<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let has = match call.input.as_slice() {
        [Item::Node(node)] => node.has_value(),
        [Item::Value(_)] => true,
        _ => false,
    };
    Ok(boolean(has))
}

pub(super) fn get_value<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(match call.input.as_slice() {
        [Item::Node(node)] if node.has_value() => {
            call.input[0].value().map(|v| v.into_owned().into()).into_iter().collect()
        }
        [Item::Value(_)] => call.input,
        _ => Vec::new(),
    })
}

/// The resources that references (and URIs) point at: contained ones and what the resolver finds; for the others a
/// stub of the type the reference names.
pub(super) fn resolve<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let mut found = Vec::new();
    for item in &call.input {
        scope.spend(1)?;
        let Some(node) = item.node() else { continue };
        let is_reference = r4().is_a(node.value_type(), r4().well_known().reference);
        let literal =
            if is_reference { node.child("reference").and_then(NodeRef::value) } else { node.value() };
        match literal {
            Some(text) => found.extend(resolve_text(scope, node, &text)),
            None if is_reference => {
                let named = node.child("type").and_then(NodeRef::value);
                found.extend(named.and_then(|n| r4().resource_type(&n)).map(Item::Stub));
            }
            None => {}
        }
    }
    Ok(found)
}

fn resolve_text<'a>(scope: &Scope<'a, '_>, reference: NodeRef<'a>, text: &str) -> Option<Item<'a>> {
    match Reference::parse(text) {
        Reference::Contained(id) => {
            let container = scope.context().root_resource;
            if id.is_empty() {
                return Some(Item::Node(container));
            }
            container.all("contained").find(|c| c.id().as_deref() == Some(id)).map(Item::Node)
        }
        Reference::Rest { resource_type, .. } | Reference::Conditional { resource_type, .. } => {
            let resolved = scope.context().resolver.and_then(|r| r.resolve(text));
            Some(resolved.map_or(Item::Stub(resource_type), Item::Node))
        }
        Reference::Other(_) => {
            let resolved = scope.context().resolver.and_then(|r| r.resolve(text));
            let named = reference.child("type").and_then(NodeRef::value);
            resolved.map(Item::Node).or_else(|| named.and_then(|n| r4().resource_type(&n)).map(Item::Stub))
        }
    }
}

pub(super) fn html_checks<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let are_good = call.input.iter().all(|item| item.string().is_none_or(|text| xhtml::check(&text).is_ok()));
    Ok(boolean(are_good))
}
