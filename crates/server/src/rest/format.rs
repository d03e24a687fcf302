//! How an answer is written: JSON or XML, for eyes or not (<https://hl7.org/fhir/R4/http.html#mime-type>).

use axum::http::{HeaderMap, header};
use fhir::{IssueType, Limits, Resource};
use hub::{Failure, Kind};
use search::query::Pair;

/// A form of resources.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Format {
    #[default]
    Json,
    Xml,
}

/// What an answer looks like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presentation {
    pub(crate) format: Format,
    pub(crate) is_pretty: bool,
    /// The parameters that asked for it: links of an answer ask for the same.
    pub(crate) pairs: Vec<Pair>,
}

impl Format {
    /// The form with a name that `_format`, `Accept` or `Content-Type` may use.
    pub(crate) fn named(name: &str) -> Option<Format> {
        // A '+' in a query string stands for a space.
        match name.trim().to_ascii_lowercase().replace("fhir ", "fhir+").as_str() {
            "json" | "application/json" | "application/fhir+json" | "application/json+fhir" | "text/json" => {
                Some(Format::Json)
            }
            "xml" | "application/xml" | "application/fhir+xml" | "application/xml+fhir" | "text/xml" => {
                Some(Format::Xml)
            }
            _ => None,
        }
    }

    /// The media type of an answer.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/fhir+json;charset=utf-8",
            Format::Xml => "application/fhir+xml;charset=utf-8",
        }
    }

    /// Reads a resource.
    pub(crate) fn read(self, bytes: &[u8], limits: &Limits) -> Result<Resource, Failure> {
        Ok(match self {
            Format::Json => fhir::json::parse(bytes, limits)?,
            Format::Xml => fhir::xml::parse(bytes, limits)?,
        })
    }
}

/// Takes `_format` and `_pretty` out of the parameters; without `_format`, `Accept` decides.
pub(crate) fn negotiate(headers: &HeaderMap, pairs: &mut Vec<Pair>) -> Result<Presentation, Failure> {
    let mut asked = Presentation::default();
    let mut format = None;
    let mut refusal = None;
    pairs.retain(|pair| match pair.0.as_str() {
        "_format" => {
            let mut parts = pair.1.split(';').map(str::trim);
            let found = Format::named(parts.next().unwrap_or_default());
            let other = parts.find_map(|part| part.strip_prefix("fhirVersion=").filter(|v| !is_r4(v)));
            match (found, other) {
                (_, Some(version)) => {
                    refusal = Some(format!("_format: fhirVersion={version} is not spoken here; 4.0 is"));
                }
                (Some(found), None) => format = Some(found),
                (None, None) => {
                    refusal = Some(format!("_format: '{}' is not available here; json and xml are", pair.1))
                }
            }
            asked.pairs.push(pair.clone());
            false
        }
        "_pretty" => {
            match pair.1.as_str() {
                "true" | "" => asked.is_pretty = true,
                "false" => {}
                _ => refusal = Some("_pretty: true or false".to_owned()),
            }
            asked.pairs.push(pair.clone());
            false
        }
        _ => true,
    });
    let not_acceptable = |message| Failure::new(Kind::NotAcceptable, IssueType::NotSupported, message);
    if let Some(message) = refusal {
        return Err(not_acceptable(message));
    }
    asked.format = match format {
        Some(format) => format,
        None => accepted(headers).map_err(not_acceptable)?,
    };
    Ok(asked)
}

/// The form that `Accept` prefers; what comes first where it does not say.
fn accepted(headers: &HeaderMap) -> Result<Format, String> {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()) else {
        return Ok(Format::Json);
    };
    let mut best: Option<(f32, Format)> = None;
    let mut is_other_version = false;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let (mut quality, mut is_version_known) = (1.0f32, true);
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                "fhirversion" => is_version_known = is_r4(value),
                _ => {}
            }
        }
        let format = match kind {
            "*/*" | "application/*" | "text/html" | "application/xhtml+xml" | "" => Some(Format::Json),
            "text/*" => Some(Format::Json),
            other => Format::named(other),
        };
        is_other_version |= !is_version_known;
        if let (Some(format), true) = (format, quality > 0.0 && is_version_known)
            && best.is_none_or(|(q, _)| quality > q)
        {
            best = Some((quality, format));
        }
    }
    match best {
        Some((_, format)) => Ok(format),
        None if is_other_version => {
            Err(format!("Accept: '{accept}' asks for another version of FHIR; 4.0 is here"))
        }
        None => Err(format!(
            "Accept: '{accept}' is not available here; application/fhir+json and application/fhir+xml are"
        )),
    }
}

/// Whether a `fhirVersion` parameter names the version that is spoken here.
fn is_r4(value: &str) -> bool {
    matches!(value.trim().trim_matches('"'), "4.0" | "4.0.1")
}

/// The form of a body; refuses what is neither, or not UTF-8, or of another version of FHIR.
pub(crate) fn of_body(headers: &HeaderMap) -> Result<Format, Failure> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Format::Json) };
    let text = value.to_str().unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let unsupported =
        |message| Err(Failure::new(Kind::UnsupportedMediaType, IssueType::NotSupported, message));
    let Some(format) = Format::named(kind).filter(|_| kind.contains('/')) else {
        return unsupported(format!(
            "Content-Type: '{kind}' is not read here; application/fhir+json and application/fhir+xml are"
        ));
    };
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "charset" if !value.eq_ignore_ascii_case("utf-8") && !value.eq_ignore_ascii_case("utf8") => {
                return unsupported("FHIR is always UTF-8".to_owned());
            }
            "fhirversion" if !is_r4(value) => {
                return unsupported(format!("fhirVersion={value} is not read here; 4.0 is"));
            }
            _ => {}
        }
    }
    Ok(format)
}

/// A resource, given as JSON, as it is answered.
pub(crate) fn present(json: String, presentation: &Presentation) -> Result<String, Failure> {
    match presentation.format {
        Format::Json if !presentation.is_pretty => Ok(json),
        Format::Json => {
            let mut out = String::new();
            fhir::json::pretty(&json, &mut out);
            Ok(out)
        }
        Format::Xml => {
            let limits = Limits { resource_bytes: usize::MAX, bundle_bytes: usize::MAX, ..Limits::default() };
            let limits = Limits { depth: limits.depth * 2, ..limits };
            let resource = fhir::json::parse(json.as_bytes(), &limits).map_err(|issues| {
                let finding = issues.first().map(ToString::to_string).unwrap_or_default();
                let message = format!("the answer cannot be written as XML ({finding}); ask for JSON");
                Failure::new(Kind::NotAcceptable, IssueType::NotSupported, message)
            })?;
            let root = resource.root();
            let xml =
                if presentation.is_pretty { fhir::xml::to_pretty_xml(root) } else { fhir::xml::to_xml(root) };
            xml.map_err(|e| Failure::new(Kind::NotAcceptable, IssueType::NotSupported, e.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(accept: &str, format: Option<&str>) -> Option<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        let mut pairs: Vec<Pair> = format.map(|f| ("_format".to_owned(), f.to_owned())).into_iter().collect();
        negotiate(&headers, &mut pairs).ok().map(|p| p.format)
    }

    #[test]
    fn the_form_is_the_one_asked_for() {
        for (accept, format, expected) in [
            ("*/*", None, Some(Format::Json)),
            ("application/fhir+xml", None, Some(Format::Xml)),
            ("application/fhir+xml;q=0.5, application/json", None, Some(Format::Json)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None, Some(Format::Json)),
            ("application/fhir+json;fhirVersion=4.0", None, Some(Format::Json)),
            ("application/fhir+json; fhirVersion=3.0", None, None),
            ("image/png", None, None),
            ("image/png", Some("xml"), Some(Format::Xml)),
            ("application/fhir+xml", Some("application/fhir json"), Some(Format::Json)),
            ("*/*", Some("turtle"), None),
        ] {
            assert_eq!(asked(accept, format), expected, "{accept} {format:?}");
        }
    }
}
