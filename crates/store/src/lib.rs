//! The record on disk.
//!
//! A [`Store`] is one directory. Writes are [`Proposal`]s: one thread, the fold, decides about them in order, gives
//! them their place in the log, and writes entry, bodies and index rows as one batch; many proposals share one sync.
//! Reads are [`Reader`]s on the state of the last synced commit: they never wait for a write and never see half of one,
//! nor anything a loss of power could take back.
//!
//! * The log is the truth, bodies are its contents, all else is folded from them ([`fold`]). [`replay`] folds a log anew
//!   into an empty directory and gets the same bytes.
//! * Time is an axis: every read takes a [`Place`], and sees what was true after that commit.
//! * [`layout`] says where each thing lies; one file a key layout.
//!
//! Design not chosen: current rows with versions beside them in one key space. A search for `status=booked` would step
//! over everything that ever was booked; with past rows apart, what is costs what is.

mod backup;
mod blobs;
mod checksums;
mod doctor;
mod draft;
mod engine;
mod error;
mod fold;
mod gaps;
pub mod layout;
mod log_reader;
mod numbers;
mod proposal;
mod purge;
mod reader;
mod references;
mod replay;
mod sealed;
mod search;
mod space;
mod wal;
mod writer;

pub use backup::{
    Erased, Folder, Manifest, Segment, Shelf, Until, backup, backup_with, compare, erase_from_backup,
    manifest, restore, restore_with, rotate_backup, verify,
};
pub use doctor::{Finding, Progress, examine};
pub use draft::{Draft, Substitutions};
pub use engine::{FORMAT, Limits};
pub use error::Error;
pub use fold::{Clock, Entropy, Gone};
pub use layout::log::{
    Circumstances, Content as LogContent, Operation as LogOperation, Part, Settings, is_taken_out, unsalted,
};
pub use log_reader::{LogEntry, LogFilter, LogReader, LogText, log_state};
pub use numbers::{PackedId, Place, ResourceNumber, Seat};
pub use proposal::{
    Action, Command, CommandOutcome, Condition, Criteria, Effect, Outcome, Proposal, Reason, Rejection,
};
pub use purge::{Doomed, Purgeable};
pub use reader::{EveryVersion, HistoryEntry, HistoryRange, Kept, Reader, Swept};
pub use references::{Broken, BrokenFrom, ReferencePolicy};
pub use replay::{Contents, VisitRow, contents, each_row, replay, replay_into};
pub use sealing::Key;
pub use search::{Budget, CRITERIA_ROWS, Cursor, Failure, Found, Page, Wanted};
pub use writer::{Metrics, Options, Store};
