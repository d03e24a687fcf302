//! `$meta`, `$meta-add`, `$meta-delete`: profiles, security labels and tags apart from the rest of a resource
//! (<https://hl7.org/fhir/R4/resource-operation-meta.html>).
//!
//! Tags and labels survive an update that omits them, so taking one away is an act of its own: `$meta-delete`.

use fhir::json::JsonWriter;
use fhir::{IssueType, NodeRef, Resource, TypeId};
use serde_json::{Map, Value};
use store::Substitutions;

use crate::patch::{On, refused, unprocessable};
use crate::{Access, Failure, Hub, Kind, Prepared, WriteOptions};

/// Whether labels are added or taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetaChange {
    /// `$meta-add`
    Add,
    /// `$meta-delete`
    Delete,
}

/// What of a `meta` the operations are about.
const LISTS: [&str; 3] = ["profile", "security", "tag"];

impl Hub {
    /// The `meta` of a resource, as Parameters.
    ///
    /// # Errors
    /// If there is no such resource.
    pub fn meta(&self, access: &Access, resource_type: TypeId, id: &str) -> Result<String, Failure> {
        let kept = self.read(access, resource_type, id, None)?;
        let json = kept.json();
        let meta = fhir::json::scan::members(&json).find(|m| m.name == "meta").map_or("{}", |m| m.value);
        let mut out = JsonWriter::new();
        out.object(|p| {
            p.member("resourceType", "Parameters");
            p.name("parameter").array(|list| {
                list.object(|one| {
                    one.member("name", "return");
                    one.raw_member("valueMeta", meta);
                });
            });
        });
        Ok(out.finish())
    }

    /// Prepares a version of a resource with profiles, labels and tags added or taken away.
    ///
    /// # Errors
    /// If there is no such resource, or the parameters name nothing.
    pub fn change_meta(
        &self,
        access: &Access,
        resource_type: TypeId,
        id: &str,
        parameters: &Resource,
        how: MetaChange,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        if let Some(repeated) = self.repeated(access, options)? {
            return Ok(repeated);
        }
        let given = given(parameters.root())?;
        let change = |current: &Resource| {
            let text = changed(current.text(), &given, how).map_err(unprocessable)?;
            fhir::json::parse(text.as_bytes(), &self.limits).map_err(refused)
        };
        let on = On { resource_type, id, if_match: options.if_match, condition: None };
        let command = self.changed(access, on, &Substitutions::new(), &change)?;
        Ok(self.prepared(access, self.with_provenance(vec![command], options)?, options.once))
    }
}

/// The `meta` of the operation's parameters.
fn given(parameters: NodeRef<'_>) -> Result<Map<String, Value>, Failure> {
    let invalid = |message: &str| Failure::new(Kind::Invalid, IssueType::Required, message);
    let meta = parameters
        .all("parameter")
        .find(|p| p.text_at("name").as_deref() == Some("meta"))
        .and_then(|p| p.child("value"))
        .filter(|v| v.type_name() == "Meta")
        .ok_or_else(|| invalid("send a Parameters resource with a parameter meta that has a valueMeta"))?;
    let given: Map<String, Value> = serde_json::from_str(&meta.json()).unwrap_or_default();
    if LISTS.iter().any(|name| given.contains_key(*name)) {
        return Ok(given);
    }
    Err(invalid("valueMeta names no profile, security or tag"))
}

fn changed(resource: &str, given: &Map<String, Value>, how: MetaChange) -> Result<String, String> {
    let mut resource: Value = serde_json::from_str(resource).map_err(|e| e.to_string())?;
    let Some(members) = resource.as_object_mut() else { return Err("it is no resource".to_owned()) };
    let meta = members.entry("meta").or_insert_with(|| Value::Object(Map::new()));
    let Some(meta) = meta.as_object_mut() else { return Err("its meta is no object".to_owned()) };
    for name in LISTS {
        let Some(Value::Array(given)) = given.get(name) else { continue };
        let list = meta.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        let Some(list) = list.as_array_mut() else { continue };
        match how {
            MetaChange::Add => {
                for one in given {
                    if !list.iter().any(|other| is_same(one, other)) {
                        list.push(one.clone());
                    }
                }
            }
            MetaChange::Delete => list.retain(|other| !given.iter().any(|one| is_same(one, other))),
        }
        if list.is_empty() {
            meta.shift_remove(name);
        }
    }
    Ok(resource.to_string())
}

/// Whether two entries of a list are the same profile or coding; what a display says does not count.
fn is_same(a: &Value, b: &Value) -> bool {
    if a.is_object() { a.get("system") == b.get("system") && a.get("code") == b.get("code") } else { a == b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_added_once_and_taken_away() {
        let given: Map<String, Value> =
            serde_json::from_str(r#"{"tag":[{"system":"s","code":"a"},{"code":"b"}],"profile":["p"]}"#)
                .unwrap();
        let resource = r#"{"resourceType":"Basic","meta":{"versionId":"1","tag":[{"system":"s","code":"a","display":"A"}]},"x":1.00}"#;
        let added = changed(resource, &given, MetaChange::Add).unwrap();
        assert_eq!(
            added,
            r#"{"resourceType":"Basic","meta":{"versionId":"1","tag":[{"system":"s","code":"a","display":"A"},{"code":"b"}],"profile":["p"]},"x":1.00}"#
        );
        let removed = changed(&added, &given, MetaChange::Delete).unwrap();
        assert_eq!(removed, r#"{"resourceType":"Basic","meta":{"versionId":"1"},"x":1.00}"#);
    }
}
