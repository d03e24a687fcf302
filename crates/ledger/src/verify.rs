//! Does the chain hold?

use crate::chain::{self, Key, Link};
use crate::error::Error;
use crate::records::{Records, current};
use crate::{erase, head, layout, prune, writer};

/// More findings than this are not listed.
const MAX_FINDINGS: usize = 20;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which file or record.
    pub place: String,
    /// What is wrong.
    pub finding: String,
}

/// What an examination found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many records there are.
    pub records: u64,
    /// The last one's number.
    pub last: u64,
    /// Its link.
    pub link: Link,
    /// The last number that was taken away by pruning; 0 for none.
    pub pruned_through: u64,
    /// How many records texts were erased from: their own bytes no longer prove them, the erasure's seal does.
    pub erased: u64,
    /// What is wrong; the first break of the chain comes first.
    pub findings: Vec<Finding>,
}

impl Verdict {
    fn find(&mut self, place: impl Into<String>, finding: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { place: place.into(), finding: finding.into() });
        }
    }
}

fn named(sequence: u64) -> String {
    format!("record {sequence} of the ledger")
}

impl Records {
    /// The key the chain of this ledger is made with.
    ///
    /// # Errors
    /// If it is not there.
    pub fn key(&self) -> Result<Key, Error> {
        writer::read_key(&self.folder, self.keys.as_deref())
    }

    /// A number and link, as [`Verdict`] and `HEAD` have them (`number:link`).
    #[must_use]
    pub fn parse_head(text: &str) -> Option<(u64, Link)> {
        head::parse(text)
    }

    /// Goes along the chain from its beginning or the last checkpoint: each record's number, link, instant and index
    /// rows. `heads` are numbers and links that were noted elsewhere.
    ///
    /// # Errors
    /// Only if it cannot be examined at all; damage is a finding.
    pub fn verify(&self, key: &Key, heads: &[(u64, Link)]) -> Result<Verdict, Error> {
        let mut verdict = Verdict { link: chain::BEGINNING, ..Verdict::default() };
        let mut instant = i64::MIN;
        let mut rows_wanted = 0;
        for checkpoint in prune::checkpoints(&self.engine)? {
            if !checkpoint.is_genuine(key) {
                verdict.find(
                    format!("the checkpoint at record {}", checkpoint.through),
                    "its seal is not the ledger's: records were taken away by someone else",
                );
            }
            (verdict.last, verdict.link, instant) = (checkpoint.through, checkpoint.link, checkpoint.until);
            verdict.pruned_through = checkpoint.through;
        }
        let mut heads = heads.to_vec();
        heads.extend(head::read(&self.folder)?);
        let compare = |verdict: &mut Verdict| {
            for (sequence, noted) in &heads {
                if *sequence == verdict.last && *noted != verdict.link {
                    verdict.find(named(*sequence), "its link is not the one that was noted");
                }
            }
        };
        compare(&mut verdict);
        let mut rows = self.engine.sweep()?;
        rows.seek(layout::record_key(verdict.pruned_through + 1));
        while let Some((sequence, value)) = rows
            .item()
            .map(|(key, value)| (key.first_chunk::<8>().map_or(0, |b| u64::from_be_bytes(*b)), value))
        {
            if sequence != verdict.last + 1 {
                verdict.find(
                    named(verdict.last + 1),
                    format!("it is missing; the next one there is has number {sequence}"),
                );
            }
            let (link, bytes) = crate::engine::split(sequence, value)?;
            let is_next = sequence == verdict.last + 1;
            if let Some(is_genuine) = erase::is_genuine(key, &link, sequence, bytes) {
                verdict.erased += 1;
                if !is_genuine {
                    verdict.find(
                        named(sequence),
                        "its seal is not the ledger's: someone else took texts out of it",
                    );
                }
            } else if is_next && chain::link(key, &verdict.link, sequence, bytes) != link {
                verdict.find(
                    named(sequence),
                    "the chain breaks here: it is not what was written, or not after what was written",
                );
            }
            match current(&rows) {
                Ok(Some(found)) => {
                    if found.record.instant <= instant {
                        verdict.find(named(sequence), "it is not later than the one before");
                    }
                    instant = found.record.instant;
                    for list in layout::lists(&found.record) {
                        rows_wanted += 1;
                        if !self.engine.has_row(&list, sequence)? {
                            verdict.find(named(sequence), "it is missing from the index");
                        }
                    }
                }
                Ok(None) => {}
                Err(error) => verdict.find(named(sequence), error.to_string()),
            }
            verdict.records += 1;
            (verdict.last, verdict.link) = (sequence, link);
            compare(&mut verdict);
            rows.next();
        }
        if let Err(error) = rows.status() {
            verdict.find(named(verdict.last + 1), format!("its file is damaged: {error}"));
            return Ok(verdict);
        }
        let rows_found = self.engine.rows()?;
        if rows_found != rows_wanted && verdict.findings.is_empty() {
            verdict.find(
                "the index of the ledger",
                format!("it has {rows_found} rows, its records make {rows_wanted}"),
            );
        }
        let last = verdict.last;
        for (sequence, _) in heads.into_iter().filter(|(sequence, _)| *sequence > last) {
            let finding = format!("it ends with record {last}, and record {sequence} was in it");
            verdict.find("the end of the ledger", finding);
        }
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use crate::record::Record;
    use crate::writer::{Fresh, Ledger};

    #[test]
    fn a_record_put_in_place_of_another_breaks_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let fresh = || Fresh { key: [3; 32], node: [9; 16] };
        let ledger = Ledger::open(folder.path(), fresh).unwrap();
        for agent in ["a", "b", "c"] {
            ledger.append(Record { agent: Some(agent.to_owned()), ..Record::default() }).unwrap();
        }
        ledger.flush().unwrap();
        let records = ledger.records();
        let head = records.verify(&[3; 32], &[]).unwrap();
        assert!(head.findings.is_empty() && head.last == 3);
        assert!(records.verify(&[3; 32], &[(2, [0; 32])]).unwrap().findings[0].place.contains("record 2"));
        let (link, mut bytes) = ledger.engine().record(2).unwrap().unwrap();
        let at = bytes.iter().position(|b| *b == b'b').unwrap();
        bytes[at] = b'x';
        let forged = Record::decode(&bytes, 2).unwrap();
        let mut batch = rocksdb::WriteBatch::default();
        ledger.engine().put_record(&mut batch, 2, &[link.as_slice(), &bytes].concat(), &forged).unwrap();
        ledger.engine().write(batch).unwrap();
        let findings = records.verify(&[3; 32], &[]).unwrap().findings;
        assert!(
            findings[0].place.contains("record 2") && findings[0].finding.contains("chain breaks"),
            "{findings:?}"
        );
    }
}
