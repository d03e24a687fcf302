//! What headers and paths say.

use std::time::{Duration, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use fhir::DateTime;
use fhir::date_time::Micros;
use fhir::{IssueType, Limits};
use hub::{Failure, Kind, Prefer, Provenance, ReadCondition, WriteOptions, once_key, version_of_etag};
use search::Zone;

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

/// Longer ids of requests are cut off in the log.
const MAX_REQUEST_ID: usize = 200;

/// The id the client gave its request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    text(headers, "x-request-id").map(|id| id.chars().take(MAX_REQUEST_ID).collect())
}

/// The headers by which an answer is found again (<https://hl7.org/fhir/R4/http.html#custom>): the request's id as the
/// log has it, and, where that is not the client's own, the client's.
pub(crate) fn correlation(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let (own, client) =
        (HeaderName::from_static("x-request-id"), HeaderName::from_static("x-correlation-id"));
    let mut found = Vec::new();
    if let (Some(id), Some(given)) = (request_id(headers), headers.get(&own)) {
        found.extend(HeaderValue::from_str(&id).ok().map(|value| (own, value)));
        if given.len() > MAX_REQUEST_ID {
            found.push((client.clone(), given.clone()));
        }
    }
    if found.len() < 2 {
        found.extend(headers.get(&client).map(|given| (client, given.clone())));
    }
    found
}

/// Refuses conditions that an interaction does not take: to ignore one would be to write in spite of it.
pub(crate) fn no_conditions_but(headers: &HeaderMap, taken: &[&str]) -> Result<(), Failure> {
    let refused = ["if-match", "if-none-match", "if-none-exist", "if-unmodified-since"]
        .into_iter()
        .find(|name| !taken.contains(name) && headers.contains_key(*name));
    let Some(name) = refused else { return Ok(()) };
    let known = if taken.is_empty() { "none".to_owned() } else { taken.join(" and ") };
    let message = format!("{name}: this interaction takes no such condition (it takes {known})");
    Err(Failure::new(Kind::Invalid, IssueType::NotSupported, message))
}

/// Whether a write is to be done only where nothing is there (`If-None-Match: *`, RFC 9110, 13.1.2).
pub(crate) fn must_be_new(headers: &HeaderMap) -> Result<bool, Failure> {
    match text(headers, header::IF_NONE_MATCH.as_str()) {
        None => Ok(false),
        Some("*") => Ok(true),
        Some(other) => {
            let message = format!(
                "If-None-Match: '{other}' means nothing to a write; '*' is: only if nothing is there"
            );
            Err(Failure::new(Kind::Invalid, IssueType::Value, message))
        }
    }
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
        must_be_new: must_be_new(headers)?,
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
    /// Those of an entry of a Bundle.
    pub(crate) fn of_entry(condition: &ReadCondition, zone: &Zone) -> Result<ReadConditions, Failure> {
        let modified_since = condition.modified_since.as_ref().map(|text| {
            let moment = DateTime::parse(text).map(|moment| moment.interval(zone).0);
            let seconds = moment.and_then(|micros| u64::try_from(micros / 1_000_000).ok());
            seconds.map(Duration::from_secs).ok_or_else(|| {
                let message = format!("ifModifiedSince: '{text}' is not an instant");
                Failure::new(Kind::Invalid, IssueType::Value, message)
            })
        });
        Ok(ReadConditions {
            none_match: condition.none_match.clone(),
            modified_since: modified_since.transpose()?,
        })
    }

    /// Whether a tag is one of those the client has.
    pub(crate) fn has_tag(&self, own: &str) -> bool {
        let is_own = |tag: &str| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == own
        };
        self.none_match.as_ref().is_some_and(|tags| tags.split(',').any(is_own))
    }

    /// Whether the version recorded at `moment` is what the client has. `If-None-Match` decides where both are there.
    pub(crate) fn has(&self, version: u64, moment: Micros) -> bool {
        if self.none_match.is_some() {
            return self.has_tag(&version.to_string());
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
        let entry = ReadCondition {
            modified_since: Some("1970-01-01T00:00:10Z".to_owned()),
            ..ReadCondition::default()
        };
        let zone = Zone::named("UTC").unwrap();
        assert!(ReadConditions::of_entry(&entry, &zone).unwrap().has(1, 10_900_000));
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
