//! `_summary` and `_elements`: how much of each resource is answered.

use fhir::issue::nearest;
use fhir::subset::Subset;
use fhir::{TypeId, r4};

use super::value::shorten;

/// What `_summary` or `_elements` asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubsetAsked {
    /// The whole (`_summary=false`).
    Whole,
    /// How many there are (`_summary=count`).
    Count,
    /// A part.
    Part(Subset),
}

/// Reads `_summary` or `_elements`; `None` if `name` is neither.
///
/// # Errors
/// What is wrong with the value, and what it could be.
pub fn subset(resource_type: TypeId, name: &str, text: &str) -> Option<Result<SubsetAsked, String>> {
    match name {
        "_summary" => Some(Ok(match text {
            "true" => SubsetAsked::Part(Subset::Summary),
            "text" => SubsetAsked::Part(Subset::Text),
            "data" => SubsetAsked::Part(Subset::Data),
            "count" => SubsetAsked::Count,
            "false" => SubsetAsked::Whole,
            _ => return Some(Err("true, text, data, count or false".to_owned())),
        })),
        "_elements" => Some(elements(resource_type, text)),
        _ => None,
    }
}

/// Adds what `_summary` or `_elements` asks for to what was asked before: of both, what either asks for.
///
/// # Errors
/// Two summaries that differ.
pub fn widen(asked: &mut Option<Subset>, part: Subset) -> Result<(), String> {
    *asked = Some(match asked.take() {
        Some(before) => before.and(part)?,
        None => part,
    });
    Ok(())
}

fn elements(resource_type: TypeId, text: &str) -> Result<SubsetAsked, String> {
    let type_name = r4().type_name(resource_type);
    let names = || r4().type_of(resource_type).elements.iter().map(|e| r4().element(*e).name);
    let mut wanted = Vec::new();
    for part in text.split(',') {
        let name = part.strip_prefix(type_name).and_then(|p| p.strip_prefix('.')).unwrap_or(part);
        let name = name.strip_suffix("[x]").unwrap_or(name);
        if !names().any(|n| n == name) {
            let near = nearest(name, names());
            let hint = if near.is_empty() {
                String::new()
            } else {
                format!(" (did you mean {}?)", near.join(" or "))
            };
            return Err(format!("{type_name} has no element '{}' at its top{hint}", shorten(part)));
        }
        wanted.push(name.to_owned());
    }
    Ok(SubsetAsked::Part(Subset::Elements(wanted)))
}
