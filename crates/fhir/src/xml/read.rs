//! XML → a resource.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;
use rustc_hash::FxHashMap;

use super::NAMESPACE;
use crate::definitions::{Definitions, Property, TypeDefinition, TypeId, TypeKind, r4};
use crate::issue::{Issue, IssueType, Severity, did_you_mean, nearest};
use crate::json::{self, quote};
use crate::limits::Limits;
use crate::primitive::{JsonKind, Primitive};
use crate::resource::Resource;
use crate::xhtml;

/// More elements than this are not read: each takes memory beside the text.
const MAX_ELEMENTS: usize = 2_000_000;

/// Reads one resource (or Bundle) of any type.
///
/// # Errors
/// As [`json::parse`], with line and column of the XML; text that is not XML; a document type.
pub fn parse(xml: &[u8], limits: &Limits) -> Result<Resource, Vec<Issue>> {
    let largest = limits.bundle_bytes.max(limits.resource_bytes);
    if xml.len() > largest {
        let message = format!("the text has {} bytes; at most {largest} are accepted", xml.len());
        return Err(vec![Issue::error(IssueType::TooLong, message)]);
    }
    let xml = xml.strip_prefix(b"\xef\xbb\xbf").unwrap_or(xml);
    let text = std::str::from_utf8(xml).map_err(|error| {
        let mut issue = Issue::error(
            IssueType::Structure,
            "this byte is not UTF-8; FHIR XML is always UTF-8 (convert the text before sending it)",
        );
        issue.position = Some(position(xml, error.valid_up_to()));
        vec![issue]
    })?;
    let tree = Tree::read(text, limits).map_err(|error| {
        let mut issue = Issue::error(IssueType::Structure, error.message);
        issue.severity = Severity::Fatal;
        issue.position = Some(position(xml, error.at));
        vec![issue]
    })?;
    let mut writing = Writing {
        definitions: r4(),
        tree: &tree,
        text,
        limits,
        json: String::with_capacity(text.len()),
        places: Vec::with_capacity(tree.elements.len()),
        issues: Vec::new(),
        path: Vec::new(),
    };
    writing.resource(0);
    let (json, places, issues) = (writing.json, writing.places, writing.issues);
    if !issues.is_empty() {
        return Err(issues);
    }
    json::parse(json.as_bytes(), limits).map_err(|mut issues| {
        for issue in &mut issues {
            issue.position = issue.position.map(|(_, column)| position(xml, origin(&json, &places, column)));
        }
        issues
    })
}

/// Line and column (in characters) of a byte, from 1.
fn position(text: &[u8], at: usize) -> (u32, u32) {
    let before = &text[..at.min(text.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    let column = before[line_start..].iter().filter(|b| **b & 0xc0 != 0x80).count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// The byte of the XML that the character at `column` of the one line of JSON comes from.
fn origin(json: &str, places: &[(usize, usize)], column: u32) -> usize {
    let skipped = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
    let at = json.char_indices().nth(skipped).map_or(json.len(), |(at, _)| at);
    let before = places.partition_point(|(json_at, _)| *json_at <= at);
    before.checked_sub(1).and_then(|last| places.get(last)).map_or(0, |(_, xml_at)| *xml_at)
}

/// Text that is not XML, or not FHIR's kind of it.
struct NotXml {
    at: usize,
    message: String,
}

/// An element as it was written.
struct Element<'x> {
    name: &'x str,
    /// Where its tag begins.
    at: usize,
    id: Option<Cow<'x, str>>,
    url: Option<Cow<'x, str>>,
    value: Option<Cow<'x, str>>,
    /// For a narrative's div: where it ends.
    narrative_end: Option<usize>,
    children: Vec<u32>,
}

struct Tree<'x> {
    /// The first is the root.
    elements: Vec<Element<'x>>,
}

impl<'x> Tree<'x> {
    fn read(text: &'x str, limits: &Limits) -> Result<Tree<'x>, NotXml> {
        let mut reader = NsReader::from_str(text);
        let mut tree = Tree { elements: Vec::with_capacity(text.len() / 60 + 4) };
        let mut open: Vec<u32> = Vec::new();
        loop {
            let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let read = reader.read_resolved_event();
            let (namespace, event) = match read {
                Ok(read) => read,
                Err(error) => {
                    let at = usize::try_from(reader.error_position()).unwrap_or(at);
                    return Err(NotXml { at, message: format!("not well-formed XML: {error}") });
                }
            };
            let fail = |message: String| Err(NotXml { at, message });
            match event {
                Event::Start(ref start) | Event::Empty(ref start) => {
                    if open.is_empty() && !tree.elements.is_empty() {
                        return fail("one resource was read, and then there is another element".to_owned());
                    }
                    // Inside what JSON calls depth 1 an element is one level; 2 more stand for a resource in a resource.
                    if open.len() > limits.depth * 2 {
                        return fail(format!("nested more than {} deep; flatten the resource", limits.depth));
                    }
                    let is_narrative = is_bound(&namespace, xhtml::NAMESPACE);
                    if !is_narrative && !is_bound(&namespace, NAMESPACE) {
                        return fail(format!(
                            "<{}> is not in FHIR's namespace; write xmlns=\"{NAMESPACE}\" on the root element",
                            start.name().as_ref()
                        ));
                    }
                    let is_empty = matches!(event, Event::Empty(_));
                    if tree.elements.len() >= MAX_ELEMENTS {
                        return fail(format!(
                            "more than {MAX_ELEMENTS} elements; send this as JSON, or in parts"
                        ));
                    }
                    let element = element(start, text, at, is_narrative)?;
                    let number = u32::try_from(tree.elements.len()).unwrap_or(u32::MAX);
                    if let Some(owner) = open.last() {
                        tree.elements[*owner as usize].children.push(number);
                    }
                    tree.elements.push(element);
                    if is_narrative {
                        if !is_empty {
                            let name = start.to_end().into_owned();
                            reader.read_to_end(name.name()).map_err(|error| NotXml {
                                at,
                                message: format!("the narrative is not well-formed XML: {error}"),
                            })?;
                        }
                        let end = usize::try_from(reader.buffer_position()).unwrap_or(text.len());
                        tree.elements[number as usize].narrative_end = Some(end);
                    } else if !is_empty {
                        open.push(number);
                    }
                }
                Event::End(_) => {
                    open.pop();
                }
                Event::Text(content) => {
                    if !content.chars().all(|c| c.is_ascii_whitespace()) {
                        return fail(tree.stray_text(&open));
                    }
                }
                Event::CData(_) | Event::GeneralRef(_) => return fail(tree.stray_text(&open)),
                Event::DocType(_) => {
                    return fail("a resource must not have a document type (no DTD, no entities)".to_owned());
                }
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().and_then(Result::ok);
                    if encoding.is_some_and(|e| !e.eq_ignore_ascii_case("utf-8")) {
                        return fail("FHIR XML is always UTF-8; the declaration says otherwise".to_owned());
                    }
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        if let Some(open) = open.last() {
            let element = &tree.elements[*open as usize];
            return Err(NotXml {
                at: element.at,
                message: format!("not well-formed XML: <{}> is not closed", element.name),
            });
        }
        if tree.elements.is_empty() {
            let message = "a resource is an element such as <Patient>; there is none".to_owned();
            return Err(NotXml { at: text.len(), message });
        }
        Ok(tree)
    }

    fn stray_text(&self, open: &[u32]) -> String {
        if open.iter().any(|at| self.elements[*at as usize].name == "div") {
            return format!("a narrative is <div xmlns=\"{}\">; its namespace is missing", xhtml::NAMESPACE);
        }
        "text between elements; FHIR writes values as value=\"…\"".to_owned()
    }
}

fn is_bound(namespace: &ResolveResult<'_>, wanted: &str) -> bool {
    matches!(namespace, ResolveResult::Bound(Namespace(found)) if *found == wanted)
}

fn element<'x>(
    start: &BytesStart<'_>,
    text: &'x str,
    at: usize,
    is_narrative: bool,
) -> Result<Element<'x>, NotXml> {
    // The event borrows from the text; its name stands right behind the '<'.
    let qualified = start.name().as_ref().len();
    let local = start.local_name().as_ref().len();
    let begin = at + 1 + qualified - local;
    let name = text.get(begin..begin + local).unwrap_or_default();
    let (mut id, mut url, mut value) = (None, None, None);
    if is_narrative {
        return Ok(Element { name, at, id, url, value, narrative_end: None, children: Vec::new() });
    }
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| NotXml {
            at,
            message: format!("an attribute of <{name}> is not well-formed: {error}"),
        })?;
        let key = attribute.key.as_ref();
        let slot = match key {
            "id" => &mut id,
            "url" => &mut url,
            "value" => &mut value,
            _ if key == "xmlns" || key.starts_with("xmlns:") || key.starts_with("xsi:") => continue,
            _ => {
                let message =
                    format!("<{name}> has the attribute '{key}'; FHIR's elements have value, id and url");
                return Err(NotXml { at, message });
            }
        };
        let decoded = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|error| NotXml {
            at,
            message: format!("the attribute '{key}' of <{name}> is not well-formed: {error}"),
        })?;
        *slot = Some(Cow::Owned(decoded.into_owned()));
    }
    Ok(Element { name, at, id, url, value, narrative_end: None, children: Vec::new() })
}

struct Writing<'x, 't> {
    definitions: &'static Definitions,
    tree: &'t Tree<'x>,
    text: &'x str,
    limits: &'t Limits,
    json: String,
    /// Where in the JSON what from where in the XML begins, in order.
    places: Vec<(usize, usize)>,
    issues: Vec<Issue>,
    path: Vec<(String, Option<usize>)>,
}

impl<'x, 't> Writing<'x, 't> {
    fn issue(&mut self, code: IssueType, at: usize, message: String) {
        if self.is_full() {
            return;
        }
        let mut expression = String::new();
        for (name, index) in &self.path {
            if !expression.is_empty() {
                expression.push('.');
            }
            expression.push_str(name);
            if let Some(index) = index {
                expression.push_str(&format!("[{index}]"));
            }
        }
        let mut issue = Issue::error(code, message).at(expression);
        issue.position = Some(position(self.text.as_bytes(), at));
        self.issues.push(issue);
    }

    /// Whether there are as many findings as are told.
    fn is_full(&self) -> bool {
        self.issues.len() >= self.limits.issues
    }

    /// An extension's address is an attribute; nothing else has one.
    fn refuse_url(&mut self, element: &Element<'x>) {
        if element.url.is_some() {
            let message = format!("<{}> must not have the attribute 'url'", element.name);
            self.issue(IssueType::Structure, element.at, message);
        }
    }

    fn at(&self, number: u32) -> &'t Element<'x> {
        &self.tree.elements[number as usize]
    }

    fn mark(&mut self, at: usize) {
        self.places.push((self.json.len(), at));
    }

    fn resource(&mut self, number: u32) {
        let element = self.at(number);
        let Some(resource_type) = self.definitions.resource_type(element.name) else {
            let all = self.definitions.resource_types.iter().map(|t| self.definitions.type_name(*t));
            let hint = did_you_mean(&nearest(element.name, all));
            self.issue(
                IssueType::Value,
                element.at,
                format!("R4 has no resource type '{}'{hint}", element.name),
            );
            return;
        };
        if self.path.is_empty() {
            self.path.push((element.name.to_owned(), None));
        }
        self.object(number, resource_type);
    }

    fn object(&mut self, number: u32, value_type: TypeId) {
        let element = self.at(number);
        let definition = self.definitions.type_of(value_type);
        self.mark(element.at);
        self.json.push('{');
        let mut separator = "";
        if definition.is_resource {
            self.json.push_str("\"resourceType\":\"");
            self.json.push_str(definition.name);
            self.json.push('"');
            separator = ",";
        }
        let is_extension = value_type == self.definitions.well_known().extension;
        for (name, value, is_here) in [
            ("id", &element.id, !definition.is_resource),
            ("url", &element.url, is_extension),
            ("value", &element.value, false),
        ] {
            let Some(value) = value else { continue };
            if !is_here {
                let message = format!("<{}> must not have the attribute '{name}'", element.name);
                self.issue(IssueType::Structure, element.at, message);
                continue;
            }
            self.json.push_str(separator);
            separator = ",";
            quote(&mut self.json, name);
            self.json.push(':');
            quote(&mut self.json, value);
        }
        for group in self.groups(&element.children) {
            let first = self.at(group[0]);
            let Some(property) = self.property(definition, first) else { continue };
            self.json.push_str(separator);
            separator = ",";
            self.group(first.name, property, &group);
        }
        self.json.push('}');
    }

    /// Children of the same name, in the order of their first; one that stands apart from its like is an error, as their
    /// order is part of what they say.
    fn groups(&mut self, children: &[u32]) -> Vec<Vec<u32>> {
        let mut groups: Vec<Vec<u32>> = Vec::new();
        let mut places: FxHashMap<&str, usize> = FxHashMap::default();
        for child in children {
            let name = self.at(*child).name;
            match places.get(name).copied() {
                Some(at) if at + 1 == groups.len() => groups[at].push(*child),
                Some(at) => {
                    let place = self.at(*child).at;
                    let message =
                        format!("<{name}> stands apart from the others of its name; keep them together");
                    self.issue(IssueType::Structure, place, message);
                    groups[at].push(*child);
                }
                None => {
                    places.insert(name, groups.len());
                    groups.push(vec![*child]);
                }
            }
        }
        groups
    }

    fn property(&mut self, definition: &'static TypeDefinition, element: &Element<'x>) -> Option<Property> {
        let found = definition.properties.get(element.name).copied().filter(|p| !p.is_companion);
        let is_attribute = !definition.is_resource && element.name == "id"
            || element.name == "url" && definition.name == "Extension";
        if is_attribute {
            let message = format!("{} of a {} is an attribute in XML", element.name, definition.name);
            self.issue(IssueType::Structure, element.at, message);
            return None;
        }
        if found.is_none() && !self.is_full() {
            let names = definition.properties.iter().filter(|(_, p)| !p.is_companion).map(|(name, _)| *name);
            let hint = did_you_mean(&nearest(element.name, names));
            self.path.push((element.name.to_owned(), None));
            let message = format!("{} has no element '{}'{hint}", definition.name, element.name);
            self.issue(IssueType::Structure, element.at, message);
            self.path.pop();
        }
        found
    }

    /// The values of one element, as one JSON property (and its companion).
    fn group(&mut self, name: &'x str, property: Property, group: &[u32]) {
        let element = self.definitions.element(property.element);
        let definition = self.definitions.type_of(property.value_type);
        let is_list = element.is_list();
        if !is_list && group.len() > 1 {
            let at = self.at(group[1]).at;
            self.issue(IssueType::Structure, at, format!("{name} has one value; there are {}", group.len()));
            return;
        }
        let index = |at: usize| is_list.then_some(at);
        if definition.kind != TypeKind::Primitive {
            self.open(name, is_list);
            for (at, child) in group.iter().enumerate() {
                if at > 0 {
                    self.json.push(',');
                }
                self.path.push((element.name.to_owned(), index(at)));
                self.complex(*child, property.value_type);
                self.path.pop();
            }
            self.close(is_list);
            return;
        }
        let has_value = |c: &u32| self.at(*c).value.is_some() || self.at(*c).narrative_end.is_some();
        let has_companion = |c: &u32| self.at(*c).id.is_some() || !self.at(*c).children.is_empty();
        let (any_value, any_companion) = (group.iter().any(has_value), group.iter().any(has_companion));
        if any_value || !any_companion {
            self.open(name, is_list);
            for (at, child) in group.iter().enumerate() {
                if at > 0 {
                    self.json.push(',');
                }
                self.path.push((element.name.to_owned(), index(at)));
                self.primitive(*child, definition);
                self.path.pop();
            }
            self.close(is_list);
        }
        if any_companion {
            if any_value {
                self.json.push(',');
            }
            self.open(&format!("_{name}"), is_list);
            for (at, child) in group.iter().enumerate() {
                if at > 0 {
                    self.json.push(',');
                }
                self.path.push((element.name.to_owned(), index(at)));
                self.companion(*child, property.value_type);
                self.path.pop();
            }
            self.close(is_list);
        }
    }

    fn open(&mut self, name: &str, is_list: bool) {
        quote(&mut self.json, name);
        self.json.push(':');
        if is_list {
            self.json.push('[');
        }
    }

    fn close(&mut self, is_list: bool) {
        if is_list {
            self.json.push(']');
        }
    }

    fn complex(&mut self, number: u32, value_type: TypeId) {
        let element = self.at(number);
        if !self.definitions.type_of(value_type).is_resource {
            return self.object(number, value_type);
        }
        match element.children.as_slice() {
            [only] if element.id.is_none() && element.url.is_none() && element.value.is_none() => {
                self.resource(*only);
            }
            _ => {
                let message = format!("<{}> holds one resource, as an element of its own", element.name);
                self.issue(IssueType::Structure, element.at, message);
            }
        }
    }

    fn primitive(&mut self, number: u32, definition: &'static TypeDefinition) {
        let element = self.at(number);
        self.mark(element.at);
        self.refuse_url(element);
        if definition.primitive == Some(Primitive::Xhtml) {
            let Some(end) = element.narrative_end else {
                let message = format!("a narrative is <div xmlns=\"{}\">", xhtml::NAMESPACE);
                return self.issue(IssueType::Structure, element.at, message);
            };
            let raw = self.text.get(element.at..end).unwrap_or_default();
            return quote(&mut self.json, raw);
        }
        if element.narrative_end.is_some() {
            let message = format!("<{}> is not a narrative", element.name);
            return self.issue(IssueType::Structure, element.at, message);
        }
        let Some(value) = &element.value else {
            if element.id.is_none() && element.children.is_empty() {
                let message = format!("<{}> says nothing; give it a value or leave it out", element.name);
                self.issue(IssueType::Structure, element.at, message);
            }
            return self.json.push_str("null");
        };
        let is_good = match definition.primitive.map(Primitive::json_kind) {
            Some(JsonKind::Boolean) => matches!(value.as_ref(), "true" | "false"),
            Some(JsonKind::Number) => is_number(value),
            _ => return quote(&mut self.json, value),
        };
        if is_good {
            return self.json.push_str(value);
        }
        let message = format!("expected {}, found '{value}'", definition.name);
        self.issue(IssueType::Value, element.at, message);
    }

    /// The id and extensions of a primitive.
    fn companion(&mut self, number: u32, value_type: TypeId) {
        let element = self.at(number);
        if element.id.is_none() && element.children.is_empty() {
            return self.json.push_str("null");
        }
        self.mark(element.at);
        self.json.push('{');
        let mut separator = "";
        if let Some(id) = &element.id {
            self.json.push_str("\"id\":");
            quote(&mut self.json, id);
            separator = ",";
        }
        let definition = self.definitions.type_of(value_type);
        for group in self.groups(&element.children) {
            let first = self.at(group[0]);
            let extension = self.definitions.element_named(value_type, first.name);
            let Some((slot, id)) = extension.filter(|_| first.name == "extension") else {
                let message = format!("{} has no element '{}'", definition.name, first.name);
                self.issue(IssueType::Structure, first.at, message);
                continue;
            };
            self.json.push_str(separator);
            separator = ",";
            let property = Property {
                slot: u16::try_from(slot).unwrap_or(0),
                element: id,
                value_type: self.definitions.well_known().extension,
                is_companion: false,
            };
            self.group(first.name, property, &group);
        }
        self.json.push('}');
    }
}

/// Whether a text is a number as JSON writes it, which is how FHIR defines decimals and integers.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_whole = digits(whole) && (whole == "0" || !whole.starts_with('0'));
    is_whole && fraction.is_none_or(digits) && exponent.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(xml: &str) -> Result<String, Vec<String>> {
        let found = parse(xml.as_bytes(), &Limits::default());
        found.map(|r| r.text().to_owned()).map_err(|i| i.iter().map(ToString::to_string).collect())
    }

    fn patient(inner: &str) -> Result<String, Vec<String>> {
        read(&format!("<Patient xmlns=\"{NAMESPACE}\">{inner}</Patient>"))
    }

    #[test]
    fn elements_attributes_and_narrative_become_json() {
        let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">a <b>b</b> &amp;</div>";
        let found = patient(&format!(
            "<id value=\"a\"/><text><status value=\"generated\"/>{div}</text>\n<!-- c -->\
             <extension url=\"http://e\"><valueDecimal value=\"1.00\"/></extension><active value=\"true\"/>\
             <name id=\"n\"><family value=\"A &quot;B&quot;&#10;c\"/><given value=\"x\"/><given id=\"g\"><extension url=\"http://f\"><valueCode value=\"y\"/></extension></given></name>"
        ));
        let div = div.replace('"', "\\\"");
        assert_eq!(
            found.unwrap(),
            format!(
                r#"{{"resourceType":"Patient","id":"a","text":{{"status":"generated","div":"{div}"}},"extension":[{{"url":"http://e","valueDecimal":1.00}}],"active":true,"name":[{{"id":"n","family":"A \"B\"\nc","given":["x",null],"_given":[null,{{"id":"g","extension":[{{"url":"http://f","valueCode":"y"}}]}}]}}]}}"#
            )
        );
        let prefixed = "<?xml version=\"1.0\" encoding=\"utf-8\"?><f:Bundle xmlns:f=\"http://hl7.org/fhir\"><f:type value=\"collection\"/><f:entry><f:resource><f:Patient><f:active value=\"false\"/></f:Patient></f:resource></f:entry></f:Bundle>";
        assert_eq!(
            read(prefixed).unwrap(),
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","active":false}}]}"#
        );
    }

    #[test]
    fn findings_name_place_line_and_column() {
        for (inner, words) in [
            ("\n <actve value=\"true\"/>", "line 2, column 2"),
            ("<actve value=\"true\"/>", "did you mean active"),
            ("\n<birthDate value=\"2020-13\"/>", "line 2, column 1"),
            ("<active value=\"yes\"/>", "expected boolean"),
            ("<multipleBirthInteger value=\"+1\"/>", "expected integer"),
            ("<active value=\"true\" x=\"y\"/>", "attribute 'x'"),
            ("<active/>", "says nothing"),
            ("<active value=\"true\"/><active value=\"true\"/>", "one value"),
            ("text", "text between elements"),
            ("<name><family value=\"a\"/>", "ill-formed"),
            ("<contained><Patien/></contained>", "did you mean Patient"),
            ("<contained/>", "holds one resource"),
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>", "no element 'div'"),
            ("<text><status value=\"generated\"/><div>x</div></text>", "a narrative is"),
            ("<name><id value=\"x\"/></name>", "attribute in XML"),
            ("<name value=\"x\"/>", "must not have the attribute 'value'"),
            (
                "<name><family value=\"a\"/></name><active value=\"true\"/><name><family value=\"b\"/></name>",
                "stands apart",
            ),
            ("<x:active xmlns:x=\"http://other\" value=\"true\"/>", "FHIR's namespace"),
            ("&nbsp;", "text between elements"),
        ] {
            let found = patient(inner).expect_err(inner).join("; ");
            assert!(found.contains(words), "{inner}: {found}");
        }
        for (xml, words) in [
            ("", "there is none"),
            ("<Patient/>", "FHIR's namespace"),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><Patient xmlns=\"http://hl7.org/fhir\"/>", "document type"),
            (
                "<?xml version=\"1.0\" encoding=\"shift_jis\"?><Patient xmlns=\"http://hl7.org/fhir\"/>",
                "UTF-8",
            ),
            (
                "<Patient xmlns=\"http://hl7.org/fhir\"/><Patient xmlns=\"http://hl7.org/fhir\"/>",
                "another element",
            ),
            ("<Nothing xmlns=\"http://hl7.org/fhir\"/>", "no resource type 'Nothing'"),
        ] {
            let found = read(xml).expect_err(xml).join("; ");
            assert!(found.contains(words), "{xml}: {found}");
        }
        let deep = "<extension url=\"a\">".repeat(1000);
        assert!(patient(&deep).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_text_panics(text in "(<|>|/|</|Patient|name|family|div|extension| value=\"| url=\"|\"| xmlns=\"http://hl7.org/fhir\"|&#10;|&|;|\\[|!--|-->|true|1|\\PC){0,40}") {
            let _ = read(&text);
            let _ = patient(&text);
        }
    }
}
