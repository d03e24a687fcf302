//! Why a public file could not be read.

use std::fmt;

/// Why a public file could not be read; names the place, what was found, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is nothing in it.
    Empty,
    /// It is a page of HTML or XML, mostly an error's.
    Page {
        /// How it begins.
        begins: String,
    },
    /// It is compressed and ends early, or is damaged.
    Compressed(String),
    /// It is larger than allowed.
    TooLarge {
        /// How many bytes are allowed.
        most: u64,
    },
    /// It is no text.
    NotUtf8 {
        /// The first byte that is none.
        at: usize,
    },
    /// One cell is larger than allowed.
    Cell {
        /// Its line.
        line: u64,
        /// How many bytes it has.
        bytes: usize,
        /// How many are allowed.
        most: usize,
    },
    /// The form is not the publisher's.
    Form {
        /// Where: `line 3`, `entry 7`.
        place: String,
        /// What was found and what was expected.
        what: String,
    },
    /// The header has not the columns that are needed.
    Columns {
        /// Those that are missing.
        missing: Vec<String>,
        /// Those that are there.
        found: Vec<String>,
    },
    /// A row is of another indicator than the file is said to be.
    OtherIndicator {
        /// Where.
        place: String,
        /// Its code.
        found: String,
        /// The code that was asked for.
        expected: String,
    },
    /// The rule of units does not fit what the file shows beside the number.
    Unit {
        /// Where.
        place: String,
        /// The indicator.
        code: String,
        /// The value after the rule.
        value: String,
        /// What the file shows.
        shown: String,
    },
    /// The publisher answered with an error of its own.
    Publisher(String),
    /// The folder of public files could not be read or written.
    Folder(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Empty => f.write_str("the file is empty: the download failed; fetch it again"),
            Error::Page { begins } => write!(
                f,
                "the file is a page of HTML or XML, not data (it begins '{begins}'): the download failed; fetch it again"
            ),
            Error::Compressed(why) => {
                write!(f, "the compressed file is damaged or ends early ({why}): fetch it again")
            }
            Error::TooLarge { most } => {
                write!(f, "the file is larger than {most} bytes; take a part of it")
            }
            Error::NotUtf8 { at } => write!(f, "the file is no UTF-8 text (byte {at}); convert it"),
            Error::Cell { line, bytes, most } => {
                write!(f, "line {line}: a cell of {bytes} bytes; at most {most} are read")
            }
            Error::Form { place, what } => write!(f, "{place}: {what}"),
            Error::Columns { missing, found } => write!(
                f,
                "the columns {} are missing (there are: {}): it is another form of file, or the download failed",
                missing.join(", "),
                shortened(&found.join(", "))
            ),
            Error::OtherIndicator { place, found, expected } => {
                write!(f, "{place}: the row is of '{}', the file should be of '{expected}'", shortened(found))
            }
            Error::Unit { place, code, value, shown } => write!(
                f,
                "{place}: {code} is {value} by the rule of its unit, but the file shows '{}': the publisher changed the \
                 unit; state a new rule in data/units.toml",
                shortened(shown)
            ),
            Error::Publisher(what) => write!(f, "the publisher answers: {}", shortened(what)),
            Error::Folder(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

/// Not more of a foreign text than a line can bear.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    if plain.chars().count() < text.chars().count() { format!("{plain}…") } else { plain }
}
