//! RocksDB, set up for this store: how it is opened, read and synced. Nothing outside this file names an option.

use std::path::Path;

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB,
    DBCompressionType, DBPinnableSlice, DBRecoveryMode, LogLevel, Options, ReadOptions, Snapshot, WriteBatch,
    WriteOptions,
};
use sealing::{Cursor, DataKeys, Key};

use crate::error::{Error, corrupt};
use crate::layout::FAMILIES;
use crate::sealed::Sealed;
use crate::{checksums, wal};

/// The format this program writes; `docs/decisions/` says what changed when.
pub const FORMAT: u32 = 1;

/// A body of at least this many bytes stands beside the tables, not in them.
const BLOB_BYTES: u64 = 64 << 10;

/// How much memory the store may use, whether it is durable, and what opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of recent writes held in memory before they are written out.
    pub write_buffer: usize,
    /// Bytes of decompressed blocks held in memory.
    pub block_cache: usize,
    /// Background threads for writing out and compacting.
    pub background_jobs: i32,
    /// Whether a commit is answered only after it is on disk. Never off but to measure what that costs.
    pub is_durable: bool,
    /// What opens a sealed directory, and makes a new one a sealed one. A program has one as long as it runs.
    pub key: Option<&'static Key>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            write_buffer: 64 << 20,
            block_cache: 256 << 20,
            background_jobs: 2,
            is_durable: true,
            key: None,
        }
    }
}

/// An open database.
pub(crate) struct Engine {
    db: DB,
    is_durable: bool,
    /// How what is in it is sealed, if it is.
    sealed: Option<Sealed>,
}

/// Which family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    Log,
    Bodies,
    State,
    Rows,
    Live,
    Past,
}

impl Family {
    /// In the order of [`FAMILIES`].
    pub(crate) const ALL: [Family; 6] =
        [Family::Log, Family::Bodies, Family::State, Family::Rows, Family::Live, Family::Past];

    fn name(self) -> &'static str {
        FAMILIES[self as usize]
    }
}

/// The families' handles, and how what goes into them is sealed.
#[derive(Clone, Copy)]
pub(crate) struct Families<'a> {
    handles: [&'a ColumnFamily; 6],
    sealed: Option<&'a Sealed>,
}

impl<'a> Families<'a> {
    fn of(&self, family: Family) -> &'a ColumnFamily {
        self.handles[family as usize]
    }

    fn table(&self, family: Family) -> Option<&'a sealing::Table> {
        self.sealed.map(|sealed| sealed.of(family))
    }

    /// Puts a row into a batch.
    pub(crate) fn put(
        &self,
        batch: &mut WriteBatch,
        family: Family,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) {
        sealing::put(batch, self.of(family), self.table(family), key, value);
    }

    /// Takes a row out, with a batch.
    pub(crate) fn delete(&self, batch: &mut WriteBatch, family: Family, key: impl AsRef<[u8]>) {
        sealing::delete(batch, self.of(family), self.table(family), key);
    }
}

/// A value that was read.
pub(crate) enum Value<'a> {
    /// Where the engine has it.
    Pinned(DBPinnableSlice<'a>),
    /// What was sealed.
    Opened(Vec<u8>),
}

impl std::ops::Deref for Value<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Value::Pinned(value) => value,
            Value::Opened(value) => value,
        }
    }
}

#[allow(clippy::mem_forget)] // in what the macro makes
mod pinned {
    use std::sync::Arc;

    use rocksdb::Snapshot;

    use super::Engine;

    self_cell::self_cell!(
        /// A snapshot that keeps its database open.
        pub(crate) struct Pinned {
            owner: Arc<Engine>,
            #[covariant]
            dependent: Snapshot,
        }
    );
}

pub(crate) use pinned::Pinned;

const FORMAT_FILE: &str = "FORMAT";
const ENGINE_FOLDER: &str = "db";
/// Stands in a directory while a backup is folded into it: it is not opened.
pub(crate) const RESTORING: &str = "RESTORING";

/// Makes sure `path` is a data directory this program can open, making a new one where there is nothing; how it is sealed.
fn prepare(path: &Path, limits: &Limits) -> Result<Option<Sealed>, Error> {
    let is_new = !is_store(path);
    let sealed = |is_new| {
        let keys = DataKeys::of(path, limits.key, is_new)?;
        Ok::<_, Error>(keys.as_ref().map(Sealed::new))
    };
    if !is_new {
        check_format(path)?;
        return sealed(false);
    }
    let io = |e: std::io::Error| from_io(&e, path);
    std::fs::create_dir_all(path).map_err(io)?;
    check_format(path)?;
    let sealed = sealed(true)?;
    // Last: with it the directory is one.
    write_durably(&path.join(FORMAT_FILE), format!("yojigen {FORMAT}\n").as_bytes()).map_err(io)?;
    Ok(sealed)
}

fn check_format(path: &Path) -> Result<(), Error> {
    let io = |e: std::io::Error| from_io(&e, path);
    if path.join(RESTORING).exists() {
        return Err(Error::Unfinished(path.to_owned()));
    }
    let format_file = path.join(FORMAT_FILE);
    match std::fs::read_to_string(&format_file) {
        Ok(text) => {
            let number = text.trim().strip_prefix("yojigen ").and_then(|n| n.parse::<u32>().ok());
            match number {
                Some(FORMAT) => Ok(()),
                Some(found) if found > FORMAT => Err(Error::TooNew { found, known: FORMAT }),
                _ => Err(corrupt(
                    FORMAT_FILE,
                    format!(
                        "it says {:?}; a data directory of this version says \"yojigen {FORMAT}\"",
                        text.trim()
                    ),
                )),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Its keys may be all a start that was interrupted has left.
            let is_foreign = |entry: std::io::Result<std::fs::DirEntry>| {
                entry.is_ok_and(|e| {
                    !matches!(e.file_name().to_str(), Some(sealing::FILE | sealing::UNFINISHED_FILE))
                })
            };
            if std::fs::read_dir(path).map_err(io)?.any(is_foreign) {
                return Err(Error::NotAStore(path.to_owned()));
            }
            Ok(())
        }
        Err(error) => Err(from_io(&error, &format_file)),
    }
}

pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // The directory's own entry has to last as well.
    path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

fn from_io(error: &std::io::Error, path: &Path) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Error::DiskFull,
        _ => Error::Engine(format!("{}: {error}", path.display())),
    }
}

/// Whether a directory holds a store.
pub(crate) fn is_store(path: &Path) -> bool {
    path.join(FORMAT_FILE).is_file()
}

fn database_options(limits: &Limits) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(limits.background_jobs);
    options.set_db_write_buffer_size(limits.write_buffer);
    options.set_max_total_wal_size(4 * limits.write_buffer as u64);
    options.set_max_open_files(2000);
    options.set_bytes_per_sync(1 << 20);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(4 << 20);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    // The list of tables names each one's first and last key; a small one can be made anew.
    options.set_max_manifest_file_size(scrub::LIST_BYTES);
    // A commit is many small writes and one sync; the buffer goes to the file with the sync.
    options.set_manual_wal_flush(true);
    // A torn end is what a crash leaves; damage anywhere else is reported, never skipped.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options
}

fn family_options(family: Family, cache: &Cache, limits: &Limits, sealed: Option<&Sealed>) -> Options {
    let mut options = Options::default();
    if let Some((name, order)) = sealed.and_then(|sealed| sealed.order(family)) {
        options.set_comparator(name, order);
    }
    options.set_write_buffer_size((limits.write_buffer / 2).max(1 << 20));
    options.set_max_write_buffer_number(3);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_target_file_size_base(64 << 20);
    // What is sealed compresses no more.
    let compressed = |by| if sealed.is_some() { DBCompressionType::None } else { by };
    options.set_compression_type(compressed(DBCompressionType::Lz4));
    options.set_bottommost_compression_type(compressed(DBCompressionType::Zstd));
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_format_version(6);
    table.set_block_size(if matches!(family, Family::Bodies | Family::Log) { 16 << 10 } else { 8 << 10 });
    // Until it is known how the lowest level is compressed ([`Engine::compress_with_dictionaries`]).
    options.set_disable_auto_compactions(true);
    if family == Family::State {
        table.set_bloom_filter(10.0, false);
        table.set_optimize_filters_for_memory(true);
        // In pieces: a whole filter has megabytes, and would be read and checked for a single key once the cache is short.
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_partition_filters(true);
        table.set_metadata_block_size(4 << 10);
    }
    if family == Family::Bodies {
        // Attachments lie in files of their own: merging tables does not copy them again and again.
        options.set_enable_blob_files(true);
        options.set_min_blob_size(BLOB_BYTES);
        options.set_blob_compression_type(compressed(DBCompressionType::Zstd));
        options.set_blob_file_size(256 << 20);
        options.set_enable_blob_gc(true);
    }
    options.set_block_based_table_factory(&table);
    options
}

fn descriptors(limits: &Limits, sealed: Option<&Sealed>) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(limits.block_cache);
    let of = |family: Family| {
        ColumnFamilyDescriptor::new(family.name(), family_options(family, &cache, limits, sealed))
    };
    let default = ColumnFamilyDescriptor::new("default", Options::default());
    Family::ALL.into_iter().map(of).chain([default]).collect()
}

impl Engine {
    /// Opens the data directory at `path`, making one if there is nothing.
    pub(crate) fn open(path: &Path, limits: &Limits) -> Result<Engine, Error> {
        prepare(path, limits)?;
        if let Some((place, finding)) = wal::examine(&path.join(ENGINE_FOLDER)).into_iter().next() {
            return Err(Error::Corrupt { place, finding });
        }
        let engine = Engine::open_for_examination(path, limits)?;
        checksums::write(path).map_err(|e| from_io(&e, path))?;
        Ok(engine)
    }

    /// The same without checking the logs and without noting checksums: `doctor` does that itself.
    pub(crate) fn open_for_examination(path: &Path, limits: &Limits) -> Result<Engine, Error> {
        let sealed = prepare(path, limits)?;
        if let Some((log, byte)) =
            wal::cut_torn_end(&path.join(ENGINE_FOLDER)).map_err(|e| from_io(&e, path))?
        {
            tracing::warn!(log = %log.display(), byte, "the write-ahead log ended in a record that was never completed; it was cut off");
        }
        let descriptors = descriptors(limits, sealed.as_ref());
        let db = DB::open_cf_descriptors(&database_options(limits), path.join(ENGINE_FOLDER), descriptors)
            .map_err(|e| {
                if e.to_string().contains("lock") { Error::InUse(path.to_owned()) } else { Error::from(e) }
            })?;
        if let Some(sealed) = &sealed {
            sealed.read_dictionaries(&db)?;
        }
        let engine = Engine { db, is_durable: limits.is_durable, sealed };
        engine.compress_with_dictionaries()?;
        Ok(engine)
    }

    /// Neighbours are alike: a dictionary a file lets small blocks compress like large ones. A file is held in memory while
    /// its dictionary is made, so how much of it is bounded, which only this way of setting options can say.
    fn compress_with_dictionaries(&self) -> Result<(), Error> {
        for (name, handle) in FAMILIES.iter().zip(self.families()?.handles) {
            if self.sealed.is_some() {
                self.db.set_options_cf(handle, &[("disable_auto_compactions", "false")])?;
                continue;
            }
            let dictionary = if *name == "bodies" { 64 << 10 } else { 16 << 10 };
            let training = dictionary * 50;
            let compression = format!(
                "{{level=3;max_dict_bytes={dictionary};zstd_max_train_bytes={training};max_dict_buffer_bytes={training};enabled=true}}"
            );
            let options = [
                ("bottommost_compression_opts", compression.as_str()),
                ("disable_auto_compactions", "false"),
            ];
            self.db.set_options_cf(handle, &options)?;
        }
        Ok(())
    }

    /// Opens a directory that another process may have open, to be read: it shows what was synced.
    pub(crate) fn open_for_reading(path: &Path, limits: &Limits) -> Result<Engine, Error> {
        if !is_store(path) {
            return Err(Error::NotAStore(path.to_owned()));
        }
        let sealed = prepare(path, limits)?;
        let mut failure = None;
        // Files may be replaced between the moment they are listed and the moment they are opened.
        for _ in 0..10 {
            let families = descriptors(limits, sealed.as_ref());
            let mut options = database_options(limits);
            options.create_if_missing(false);
            options.create_missing_column_families(false);
            options.set_max_open_files(-1);
            // The engine's own messages stay out of a directory that is another's.
            options.set_db_log_dir(std::env::temp_dir());
            match DB::open_cf_descriptors_read_only(&options, path.join(ENGINE_FOLDER), families, false) {
                Ok(db) => {
                    if let Some(sealed) = &sealed {
                        sealed.read_dictionaries(&db)?;
                    }
                    return Ok(Engine { db, is_durable: false, sealed });
                }
                Err(error) => failure = Some(Error::from(error)),
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Err(failure.unwrap_or(Error::Stopped))
    }

    /// Bytes held in memory that have yet to be written out.
    pub(crate) fn held(&self) -> u64 {
        let Ok(families) = self.families() else { return 0 };
        let of = |family| self.db.property_int_value_cf(family, "rocksdb.size-all-mem-tables").ok().flatten();
        families.handles.into_iter().filter_map(of).sum()
    }

    pub(crate) fn families(&self) -> Result<Families<'_>, Error> {
        let mut handles = Vec::with_capacity(FAMILIES.len());
        for name in FAMILIES {
            handles.push(
                self.db
                    .cf_handle(name)
                    .ok_or_else(|| corrupt("the data directory", format!("family {name} is missing")))?,
            );
        }
        let handles = <[&ColumnFamily; 6]>::try_from(handles)
            .map_err(|_| corrupt("the data directory", "families are missing"))?;
        Ok(Families { handles, sealed: self.sealed.as_ref() })
    }

    pub(crate) fn db(&self) -> &DB {
        &self.db
    }

    #[cfg(test)]
    pub(crate) fn sealed(&self) -> Option<&Sealed> {
        self.sealed.as_ref()
    }

    /// Hands a batch to the engine; it is visible at once and durable after [`Engine::sync`].
    pub(crate) fn write(&self, batch: WriteBatch) -> Result<(), Error> {
        self.db.write_opt(batch, &WriteOptions::default())?;
        self.sealed.as_ref().map_or(Ok(()), |sealed| sealed.keep_dictionaries(&self.db))
    }

    /// Returns when everything written is on disk.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        Ok(self.db.flush_wal(self.is_durable)?)
    }

    /// Appends a record that says nothing, so that what was synced before it is not the log's end (`wal.rs`).
    pub(crate) fn seal(&self) -> Result<(), Error> {
        self.db.put(b"seal", [])?;
        Ok(self.db.flush_wal(false)?)
    }

    /// Writes out what is held in memory, so that the next start has nothing to replay.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let families = self.families()?;
        self.db.flush_wal(true)?;
        Ok(self.db.flush_cfs_opt(&families.handles, &rocksdb::FlushOptions::default())?)
    }

    /// Merges every family into its lowest level, so that nothing stays of what was deleted up to a sequence number.
    /// Readers of an older state are waited for. Whether it was done; `false` if `is_over` said so.
    pub(crate) fn scrub(&self, sequence: u64, is_over: &dyn Fn() -> bool) -> Result<bool, Error> {
        let families = self.families()?;
        // Every file of attachments is written anew, so that what is not referred to any more is gone.
        let bodies = families.of(Family::Bodies);
        self.db.set_options_cf(bodies, &[("blob_garbage_collection_age_cutoff", "1.0")])?;
        let done = scrub::scrub(&self.db, &families.handles, sequence, is_over);
        self.db.set_options_cf(bodies, &[("blob_garbage_collection_age_cutoff", "0.25")])?;
        // Setting options writes them to files anew.
        let folder = self.db.path().parent().unwrap_or(self.db.path());
        checksums::write(folder).map_err(|e| from_io(&e, folder))?;
        done.map_err(|e| Error::Engine(e.to_string()))
    }
}

/// What is read: the newest state, or that of a snapshot.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    engine: &'a Engine,
    families: Families<'a>,
    snapshot: Option<&'a Snapshot<'a>>,
}

impl<'a> View<'a> {
    /// The newest state, committed or not: only for the fold.
    pub(crate) fn newest(engine: &'a Engine) -> Result<View<'a>, Error> {
        Ok(View { engine, families: engine.families()?, snapshot: None })
    }

    /// The state of a snapshot.
    pub(crate) fn pinned(pinned: &'a Pinned) -> Result<View<'a>, Error> {
        let engine = pinned.borrow_owner();
        Ok(View { engine, families: engine.families()?, snapshot: Some(pinned.borrow_dependent()) })
    }

    fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        if let Some(snapshot) = self.snapshot {
            options.set_snapshot(snapshot);
        }
        options
    }

    pub(crate) fn get(&self, family: Family, key: impl AsRef<[u8]>) -> Result<Option<Value<'a>>, Error> {
        let handle = self.families.of(family);
        let Some(table) = self.families.table(family) else {
            return Ok(self.engine.db.get_pinned_cf_opt(handle, key, &self.options())?.map(Value::Pinned));
        };
        let key = table.seal_key(key.as_ref());
        let Some(value) = self.engine.db.get_pinned_cf_opt(handle, &key, &self.options())? else {
            return Ok(None);
        };
        let value = table.open_value(&key, &value);
        value.map(|value| Some(Value::Opened(value))).map_err(|why| corrupt(&name_of(family), why))
    }

    /// An iterator over the keys from `start` to before `end`; not yet placed.
    pub(crate) fn range(&self, family: Family, start: &[u8], end: &[u8]) -> Cursor<'a> {
        let (mut options, table) = (self.options(), self.families.table(family));
        sealing::bound(&mut options, table, start, end);
        Cursor::new(self.engine.db.raw_iterator_cf_opt(self.families.of(family), options), table)
    }

    /// An iterator over everything that reads past the cache, for work that reads all once.
    pub(crate) fn sweep(&self, family: Family) -> Cursor<'a> {
        let mut options = self.options();
        options.fill_cache(false);
        options.set_readahead_size(1 << 20);
        options.set_verify_checksums(true);
        let rows = self.engine.db.raw_iterator_cf_opt(self.families.of(family), options);
        Cursor::new(rows, self.families.table(family))
    }
}

fn name_of(family: Family) -> String {
    format!("a row of family {}", family.name())
}
