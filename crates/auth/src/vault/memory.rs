//! A vault in memory, for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Change, Condition, Kept, Vault, VaultError};

/// A vault that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryVault {
    entries: Mutex<BTreeMap<String, Kept>>,
}

impl MemoryVault {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for MemoryVault {
    fn get(&self, key: &str, now: u64) -> Result<Option<Kept>, VaultError> {
        Ok(self.entries().get(key).filter(|kept| kept.is_alive(now)).cloned())
    }

    fn scan(&self, prefix: &str, most: usize, now: u64) -> Result<Vec<(String, Kept)>, VaultError> {
        let entries = self.entries();
        let range = entries.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(range
            .filter(|(_, kept)| kept.is_alive(now))
            .take(most)
            .map(|(key, kept)| (key.clone(), kept.clone()))
            .collect())
    }

    fn change(&self, conditions: &[Condition], changes: &[Change], now: u64) -> Result<bool, VaultError> {
        let mut entries = self.entries();
        let holds = |condition: &Condition| {
            entries.get(&condition.key).filter(|k| k.is_alive(now)).map(|k| &k.value)
                == condition.value.as_ref()
        };
        if !conditions.iter().all(holds) {
            return Ok(false);
        }
        for change in changes {
            match change {
                Change::Put(key, kept) => entries.insert(key.clone(), kept.clone()),
                Change::Delete(key) => entries.remove(key),
            };
        }
        Ok(true)
    }

    fn sweep(&self, now: u64) -> Result<usize, VaultError> {
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|_, kept| kept.is_alive(now));
        Ok(before - entries.len())
    }
    fn scrub(&self) -> Result<(), VaultError> {
        Ok(())
    }
}
