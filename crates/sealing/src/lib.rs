//! Encryption at rest: what a data directory's files do not say without its key.
//!
//! A [`Key`] stands outside the data directory. It wraps the keys the data is sealed with, which stand in it ([`DataKeys`]), so
//! that it can be changed at once, while a hub serves. Tables of the engine are sealed row by row ([`Table`], [`Cursor`]), files
//! in pieces ([`stream`], [`FrameWriter`]). Where there is no key, nothing is done: each way in takes an `Option`.
//!
//! What is defended against, and what not, is in `docs/src/encryption-at-rest.md`; why it is so in
//! `docs/decisions/2611-at-rest.md`. This crate knows tables and files, not what is in them.

mod compression;
mod cursor;
mod data_keys;
mod derive;
mod error;
mod file_key;
mod frames;
mod key;
mod rows;
mod siv;
pub mod stream;
mod table;
mod wrap;

pub use compression::Compression;
pub use cursor::{Cursor, Fault, bound};
pub use data_keys::{DataKeys, FILE, UNFINISHED_FILE};
pub use error::Error;
pub use file_key::FileKey;
pub use frames::{FrameReader, FrameWriter};
pub use key::Key;
pub use rows::{delete, get, put};
pub use table::{Keys, Layout, Table, Values};
pub use wrap::Wrapped;
