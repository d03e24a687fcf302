//! JSON Patch (<https://datatracker.ietf.org/doc/html/rfc6902>).

use crate::Failure;

use super::unprocessable;

/// What becomes of a document. Numbers keep their digits.
///
/// # Errors
/// The first operation that does not apply, and why.
pub fn apply(document: &str, patch: &json_patch::Patch) -> Result<String, Failure> {
    let mut value: serde_json::Value = serde_json::from_str(document)
        .map_err(|e| unprocessable(format!("the document is not JSON: {e}")))?;
    json_patch::patch(&mut value, patch).map_err(|error| {
        unprocessable(format!("operation {} at '{}': {}", error.operation + 1, error.path, error.kind))
    })?;
    Ok(value.to_string())
}
