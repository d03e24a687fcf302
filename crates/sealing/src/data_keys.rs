//! The keys of a data directory: the file `KEYS` in it, each key wrapped by the key outside.
//!
//! JSON. One *index key*, for what is found by it (keys of tables, and the small values beside them), which lasts as long as the
//! directory; and *value keys*, a generation each, for bodies and the log: what is written takes the newest, what is read
//! says its own. A directory that has the file is sealed; one that has not, is not.
//!
//! Changing the key outside rewrites this file and nothing else, at once or not at all: a hub that is running has what it needs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::derive::derive;
use crate::error::{Error, damaged};
use crate::key::{Key, random};
use crate::table::{Layout, Table};
use crate::wrap::Wrapped;

/// Its name.
pub const FILE: &str = "KEYS";
/// What an interrupted change of it leaves.
pub const UNFINISHED_FILE: &str = "KEYS.new";
const FORMAT: u32 = 1;
/// Generations are numbered in a byte, from 1.
const MAX_GENERATION: u8 = u8::MAX;
const INDEX: &str = "yojigen data directory: index key";
/// What a sealed line begins with.
const LINE: &str = "sealed:";
/// The file is not longer.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    format: u32,
    index: Wrapped,
    values: Vec<Generation>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Generation {
    generation: u8,
    key: Wrapped,
}

fn value_purpose(generation: u8) -> String {
    format!("yojigen data directory: value key {generation}")
}

/// The keys of a data directory, unwrapped.
pub struct DataKeys {
    index: [u8; 32],
    values: Vec<(u8, [u8; 32])>,
}

impl std::fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let generations: Vec<u8> = self.values.iter().map(|(generation, _)| *generation).collect();
        write!(f, "DataKeys({generations:?})")
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

fn read(folder: &Path) -> Result<Stored, Error> {
    let path = path(folder);
    let name = path.display().to_string();
    let about = std::fs::metadata(&path).map_err(|e| Error::Io(format!("{name}: {e}")))?;
    if about.len() > MAX_BYTES {
        return Err(damaged(name, "it is too long"));
    }
    let bytes = std::fs::read(&path).map_err(|e| Error::Io(format!("{name}: {e}")))?;
    let stored: Stored = serde_json::from_slice(&bytes).map_err(|e| damaged(&*name, e.to_string()))?;
    if stored.format > FORMAT {
        return Err(Error::Key(format!(
            "{name} has format {}, this program knows formats up to {FORMAT}; use the version that wrote it or a newer one",
            stored.format
        )));
    }
    if stored.values.is_empty() {
        return Err(damaged(name, "it has no value key"));
    }
    Ok(stored)
}

/// Puts the file in the place of the one before, at once or not at all.
fn write(folder: &Path, stored: &Stored) -> Result<(), Error> {
    use std::io::Write as _;
    let (path, unfinished) = (path(folder), folder.join(UNFINISHED_FILE));
    let text = serde_json::to_string_pretty(stored).map_err(|e| Error::Io(e.to_string()))?;
    let replace = || {
        let mut file = std::fs::File::create(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    replace().map_err(|e: std::io::Error| Error::Io(format!("{}: {e}", path.display())))
}

impl DataKeys {
    /// Whether a data directory is sealed.
    #[must_use]
    pub fn are_at(folder: &Path) -> bool {
        path(folder).exists()
    }

    /// The keys of a data directory, as far as it is sealed and a key is given; `is_new`: nothing is in it yet, and a key given
    /// makes it a sealed one.
    ///
    /// # Errors
    /// No key for what is sealed, a key for what is not, another key.
    pub fn of(folder: &Path, key: Option<&Key>, is_new: bool) -> Result<Option<DataKeys>, Error> {
        let name = folder.display();
        if let Some(key) = key {
            key.must_be_outside(folder)?;
        }
        match (DataKeys::are_at(folder), key) {
            (true, Some(key)) => DataKeys::open(folder, key).map(Some),
            (true, None) => Err(Error::Key(format!(
                "{name} is sealed, and no key is given; say --key-file FILE or --key-command COMMAND (YOJIGEN_KEY_FILE, YOJIGEN_KEY_COMMAND)"
            ))),
            (false, Some(key)) if is_new => DataKeys::make(folder, key).map(Some),
            (false, Some(_)) => Err(Error::Key(format!(
                "{name} is not sealed, and a key is given; seal it with yojigen key seal --data {name}, or leave the key out"
            ))),
            (false, None) => Ok(None),
        }
    }

    fn open(folder: &Path, key: &Key) -> Result<DataKeys, Error> {
        let stored = read(folder)?;
        let name = path(folder).display().to_string();
        let index = stored.index.open(key, INDEX, &name)?;
        let value =
            |g: &Generation| Ok((g.generation, g.key.open(key, &value_purpose(g.generation), &name)?));
        let values = stored.values.iter().map(value).collect::<Result<_, Error>>()?;
        Ok(DataKeys { index, values })
    }

    /// Makes the keys of a new directory.
    fn make(folder: &Path, key: &Key) -> Result<DataKeys, Error> {
        let keys = DataKeys { index: random()?, values: vec![(1, random()?)] };
        keys.store(folder, key)?;
        Ok(keys)
    }

    fn store(&self, folder: &Path, key: &Key) -> Result<(), Error> {
        let value = |(generation, secret): &(u8, [u8; 32])| {
            let key = Wrapped::new(secret, key, &value_purpose(*generation))?;
            Ok(Generation { generation: *generation, key })
        };
        let values = self.values.iter().map(value).collect::<Result<_, Error>>()?;
        write(folder, &Stored { format: FORMAT, index: Wrapped::new(&self.index, key, INDEX)?, values })
    }

    /// Wraps the keys of a directory anew, with another key.
    ///
    /// # Errors
    /// A directory that is not sealed, or with another key.
    pub fn rotate(folder: &Path, old: &Key, new: &Key) -> Result<(), Error> {
        new.must_be_outside(folder)?;
        let keys = DataKeys::of(folder, Some(old), false)?;
        keys.map_or(Ok(()), |keys| keys.store(folder, new))
    }

    /// Adds a generation of value keys: what is opened from now on writes with it. Its number.
    ///
    /// # Errors
    /// As [`DataKeys::rotate`]; after 255 generations.
    pub fn renew(folder: &Path, key: &Key) -> Result<u8, Error> {
        let Some(mut keys) = DataKeys::of(folder, Some(key), false)? else { return Ok(0) };
        let newest = keys.newest();
        if newest == MAX_GENERATION {
            return Err(Error::Key(format!(
                "{} has had {MAX_GENERATION} value keys; yojigen doctor --rebuild makes it anew with fresh ones",
                folder.display()
            )));
        }
        keys.values.push((newest + 1, random()?));
        keys.store(folder, key)?;
        Ok(newest + 1)
    }

    /// The generation that is written with.
    #[must_use]
    pub fn newest(&self) -> u8 {
        self.values.iter().map(|(generation, _)| *generation).max().unwrap_or(0)
    }

    /// How a table is sealed.
    #[must_use]
    pub fn table(&self, layout: &Layout) -> Table {
        let index = derive(&self.index, &format!("yojigen table {}: keys", layout.name));
        let small = derive(&self.index, &format!("yojigen table {}: values", layout.name));
        let value = |(generation, secret): &(u8, [u8; 32])| {
            (*generation, derive(secret, &format!("yojigen table {}: values", layout.name)))
        };
        Table::new(layout, &index, &small, self.values.iter().map(value))
    }

    /// The key of files beside the tables.
    #[must_use]
    pub fn file_key(&self) -> crate::FileKey {
        crate::FileKey(derive(&self.index, "yojigen data directory: files"))
    }

    /// A secret of a few bytes as a line of text, for a file of its own.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn seal_line(&self, purpose: &str, secret: &[u8; 32]) -> Result<String, Error> {
        Ok(format!("{LINE}{}", crate::wrap::seal(secret, &derive(&self.index, "yojigen line"), purpose)?))
    }

    /// The secret of such a line.
    ///
    /// # Errors
    /// If it is another's, or changed.
    pub fn open_line(&self, purpose: &str, line: &str, place: &str) -> Result<[u8; 32], Error> {
        let sealed = line.strip_prefix(LINE).ok_or_else(|| damaged(place, "it is not sealed"))?;
        crate::wrap::open(sealed, &derive(&self.index, "yojigen line"), purpose, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_wrapped_anew_and_stay_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (Key::fresh().unwrap(), Key::fresh().unwrap());
        let says =
            |key: Option<&Key>| DataKeys::of(folder.path(), key, false).map(|_| ()).unwrap_err().to_string();
        assert!(DataKeys::of(folder.path(), None, true).unwrap().is_none());
        assert!(says(Some(&old)).contains("yojigen key seal"));
        let keys = DataKeys::of(folder.path(), Some(&old), true).unwrap().unwrap();
        assert!(says(None).contains("--key-file"));
        let wrong = says(Some(&new));
        assert!(wrong.contains(&old.id()) && wrong.contains(&new.id()), "{wrong}");
        assert_eq!(DataKeys::renew(folder.path(), &old).unwrap(), 2);
        DataKeys::rotate(folder.path(), &old, &new).unwrap();
        assert!(says(Some(&old)).contains("another key"));
        let again = DataKeys::of(folder.path(), Some(&new), false).unwrap().unwrap();
        assert_eq!((again.index, again.values[0], again.newest()), (keys.index, keys.values[0], 2));
    }

    #[test]
    fn a_changed_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::fresh().unwrap();
        DataKeys::of(folder.path(), Some(&key), true).unwrap();
        let text = std::fs::read_to_string(path(folder.path())).unwrap();
        let at = text.rfind("sealed").unwrap() + 20;
        let mut bytes = text.into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        std::fs::write(path(folder.path()), bytes).unwrap();
        let error = DataKeys::of(folder.path(), Some(&key), false).unwrap_err();
        assert!(matches!(&error, Error::Damaged { place, .. } if place.ends_with("KEYS")), "{error}");
    }
}
