//! An iterator of the engine that shows what is sealed as it was before; where nothing is sealed it is the engine's own.

use std::cell::OnceCell;

use rocksdb::{DBRawIterator, ReadOptions};

use crate::table::Table;

/// Why a cursor stopped before the end.
#[derive(Debug)]
pub enum Fault {
    /// The engine says so.
    Engine(rocksdb::Error),
    /// A row is not what was sealed.
    Sealed(&'static str),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Engine(error) => error.fmt(f),
            Fault::Sealed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Fault {}

/// An iterator; not placed at first.
pub struct Cursor<'a> {
    rows: DBRawIterator<'a>,
    table: Option<&'a Table>,
    key: Vec<u8>,
    value: OnceCell<Vec<u8>>,
    fault: OnceCell<&'static str>,
}

/// Sets the bounds of an iterator, which are keys like all others.
pub fn bound(options: &mut ReadOptions, table: Option<&Table>, start: &[u8], end: &[u8]) {
    options.set_iterate_lower_bound(stored(table, start));
    options.set_iterate_upper_bound(stored(table, end));
}

fn stored(table: Option<&Table>, key: &[u8]) -> Vec<u8> {
    table.map_or_else(|| key.to_vec(), |table| table.seal_key(key))
}

impl<'a> Cursor<'a> {
    /// Shows what an iterator finds.
    #[must_use]
    pub fn new(rows: DBRawIterator<'a>, table: Option<&'a Table>) -> Cursor<'a> {
        Cursor { rows, table, key: Vec::new(), value: OnceCell::new(), fault: OnceCell::new() }
    }

    /// Has moved.
    fn settle(&mut self) {
        let Some(table) = self.table else { return };
        self.value.take();
        if let Some(key) = self.rows.key() {
            table.open_key(key, &mut self.key);
        }
    }

    /// To the first row.
    pub fn seek_to_first(&mut self) {
        self.rows.seek_to_first();
        self.settle();
    }

    /// To the last row.
    pub fn seek_to_last(&mut self) {
        self.rows.seek_to_last();
        self.settle();
    }

    /// To the first row at or after a key.
    pub fn seek(&mut self, key: impl AsRef<[u8]>) {
        match self.table {
            Some(table) => self.rows.seek(table.seal_key(key.as_ref())),
            None => self.rows.seek(key),
        }
        self.settle();
    }

    /// To the last row at or before a key.
    pub fn seek_for_prev(&mut self, key: impl AsRef<[u8]>) {
        match self.table {
            Some(table) => self.rows.seek_for_prev(table.seal_key(key.as_ref())),
            None => self.rows.seek_for_prev(key),
        }
        self.settle();
    }

    /// To the next row.
    pub fn next(&mut self) {
        self.rows.next();
        self.settle();
    }

    /// To the row before.
    pub fn prev(&mut self) {
        self.rows.prev();
        self.settle();
    }

    /// Whether it stands at a row.
    #[must_use]
    pub fn valid(&self) -> bool {
        self.rows.valid()
    }

    /// The row's key.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        let key = self.rows.key()?;
        Some(if self.table.is_some() { &self.key } else { key })
    }

    /// The row's value; none, too, if it is not what was sealed, which [`Cursor::status`] then says.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        let Some(table) = self.table else { return self.rows.value() };
        if let Some(value) = self.value.get() {
            return Some(value);
        }
        let (key, value) = self.rows.item()?;
        match table.open_value(key, value) {
            Ok(value) => Some(self.value.get_or_init(|| value)),
            Err(fault) => {
                self.fault.get_or_init(|| fault);
                None
            }
        }
    }

    /// Both.
    #[must_use]
    pub fn item(&self) -> Option<(&[u8], &[u8])> {
        Some((self.key()?, self.value()?))
    }

    /// Whether what was shown is all there is.
    ///
    /// # Errors
    /// What the engine says, or that a row is not what was sealed.
    pub fn status(&self) -> Result<(), Fault> {
        self.rows.status().map_err(Fault::Engine)?;
        self.fault.get().map_or(Ok(()), |fault| Err(Fault::Sealed(fault)))
    }
}
