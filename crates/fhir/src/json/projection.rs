//! Reads of a resource only the elements somebody is going to look at.
//!
//! A [`Projection`] says which, by name, from the root down. A [`ProjectedReader`] walks a text that was checked before
//! (what the hub keeps) and makes nodes of those elements alone; everything else is stepped over without being looked
//! at. What is asked of the nodes it makes is answered as [`super::parse`] would have it. It checks nothing but what it
//! needs to find its way, and never panics on any text.

use std::fmt;

use rustc_hash::FxHashMap;

use super::skip::Skip;
use crate::definitions::{Definitions, NameId, Property, TypeId, TypeKind, r4};
use crate::primitive::{JsonKind, Primitive};
use crate::resource::{NONE, Node, Resource, Shape};

/// A place in a [`Projection`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Place(u32);

#[derive(Clone, Debug, Default)]
struct Wanted {
    whole: bool,
    children: Vec<(NameId, Place)>,
    /// The place it has become one with.
    joined_to: Option<Place>,
}

/// Which elements of a resource are wanted.
#[derive(Clone, Debug)]
pub struct Projection {
    places: Vec<Wanted>,
}

impl Default for Projection {
    fn default() -> Projection {
        Projection { places: vec![Wanted::default()] }
    }
}

impl Projection {
    /// The resource itself.
    pub const ROOT: Place = Place(0);

    /// Wants the elements of a name below a place.
    pub fn child(&mut self, at: Place, name: NameId) -> Place {
        let at = self.place(at);
        let known = self.places.get(at.0 as usize).and_then(|w| w.children.iter().find(|(n, _)| *n == name));
        if let Some((_, place)) = known {
            return self.place(*place);
        }
        let place = Place(u32::try_from(self.places.len()).unwrap_or(0));
        self.places.push(Wanted::default());
        if let Some(wanted) = self.places.get_mut(at.0 as usize) {
            wanted.children.push((name, place));
        }
        place
    }

    /// Wants everything below a place.
    pub fn whole(&mut self, at: Place) {
        let at = self.place(at);
        if let Some(wanted) = self.places.get_mut(at.0 as usize) {
            wanted.whole = true;
        }
    }

    /// Makes two places one: what is wanted at either is wanted at both. A place joined with one below it goes on without
    /// end.
    pub fn join(&mut self, one: Place, other: Place) {
        let (one, other) = (self.place(one), self.place(other));
        if one == other {
            return;
        }
        let Some(joined) = self.places.get_mut(other.0 as usize) else { return };
        let Wanted { whole, children, .. } = std::mem::take(joined);
        joined.joined_to = Some(one);
        if whole {
            self.whole(one);
        }
        for (name, place) in children {
            let one = self.place(one);
            let Some(wanted) = self.places.get_mut(one.0 as usize) else { return };
            match wanted.children.iter().find(|(n, _)| *n == name) {
                Some((_, same)) => {
                    let same = *same;
                    self.join(same, place);
                }
                None => wanted.children.push((name, place)),
            }
        }
    }

    /// Where a place has come to.
    fn place(&self, at: Place) -> Place {
        let mut at = at;
        while let Some(joined_to) = self.places.get(at.0 as usize).and_then(|w| w.joined_to) {
            at = joined_to;
        }
        at
    }

    fn wanted(&self, at: Place) -> Option<&Wanted> {
        self.places.get(self.place(at).0 as usize)
    }

    /// Whether the elements of a name are wanted of the resource itself.
    #[must_use]
    pub fn has(&self, name: NameId) -> bool {
        self.wanted(Self::ROOT).is_some_and(|w| w.whole || w.children.iter().any(|(n, _)| *n == name))
    }
}

/// How much of an object is wanted.
#[derive(Clone, Copy)]
enum Mode {
    Whole,
    State(usize),
}

/// A property that is wanted.
struct Key {
    name: &'static str,
    property: Property,
    mode: Mode,
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The byte where reading ended.
    pub at: usize,
    /// What was expected there.
    pub message: &'static str,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at + 1, self.message)
    }
}

impl std::error::Error for Unreadable {}

/// Objects nested deeper are refused.
const MAX_DEPTH: usize = 128;

/// Reads resources of one type under a projection, one after the other into the same memory.
pub struct ProjectedReader {
    definitions: &'static Definitions,
    resource_type: TypeId,
    root: Mode,
    states: Vec<Vec<Key>>,
    resource: Resource,
}

impl fmt::Debug for ProjectedReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProjectedReader of {}", self.definitions.type_name(self.resource_type))
    }
}

impl ProjectedReader {
    /// A reader of the resources of a type.
    #[must_use]
    pub fn new(projection: &Projection, resource_type: TypeId) -> ProjectedReader {
        let mut known = FxHashMap::default();
        let mut states = Vec::new();
        let root = state(projection, Projection::ROOT, resource_type, &mut known, &mut states);
        let resource = Resource { text: String::new(), nodes: Vec::new() };
        ProjectedReader { definitions: r4(), resource_type, root, states, resource }
    }

    /// Reads a resource; `None` if it is of another type.
    ///
    /// # Errors
    /// Where the text is not the JSON of a resource.
    pub fn read(&mut self, text: &str) -> Result<Option<&Resource>, Unreadable> {
        let Some(found) = resource_type(text, 0)? else { return Ok(None) };
        if found != self.definitions.type_name(self.resource_type) {
            return Ok(None);
        }
        self.resource.text.clear();
        self.resource.text.push_str(text);
        self.resource.nodes.clear();
        let element = self.definitions.type_of(self.resource_type).elements[0];
        self.resource.nodes.push(Node {
            element,
            name: self.definitions.element(element).name_id,
            value_type: self.resource_type,
            shape: Shape::Object,
            start: 0,
            end: 0,
            offset: 0,
            first_child: NONE,
            next: NONE,
        });
        let mut reading = Reading {
            definitions: self.definitions,
            states: &self.states,
            text,
            skip: Skip { bytes: text.as_bytes(), at: 0 },
            nodes: &mut self.resource.nodes,
        };
        reading.object(0, self.resource_type, self.root, 0)?;
        Ok(Some(&self.resource))
    }
}

/// The state of a place under a type.
fn state(
    projection: &Projection,
    place: Place,
    value_type: TypeId,
    known: &mut FxHashMap<(Place, TypeId), usize>,
    states: &mut Vec<Vec<Key>>,
) -> Mode {
    let place = projection.place(place);
    let Some(wanted) = projection.wanted(place).filter(|w| !w.whole) else {
        return Mode::Whole;
    };
    if value_type == r4().well_known().resource {
        return Mode::Whole;
    }
    if let Some(state) = known.get(&(place, value_type)) {
        return Mode::State(*state);
    }
    let at = states.len();
    known.insert((place, value_type), at);
    states.push(Vec::new());
    let mut keys = Vec::new();
    for (name, property) in &r4().type_of(value_type).properties {
        let element = r4().element(property.element);
        let Some((_, next)) = wanted.children.iter().find(|(n, _)| *n == element.name_id) else { continue };
        let mode = state(projection, *next, property.value_type, known, states);
        keys.push(Key { name, property: *property, mode });
    }
    keys.sort_by_key(|k| k.name);
    if let Some(state) = states.get_mut(at) {
        *state = keys;
    }
    Mode::State(at)
}

/// What `resourceType` says in the object that begins at a byte; `None` if it has none.
fn resource_type(text: &str, at: usize) -> Result<Option<&str>, Unreadable> {
    let mut skip = Skip { bytes: text.as_bytes(), at };
    skip.expect(b'{', "a resource is an object")?;
    if skip.eat(b'}') {
        return Ok(None);
    }
    loop {
        let (start, end, _) = skip.string()?;
        skip.expect(b':', "':' belongs here")?;
        if text.get(start..end) == Some("resourceType") {
            let (start, end, _) = skip.string()?;
            return Ok(text.get(start..end));
        }
        skip.value()?;
        if !skip.eat(b',') {
            return Ok(None);
        }
    }
}

struct Reading<'a> {
    definitions: &'static Definitions,
    states: &'a [Vec<Key>],
    text: &'a str,
    skip: Skip<'a>,
    nodes: &'a mut Vec<Node>,
}

impl Reading<'_> {
    /// Reads the object whose brace comes next into a node.
    fn object(&mut self, node: u32, value_type: TypeId, mode: Mode, depth: usize) -> Result<(), Unreadable> {
        if depth > MAX_DEPTH {
            return Err(self.skip.error("nested too deeply"));
        }
        self.skip.expect(b'{', "an object belongs here")?;
        let start = self.skip.at - 1;
        let mut last = NONE;
        if let Mode::State(state) = mode
            && self.states.get(state).is_none_or(Vec::is_empty)
        {
            self.skip.rest_of(b'{', b'}')?;
        } else if !self.skip.eat(b'}') {
            loop {
                self.member(node, &mut last, value_type, mode, depth)?;
                if !self.skip.eat(b',') {
                    self.skip.expect(b'}', "',' or '}' belongs here")?;
                    break;
                }
            }
        }
        let end = self.skip.at;
        if let Some(node) = self.nodes.get_mut(node as usize) {
            (node.start, node.end) = (offset(start), offset(end));
        }
        Ok(())
    }

    fn member(
        &mut self,
        node: u32,
        last: &mut u32,
        value_type: TypeId,
        mode: Mode,
        depth: usize,
    ) -> Result<(), Unreadable> {
        let (start, end, _) = self.skip.string()?;
        self.skip.expect(b':', "':' belongs here")?;
        let name = self.text.get(start..end).unwrap_or_default();
        let found = match mode {
            Mode::Whole => {
                self.definitions.type_of(value_type).properties.get(name).map(|p| (*p, Mode::Whole))
            }
            Mode::State(state) => {
                let keys = self.states.get(state).map_or(&[][..], Vec::as_slice);
                keys.iter().find(|k| k.name == name).map(|k| (k.property, k.mode))
            }
        };
        let Some((property, mode)) = found else { return self.skip.value() };
        if property.is_companion {
            return self.companions(node, last, property, depth);
        }
        if self.skip.peek() != Some(b'[') {
            let existing = self.first_of(node, property);
            return self.item(node, last, property, mode, existing, depth).map(|_| ());
        }
        self.skip.at += 1;
        if self.skip.eat(b']') {
            return Ok(());
        }
        // The ids and extensions of these values may have come before them.
        let mut existing = self.first_of(node, property);
        loop {
            let item = self.item(node, last, property, mode, existing, depth)?;
            existing = self.next_of(item);
            if !self.skip.eat(b',') {
                return self.skip.expect(b']', "',' or ']' belongs here");
            }
        }
    }

    /// One value: into `existing` if there is one, else into a new node.
    fn item(
        &mut self,
        owner: u32,
        last: &mut u32,
        property: Property,
        mode: Mode,
        existing: u32,
        depth: usize,
    ) -> Result<u32, Unreadable> {
        let definition = self.definitions.type_of(property.value_type);
        if definition.kind == TypeKind::Primitive {
            let (shape, start, end) = self.primitive(definition.primitive)?;
            let is_free = self.nodes.get(existing as usize).is_some_and(|n| n.shape == Shape::Absent);
            let at = if is_free { existing } else { self.attach(owner, last, property, shape) };
            if let Some(node) = self.nodes.get_mut(at as usize) {
                (node.shape, node.start, node.end) = (shape, offset(start), offset(end));
            }
            return Ok(at);
        }
        let mut value_type = property.value_type;
        if value_type == self.definitions.well_known().resource {
            self.skip.peek();
            let named =
                resource_type(self.text, self.skip.at)?.and_then(|n| self.definitions.resource_type(n));
            let Some(named) = named else {
                self.skip.value()?;
                return Ok(NONE);
            };
            value_type = named;
        }
        let at = self.attach(owner, last, Property { value_type, ..property }, Shape::Object);
        self.object(at, value_type, mode, depth + 1)?;
        Ok(at)
    }

    /// A primitive's shape and where its text stands.
    fn primitive(&mut self, primitive: Option<Primitive>) -> Result<(Shape, usize, usize), Unreadable> {
        match self.skip.peek() {
            Some(b'"') => {
                let (start, end, is_escaped) = self.skip.string()?;
                Ok((if is_escaped { Shape::Escaped } else { Shape::Plain }, start, end))
            }
            Some(b'n') => {
                self.skip.value()?;
                Ok((Shape::Absent, 0, 0))
            }
            Some(b'{' | b'[') => Err(self.skip.error("a primitive value belongs here")),
            _ => {
                let start = self.skip.at;
                self.skip.value()?;
                let is_boolean = primitive.is_some_and(|p| p.json_kind() == JsonKind::Boolean);
                Ok((if is_boolean { Shape::Boolean } else { Shape::Number }, start, self.skip.at))
            }
        }
    }

    /// The ids and extensions of a primitive's values.
    fn companions(
        &mut self,
        owner: u32,
        last: &mut u32,
        property: Property,
        depth: usize,
    ) -> Result<(), Unreadable> {
        let is_list = self.skip.peek() == Some(b'[');
        if is_list {
            self.skip.at += 1;
            if self.skip.eat(b']') {
                return Ok(());
            }
        }
        let mut existing = self.first_of(owner, property);
        loop {
            let at =
                if existing == NONE { self.attach(owner, last, property, Shape::Absent) } else { existing };
            if self.skip.peek() == Some(b'{') {
                self.companion(at, depth)?;
            } else {
                self.skip.value()?;
            }
            existing = self.next_of(at);
            if !is_list {
                return Ok(());
            }
            if !self.skip.eat(b',') {
                return self.skip.expect(b']', "',' or ']' belongs here");
            }
        }
    }

    fn companion(&mut self, node: u32, depth: usize) -> Result<(), Unreadable> {
        let kept = self.nodes.get(node as usize).copied();
        self.object(node, self.definitions.well_known().element, Mode::Whole, depth + 1)?;
        if let (Some(kept), Some(node)) = (kept, self.nodes.get_mut(node as usize)) {
            (node.start, node.end) = (kept.start, kept.end);
        }
        Ok(())
    }

    /// The first value of an element that the object has already.
    fn first_of(&self, owner: u32, property: Property) -> u32 {
        let mut at = self.nodes.get(owner as usize).map_or(NONE, |n| n.first_child);
        while let Some(node) = self.nodes.get(at as usize) {
            if node.element == property.element {
                return at;
            }
            at = node.next;
        }
        NONE
    }

    /// The value after one of the same element.
    fn next_of(&self, at: u32) -> u32 {
        let Some(node) = self.nodes.get(at as usize) else { return NONE };
        let next = self.nodes.get(node.next as usize);
        if next.is_some_and(|n| n.element == node.element) { node.next } else { NONE }
    }

    fn attach(&mut self, owner: u32, last: &mut u32, property: Property, shape: Shape) -> u32 {
        let at = offset(self.nodes.len());
        let place = offset(self.skip.at);
        self.nodes.push(Node {
            element: property.element,
            name: self.definitions.element(property.element).name_id,
            value_type: property.value_type,
            shape,
            start: place,
            end: place,
            offset: place,
            first_child: NONE,
            next: NONE,
        });
        if *last == NONE {
            if let Some(owner) = self.nodes.get_mut(owner as usize) {
                owner.first_child = at;
            }
        } else if let Some(before) = self.nodes.get_mut(*last as usize) {
            before.next = at;
        }
        *last = at;
        at
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
