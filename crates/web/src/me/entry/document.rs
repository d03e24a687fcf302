//! Photos and PDFs: what they are is seen from their first bytes, never from what they are called.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::kind::{Kind, Shape};
use super::read::Entered;
use crate::form::Form;
use crate::me::own::Own;
use crate::writing::Changes;

/// A file is at most so large: in base64 it still fits into one resource.
const LARGEST: usize = 11 << 20;
/// Within a transaction: the document and its content refer to each other.
const DOCUMENT: &str = "urn:uuid:6f6ac4a7-5f0e-4d8e-9d0b-6a0f1d0c0001";
const CONTENT: &str = "urn:uuid:6f6ac4a7-5f0e-4d8e-9d0b-6a0f1d0c0002";

/// A file that can be kept.
pub(super) struct Kept {
    kind: &'static str,
    name: String,
    bytes: Vec<u8>,
}

/// What a file is, by its first bytes.
fn sniffed(bytes: &[u8]) -> Option<&'static str> {
    let starts = |mark: &[u8]| bytes.starts_with(mark);
    let brand = bytes.get(4..12);
    match () {
        () if starts(b"\xff\xd8\xff") => Some("image/jpeg"),
        () if starts(b"\x89PNG\r\n\x1a\n") => Some("image/png"),
        () if starts(b"GIF87a") || starts(b"GIF89a") => Some("image/gif"),
        () if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => Some("image/webp"),
        () if matches!(brand, Some(b"ftypheic" | b"ftypheix" | b"ftypmif1")) => Some("image/heic"),
        () if starts(b"%PDF-") => Some("application/pdf"),
        () => None,
    }
}

/// The file a form sent; what is wrong with it stands in what was entered.
pub(super) fn read(own: &Own, kind: &Kind, form: &Form, entered: &mut Entered) -> Option<Kept> {
    if kind.shape != Shape::Document {
        return None;
    }
    let words = own.words;
    let fault = match form.file("file").filter(|file| !file.bytes.is_empty()) {
        None => words.say("me-file-missing"),
        Some(file) if file.bytes.len() > LARGEST => words.say("me-file-large"),
        Some(file) => match sniffed(&file.bytes) {
            None => {
                let kind: String = file.kind.chars().take(60).collect();
                words.say_with("me-file-kind", &[("kind", kind.into())])
            }
            Some(kind) => {
                let name = file.name.chars().filter(|c| !c.is_control()).take(200).collect();
                return Some(Kept { kind, name, bytes: file.bytes.clone() });
            }
        },
    };
    entered.errors.insert("file", fault);
    None
}

/// The document, and its content, which may be read by whoever may read the document.
pub(super) fn create(own: &Own, entered: &Entered, file: &Kept, changes: &mut Changes) {
    let mut document = json!({
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": own.subject(),
        "date": with_seconds(&entered.at),
        "author": [{"reference": own.author().unwrap_or_default()}],
        "content": [{"attachment": {
            "contentType": file.kind, "url": CONTENT, "size": file.bytes.len(), "title": file.name,
        }}],
    });
    if let Some(words) = entered.value("words") {
        document["description"] = json!(words);
    }
    let content: Value = json!({
        "resourceType": "Binary",
        "contentType": file.kind,
        "securityContext": {"reference": DOCUMENT},
        "data": BASE64.encode(&file.bytes),
    });
    changes.create(DOCUMENT, document);
    changes.create(CONTENT, content);
}

/// An instant has a time; a day begins at midnight, UTC.
fn with_seconds(at: &str) -> String {
    if at.contains('T') { at.to_owned() } else { format!("{at}T00:00:00Z") }
}

#[cfg(test)]
mod tests {
    use super::sniffed;

    #[test]
    fn a_file_is_what_it_begins_with() {
        assert_eq!(sniffed(b"\xff\xd8\xff\xe0rest"), Some("image/jpeg"));
        assert_eq!(sniffed(b"%PDF-1.7"), Some("application/pdf"));
        assert_eq!(sniffed(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for other in [&b"<svg xmlns"[..], b"<html>", b"MZ\x90", b"", b"%PD"] {
            assert_eq!(sniffed(other), None);
        }
    }
}
