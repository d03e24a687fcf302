//! Narrative: the XHTML FHIR allows in `text.div` (rule txt-1, <https://hl7.org/fhir/R4/narrative.html#xhtml>).
//!
//! That it says something (rule txt-2) is not asked here: an empty narrative is poor, not dangerous, and R4's own
//! examples have some.
//!
//! Formatting elements and attributes of HTML 4.0 chapters 7–11 (without section 4 of chapter 9) and 15, `a`, images
//! and style attributes; no scripts, forms, events, external style, nor anything else that acts.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "map",
    "area",
];

/// Attributes any element may have.
const COMMON: &[&str] =
    &["title", "style", "class", "id", "lang", "xml:lang", "dir", "accesskey", "tabindex"];

/// Attributes by element.
const SPECIFIC: &[(&str, &[&str])] = &[
    ("a", &["href", "name", "hreflang", "rel", "rev", "type", "charset", "shape", "coords"]),
    ("area", &["shape", "coords", "href", "nohref", "alt"]),
    ("blockquote", &["cite"]),
    ("q", &["cite"]),
    ("ins", &["cite", "datetime"]),
    ("del", &["cite", "datetime"]),
    ("br", &["clear"]),
    ("hr", &["align", "noshade", "size", "width"]),
    (
        "img",
        &[
            "src", "alt", "longdesc", "name", "height", "width", "usemap", "ismap", "align", "border",
            "hspace", "vspace",
        ],
    ),
    ("map", &["name"]),
    ("ol", &["type", "start", "compact"]),
    ("ul", &["type", "compact"]),
    ("li", &["type", "value"]),
    ("pre", &["width", "xml:space"]),
    (
        "table",
        &["summary", "width", "border", "frame", "rules", "cellspacing", "cellpadding", "align", "bgcolor"],
    ),
    ("caption", &["align"]),
    ("colgroup", &["span", "width", "align", "char", "charoff", "valign"]),
    ("col", &["span", "width", "align", "char", "charoff", "valign"]),
    ("thead", &["align", "char", "charoff", "valign"]),
    ("tbody", &["align", "char", "charoff", "valign"]),
    ("tfoot", &["align", "char", "charoff", "valign"]),
    ("tr", &["align", "char", "charoff", "valign", "bgcolor"]),
    ("th", CELL),
    ("td", CELL),
    ("p", &["align"]),
    ("div", &["align", "xmlns"]),
    ("h1", &["align"]),
    ("h2", &["align"]),
    ("h3", &["align"]),
    ("h4", &["align"]),
    ("h5", &["align"]),
    ("h6", &["align"]),
];

const CELL: &[&str] = &[
    "abbr", "axis", "headers", "scope", "rowspan", "colspan", "align", "char", "charoff", "valign", "nowrap",
    "width", "height", "bgcolor",
];

/// The namespace a narrative's `div` must have.
pub const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";

/// Deeper than this is refused.
const MAX_DEPTH: usize = 200;

/// Checks the value of a `div`.
///
/// # Errors
/// A sentence that names the element, attribute or character that is not allowed.
pub fn check(text: &str) -> Result<(), String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<String> = Vec::new();
    let mut is_done = false;
    loop {
        let event = reader.read_event().map_err(|e| format!("the narrative is not well-formed XML: {e}"))?;
        match event {
            Event::Eof => break,
            Event::Start(start) => {
                let name = element(&start, open.len(), is_done)?;
                open.push(name);
                if open.len() > MAX_DEPTH {
                    return Err(format!("the narrative is nested more than {MAX_DEPTH} deep"));
                }
            }
            Event::Empty(start) => {
                element(&start, open.len(), is_done)?;
                is_done |= open.is_empty();
            }
            Event::End(_) => {
                open.pop();
                is_done |= open.is_empty();
            }
            Event::Text(content) => {
                if open.is_empty() && !content.chars().all(char::is_whitespace) {
                    return Err("a narrative is one div; there is text outside it".to_owned());
                }
            }
            Event::GeneralRef(name) => entity(&name)?,
            Event::Comment(_) => {}
            Event::CData(_) => {
                return Err("a narrative must not have CDATA sections; escape < and & instead".to_owned());
            }
            Event::Decl(_) | Event::PI(_) => {
                return Err("a narrative must not have processing instructions".to_owned());
            }
            Event::DocType(_) => {
                return Err("a narrative must not have a document type (no DTD, no entities)".to_owned());
            }
        }
    }
    if !open.is_empty() {
        return Err(format!("the narrative's <{}> is not closed", open[open.len() - 1]));
    }
    if !is_done {
        return Err(format!("a narrative is <div xmlns=\"{NAMESPACE}\">…</div>; there is no div"));
    }
    Ok(())
}

fn entity(name: &str) -> Result<(), String> {
    let is_character = name.strip_prefix('#').is_some_and(|number| {
        let code = match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        };
        code.and_then(char::from_u32).is_some_and(is_xml)
    });
    if is_character || matches!(name, "lt" | "gt" | "amp" | "quot" | "apos") {
        return Ok(());
    }
    Err(format!(
        "'&{name};' is not an entity of XML; write the character itself, or &#160; for a no-break space"
    ))
}

/// Whether XML may have a character.
fn is_xml(c: char) -> bool {
    !(c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// Checks a start tag and returns its element's name.
fn element(start: &BytesStart<'_>, depth: usize, is_done: bool) -> Result<String, String> {
    let name = start.name().as_ref().to_owned();
    if depth == 0 {
        if is_done {
            return Err(format!("a narrative is one div; there is a <{name}> after it"));
        }
        if name != "div" {
            return Err(format!("a narrative begins with <div xmlns=\"{NAMESPACE}\">, found <{name}>"));
        }
    }
    if !ELEMENTS.contains(&name.as_str()) {
        return Err(format!(
            "<{name}> is not allowed in a narrative (formatting, tables, lists, links and images are)"
        ));
    }
    let mut has_namespace = false;
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| format!("an attribute of <{name}> is not well-formed: {e}"))?;
        let key = attribute.key.as_ref().to_owned();
        check_attribute(&name, &key, &attribute.value)?;
        has_namespace |= key == "xmlns";
    }
    if depth == 0 && !has_namespace {
        return Err(format!("the narrative's div needs xmlns=\"{NAMESPACE}\""));
    }
    Ok(name)
}

fn check_attribute(element: &str, name: &str, value: &str) -> Result<(), String> {
    if name == "xmlns" {
        if value == NAMESPACE {
            return Ok(());
        }
        return Err(format!("the narrative's namespace is {NAMESPACE}, found '{value}'"));
    }
    let is_own = SPECIFIC.iter().any(|(e, names)| *e == element && names.contains(&name));
    if !is_own && !COMMON.contains(&name) {
        return Err(format!("<{element}> must not have the attribute '{name}' in a narrative"));
    }
    let compact: String =
        value.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect::<String>().to_lowercase();
    let decoded = quick_xml::escape::unescape(&compact).map(|v| v.to_lowercase()).unwrap_or(compact);
    let is_address = matches!(name, "href" | "src" | "cite" | "longdesc");
    if is_address && (decoded.starts_with("javascript:") || decoded.starts_with("vbscript:")) {
        return Err(format!("the '{name}' of <{element}> must not be a script"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn div(inner: &str) -> Result<(), String> {
        check(&format!("<div xmlns=\"{NAMESPACE}\">{inner}</div>"))
    }

    #[test]
    fn formatting_is_allowed() {
        for inner in [
            "text",
            "<p style=\"color: red\">a <b>b</b><br/></p>",
            "<table border=\"1\"><tbody><tr><td colspan=\"2\">x</td></tr></tbody></table>",
            "<a href=\"http://a.example\">x</a>",
            "<img src=\"#p\" alt=\"\"/>",
            "&#160;&amp;",
            "<!-- a --> x",
        ] {
            assert_eq!(div(inner), Ok(()), "{inner}");
        }
    }

    #[test]
    fn what_acts_or_loads_is_not() {
        for inner in [
            "<script>x</script>",
            "<p onclick=\"x\">a</p>",
            "<form>x</form>",
            "<a href=\"java&#115;cript:alert(1)\">x</a>",
            "<a href=\" JavaScript:alert(1)\">x</a>",
            "<iframe src=\"x\">x</iframe>",
            "<link href=\"x\"/>x",
            "&nbsp;",
            "<p>x",
            "<P>x</P>",
            "<![CDATA[x]]>",
        ] {
            assert!(div(inner).is_err(), "{inner}");
        }
        assert!(check("<p>x</p>").is_err());
        assert!(check("<div>x</div>").is_err(), "no namespace");
        assert!(check("x").is_err());
        let two = format!("<div xmlns=\"{NAMESPACE}\">x</div><div xmlns=\"{NAMESPACE}\">y</div>");
        assert!(check(&two).is_err());
        assert!(
            check("<!DOCTYPE a [<!ENTITY b \"c\">]><div xmlns=\"http://www.w3.org/1999/xhtml\">&b;</div>")
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(<|>|/|div|a|=|\"|&|;|!|-|x|\\[|\\PC){0,40}") {
            let _ = check(&text);
        }
    }
}
