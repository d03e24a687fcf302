//! The selectors of XML Patch: the part of XPath that RFC 5261 uses (its section 4.1 and 4.4).
//!
//! `f:Patient/f:name[2]/f:given[@id='a']/text()[1]`: steps by qualified name or `*`, each with conditions on place,
//! attribute, child or text; the last step may be an attribute, text, a comment, an instruction or a namespace. `f` stands
//! for FHIR and `h` for XHTML where the patch does not say otherwise; a name without prefix is in no namespace.

use fhir::xml::dom::{Element, Part};

/// What a selector points at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// An element, text, comment or instruction: the way to it by places among children.
    Part(Vec<usize>),
    /// An attribute (or declaration of a namespace) of the element at the end of the way.
    Attribute(Vec<usize>, String),
}

/// What stands for prefixes.
pub(super) type Prefixes<'p> = &'p dyn Fn(&str) -> Option<String>;

/// A step that ends at an element's part.
enum Kind {
    Named { prefix: String, local: String },
    Any,
    Text,
    Comment,
    Instruction(Option<String>),
}

enum Condition {
    Place(usize),
    Attribute(String, String),
    Child { prefix: String, local: String, text: String },
    Text(String),
}

struct Step {
    kind: Kind,
    conditions: Vec<Condition>,
}

/// The one thing a selector points at, from the document's own node, whose child is the root.
pub(super) fn select(top: &Element, selector: &str, prefixes: Prefixes<'_>) -> Result<Target, String> {
    let steps = split_outside(selector.trim().trim_start_matches('/'), '/');
    if steps.iter().any(|s| s.trim().is_empty()) {
        return Err(format!("the selector '{selector}' has an empty step"));
    }
    let mut ways: Vec<Vec<usize>> = vec![Vec::new()];
    let last = steps.len() - 1;
    for (at, text) in steps.iter().map(|s| s.trim()).enumerate() {
        let attribute = text
            .strip_prefix('@')
            .or_else(|| text.strip_prefix("attribute::"))
            .map(str::to_owned)
            .or_else(|| text.strip_prefix("namespace::").map(|prefix| format!("xmlns:{prefix}")));
        if let Some(name) = attribute {
            if at != last || at == 0 {
                return Err(format!("in '{selector}' the attribute must be the last step, after an element"));
            }
            ways.retain(|way| element_at(top, way).is_some_and(|e| e.attribute(&name).is_some()));
            let way = only(ways, selector)?;
            return Ok(Target::Attribute(way, name));
        }
        let step = Step::parse(text)?;
        let mut next = Vec::new();
        for way in &ways {
            let Some(element) = element_at(top, way) else { continue };
            for place in step.pick(&element.children, prefixes)? {
                next.push([way.as_slice(), &[place]].concat());
            }
        }
        ways = next;
    }
    Ok(Target::Part(only(ways, selector)?))
}

fn only(mut ways: Vec<Vec<usize>>, selector: &str) -> Result<Vec<usize>, String> {
    match (ways.len(), ways.pop()) {
        (1, Some(way)) => Ok(way),
        (0, _) => Err(format!("the selector '{selector}' finds nothing")),
        (count, _) => Err(format!("the selector '{selector}' finds {count} nodes; it must find one")),
    }
}

/// The element at the end of a way.
pub(super) fn element_at<'d>(root: &'d Element, way: &[usize]) -> Option<&'d Element> {
    way.iter().try_fold(root, |element, at| match element.children.get(*at) {
        Some(Part::Element(child)) => Some(child),
        _ => None,
    })
}

/// The same, to be changed.
pub(super) fn element_at_mut<'d>(root: &'d mut Element, way: &[usize]) -> Option<&'d mut Element> {
    way.iter().try_fold(root, |element, at| match element.children.get_mut(*at) {
        Some(Part::Element(child)) => Some(child),
        _ => None,
    })
}

/// Splits at a character that stands outside quotes and brackets.
fn split_outside(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut quote, mut start) = (0usize, None, 0);
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c == separator && depth == 0 => {
                found.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found.push(&text[start..]);
    found
}

fn qualified(text: &str) -> Result<(String, String), String> {
    let (prefix, local) = text.split_once(':').unwrap_or(("", text));
    let is_name = |t: &str| {
        t.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && t.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    if !is_name(local) || !(prefix.is_empty() || is_name(prefix)) {
        return Err(format!(
            "'{text}' is not a step of an XML Patch selector: a name, *, text(), comment(), @name, each with [conditions]"
        ));
    }
    Ok((prefix.to_owned(), local.to_owned()))
}

fn quoted(text: &str) -> Result<String, String> {
    let text = text.trim();
    let inner = ['\'', '"'].into_iter().find_map(|q| text.strip_prefix(q)?.strip_suffix(q));
    inner.map(str::to_owned).ok_or_else(|| format!("{text} must be in quotes"))
}

impl Step {
    fn parse(text: &str) -> Result<Step, String> {
        let end = text.find('[').unwrap_or(text.len());
        let (name, mut rest) = (text[..end].trim(), text[end..].trim());
        let kind = match name {
            "*" => Kind::Any,
            "text()" => Kind::Text,
            "comment()" => Kind::Comment,
            _ => match name.strip_prefix("processing-instruction(").and_then(|t| t.strip_suffix(')')) {
                Some("") => Kind::Instruction(None),
                Some(target) => Kind::Instruction(Some(quoted(target)?)),
                None => {
                    let (prefix, local) = qualified(name)?;
                    Kind::Named { prefix, local }
                }
            },
        };
        let mut conditions = Vec::new();
        while let Some(inner) = rest.strip_prefix('[') {
            let parts = split_outside(inner, ']');
            let condition = parts[0];
            if parts.len() < 2 {
                return Err(format!("'{text}' has a '[' that is not closed"));
            }
            rest = inner[condition.len() + 1..].trim();
            conditions.push(Condition::parse(condition.trim())?);
        }
        if rest.is_empty() {
            Ok(Step { kind, conditions })
        } else {
            Err(format!("'{rest}' after '{name}' is not understood"))
        }
    }

    /// The places of the parts it picks.
    fn pick(&self, parts: &[Part], prefixes: Prefixes<'_>) -> Result<Vec<usize>, String> {
        let wanted = match &self.kind {
            Kind::Named { prefix, local } => Some((namespace(prefix, prefixes)?, local)),
            _ => None,
        };
        let is_kind = |part: &Part| match (&self.kind, part) {
            (Kind::Named { .. }, Part::Element(element)) => wanted
                .as_ref()
                .is_some_and(|(uri, local)| element.namespace == *uri && element.local_name() == *local),
            (Kind::Any, Part::Element(_))
            | (Kind::Text, Part::Text(_))
            | (Kind::Comment, Part::Comment(_)) => true,
            (Kind::Instruction(target), Part::Instruction(text)) => {
                target.as_deref().is_none_or(|t| text.split_whitespace().next() == Some(t))
            }
            _ => false,
        };
        let mut places: Vec<usize> =
            parts.iter().enumerate().filter(|(_, part)| is_kind(part)).map(|(at, _)| at).collect();
        for condition in &self.conditions {
            places = condition.keep(parts, places, prefixes)?;
        }
        Ok(places)
    }
}

fn namespace(prefix: &str, prefixes: Prefixes<'_>) -> Result<String, String> {
    if prefix.is_empty() {
        return Ok(String::new());
    }
    prefixes(prefix)
        .ok_or_else(|| format!("the prefix '{prefix}' stands for no namespace; declare it on the patch"))
}

impl Condition {
    fn parse(text: &str) -> Result<Condition, String> {
        if let Ok(place) = text.parse::<usize>() {
            return match place {
                0 => Err("[0] is no place; they are counted from 1".to_owned()),
                place => Ok(Condition::Place(place)),
            };
        }
        let (left, right) = text
            .split_once('=')
            .ok_or_else(|| format!("[{text}] is not understood: a place, @name='…' or name='…'"))?;
        let (left, value) = (left.trim(), quoted(right)?);
        match left.strip_prefix('@') {
            Some(name) => Ok(Condition::Attribute(name.trim().to_owned(), value)),
            None if matches!(left, "." | "text()") => Ok(Condition::Text(value)),
            None => {
                let (prefix, local) = qualified(left)?;
                Ok(Condition::Child { prefix, local, text: value })
            }
        }
    }

    fn keep(&self, parts: &[Part], places: Vec<usize>, prefixes: Prefixes<'_>) -> Result<Vec<usize>, String> {
        if let Condition::Place(place) = self {
            return Ok(places.get(place - 1).copied().into_iter().collect());
        }
        let uri = match self {
            Condition::Child { prefix, .. } => namespace(prefix, prefixes)?,
            _ => String::new(),
        };
        let holds = |at: &usize| match (self, &parts[*at]) {
            (Condition::Attribute(name, value), Part::Element(element)) => {
                element.attribute(name) == Some(value)
            }
            (Condition::Child { local, text, .. }, Part::Element(element)) => {
                element.elements().any(|e| e.namespace == uri && e.local_name() == local && e.text() == *text)
            }
            (Condition::Text(value), Part::Element(element)) => element.text() == *value,
            (Condition::Text(value), Part::Text(text) | Part::Comment(text)) => text == value,
            _ => false,
        };
        Ok(places.into_iter().filter(holds).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(selector: &str) -> Result<Target, String> {
        let text = r#"<a xmlns="urn:f"><b i="1">x</b><b i="2">y<c>z</c></b><!--k--></a>"#;
        let prefixes = |prefix: &str| (prefix == "f").then(|| "urn:f".to_owned());
        let root = Part::Element(Element::parse(text)?);
        select(&Element { children: vec![root], ..Element::default() }, selector, &prefixes)
    }

    #[test]
    fn selectors_find_one_thing() {
        for (selector, way) in [
            ("f:a", vec![0]),
            ("/f:a/f:b[2]", vec![0, 1]),
            ("f:a/*[@i='2']/f:c", vec![0, 1, 1]),
            ("f:a/f:b[f:c='z']/text()[1]", vec![0, 1, 0]),
            ("f:a/f:b[.='x']", vec![0, 0]),
            ("f:a/comment()", vec![0, 2]),
        ] {
            assert_eq!(selected(selector), Ok(Target::Part(way)), "{selector}");
        }
        assert_eq!(selected("f:a/f:b[1]/@i"), Ok(Target::Attribute(vec![0, 0], "i".to_owned())));
        for bad in [
            "",
            "a",
            "f:a/f:b",
            "f:a/f:b[3]",
            "g:a",
            "f:a/f:b[",
            "f:a//f:b",
            "f:a/f:b[0]",
            "f:a/@i/f:b",
            "f:a/f:b]",
            "@i",
        ] {
            assert!(selected(bad).is_err(), "{bad}");
        }
    }
}
