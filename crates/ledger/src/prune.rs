//! Retention: records older than a moment are taken away, and what is left can still be proved.
//!
//! A checkpoint stays: the last number taken away, its link (from which the chain goes on), how many they were, from when
//! to when, and when that was done; all of it hashed with a key made from the ledger's, so that nobody without it can
//! make records disappear this way. It is written in the batch that takes the records; their index rows go before, so an
//! interruption leaves records without rows, which pruning again mends. The pruning is itself a record.

use rocksdb::WriteBatch;
use serde::{Deserialize, Serialize};

use crate::chain::{Key, Link};
use crate::engine::Engine;
use crate::error::{Error, damaged};
use crate::record::{Action, Record};
use crate::records::{self, Filter};
use crate::writer::Ledger;

/// Index rows are taken away so many records at a time.
const AT_ONCE: u64 = 10_000;

/// What stays of records that were taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// The last one's number.
    pub(crate) through: u64,
    /// Its link.
    pub(crate) link: Link,
    /// Its instant.
    pub(crate) until: i64,
    /// How many they were.
    pub(crate) number: u64,
    /// When that was done.
    pub(crate) pruned: i64,
    /// The keyed hash of the above.
    seal: Link,
}

impl Checkpoint {
    pub(crate) fn is_genuine(&self, key: &Key) -> bool {
        self.seal == self.sealed(key)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).unwrap_or_default()
    }

    fn sealed(&self, key: &Key) -> Link {
        let key = blake3::derive_key("yojigen ledger checkpoint 1", key);
        let mut hasher = blake3::Hasher::new_keyed(&key);
        for number in [self.through, self.number, self.until.cast_unsigned(), self.pruned.cast_unsigned()] {
            hasher.update(&number.to_be_bytes());
        }
        hasher.update(&self.link);
        *hasher.finalize().as_bytes()
    }
}

/// All checkpoints, oldest first.
pub(crate) fn checkpoints(engine: &Engine) -> Result<Vec<Checkpoint>, Error> {
    let read = |value: Vec<u8>| {
        postcard::from_bytes(&value).map_err(|e| damaged("a checkpoint of the ledger", e.to_string()))
    };
    engine.checkpoints()?.into_iter().map(read).collect()
}

/// What pruning took away, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// How many records.
    pub number: u64,
    /// The last one's number; 0 if there was none.
    pub through: u64,
}

impl Ledger {
    /// What pruning before a moment would take away.
    ///
    /// # Errors
    /// Damage.
    pub fn prunable(&self, before: i64) -> Result<Pruned, Error> {
        let mut pruned = Pruned { number: 0, through: 0 };
        self.records().each(&Filter { until: Some(before), ..Filter::default() }, &mut |found| {
            pruned = Pruned { number: pruned.number + 1, through: found.sequence };
            true
        })?;
        Ok(pruned)
    }

    /// Takes the records before a moment away. `asked` says who does it, and when.
    ///
    /// # Errors
    /// Damage; a disk that does not take it.
    pub fn prune(&self, before: i64, asked: Record) -> Result<Pruned, Error> {
        self.flush()?;
        let pruned = self.prunable(before)?;
        let Some(last) = self.records().get(pruned.through)? else { return Ok(pruned) };
        let engine = self.engine();
        let mut batch = WriteBatch::default();
        let mut rows = engine.sweep()?;
        rows.seek_to_first();
        let mut taken = 0;
        while let Some(found) = records::current(&rows)? {
            if found.sequence > pruned.through {
                break;
            }
            engine.delete_rows(&mut batch, found.sequence, &found.record)?;
            taken += 1;
            if taken % AT_ONCE == 0 {
                engine.write(std::mem::take(&mut batch))?;
            }
            rows.next();
        }
        rows.status()?;
        // It keeps files that are to go.
        drop(rows);
        let mut checkpoint = Checkpoint {
            through: pruned.through,
            link: last.link,
            until: last.record.instant,
            number: pruned.number,
            pruned: asked.instant,
            seal: [0; 32],
        };
        checkpoint.seal = checkpoint.sealed(self.key());
        engine.put_checkpoint(&mut batch, checkpoint.through, &checkpoint.encode());
        engine.delete_records(&mut batch, pruned.through)?;
        engine.write(batch)?;
        self.append(Record {
            action: Action::Prune,
            status: 200,
            reason: Some(format!(
                "{} records up to number {} were taken away",
                pruned.number, pruned.through
            )),
            ..asked
        })?;
        self.flush()?;
        engine.compact()?;
        Ok(pruned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::Fresh;

    #[test]
    fn what_is_left_is_proved_and_a_forged_checkpoint_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let fresh = || Fresh { key: [3; 32], node: [9; 16] };
        let ledger = Ledger::open(folder.path(), fresh).unwrap();
        for instant in 1..=10 {
            ledger.append(Record { instant, persons: vec!["p".to_owned()], ..Record::default() }).unwrap();
        }
        let asked = Record { instant: 20, ..Record::default() };
        assert_eq!(ledger.prune(6, asked.clone()).unwrap(), Pruned { number: 5, through: 5 });
        assert_eq!(ledger.prune(6, asked).unwrap(), Pruned { number: 0, through: 0 });
        let verdict = ledger.records().verify(&[3; 32], &[]).unwrap();
        assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
        assert_eq!((verdict.records, verdict.pruned_through, verdict.last), (6, 5, 11));
        let filter = Filter { persons: vec!["p".to_owned()], ..Filter::default() };
        assert_eq!(ledger.records().page(&filter, 100).unwrap().found.len(), 5);
        // All of it, and the numbers go on.
        let all = Record { instant: 1000, ..Record::default() };
        assert_eq!(ledger.prune(999, all).unwrap().number, 6);
        drop(ledger);
        let ledger = Ledger::open(folder.path(), fresh).unwrap();
        assert_eq!(ledger.append(Record::default()).unwrap(), 13);
        ledger.flush().unwrap();
        assert!(ledger.records().verify(&[3; 32], &[]).unwrap().findings.is_empty());
        let mut forged = checkpoints(ledger.engine()).unwrap().pop().unwrap();
        assert!(forged.is_genuine(&[3; 32]) && !forged.is_genuine(&[4; 32]));
        forged.number -= 1;
        assert!(!forged.is_genuine(&[3; 32]));
    }
}
