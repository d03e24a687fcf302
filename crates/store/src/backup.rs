//! Backups: the log and its bodies in files of their own, from which all else is folded anew.
//!
//! A backup is some files on a [`Shelf`]: a folder, or an object storage. `BACKUP` (JSON) lists its segments: file, first and
//! last place, bytes, BLAKE3; and the chain value of the last entry. [`segment`] says what is in one.
//!
//! * It is taken while the hub serves: the directory is opened a second time to be read, and shows what was synced.
//! * It is incremental: what a shelf has is not written again, if the chain says that it is the same log.
//! * It is a prefix of the log, always: a segment counts when it is kept and the manifest, written after it, names it.
//! * It may be sealed: each segment with the backup's own key, which stands in the manifest, wrapped by the key of the hub or another.
//! * Restoring folds it into a new directory, up to any place or moment, and compares every chain value. What is half restored
//!   says so (`RESTORING`) and is not opened.
//!
//! Design not chosen: copies of the engine's files. They are larger, tied to the engine's version and to one moment, and
//! carry damage in the index along.

mod erase;
mod segment;
mod shelf;

use std::fs::File;
use std::path::Path;

use data_encoding::HEXLOWER;
use fhir::date_time::Micros;
use sealing::{FileKey, Key, Wrapped};
use serde::{Deserialize, Serialize};

pub use self::erase::{Erased, erase_from_backup};
use self::segment::{BackupSource, SegmentWriter};
pub use self::shelf::{Folder, Shelf, compare};
use crate::doctor::Progress;
use crate::engine::{Engine, Family, Limits, RESTORING, View, write_durably};
use crate::error::Error;
use crate::layout::meta::destroyed_key;
use crate::numbers::Place;
use crate::replay::{Source as _, StoreSource, fold_all};

const FORMAT: u32 = 1;
/// Of a backup that is sealed, which programs that know only the other cannot read.
const SEALED_FORMAT: u32 = 2;

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its name in the folder.
    pub file: String,
    /// Its first entry's place.
    pub from: u64,
    /// Its last entry's place.
    pub to: u64,
    /// When its last entry was recorded: microseconds since 1970 UTC.
    pub until: Micros,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of the file, hexadecimal.
    pub blake3: String,
    /// The chain value of its last entry, hexadecimal.
    pub chain: String,
}

/// What a backup holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// The key its files are sealed with, wrapped, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<Wrapped>,
    /// Its files, in the order of the log.
    pub segments: Vec<Segment>,
    /// The last entry that destroys or erases something; 0 if none does.
    #[serde(default)]
    pub destroyed: u64,
    /// The last entry whose destructions and erasures the files before it followed ([`erase_from_backup`]).
    #[serde(default)]
    pub erased: u64,
}

impl Manifest {
    /// The last entry it holds; place 0 if it is empty.
    #[must_use]
    pub fn last(&self) -> Place {
        Place(self.segments.last().map_or(0, |s| s.to))
    }

    /// Whether its files may hold what the hub has destroyed since.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.destroyed > self.erased
    }

    /// Whether its files are sealed.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// What opens its files, if they are sealed.
    fn file_key(&self, shelf: &dyn Shelf, key: Option<&Key>) -> Result<Option<FileKey>, Error> {
        match (&self.sealed, key) {
            (None, _) => Ok(None),
            (Some(wrapped), Some(key)) => {
                Ok(Some(FileKey::open(wrapped, key, &format!("the backup {}", shelf.name(None)))?))
            }
            (Some(_), None) => Err(Error::Key(format!(
                "the backup {} is encrypted, and no key is given; say --key-file FILE, or --backup-key-file FILE if it has a key of its own",
                shelf.name(None)
            ))),
        }
    }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |error| match error.kind() {
        std::io::ErrorKind::StorageFull => Error::DiskFull,
        _ => Error::Engine(format!("{}: {error}", path.display())),
    }
}

/// Reads what a shelf holds; an empty manifest if there is nothing yet.
///
/// # Errors
/// What lies there is no backup, or one of a newer format.
pub fn manifest(shelf: &dyn Shelf) -> Result<Manifest, Error> {
    let Some(bytes) = shelf.manifest()? else {
        return Ok(Manifest { format: FORMAT, ..Manifest::default() });
    };
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|e| Error::Backup(format!("{}: {e}; restore another backup", shelf.name(Some("BACKUP")))))?;
    if manifest.format > SEALED_FORMAT {
        return Err(Error::Backup(format!(
            "{}: the backup has format {}, this program knows formats up to {SEALED_FORMAT}; use the version that wrote it or a newer one",
            shelf.name(None),
            manifest.format
        )));
    }
    let mut next = 1;
    for segment in &manifest.segments {
        // A name leads nowhere else.
        let is_plain = !segment.file.is_empty() && !segment.file.contains(['/', '\\']);
        if segment.from != next || segment.to < segment.from || !is_plain {
            return Err(Error::Backup(format!(
                "{}: entries from {next} on are missing, or its files are not in order; restore another backup",
                shelf.name(Some("BACKUP"))
            )));
        }
        next = segment.to + 1;
    }
    Ok(manifest)
}

fn write_manifest(shelf: &dyn Shelf, manifest: &Manifest) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(manifest).map_err(|e| Error::Engine(e.to_string()))?;
    shelf.set_manifest(text.as_bytes())
}

/// Brings a backup up to date with the hub at `source`, which may be serving; sealed with the same key, if that is. How many
/// entries were added.
///
/// # Errors
/// A backup of another log, damage in the source, a full disk, what the shelf says.
pub fn backup(
    source: &Path,
    shelf: &dyn Shelf,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, Error> {
    backup_with(source, shelf, limits, limits.key, progress)
}

/// The key of a backup that is begun or goes on, which is sealed or not as it was begun.
fn key_to_write(
    shelf: &dyn Shelf,
    manifest: &mut Manifest,
    key: Option<&Key>,
) -> Result<Option<FileKey>, Error> {
    if manifest.segments.is_empty() {
        let fresh = key.map(FileKey::fresh).transpose()?;
        manifest.format = if key.is_some() { SEALED_FORMAT } else { FORMAT };
        manifest.sealed = fresh.as_ref().map(|(_, wrapped)| wrapped.clone());
        return Ok(fresh.map(|(key, _)| key));
    }
    if key.is_some() && !manifest.is_sealed() {
        return Err(Error::Backup(format!(
            "{}: the backup there is not encrypted, and goes on as it was begun; name another place, or say --clear",
            shelf.name(None)
        )));
    }
    if key.is_none() && manifest.is_sealed() {
        return Err(Error::Backup(format!(
            "{}: the backup there is encrypted, and goes on as it was begun; give its key, or name another place",
            shelf.name(None)
        )));
    }
    manifest.file_key(shelf, key)
}

/// The same, sealed with a key, or with none.
///
/// # Errors
/// As [`backup()`]; another key than the backup's.
pub fn backup_with(
    source: &Path,
    shelf: &dyn Shelf,
    limits: &Limits,
    key: Option<&Key>,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, Error> {
    let mut manifest = manifest(shelf)?;
    let engine_folder = source.join("db");
    let engine = Engine::open_for_reading(source, limits)?;
    let mut source = StoreSource::new(View::newest(&engine)?)?;
    let (first, last) = (manifest.last(), source.last());
    // What can be read may not be on the disk yet; a backup must not know more than the hub does after a loss of power.
    sync_logs(&engine_folder)?;
    if let Some(known) = manifest.segments.last() {
        let is_same = first <= last && HEXLOWER.encode(&source.chain_at(first)?) == known.chain;
        if !is_same {
            return Err(Error::Backup(format!(
                "{}: it is a backup of another log: entry {first} is not the same; name another place",
                shelf.name(None)
            )));
        }
    }
    let key = key_to_write(shelf, &mut manifest, key)?;
    if manifest.segments.is_empty() {
        // From here on it is a backup, however far it comes.
        write_manifest(shelf, &manifest)?;
    }
    source.seek(first);
    let mut done = first;
    let mut destroyed = manifest.destroyed;
    while done < last {
        let mut copy = || -> Result<Segment, Error> {
            let mut segment = SegmentWriter::begin(shelf, Place(done.0 + 1), key.as_ref())?;
            while segment.written < shelf.segment_bytes()
                && let Some(logged) = source.next()?
            {
                done = logged.place;
                if logged.entry.destroys() {
                    destroyed = done.0;
                }
                segment.add(logged)?;
                if done.0 % 1000 == 0 {
                    progress(Progress { stage: "copying the log", done: done.0, total: last.0 });
                }
            }
            segment.finish()
        };
        let segment = copy().inspect_err(|_| shelf.discard())?;
        manifest.segments.push(segment);
        manifest.destroyed = destroyed;
        // What is copied at once is as the hub has it.
        if first.0 == 0 {
            manifest.erased = destroyed;
        }
        write_manifest(shelf, &manifest)?;
    }
    progress(Progress { stage: "copying the log", done: last.0, total: last.0 });
    Ok(last.0 - first.0)
}

fn sync_logs(folder: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(io(folder))? {
        let path = entry.map_err(io(folder))?.path();
        if path.extension().is_some_and(|e| e == "log") {
            match File::open(&path).and_then(|file| file.sync_data()) {
                // A log whose contents were written out in the meantime.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                outcome => outcome.map_err(io(&path))?,
            }
        }
    }
    Ok(())
}

/// Where a restored log ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Until {
    /// With the backup.
    #[default]
    End,
    /// With this entry.
    Place(Place),
    /// With the last entry recorded at or before this moment.
    Moment(Micros),
}

impl Until {
    /// Whether something of a segment is wanted; `before` is the one in front of it.
    fn wants(self, segment: &Segment, before: Option<&Segment>) -> bool {
        match self {
            Until::End => true,
            Until::Place(place) => segment.from <= place.0,
            Until::Moment(moment) => before.is_none_or(|b| b.until <= moment),
        }
    }
}

/// Reads a backup and compares every file with its hash.
///
/// # Errors
/// The first file that is not what was written.
pub fn verify(shelf: &dyn Shelf, progress: &mut dyn FnMut(Progress)) -> Result<Manifest, Error> {
    let manifest = manifest(shelf)?;
    for segment in &manifest.segments {
        shelf.open(segment)?;
        progress(Progress { stage: "reading the backup", done: segment.to, total: manifest.last().0 });
    }
    Ok(manifest)
}

/// Wraps the key of a sealed backup anew, with another key.
///
/// # Errors
/// A backup that is not sealed, or with another key; what the shelf says.
pub fn rotate_backup(shelf: &dyn Shelf, old: &Key, new: &Key) -> Result<(), Error> {
    let mut manifest = manifest(shelf)?;
    let Some(key) = manifest.file_key(shelf, Some(old))? else {
        return Err(Error::Backup(format!("{}: there is no backup that is encrypted", shelf.name(None))));
    };
    manifest.sealed = Some(key.wrap(new)?);
    write_manifest(shelf, &manifest)
}

/// Folds a backup into a new data directory, which is sealed if a key is given; with the same key, a sealed backup is read. The
/// place of its last entry.
///
/// # Errors
/// A file that is not what was written, named; a directory that is not empty; a full disk.
pub fn restore(
    shelf: &dyn Shelf,
    target: &Path,
    until: Until,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<Place, Error> {
    restore_with(shelf, target, until, limits, limits.key, progress)
}

/// The same, where the backup has a key of its own.
///
/// # Errors
/// As [`restore`]; another key than the backup's.
pub fn restore_with(
    shelf: &dyn Shelf,
    target: &Path,
    until: Until,
    limits: &Limits,
    key: Option<&Key>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Place, Error> {
    let mut manifest = manifest(shelf)?;
    let key = manifest.file_key(shelf, key)?;
    if manifest.segments.is_empty() {
        return Err(Error::Backup(format!(
            "{}: there is no backup, or it is empty; yojigen backup --list shows what there is",
            shelf.name(None)
        )));
    }
    let wanted = (0..manifest.segments.len())
        .take_while(|n| {
            let before = n.checked_sub(1).and_then(|n| manifest.segments.get(n));
            manifest.segments.get(*n).is_some_and(|segment| until.wants(segment, before))
        })
        .count();
    manifest.segments.truncate(wanted);
    for segment in &manifest.segments {
        shelf.check(segment)?;
    }
    let total = match until {
        Until::Place(place) => manifest.last().min(place),
        _ => manifest.last(),
    };
    if target.exists() && std::fs::read_dir(target).map_err(io(target))?.next().is_some() {
        return Err(Error::NotEmpty(target.to_owned()));
    }
    // Beside, so that what stands at the target is whole.
    let name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let unfinished = target.with_file_name(format!("{name}.restoring"));
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(io(&unfinished))?;
    }
    let mark = unfinished.join(RESTORING);
    let mut make = || -> Result<Place, Error> {
        let engine = Engine::open(&unfinished, limits)?;
        write_durably(&mark, b"yojigen restore\n").map_err(io(&mark))?;
        let mut source = BackupSource::new(shelf, &manifest.segments, until, key);
        let last = fold_all(&mut source, &engine, total, progress)?;
        if View::newest(&engine)?.get(Family::State, destroyed_key())?.is_some() {
            // What was folded first and destroyed later.
            engine.scrub(engine.db().latest_sequence_number(), &|| false)?;
        }
        drop(engine);
        std::fs::remove_file(&mark).map_err(io(&mark))?;
        File::open(&unfinished).and_then(|f| f.sync_all()).map_err(io(&unfinished))?;
        Ok(last)
    };
    // What cannot be finished only takes room.
    let last = make().inspect_err(|_| drop(std::fs::remove_dir_all(&unfinished)))?;
    if target.exists() {
        std::fs::remove_dir(target).map_err(io(target))?;
    }
    std::fs::rename(&unfinished, target).map_err(io(target))?;
    let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(io(parent))?;
    Ok(last)
}
