//! Where a backup lies: a folder, or what a program brings of its own (the command line brings an object storage).
//!
//! A shelf keeps whole files under names and one manifest, which is replaced at once or not at all. A segment is made in a file
//! of the machine's own first ([`Shelf::stage`]): its size and hash are known before it goes anywhere, what is held in
//! memory does not grow with it, and a slow shelf holds up neither the hub nor the fold.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::Segment;
use crate::error::Error;

/// Where a backup's files lie.
pub trait Shelf {
    /// What a file is called in messages; without one, the whole.
    fn name(&self, file: Option<&str>) -> String;

    /// A segment is closed when it has this many bytes before compression.
    fn segment_bytes(&self) -> u64;

    /// The manifest; `None` where there is nothing yet.
    ///
    /// # Errors
    /// If it cannot be read, or something else lies there.
    fn manifest(&self) -> Result<Option<Vec<u8>>, Error>;

    /// Replaces the manifest that was last read or written through this shelf.
    ///
    /// # Errors
    /// If it cannot be written, or is no longer that one.
    fn set_manifest(&self, bytes: &[u8]) -> Result<(), Error>;

    /// An empty file to make a segment in.
    ///
    /// # Errors
    /// If it cannot be made.
    fn stage(&self) -> Result<File, Error>;

    /// What a failure to write the staged file means.
    fn staging_failed(&self, error: &std::io::Error) -> Error;

    /// Keeps what was staged under the segment's name. It is on the shelf for good when this returns.
    ///
    /// # Errors
    /// If it cannot be kept whole.
    fn keep(&self, staged: File, segment: &Segment) -> Result<(), Error>;

    /// Forgets what was staged.
    fn discard(&self);

    /// The names of all files that lie there.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn files(&self) -> Result<Vec<String>, Error>;

    /// Removes a file that the manifest does not name. It is gone when this returns.
    ///
    /// # Errors
    /// If it cannot be removed.
    fn remove(&self, file: &str) -> Result<(), Error>;

    /// Examines a segment as far as that is cheap, before anything is made of a backup.
    ///
    /// # Errors
    /// If it is not there, or not what was kept.
    fn check(&self, segment: &Segment) -> Result<(), Error>;

    /// A segment, compared with its hash.
    ///
    /// # Errors
    /// If it is not there, or not what was kept.
    fn open(&self, segment: &Segment) -> Result<File, Error>;
}

/// Compares a segment with what the manifest says of it, and puts the file back to its beginning.
///
/// # Errors
/// If it is another.
pub fn compare(shelf: &dyn Shelf, segment: &Segment, file: &mut File) -> Result<(), Error> {
    let named = |error| Error::Backup(format!("{}: {error}", shelf.name(Some(&segment.file))));
    let found = hash(file).map_err(named)?;
    if found == (segment.bytes, segment.blake3.clone()) {
        return Ok(());
    }
    Err(damaged(shelf, segment, "it is not what was written (its hash differs)"))
}

/// A segment that cannot be used, and what can be done without it.
pub(super) fn damaged(shelf: &dyn Shelf, segment: &Segment, finding: &str) -> Error {
    let before = segment.from - 1;
    let way_out = match before {
        0 => "restore another backup".to_owned(),
        _ => format!("restore another backup, or this one up to there with --place {before}"),
    };
    Error::Backup(format!("{} is damaged: {finding}; {way_out}", shelf.name(Some(&segment.file))))
}

/// Size and BLAKE3 of a file, which is then at its beginning.
pub(super) fn hash(file: &mut File) -> std::io::Result<(u64, String)> {
    file.rewind()?;
    let mut hasher = blake3::Hasher::new();
    let bytes = std::io::copy(file, &mut hasher)?;
    file.rewind()?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

const MANIFEST: &str = "BACKUP";
const UNFINISHED_MANIFEST: &str = "BACKUP.new";
const UNFINISHED_SEGMENT: &str = "segment.new";
const LOCK: &str = "LOCK";

/// A folder of files.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Held while a backup is written.
    _lock: Option<File>,
}

impl Folder {
    /// A folder to read from.
    #[must_use]
    pub fn at(path: &Path) -> Folder {
        Folder { path: path.to_owned(), _lock: None }
    }

    /// A folder to write into, made if it does not exist. One run at a time has it.
    ///
    /// # Errors
    /// If another run has it, or it cannot be made.
    pub fn to_write(path: &Path) -> Result<Folder, Error> {
        std::fs::create_dir_all(path).map_err(|e| failed(path, &e))?;
        // A folder that is something else's is left as it is.
        Folder::at(path).manifest()?;
        let lock = File::create(path.join(LOCK)).map_err(|e| failed(path, &e))?;
        match lock.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => Err(Error::Backup(format!(
                "{}: another backup is being written there; wait for it to end, or name another folder",
                path.display()
            ))),
            // Some network file systems know no locks.
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => {
                Ok(Folder { path: path.to_owned(), _lock: Some(lock) })
            }
        }
    }

    fn opened(&self, segment: &Segment) -> Result<File, Error> {
        let path = self.path.join(&segment.file);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(damaged(self, segment, "it is missing"));
            }
            Err(error) => return Err(failed(&path, &error)),
        };
        compare(self, segment, &mut file)?;
        Ok(file)
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Error::DiskFull,
        _ => Error::Backup(format!("{}: {error}", path.display())),
    }
}

impl Shelf for Folder {
    fn name(&self, file: Option<&str>) -> String {
        file.map_or(self.path.clone(), |file| self.path.join(file)).display().to_string()
    }

    fn segment_bytes(&self) -> u64 {
        1 << 30
    }

    fn manifest(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path.join(MANIFEST);
        match std::fs::read(&path) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&path, &error)),
        }
        // A disk of its own brings a folder of its own.
        let is_foreign = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.is_ok_and(|e| {
                !matches!(e.file_name().to_str(), Some("lost+found" | UNFINISHED_MANIFEST | LOCK))
            })
        };
        if std::fs::read_dir(&self.path).map_or(true, |mut entries| !entries.any(is_foreign)) {
            return Ok(None);
        }
        Err(Error::Backup(format!(
            "{} is neither empty nor a backup of yojigen; name another folder",
            self.path.display()
        )))
    }

    fn set_manifest(&self, bytes: &[u8]) -> Result<(), Error> {
        let (path, unfinished) = (self.path.join(MANIFEST), self.path.join(UNFINISHED_MANIFEST));
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&unfinished)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&unfinished, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|e| {
            let _ = std::fs::remove_file(&unfinished);
            failed(&path, &e)
        })
    }

    fn stage(&self) -> Result<File, Error> {
        let path = self.path.join(UNFINISHED_SEGMENT);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        file.map_err(|e| failed(&path, &e))
    }

    fn staging_failed(&self, error: &std::io::Error) -> Error {
        failed(&self.path.join(UNFINISHED_SEGMENT), error)
    }

    fn keep(&self, staged: File, segment: &Segment) -> Result<(), Error> {
        let path = self.path.join(UNFINISHED_SEGMENT);
        let keep = || {
            staged.sync_all()?;
            std::fs::rename(&path, self.path.join(&segment.file))
        };
        keep().map_err(|e| failed(&path, &e))
    }

    fn discard(&self) {
        let _ = std::fs::remove_file(self.path.join(UNFINISHED_SEGMENT));
    }

    fn files(&self) -> Result<Vec<String>, Error> {
        let listed = || -> std::io::Result<Vec<String>> {
            let entries = std::fs::read_dir(&self.path)?;
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        };
        listed().map_err(|e| failed(&self.path, &e))
    }

    fn remove(&self, file: &str) -> Result<(), Error> {
        let path = self.path.join(file);
        let remove = || std::fs::remove_file(&path).and_then(|()| File::open(&self.path)?.sync_all());
        remove().map_err(|e| failed(&path, &e))
    }

    fn check(&self, segment: &Segment) -> Result<(), Error> {
        self.opened(segment).map(drop)
    }

    /// What [`Folder::check`] compared.
    fn open(&self, segment: &Segment) -> Result<File, Error> {
        self.opened(segment)
    }
}
