//! RocksDB, set up for a ledger. Nothing outside this file names an option.

use std::path::Path;

use std::sync::Arc;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    FlushOptions, LogLevel, Options, ReadOptions, WriteBatch, WriteOptions,
};
use sealing::{Cursor, DataKeys, Keys, Layout, Table, Values};

use crate::chain::{LINK_BYTES, Link};
use crate::error::{Error, damaged};
use crate::layout::{self, INDEX, List, RECORDS};
use crate::record::Record;

/// Bytes of recent records held in memory before they are written out.
const WRITE_BUFFER: usize = 4 << 20;
/// Bytes of decompressed blocks held in memory.
const CACHE: usize = 4 << 20;

pub(crate) struct Engine {
    db: DB,
    sealed: Option<Sealed>,
}

/// How a ledger of a sealed data directory is sealed: the rows of its index wholly, so that nobody reads who is on a list;
/// checkpoints say nothing of anybody.
struct Sealed {
    records: Table,
    index: Arc<Table>,
}

impl Sealed {
    fn new(keys: &DataKeys) -> Sealed {
        let table = |name, form, values| keys.table(&Layout { name, keys: form, values });
        Sealed {
            records: table("ledger records", Keys::Clear, Values::Whole(0)),
            index: Arc::new(table("ledger index", Keys::After(0), Values::Small)),
        }
    }
}

fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(1);
    options.set_db_write_buffer_size(WRITE_BUFFER);
    options.set_max_total_wal_size(4 * WRITE_BUFFER as u64);
    options.set_max_open_files(100);
    options.set_max_manifest_file_size(scrub::LIST_BYTES);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(1 << 20);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    // A torn end is what a crash leaves; `HEAD` says whether it was more.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options
}

fn families(sealed: Option<&Sealed>) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(CACHE);
    let family = |name: &str| {
        let mut options = Options::default();
        options.set_write_buffer_size(WRITE_BUFFER / 2);
        options.set_level_compaction_dynamic_level_bytes(true);
        if let Some(table) = sealed.filter(|_| name == INDEX).map(|sealed| Arc::clone(&sealed.index)) {
            options.set_comparator("yojigen.sealed.1", Box::new(move |a, b| table.compare(a, b)));
        }
        options.set_compression_type(match sealed {
            None => DBCompressionType::Zstd,
            Some(_) => DBCompressionType::None,
        });
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&cache);
        table.set_cache_index_and_filter_blocks(true);
        table.set_format_version(6);
        table.set_block_size(16 << 10);
        options.set_block_based_table_factory(&table);
        ColumnFamilyDescriptor::new(name, options)
    };
    [RECORDS, INDEX, "default"].into_iter().map(family).collect()
}

impl Engine {
    pub(crate) fn open(folder: &Path, keys: Option<&DataKeys>) -> Result<Engine, Error> {
        let sealed = keys.map(Sealed::new);
        let families = families(sealed.as_ref());
        let db = DB::open_cf_descriptors(&database_options(), folder.join("db"), families);
        db.map(|db| Engine { db, sealed }).map_err(|error| match error.kind() {
            rocksdb::ErrorKind::IOError if error.to_string().contains("lock") => {
                Error::InUse(folder.to_owned())
            }
            _ => error.into(),
        })
    }

    /// Opens a ledger that another process may be writing; it shows what was flushed by now.
    pub(crate) fn open_for_reading(folder: &Path, keys: Option<&DataKeys>) -> Result<Engine, Error> {
        let sealed = keys.map(Sealed::new);
        let mut failure = Error::NotALedger(folder.to_owned());
        // Files may be replaced between the moment they are listed and the moment they are opened.
        for _ in 0..10 {
            let mut options = database_options();
            options.create_if_missing(false);
            options.create_missing_column_families(false);
            options.set_max_open_files(-1);
            options.set_db_log_dir(std::env::temp_dir());
            match DB::open_cf_descriptors_read_only(
                &options,
                folder.join("db"),
                families(sealed.as_ref()),
                false,
            ) {
                Ok(db) => return Ok(Engine { db, sealed }),
                Err(error) => failure = error.into(),
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Err(failure)
    }

    fn family(&self, name: &str) -> Result<&ColumnFamily, Error> {
        self.db
            .cf_handle(name)
            .ok_or_else(|| damaged("the ledger's files", format!("family {name} is missing")))
    }

    fn records_table(&self) -> Option<&Table> {
        self.sealed.as_ref().map(|sealed| &sealed.records)
    }

    fn index_table(&self) -> Option<&Table> {
        self.sealed.as_ref().map(|sealed| sealed.index.as_ref())
    }

    /// Writes a batch; it is on disk when this returns.
    pub(crate) fn write(&self, batch: WriteBatch) -> Result<(), Error> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.db.write_opt(batch, &options)?)
    }

    pub(crate) fn put_record(
        &self,
        batch: &mut WriteBatch,
        sequence: u64,
        value: &[u8],
        record: &Record,
    ) -> Result<(), Error> {
        let key = layout::record_key(sequence);
        sealing::put(batch, self.family(RECORDS)?, self.records_table(), key, value);
        let index = self.family(INDEX)?;
        for list in layout::lists(record) {
            sealing::put(batch, index, self.index_table(), list.key(sequence), []);
        }
        Ok(())
    }

    /// Takes the rows of a record out of the index.
    pub(crate) fn delete_rows(
        &self,
        batch: &mut WriteBatch,
        sequence: u64,
        record: &Record,
    ) -> Result<(), Error> {
        let index = self.family(INDEX)?;
        for list in layout::lists(record) {
            sealing::delete(batch, index, self.index_table(), list.key(sequence));
        }
        Ok(())
    }

    /// Takes all records up to one away.
    pub(crate) fn delete_records(&self, batch: &mut WriteBatch, through: u64) -> Result<(), Error> {
        batch.delete_range_cf(
            self.family(RECORDS)?,
            layout::record_key(0),
            layout::record_key(through.saturating_add(1)),
        );
        Ok(())
    }

    pub(crate) fn has_row(&self, list: &List, sequence: u64) -> Result<bool, Error> {
        Ok(sealing::get(&self.db, self.family(INDEX)?, self.index_table(), &list.key(sequence))?.is_some())
    }

    /// A record's link and bytes.
    pub(crate) fn record(&self, sequence: u64) -> Result<Option<(Link, Vec<u8>)>, Error> {
        let key = layout::record_key(sequence);
        let value = sealing::get(&self.db, self.family(RECORDS)?, self.records_table(), &key)?;
        value.map(|value| split(sequence, &value).map(|(link, bytes)| (link, bytes.to_vec()))).transpose()
    }

    /// The records; not yet placed.
    pub(crate) fn records(&self) -> Result<Cursor<'_>, Error> {
        Ok(Cursor::new(self.db.raw_iterator_cf(self.family(RECORDS)?), self.records_table()))
    }

    /// All records once, past the cache; not yet placed.
    pub(crate) fn sweep(&self) -> Result<Cursor<'_>, Error> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_readahead_size(1 << 20);
        Ok(Cursor::new(self.db.raw_iterator_cf_opt(self.family(RECORDS)?, options), self.records_table()))
    }

    /// A list's rows before a number, newest first.
    pub(crate) fn list(&self, list: &List, before: u64) -> Result<Cursor<'_>, Error> {
        let mut options = ReadOptions::default();
        let mut end = list.prefix().to_vec();
        end.extend_from_slice(&[0xff; 9]);
        sealing::bound(&mut options, self.index_table(), &[], &end);
        let rows = self.db.raw_iterator_cf_opt(self.family(INDEX)?, options);
        let mut rows = Cursor::new(rows, self.index_table());
        rows.seek(list.key(before.saturating_sub(1)));
        Ok(rows)
    }

    /// How many rows the index has, by counting them.
    pub(crate) fn rows(&self) -> Result<u64, Error> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        let rows = self.db.raw_iterator_cf_opt(self.family(INDEX)?, options);
        let mut rows = Cursor::new(rows, self.index_table());
        let mut count = 0;
        rows.seek_to_first();
        // The value is nothing, and where it is sealed, the proof that the row is the ledger's.
        while rows.value().is_some() {
            count += 1;
            rows.next();
        }
        rows.status()?;
        Ok(count)
    }

    /// Puts a checkpoint into a batch.
    pub(crate) fn put_checkpoint(&self, batch: &mut WriteBatch, through: u64, value: &[u8]) {
        batch.put([[layout::CHECKPOINT].as_slice(), &through.to_be_bytes()].concat(), value);
    }

    pub(crate) fn checkpoints(&self) -> Result<Vec<Vec<u8>>, Error> {
        let mut found = Vec::new();
        let mut rows = self.db.raw_iterator();
        rows.seek([layout::CHECKPOINT]);
        while let Some((key, value)) = rows.item() {
            if key.first() == Some(&layout::CHECKPOINT) {
                found.push(value.to_vec());
            }
            rows.next();
        }
        rows.status()?;
        Ok(found)
    }

    /// Writes out what is held in memory, so that the next start has nothing to replay.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let families = [self.family(RECORDS)?, self.family(INDEX)?];
        Ok(self.db.flush_cfs_opt(&families, &FlushOptions::default())?)
    }

    /// Gives back the room of what was taken away; nothing of it stays.
    pub(crate) fn compact(&self) -> Result<(), Error> {
        let families = [self.family(RECORDS)?, self.family(INDEX)?];
        let sequence = self.db.latest_sequence_number();
        // A reader's pass over the records ends by itself.
        let done = scrub::scrub(&self.db, &families, sequence, &|| false);
        done.map(drop).map_err(|e| damaged("the ledger's files", e.to_string()))
    }
}

/// A record's value: its link, and its bytes.
pub(crate) fn split(sequence: u64, value: &[u8]) -> Result<(Link, &[u8]), Error> {
    match value.split_first_chunk::<LINK_BYTES>() {
        Some((link, bytes)) => Ok((*link, bytes)),
        None => Err(damaged(format!("record {sequence} of the ledger"), "it is too short")),
    }
}
