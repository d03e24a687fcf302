//! Why the ledger did not do something.

use std::fmt;
use std::path::PathBuf;

/// Why the ledger did not do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no ledger here.
    NotALedger(PathBuf),
    /// Another process has it open.
    InUse(PathBuf),
    /// Something in it is not as it was written.
    Damaged {
        /// Which file or record.
        place: String,
        /// What is wrong.
        finding: String,
    },
    /// The disk does not take records.
    NotWritten(String),
    /// More records wait for the disk than are held in memory.
    Behind,
    /// It is closed.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotALedger(path) => {
                write!(f, "{} is not a ledger; a hub that is served with --audit on makes one", path.display())
            }
            Error::InUse(path) => write!(f, "{} is open elsewhere; stop the hub first", path.display()),
            Error::Damaged { place, finding } => write!(f, "{place}: {finding}"),
            Error::NotWritten(finding) => write!(f, "the read-audit ledger cannot be written: {finding}"),
            Error::Behind => {
                f.write_str("the read-audit ledger waits for the disk; more records than are held in memory have not been written")
            }
            Error::Closed => f.write_str("the read-audit ledger is closed"),
        }
    }
}

impl std::error::Error for Error {}

impl From<sealing::Fault> for Error {
    fn from(fault: sealing::Fault) -> Error {
        match fault {
            sealing::Fault::Engine(error) => error.into(),
            sealing::Fault::Sealed(why) => damaged("a row of the ledger", why),
        }
    }
}

impl From<sealing::Error> for Error {
    fn from(error: sealing::Error) -> Error {
        match error {
            sealing::Error::Damaged { place, finding } => Error::Damaged { place, finding },
            other => Error::NotWritten(other.to_string()),
        }
    }
}

impl From<rocksdb::Error> for Error {
    fn from(error: rocksdb::Error) -> Error {
        match error.kind() {
            rocksdb::ErrorKind::Corruption => {
                Error::Damaged { place: "the ledger's files".to_owned(), finding: error.into_string() }
            }
            _ => Error::NotWritten(error.into_string()),
        }
    }
}

pub(crate) fn damaged(place: impl Into<String>, finding: impl Into<String>) -> Error {
    Error::Damaged { place: place.into(), finding: finding.into() }
}

pub(crate) fn io(path: &std::path::Path) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::NotWritten(format!("{}: {error}", path.display()))
}
