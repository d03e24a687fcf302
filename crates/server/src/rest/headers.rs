//! What headers and paths say.

use std::time::{Duration, UNIX_EPOCH};

use axum::http::{HeaderMap, header};
use fhir::date_time::Micros;
use fhir::{IssueType, Limits};
use hub::{Failure, Kind, Prefer, Provenance, WriteOptions, once_key, version_of_etag};

/// `Prefer`
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Preferences {
    pub(crate) answer: Prefer,
    pub(crate) is_lenient: bool,
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim).filter(|v| !v.is_empty())
}

/// Reads `Prefer`; what is not known there is, by RFC 7240, ignored.
pub(crate) fn preferences(headers: &HeaderMap) -> Preferences {
    let mut preferences = Preferences::default();
    for value in headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok()) {
        for part in value.split([',', ';']).map(str::trim) {
            match part {
                "return=minimal" => preferences.answer = Prefer::Minimal,
                "return=representation" => preferences.answer = Prefer::Representation,
                "return=OperationOutcome" => preferences.answer = Prefer::OperationOutcome,
                "handling=lenient" => preferences.is_lenient = true,
                _ => {}
            }
        }
    }
    preferences
}

/// The id the client gave its request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    text(headers, "x-request-id").map(|id| id.chars().take(200).collect())
}

/// What a write's headers ask for.
pub(crate) fn write_options(headers: &HeaderMap, limits: &Limits) -> Result<WriteOptions, Failure> {
    let if_match = text(headers, header::IF_MATCH.as_str()).map(version_of_etag).transpose()?;
    let provenance = match headers.get("x-provenance") {
        Some(value) => {
            let json = std::str::from_utf8(value.as_bytes()).map_err(|_| {
                Failure::new(Kind::Invalid, IssueType::Invalid, "X-Provenance: its value is not UTF-8")
            })?;
            Some(Provenance::parse(json, limits)?)
        }
        None => None,
    };
    Ok(WriteOptions {
        if_match,
        once: text(headers, "idempotency-key").map(|key| once_key(&[b"idempotency-key", key.as_bytes()])),
        provenance,
        if_none_exist: text(headers, "if-none-exist").map(|t| t.trim_start_matches('?').to_owned()),
    })
}

/// A path segment, decoded.
pub(crate) fn decode(segment: &str) -> Result<String, Failure> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => {
                return Err(Failure::new(
                    Kind::Invalid,
                    IssueType::Invalid,
                    "the address has a '%' without two hexadecimal digits",
                ));
            }
        }
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(Kind::Invalid, IssueType::Invalid, "the address is not UTF-8 when decoded"))
}

/// A moment as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(moment: Micros) -> String {
    let since_1970 = Duration::from_micros(u64::try_from(moment).unwrap_or(0));
    httpdate::fmt_http_date(UNIX_EPOCH + since_1970)
}

/// `If-None-Match` and `If-Modified-Since`: whether the client has what it asks for already
/// (<https://hl7.org/fhir/R4/http.html#cread>).
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadConditions {
    none_match: Option<String>,
    modified_since: Option<Duration>,
}

pub(crate) fn read_conditions(headers: &HeaderMap) -> ReadConditions {
    let modified_since = text(headers, header::IF_MODIFIED_SINCE.as_str())
        .and_then(|t| httpdate::parse_http_date(t).ok()?.duration_since(UNIX_EPOCH).ok());
    ReadConditions {
        none_match: text(headers, header::IF_NONE_MATCH.as_str()).map(str::to_owned),
        modified_since,
    }
}

impl ReadConditions {
    /// Whether the version recorded at `moment` is what the client has. `If-None-Match` decides where both are there.
    pub(crate) fn has(&self, version: u64, moment: Micros) -> bool {
        if let Some(tags) = &self.none_match {
            let own = version.to_string();
            let is_own = |tag: &str| {
                let tag = tag.trim();
                tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == own
            };
            return tags.split(',').any(is_own);
        }
        // HTTP's dates have whole seconds.
        let seconds = u64::try_from(moment / 1_000_000).unwrap_or(0);
        self.modified_since.is_some_and(|since| seconds <= since.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_http_does() {
        assert_eq!(http_date(784_111_777_000_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let conditions = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            read_conditions(&headers)
        };
        assert!(conditions("if-none-match", "W/\"2\", \"3\"").has(3, 0));
        assert!(
            !conditions("if-none-match", "W/\"2\"").has(3, 0) && conditions("if-none-match", "*").has(3, 0)
        );
        let since = conditions("if-modified-since", "Thu, 01 Jan 1970 00:00:10 GMT");
        assert!(since.has(1, 10_900_000) && !since.has(1, 11_000_000));
        assert!(
            !conditions("if-modified-since", "yesterday").has(1, 0) && !ReadConditions::default().has(1, 0)
        );
    }

    #[test]
    fn segments_are_decoded() {
        assert_eq!(decode("a%2Fb%e3%81%82").ok().as_deref(), Some("a/bあ"));
        assert!(decode("%").is_err() && decode("%zz").is_err() && decode("%ff").is_err());
    }
}
