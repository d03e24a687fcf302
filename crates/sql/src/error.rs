//! What is wrong with a question.

use std::fmt;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text is no SQL.
    Syntax,
    /// It does more than read.
    NotAllowed,
    /// It asks for what is not there, or in a way that makes no sense.
    Question,
    /// The answer is too large.
    TooMuch,
    /// It took too long.
    TooLong,
    /// It needs more memory than there is.
    Memory,
    /// It was given up from outside.
    Cancelled,
    /// The data do not allow it, or a table cannot be read.
    Failed,
}

/// What is wrong with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of thing.
    pub kind: Kind,
    /// What was found and the way out.
    pub message: String,
    /// Line and column, counted from 1, where they are known.
    pub place: Option<(u64, u64)>,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), place: None }
    }

    /// What DataFusion says, without its backtraces and in a kind.
    pub(crate) fn of(error: &DataFusionError) -> Error {
        let span = error.diagnostic().and_then(|d| d.span);
        let place = span.map(|s| (s.start.line, s.start.column));
        let root = error.find_root();
        let text = || words(&root.strip_backtrace());
        let (kind, message) = match root {
            DataFusionError::SQL(parser, _) => {
                let text = parser.to_string();
                let place = place.or_else(|| written_place(&text));
                return Error { kind: Kind::Syntax, message: words(&text), place };
            }
            DataFusionError::ResourcesExhausted(_) => (
                Kind::Memory,
                "this question needs more memory than it may take; narrow it by WHERE, or ask for fewer columns or groups"
                    .to_owned(),
            ),
            DataFusionError::SchemaError(error, _) => (Kind::Question, schema(error)),
            DataFusionError::Plan(_)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Configuration(_)
            | DataFusionError::Collection(_) => (Kind::Question, text()),
            _ => (Kind::Failed, text()),
        };
        Error { kind, message, place }
    }
}

/// A column that is not there, and those that are.
fn schema(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let mut known: Vec<String> = valid_fields.iter().map(|c| c.name.clone()).collect();
            known.sort_unstable();
            known.dedup();
            if known.is_empty() {
                return format!("there is no column `{}` here; is a FROM missing?", field.flat_name());
            }
            format!("there is no column `{}`; there are {}", field.flat_name(), known.join(", "))
        }
        other => other.to_string(),
    }
}

/// Without what DataFusion puts before it.
fn words(text: &str) -> String {
    let mut rest = text.trim();
    for before in [
        "SQL error: ",
        "sql parser error: ",
        "Error during planning: ",
        "Execution error: ",
        "Arrow error: ",
        "This feature is not implemented: ",
    ] {
        rest = rest.strip_prefix(before).unwrap_or(rest);
    }
    rest.replace("datafusion.public.", "")
}

/// The parser writes the place into its message: `… at Line: 1, Column: 8`.
fn written_place(text: &str) -> Option<(u64, u64)> {
    let (line, column) = text.rsplit_once("Line: ")?.1.split_once(", Column: ")?;
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    Some((line.parse().ok()?, digits.parse().ok()?))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
