//! Less than the whole of a resource: `_summary` and `_elements`
//! (<https://hl7.org/fhir/R4/search.html#summary>, <https://hl7.org/fhir/R4/search.html#elements>).
//!
//! A subset is cut out of the kept text without reading it into nodes. It keeps `id`, `meta` and what a resource of its
//! type must have, and it is tagged `SUBSETTED`, so that nobody takes it for the whole.

use crate::definitions::{Property, TypeDefinition, TypeId, TypeKind, r4};
use crate::json::scan::{items, members};

/// Which part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subset {
    /// `_summary=true`: the elements the definitions mark for it.
    Summary,
    /// `_summary=text`: the narrative.
    Text,
    /// `_summary=data`: all but the narrative.
    Data,
    /// `_elements`: these, by name without `[x]`.
    Elements(Vec<String>),
    /// `_summary` and `_elements`: what either asks for.
    Either(Box<Subset>, Vec<String>),
}

impl Subset {
    /// The system of the code `SUBSETTED`.
    pub const TAG_SYSTEM: &'static str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

    /// What this or the other asks for: nobody gets less than they named.
    ///
    /// # Errors
    /// Of two different summaries there is no such thing.
    pub fn and(self, other: Subset) -> Result<Subset, String> {
        match (self, other) {
            (Subset::Elements(mut names), Subset::Elements(more)) => {
                names.extend(more);
                Ok(Subset::Elements(names))
            }
            (Subset::Either(summary, mut names), Subset::Elements(more)) => {
                names.extend(more);
                Ok(Subset::Either(summary, names))
            }
            (Subset::Elements(names), summary) | (summary, Subset::Elements(names)) => {
                Ok(Subset::Either(Box::new(summary), names))
            }
            (Subset::Either(summary, names), other) if *summary == other => {
                Ok(Subset::Either(summary, names))
            }
            (one, other) if one == other => Ok(one),
            _ => Err("there are two, and they differ; ask for one".to_owned()),
        }
    }

    /// Whether of an element only what a summary marks is wanted.
    fn is_summary_of(&self, element: &str) -> bool {
        match self {
            Subset::Summary => true,
            Subset::Either(summary, names) => {
                **summary == Subset::Summary && !names.iter().any(|name| name == element)
            }
            _ => false,
        }
    }
}

const TAG: &str =
    r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

/// Appends the part of a resource, given as JSON without white space. What is no resource of R4 is appended whole.
pub fn write(json: &str, subset: &Subset, out: &mut String) {
    let resource_type = members(json).find(|m| m.name == "resourceType");
    let resource_type = resource_type.and_then(|m| r4().resource_type(m.value.trim_matches('"')));
    let Some(resource_type) = resource_type else {
        out.push_str(json);
        return;
    };
    let definition = r4().type_of(resource_type);
    let is_kept = |name: &str| is_kept(definition, name, subset);
    // A contained resource stays while something that stays points at it.
    let has_local_reference = members(json)
        .any(|m| m.name != "contained" && is_kept(m.name) && m.value.contains(r##""reference":"#"##));
    let start = out.len();
    out.push('{');
    let mut has_meta = false;
    for member in members(json) {
        let is_wanted = is_kept(member.name) || member.name == "contained" && has_local_reference;
        if !is_wanted {
            continue;
        }
        if out.len() > start + 1 {
            out.push(',');
        }
        match (member.name, definition.properties.get(member.name)) {
            ("meta", _) => {
                has_meta = true;
                out.push_str("\"meta\":");
                tagged(member.value, out);
            }
            (name, Some(property))
                if name != "contained" && subset.is_summary_of(r4().element(property.element).name) =>
            {
                out.push('"');
                out.push_str(name);
                out.push_str("\":");
                summary_value(member.value, *property, out);
            }
            _ => out.push_str(member.whole),
        }
    }
    if !has_meta {
        out.push_str(",\"meta\":{\"tag\":[");
        out.push_str(TAG);
        out.push_str("]}");
    }
    out.push('}');
}

/// Whether a member of the resource itself stays.
fn is_kept(definition: &TypeDefinition, name: &str, subset: &Subset) -> bool {
    if matches!(name, "resourceType" | "id" | "meta") {
        return true;
    }
    let Some(property) = definition.properties.get(name) else { return false };
    let element = r4().element(property.element);
    let is_needed = element.min > 0 || element.is_modifier;
    match subset {
        Subset::Summary => element.is_summary || is_needed,
        Subset::Text => element.name == "text" || is_needed,
        Subset::Data => element.name != "text",
        Subset::Elements(names) => is_needed || names.iter().any(|n| n == element.name),
        Subset::Either(summary, names) => {
            names.iter().any(|n| n == element.name) || is_kept(definition, name, summary)
        }
    }
}

/// A value of a summary: whole if it is a primitive, else those of its elements that are marked.
fn summary_value(value: &str, property: Property, out: &mut String) {
    let definition = r4().type_of(property.value_type);
    let is_whole = definition.kind == TypeKind::Primitive || definition.is_resource || property.is_companion;
    if is_whole {
        out.push_str(value);
    } else if value.starts_with('[') {
        out.push('[');
        for (at, item) in items(value).enumerate() {
            if at > 0 {
                out.push(',');
            }
            summary_object(item, property.value_type, out);
        }
        out.push(']');
    } else {
        summary_object(value, property.value_type, out);
    }
}

fn summary_object(object: &str, value_type: TypeId, out: &mut String) {
    let definition = r4().type_of(value_type);
    let is_marked = |name: &str| {
        definition.properties.get(name).is_some_and(|p| {
            let element = r4().element(p.element);
            element.is_summary || element.min > 0 || element.is_modifier || element.name == "id"
        })
    };
    if !members(object).any(|m| is_marked(m.name)) {
        // Nothing of it is marked: an empty object is not allowed, so it stays whole.
        out.push_str(object);
        return;
    }
    let start = out.len();
    out.push('{');
    for member in members(object).filter(|m| is_marked(m.name)) {
        if out.len() > start + 1 {
            out.push(',');
        }
        let Some(property) = definition.properties.get(member.name) else { continue };
        out.push('"');
        out.push_str(member.name);
        out.push_str("\":");
        summary_value(member.value, *property, out);
    }
    out.push('}');
}

/// A `meta` with the tag that says that the resource is not whole.
fn tagged(meta: &str, out: &mut String) {
    let start = out.len();
    out.push('{');
    let mut is_tagged = false;
    for member in members(meta) {
        if out.len() > start + 1 {
            out.push(',');
        }
        out.push_str(member.whole);
        if member.name == "tag" && !is_tagged {
            is_tagged = true;
            if !member.value.contains("\"SUBSETTED\"") {
                out.pop();
                out.push(',');
                out.push_str(TAG);
                out.push(']');
            }
        }
    }
    if !is_tagged {
        if out.len() > start + 1 {
            out.push(',');
        }
        out.push_str("\"tag\":[");
        out.push_str(TAG);
        out.push(']');
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: &str = r##"{"resourceType":"Patient","id":"a","meta":{"versionId":"1","tag":[{"code":"x"}]},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>"},"contained":[{"resourceType":"Organization","id":"o"}],"active":true,"name":[{"family":"Yamada","extension":[{"url":"http://e","valueCode":"c"}]}],"photo":[{"title":"t"}],"managingOrganization":{"reference":"#o"}}"##;

    fn cut(subset: &Subset) -> String {
        let mut out = String::new();
        write(PATIENT, subset, &mut out);
        out.replace(TAG, "TAG")
    }

    #[test]
    fn each_subset_keeps_what_it_should() {
        let head = r#"{"resourceType":"Patient","id":"a","meta":{"versionId":"1","tag":[{"code":"x"},TAG]}"#;
        let contained = r#""contained":[{"resourceType":"Organization","id":"o"}]"#;
        let organization = r##""managingOrganization":{"reference":"#o"}"##;
        assert_eq!(
            cut(&Subset::Summary),
            format!(r#"{head},{contained},"active":true,"name":[{{"family":"Yamada"}}],{organization}}}"#)
        );
        assert!(cut(&Subset::Text).contains("<div") && !cut(&Subset::Text).contains("Yamada"));
        assert!(!cut(&Subset::Data).contains("<div") && cut(&Subset::Data).contains("photo"));
        // `active` changes the meaning of the resource, so it stays.
        let elements = Subset::Elements(vec!["photo".to_owned()]);
        assert_eq!(cut(&elements), format!(r#"{head},"active":true,"photo":[{{"title":"t"}}]}}"#));
        let both = Subset::Summary.and(Subset::Elements(vec!["name".to_owned()]));
        assert_eq!(
            cut(&both.unwrap()),
            format!(
                r#"{head},{contained},"active":true,"name":[{{"family":"Yamada","extension":[{{"url":"http://e","valueCode":"c"}}]}}],{organization}}}"#
            )
        );
        assert!(Subset::Summary.and(Subset::Text).is_err());
        let mut out = String::new();
        write(r#"{"resourceType":"Basic","code":{"text":"x"}}"#, &Subset::Text, &mut out);
        assert_eq!(
            out.replace(TAG, "TAG"),
            r#"{"resourceType":"Basic","code":{"text":"x"},"meta":{"tag":[TAG]}}"#
        );
    }
}
