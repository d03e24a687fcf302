//! The twenty primitive types and the formats R4 gives them (<https://hl7.org/fhir/R4/datatypes.html#primitive>).
//!
//! The checks are written out for speed; a test holds each against the pattern the definitions publish. Where the
//! text of the specification is stricter than its pattern (a date has to exist, an integer has 32 bits, a string at
//! most 1 MB), the text is followed.

use crate::date_time::DateTime;

/// Strings shall not exceed this many bytes (`datatypes.html#string`).
pub const MAX_STRING_BYTES: usize = 1024 * 1024;

/// Which primitive a type is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    Id,
    Instant,
    Integer,
    Markdown,
    Oid,
    PositiveInt,
    String,
    Time,
    UnsignedInt,
    Uri,
    Url,
    Uuid,
    Xhtml,
}

/// How JSON writes a primitive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum JsonKind {
    Boolean,
    Number,
    String,
}

impl Primitive {
    /// The primitive with the name the specification gives it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Primitive> {
        Some(match name {
            "base64Binary" => Self::Base64Binary,
            "boolean" => Self::Boolean,
            "canonical" => Self::Canonical,
            "code" => Self::Code,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "decimal" => Self::Decimal,
            "id" => Self::Id,
            "instant" => Self::Instant,
            "integer" => Self::Integer,
            "markdown" => Self::Markdown,
            "oid" => Self::Oid,
            "positiveInt" => Self::PositiveInt,
            "string" => Self::String,
            "time" => Self::Time,
            "unsignedInt" => Self::UnsignedInt,
            "uri" => Self::Uri,
            "url" => Self::Url,
            "uuid" => Self::Uuid,
            "xhtml" => Self::Xhtml,
            _ => return None,
        })
    }

    /// How JSON writes it.
    #[must_use]
    pub fn json_kind(self) -> JsonKind {
        match self {
            Self::Boolean => JsonKind::Boolean,
            Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt => JsonKind::Number,
            _ => JsonKind::String,
        }
    }

    /// Checks a value's text (unescaped, without quotes). The error says what was expected.
    ///
    /// # Errors
    /// A sentence fragment that completes "expected …".
    pub fn check(self, text: &str) -> Result<(), &'static str> {
        let bytes = text.as_bytes();
        let is_good = match self {
            // JSON has already told true and false from the rest, and numbers by their grammar.
            Self::Boolean | Self::Decimal => true,
            Self::Integer => return integer(text, i64::from(i32::MIN), "a whole number of 32 bits"),
            Self::UnsignedInt => return integer(text, 0, "a whole number from 0 to 2147483647"),
            Self::PositiveInt => return integer(text, 1, "a whole number from 1 to 2147483647"),
            Self::String | Self::Markdown => {
                if bytes.len() > MAX_STRING_BYTES {
                    return Err("at most 1 MB of text (a longer one belongs into a Binary or an Attachment)");
                }
                return if has_only_allowed_characters(bytes) {
                    Ok(())
                } else {
                    Err("text without control characters other than tab, line feed and carriage return")
                };
            }
            Self::Xhtml => return Ok(()), // see xhtml.rs
            Self::Code => {
                return if is_code(text) {
                    Ok(())
                } else {
                    Err("a code: no space at either end, none doubled inside")
                };
            }
            Self::Id => return if is_id(text) { Ok(()) } else { Err("an id: 1 to 64 of A-Z a-z 0-9 - .") },
            Self::Uri | Self::Url | Self::Canonical => {
                return if bytes.iter().any(|b| is_space(*b)) {
                    Err("a URI without white space")
                } else {
                    Ok(())
                };
            }
            Self::Oid => return if is_oid(text) { Ok(()) } else { Err("an OID such as urn:oid:1.2.3.4.5") },
            Self::Uuid => return if is_uuid_urn(text) { Ok(()) } else { Err("a lower-case urn:uuid:…") },
            Self::Base64Binary => {
                return if is_base64(bytes) {
                    Ok(())
                } else {
                    Err("base64: groups of four of A-Z a-z 0-9 + / =")
                };
            }
            Self::Date => {
                let parsed = DateTime::parse(text);
                return match parsed {
                    Some(d) if !d.has_time() => Ok(()),
                    _ => Err("a date that exists, YYYY, YYYY-MM or YYYY-MM-DD"),
                };
            }
            Self::DateTime => {
                return match DateTime::parse(text) {
                    Some(d) if !d.has_time() || (d.has_seconds() && d.offset_minutes().is_some()) => Ok(()),
                    _ => Err(
                        "a date that exists, or date and time with seconds and zone: YYYY-MM-DDThh:mm:ss+zz:zz",
                    ),
                };
            }
            Self::Instant => {
                return match DateTime::parse(text) {
                    Some(d) if d.has_seconds() && d.offset_minutes().is_some() => Ok(()),
                    _ => Err("date and time with seconds and zone: YYYY-MM-DDThh:mm:ss+zz:zz"),
                };
            }
            Self::Time => is_time(bytes),
        };
        if is_good { Ok(()) } else { Err("a time hh:mm:ss") }
    }
}

fn integer(text: &str, min: i64, expected: &'static str) -> Result<(), &'static str> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    match text.parse::<i64>() {
        Ok(value) if is_whole && value >= min && value <= i64::from(i32::MAX) => Ok(()),
        _ => Err(expected),
    }
}

/// `[ \r\n\t\S]+`: anything but control characters that are not white space. JSON forbids most; escapes may bring them.
fn has_only_allowed_characters(bytes: &[u8]) -> bool {
    !bytes.is_empty() && !bytes.iter().any(|b| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r'))
}

fn is_code(text: &str) -> bool {
    if text.is_empty() {
        return false;
    }
    let mut previous_is_space = true;
    for byte in text.bytes() {
        if is_space(byte) && previous_is_space {
            return false;
        }
        previous_is_space = is_space(byte);
    }
    !previous_is_space
}

/// `\s` of the published patterns: white space of ASCII only (R4's own code systems have codes with no-break spaces).
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Whether `text` is a FHIR id: 1 to 64 of `A-Z a-z 0-9 - .`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_oid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("urn:oid:") else { return false };
    let mut arcs = rest.split('.');
    let has_root = matches!(arcs.next(), Some("0" | "1" | "2"));
    let mut count = 0;
    let are_numbers = arcs.all(|arc| {
        count += 1;
        !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'))
    });
    has_root && are_numbers && count > 0
}

/// Whether `text` is `urn:uuid:` and a lower-case UUID.
#[must_use]
pub fn is_uuid_urn(text: &str) -> bool {
    text.strip_prefix("urn:uuid:").is_some_and(is_uuid)
}

/// Whether `text` is a lower-case UUID.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

/// `(\s*([0-9a-zA-Z\+\/=]){4}\s*)+`
fn is_base64(bytes: &[u8]) -> bool {
    let mut in_group = 0;
    for b in bytes {
        match b {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'/' | b'=' => in_group = (in_group + 1) % 4,
            b' ' | b'\t' | b'\n' | b'\r' if in_group == 0 => {}
            _ => return false,
        }
    }
    in_group == 0 && bytes.iter().any(|b| !b.is_ascii_whitespace())
}

/// `([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?`
fn is_time(bytes: &[u8]) -> bool {
    let two = |at: usize, max: u8| {
        let (Some(a), Some(b)) = (bytes.get(at), bytes.get(at + 1)) else { return false };
        a.is_ascii_digit() && b.is_ascii_digit() && (a - b'0') * 10 + (b - b'0') <= max
    };
    let is_clock =
        two(0, 23) && bytes.get(2) == Some(&b':') && two(3, 59) && bytes.get(5) == Some(&b':') && two(6, 60);
    let is_fraction = match bytes.get(8..) {
        Some([]) => true,
        Some([b'.', digits @ ..]) => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_clock && is_fraction
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::definitions::{TypeKind, r4};

    /// Texts near each format: mutations of good ones, so that both outcomes occur.
    fn texts() -> impl Strategy<Value = String> {
        let seeds = vec![
            "2015",
            "2015-02",
            "2015-02-28",
            "2015-02-28T23:59:60.123+14:00",
            "2015-02-28T00:00:00Z",
            "12:30:00.5",
            "urn:oid:1.2.0.34",
            "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
            "a b",
            "QUJD RA==",
            "http://a/b|1",
            "-17",
            "0",
            "2147483647",
            "id-1.x",
        ];
        (proptest::sample::select(seeds), 0usize..40, proptest::option::of("[ -~\t]{0,2}")).prop_map(
            |(seed, at, insertion)| {
                let mut text = seed.to_owned();
                if let Some(insertion) = insertion {
                    let at = at.min(text.len());
                    let end = (at + insertion.len()).min(text.len());
                    text.replace_range(at..end, &insertion);
                }
                text
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn checks_agree_with_the_published_patterns(text in texts()) {
            for t in r4().types.iter().filter(|t| t.kind == TypeKind::Primitive && !t.pattern.is_empty()) {
                let Some(primitive) = t.primitive else { panic!("{} is not known", t.name) };
                if matches!(primitive, Primitive::Boolean | Primitive::Decimal) {
                    continue; // JSON's own grammar decides
                }
                let pattern = format!("^(?:{})$", t.pattern);
                let pattern = regex::bytes::RegexBuilder::new(&pattern).unicode(false).build().unwrap();
                let (ours, theirs) = (primitive.check(&text).is_ok(), pattern.is_match(text.as_bytes()));
                // Stricter than the pattern on purpose: days that do not exist, numbers beyond 32 bits.
                let is_stricter = matches!(
                    primitive,
                    Primitive::Date | Primitive::DateTime | Primitive::Instant | Primitive::Integer
                        | Primitive::UnsignedInt | Primitive::PositiveInt
                );
                prop_assert!(ours == theirs || (is_stricter && !ours), "{} {text:?}: {ours} {theirs}", t.name);
            }
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        assert!(Primitive::Date.check("2023-02-29").is_err());
        assert!(Primitive::Date.check("2024-02-29").is_ok());
        assert!(Primitive::DateTime.check("2015-02-07T13:28:17").is_err(), "a time needs a zone");
        assert!(Primitive::Integer.check("2147483648").is_err());
    }
}
