//! What can go wrong with the store itself (not with what is written into it).

use std::fmt;
use std::path::PathBuf;

/// A failure of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The directory was written by a newer version.
    TooNew {
        /// The format found.
        found: u32,
        /// The newest this program knows.
        known: u32,
    },
    /// The log was folded with other search parameters or another extractor: the index has to be made anew.
    OtherIndex,
    /// The directory is not a data directory.
    NotAStore(PathBuf),
    /// The directory must be empty and is not.
    NotEmpty(PathBuf),
    /// Another process has the directory open.
    InUse(PathBuf),
    /// The disk is full.
    DiskFull,
    /// Something on disk is not what was written.
    Corrupt {
        /// Which file or which part.
        place: String,
        /// What was found.
        finding: String,
    },
    /// What may be seen could not be decided.
    Undecided(String),
    /// A restore into the directory was interrupted.
    Unfinished(PathBuf),
    /// The key, or that there is none: place, finding and way out.
    Key(String),
    /// A backup cannot be read or written: place, finding and way out.
    Backup(String),
    /// The engine failed.
    Engine(String),
    /// The store is shutting down.
    Stopped,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::TooNew { found, known } => write!(
                f,
                "the data directory has format {found}, this program knows formats up to {known}; use the version that wrote it or a newer one"
            ),
            Error::OtherIndex => write!(
                f,
                "the index was made with other search parameters or by another version; make it anew from the log: yojigen doctor --rebuild"
            ),
            Error::NotAStore(path) => write!(
                f,
                "{} is neither empty nor a data directory of yojigen; name another directory",
                path.display()
            ),
            Error::NotEmpty(path) => {
                write!(f, "{} is not empty; name a directory that does not exist", path.display())
            }
            Error::InUse(path) => {
                write!(f, "{} is in use by another yojigen process; stop that one first", path.display())
            }
            Error::DiskFull => write!(f, "the disk is full; nothing was stored, make room and try again"),
            Error::Corrupt { place, finding } => {
                write!(f, "{place} is damaged: {finding}; run yojigen doctor to see what else is")
            }
            Error::Undecided(why) => {
                write!(f, "what may be seen could not be decided, so nothing is shown: {why}")
            }
            Error::Unfinished(path) => write!(
                f,
                "{} is what an interrupted restore left; run that restore again, it begins anew",
                path.display()
            ),
            Error::Key(message) | Error::Backup(message) => write!(f, "{message}"),
            Error::Engine(message) => write!(f, "the storage engine failed: {message}"),
            Error::Stopped => write!(f, "the hub is shutting down"),
        }
    }
}

impl std::error::Error for Error {}

impl From<rocksdb::Error> for Error {
    fn from(error: rocksdb::Error) -> Error {
        let text = error.to_string();
        let lower = text.to_lowercase();
        if lower.contains("no space left") || lower.contains("disk full") || lower.contains("space limit") {
            return Error::DiskFull;
        }
        if lower.contains("comparator") {
            return corrupt(
                "KEYS",
                "it is missing or another directory's: the tables are sealed otherwise; put back the file that belongs to them",
            );
        }
        match error.kind() {
            rocksdb::ErrorKind::Corruption => Error::Corrupt { place: place_in(&text), finding: text },
            _ => Error::Engine(text),
        }
    }
}

impl From<sealing::Error> for Error {
    fn from(error: sealing::Error) -> Error {
        match error {
            sealing::Error::Key(message) => Error::Key(message),
            sealing::Error::Damaged { place, finding } => Error::Corrupt { place, finding },
            sealing::Error::Io(message) => Error::Engine(message),
        }
    }
}

impl From<sealing::Fault> for Error {
    fn from(fault: sealing::Fault) -> Error {
        match fault {
            sealing::Fault::Engine(error) => error.into(),
            sealing::Fault::Sealed(why) => corrupt("a row of the data directory", why),
        }
    }
}

/// The file an engine's message names, if it names one.
fn place_in(message: &str) -> String {
    let mut words =
        message.split(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | '"' | '\'' | '(' | ')'));
    let name = |w: &&str| {
        w.contains(".sst") || w.contains(".log") || w.contains("MANIFEST") || w.contains("CURRENT")
    };
    let found = words.rfind(name);
    found.map_or_else(|| "the data directory".to_owned(), |w| w.rsplit('/').next().unwrap_or(w).to_owned())
}

/// A key or value that does not parse.
pub(crate) fn corrupt(place: &str, finding: impl Into<String>) -> Error {
    Error::Corrupt { place: place.to_owned(), finding: finding.into() }
}
