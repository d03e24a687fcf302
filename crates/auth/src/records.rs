//! Records in the vault: JSON with a key, read, and changed under the condition that nobody changed them meanwhile.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Auth;
use crate::refusal::{Kind, Refusal};
use crate::vault::{Change, Condition, Kept};

/// So often is a change tried again when another came first.
const ATTEMPTS: usize = 20;

/// A record, and the bytes it was read from.
pub(crate) struct Read<T> {
    pub(crate) record: T,
    pub(crate) kept: Kept,
    key: String,
}

impl<T> Read<T> {
    /// The condition that it is still so.
    pub(crate) fn unchanged(&self) -> Condition {
        Condition { key: self.key.clone(), value: Some(self.kept.value.clone()) }
    }
}

/// The condition that there is nothing.
pub(crate) fn absent(key: &str) -> Condition {
    Condition { key: key.to_owned(), value: None }
}

/// The change that keeps a record.
pub(crate) fn put<T: Serialize>(key: &str, record: &T, expires: Option<u64>) -> Result<Change, Refusal> {
    let value = serde_json::to_vec(record).map_err(|_| unreadable(key))?;
    Ok(Change::Put(key.to_owned(), Kept { value, expires }))
}

/// The change that forgets a record.
pub(crate) fn forget(key: &str) -> Change {
    Change::Delete(key.to_owned())
}

fn unreadable(key: &str) -> Refusal {
    let family = key.split('/').next().unwrap_or_default();
    Refusal::new(Kind::ServerError, format!("a record of the vault ({family}) does not read"))
}

impl Auth {
    pub(crate) fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Read<T>>, Refusal> {
        let Some(kept) = self.vault.get(key, self.now())? else { return Ok(None) };
        let record = serde_json::from_slice(&kept.value).map_err(|_| unreadable(key))?;
        Ok(Some(Read { record, kept, key: key.to_owned() }))
    }

    pub(crate) fn record<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Refusal> {
        Ok(self.read(key)?.map(|read| read.record))
    }

    pub(crate) fn records<T: DeserializeOwned>(&self, prefix: &str, most: usize) -> Result<Vec<T>, Refusal> {
        let found = self.vault.scan(prefix, most, self.now())?;
        found
            .iter()
            .map(|(key, kept)| serde_json::from_slice(&kept.value).map_err(|_| unreadable(key)))
            .collect()
    }

    /// What follows a prefix in its keys.
    pub(crate) fn names(&self, prefix: &str, most: usize) -> Result<Vec<String>, Refusal> {
        let found = self.vault.scan(prefix, most, self.now())?;
        Ok(found.into_iter().filter_map(|(key, _)| key.strip_prefix(prefix).map(str::to_owned)).collect())
    }

    pub(crate) fn change(&self, conditions: &[Condition], changes: &[Change]) -> Result<bool, Refusal> {
        Ok(self.vault.change(conditions, changes, self.now())?)
    }

    /// Changes a record that is there; as it is then. `None` if it is not there.
    pub(crate) fn update<T: DeserializeOwned + Serialize>(
        &self,
        key: &str,
        mut edit: impl FnMut(&mut T) -> Result<(), Refusal>,
    ) -> Result<Option<T>, Refusal> {
        for _ in 0..ATTEMPTS {
            let Some(mut read) = self.read::<T>(key)? else { return Ok(None) };
            edit(&mut read.record)?;
            if self.change(&[read.unchanged()], &[put(key, &read.record, read.kept.expires)?])? {
                return Ok(Some(read.record));
            }
        }
        Err(Refusal::new(Kind::ServerError, "too many changes of one record at once; try again"))
    }
}
