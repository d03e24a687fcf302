//! Strings (N1, section 5.6). Positions count characters.

use regex::{Regex, RegexBuilder};

use super::Call;
use crate::ast::Expr;
use crate::error::Error;
use crate::evaluate::{Scope, boolean, singleton};
use crate::value::{Collection, Item, Value};

type Outcome<'a> = Result<Collection<'a>, Error>;

/// What a compiled pattern may take.
const REGEX_BYTES: usize = 1 << 20;

/// The text the call is applied to; `None` for an empty input.
fn input(call: &Call<'_, '_>, name: &str) -> Result<Option<String>, Error> {
    let Some(item) = singleton(&call.input, name)? else { return Ok(None) };
    match item.string() {
        Some(text) => Ok(Some(text.into_owned())),
        None => Err(Error::new(format!("{name} needs a string"))),
    }
}

fn text(value: impl Into<String>) -> Collection<'static> {
    vec![Item::Value(Value::String(value.into().into()))]
}

fn integer(value: usize) -> Collection<'static> {
    vec![Item::Value(Value::Integer(i64::try_from(value).unwrap_or(i64::MAX)))]
}

/// Applies `how` to the input and one text argument; empty if either is.
fn with_text<'a>(
    scope: &Scope<'a, '_>,
    call: &Call<'_, 'a>,
    name: &str,
    how: impl FnOnce(&str, &str) -> Result<Collection<'a>, Error>,
) -> Outcome<'a> {
    let (Some(subject), Some(argument)) = (input(call, name)?, scope.text(&call.arguments[0], name)?) else {
        return Ok(Vec::new());
    };
    how(&subject, &argument)
}

fn character_position(text: &str, found: Option<usize>) -> Collection<'static> {
    match found {
        Some(at) => integer(text[..at].chars().count()),
        None => vec![Item::Value(Value::Integer(-1))],
    }
}

pub(super) fn index_of<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_text(scope, &call, "indexOf()", |s, part| Ok(character_position(s, s.find(part))))
}

pub(super) fn last_index_of<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_text(scope, &call, "lastIndexOf()", |s, part| Ok(character_position(s, s.rfind(part))))
}

pub(super) fn substring<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let Some(subject) = input(&call, "substring()")? else { return Ok(Vec::new()) };
    let Some(start) = scope.integer(&call.arguments[0], "substring()")? else { return Ok(Vec::new()) };
    let length = match call.arguments.get(1) {
        Some(length) => scope.integer(length, "substring()")?,
        None => None,
    };
    let count = subject.chars().count();
    let Ok(start) = usize::try_from(start) else { return Ok(Vec::new()) };
    if start >= count {
        return Ok(Vec::new());
    }
    let length = length.map_or(count, |l| usize::try_from(l).unwrap_or(0));
    Ok(text(subject.chars().skip(start).take(length).collect::<String>()))
}

pub(super) fn starts_with<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_text(scope, &call, "startsWith()", |s, part| Ok(boolean(s.starts_with(part))))
}

pub(super) fn ends_with<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_text(scope, &call, "endsWith()", |s, part| Ok(boolean(s.ends_with(part))))
}

pub(super) fn contains<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_text(scope, &call, "contains()", |s, part| Ok(boolean(s.contains(part))))
}

pub(super) fn upper<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(input(&call, "upper()")?.map_or_else(Vec::new, |s| text(s.to_uppercase())))
}

pub(super) fn lower<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(input(&call, "lower()")?.map_or_else(Vec::new, |s| text(s.to_lowercase())))
}

/// Both arguments of `replace` and `replaceMatches`, with the input.
fn replacement(
    scope: &Scope<'_, '_>,
    call: &Call<'_, '_>,
    name: &str,
) -> Result<Option<(String, String, String)>, Error> {
    let parts =
        (input(call, name)?, scope.text(&call.arguments[0], name)?, scope.text(&call.arguments[1], name)?);
    Ok(match parts {
        (Some(subject), Some(pattern), Some(substitution)) => Some((subject, pattern, substitution)),
        _ => None,
    })
}

/// Replacing can multiply a text; the outcome counts against the budget.
fn bounded<'a>(scope: &Scope<'a, '_>, value: String) -> Outcome<'a> {
    scope.text_value(value)
}

pub(super) fn replace<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let Some((subject, pattern, substitution)) = replacement(scope, &call, "replace()")? else {
        return Ok(Vec::new());
    };
    scope.spend((subject.len() + 1).saturating_mul(substitution.len()) / 16)?;
    bounded(scope, subject.replace(&pattern, &substitution))
}

fn regex(pattern: &str) -> Result<Regex, Error> {
    RegexBuilder::new(pattern)
        .dot_matches_new_line(true)
        .size_limit(REGEX_BYTES)
        .dfa_size_limit(REGEX_BYTES)
        .nest_limit(50)
        .build()
        .map_err(|e| {
            Error::new(format!("'{pattern}' is not a regular expression that can be used here: {e}"))
        })
}

pub(super) fn matches<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_text(scope, &call, "matches()", |s, pattern| Ok(boolean(regex(pattern)?.is_match(s))))
}

pub(super) fn matches_full<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_text(scope, &call, "matchesFull()", |s, pattern| {
        Ok(boolean(regex(&format!("^(?:{pattern})$"))?.is_match(s)))
    })
}

pub(super) fn replace_matches<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let Some((subject, pattern, substitution)) = replacement(scope, &call, "replaceMatches()")? else {
        return Ok(Vec::new());
    };
    if pattern.is_empty() {
        return Ok(text(subject));
    }
    scope.spend((subject.len() + 1).saturating_mul(substitution.len()) / 16)?;
    bounded(scope, regex(&pattern)?.replace_all(&subject, substitution.as_str()).into_owned())
}

pub(super) fn length<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(input(&call, "length()")?.map_or_else(Vec::new, |s| integer(s.chars().count())))
}

pub(super) fn to_chars<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let Some(subject) = input(&call, "toChars()")? else { return Ok(Vec::new()) };
    scope.spend(subject.len())?;
    Ok(subject.chars().map(|c| Item::Value(Value::String(c.to_string().into()))).collect())
}

pub(super) fn split<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    with_text(scope, &call, "split()", |s, separator| {
        scope.spend(s.len())?;
        Ok(s.split(separator).map(|part| Item::Value(Value::String(part.into()))).collect())
    })
}

pub(super) fn join<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let separator = match call.arguments.first() {
        Some(argument) => separator(scope, argument)?,
        None => String::new(),
    };
    let parts: Vec<_> = call.input.iter().filter_map(Item::string).collect();
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    scope.spend(parts.len().saturating_mul(separator.len()) / 16)?;
    bounded(scope, parts.join(&separator))
}

/// As views have it: nothing joins to the empty text.
pub(super) fn join_all<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let found = join(scope, call)?;
    Ok(if found.is_empty() { text("") } else { found })
}

fn separator(scope: &Scope<'_, '_>, argument: &Expr) -> Result<String, Error> {
    Ok(scope.text(argument, "join()")?.unwrap_or_default())
}

pub(super) fn trim<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    Ok(input(&call, "trim()")?.map_or_else(Vec::new, |s| text(s.trim())))
}
