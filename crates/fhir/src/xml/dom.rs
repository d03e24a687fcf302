//! XML as a tree that can be changed: what a patch works on.

use quick_xml::XmlVersion;
use quick_xml::escape::{escape, partial_escape};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

/// Deeper documents are refused.
pub const MAX_DEPTH: usize = 500;

/// A part of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// An element.
    Element(Element),
    /// Text, unescaped.
    Text(String),
    /// A comment.
    Comment(String),
    /// A processing instruction.
    Instruction(String),
}

/// An element.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Element {
    /// Its name as written, with its prefix.
    pub name: String,
    /// The namespace its name is in; empty for none.
    pub namespace: String,
    /// Its attributes, declarations of namespaces among them, unescaped.
    pub attributes: Vec<(String, String)>,
    /// What it holds.
    pub children: Vec<Part>,
}

impl Element {
    /// Reads a document's one element; what stands before and after it is dropped.
    ///
    /// # Errors
    /// Text that is not well-formed, has a document type, or is nested too deep.
    pub fn parse(text: &str) -> Result<Element, String> {
        let mut reader = NsReader::from_str(text);
        let mut open: Vec<Element> = Vec::new();
        let mut root = None;
        loop {
            let (namespace, event) =
                reader.read_resolved_event().map_err(|e| format!("not well-formed XML: {e}"))?;
            let add = |open: &mut Vec<Element>, part: Part| {
                if let Some(owner) = open.last_mut() {
                    owner.push(part);
                }
            };
            match event {
                Event::Start(start) => {
                    let element = Element::started(&start, &namespace)?;
                    open.push(element);
                    if open.len() > MAX_DEPTH {
                        return Err(format!("nested more than {MAX_DEPTH} deep"));
                    }
                }
                Event::Empty(start) => {
                    let element = Element::started(&start, &namespace)?;
                    match open.is_empty() {
                        true => root = root.or(Some(element)),
                        false => add(&mut open, Part::Element(element)),
                    }
                }
                Event::End(_) => {
                    let Some(element) = open.pop() else { continue };
                    match open.is_empty() {
                        true => root = root.or(Some(element)),
                        false => add(&mut open, Part::Element(element)),
                    }
                }
                // Ends of lines are one character, whatever they were.
                Event::Text(text) => add(&mut open, Part::Text(text.xml10_content().into_owned())),
                Event::CData(text) => add(&mut open, Part::Text(text.xml10_content().into_owned())),
                Event::GeneralRef(name) => {
                    let reference = format!("&{};", &*name);
                    let text = quick_xml::escape::unescape(&reference)
                        .map_err(|e| format!("not well-formed XML: {e}"))?;
                    add(&mut open, Part::Text(text.into_owned()));
                }
                Event::Comment(text) => add(&mut open, Part::Comment(text.to_string())),
                Event::PI(text) => add(&mut open, Part::Instruction(text.to_string())),
                Event::DocType(_) => {
                    return Err("a document type is not allowed (no DTD, no entities)".to_owned());
                }
                Event::Decl(_) => {}
                Event::Eof => break,
            }
        }
        match (open.pop(), root) {
            (Some(open), _) => Err(format!("not well-formed XML: <{}> is not closed", open.name)),
            (None, Some(root)) => Ok(root),
            (None, None) => Err("there is no element".to_owned()),
        }
    }

    fn started(start: &BytesStart<'_>, namespace: &ResolveResult<'_>) -> Result<Element, String> {
        let name = start.name().as_ref().to_owned();
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.into_inner().to_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(prefix) => {
                return Err(format!("<{name}>: the prefix '{prefix}' stands for no namespace"));
            }
        };
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute =
                attribute.map_err(|e| format!("an attribute of <{name}> is not well-formed: {e}"))?;
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            let value = value.map_err(|e| format!("an attribute of <{name}> is not well-formed: {e}"))?;
            attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Ok(Element { name, namespace, attributes, children: Vec::new() })
    }

    /// Appends a part; text joins the text before it.
    pub fn push(&mut self, part: Part) {
        match (self.children.last_mut(), part) {
            (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
            (_, part) => self.children.push(part),
        }
    }

    /// Its name without prefix.
    #[must_use]
    pub fn local_name(&self) -> &str {
        self.name.rsplit_once(':').map_or(self.name.as_str(), |(_, local)| local)
    }

    /// An attribute's value.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// How deep it is nested: 1 if it holds no elements.
    #[must_use]
    pub fn depth(&self) -> usize {
        1 + self.elements().map(Element::depth).max().unwrap_or(0)
    }

    /// All text in it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.collect_text(&mut out);
        out
    }

    fn collect_text(&self, out: &mut String) {
        for part in &self.children {
            match part {
                Part::Element(element) => element.collect_text(out),
                Part::Text(text) => out.push_str(text),
                Part::Comment(_) | Part::Instruction(_) => {}
            }
        }
    }

    /// Its child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|part| match part {
            Part::Element(element) => Some(element),
            _ => None,
        })
    }

    /// Its XML.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            out.push_str(
                &escape(value.as_str()).replace('\n', "&#10;").replace('\r', "&#13;").replace('\t', "&#9;"),
            );
            out.push('"');
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for part in &self.children {
            match part {
                Part::Element(element) => element.write(out),
                Part::Text(text) => out.push_str(&partial_escape(text.as_str())),
                Part::Comment(text) => out.push_str(&format!("<!--{text}-->")),
                Part::Instruction(text) => out.push_str(&format!("<?{text}?>")),
            }
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_written_as_it_was_read() {
        let text = "<a x=\"1 &amp; 2\" xmlns:p=\"urn:p\"><p:b>t &lt; u</p:b><!-- c --><?i j?><c/></a>";
        let root = Element::parse(text).unwrap();
        assert_eq!(root.to_xml(), text);
        assert_eq!(
            root.elements().next().map(|e| (e.local_name(), e.namespace.as_str())),
            Some(("b", "urn:p"))
        );
        assert_eq!(root.text(), "t < u");
        for bad in ["", "<a>", "<a></b>", "<p:a/>", "<!DOCTYPE a><a/>", "x"] {
            assert!(Element::parse(bad).is_err(), "{bad}");
        }
        assert!(Element::parse(&"<a>".repeat(10_000)).is_err());
    }
}
