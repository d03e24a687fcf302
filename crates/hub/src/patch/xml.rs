//! XML Patch (<https://datatracker.ietf.org/doc/html/rfc5261>): add, replace, remove.

use fhir::xml::dom::{Element, MAX_DEPTH, Part};

use super::json::too_many;
use super::selector::{Target, element_at_mut, select};
use super::{MAX_OPERATIONS, unprocessable};
use crate::Failure;

/// Changes a document as a patch says: an element whose child elements are the operations.
///
/// # Errors
/// The first operation that does not apply, and why.
pub fn apply(document: &mut Element, patch: &Element) -> Result<(), Failure> {
    if patch.elements().next().is_none() {
        return Err(unprocessable("the patch has no operations; add, replace and remove are"));
    }
    let count = patch.elements().count();
    if count > MAX_OPERATIONS {
        return Err(too_many(count));
    }
    // The document's own node, which has the root as its child.
    let root = std::mem::take(document);
    let mut top = Element { children: vec![Part::Element(root)], ..Element::default() };
    for (at, operation) in patch.elements().enumerate() {
        let prefixes = |prefix: &str| namespace(prefix, operation, patch);
        change(&mut top, operation, &prefixes)
            .map_err(|message| unprocessable(format!("operation {}: {message}", at + 1)))?;
    }
    if let Some(Part::Element(root)) = top.children.pop() {
        *document = root;
    }
    Ok(())
}

/// What a prefix of a selector stands for.
fn namespace(prefix: &str, operation: &Element, patch: &Element) -> Option<String> {
    let declaration = format!("xmlns:{prefix}");
    let declared = operation.attribute(&declaration).or_else(|| patch.attribute(&declaration));
    declared.map(str::to_owned).or_else(|| match prefix {
        "f" => Some(fhir::xml::NAMESPACE.to_owned()),
        "h" => Some(fhir::xhtml::NAMESPACE.to_owned()),
        _ => None,
    })
}

fn change(
    document: &mut Element,
    operation: &Element,
    prefixes: &dyn Fn(&str) -> Option<String>,
) -> Result<(), String> {
    let selector =
        operation.attribute("sel").ok_or("it needs the attribute sel, which selects what it is about")?;
    let target = select(document, selector, prefixes)?;
    let (Target::Part(way) | Target::Attribute(way, _)) = &target;
    if way.len() + operation.depth() > MAX_DEPTH {
        return Err(format!("the document would be nested more than {MAX_DEPTH} deep"));
    }
    match operation.local_name() {
        "add" => add(document, operation, target),
        "replace" => replace(document, operation, target),
        "remove" => remove(document, operation, target),
        other => Err(format!("<{other}> is no operation; add, replace and remove are")),
    }
}

const LOST: &str = "what was selected is not an element";

fn add(document: &mut Element, operation: &Element, target: Target) -> Result<(), String> {
    let Target::Part(way) = target else { return Err("add selects an element, not an attribute".to_owned()) };
    if let Some(kind) = operation.attribute("type") {
        let name = match (kind.strip_prefix('@'), kind.strip_prefix("namespace::")) {
            (Some(name), _) => name.to_owned(),
            (None, Some(prefix)) => format!("xmlns:{prefix}"),
            _ => return Err(format!("type '{kind}' is neither @name nor namespace::prefix")),
        };
        let element = element_at_mut(document, &way).ok_or(LOST)?;
        if element.attribute(&name).is_some() {
            return Err(format!("the attribute '{name}' is there already; replace it"));
        }
        element.attributes.push((name, operation.text()));
        return Ok(());
    }
    let parts = operation.children.clone();
    match operation.attribute("pos") {
        None => {
            let element = element_at_mut(document, &way).ok_or(LOST)?;
            parts.into_iter().for_each(|part| element.push(part));
        }
        Some("prepend") => {
            let element = element_at_mut(document, &way).ok_or(LOST)?;
            element.children.splice(0..0, parts);
        }
        Some(pos @ ("before" | "after")) => {
            let (at, way) = way
                .split_last()
                .filter(|(_, way)| !way.is_empty())
                .ok_or("nothing can stand beside the root")?;
            let owner = element_at_mut(document, way).ok_or(LOST)?;
            let at = at + usize::from(pos == "after");
            owner.children.splice(at..at, parts);
        }
        Some(other) => return Err(format!("pos '{other}' is none of prepend, before and after")),
    }
    Ok(())
}

fn replace(document: &mut Element, operation: &Element, target: Target) -> Result<(), String> {
    match target {
        Target::Attribute(way, name) => {
            let element = element_at_mut(document, &way).ok_or(LOST)?;
            let text = operation.text();
            element
                .attributes
                .iter_mut()
                .filter(|(n, _)| *n == name)
                .for_each(|(_, value)| value.clone_from(&text));
            Ok(())
        }
        Target::Part(way) => {
            let (at, way) = way.split_last().ok_or(LOST)?;
            let owner = element_at_mut(document, way).ok_or(LOST)?;
            let kind = std::mem::discriminant(&owner.children[*at]);
            let is_same_kind = |part: &&Part| std::mem::discriminant(*part) == kind;
            let is_text = matches!(owner.children[*at], Part::Text(_));
            match operation.children.iter().find(is_same_kind).cloned() {
                Some(part) => owner.children[*at] = part,
                None if is_text => {
                    owner.children.remove(*at);
                }
                None => return Err("what replaces a node must be of its kind".to_owned()),
            }
            Ok(())
        }
    }
}

fn remove(document: &mut Element, operation: &Element, target: Target) -> Result<(), String> {
    match target {
        Target::Attribute(way, name) => {
            let element = element_at_mut(document, &way).ok_or(LOST)?;
            element.attributes.retain(|(n, _)| *n != name);
            Ok(())
        }
        Target::Part(way) => {
            let (at, way) = way
                .split_last()
                .filter(|(_, way)| !way.is_empty())
                .ok_or("a patch does not remove the root; delete the resource")?;
            let owner = element_at_mut(document, way).ok_or(LOST)?;
            owner.children.remove(*at);
            let is_space =
                |part: Option<&Part>| matches!(part, Some(Part::Text(text)) if text.trim().is_empty());
            let space = operation.attribute("ws").unwrap_or_default();
            if matches!(space, "after" | "both") && is_space(owner.children.get(*at)) {
                owner.children.remove(*at);
            }
            if matches!(space, "before" | "both") && *at > 0 && is_space(owner.children.get(at - 1)) {
                owner.children.remove(at - 1);
            }
            Ok(())
        }
    }
}
