//! A resource as XML.

use std::borrow::Cow;
use std::fmt;

use super::NAMESPACE;
use crate::definitions::{ElementDefinition, TypeId, TypeKind, r4};
use crate::primitive::Primitive;
use crate::resource::NodeRef;

/// A character XML has no way to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unwritable {
    /// Where it is, as FHIRPath.
    pub expression: String,
    /// The character.
    pub character: char,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has the character U+{:04X}, which XML cannot write; ask for JSON",
            self.expression,
            u32::from(self.character)
        )
    }
}

impl std::error::Error for Unwritable {}

/// The XML of the resource at `root`: elements in the order of their definitions, as the schema asks.
///
/// # Errors
/// If it has a character that XML cannot write.
pub fn to_xml(root: NodeRef<'_>) -> Result<String, Unwritable> {
    written(root, false)
}

/// The same for eyes: one element a line.
///
/// # Errors
/// As [`to_xml`].
pub fn to_pretty_xml(root: NodeRef<'_>) -> Result<String, Unwritable> {
    written(root, true)
}

/// The XML of an element that is no resource, under this name, with FHIR's namespace declared.
///
/// # Errors
/// As [`to_xml`].
pub fn to_xml_named(node: NodeRef<'_>, name: &str) -> Result<String, Unwritable> {
    let mut writer = Writer { out: String::new(), path: vec![node.name()], is_pretty: false, depth: 0 };
    writer.named(node, name, true)?;
    Ok(writer.out)
}

/// The name of an element in XML (and JSON): that of a choice ends in its type's.
#[must_use]
pub fn element_name(element: &ElementDefinition, value_type: TypeId) -> Cow<'static, str> {
    if !element.is_choice {
        return Cow::Borrowed(element.name);
    }
    let mut letters = r4().type_name(value_type).chars();
    let mut name = element.name.to_owned();
    name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
    name.push_str(letters.as_str());
    Cow::Owned(name)
}

fn written(root: NodeRef<'_>, is_pretty: bool) -> Result<String, Unwritable> {
    let out = String::with_capacity(root.raw().len() * 3 / 2);
    let mut writer = Writer { out, path: Vec::new(), is_pretty, depth: 0 };
    writer.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    writer.resource(root, true)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    path: Vec<&'static str>,
    is_pretty: bool,
    depth: usize,
}

impl Writer {
    fn resource(&mut self, node: NodeRef<'_>, is_root: bool) -> Result<(), Unwritable> {
        let name = node.type_name();
        self.line();
        self.out.push('<');
        self.out.push_str(name);
        if is_root {
            self.declare();
            self.path.push(name);
        }
        self.content(node, name)
    }

    /// Ends the start tag, and the element after its children.
    fn content(&mut self, node: NodeRef<'_>, name: &str) -> Result<(), Unwritable> {
        self.out.push('>');
        let at = self.out.len();
        self.depth += 1;
        self.children(node)?;
        self.depth -= 1;
        if self.out.len() == at {
            self.out.pop();
            self.out.push_str("/>");
        } else {
            self.line();
            self.end(name);
        }
        Ok(())
    }

    fn end(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn line(&mut self) {
        if self.is_pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    /// What stands between the tags, in the order of the type's elements. Attributes are not among it.
    fn children(&mut self, node: NodeRef<'_>) -> Result<(), Unwritable> {
        let definition = node.type_definition();
        for element in &definition.elements {
            let name = r4().element(*element).name_id;
            for child in node.children_named(name) {
                if is_attribute(node, child) {
                    continue;
                }
                self.path.push(child.name());
                self.element(child)?;
                self.path.pop();
            }
        }
        Ok(())
    }

    fn element(&mut self, node: NodeRef<'_>) -> Result<(), Unwritable> {
        let definition = node.type_definition();
        let element = node.element();
        self.line();
        if definition.primitive == Some(Primitive::Xhtml) {
            let text = node.value().unwrap_or_default();
            self.check(&text)?;
            self.out.push_str(&text);
            return Ok(());
        }
        self.named(node, &element_name(element, node.value_type()), false)
    }

    fn named(&mut self, node: NodeRef<'_>, name: &str, is_root: bool) -> Result<(), Unwritable> {
        let definition = node.type_definition();
        self.out.push('<');
        self.out.push_str(name);
        if is_root {
            self.declare();
        }
        if definition.is_resource {
            self.out.push('>');
            self.depth += 1;
            self.resource(node, false)?;
            self.depth -= 1;
            self.line();
            self.end(name);
            return Ok(());
        }
        for child in node.children().filter(|c| is_attribute(node, *c)) {
            self.attribute(child.name(), child)?;
        }
        if definition.kind == TypeKind::Primitive {
            self.attribute("value", node)?;
        }
        self.content(node, name)
    }

    fn declare(&mut self) {
        self.out.push_str(" xmlns=\"");
        self.out.push_str(NAMESPACE);
        self.out.push('"');
    }

    fn attribute(&mut self, name: &str, node: NodeRef<'_>) -> Result<(), Unwritable> {
        let Some(value) = node.value() else { return Ok(()) };
        self.check(&value)?;
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        let mut rest = value.as_ref();
        while let Some(at) = rest.find(['&', '<', '>', '"', '\n', '\r', '\t']) {
            self.out.push_str(&rest[..at]);
            self.out.push_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\n' => "&#10;",
                b'\r' => "&#13;",
                _ => "&#9;",
            });
            rest = &rest[at + 1..];
        }
        self.out.push_str(rest);
        self.out.push('"');
        Ok(())
    }

    fn check(&self, text: &str) -> Result<(), Unwritable> {
        let is_unwritable =
            |c: &char| (*c < ' ' && !matches!(c, '\n' | '\r' | '\t')) || matches!(c, '\u{fffe}' | '\u{ffff}');
        match text.chars().find(is_unwritable) {
            None => Ok(()),
            Some(character) => Err(Unwritable { expression: self.path.join("."), character }),
        }
    }
}

/// Whether XML writes a child as an attribute: the id of an element (not of a resource) and the URL of an extension
/// (<https://hl7.org/fhir/R4/xml.html#attributes>).
fn is_attribute(owner: NodeRef<'_>, child: NodeRef<'_>) -> bool {
    let well_known = r4().well_known();
    match child.name() {
        "id" => !owner.is_resource(),
        "url" => owner.value_type() == well_known.extension,
        _ => false,
    }
}
