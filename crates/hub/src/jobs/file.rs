//! What jobs write: files in the job's folder that go on where the last checkpoint left them, sealed where the data directory is.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sealing::stream::{Opener, Sealer};
use sealing::{FileKey, FrameReader, FrameWriter};

/// What a job's own file is sealed for.
const JOB: &str = "yojigen job";

/// A job's folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folder<'f> {
    pub(super) path: &'f Path,
    pub(super) key: Option<&'f FileKey>,
}

/// A file under way.
pub(super) enum OutFile {
    Clear(BufWriter<File>),
    Sealed(Box<FrameWriter>),
}

impl Folder<'_> {
    /// Opens a file as long as it was at the last checkpoint; one of 0 bytes begins.
    pub(super) fn open(self, name: &str, bytes: u64) -> std::io::Result<OutFile> {
        let path = self.path.join(name);
        if let Some(key) = self.key {
            return Ok(OutFile::Sealed(Box::new(FrameWriter::open(&path, bytes, key)?)));
        }
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        file.set_len(bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok(OutFile::Clear(BufWriter::with_capacity(256 << 10, file)))
    }
}

impl OutFile {
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            OutFile::Clear(file) => file.write_all(bytes),
            OutFile::Sealed(file) => file.write_all(bytes),
        }
    }

    /// Brings what was written to the disk; how many bytes the file has.
    pub(super) fn sync(&mut self) -> std::io::Result<u64> {
        match self {
            OutFile::Clear(file) => {
                file.flush()?;
                file.get_ref().sync_data()?;
                file.get_ref().metadata().map(|about| about.len())
            }
            OutFile::Sealed(file) => file.sync(),
        }
    }
}

/// A file a finished job made.
pub enum MadeFile {
    /// As it is: where.
    Clear(PathBuf),
    /// Sealed: read frame by frame.
    Sealed(Box<FrameReader>),
}

/// Writes a job's own file.
pub(super) fn write_job(path: &Path, bytes: &[u8], key: Option<&FileKey>) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    match key {
        Some(key) => {
            let mut sealer = Sealer::new(file, key, JOB)?;
            sealer.write_all(bytes)?;
            file = sealer.finish()?;
        }
        None => file.write_all(bytes)?,
    }
    file.sync_all()
}

/// Reads it.
pub(super) fn read_job(path: &Path, key: Option<&FileKey>) -> std::io::Result<Vec<u8>> {
    let Some(key) = key else { return std::fs::read(path) };
    let mut bytes = Vec::new();
    Opener::new(File::open(path)?, key, JOB)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
