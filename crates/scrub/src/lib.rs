//! Nothing of what was deleted stays in a database's files: what an erasure ends with.
//!
//! RocksDB deletes by writing that something is deleted; the bytes go when its files are next merged, and some later than that.
//! [`scrub`] makes all of them go, while the database is in use:
//!
//! * *Tables.* Every one is written anew, with dictionaries made of what there is. A snapshot keeps what it saw alive, so
//!   older ones are waited for.
//! * *Write-ahead logs.* Every family is written out, so that no earlier log is needed.
//! * *The list of tables* (`MANIFEST`) names the first and last key of each it ever knew, and keys are texts. The engine begins
//!   a new list when one is large, and has no call for it: so the list is made large, by tables that say of one long key that it is deleted. A database
//!   is opened with [`LIST_BYTES`] for that.
//! * *What a crash left:* tables that were being made. The engine is made to look for them.
//! * *What else lies there:* the engine's messages of earlier starts, and ends of logs that were kept after a crash.
//!
//! What a disk does with the room of files that are gone is not this program's to say.
//!
//! Design not chosen: closing the database and opening it anew, which begins a new list too. Whoever reads would have to wait.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use rocksdb::{BottommostLevelCompaction, ColumnFamily, CompactOptions, DB};

/// From this size on a list of tables may be made anew (`max_manifest_file_size`).
pub const LIST_BYTES: usize = 1 << 20;

/// How often it is looked whether something is over.
const PAUSE: Duration = Duration::from_millis(20);
/// Files that are given up are gone after so long.
const GIVEN_UP: Duration = Duration::from_secs(60);
/// A key so long makes the list grow by twice as much.
const LONG_KEY: usize = 256 << 10;
/// A list is made anew when it is six times what it need be: a gigabyte at most.
const ROUNDS: usize = 2000;

/// Why it could not be done.
#[derive(Debug)]
pub enum Error {
    /// The engine failed.
    Engine(rocksdb::Error),
    /// The folder could not be looked at.
    Folder(std::io::Error),
    /// Something that was given up is still there: which files.
    Held(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Engine(error) => error.fmt(f),
            Error::Folder(error) => error.fmt(f),
            Error::Held(files) => write!(
                f,
                "{files}: what was deleted may still be in there; erase again when whatever reads an older state is done"
            ),
        }
    }
}

impl std::error::Error for Error {}

impl From<rocksdb::Error> for Error {
    fn from(error: rocksdb::Error) -> Error {
        Error::Engine(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::Folder(error)
    }
}

/// Makes what was deleted up to a sequence number go. `families` are all but the default one. Whether it was done; `false` if
/// `is_over` said so while an older state was being read.
///
/// # Errors
/// As [`Error`] says.
pub fn scrub(
    db: &DB,
    families: &[&ColumnFamily],
    sequence: u64,
    is_over: &dyn Fn() -> bool,
) -> Result<bool, Error> {
    while oldest_snapshot(db)?.is_some_and(|oldest| oldest < sequence) {
        if is_over() {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
    }
    merge(db, families)?;
    list_anew(db)?;
    wait(db)?;
    for name in names(db.path())? {
        if name.starts_with("LOG.old") || name.ends_with(".torn") {
            match std::fs::remove_file(db.path().join(name)) {
                // The engine removes its old messages, too.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                outcome => outcome?,
            }
        }
    }
    Ok(true)
}

/// The sequence number of the oldest snapshot that is held.
fn oldest_snapshot(db: &DB) -> Result<Option<u64>, Error> {
    let held = db.property_int_value("rocksdb.num-snapshots")?.unwrap_or(0);
    let oldest = db.property_int_value("rocksdb.oldest-snapshot-sequence")?;
    Ok(oldest.filter(|_| held > 0))
}

fn merge(db: &DB, families: &[&ColumnFamily]) -> Result<(), Error> {
    // All first: a log is given up when no family needs it.
    db.flush_wal(true)?;
    for family in families {
        db.flush_cf(family)?;
    }
    db.flush()?;
    let mut options = CompactOptions::default();
    options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    for family in families {
        db.compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &options);
    }
    db.compact_range_opt(None::<&[u8]>, None::<&[u8]>, &options);
    Ok(())
}

/// Which list of tables is in force.
fn current(folder: &Path) -> Result<String, Error> {
    Ok(std::fs::read_to_string(folder.join("CURRENT"))?.trim().to_owned())
}

fn list_anew(db: &DB) -> Result<(), Error> {
    let before = current(db.path())?;
    let mut key = b"scrub".to_vec();
    key.resize(LONG_KEY, 0);
    for _ in 0..ROUNDS {
        if current(db.path())? != before {
            break;
        }
        // That it is deleted is enough for a table; a key would be there after a crash, for whoever reads the family.
        db.delete(&key)?;
        db.flush()?;
    }
    let mut options = CompactOptions::default();
    options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    db.compact_range_opt(None::<&[u8]>, None::<&[u8]>, &options);
    if current(db.path())? == before { Err(Error::Held(before)) } else { Ok(()) }
}

/// Returns when the files that were given up are gone.
fn wait(db: &DB) -> Result<(), Error> {
    let until = Instant::now() + GIVEN_UP;
    purge(db)?;
    let mut held = given_up(db)?;
    while !held.is_empty() {
        if Instant::now() > until {
            return Err(Error::Held(held.join(", ")));
        }
        std::thread::sleep(PAUSE);
        // A file from before a crash may have a number the engine has yet to give: it is not purged before that.
        db.delete(b"scrub")?;
        db.flush()?;
        purge(db)?;
        // What is made meanwhile is not waited for.
        let given_up = given_up(db)?;
        held.retain(|name| given_up.contains(name));
    }
    Ok(())
}

/// Has the engine look through its folder for what nothing needs: also what a crash left there, which it knows nothing of.
fn purge(db: &DB) -> Result<(), Error> {
    db.disable_file_deletions()?;
    Ok(db.enable_file_deletions()?)
}

/// Files that nothing needs any more, and tables under way.
fn given_up(db: &DB) -> Result<Vec<String>, Error> {
    let least = db.property_int_value("rocksdb.min-log-number-to-keep")?.unwrap_or(0);
    let tables = db.live_files()?.into_iter().map(|file| file.name.trim_start_matches('/').to_owned());
    let live: HashSet<String> = tables.collect();
    let current = current(db.path())?;
    let is_given_up = |name: &String| match name.rsplit_once('.') {
        Some((number, "log")) => number.parse::<u64>().is_ok_and(|number| number < least),
        Some((_, "sst")) => !live.contains(name),
        _ => name.starts_with("MANIFEST-") && *name != current,
    };
    Ok(names(db.path())?.into_iter().filter(is_given_up).collect())
}

fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = std::fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use rocksdb::Options;

    use super::*;

    /// The files that have a text in them.
    fn having(folder: &Path, text: &[u8]) -> Vec<String> {
        let has = |name: &String| {
            let bytes = std::fs::read(folder.join(name)).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text)
        };
        names(folder).unwrap().into_iter().filter(has).collect()
    }

    fn open(folder: &Path) -> DB {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_max_manifest_file_size(LIST_BYTES);
        DB::open_cf(&options, folder, ["index"]).unwrap()
    }

    #[test]
    fn a_deleted_key_is_in_no_file_while_the_database_stays_open() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(folder.path());
        let index = db.cf_handle("index").unwrap();
        for n in 0..1000 {
            db.put_cf(index, format!("key {n:04} of others"), [b'x'; 100]).unwrap();
        }
        db.put_cf(index, "zz 四次元花子", "value of 四次元花子").unwrap();
        let text = "四次元花子".as_bytes();
        db.flush_cf(index).unwrap();
        db.put_cf(index, "zz 四次元花子", "again, 四次元花子").unwrap();
        assert_eq!(having(folder.path(), text).len(), 3, "a table, the list of tables, a log");
        std::fs::write(folder.path().join("000001.torn"), text).unwrap();
        // A crash leaves tables nobody refers to, with numbers that are yet to be given.
        let numbers = names(folder.path()).unwrap();
        let number = |name: &String| name.split('.').next().and_then(|n| n.parse::<u64>().ok());
        let last = numbers.iter().filter_map(number).max().unwrap();
        std::fs::write(folder.path().join(format!("{:06}.sst", last + 9)), text).unwrap();
        let snapshot = db.snapshot();
        db.delete_cf(index, "zz 四次元花子").unwrap();
        let sequence = db.latest_sequence_number();
        assert!(!scrub(&db, &[index], sequence, &|| true).unwrap(), "somebody reads what was");
        drop(snapshot);
        assert!(scrub(&db, &[index], sequence, &|| false).unwrap());
        assert_eq!(having(folder.path(), text), Vec::<String>::new());
        assert!(db.get_cf(index, "key 0999 of others").unwrap().is_some());
        // And again, with a list that was just made.
        db.put_cf(index, "zz 四次元花子", "back").unwrap();
        db.flush_cf(index).unwrap();
        db.delete_cf(index, "zz 四次元花子").unwrap();
        assert!(scrub(&db, &[index], db.latest_sequence_number(), &|| false).unwrap());
        assert_eq!(having(folder.path(), text), Vec::<String>::new());
        drop(db);
        let db = open(folder.path());
        assert!(db.get_cf(db.cf_handle("index").unwrap(), "key 0000 of others").unwrap().is_some());
    }
}
