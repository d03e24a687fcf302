//! Notes: documents whose content is text in the record.

use data_encoding::BASE64;
use fhir::NodeRef;

/// The text of a document that is kept as text, if it is.
pub(crate) fn text_of(document: NodeRef<'_>) -> Option<String> {
    let attachments = document.all("content").filter_map(|content| content.child("attachment"));
    let text = |attachment: NodeRef<'_>| {
        let kind = attachment.text_at("contentType")?;
        let data = attachment.text_at("data").filter(|_| kind.starts_with("text/plain"))?;
        String::from_utf8(BASE64.decode(data.as_bytes()).ok()?).ok()
    };
    let mut texts = attachments.filter_map(text);
    texts.next()
}

/// A text as an attachment has it.
pub(crate) fn data_of(text: &str) -> String {
    BASE64.encode(text.as_bytes())
}
