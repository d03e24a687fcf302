//! Reading and writing a table that may be sealed.

use rocksdb::{ColumnFamily, DB, WriteBatch};

use crate::cursor::Fault;
use crate::table::Table;

/// Puts a row into a batch.
pub fn put(
    batch: &mut WriteBatch,
    family: &ColumnFamily,
    table: Option<&Table>,
    key: impl AsRef<[u8]>,
    value: impl AsRef<[u8]>,
) {
    match table {
        Some(table) => {
            let key = table.seal_key(key.as_ref());
            let value = table.seal_value(&key, value.as_ref());
            batch.put_cf(family, key, value);
        }
        None => batch.put_cf(family, key, value),
    }
}

/// Takes a row out, with a batch.
pub fn delete(batch: &mut WriteBatch, family: &ColumnFamily, table: Option<&Table>, key: impl AsRef<[u8]>) {
    match table {
        Some(table) => batch.delete_cf(family, table.seal_key(key.as_ref())),
        None => batch.delete_cf(family, key),
    }
}

/// The value of a key.
///
/// # Errors
/// What the engine says, or that the row is not what was sealed.
pub fn get(
    db: &DB,
    family: &ColumnFamily,
    table: Option<&Table>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, Fault> {
    let Some(table) = table else { return db.get_cf(family, key).map_err(Fault::Engine) };
    let key = table.seal_key(key);
    let value = db.get_pinned_cf(family, &key).map_err(Fault::Engine)?;
    value.map(|value| table.open_value(&key, &value)).transpose().map_err(Fault::Sealed)
}
