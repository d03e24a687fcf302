//! Who looked: the read-audit ledger of a node.
//!
//! A write's audit is its entry in the log. Reads, searches, refusals and sign-ins change nothing that the hub knows, so
//! they have a ledger of their own, beside the data: one [`Record`] a request, naming the persons whose rows left.
//!
//! * *Appended before the answer, flushed within a second.* [`Ledger::append`] gives a record its number and its place in
//!   the chain and puts it in a queue; one thread writes the queue and syncs it every [`FLUSH`]. What must not be lost
//!   (exports, sign-ins, breaking the glass) waits for the sync ([`Ledger::when_flushed`]). While the disk does not take
//!   records, appending fails, and nothing is shown.
//! * *A chain.* Each record has a BLAKE3 hash, keyed with the ledger's own key, of the hash before and of its bytes
//!   ([`chain`]). [`Records::verify`] goes along it and names the first break. The last number and hash also stand in the
//!   file `HEAD`, so that an end that went missing is noticed; an auditor who noted a number and its hash elsewhere can have
//!   them compared.
//! * *Indexed* by person, agent and time ([`layout`]): what a person asks costs what is found.
//! * *Pruned* only with a checkpoint ([`Ledger::prune`]): what was the last record taken away, and its hash, keyed. The
//!   chain goes on from there.
//! * *Erased from* only under a seal ([`Ledger::erase`]): texts about a person go, the record and its link stay.
//!
//! Design chosen: a small RocksDB of its own. Appending is a batch of small keys, the index is exact, and a torn end,
//! checksums and compression are the engine's business. Not chosen: segment files with an index of our own (the same again,
//! by hand); rows in the record's own database (an audit must not end when the record is rebuilt, restored or purged, and
//! is in no history, as-of or export); AuditEvent resources (1.5 kB and 25 index rows for each thing that is looked at).

pub mod chain;
mod engine;
mod erase;
mod error;
mod event;
mod head;
pub mod layout;
mod prune;
mod record;
mod records;
mod verify;
mod writer;

pub use error::Error;
pub use event::{Event, Sight};
pub use prune::Pruned;
pub use record::{Action, MAX_PERSONS, MAX_QUERY, Query, Record, cut};
pub use records::{Filter, Found, Page, Records};
pub use verify::{Finding, Verdict};
pub use writer::{FLUSH, Fresh, Ledger, WhenFlushed, copy};
