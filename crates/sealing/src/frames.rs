//! A file that grows and may be cut back, sealed in frames: what long work writes, and goes on with after a crash.
//!
//! | bytes | what |
//! |---|---|
//! | 16 | salt: the file's key is derived from it |
//! | 4, 12, n | *each frame*: how many bytes follow the nonce; the nonce, random, since a frame may be written again otherwise; text and proof |
//!
//! AES-256-GCM (ring); a frame is proved to stand where it stands. How long the file is says who keeps it: one that ends
//! earlier is refused.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Error, ErrorKind, Read, Result, Seek as _, SeekFrom, Write};
use std::path::Path;

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use crate::derive::salted;
use crate::file_key::FileKey;
use crate::key::random;
use crate::wrap::aead;

const SALT: usize = 16;
const FRAME: usize = 64 << 10;
const PROOF: usize = 16;

fn other(error: impl std::fmt::Display) -> Error {
    Error::other(error.to_string())
}

fn frame_key(FileKey(secret): &FileKey, salt: &[u8; SALT]) -> Result<LessSafeKey> {
    aead(&salted(salt, secret, "yojigen frames")).map_err(other)
}

/// Writes such a file. What was written counts after [`FrameWriter::sync`].
pub struct FrameWriter {
    file: File,
    key: LessSafeKey,
    frame: Vec<u8>,
    length: u64,
}

impl FrameWriter {
    /// Opens a file, or makes one, and cuts it back to the length it had when it was last synced; 0: it begins anew.
    ///
    /// # Errors
    /// As the disk says.
    pub fn open(path: &Path, length: u64, key: &FileKey) -> Result<FrameWriter> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut salt = [0; SALT];
        let length = if length == 0 {
            salt = random().map_err(other)?;
            file.set_len(0)?;
            file.write_all(&salt)?;
            SALT as u64
        } else {
            file.read_exact(&mut salt)?;
            file.set_len(length)?;
            length
        };
        file.seek(SeekFrom::End(0))?;
        Ok(FrameWriter {
            file,
            key: frame_key(key, &salt)?,
            frame: Vec::with_capacity(FRAME + PROOF),
            length,
        })
    }

    fn seal(&mut self) -> Result<()> {
        let nonce: [u8; NONCE_LEN] = random().map_err(other)?;
        let place = Aad::from(self.length.to_be_bytes());
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place, &mut self.frame)
            .map_err(other)?;
        let length = u32::try_from(self.frame.len()).map_err(other)?;
        self.file.write_all(&length.to_be_bytes())?;
        self.file.write_all(&nonce)?;
        self.file.write_all(&self.frame)?;
        self.length += (4 + NONCE_LEN + self.frame.len()) as u64;
        self.frame.clear();
        Ok(())
    }

    /// Brings what was written to the disk; how long the file is.
    ///
    /// # Errors
    /// As the disk says.
    pub fn sync(&mut self) -> Result<u64> {
        self.flush()?;
        self.file.sync_data()?;
        Ok(self.length)
    }
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let taken = bytes.len().min(FRAME - self.frame.len());
        self.frame.extend_from_slice(&bytes[..taken]);
        if self.frame.len() == FRAME {
            self.seal()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        if self.frame.is_empty() { Ok(()) } else { self.seal() }
    }
}

/// Reads such a file, frame by frame.
pub struct FrameReader {
    file: BufReader<File>,
    key: LessSafeKey,
    at: u64,
    length: u64,
}

impl FrameReader {
    /// Opens a file that has a length.
    ///
    /// # Errors
    /// As the disk says.
    pub fn open(path: &Path, length: u64, key: &FileKey) -> Result<FrameReader> {
        let mut file = BufReader::new(File::open(path)?);
        let mut salt = [0; SALT];
        file.read_exact(&mut salt)?;
        Ok(FrameReader { file, key: frame_key(key, &salt)?, at: SALT as u64, length })
    }

    /// The text of the next frame; `None` after the last.
    ///
    /// # Errors
    /// A frame that is not what was sealed, or a file that ends too early.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        if self.at >= self.length {
            return Ok(None);
        }
        let (mut length, mut nonce) = ([0; 4], [0; NONCE_LEN]);
        self.file.read_exact(&mut length)?;
        self.file.read_exact(&mut nonce)?;
        let length = u32::from_be_bytes(length) as usize;
        let changed = || {
            Error::new(
                ErrorKind::InvalidData,
                format!("the frame at byte {} is not what was sealed", self.at),
            )
        };
        if !(PROOF..=FRAME + PROOF).contains(&length) {
            return Err(changed());
        }
        let mut frame = vec![0; length];
        self.file.read_exact(&mut frame)?;
        let place = Aad::from(self.at.to_be_bytes());
        let opened = self.key.open_in_place(Nonce::assume_unique_for_key(nonce), place, &mut frame);
        let text = opened.map_err(|_| changed())?.len();
        frame.truncate(text);
        self.at += (4 + NONCE_LEN + length) as u64;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path, length: u64) -> Result<Vec<u8>> {
        let mut reader = FrameReader::open(path, length, &FileKey([7; 32]))?;
        let mut text = Vec::new();
        while let Some(frame) = reader.next_frame()? {
            text.extend(frame);
        }
        Ok(text)
    }

    #[test]
    fn a_file_goes_on_where_it_was_synced_and_nothing_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("file"), FileKey([7; 32]));
        let mut writer = FrameWriter::open(&path, 0, &key).unwrap();
        writer.write_all(&vec![1; 100_000]).unwrap();
        let synced = writer.sync().unwrap();
        writer.write_all(b"lost in a crash").unwrap();
        writer.flush().unwrap();
        drop(writer);
        let mut writer = FrameWriter::open(&path, synced, &key).unwrap();
        writer.write_all(b"the end").unwrap();
        let length = writer.sync().unwrap();
        let expected = [vec![1; 100_000].as_slice(), b"the end"].concat();
        assert_eq!(read(&path, length).unwrap(), expected);
        assert!(read(&path, length + 1).is_err(), "it is shorter than it was");
        let bytes = std::fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(997) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            std::fs::write(&path, changed).unwrap();
            assert!(read(&path, length).is_err(), "byte {at}");
        }
    }
}
