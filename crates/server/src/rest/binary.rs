//! Binary as what it is rather than as a resource (<https://hl7.org/fhir/R4/binary.html#rest>).
//!
//! What is stored is the resource; raw content is put into one and taken out of one. A client that names a type of its
//! own in `Accept` gets the content; one that takes anything, or FHIR, gets the resource.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use bytes::Bytes;
use data_encoding::BASE64;
use fhir::json::JsonWriter;
use fhir::{IssueType, Limits, Resource};
use http_range_header::StartPosition;
use hub::{Failure, Kind};
use store::Kept;

use super::format::Format;
use super::{Answer, of_failure};

/// Raw content on its way into a Binary.
pub(super) struct Raw {
    content_type: String,
    security_context: Option<String>,
    id: Option<String>,
}

/// How a Binary's content is asked for.
pub(crate) struct ContentWanted {
    range: Option<String>,
    if_range: Option<String>,
}

impl ContentWanted {
    /// The part that is asked for, of this version (RFC 9110, 14.2 and 13.1.5): a part of another than the client has
    /// would be of no use to it.
    pub(super) fn range(&self, version: u64) -> Option<&str> {
        let is_same = |tag: &String| tag.trim() == hub::bundle::etag(version);
        self.range.as_deref().filter(|_| self.if_range.as_ref().is_none_or(is_same))
    }
}

/// How a request asks for a Binary's content: it names types, none of them FHIR's.
pub(super) fn content_wanted(segments: &[String], headers: &HeaderMap) -> Option<ContentWanted> {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    if !matches!(segments, [name, _] | [name, _, _, _] if name == "Binary") {
        return None;
    }
    let accept = text(header::ACCEPT)?;
    let mut kinds = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    let names_one = kinds.clone().any(|kind| !kind.is_empty() && !matches!(kind, "*/*" | "application/*"));
    let is_wanted = names_one && kinds.all(|kind| Format::named(kind).is_none());
    let owned = |name| text(name).map(str::to_owned);
    is_wanted.then(|| ContentWanted { range: owned(header::RANGE), if_range: owned(header::IF_RANGE) })
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

/// A whole, or the part of it that `range` names; several parts are not put together, the whole is sent instead.
fn part(content: Bytes, range: Option<&str>) -> Result<Answer, Failure> {
    let length = content.len() as u64;
    let whole = |content| {
        let mut answer = Answer::empty(200).with(header::ACCEPT_RANGES, "bytes".to_owned());
        answer.content = Some(content);
        Ok(answer)
    };
    // What does not parse is ignored, as RFC 9110 says.
    let Some(parsed) = range.and_then(|text| http_range_header::parse_range_header(text).ok()) else {
        return whole(content);
    };
    // The last bytes of less than that are all of it.
    let is_long_suffix = matches!(parsed.ranges.as_slice(), [one] if matches!(one.start, StartPosition::FromLast(n) if n > length));
    match parsed.validate(length).as_deref() {
        _ if is_long_suffix && length > 0 => whole(content),
        Ok([one]) if length > 0 => {
            let (from, to) = (*one.start(), *one.end());
            let mut answer = Answer::empty(206).with(header::ACCEPT_RANGES, "bytes".to_owned());
            let (start, end) = (usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0));
            answer.content = Some(content.slice(start..(end + 1).min(content.len())));
            Ok(answer.with(header::CONTENT_RANGE, format!("bytes {from}-{to}/{length}")))
        }
        Ok([_, _, ..]) => whole(content),
        Ok(_) | Err(_) => {
            let message = format!("Range: there is no such part; the content has {length} bytes");
            let failure = Failure::new(Kind::RangeNotSatisfiable, IssueType::Value, message);
            // So that the client need not ask how much there is.
            Ok(of_failure(&failure).with(header::CONTENT_RANGE, format!("bytes */{length}")))
        }
    }
}

/// The content of a Binary, or the part of it that was asked for.
pub(super) fn content(kept: &Kept, range: Option<&str>) -> Result<Answer, Failure> {
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
    let mut answer = part(Bytes::from(content), range)?;
    if answer.content.is_none() {
        return Ok(answer);
    }
    let kind = root.text_at("contentType").unwrap_or_default();
    answer = answer.with(header::CONTENT_TYPE, kind.into_owned());
    // Content is whatever somebody sent; that it acts in no browser in the hub's name sees `edge::headers`.
    if let Some(context) = root.text_at("securityContext.reference") {
        answer = answer.with(HeaderName::from_static("x-security-context"), context.into_owned());
    }
    Ok(answer)
}
