//! What is wrong, where, and what to do about it: the parts of an OperationOutcome.

use std::fmt;

/// How bad it is (<http://hl7.org/fhir/issue-severity>).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs)]
pub enum Severity {
    Information,
    Warning,
    Error,
    Fatal,
}

impl Severity {
    /// The code FHIR gives it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// What kind of trouble it is (<http://hl7.org/fhir/issue-type>).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum IssueType {
    Invalid,
    Structure,
    Required,
    Value,
    Invariant,
    Login,
    Forbidden,
    Processing,
    NotSupported,
    Duplicate,
    MultipleMatches,
    NotFound,
    Deleted,
    TooLong,
    CodeInvalid,
    BusinessRule,
    Conflict,
    TooCostly,
    Throttled,
    Timeout,
    NoStore,
    Exception,
    Incomplete,
    Informational,
}

impl IssueType {
    /// The code FHIR gives it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Structure => "structure",
            Self::Required => "required",
            Self::Value => "value",
            Self::Invariant => "invariant",
            Self::Login => "login",
            Self::Forbidden => "forbidden",
            Self::Processing => "processing",
            Self::NotSupported => "not-supported",
            Self::Duplicate => "duplicate",
            Self::MultipleMatches => "multiple-matches",
            Self::NotFound => "not-found",
            Self::Deleted => "deleted",
            Self::TooLong => "too-long",
            Self::CodeInvalid => "code-invalid",
            Self::BusinessRule => "business-rule",
            Self::Conflict => "conflict",
            Self::TooCostly => "too-costly",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::NoStore => "no-store",
            Self::Exception => "exception",
            Self::Incomplete => "incomplete",
            Self::Informational => "informational",
        }
    }
}

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issue {
    /// How bad.
    pub severity: Severity,
    /// What kind.
    pub code: IssueType,
    /// FHIRPath of the place; empty where there is none.
    pub expression: String,
    /// Line and column in the text, from 1.
    pub position: Option<(u32, u32)>,
    /// What was found, what was expected, and the way out.
    pub diagnostics: String,
}

impl Issue {
    /// An error without a place.
    #[must_use]
    pub fn error(code: IssueType, diagnostics: impl Into<String>) -> Issue {
        Issue {
            severity: Severity::Error,
            code,
            expression: String::new(),
            position: None,
            diagnostics: diagnostics.into(),
        }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Issue {
        self.expression = expression.into();
        self
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.expression.is_empty() {
            write!(f, "{}", self.expression)?;
        }
        if let Some((line, column)) = self.position {
            write!(f, " (line {line}, column {column})")?;
        }
        if !self.expression.is_empty() || self.position.is_some() {
            write!(f, ": ")?;
        }
        write!(f, "{}", self.diagnostics)
    }
}

/// The nearest of `candidates` to a name that was not understood, closest first, at most three.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = ((name.chars().count() + 1) / 3).clamp(1, 3);
    let lower = name.to_lowercase();
    let mut scored: Vec<(usize, &str)> = candidates
        .filter_map(|c| {
            let other = c.to_lowercase();
            let distance = edit_distance(&lower, &other, limit + 1);
            let contains =
                name.len() >= 3 && (other.contains(&lower) || lower.contains(&other) && c.len() >= 3);
            match distance <= limit {
                true => Some((distance, c)),
                false if contains => Some((limit + 1, c)),
                false => None,
            }
        })
        .collect();
    scored.sort_unstable();
    scored.dedup();
    scored.into_iter().take(3).map(|(_, c)| c).collect()
}

/// The nearest names as the end of a message; nothing if there are none.
pub(crate) fn did_you_mean(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!(" (did you mean {}?)", names.join(" or ")) }
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour; anything of `limit` or
/// more may be answered with `limit`.
fn edit_distance(a: &str, b: &str, limit: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(80).collect(), b.chars().take(80).collect());
    if a.len().abs_diff(b.len()) >= limit {
        return limit;
    }
    let mut before_previous: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (row, x) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, y) in b.iter().enumerate() {
            let replaced = previous[column] + usize::from(x != y);
            let mut best = replaced.min(previous[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *x == b[column - 1] && a[row - 1] == *y {
                best = best.min(before_previous[column - 1] + 1);
            }
            current.push(best);
        }
        before_previous = std::mem::replace(&mut previous, current);
    }
    previous.last().copied().unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names_what_was_meant() {
        let names = ["birthDate", "name", "gender", "generalPractitioner"];
        assert_eq!(nearest("birthdate", names.into_iter()), ["birthDate"]);
        assert_eq!(nearest("gneder", names.into_iter()), ["gender"]);
        assert!(nearest("xyz", names.into_iter()).is_empty());
    }
}
