//! What of the store is sealed, family by family, where it has a key (`docs/decisions/2611-at-rest.md`).
//!
//! | family | keys | values |
//! |---|---|---|
//! | `log`, `bodies`, `rows` | numbers: in the clear | whole, with a generation |
//! | `live`, `past` | sealed after type and parameter | small |
//! | `state` | ids, code systems, broken references, circumstances, once keys: sealed after the table's letter; else numbers | small |
//! | `default` | `dictionary/FAMILY/NUMBER` | what bodies and rows are compressed with, whole |
//!
//! A value that is sealed compresses no more, so the engine does not try: bodies and rows are compressed one by one before.

use std::sync::Arc;

use rocksdb::{DB, WriteBatch};
use sealing::{Compression, DataKeys, Keys, Layout, Table, Values};

use crate::engine::Family;
use crate::error::{Error, corrupt};
use crate::layout::FAMILIES;
use crate::layout::table::{BROKEN, CIRCUMSTANCES, IDS, ONCE, SYMBOL_NUMBERS};

/// What stands before the name of each dictionary.
const DICTIONARY: &str = "dictionary/";

/// Keys of rows begin with type and parameter.
const ROW_HEAD: usize = 2;

const fn layout(name: &'static str, keys: Keys, values: Values) -> Layout {
    Layout { name, keys, values }
}

/// In the order of [`FAMILIES`].
const LAYOUTS: [Layout; 6] = [
    layout("log", Keys::Clear, Values::Whole(0)),
    layout("bodies", Keys::Clear, Values::Whole(64 << 10)),
    layout("state", Keys::Some(&[IDS, SYMBOL_NUMBERS, BROKEN, CIRCUMSTANCES, ONCE]), Values::Small),
    layout("rows", Keys::Clear, Values::Whole(32 << 10)),
    layout("live", Keys::After(ROW_HEAD), Values::Small),
    layout("past", Keys::After(ROW_HEAD), Values::Small),
];

/// Which of two keys comes first.
type Order = dyn Fn(&[u8], &[u8]) -> std::cmp::Ordering;

/// The sealed tables of a store.
#[derive(Clone)]
pub(crate) struct Sealed(Arc<Tables>);

struct Tables {
    families: [Table; 6],
    dictionaries: Table,
}

impl Sealed {
    pub(crate) fn new(keys: &DataKeys) -> Sealed {
        let dictionaries = layout("dictionaries", Keys::Clear, Values::Whole(0));
        Sealed(Arc::new(Tables {
            families: LAYOUTS.map(|layout| keys.table(&layout)),
            dictionaries: keys.table(&dictionaries),
        }))
    }

    pub(crate) fn of(&self, family: Family) -> &Table {
        &self.0.families[family as usize]
    }

    /// The order of a family's keys, if it is not that of their bytes; and its name, which the engine compares.
    pub(crate) fn order(&self, family: Family) -> Option<(&'static str, Box<Order>)> {
        let tables = Arc::clone(&self.0);
        self.of(family).has_sealed_keys().then(|| {
            let compare: Box<Order> = Box::new(move |a, b| tables.families[family as usize].compare(a, b));
            ("yojigen.sealed.1", compare)
        })
    }

    fn compressions(&self) -> impl Iterator<Item = (&'static str, &Compression)> {
        FAMILIES
            .into_iter()
            .zip(&self.0.families)
            .filter_map(|(name, table)| Some((name, table.compression()?)))
    }

    /// Works with the dictionaries a database has.
    pub(crate) fn read_dictionaries(&self, db: &DB) -> Result<(), Error> {
        for (name, compression) in self.compressions() {
            for number in 1..=u8::MAX {
                let key = key(name, number);
                let Some(stored) = db.get(&key)? else { break };
                let dictionary = self.0.dictionaries.open_value(key.as_bytes(), &stored);
                compression.add(dictionary.map_err(|why| corrupt(&key, why))?);
            }
        }
        Ok(())
    }

    /// Keeps what was trained; from now on it is used.
    pub(crate) fn keep_dictionaries(&self, db: &DB) -> Result<(), Error> {
        for (name, compression) in self.compressions() {
            let Some(dictionary) = compression.take_trained() else { continue };
            let number = compression.count() + 1;
            let Ok(number) = u8::try_from(number) else { continue };
            let key = key(name, number);
            let mut batch = WriteBatch::default();
            batch.put(&key, self.0.dictionaries.seal_value(key.as_bytes(), &dictionary));
            db.write(batch)?;
            compression.add(dictionary);
        }
        Ok(())
    }
}

fn key(family: &str, number: u8) -> String {
    format!("{DICTIONARY}{family}/{number:03}")
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use sealing::Key;

    use super::*;
    use crate::Limits;
    use crate::engine::{Engine, View};

    fn limits() -> Limits {
        static KEY: OnceLock<Key> = OnceLock::new();
        Limits { key: Some(KEY.get_or_init(|| Key::fresh().unwrap())), ..Limits::default() }
    }

    #[test]
    fn values_that_changed_places_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(&folder.path().join("hub"), &limits()).unwrap();
        let families = engine.families().unwrap();
        for family in Family::ALL {
            let keys = [[[7u8; 24].as_slice(), b"a"].concat(), [[7u8; 24].as_slice(), b"b"].concat()];
            let mut batch = WriteBatch::default();
            for key in &keys {
                families.put(&mut batch, family, key, [key.as_slice(), b" has this"].concat());
            }
            engine.write(batch).unwrap();
            let view = View::newest(&engine).unwrap();
            let value = view.get(family, &keys[1]).unwrap().unwrap();
            assert_eq!(&value[..], [keys[1].as_slice(), b" has this"].concat());
            // Somebody who can write the files, and has no key, swaps them.
            let handle = engine.db().cf_handle(FAMILIES[family as usize]).unwrap();
            let table = engine.sealed().unwrap().of(family);
            let stored = [table.seal_key(&keys[0]), table.seal_key(&keys[1])];
            let values = [0, 1].map(|n| engine.db().get_cf(handle, &stored[n]).unwrap().unwrap());
            engine.db().put_cf(handle, &stored[0], &values[1]).unwrap();
            engine.db().put_cf(handle, &stored[1], &values[0]).unwrap();
            let view = View::newest(&engine).unwrap();
            assert!(matches!(view.get(family, &keys[0]), Err(Error::Corrupt { .. })), "{family:?}");
            let mut rows = view.sweep(family);
            rows.seek_to_first();
            assert_eq!((rows.key(), rows.item()), (Some(keys[0].as_slice()), None), "{family:?}");
            assert!(rows.status().is_err());
        }
    }

    #[test]
    fn rows_are_in_the_order_of_plain_keys_and_bounds_may_be_parts_of_keys() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(&folder.path().join("hub"), &limits()).unwrap();
        let families = engine.families().unwrap();
        for family in [Family::Live, Family::State] {
            let mut keys: Vec<Vec<u8>> = (0..2000u32)
                .map(|n| {
                    let number = n.wrapping_mul(2_654_435_761).to_be_bytes();
                    [&[b'i', (n % 3) as u8], &number[..1 + n as usize % 4], b"end"].concat()
                })
                .collect();
            let mut batch = WriteBatch::default();
            keys.iter().for_each(|key| families.put(&mut batch, family, key, key));
            engine.write(batch).unwrap();
            engine.flush().unwrap();
            keys.sort();
            keys.dedup();
            let view = View::newest(&engine).unwrap();
            for (start, end) in [
                (vec![], vec![0xff; 2]),
                (vec![b'i', 1], vec![b'i', 2]),
                (vec![b'i', 1, 0x40], vec![b'i', 1, 0xc0]),
                (vec![b'i', 2, 0x40, 0x41], vec![b'j']),
            ] {
                let wanted: Vec<&Vec<u8>> = keys.iter().filter(|k| **k >= start && **k < end).collect();
                let mut rows = view.range(family, &start, &end);
                let (mut found, mut back) = (Vec::new(), Vec::new());
                rows.seek_to_first();
                while let Some((key, value)) = rows.item() {
                    assert_eq!(key, value);
                    found.push(key.to_vec());
                    rows.next();
                }
                rows.seek_to_last();
                while let Some(key) = rows.key() {
                    back.push(key.to_vec());
                    rows.prev();
                }
                rows.status().unwrap();
                back.reverse();
                assert!(found.iter().eq(wanted.iter().copied()) && found == back, "{family:?} {start:?}");
            }
        }
    }
}
