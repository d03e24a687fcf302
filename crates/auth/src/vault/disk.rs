//! A vault on disk: a small RocksDB of its own beside the data, every change synced before it counts.
//!
//! Its folder belongs to its owner alone (0700) and is not opened if others can read it. Values: expiry (8 bytes, big
//! endian, all ones for never), then the value.
//!
//! Design not chosen: a column family of the store. Its checkpoints, backups and `doctor` would all have to know what
//! they must not take along; and a file of JSON, which would have to be written whole for every token.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, LogLevel, Options, WriteBatch,
    WriteOptions,
};
use sealing::{Cursor, DataKeys, Keys, Layout, Table, Values};

use super::{Change, Condition, Kept, Vault, VaultError};

/// A vault on disk.
pub struct DiskVault {
    db: DB,
    /// How it is sealed, if the data directory is: keys too, since they name users.
    table: Option<Arc<Table>>,
    /// Held from a condition's check to its write.
    changing: Mutex<()>,
}

impl std::fmt::Debug for DiskVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DiskVault")
    }
}

impl DiskVault {
    /// Opens a vault, making one where there is nothing.
    ///
    /// # Errors
    /// If another process has it, others can read it, or the disk fails.
    pub fn open(folder: &Path) -> Result<DiskVault, VaultError> {
        DiskVault::open_sealed(folder, None)
    }

    /// The same for the vault of a data directory that may be sealed.
    ///
    /// # Errors
    /// As [`DiskVault::open`].
    pub fn open_sealed(folder: &Path, keys: Option<&DataKeys>) -> Result<DiskVault, VaultError> {
        let layout = Layout { name: "vault", keys: Keys::After(0), values: Values::Whole(0) };
        let table = keys.map(|keys| Arc::new(keys.table(&layout)));
        let shown = folder.display();
        if !folder.exists() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|e| VaultError::Failed(format!("making {shown}: {e}")))?;
        }
        let about = std::fs::metadata(folder).map_err(|e| VaultError::Failed(format!("{shown}: {e}")))?;
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(VaultError::Exposed(format!(
                "{shown} holds secrets and others than its owner may open it (mode {mode:o}): chmod 700 {shown}"
            )));
        }
        let mut tables = BlockBasedOptions::default();
        tables.set_block_cache(&Cache::new_lru_cache(2 << 20));
        tables.set_bloom_filter(10.0, false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_write_buffer_size(1 << 20);
        options.set_max_background_jobs(1);
        options.set_max_open_files(64);
        options.set_max_total_wal_size(4 << 20);
        options.set_max_manifest_file_size(scrub::LIST_BYTES);
        options.set_keep_log_file_num(2);
        options.set_log_level(LogLevel::Error);
        options.set_block_based_table_factory(&tables);
        if let Some(table) = table.as_ref().map(Arc::clone) {
            options.set_comparator("yojigen.sealed.1", Box::new(move |a, b| table.compare(a, b)));
        }
        // Named, so that it can be asked for.
        let family = ColumnFamilyDescriptor::new("default", options.clone());
        let db = DB::open_cf_descriptors(&options, folder, [family]).map_err(|error| {
            let text = error.to_string();
            if text.to_lowercase().contains("lock") {
                return VaultError::Busy(format!("{shown} is in use by another process"));
            }
            VaultError::Failed(format!("opening {shown}: {text}"))
        })?;
        Ok(DiskVault { db, table, changing: Mutex::new(()) })
    }

    fn family(&self) -> Result<&ColumnFamily, VaultError> {
        self.db.cf_handle("default").ok_or_else(|| failed("its table is missing"))
    }

    fn read(&self, key: &str) -> Result<Option<Kept>, VaultError> {
        let found = sealing::get(&self.db, self.family()?, self.table.as_deref(), key.as_bytes());
        found.map_err(fault)?.map(|bytes| decode(&bytes)).transpose()
    }

    /// The rows; not placed yet.
    fn rows(&self) -> Cursor<'_> {
        Cursor::new(self.db.raw_iterator(), self.table.as_deref())
    }

    /// Copies everything into an empty vault.
    ///
    /// # Errors
    /// If either fails.
    pub fn copy_into(&self, other: &DiskVault) -> Result<(), VaultError> {
        let mut batch = WriteBatch::default();
        let mut rows = self.rows();
        rows.seek_to_first();
        while let Some((key, value)) = rows.item() {
            sealing::put(&mut batch, other.family()?, other.table.as_deref(), key, value);
            rows.next();
        }
        rows.status().map_err(fault)?;
        other.db.write_opt(batch, &durably()).map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> VaultError {
    VaultError::Failed(format!("the vault of secrets failed: {error}"))
}

fn fault(fault: sealing::Fault) -> VaultError {
    match fault {
        sealing::Fault::Engine(error) => failed(error),
        sealing::Fault::Sealed(why) => failed(why),
    }
}

fn durably() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

fn encode(kept: &Kept) -> Vec<u8> {
    let mut bytes = kept.expires.unwrap_or(u64::MAX).to_be_bytes().to_vec();
    bytes.extend_from_slice(&kept.value);
    bytes
}

fn decode(bytes: &[u8]) -> Result<Kept, VaultError> {
    let (expires, value) = bytes.split_first_chunk::<8>().ok_or_else(|| failed("a value is cut short"))?;
    let expires = u64::from_be_bytes(*expires);
    Ok(Kept { value: value.to_vec(), expires: (expires != u64::MAX).then_some(expires) })
}

impl Vault for DiskVault {
    fn get(&self, key: &str, now: u64) -> Result<Option<Kept>, VaultError> {
        Ok(self.read(key)?.filter(|kept| kept.is_alive(now)))
    }

    fn scan(&self, prefix: &str, most: usize, now: u64) -> Result<Vec<(String, Kept)>, VaultError> {
        let mut found = Vec::new();
        let mut rows = self.rows();
        rows.seek(prefix);
        while let Some((key, value)) = rows.item() {
            if !key.starts_with(prefix.as_bytes()) || found.len() >= most {
                return Ok(found);
            }
            let kept = decode(value)?;
            if kept.is_alive(now) {
                found.push((String::from_utf8_lossy(key).into_owned(), kept));
            }
            rows.next();
        }
        rows.status().map_err(fault)?;
        Ok(found)
    }

    fn change(&self, conditions: &[Condition], changes: &[Change], now: u64) -> Result<bool, VaultError> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        for condition in conditions {
            if self.get(&condition.key, now)?.map(|kept| kept.value) != condition.value {
                return Ok(false);
            }
        }
        let mut batch = WriteBatch::default();
        let (family, table) = (self.family()?, self.table.as_deref());
        for change in changes {
            match change {
                Change::Put(key, kept) => sealing::put(&mut batch, family, table, key, encode(kept)),
                Change::Delete(key) => sealing::delete(&mut batch, family, table, key),
            }
        }
        self.db.write_opt(batch, &durably()).map_err(failed)?;
        Ok(true)
    }

    fn sweep(&self, now: u64) -> Result<usize, VaultError> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = WriteBatch::default();
        let mut rows = self.rows();
        rows.seek_to_first();
        while let Some((key, value)) = rows.item() {
            if !decode(value)?.is_alive(now) {
                sealing::delete(&mut batch, self.family()?, self.table.as_deref(), key);
            }
            rows.next();
        }
        rows.status().map_err(fault)?;
        let count = batch.len();
        self.db.write(batch).map_err(failed)?;
        Ok(count)
    }

    fn scrub(&self) -> Result<(), VaultError> {
        let sequence = self.db.latest_sequence_number();
        scrub::scrub(&self.db, &[], sequence, &|| false).map(drop).map_err(failed)
    }
}
