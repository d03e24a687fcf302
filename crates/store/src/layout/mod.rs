//! What lies where: one file a key layout, documented at its head.
//!
//! Six column families of one RocksDB, written by one batch a commit:
//!
//! | family | holds | truth or fold |
//! |---|---|---|
//! | `log` | entries ([`log`]) | truth |
//! | `bodies` | every version's text ([`bodies`]) | truth |
//! | `state` | ids, heads, code systems, history, totals … (small tables, told apart by their first byte) | fold |
//! | `rows` | every version's index entries ([`rows`]) | fold |
//! | `live` | index rows of current versions ([`live`]) | fold |
//! | `past` | index rows of earlier versions, with their lifetimes ([`past`]) | fold |
//!
//! Numbers in keys are big-endian, so that byte order is their order. Numbers of resources and places in the log take
//! five bytes (10^12 of them).

pub mod bodies;
pub(crate) mod broken;
pub mod circumstances;
pub mod classes;
pub mod heads;
pub mod history;
pub mod ids;
pub mod live;
pub mod log;
pub mod meta;
pub mod once;
pub mod past;
pub(crate) mod remains;
pub mod rows;
pub mod symbols;
pub mod totals;

/// The column families, in the order they are opened.
pub(crate) const FAMILIES: [&str; 6] = ["log", "bodies", "state", "rows", "live", "past"];

/// The first byte of each table in `state`.
pub(crate) mod table {
    pub(crate) const META: u8 = b'm';
    pub(crate) const IDS: u8 = b'i';
    pub(crate) const HEADS: u8 = b'r';
    pub(crate) const SYMBOL_NUMBERS: u8 = b's';
    pub(crate) const SYMBOL_TEXTS: u8 = b't';
    pub(crate) const HISTORY: u8 = b'h';
    pub(crate) const TOTALS: u8 = b'c';
    pub(crate) const CLASSES: u8 = b'd';
    pub(crate) const ONCE: u8 = b'o';
    pub(crate) const BROKEN: u8 = b'b';
    pub(crate) const CIRCUMSTANCES: u8 = b'q';
}
