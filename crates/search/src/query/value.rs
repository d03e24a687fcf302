//! Values of search parameters, one reader a type.

use std::borrow::Cow;

use fhir::definitions::SearchParameterType as Kind;
use fhir::primitive::is_id;
use fhir::{DateTime, Decimal, Reference, TypeId, r4};

use crate::key::date::Interval;
use crate::parameters::{Component, Parameter};
use crate::zone::Zone;

/// How a number, date or quantity is compared (<https://hl7.org/fhir/R4/search.html#prefix>).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Prefix {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
    Approximately,
}

impl Prefix {
    /// Takes a prefix off a value; without one it is [`Prefix::Equal`].
    ///
    /// # Errors
    /// Two letters that are no prefix.
    pub(super) fn split(text: &str) -> Result<(Prefix, &str), String> {
        let letters = text.len() - text.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (letters, rest) = text.split_at(letters);
        let prefix = match letters {
            "" | "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "gt" => Self::Greater,
            "lt" => Self::Less,
            "ge" => Self::GreaterOrEqual,
            "le" => Self::LessOrEqual,
            "sa" => Self::StartsAfter,
            "eb" => Self::EndsBefore,
            "ap" => Self::Approximately,
            other => {
                return Err(format!("'{other}' is not a prefix (eq, ne, gt, lt, ge, le, sa, eb and ap are)"));
            }
        };
        Ok((prefix, rest))
    }
}

/// The system part of a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SystemValue {
    /// `code`: whatever it is.
    Any,
    /// `|code`: there is none.
    None,
    /// `system|code`
    Is(String),
}

/// What a reference is compared with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReferenceValue {
    /// A resource of this hub, of one of the types; pinned to a version if one is given.
    Local(Vec<TypeId>, String, Option<String>),
    /// A URI, and the version after `|`.
    Uri(String, Option<String>),
    /// `:identifier`
    Identifier(SystemValue, Option<String>),
}

/// A typed value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Code; `None` for any (`system|`).
    Token(SystemValue, Option<String>),
    /// The normalised text begins with it.
    StartsWith(String),
    /// The text as written is it.
    Exactly(String),
    /// The normalised text contains it.
    Contains(String),
    /// A date, as the interval it covers.
    Date(Prefix, Interval),
    /// A number.
    Number(Prefix, Decimal),
    /// A number, the unit's system and its code or text.
    Quantity(Prefix, Decimal, Option<String>, Option<String>),
    /// A reference.
    Reference(ReferenceValue),
    /// A URI.
    Uri(String),
    /// A value for each part.
    Composite(Vec<Value>),
}

/// What reading a value needs to know beside its text.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) zone: &'a Zone,
    pub(super) base: Option<&'a str>,
}

/// Splits at a separator that no backslash stands before.
pub(super) fn split_escaped(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut is_escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if c == separator {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Takes backslashes off `,` `$` `|` and `\`.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match characters.peek() {
            Some(next @ (',' | '$' | '|' | '\\')) if c == '\\' => {
                out.push(*next);
                characters.next();
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// What a modifier asks of a value's reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Modifier {
    None,
    Exact,
    Contains,
    Not,
    Identifier,
    Type(TypeId),
}

/// Reads a value of a parameter. The error completes "… is not a value of this parameter: ".
pub(super) fn read(
    parameter: &Parameter,
    modifier: Modifier,
    text: &str,
    surroundings: Surroundings<'_>,
) -> Result<Value, String> {
    if text.is_empty() && parameter.kind != Kind::Token {
        return Err("the value is empty".to_owned());
    }
    if parameter.kind != Kind::Composite {
        return read_kind(parameter.kind, &parameter.targets, modifier, text, surroundings);
    }
    let parts = split_escaped(text, '$');
    if parts.len() != parameter.components.len() {
        let names: Vec<&str> = parameter.components.iter().map(|c| c.code).collect();
        return Err(format!("it has {} parts; {} are needed: {}", parts.len(), names.len(), names.join("$")));
    }
    let part = |(component, text): (&Component, &&str)| {
        read_kind(component.kind, &component.targets, Modifier::None, text, surroundings)
            .map_err(|e| format!("part {}: {e}", component.code))
    };
    Ok(Value::Composite(parameter.components.iter().zip(&parts).map(part).collect::<Result<_, _>>()?))
}

fn read_kind(
    kind: Kind,
    targets: &[TypeId],
    modifier: Modifier,
    text: &str,
    surroundings: Surroundings<'_>,
) -> Result<Value, String> {
    match kind {
        Kind::Token => token(text).map(|(system, code)| Value::Token(system, code)),
        Kind::String => {
            let text = unescape(text).into_owned();
            Ok(match modifier {
                Modifier::Exact => Value::Exactly(text),
                Modifier::Contains => Value::Contains(text),
                _ => Value::StartsWith(text),
            })
        }
        Kind::Date => date(text, surroundings.zone).map(|(prefix, interval)| Value::Date(prefix, interval)),
        Kind::Number => {
            let (prefix, rest) = Prefix::split(text)?;
            Ok(Value::Number(prefix, decimal(rest)?))
        }
        Kind::Quantity => quantity(text),
        Kind::Reference if modifier == Modifier::Identifier => {
            token(text).map(|(system, code)| Value::Reference(ReferenceValue::Identifier(system, code)))
        }
        Kind::Reference => reference(text, targets, modifier, surroundings.base).map(Value::Reference),
        Kind::Uri => Ok(Value::Uri(unescape(text).into_owned())),
        Kind::Composite | Kind::Special => Err("it cannot be searched".to_owned()),
    }
}

fn token(text: &str) -> Result<(SystemValue, Option<String>), String> {
    let parts = split_escaped(text, '|');
    let (system, code) = match parts.as_slice() {
        [code] => (SystemValue::Any, unescape(code)),
        ["", code] => (SystemValue::None, unescape(code)),
        [system, code] => (SystemValue::Is(unescape(system).into_owned()), unescape(code)),
        _ => return Err("it has more than one '|' (write \\| for one that is part of a code)".to_owned()),
    };
    if code.is_empty() && !matches!(system, SystemValue::Is(_)) {
        return Err("the code is empty; write code, system|code, |code or system|".to_owned());
    }
    Ok((system, (!code.is_empty()).then(|| code.into_owned())))
}

fn decimal(text: &str) -> Result<Decimal, String> {
    Decimal::parse(text).ok_or_else(|| format!("'{}' is not a number", shorten(text)))
}

/// A date and its prefix; a date without zone lies in the hub's.
pub(super) fn date(text: &str, zone: &Zone) -> Result<(Prefix, Interval), String> {
    let (prefix, rest) = Prefix::split(text)?;
    // A plus sign that was not escaped has become a space.
    let mended = rest.replacen(' ', "+", usize::from(rest.len() > 16));
    let parsed = DateTime::parse(&mended).ok_or_else(|| {
        format!(
            "'{}' is not a date that exists (YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm[:ss][zone])",
            shorten(rest)
        )
    })?;
    let (start, end) = parsed.interval(zone);
    Ok((prefix, Interval { start, end }))
}

fn quantity(text: &str) -> Result<Value, String> {
    let parts = split_escaped(text, '|');
    let (number, system, unit) = match parts.as_slice() {
        [number] => (number, None, None),
        [number, system, unit] => (number, Some(*system), Some(*unit)),
        _ => return Err("write number, number|system|code or number||unit".to_owned()),
    };
    let (prefix, rest) = Prefix::split(number)?;
    let given = |part: Option<&str>| part.filter(|p| !p.is_empty()).map(|p| unescape(p).into_owned());
    let (system, unit) = (given(system), given(unit));
    if system.is_some() && unit.is_none() {
        return Err("a system needs a unit's code after it".to_owned());
    }
    Ok(Value::Quantity(prefix, decimal(rest)?, system, unit))
}

fn reference(
    text: &str,
    targets: &[TypeId],
    modifier: Modifier,
    base: Option<&str>,
) -> Result<ReferenceValue, String> {
    let text = unescape(text);
    let typed = match modifier {
        Modifier::Type(id) => vec![id],
        _ if targets.is_empty() => r4().resource_types.clone(),
        _ => targets.to_vec(),
    };
    let relative = base.and_then(|b| text.strip_prefix(b)?.strip_prefix('/')).unwrap_or(&text);
    match Reference::parse(relative) {
        Reference::Rest { base: "", resource_type, id, version } => {
            if let Modifier::Type(wanted) = modifier
                && wanted != resource_type
            {
                let (wanted, found) = (r4().type_name(wanted), r4().type_name(resource_type));
                return Err(format!("the modifier says {wanted}, the value says {found}"));
            }
            Ok(ReferenceValue::Local(vec![resource_type], id.to_owned(), version.map(str::to_owned)))
        }
        Reference::Rest { .. } | Reference::Conditional { .. } | Reference::Other(_) if is_id(&text) => {
            Ok(ReferenceValue::Local(typed, text.into_owned(), None))
        }
        Reference::Contained(_) => Err("contained resources cannot be searched for by reference".to_owned()),
        _ if text.contains(':') => {
            let (uri, version) =
                text.rsplit_once('|').map_or((text.as_ref(), None), |(u, v)| (u, Some(v.to_owned())));
            Ok(ReferenceValue::Uri(uri.to_owned(), version))
        }
        _ => Err("write id, Type/id or an absolute URL".to_owned()),
    }
}

/// A value for a message: not the whole of a long one.
pub(super) fn shorten(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Microseconds since 1970 of an instant such as `_asOf` takes; a date without zone lies in the hub's.
pub(super) fn instant(text: &str, zone: &Zone) -> Result<i64, String> {
    let (prefix, interval) = date(text, zone)?;
    if prefix != Prefix::Equal || text.starts_with("eq") {
        return Err("an instant has no prefix".to_owned());
    }
    // The state as of a day, month or second is the state at its end.
    Ok(interval.end - 1)
}
