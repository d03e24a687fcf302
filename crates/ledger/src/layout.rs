//! What lies where in the ledger's folder.
//!
//! | where | key | value |
//! |---|---|---|
//! | family `records` | number (8) | link (32), [`crate::Record`] |
//! | family `index` | `p`, Patient's id, 0, number, later first (8) | – |
//! | family `index` | `a`, agent, 0, number, later first (8) | – |
//! | family `index` | `e`, number, later first (8) | – : rows of persons left that the record does not name |
//! | family `default` | `c`, number of the last record taken away (8) | a checkpoint (`prune.rs`) |
//! | file `NODE` | | the node's name |
//! | file `KEY` | | the chain's key, readable by the hub's user alone |
//! | file `HEAD` | | the last number and its link (`head.rs`) |
//!
//! Time needs no rows: numbers and instants rise together. Written by the flusher, a batch each time; nothing is ever
//! changed, and only pruning takes away.

use crate::record::{Record, cut};

pub(crate) const RECORDS: &str = "records";
pub(crate) const INDEX: &str = "index";
pub(crate) const CHECKPOINT: u8 = b'c';

/// Agents are told apart by so many bytes.
const MAX_AGENT: usize = 128;

/// Key of a record.
pub(crate) fn record_key(sequence: u64) -> [u8; 8] {
    sequence.to_be_bytes()
}

/// What all rows of a list begin with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct List(Vec<u8>);

impl List {
    pub(crate) fn person(id: &str) -> List {
        List::named(b'p', id)
    }

    pub(crate) fn agent(name: &str) -> List {
        List::named(b'a', cut(name, MAX_AGENT))
    }

    pub(crate) fn everyone() -> List {
        List(vec![b'e'])
    }

    fn named(table: u8, name: &str) -> List {
        let mut bytes = Vec::with_capacity(name.len() + 2);
        bytes.push(table);
        // A 0 ends the name, so none may stand in it.
        bytes.extend(name.bytes().map(|b| b.max(1)));
        bytes.push(0);
        List(bytes)
    }

    pub(crate) fn prefix(&self) -> &[u8] {
        &self.0
    }

    /// The row of a record.
    pub(crate) fn key(&self, sequence: u64) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.0.len() + 8);
        key.extend_from_slice(&self.0);
        key.extend_from_slice(&(!sequence).to_be_bytes());
        key
    }
}

/// The record a row is of.
pub(crate) fn row_sequence(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| !u64::from_be_bytes(*bytes))
}

/// The lists a record is on.
pub(crate) fn lists(record: &Record) -> impl Iterator<Item = List> {
    let persons = record.persons.iter().map(|id| List::person(id));
    let agent = record.agent.iter().map(|name| List::agent(name));
    persons.chain(agent).chain(record.is_everyone.then(List::everyone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_rows_come_first_and_lists_do_not_mix() {
        let list = List::person("a");
        assert!(list.key(2) < list.key(1) && row_sequence(&list.key(2)) == Some(2));
        assert!(!List::person("ab").key(1).starts_with(list.prefix()));
        assert!(!List::agent("a").key(1).starts_with(list.prefix()));
        assert!(!List::agent("a\0b").key(1).starts_with(List::agent("a").prefix()));
    }
}
