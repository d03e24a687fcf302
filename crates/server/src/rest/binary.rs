//! Binary as what it is rather than as a resource (<https://hl7.org/fhir/R4/binary.html#rest>).
//!
//! What is stored is the resource; raw content is put into one and taken out of one. A client that names a type of its
//! own in `Accept` gets the content; one that takes anything, or FHIR, gets the resource.

use axum::http::{HeaderMap, HeaderName, header};
use bytes::Bytes;
use data_encoding::BASE64;
use fhir::json::JsonWriter;
use fhir::{IssueType, Limits, Resource};
use hub::{Failure, Kind};
use store::Kept;

use super::Answer;
use super::format::Format;

/// Raw content on its way into a Binary.
pub(super) struct Raw {
    content_type: String,
    security_context: Option<String>,
    id: Option<String>,
}

/// Whether a request asks for a Binary's content: it names types, none of them FHIR's.
pub(super) fn is_content_wanted(segments: &[String], headers: &HeaderMap) -> bool {
    let is_binary = matches!(segments, [name, _] | [name, _, _, _] if name == "Binary");
    let Some(accept) = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).filter(|_| is_binary) else {
        return false;
    };
    let mut kinds = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    let names_one = kinds.clone().any(|kind| !kind.is_empty() && !matches!(kind, "*/*" | "application/*"));
    names_one && kinds.all(|kind| Format::named(kind).is_none())
}

/// What a body sent to Binary would be as content; nothing if it does not say what it is.
pub(super) fn raw(headers: &HeaderMap, id: Option<&str>) -> Option<Raw> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim).map(str::to_owned);
    let content_type = text("content-type").filter(|t| t.contains('/'))?;
    let security_context = text("x-security-context");
    Some(Raw { content_type, security_context, id: id.map(str::to_owned) })
}

impl Raw {
    /// Whether the content is a Binary in one of FHIR's own forms, and not to be put into another.
    pub(super) fn is_resource(&self, content: &[u8]) -> bool {
        let plain = self.content_type.split(';').next().unwrap_or_default();
        let has = |needle: &str| content.windows(needle.len()).any(|w| w == needle.as_bytes());
        match Format::named(plain) {
            Some(Format::Json) => has("\"resourceType\"") && has("\"Binary\""),
            Some(Format::Xml) => has("Binary") && has(fhir::xml::NAMESPACE),
            None => false,
        }
    }

    /// The Binary that holds it.
    pub(super) fn resource(&self, content: &[u8], limits: &Limits) -> Result<Resource, Failure> {
        let mut json = JsonWriter::new();
        json.object(|b| {
            b.member("resourceType", "Binary");
            if let Some(id) = &self.id {
                b.member("id", id);
            }
            b.member("contentType", &self.content_type);
            if let Some(context) = &self.security_context {
                b.name("securityContext").object(|r| {
                    r.member("reference", context);
                });
            }
            if !content.is_empty() {
                b.member("data", &BASE64.encode(content));
            }
        });
        Ok(fhir::json::parse(json.finish().as_bytes(), limits)?)
    }
}

/// The content of a Binary.
pub(super) fn content(kept: &Kept) -> Result<Answer, Failure> {
    let json = kept.json();
    let resource =
        fhir::json::parse(json.as_bytes(), &Limits { resource_bytes: usize::MAX, ..Limits::default() })?;
    let root = resource.root();
    let data: Vec<u8> =
        root.text_at("data").unwrap_or_default().bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let content = BASE64.decode(&data).map_err(|e| {
        let message = format!("what this Binary holds is not base64 ({e}); read it as a resource");
        Failure::new(Kind::NotAcceptable, IssueType::Value, message)
    })?;
    let mut answer = Answer::empty(200);
    answer.content = Some(Bytes::from(content));
    let kind = root.text_at("contentType").unwrap_or_default();
    answer = answer.with(header::CONTENT_TYPE, kind.into_owned());
    // Content is whatever somebody sent: in a browser it must not act in the hub's name.
    answer = answer.with(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned());
    if let Some(context) = root.text_at("securityContext.reference") {
        answer = answer.with(HeaderName::from_static("x-security-context"), context.into_owned());
    }
    Ok(answer)
}
