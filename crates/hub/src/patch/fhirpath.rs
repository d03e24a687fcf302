//! FHIRPath Patch (<https://hl7.org/fhir/R4/fhirpatch.html>): add, insert, delete, replace, move.
//!
//! Each operation changes the resource's XML tree, in which an element and its values are one thing, and the outcome is
//! read anew, so that the next operation's path sees it and nothing that is no resource comes out.

use ::fhirpath::{Context, Expression};
use fhir::xml::dom::{Element, Part};
use fhir::xml::{element_name, to_xml_named};
use fhir::{Limits, NodeRef, Resource, TypeId, r4};

use super::json::too_many;
use super::{MAX_OPERATIONS, refused, unprocessable};
use crate::Failure;

/// What becomes of a resource.
///
/// # Errors
/// The first operation that does not apply, and why.
pub fn apply(resource: &Resource, parameters: NodeRef<'_>, limits: &Limits) -> Result<Resource, Failure> {
    let count = parameters.all("parameter").count();
    if count > MAX_OPERATIONS {
        return Err(too_many(count));
    }
    let mut current = resource.clone();
    let operations = parameters.all("parameter").enumerate();
    for (at, operation) in operations {
        let done = Operation::read(operation)
            .and_then(|operation| operation.change(&current))
            .map_err(|message| unprocessable(message).under(&format!("Parameters.parameter[{at}]")))?;
        if let Some(document) = done {
            current = fhir::xml::parse(document.to_xml().as_bytes(), limits)
                .map_err(|issues| refused(issues).under(&format!("Parameters.parameter[{at}]")))?;
        }
    }
    Ok(current)
}

/// One operation, as its parts say.
struct Operation<'p> {
    kind: String,
    path: String,
    name: Option<String>,
    value: Option<NodeRef<'p>>,
    index: Option<usize>,
    source: Option<usize>,
    destination: Option<usize>,
}

impl<'p> Operation<'p> {
    fn read(parameter: NodeRef<'p>) -> Result<Operation<'p>, String> {
        if parameter.text_at("name").as_deref() != Some("operation") {
            return Err("each parameter of a FHIRPath Patch is named operation".to_owned());
        }
        let part = |name: &str| parameter.all("part").find(|p| p.text_at("name").as_deref() == Some(name));
        let text = |name: &str| part(name).and_then(|p| p.text_at("value")).map(String::from);
        let number = |name: &str| match text(name) {
            None => Ok(None),
            Some(text) => {
                text.parse().map(Some).map_err(|_| format!("{name}: '{text}' is not a whole number from 0"))
            }
        };
        Ok(Operation {
            kind: text("type").ok_or("the operation needs a type: add, insert, delete, replace or move")?,
            path: text("path").ok_or("the operation needs a path, in FHIRPath")?,
            name: text("name"),
            value: part("value"),
            index: number("index")?,
            source: number("source")?,
            destination: number("destination")?,
        })
    }

    /// The changed document; `None` if there is nothing to change.
    fn change(&self, resource: &Resource) -> Result<Option<Element>, String> {
        let expression = Expression::parse(&self.path).map_err(|e| format!("path '{}': {e}", self.path))?;
        let found = expression
            .evaluate(&Context::new(resource.root()))
            .map_err(|e| format!("path '{}': {e}", self.path))?;
        let mut nodes = Vec::with_capacity(found.len());
        for item in &found {
            let node = item.node().ok_or_else(|| {
                format!("path '{}' gives a value, not an element of the resource", self.path)
            })?;
            nodes.push(node);
        }
        let document = fhir::xml::to_xml(resource.root()).map_err(|e| e.to_string())?;
        let mut document = Element::parse(&document)?;
        let is_changed = match self.kind.as_str() {
            "add" => self.add(&mut document, self.one(&nodes)?)?,
            "insert" => self.insert(&mut document, &nodes)?,
            "delete" => match nodes.as_slice() {
                [] => false,
                nodes => {
                    delete(&mut document, self.one(nodes)?)?;
                    true
                }
            },
            "replace" => self.replace(&mut document, self.one(&nodes)?)?,
            "move" => self.move_within(&mut document, &nodes)?,
            other => {
                return Err(format!("'{other}' is no operation; add, insert, delete, replace and move are"));
            }
        };
        Ok(is_changed.then_some(document))
    }

    fn one<'n>(&self, nodes: &[NodeRef<'n>]) -> Result<NodeRef<'n>, String> {
        match nodes {
            [only] => Ok(*only),
            [] => Err(format!("path '{}' finds nothing", self.path)),
            _ => Err(format!("path '{}' finds {} elements; it must find one", self.path, nodes.len())),
        }
    }

    fn value(&self) -> Result<NodeRef<'p>, String> {
        self.value.ok_or_else(|| format!("{} needs a value", self.kind))
    }

    fn add(&self, document: &mut Element, owner: NodeRef<'_>) -> Result<bool, String> {
        let name = self.name.as_deref().ok_or("add needs the name of the element to add")?;
        let value = self.value()?;
        let element = named(owner.value_type(), name, value)?;
        let place = locate(document, owner)?;
        let last = place.children.iter().rposition(|part| is_named(part, &element.name));
        let at = last.map_or(place.children.len(), |at| at + 1);
        place.children.insert(at, Part::Element(element));
        Ok(true)
    }

    fn insert(&self, document: &mut Element, list: &[NodeRef<'_>]) -> Result<bool, String> {
        let index = self.index.ok_or("insert needs an index")?;
        let Some(first) = list.first() else {
            return Err(format!("path '{}' finds no list to insert into; add the first one", self.path));
        };
        if index > list.len() {
            return Err(format!("index {index} is beyond the end of the list, which has {}", list.len()));
        }
        let name = element_name(first.element(), first.value_type());
        let element = built(&name, first.value_type(), self.value()?)?;
        let (owner, at) = match list.get(index) {
            Some(node) => position(document, *node)?,
            None => {
                let (owner, at) = position(document, list[list.len() - 1])?;
                (owner, at + 1)
            }
        };
        owner.children.insert(at, Part::Element(element));
        Ok(true)
    }

    fn replace(&self, document: &mut Element, target: NodeRef<'_>) -> Result<bool, String> {
        let value = self.value()?;
        let element = target.element();
        if target.index() == 0 {
            return Err("the whole resource is replaced by an update (PUT), not by a patch".to_owned());
        }
        let built = if target.type_name() == "xhtml" {
            Element::parse(&value.text_at("value").unwrap_or_default())?
        } else if element.is_choice {
            let typed = value.child("value").map_or(target.value_type(), NodeRef::value_type);
            built(&element_name(element, typed), typed, value)?
        } else {
            built(element.name, target.value_type(), value)?
        };
        let (owner, at) = position(document, target)?;
        owner.children[at] = Part::Element(built);
        Ok(true)
    }

    fn move_within(&self, document: &mut Element, list: &[NodeRef<'_>]) -> Result<bool, String> {
        let (source, destination) =
            (self.source.ok_or("move needs a source")?, self.destination.ok_or("move needs a destination")?);
        let place = |at: usize| {
            list.get(at)
                .copied()
                .ok_or_else(|| format!("index {at} is beyond the end of the list, which has {}", list.len()))
        };
        let (from, to) = (place(source)?, place(destination)?);
        let (_, at) = position(document, to)?;
        let moved = take(document, from)?;
        // With one taken out from before it, this is the place behind the destination: the list is in one piece.
        let owner = owner_of(document, from)?;
        owner.children.insert(at.min(owner.children.len()), moved);
        Ok(true)
    }
}

fn is_named(part: &Part, name: &str) -> bool {
    matches!(part, Part::Element(element) if element.name == name)
}

/// The element of a type with this name, holding a value.
fn named(owner: TypeId, name: &str, value: NodeRef<'_>) -> Result<Element, String> {
    let definition = r4().type_of(owner);
    let typed = value.child("value").map(NodeRef::value_type);
    let id = match r4().element_named(owner, name) {
        Some((_, id)) => id,
        // A choice may be named with its type.
        None => match definition.properties.get(name).filter(|p| !p.is_companion) {
            Some(property) => property.element,
            None => {
                let names = definition.elements.iter().map(|e| r4().element(*e).name);
                let near = fhir::issue::nearest(name, names);
                let hint = if near.is_empty() {
                    String::new()
                } else {
                    format!(" (did you mean {}?)", near.join(" or "))
                };
                return Err(format!("{} has no element '{name}'{hint}", definition.name));
            }
        },
    };
    let element = r4().element(id);
    if element.is_choice {
        let Some(typed) = typed else {
            return Err(format!("{name} may have several types; give a value of one of them"));
        };
        return built(&element_name(element, typed), typed, value);
    }
    let value_type = definition.properties.get(element.name).map_or(owner, |p| p.value_type);
    built(element.name, value_type, value)
}

/// An element with the value of a parameter's part: a value, a resource, or parts of its own.
fn built(name: &str, value_type: TypeId, part: NodeRef<'_>) -> Result<Element, String> {
    if let Some(value) = part.child("value") {
        let xml = to_xml_named(value, name).map_err(|e| e.to_string())?;
        return Element::parse(&xml);
    }
    let mut element =
        Element { name: name.to_owned(), namespace: fhir::xml::NAMESPACE.to_owned(), ..Element::default() };
    if let Some(resource) = part.child("resource") {
        let xml = fhir::xml::to_xml(resource).map_err(|e| e.to_string())?;
        element.push(Part::Element(Element::parse(&xml)?));
        return Ok(element);
    }
    let mut has_parts = false;
    for inner in part.all("part") {
        has_parts = true;
        let inner_name = inner.text_at("name").unwrap_or_default();
        if inner_name == "id" || (inner_name == "url" && value_type == r4().well_known().extension) {
            let text = inner.text_at("value").unwrap_or_default();
            element.attributes.push((inner_name.into_owned(), text.into_owned()));
            continue;
        }
        element.push(Part::Element(named(value_type, &inner_name, inner)?));
    }
    if has_parts { Ok(element) } else { Err(format!("the value for {name} is empty")) }
}

/// A step into a document: a name, and the place among those of the same name.
type Step = (String, usize);

/// The way from a document's root to a node.
fn address(target: NodeRef<'_>) -> Vec<Step> {
    let mut way = Vec::new();
    if let Some(root) = target.document().node_at(0) {
        walk(root, target, &mut way);
    }
    way
}

fn walk(node: NodeRef<'_>, target: NodeRef<'_>, way: &mut Vec<Step>) -> bool {
    if node == target {
        return true;
    }
    let mut counts: Vec<Step> = Vec::new();
    for child in node.children() {
        let name = if child.type_name() == "xhtml" {
            child.name().to_owned()
        } else {
            element_name(child.element(), child.value_type()).into_owned()
        };
        let at = match counts.iter_mut().find(|(n, _)| *n == name) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                counts.push((name.clone(), 0));
                0
            }
        };
        let depth = way.len();
        way.push((name, at));
        if child.is_resource() {
            way.push((child.type_name().to_owned(), 0));
        }
        if walk(child, target, way) {
            return true;
        }
        way.truncate(depth);
    }
    false
}

fn step<'d>(element: &'d mut Element, name: &str, nth: usize) -> Result<&'d mut Element, String> {
    let found = element.children.iter_mut().filter_map(|part| match part {
        Part::Element(element) if element.local_name() == name => Some(element),
        _ => None,
    });
    found
        .into_iter()
        .nth(nth)
        .ok_or_else(|| format!("{name} is an attribute or a value, which a patch reaches through its owner"))
}

/// The element of a node.
fn locate<'d>(document: &'d mut Element, node: NodeRef<'_>) -> Result<&'d mut Element, String> {
    let mut place = document;
    for (name, nth) in address(node) {
        place = step(place, &name, nth)?;
    }
    Ok(place)
}

/// The way to the element a node stands in, and the node's own last step.
fn split(node: NodeRef<'_>) -> Result<(Vec<Step>, Step), String> {
    let mut way = address(node);
    if node.is_resource() && way.len() > 1 {
        way.pop();
    }
    let last = way.pop().ok_or("a patch does not take the resource itself away; delete it")?;
    Ok((way, last))
}

fn owner_of<'d>(document: &'d mut Element, node: NodeRef<'_>) -> Result<&'d mut Element, String> {
    let mut place = document;
    for (name, nth) in split(node)?.0 {
        place = step(place, &name, nth)?;
    }
    Ok(place)
}

/// The element a node stands in, and its place there.
fn position<'d>(document: &'d mut Element, node: NodeRef<'_>) -> Result<(&'d mut Element, usize), String> {
    let (_, (name, nth)) = split(node)?;
    let owner = owner_of(document, node)?;
    let places = owner.children.iter().enumerate().filter(|(_, part)| match part {
        Part::Element(element) => element.local_name() == name,
        _ => false,
    });
    let at = places.map(|(at, _)| at).nth(nth);
    let at = at.ok_or_else(|| format!("{name} is an attribute; replace its owner instead"))?;
    Ok((owner, at))
}

/// Takes a node's element out.
fn take(document: &mut Element, node: NodeRef<'_>) -> Result<Part, String> {
    let (owner, at) = position(document, node)?;
    Ok(owner.children.remove(at))
}

/// Removes a node; `id` and `url` of elements are attributes.
fn delete(document: &mut Element, node: NodeRef<'_>) -> Result<(), String> {
    let (_, (name, _)) = split(node)?;
    let owner = owner_of(document, node)?;
    match owner.attributes.iter().position(|(n, _)| *n == name) {
        Some(at) => {
            owner.attributes.remove(at);
        }
        None => {
            take(document, node)?;
        }
    }
    // An element that says nothing more goes as well.
    let mut way = split(node)?.0;
    while let Some((name, nth)) = way.pop() {
        let mut owner = &mut *document;
        for (name, nth) in &way {
            owner = step(owner, name, *nth)?;
        }
        let is_emptied = |part: &Part| match part {
            Part::Element(e) => e.local_name() == name && e.children.is_empty() && e.attributes.is_empty(),
            _ => false,
        };
        let same = owner
            .children
            .iter()
            .enumerate()
            .filter(|(_, p)| matches!(p, Part::Element(e) if e.local_name() == name));
        let Some((at, part)) = same.into_iter().nth(nth) else { break };
        if !is_emptied(part) {
            break;
        }
        owner.children.remove(at);
    }
    Ok(())
}
