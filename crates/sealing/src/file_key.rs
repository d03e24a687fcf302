//! A key for files that are kept elsewhere: it stands beside them, wrapped by the key.

use crate::error::Error;
use crate::key::{Key, random};
use crate::wrap::Wrapped;

const PURPOSE: &str = "yojigen backup: file key";

/// A key for files.
#[derive(Clone, Copy)]
pub struct FileKey(pub(crate) [u8; 32]);

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey")
    }
}

impl FileKey {
    /// A new one, and how it is kept.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn fresh(key: &Key) -> Result<(FileKey, Wrapped), Error> {
        let secret = random()?;
        Ok((FileKey(secret), Wrapped::new(&secret, key, PURPOSE)?))
    }

    /// One that was kept; `place` is where.
    ///
    /// # Errors
    /// Another key's, or damaged.
    pub fn open(wrapped: &Wrapped, key: &Key, place: &str) -> Result<FileKey, Error> {
        Ok(FileKey(wrapped.open(key, PURPOSE, place)?))
    }

    /// How it is kept with another key.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn wrap(&self, key: &Key) -> Result<Wrapped, Error> {
        Wrapped::new(&self.0, key, PURPOSE)
    }
}
