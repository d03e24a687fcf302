//! A batch with entries that do not read: each is treated as if it came alone
//! (<https://hl7.org/fhir/R4/http.html#brules>), so that what is wrong with one is no other's matter.
//!
//! A Bundle is read as a whole. Only one that does not read, and is a batch, is taken apart: entry by entry, to find
//! those that do not read; they are answered with what is wrong with them. A batch in XML is not taken apart.

use std::collections::BTreeMap;

use fhir::{Limits, Resource};
use hub::Failure;
use serde_json::value::RawValue;

use super::format::Format;

/// What stands in the place of an entry that does not read. It is never carried out.
const STAND_IN: &str = r#"{"request":{"method":"GET","url":"metadata"}}"#;

/// A Bundle, and those of its entries that do not read.
pub(super) type Read = (Resource, Vec<(usize, Failure)>);

/// Reads a Bundle.
pub(super) fn read(format: Format, bytes: &[u8], limits: &Limits) -> Result<Read, Failure> {
    if format == Format::Xml && fhir::xml::has_more_entries(bytes, limits.bundle_entries) {
        return Err(hub::too_many_entries(limits.bundle_entries));
    }
    let failure = match format.read(bytes, limits) {
        Ok(resource) => return Ok((resource, Vec::new())),
        Err(failure) => failure,
    };
    match format {
        Format::Json => apart(bytes, limits).ok_or(failure),
        Format::Xml => Err(failure),
    }
}

/// Reads a batch entry by entry; nothing if it is none, or something else is wrong with it.
fn apart(bytes: &[u8], limits: &Limits) -> Option<Read> {
    let members: BTreeMap<&str, &RawValue> = serde_json::from_slice(bytes).ok()?;
    let is = |name: &str, value: &str| members.get(name).is_some_and(|m| m.get() == value);
    if !is("resourceType", "\"Bundle\"") || !is("type", "\"batch\"") {
        return None;
    }
    let entries: Vec<&RawValue> = serde_json::from_str(members.get("entry")?.get()).ok()?;
    if entries.len() > limits.bundle_entries {
        return None;
    }
    let mut refused = Vec::new();
    let mut readable = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let alone = format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{}]}}"#, entry.get());
        match fhir::json::parse(alone.as_bytes(), limits) {
            Ok(_) => readable.push(entry.get()),
            Err(mut issues) => {
                for issue in &mut issues {
                    let place = issue.expression.strip_prefix("Bundle.entry[0]").map(str::to_owned);
                    issue.expression = place.unwrap_or_default().trim_start_matches('.').to_owned();
                    // It would count from the entry's own beginning.
                    issue.position = None;
                }
                readable.push(STAND_IN);
                refused.push((at, Failure::from(issues)));
            }
        }
    }
    let mut text = String::with_capacity(bytes.len());
    text.push('{');
    for (name, value) in members.iter().filter(|(name, _)| **name != "entry") {
        text.push_str(&format!("\"{name}\":{},", value.get()));
    }
    text.push_str("\"entry\":[");
    text.push_str(&readable.join(","));
    text.push_str("]}");
    let resource = fhir::json::parse(text.as_bytes(), limits).ok()?;
    Some((resource, refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_read_is_told_apart() {
        let batch = |kind: &str, entries: &str| {
            let text = format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{entries}]}}"#);
            read(Format::Json, text.as_bytes(), &Limits::default())
        };
        let good = r#"{"request":{"method":"GET","url":"Patient"}}"#;
        let bad = r#"{"resource":{"resourceType":"Patient","birthDate":"spring"},"request":{"method":"POST","url":"Patient"}}"#;
        let (resource, refused) = batch("batch", &format!("{good},{bad},{good}")).unwrap();
        assert_eq!(resource.root().all("entry").count(), 3);
        assert_eq!(refused.len(), 1);
        assert_eq!((refused[0].0, refused[0].1.issues[0].expression.as_str()), (1, "resource.birthDate"));
        assert!(batch("batch", good).unwrap().1.is_empty());
        assert!(batch("transaction", bad).is_err() && batch("batch", "{").is_err());
        let more = format!(r#"{{"resourceType":"Bundle","type":"batch","colour":"red","entry":[{bad}]}}"#);
        assert!(read(Format::Json, more.as_bytes(), &Limits::default()).is_err());
    }
}
