//! Backups: the log and its bodies in files of their own, from which all else is folded anew.
//!
//! A backup is a folder. `BACKUP` (JSON) lists its segments: file, first and last place, bytes, BLAKE3; and the chain value of
//! the last entry. A segment is a zstd stream of records: length (4, big-endian) and the record, postcard: the
//! log's value at one place (chain and entry, `layout::log`) and the bodies of its commands (`layout::bodies`), in order.
//!
//! * It is taken while the hub serves: the directory is opened a second time to be read, and shows what was synced.
//! * It is incremental: what a folder has is not written again, if the chain says that it is the same log.
//! * It is a prefix of the log, always: a segment counts when it is on disk and the manifest names it.
//! * Restoring folds it into a new directory, up to any place or moment, and compares every chain value.
//!
//! Design not chosen: copies of the engine's files. They are larger, tied to the engine's version and to one moment, and
//! carry damage in the index along.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use fhir::date_time::Micros;
use serde::{Deserialize, Serialize};

use crate::doctor::Progress;
use crate::engine::{Engine, Limits, View};
use crate::error::{Error, corrupt};
use crate::layout::log::{CHAIN_BYTES, Entry};
use crate::numbers::Place;
use crate::replay::{Logged, Source, StoreSource, fold_all};

const MANIFEST: &str = "BACKUP";
const FORMAT: u32 = 1;
/// A segment is closed when it has this many bytes before compression.
const SEGMENT_BYTES: u64 = 1 << 30;
/// A record longer than this is not read: a transaction's bodies are bounded.
const MAX_RECORD: usize = 1 << 30;

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
    /// Its files, in the order of the log.
    pub segments: Vec<Segment>,
}

impl Manifest {
    /// The last entry it holds; place 0 if it is empty.
    #[must_use]
    pub fn last(&self) -> Place {
        Place(self.segments.last().map_or(0, |s| s.to))
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    /// Chain and entry as the log has them.
    value: Vec<u8>,
    /// The bodies of the entry's commands, for those that have one.
    bodies: Vec<Option<Vec<u8>>>,
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |error| match error.kind() {
        std::io::ErrorKind::StorageFull => Error::DiskFull,
        _ => Error::Engine(format!("{}: {error}", path.display())),
    }
}

/// Reads what a folder holds; an empty manifest if there is nothing yet.
///
/// # Errors
/// A folder that is no backup, or of a newer format.
pub fn manifest(folder: &Path) -> Result<Manifest, Error> {
    let path = folder.join(MANIFEST);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A disk of its own brings a folder of its own.
            let is_foreign = |entry: std::io::Result<std::fs::DirEntry>| {
                entry.is_ok_and(|e| !matches!(e.file_name().to_str(), Some("lost+found" | "BACKUP.new")))
            };
            let is_empty = std::fs::read_dir(folder).map_or(true, |mut entries| !entries.any(is_foreign));
            if is_empty {
                return Ok(Manifest { format: FORMAT, segments: Vec::new() });
            }
            return Err(corrupt(
                &folder.display().to_string(),
                "it is neither empty nor a backup of yojigen",
            ));
        }
        Err(error) => return Err(io(&path)(error)),
    };
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|e| corrupt(&path.display().to_string(), e.to_string()))?;
    if manifest.format > FORMAT {
        return Err(Error::TooNew { found: manifest.format, known: FORMAT });
    }
    Ok(manifest)
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<(), Error> {
    let (path, unfinished) = (folder.join(MANIFEST), folder.join("BACKUP.new"));
    let text = serde_json::to_string_pretty(manifest).map_err(|e| Error::Engine(e.to_string()))?;
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(io(&path))
}

/// Brings a backup up to date with the hub at `source`, which may be serving. How many entries were added.
///
/// # Errors
/// A backup of another log, damage in the source, a full disk.
pub fn backup(
    source: &Path,
    folder: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, Error> {
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    let mut manifest = manifest(folder)?;
    let engine_folder = source.join("db");
    let engine = Engine::open_for_reading(source, limits)?;
    let mut source = StoreSource::new(View::newest(&engine)?)?;
    let (first, last) = (manifest.last(), source.last());
    // What can be read may not be on the disk yet; a backup must not know more than the hub does after a loss of power.
    sync_logs(&engine_folder)?;
    if let Some(known) = manifest.segments.last() {
        let is_same = first <= last && HEXLOWER.encode(&source.chain_at(first)?) == known.chain;
        if !is_same {
            return Err(corrupt(
                &folder.display().to_string(),
                format!("it is a backup of another log: entry {first} is not the same; name another folder"),
            ));
        }
    }
    // From here on the folder is a backup, however far it comes.
    write_manifest(folder, &manifest)?;
    source.seek(first);
    let mut done = first;
    while done < last {
        let mut segment = SegmentWriter::begin(folder, Place(done.0 + 1))?;
        while segment.written < SEGMENT_BYTES
            && let Some(logged) = source.next()?
        {
            done = logged.place;
            segment.add(logged)?;
            if done.0 % 1000 == 0 {
                progress(Progress { stage: "copying the log", done: done.0, total: last.0 });
            }
        }
        manifest.segments.push(segment.finish(folder)?);
        write_manifest(folder, &manifest)?;
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

struct SegmentWriter {
    path: PathBuf,
    out: zstd::stream::write::Encoder<'static, File>,
    from: Place,
    to: Place,
    until: Micros,
    chain: [u8; CHAIN_BYTES],
    written: u64,
}

impl SegmentWriter {
    fn begin(folder: &Path, from: Place) -> Result<SegmentWriter, Error> {
        let path = folder.join("segment.new");
        let file = File::create(&path).map_err(io(&path))?;
        let out = zstd::stream::write::Encoder::new(file, 3).map_err(io(&path))?;
        Ok(SegmentWriter { path, out, from, to: from, until: 0, chain: [0; CHAIN_BYTES], written: 0 })
    }

    fn add(&mut self, logged: Logged) -> Result<(), Error> {
        (self.to, self.until, self.chain) = (logged.place, logged.entry.instant, logged.chain);
        let value = [logged.chain.as_slice(), &logged.entry.encode()].concat();
        let record = postcard::to_stdvec(&Record { value, bodies: logged.bodies })
            .map_err(|e| Error::Engine(e.to_string()))?;
        let length =
            u32::try_from(record.len()).map_err(|_| Error::Engine("a record is too long".to_owned()))?;
        let write = |out: &mut zstd::stream::write::Encoder<'static, File>| {
            out.write_all(&length.to_be_bytes())?;
            out.write_all(&record)
        };
        write(&mut self.out).map_err(io(&self.path))?;
        self.written += record.len() as u64 + 4;
        Ok(())
    }

    fn finish(self, folder: &Path) -> Result<Segment, Error> {
        let file = self.out.finish().map_err(io(&self.path))?;
        file.sync_all().map_err(io(&self.path))?;
        let (bytes, blake3) = hash(&self.path)?;
        let name = format!("{:012}-{:012}.zst", self.from.0, self.to.0);
        std::fs::rename(&self.path, folder.join(&name)).map_err(io(&self.path))?;
        Ok(Segment {
            file: name,
            from: self.from.0,
            to: self.to.0,
            until: self.until,
            bytes,
            blake3,
            chain: HEXLOWER.encode(&self.chain),
        })
    }
}

fn hash(path: &Path) -> Result<(u64, String), Error> {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path).map_err(io(path))?;
    let bytes = std::io::copy(&mut file, &mut hasher).map_err(io(path))?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
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

/// Folds a backup into a new data directory. The place of its last entry.
///
/// # Errors
/// A file that is not what was written, named; a directory that is not empty; a full disk.
pub fn restore(
    folder: &Path,
    target: &Path,
    until: Until,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<Place, Error> {
    let manifest = manifest(folder)?;
    if manifest.segments.is_empty() {
        return Err(corrupt(&folder.display().to_string(), "it is empty"));
    }
    let mut next = 1;
    for segment in &manifest.segments {
        let path = folder.join(&segment.file);
        let found = hash(&path)?;
        if found != (segment.bytes, segment.blake3.clone()) {
            return Err(corrupt(
                &path.display().to_string(),
                "it is not what was written (its hash differs)",
            ));
        }
        if segment.from != next {
            return Err(corrupt(
                &folder.display().to_string(),
                format!("entries from {next} on are missing"),
            ));
        }
        next = segment.to + 1;
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
    let mut source =
        BackupSource { folder, segments: manifest.segments.iter(), current: None, place: 0, until };
    let last = fold_all(&mut source, &unfinished, total, limits, progress)?;
    if target.exists() {
        std::fs::remove_dir(target).map_err(io(target))?;
    }
    std::fs::rename(&unfinished, target).map_err(io(target))?;
    Ok(last)
}

struct BackupSource<'b> {
    folder: &'b Path,
    segments: std::slice::Iter<'b, Segment>,
    current: Option<(PathBuf, zstd::stream::read::Decoder<'static, BufReader<File>>)>,
    place: u64,
    until: Until,
}

impl Source for BackupSource<'_> {
    fn next(&mut self) -> Result<Option<Logged>, Error> {
        if matches!(self.until, Until::Place(last) if self.place >= last.0) {
            return Ok(None);
        }
        loop {
            let Some((path, reader)) = &mut self.current else {
                let Some(segment) = self.segments.next() else { return Ok(None) };
                let path = self.folder.join(&segment.file);
                let file = File::open(&path).map_err(io(&path))?;
                let reader = zstd::stream::read::Decoder::new(file).map_err(io(&path))?;
                self.current = Some((path, reader));
                continue;
            };
            let mut length = [0; 4];
            match reader.read_exact(&mut length) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    self.current = None;
                    continue;
                }
                Err(error) => return Err(io(path)(error)),
            }
            let damaged = |finding: String| corrupt(&path.display().to_string(), finding);
            let length = u32::from_be_bytes(length) as usize;
            if length > MAX_RECORD {
                return Err(damaged("a record is longer than any that is written".to_owned()));
            }
            let mut bytes = vec![0; length];
            reader.read_exact(&mut bytes).map_err(io(path))?;
            let record: Record = postcard::from_bytes(&bytes).map_err(|e| damaged(e.to_string()))?;
            self.place += 1;
            let place = Place(self.place);
            let (chain, entry) = Entry::decode(place, &record.value)?;
            if matches!(self.until, Until::Moment(moment) if entry.instant > moment) {
                return Ok(None);
            }
            return Ok(Some(Logged { place, chain, entry, bodies: record.bodies }));
        }
    }
}
