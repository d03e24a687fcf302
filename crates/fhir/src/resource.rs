//! One resource: its JSON without insignificant white space, and a tree of nodes that point into it.
//!
//! Nodes stand in one array and are linked by numbers (first child, next sibling). A node does not own its value: it
//! knows where the value's text begins and ends. A 1.3 kB Observation has about 60 nodes of 28 bytes.

use std::borrow::Cow;
use std::fmt;

use crate::definitions::{Definitions, ElementDefinition, ElementId, NameId, TypeDefinition, TypeId, r4};

/// No node.
pub(crate) const NONE: u32 = u32::MAX;

/// What a node's text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// An object; the text includes its braces.
    Object,
    /// A string without escapes; the text is what stands between the quotes.
    Plain,
    /// A string with escapes; the text is what stands between the quotes, undecoded.
    Escaped,
    /// A number; the text is its digits as written.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A primitive without a value, which has only an id or extensions. No text.
    Absent,
}

/// One element of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Which element it is; for a resource's root, the first element of its type (not meaningful).
    pub element: ElementId,
    /// Its element's name.
    pub name: NameId,
    /// The type of its value.
    pub value_type: TypeId,
    /// What its text is.
    pub shape: Shape,
    /// Where its text begins in [`Resource::text`].
    pub start: u32,
    /// Where its text ends.
    pub end: u32,
    /// Where it began in the text as it was sent.
    pub offset: u32,
    pub(crate) first_child: u32,
    pub(crate) next: u32,
}

/// A resource or a Bundle of them.
#[derive(Clone, Debug)]
pub struct Resource {
    pub(crate) text: String,
    pub(crate) nodes: Vec<Node>,
}

impl Resource {
    /// Its JSON, without insignificant white space.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The resource itself.
    #[must_use]
    pub fn root(&self) -> NodeRef<'_> {
        NodeRef { resource: self, at: 0 }
    }

    /// How many nodes it has.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The node at a place, if there is one.
    #[must_use]
    pub fn node_at(&self, at: u32) -> Option<NodeRef<'_>> {
        ((at as usize) < self.nodes.len()).then_some(NodeRef { resource: self, at })
    }
}

/// A place in a resource.
#[derive(Clone, Copy)]
pub struct NodeRef<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) at: u32,
}

impl PartialEq for NodeRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at && std::ptr::eq(self.resource, other.resource)
    }
}

impl Eq for NodeRef<'_> {}

impl fmt::Debug for NodeRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.json())
    }
}

impl<'a> NodeRef<'a> {
    /// The node.
    #[must_use]
    pub fn node(self) -> &'a Node {
        &self.resource.nodes[self.at as usize]
    }

    /// The resource it stands in (the whole document, not the nearest contained one).
    #[must_use]
    pub fn document(self) -> &'a Resource {
        self.resource
    }

    /// Its place among the document's nodes.
    #[must_use]
    pub fn index(self) -> u32 {
        self.at
    }

    fn definitions(self) -> &'static Definitions {
        r4()
    }

    /// The definition of its value's type.
    #[must_use]
    pub fn type_definition(self) -> &'static TypeDefinition {
        self.definitions().type_of(self.node().value_type)
    }

    /// The type of its value.
    #[must_use]
    pub fn value_type(self) -> TypeId {
        self.node().value_type
    }

    /// The name of its value's type.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        self.type_definition().name
    }

    /// Its element's name, without `[x]`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.definitions().names[usize::from(self.node().name.0)]
    }

    /// Its element's definition.
    #[must_use]
    pub fn element(self) -> &'static ElementDefinition {
        self.definitions().element(self.node().element)
    }

    /// Its children in order; values of one element stand together where the text has them so.
    #[must_use]
    pub fn children(self) -> Children<'a> {
        Children { resource: self.resource, at: self.node().first_child }
    }

    /// The children of one element.
    pub fn children_named(self, name: NameId) -> impl Iterator<Item = NodeRef<'a>> {
        self.children().filter(move |c| c.node().name == name)
    }

    /// The first child of one element.
    #[must_use]
    pub fn child_named(self, name: NameId) -> Option<NodeRef<'a>> {
        self.children().find(|c| c.node().name == name)
    }

    /// The children with this name.
    pub fn all(self, name: &str) -> impl Iterator<Item = NodeRef<'a>> + use<'a> {
        let id = self.definitions().name_id(name);
        self.children().filter(move |c| Some(c.node().name) == id)
    }

    /// The first child with this name.
    #[must_use]
    pub fn child(self, name: &str) -> Option<NodeRef<'a>> {
        self.all(name).next()
    }

    /// The first node reached by names separated by dots.
    #[must_use]
    pub fn path(self, path: &str) -> Option<NodeRef<'a>> {
        path.split('.').try_fold(self, NodeRef::child)
    }

    /// The text of the first node reached by names separated by dots.
    #[must_use]
    pub fn text_at(self, path: &str) -> Option<Cow<'a, str>> {
        self.path(path)?.value()
    }

    /// Whether it has a value (a primitive may have extensions only).
    #[must_use]
    pub fn has_value(self) -> bool {
        !matches!(self.node().shape, Shape::Absent | Shape::Object)
    }

    /// The value of a primitive, decoded; `None` for objects and for primitives without a value.
    #[must_use]
    pub fn value(self) -> Option<Cow<'a, str>> {
        match self.node().shape {
            Shape::Object | Shape::Absent => None,
            Shape::Escaped => Some(Cow::Owned(crate::json::unescape(self.raw()))),
            _ => Some(Cow::Borrowed(self.raw())),
        }
    }

    /// Its text as it stands: an object with braces, a string without quotes and undecoded, a number's digits.
    #[must_use]
    pub fn raw(self) -> &'a str {
        let node = self.node();
        &self.resource.text[node.start as usize..node.end as usize]
    }

    /// Its value as JSON.
    #[must_use]
    pub fn json(self) -> Cow<'a, str> {
        match self.node().shape {
            Shape::Plain | Shape::Escaped => {
                let node = self.node();
                Cow::Borrowed(&self.resource.text[node.start as usize - 1..node.end as usize + 1])
            }
            Shape::Absent => Cow::Borrowed("null"),
            _ => Cow::Borrowed(self.raw()),
        }
    }

    /// Whether it is a resource (the root, a contained one, a Bundle's entry).
    #[must_use]
    pub fn is_resource(self) -> bool {
        self.type_definition().is_resource
    }

    /// Its `id`, if it has one.
    #[must_use]
    pub fn id(self) -> Option<Cow<'a, str>> {
        self.child_named(self.definitions().well_known().id)?.value()
    }

    /// Every node below it, in the order of the text.
    pub fn descendants(self) -> impl Iterator<Item = NodeRef<'a>> {
        let mut stack: Vec<u32> = vec![self.node().first_child];
        std::iter::from_fn(move || {
            while let Some(at) = stack.pop() {
                if at == NONE {
                    continue;
                }
                let found = NodeRef { resource: self.resource, at };
                stack.push(found.node().next);
                stack.push(found.node().first_child);
                return Some(found);
            }
            None
        })
    }
}

/// The children of a node.
#[derive(Clone)]
pub struct Children<'a> {
    resource: &'a Resource,
    at: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = NodeRef<'a>;

    fn next(&mut self) -> Option<NodeRef<'a>> {
        if self.at == NONE {
            return None;
        }
        let found = NodeRef { resource: self.resource, at: self.at };
        self.at = found.node().next;
        Some(found)
    }
}
