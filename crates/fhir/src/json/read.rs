//! Reads a resource from JSON and checks it against the definitions in the same pass.

use std::borrow::Cow;

use super::lexer::{Lexer, StringToken, SyntaxError, unescape};
use crate::definitions::{Definitions, Property, TypeId, TypeKind, r4};
use crate::issue::{Issue, IssueType, Severity, did_you_mean, nearest};
use crate::limits::Limits;
use crate::primitive::{JsonKind, Primitive};
use crate::resource::{NONE, Node, Resource, Shape};
use crate::xhtml;

/// Reads one resource (or Bundle) of any type.
///
/// # Errors
/// Every finding up to [`Limits::issues`]: text that is not JSON or UTF-8, unknown elements, wrong types, bad formats,
/// wrong cardinality, forbidden narrative, limits; each with FHIRPath, line and column.
pub fn parse(json: &[u8], limits: &Limits) -> Result<Resource, Vec<Issue>> {
    Reader::new(limits).read(json)
}

/// Reads resources under given limits.
#[derive(Debug)]
pub struct Reader<'l> {
    limits: &'l Limits,
}

/// Why reading ends before the end of the text.
enum Stop {
    Syntax(SyntaxError),
    Full,
}

impl From<SyntaxError> for Stop {
    fn from(error: SyntaxError) -> Stop {
        Stop::Syntax(error)
    }
}

/// What has been seen of one element of the object being read.
#[derive(Clone, Copy)]
struct Slot {
    first: u32,
    last: u32,
    value_type: TypeId,
    has_value: bool,
    has_companion: bool,
    has_null: bool,
}

const EMPTY_SLOT: Slot = Slot {
    first: NONE,
    last: NONE,
    value_type: TypeId(0),
    has_value: false,
    has_companion: false,
    has_null: false,
};

/// The object being read.
struct Frame {
    node: u32,
    value_type: TypeId,
    last_child: u32,
    slots: usize,
}

struct Reading<'a> {
    definitions: &'static Definitions,
    limits: &'a Limits,
    lexer: Lexer<'a>,
    out: String,
    nodes: Vec<Node>,
    slots: Vec<Slot>,
    path: Vec<(Cow<'static, str>, Option<u32>)>,
    issues: Vec<Issue>,
    depth: usize,
}

impl<'l> Reader<'l> {
    /// A reader under these limits.
    #[must_use]
    pub fn new(limits: &'l Limits) -> Reader<'l> {
        Reader { limits }
    }

    /// See [`parse`].
    ///
    /// # Errors
    /// See [`parse`].
    pub fn read(&self, json: &[u8]) -> Result<Resource, Vec<Issue>> {
        let largest = self.limits.bundle_bytes.max(self.limits.resource_bytes);
        if json.len() > largest || u32::try_from(json.len()).is_err() {
            return Err(vec![too_long("the text", json.len(), largest)]);
        }
        let text = match std::str::from_utf8(json) {
            Ok(text) => text,
            Err(error) => {
                let good = String::from_utf8_lossy(&json[..error.valid_up_to()]);
                let mut issue = Issue::error(
                    IssueType::Structure,
                    "this byte is not UTF-8; FHIR JSON is always UTF-8 (convert the text before sending it)",
                );
                issue.position = Some(position(&good, good.len()));
                return Err(vec![issue]);
            }
        };
        let mut reading = Reading {
            definitions: r4(),
            limits: self.limits,
            lexer: Lexer::new(text),
            out: String::with_capacity(text.len()),
            nodes: Vec::with_capacity(text.len() / 24 + 8),
            slots: Vec::with_capacity(128),
            path: Vec::with_capacity(16),
            issues: Vec::new(),
            depth: 0,
        };
        match reading.document() {
            Err(Stop::Syntax(error)) => {
                let mut issue = Issue::error(IssueType::Structure, format!("not JSON: {}", error.message));
                issue.severity = Severity::Fatal;
                issue.expression = reading.expression();
                issue.position = Some(position(text, error.at));
                reading.issues.push(issue);
            }
            Err(Stop::Full) => {
                reading.issues.push(Issue::error(
                    IssueType::Incomplete,
                    format!("reading stopped after {} findings; there may be more", self.limits.issues),
                ));
            }
            Ok(()) => {}
        }
        if reading.issues.is_empty() {
            reading.out.shrink_to_fit();
            Ok(Resource { text: reading.out, nodes: reading.nodes })
        } else {
            Err(reading.issues)
        }
    }
}

fn too_long(what: &str, found: usize, limit: usize) -> Issue {
    Issue::error(IssueType::TooLong, format!("{what} has {found} bytes; at most {limit} are accepted"))
}

/// Line and column (in characters) of a byte, from 1.
fn position(text: &str, at: usize) -> (u32, u32) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    let column = before[line_start..].iter().filter(|b| **b & 0xc0 != 0x80).count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

impl<'a> Reading<'a> {
    fn expression(&self) -> String {
        let mut out = String::new();
        for (name, index) in &self.path {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(name);
            if let Some(index) = index {
                out.push_str(&format!("[{index}]"));
            }
        }
        out
    }

    fn issue(&mut self, code: IssueType, at: usize, diagnostics: impl Into<String>) -> Result<(), Stop> {
        let mut issue = Issue::error(code, diagnostics).at(self.expression());
        issue.position = Some(position(self.lexer.text, at));
        self.issues.push(issue);
        if self.issues.len() >= self.limits.issues { Err(Stop::Full) } else { Ok(()) }
    }

    /// Notes a finding and steps over the value it is about.
    fn reject(&mut self, code: IssueType, at: usize, diagnostics: impl Into<String>) -> Result<(), Stop> {
        self.issue(code, at, diagnostics)?;
        self.lexer.skip_value(self.limits.depth * 4)?;
        Ok(())
    }

    fn document(&mut self) -> Result<(), Stop> {
        if self.lexer.peek() != Some(b'{') {
            let found = self.lexer.found();
            return Err(self
                .lexer
                .error::<()>(format!("a resource is an object, found {found}"))
                .err()
                .map_or(Stop::Full, Stop::Syntax));
        }
        let at = self.lexer.at;
        let Some(resource_type) = self.resource_type()? else {
            // Nothing can be said of the rest without a type, except whether it is JSON.
            return self.lexer.skip_value(self.limits.depth * 4).map_err(Stop::Syntax);
        };
        if resource_type != self.definitions.well_known().bundle
            && self.lexer.text.len() > self.limits.resource_bytes
        {
            self.issues.push(too_long("the resource", self.lexer.text.len(), self.limits.resource_bytes));
            return Err(Stop::Full);
        }
        self.path.push((Cow::Borrowed(self.definitions.type_name(resource_type)), None));
        let element = self.definitions.type_of(resource_type).elements[0];
        self.new_node(Node {
            element,
            name: self.definitions.element(element).name_id,
            value_type: resource_type,
            shape: Shape::Object,
            start: 0,
            end: 0,
            offset: offset(at),
            first_child: NONE,
            next: NONE,
        });
        self.object(0, resource_type)?;
        if self.lexer.peek().is_some() {
            let found = self.lexer.found();
            return Err(Stop::Syntax(SyntaxError {
                at: self.lexer.at,
                message: format!("one resource was read, and then there is {found}"),
            }));
        }
        Ok(())
    }

    /// The type of the resource whose `{` comes next; notes a finding if it has none. Consumes nothing.
    fn resource_type(&mut self) -> Result<Option<TypeId>, Stop> {
        let start = self.lexer.at;
        let found = self.find_resource_type();
        self.lexer.at = start;
        match found? {
            None => {
                self.issue(IssueType::Required, start, "a resource needs its resourceType")?;
                Ok(None)
            }
            Some(name) => {
                let resource_type = self.definitions.resource_type(&name);
                if resource_type.is_none() {
                    let all = self.definitions.resource_types.iter().map(|t| self.definitions.type_name(*t));
                    let hint = did_you_mean(&nearest(&name, all));
                    let shown = shorten(&name);
                    self.issue(IssueType::Value, start, format!("R4 has no resource type '{shown}'{hint}"))?;
                }
                Ok(resource_type)
            }
        }
    }

    fn find_resource_type(&mut self) -> Result<Option<Cow<'a, str>>, Stop> {
        self.lexer.expect(b'{', "'{'")?;
        if self.lexer.eat(b'}') {
            return Ok(None);
        }
        loop {
            let key = self.lexer.string()?;
            self.lexer.expect(b':', "':'")?;
            let is_type = &self.lexer.text[key.start..key.end] == "resourceType";
            if is_type && self.lexer.peek() == Some(b'"') {
                let value = self.lexer.string()?;
                return Ok(Some(self.decoded(value)));
            }
            self.lexer.skip_value(self.limits.depth * 4)?;
            if !self.lexer.eat(b',') {
                self.lexer.expect(b'}', "',' or '}'")?;
                return Ok(None);
            }
        }
    }

    fn decoded(&self, token: StringToken) -> Cow<'a, str> {
        let raw = &self.lexer.text[token.start..token.end];
        if token.is_escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) }
    }

    fn new_node(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        offset(self.nodes.len() - 1)
    }

    /// Reads an object into the children of `node`.
    fn object(&mut self, node: u32, value_type: TypeId) -> Result<(), Stop> {
        self.lexer.peek();
        let at = self.lexer.at;
        if self.depth >= self.limits.depth {
            return self.reject(
                IssueType::TooLong,
                at,
                format!("nested more than {} deep; flatten the resource", self.limits.depth),
            );
        }
        self.lexer.expect(b'{', "'{'")?;
        self.depth += 1;
        let definition = self.definitions.type_of(value_type);
        let mut frame = Frame { node, value_type, last_child: NONE, slots: self.slots.len() };
        self.slots.resize(frame.slots + definition.elements.len(), EMPTY_SLOT);
        let start = self.out.len();
        self.out.push('{');
        if self.lexer.eat(b'}') {
            self.issue(IssueType::Structure, at, "an object must not be empty; leave the element out")?;
        } else {
            let mut has_resource_type = false;
            let mut is_first = true;
            loop {
                if !std::mem::take(&mut is_first) {
                    self.out.push(',');
                }
                self.member(&mut frame, &mut has_resource_type)?;
                if !self.lexer.eat(b',') {
                    self.lexer.expect(b'}', "',' or '}'")?;
                    break;
                }
            }
            self.finish_object(&frame, at)?;
        }
        self.out.push('}');
        if self.nodes[node as usize].shape == Shape::Object {
            self.nodes[node as usize].start = offset(start);
            self.nodes[node as usize].end = offset(self.out.len());
        }
        self.slots.truncate(frame.slots);
        self.depth -= 1;
        Ok(())
    }

    /// Reads one member: its name, and its value into the frame.
    fn member(&mut self, frame: &mut Frame, has_resource_type: &mut bool) -> Result<(), Stop> {
        self.lexer.peek();
        let at = self.lexer.at;
        let token = self.lexer.string()?;
        let name = self.decoded(token);
        self.lexer.expect(b':', "':'")?;
        let definition = self.definitions.type_of(frame.value_type);
        if definition.is_resource && name == "resourceType" {
            return self.resource_type_member(at, has_resource_type);
        }
        let Some(property) = definition.properties.get(name.as_ref()).copied() else {
            let hint = did_you_mean(&nearest(&name, definition.properties.keys().copied()));
            self.path.push((Cow::Owned(shorten(&name)), None));
            let type_name = definition.name;
            self.reject(
                IssueType::Structure,
                at,
                format!("{type_name} has no element '{}'{hint}", shorten(&name)),
            )?;
            self.path.pop();
            return Ok(());
        };
        self.out.push('"');
        self.out.push_str(&name);
        self.out.push_str("\":");
        let element = self.definitions.element(property.element);
        self.path.push((Cow::Borrowed(element.name), None));
        self.property(frame, property, at)?;
        self.path.pop();
        Ok(())
    }

    fn resource_type_member(&mut self, at: usize, has_resource_type: &mut bool) -> Result<(), Stop> {
        if std::mem::replace(has_resource_type, true) {
            return self.reject(IssueType::Structure, at, "resourceType appears twice");
        }
        // Its value is known to be the name of a type: the type was found by it.
        self.lexer.peek();
        if self.lexer.peek() != Some(b'"') {
            return self.reject(IssueType::Structure, at, "resourceType must be a string");
        }
        let token = self.lexer.string()?;
        let name = self.decoded(token);
        self.out.push_str("\"resourceType\":\"");
        self.out.push_str(&name);
        self.out.push('"');
        Ok(())
    }

    fn property(&mut self, frame: &mut Frame, property: Property, at: usize) -> Result<(), Stop> {
        let slot = frame.slots + usize::from(property.slot);
        let seen = self.slots[slot];
        let name = self.definitions.element(property.element).published_name;
        let is_repeated = if property.is_companion { seen.has_companion } else { seen.has_value };
        if (seen.has_value || seen.has_companion) && seen.value_type != property.value_type {
            let first = self.definitions.type_name(seen.value_type);
            return self.reject(
                IssueType::Structure,
                at,
                format!("{name} has one value; there is a {first} already"),
            );
        }
        if is_repeated {
            return self.reject(IssueType::Structure, at, format!("{name} appears twice in one object"));
        }
        let state = &mut self.slots[slot];
        state.value_type = property.value_type;
        if property.is_companion {
            state.has_companion = true;
        } else {
            state.has_value = true;
        }
        let is_list = self.definitions.element(property.element).is_list();
        let next = self.lexer.peek();
        match (is_list, next) {
            (true, Some(b'[')) => self.list(frame, property, slot),
            (true, _) => {
                self.lexer.peek();
                let at = self.lexer.at;
                self.reject(
                    IssueType::Structure,
                    at,
                    format!("{name} may repeat, so JSON writes it as an array: [ … ]"),
                )
            }
            (false, Some(b'[')) => {
                let at = self.lexer.at;
                self.reject(
                    IssueType::Structure,
                    at,
                    format!("{name} has at most one value, so it must not be an array"),
                )
            }
            (false, _) => {
                let existing = self.slots[slot].first;
                self.item(frame, property, slot, existing).map(|_| ())
            }
        }
    }

    fn list(&mut self, frame: &mut Frame, property: Property, slot: usize) -> Result<(), Stop> {
        let at = self.lexer.at;
        self.lexer.expect(b'[', "'['")?;
        self.out.push('[');
        if self.lexer.eat(b']') {
            self.issue(IssueType::Structure, at, "an array must not be empty; leave the element out")?;
            self.out.push(']');
            return Ok(());
        }
        let mut existing = self.slots[slot].first;
        let mut index = 0;
        loop {
            if let Some(last) = self.path.last_mut() {
                last.1 = Some(index);
            }
            let node = self.item(frame, property, slot, existing)?;
            existing = match node {
                Some(node) if node != self.slots[slot].last => self.nodes[node as usize].next,
                _ => NONE,
            };
            index += 1;
            if !self.lexer.eat(b',') {
                self.lexer.expect(b']', "',' or ']'")?;
                break;
            }
            self.out.push(',');
        }
        if let Some(last) = self.path.last_mut() {
            last.1 = None;
        }
        self.out.push(']');
        Ok(())
    }

    /// Reads one value into `existing`, or into a new node if there is none. `None` if the value was refused.
    fn item(
        &mut self,
        frame: &mut Frame,
        property: Property,
        slot: usize,
        existing: u32,
    ) -> Result<Option<u32>, Stop> {
        let next = self.lexer.peek();
        let at = self.lexer.at;
        let kind = self.definitions.type_of(property.value_type).kind;
        if kind == TypeKind::Primitive {
            let node = if existing == NONE {
                self.attach(frame, property, slot, Shape::Absent, at)
            } else {
                existing
            };
            if property.is_companion {
                self.companion(node, at)?;
            } else {
                self.primitive(node, property, slot)?;
            }
            return Ok(Some(node));
        }
        if next != Some(b'{') {
            let name = self.definitions.type_name(property.value_type);
            let found = self.lexer.found();
            self.reject(IssueType::Structure, at, format!("expected an object ({name}), found {found}"))?;
            return Ok(None);
        }
        let mut value_type = property.value_type;
        if value_type == self.definitions.well_known().resource {
            match self.resource_type()? {
                Some(found) => value_type = found,
                None => {
                    self.lexer.skip_value(self.limits.depth * 4)?;
                    return Ok(None);
                }
            }
        }
        let node = self.attach(frame, Property { value_type, ..property }, slot, Shape::Object, at);
        self.object(node, value_type)?;
        let length = self.nodes[node as usize].end - self.nodes[node as usize].start;
        if length as usize > self.limits.resource_bytes {
            self.issue(
                IssueType::TooLong,
                at,
                too_long("the resource", length as usize, self.limits.resource_bytes).diagnostics,
            )?;
        }
        Ok(Some(node))
    }

    /// A new node of an element, after the values it has already.
    fn attach(&mut self, frame: &mut Frame, property: Property, slot: usize, shape: Shape, at: usize) -> u32 {
        let name = self.definitions.element(property.element).name_id;
        let state = self.slots[slot];
        let after = if state.last == NONE { frame.last_child } else { state.last };
        let next = if after == NONE { NONE } else { self.nodes[after as usize].next };
        let node = self.new_node(Node {
            element: property.element,
            name,
            value_type: property.value_type,
            shape,
            start: offset(self.out.len()),
            end: offset(self.out.len()),
            offset: offset(at),
            first_child: NONE,
            next,
        });
        if after == NONE {
            self.nodes[frame.node as usize].first_child = node;
        } else {
            self.nodes[after as usize].next = node;
        }
        if after == frame.last_child {
            frame.last_child = node;
        }
        let state = &mut self.slots[slot];
        if state.first == NONE {
            state.first = node;
        }
        state.last = node;
        node
    }

    /// Reads a primitive's value.
    fn primitive(&mut self, node: u32, property: Property, slot: usize) -> Result<(), Stop> {
        let Some(primitive) = self.definitions.type_of(property.value_type).primitive else {
            let at = self.lexer.at;
            return self.reject(IssueType::Exception, at, "this primitive type is not known");
        };
        let type_name = self.definitions.type_name(property.value_type);
        let next = self.lexer.peek();
        let at = self.lexer.at;
        let is_list = self.definitions.element(property.element).is_list();
        let (start, end, shape) = match (primitive.json_kind(), next) {
            (JsonKind::String, Some(b'"')) => {
                let token = self.lexer.string()?;
                self.out.push('"');
                let start = self.out.len();
                self.out.push_str(&self.lexer.text[token.start..token.end]);
                let end = self.out.len();
                self.out.push('"');
                (start, end, if token.is_escaped { Shape::Escaped } else { Shape::Plain })
            }
            (JsonKind::Number, Some(b'-' | b'0'..=b'9')) => {
                let (from, to) = self.lexer.number()?;
                let start = self.out.len();
                self.out.push_str(&self.lexer.text[from..to]);
                (start, self.out.len(), Shape::Number)
            }
            (JsonKind::Boolean, Some(b't' | b'f')) if self.lexer.word("true") || self.lexer.word("false") => {
                let start = self.out.len();
                self.out.push_str(&self.lexer.text[at..self.lexer.at]);
                (start, self.out.len(), Shape::Boolean)
            }
            (_, Some(b'n')) if is_list && self.lexer.word("null") => {
                self.out.push_str("null");
                self.slots[slot].has_null = true;
                return Ok(());
            }
            (kind, _) => {
                let expected = match kind {
                    JsonKind::String => "a string",
                    JsonKind::Number => "a number without quotes",
                    JsonKind::Boolean => "true or false without quotes",
                };
                let found = self.lexer.found();
                let message = format!("expected {expected} ({type_name}), found {found}");
                return self.reject(IssueType::Value, at, message);
            }
        };
        let text: Cow<'_, str> = match shape {
            Shape::Escaped => Cow::Owned(unescape(&self.out[start..end])),
            _ => Cow::Borrowed(&self.out[start..end]),
        };
        let finding = check(primitive, &text).err().map(|expected| {
            let found = shorten(&text);
            match primitive {
                Primitive::Xhtml => expected.to_string(),
                _ if text.is_empty() => format!("a {type_name} must not be empty; leave the element out"),
                _ => format!("'{found}' is not a {type_name}: expected {expected}"),
            }
        });
        let node = &mut self.nodes[node as usize];
        node.shape = shape;
        node.start = offset(start);
        node.end = offset(end);
        node.offset = offset(at);
        match finding {
            Some(message) => {
                let code =
                    if primitive == Primitive::Xhtml { IssueType::Invariant } else { IssueType::Value };
                self.issue(code, at, message)
            }
            None => Ok(()),
        }
    }

    /// Reads the id and extensions of a primitive.
    fn companion(&mut self, node: u32, at: usize) -> Result<(), Stop> {
        match self.lexer.peek() {
            Some(b'{') => {
                let element = self.definitions.well_known().element;
                self.object(node, element)
            }
            Some(b'n') if self.lexer.word("null") => {
                self.out.push_str("null");
                Ok(())
            }
            _ => {
                let found = self.lexer.found();
                self.reject(
                    IssueType::Structure,
                    at,
                    format!("beside a primitive stands an object with its id and extensions, found {found}"),
                )
            }
        }
    }

    /// Cardinality, and primitives that turned out to be nothing at all.
    fn finish_object(&mut self, frame: &Frame, at: usize) -> Result<(), Stop> {
        let definition = self.definitions.type_of(frame.value_type);
        for required in &definition.required {
            if self.slots[frame.slots + usize::from(*required)].first == NONE {
                let element = self.definitions.element(definition.elements[usize::from(*required)]);
                // A refused value has been reported; it is not missing as well.
                let state = self.slots[frame.slots + usize::from(*required)];
                if !state.has_value && !state.has_companion {
                    let message = format!("{} needs {}", definition.name, element.published_name);
                    self.path.push((Cow::Borrowed(element.name), None));
                    self.issue(IssueType::Required, at, message)?;
                    self.path.pop();
                }
            }
        }
        for slot in 0..definition.elements.len() {
            let state = self.slots[frame.slots + slot];
            if state.first == NONE {
                continue;
            }
            let element = self.definitions.element(definition.elements[slot]);
            if state.has_null || (state.has_companion && !state.has_value) {
                self.nothing_at_all(state, element.name, at)?;
            }
            let is_plain = element.min <= 1 && matches!(element.max, None | Some(1));
            if !is_plain {
                self.count(state, definition.elements[slot], at)?;
            }
        }
        Ok(())
    }

    /// A null without an extension beside it says nothing.
    fn nothing_at_all(&mut self, state: Slot, name: &'static str, at: usize) -> Result<(), Stop> {
        let mut current = state.first;
        while current != NONE {
            let node = self.nodes[current as usize];
            if node.shape == Shape::Absent && node.first_child == NONE {
                self.path.push((Cow::Borrowed(name), None));
                self.issue(
                    IssueType::Structure,
                    at,
                    "null stands for a value that has only an id or extensions; here is neither",
                )?;
                self.path.pop();
            }
            current = if current == state.last { NONE } else { node.next };
        }
        Ok(())
    }

    fn count(&mut self, state: Slot, element: crate::definitions::ElementId, at: usize) -> Result<(), Stop> {
        let element = self.definitions.element(element);
        let mut count = 0;
        let mut current = state.first;
        while current != NONE {
            count += 1;
            current = if current == state.last { NONE } else { self.nodes[current as usize].next };
        }
        if count < element.min || element.max.is_some_and(|max| count > max) {
            let max = element.max.map_or("*".to_owned(), |m| m.to_string());
            let message =
                format!("{} has {count} values; {}..{max} are allowed", element.published_name, element.min);
            self.path.push((Cow::Borrowed(element.name), None));
            self.issue(IssueType::Structure, at, message)?;
            self.path.pop();
        }
        Ok(())
    }
}

fn check(primitive: Primitive, text: &str) -> Result<(), Cow<'static, str>> {
    match primitive {
        Primitive::Xhtml => xhtml::check(text).map_err(Cow::Owned),
        _ if text.is_empty() => Err(Cow::Borrowed("")),
        _ => primitive.check(text).map_err(Cow::Borrowed),
    }
}

/// The text is at most 4 GB long ([`Reader::read`] makes sure), so that offsets fit.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A value for a message: not the whole of a long one.
fn shorten(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
