//! JSON Patch (<https://datatracker.ietf.org/doc/html/rfc6902>).
//!
//! Operations are applied one by one, each only if its outcome stays within the limits: a copy may double a document, and
//! a move may nest it, so a small patch could otherwise ask for any amount of memory.

use fhir::Limits;
use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use super::{MAX_OPERATIONS, unprocessable};
use crate::Failure;

/// What becomes of a document. Numbers keep their digits.
///
/// # Errors
/// The first operation that does not apply, and why.
pub fn apply(document: &str, patch: &Patch, limits: &Limits) -> Result<String, Failure> {
    if patch.0.len() > MAX_OPERATIONS {
        return Err(too_many(patch.0.len()));
    }
    let mut value: Value = serde_json::from_str(document)
        .map_err(|e| unprocessable(format!("the document is not JSON: {e}")))?;
    let mut size = document.len();
    for (at, operation) in patch.0.iter().enumerate() {
        let fail = |message: String| unprocessable(format!("operation {}: {message}", at + 1));
        let added = match operation {
            PatchOperation::Add(add) => Some((&add.path, Some(&add.value), true)),
            PatchOperation::Replace(replace) => Some((&replace.path, Some(&replace.value), true)),
            PatchOperation::Copy(copy) => Some((&copy.path, value.pointer(copy.from.as_str()), true)),
            PatchOperation::Move(moved) => Some((&moved.path, value.pointer(moved.from.as_str()), false)),
            PatchOperation::Remove(_) | PatchOperation::Test(_) => None,
        };
        if let Some((path, Some(part), is_more)) = added {
            if path.tokens().count() + depth(part) > limits.depth * 2 {
                return Err(fail(format!("the document would be nested more than {} deep", limits.depth)));
            }
            if is_more {
                size += part.to_string().len();
            }
            if size > limits.resource_bytes {
                return Err(fail(format!(
                    "the document would have more than {} bytes",
                    limits.resource_bytes
                )));
            }
        }
        // Nothing is undone on failure: the document is dropped.
        json_patch::patch_unsafe(&mut value, std::slice::from_ref(operation))
            .map_err(|error| fail(format!("'{}': {}", error.path, error.kind)))?;
    }
    Ok(value.to_string())
}

pub(super) fn too_many(count: usize) -> Failure {
    unprocessable(format!(
        "{count} operations; a patch has at most {MAX_OPERATIONS}, send the whole resource instead"
    ))
}

/// How deep a value is nested.
fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    let mut open = vec![(value, 1)];
    while let Some((value, at)) = open.pop() {
        deepest = deepest.max(at);
        match value {
            Value::Array(items) => open.extend(items.iter().map(|v| (v, at + 1))),
            Value::Object(members) => open.extend(members.values().map(|v| (v, at + 1))),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(patch: &str) -> Result<String, String> {
        let patch: Patch = serde_json::from_str(patch).unwrap();
        let document = r#"{"a":1.00,"name":[["x"]]}"#;
        apply(document, &patch, &Limits::default()).map_err(|f| f.issues[0].diagnostics.clone())
    }

    #[test]
    fn a_small_patch_cannot_ask_for_much() {
        let copies = r#"{"op":"copy","from":"/b","path":"/b/-"}"#;
        let doubling =
            format!(r#"[{{"op":"add","path":"/b","value":["xxxxxxxx"]}},{}]"#, [copies; 40].join(","));
        assert!(applied(&doubling).unwrap_err().contains("bytes"));
        let wide = r#"{"op":"copy","from":"","path":"/c"},{"op":"copy","from":"/c","path":"/d"},{"op":"move","from":"/c","path":"/d/e"}"#;
        assert!(applied(&format!("[{}]", [wide; 200].join(","))).is_err());
        let rounds = r#"{"op":"add","path":"/b","value":{}},{"op":"move","from":"/a","path":"/b/c"},{"op":"move","from":"/b","path":"/a"}"#;
        assert!(applied(&format!("[{}]", [rounds; 300].join(","))).unwrap_err().contains("nested"));
        let many = format!("[{}]", [r#"{"op":"test","path":"/a","value":1}"#; 2000].join(","));
        assert!(applied(&many).unwrap_err().contains("at most"));
    }

    #[test]
    fn a_failure_is_an_error_whatever_came_before() {
        let patch = r#"[{"op":"move","from":"/name/0","path":"/name"},{"op":"test","path":"/x","value":1}]"#;
        assert!(applied(patch).unwrap_err().contains("operation 2"));
        assert_eq!(applied("[]").unwrap(), r#"{"a":1.00,"name":[["x"]]}"#);
    }
}
