//! Erasure: texts about a person are taken out of records; that somebody looked, when and at whom stays.
//!
//! A record that texts were taken out of keeps its number and its link, so the chain goes on; its bytes no longer give the link,
//! so it has a *seal* instead: the hash of number, link and what is left, keyed with a key made from the ledger's. Nobody without
//! that can take anything out of a record. The gap has a name: [`crate::Records::verify`] counts such records.

use rocksdb::WriteBatch;

use crate::chain::{Key, LINK_BYTES, Link};
use crate::error::Error;
use crate::record::{ERASED, Record};
use crate::records;
use crate::writer::Ledger;

/// Records changed in one batch.
const AT_ONCE: usize = 1000;

fn seal(key: &Key, link: &Link, sequence: u64, rest: &[u8]) -> Link {
    let key = blake3::derive_key("yojigen ledger erasure 1", key);
    let mut hasher = blake3::Hasher::new_keyed(&key);
    hasher.update(&sequence.to_be_bytes());
    hasher.update(link);
    hasher.update(rest);
    *hasher.finalize().as_bytes()
}

/// Whether the seal of a record that texts were erased from is the ledger's; `None` if it is a whole record.
pub(crate) fn is_genuine(key: &Key, link: &Link, sequence: u64, bytes: &[u8]) -> Option<bool> {
    let sealed = bytes.strip_prefix(&[ERASED])?;
    let (own, rest) = sealed.split_first_chunk::<LINK_BYTES>()?;
    Some(*own == seal(key, link, sequence, rest))
}

impl Ledger {
    /// Goes through all records there are by now and puts in the place of each what `without` makes of it, if anything. How many
    /// that were. The files are not merged yet ([`Ledger::scrub`]).
    ///
    /// # Errors
    /// Damage; a disk that does not take it.
    pub fn erase(&self, without: &mut dyn FnMut(&Record) -> Option<Record>) -> Result<u64, Error> {
        self.flush()?;
        let engine = self.engine();
        let mut erased = 0;
        let mut rows = engine.sweep()?;
        rows.seek_to_first();
        let (mut batch, mut waiting) = (WriteBatch::default(), 0);
        while let Some(found) = records::current(&rows)? {
            if let Some(record) = without(&found.record) {
                let record = Record { instant: found.record.instant, ..record };
                let bytes = record.encode_erased(|rest| seal(self.key(), &found.link, found.sequence, rest));
                engine.delete_rows(&mut batch, found.sequence, &found.record)?;
                let value = [found.link.as_slice(), &bytes].concat();
                engine.put_record(&mut batch, found.sequence, &value, &record)?;
                (erased, waiting) = (erased + 1, waiting + 1);
                if waiting == AT_ONCE {
                    engine.write(std::mem::take(&mut batch))?;
                    waiting = 0;
                }
            }
            rows.next();
        }
        rows.status()?;
        engine.write(batch)?;
        Ok(erased)
    }

    /// Merges the ledger's files so that nothing stays of what was erased.
    ///
    /// # Errors
    /// As the engine says.
    pub fn scrub(&self) -> Result<(), Error> {
        self.engine().compact()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Query;
    use crate::records::Filter;
    use crate::writer::Fresh;

    #[test]
    fn texts_go_the_record_stays_and_the_chain_holds() {
        let folder = tempfile::tempdir().unwrap();
        let fresh = || Fresh { key: [3; 32], node: [9; 16] };
        let ledger = Ledger::open(folder.path(), fresh).unwrap();
        for agent in ["a", "b", "c"] {
            let query = Some(Query::of("name=四次元"));
            let record = Record { query, agent: Some(agent.to_owned()), ..Record::default() };
            ledger.append(Record { persons: vec!["p".to_owned()], ..record }).unwrap();
        }
        let without = |record: &Record| {
            (record.agent.as_deref() != Some("a")).then(|| Record { query: None, ..record.clone() })
        };
        assert_eq!(ledger.erase(&mut |r| without(r)).unwrap(), 2);
        ledger.scrub().unwrap();
        // Those that come after are chained to what was.
        ledger.append(Record::default()).unwrap();
        ledger.flush().unwrap();
        let verdict = ledger.records().verify(&[3; 32], &[]).unwrap();
        assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
        assert_eq!((verdict.records, verdict.erased), (4, 2));
        let filter = Filter { persons: vec!["p".to_owned()], ..Filter::default() };
        let found = ledger.records().page(&filter, 10).unwrap().found;
        let queries: Vec<bool> = found.iter().map(|f| f.record.query.is_some()).collect();
        assert_eq!(queries, [false, false, true]);
        // Without the key nobody can take anything out.
        let (link, bytes) = ledger.engine().record(1).unwrap().unwrap();
        let record = without(&Record { agent: None, ..Record::decode(&bytes, 1).unwrap() }).unwrap();
        let bytes = record.encode_erased(|rest| seal(&[4; 32], &link, 1, rest));
        let mut batch = WriteBatch::default();
        ledger.engine().put_record(&mut batch, 1, &[link.as_slice(), &bytes].concat(), &record).unwrap();
        ledger.engine().write(batch).unwrap();
        let findings = ledger.records().verify(&[3; 32], &[]).unwrap().findings;
        assert!(
            findings[0].place.contains("record 1") && findings[0].finding.contains("seal"),
            "{findings:?}"
        );
    }
}
