//! A table whose keys and values are sealed, and still in order.
//!
//! A stored key is a *head* that stays in the clear (a number of type and parameter), a short SIV tag and the sealed rest; a key
//! that is no longer than its head is stored as it is. The engine asks [`Table::compare`] which of two comes first: it decrypts both,
//! a block at a time, until they differ. So ranges, prefixes and directions are those of the plain keys, bounds included. Order
//! is therefore what whoever has the files learns of keys: how they rank, not what they say.
//!
//! A stored value is proved to belong to its stored key and table. Two forms: *small* (tag, sealed text), for the many rows of an
//! index; and *whole* (generation of the value key, full tag, sealed text that was compressed by itself, since what is sealed
//! compresses no more).
//!
//! Design not chosen: an encryption that preserves order (it tells more than order); sealing blocks of the engine's files
//! (it needs an environment of the engine's own, which no safe interface offers).

use std::cmp::Ordering;

use crate::compression::Compression;
use crate::siv::{self, KEY, Siv, TAG};

/// Bytes of a stored key's tag. Its only task is to begin no two keys alike.
const KEY_TAG: usize = 12;
/// Bytes of a small value's tag, where the key's tag is its salt.
const SMALL_TAG: usize = 8;

/// What of a table's keys is sealed.
#[derive(Clone, Copy, Debug)]
pub enum Keys {
    /// Nothing: they are numbers.
    Clear,
    /// What comes after so many bytes.
    After(usize),
    /// What comes after the first byte, if it is one of these.
    Some(&'static [u8]),
}

/// How a table's values are sealed.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// As small ones.
    Small,
    /// As whole ones; compressed with a dictionary of so many bytes, once there is one. 0: not compressed.
    Whole(usize),
}

/// What a table is like.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Its name, unlike that of any other table under the same keys.
    pub name: &'static str,
    /// What of its keys is sealed.
    pub keys: Keys,
    /// How its values are sealed.
    pub values: Values,
}

/// How a table is sealed.
pub struct Table {
    name: &'static str,
    form: Keys,
    keys: Siv,
    values: SealedValues,
    compression: Option<Compression>,
}

enum SealedValues {
    Small(Box<Siv>),
    /// By generation, the newest first: most of what is read was written with it.
    Whole(Vec<(u8, Siv)>),
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({})", self.name)
    }
}

impl Table {
    pub(crate) fn new(
        layout: &Layout,
        index: &[u8; KEY],
        small: &[u8; KEY],
        values: impl Iterator<Item = (u8, [u8; KEY])>,
    ) -> Table {
        let (values, compression) = match layout.values {
            Values::Small => (SealedValues::Small(Box::new(Siv::new(small))), None),
            Values::Whole(dictionary) => {
                let mut generations: Vec<_> =
                    values.map(|(generation, key)| (generation, Siv::new(&key))).collect();
                generations.sort_by_key(|(generation, _)| std::cmp::Reverse(*generation));
                let compression = (dictionary > 0).then(|| Compression::new(dictionary));
                (SealedValues::Whole(generations), compression)
            }
        };
        Table { name: layout.name, form: layout.keys, keys: Siv::new(index), values, compression }
    }

    /// What makes values smaller before they are sealed.
    #[must_use]
    pub fn compression(&self) -> Option<&Compression> {
        self.compression.as_ref()
    }

    /// Whether the table's keys have an order of their own ([`Table::compare`]).
    #[must_use]
    pub fn has_sealed_keys(&self) -> bool {
        !matches!(self.form, Keys::Clear)
    }

    /// How many bytes of a key stay in the clear at most.
    fn head(&self, key: &[u8]) -> usize {
        match self.form {
            Keys::Clear => key.len(),
            Keys::After(head) => head.min(key.len()),
            Keys::Some(sealed) => match key.first() {
                Some(first) if sealed.contains(first) => 1,
                _ => key.len(),
            },
        }
    }

    /// Which of two stored keys comes first: that whose plain key does.
    #[must_use]
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        let ((head_a, tail_a), (head_b, tail_b)) = (a.split_at(self.head(a)), b.split_at(self.head(b)));
        head_a.cmp(head_b).then_with(|| {
            match (tail_a.split_at_checked(KEY_TAG), tail_b.split_at_checked(KEY_TAG)) {
                (Some(a), Some(b)) => self.compare_tails(a, b),
                // Shorter ones are no sealed keys: nothing at all, as a rule.
                (a, b) => a.is_some().cmp(&b.is_some()).then_with(|| tail_a.cmp(tail_b)),
            }
        })
    }

    fn compare_tails(&self, a: (&[u8], &[u8]), b: (&[u8], &[u8])) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let (mut at_a, mut at_b) = (siv::start(a.0, &[]), siv::start(b.0, &[]));
        let (mut blocks_a, mut blocks_b) = (a.1.chunks(TAG), b.1.chunks(TAG));
        loop {
            match (blocks_a.next(), blocks_b.next()) {
                (Some(block_a), Some(block_b)) => {
                    let [pad_a, pad_b] = self.keys.pads([at_a, at_b]);
                    let plain_a = block_a.iter().zip(pad_a).map(|(byte, pad)| byte ^ pad);
                    let plain_b = block_b.iter().zip(pad_b).map(|(byte, pad)| byte ^ pad);
                    let order = plain_a.cmp(plain_b);
                    if order != Ordering::Equal {
                        return order;
                    }
                    (at_a, at_b) = (at_a.wrapping_add(1), at_b.wrapping_add(1));
                }
                (None, None) => break,
                (a, b) => return a.is_some().cmp(&b.is_some()),
            }
        }
        // The same plain key, differently sealed: nobody who has the key made one of the two.
        a.cmp(&b)
    }

    /// A key as it is stored.
    #[must_use]
    pub fn seal_key(&self, key: &[u8]) -> Vec<u8> {
        let (head, tail) = key.split_at(self.head(key));
        let mut stored = Vec::with_capacity(key.len() + KEY_TAG);
        stored.extend_from_slice(head);
        if !tail.is_empty() {
            self.keys.seal(head, tail, KEY_TAG, &[], &mut stored);
        }
        stored
    }

    /// Puts the plain key of a stored one into `out`.
    pub fn open_key(&self, stored: &[u8], out: &mut Vec<u8>) {
        out.clear();
        let (head, tail) = stored.split_at(self.head(stored));
        out.extend_from_slice(head);
        match tail.split_at_checked(KEY_TAG) {
            Some((tag, text)) => {
                out.extend_from_slice(text);
                self.keys.apply(siv::start(tag, &[]), &mut out[head.len()..]);
            }
            None => out.extend_from_slice(tail),
        }
    }

    /// What a small value's tag is made longer with: its key's tag.
    fn salt<'k>(&self, stored_key: &'k [u8]) -> Option<&'k [u8]> {
        let tail = stored_key.get(self.head(stored_key)..)?;
        tail.get(..TAG - SMALL_TAG).filter(|_| tail.len() >= KEY_TAG)
    }

    /// A value as it is stored with a stored key.
    #[must_use]
    pub fn seal_value(&self, stored_key: &[u8], value: &[u8]) -> Vec<u8> {
        match &self.values {
            SealedValues::Small(siv) => {
                let mut stored = Vec::with_capacity(TAG + value.len());
                match self.salt(stored_key) {
                    Some(salt) => siv.seal(stored_key, value, SMALL_TAG, salt, &mut stored),
                    None => siv.seal(stored_key, value, TAG, &[], &mut stored),
                }
                stored
            }
            SealedValues::Whole(generations) => {
                let Some((generation, siv)) = generations.first() else { return Vec::new() };
                let compressed = self.compression.as_ref().map(|c| c.compress(value));
                let text = compressed.as_deref().unwrap_or(value);
                let mut stored = Vec::with_capacity(1 + TAG + text.len());
                stored.push(*generation);
                siv.seal(stored_key, text, TAG, &[], &mut stored);
                stored
            }
        }
    }

    /// The value stored with a stored key; what is wrong if it is not what was sealed with it.
    ///
    /// # Errors
    /// If it is another's, or changed.
    pub fn open_value(&self, stored_key: &[u8], stored: &[u8]) -> Result<Vec<u8>, &'static str> {
        let other = "a value is not what was sealed with its key";
        match &self.values {
            SealedValues::Small(siv) => match self.salt(stored_key) {
                Some(salt) => siv.open(stored_key, stored, SMALL_TAG, salt),
                None => siv.open(stored_key, stored, TAG, &[]),
            }
            .ok_or(other),
            SealedValues::Whole(generations) => {
                let (generation, sealed) = stored.split_first().ok_or(other)?;
                let (_, siv) = generations
                    .iter()
                    .find(|(known, _)| known == generation)
                    .ok_or("a value was sealed with a value key that is not in KEYS")?;
                let text = siv.open(stored_key, sealed, TAG, &[]).ok_or(other)?;
                match &self.compression {
                    Some(compression) => compression.decompress(&text),
                    None => Ok(text),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data_keys::DataKeys;
    use crate::key::Key;

    fn table(keys: Keys, values: Values) -> Table {
        let folder = tempfile::tempdir().unwrap();
        let keys_of = DataKeys::of(folder.path(), Some(&Key::fresh().unwrap()), true).unwrap().unwrap();
        keys_of.table(&Layout { name: "test", keys, values })
    }

    /// Keys that share beginnings of all lengths.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        (proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..4), 0usize..50)
            .prop_map(|(end, shared)| [vec![b'i'; shared], end].concat())
    }

    proptest! {
        #[test]
        fn stored_keys_are_in_the_order_of_plain_ones(a in key(), b in key()) {
            for form in [Keys::After(2), Keys::After(0), Keys::Some(b"i"), Keys::Clear] {
                let table = table(form, Values::Small);
                let (stored_a, stored_b) = (table.seal_key(&a), table.seal_key(&b));
                prop_assert_eq!(table.compare(&stored_a, &stored_b), a.cmp(&b));
                prop_assert_eq!(table.compare(&stored_b, &stored_a), b.cmp(&a));
                let mut plain = Vec::new();
                table.open_key(&stored_a, &mut plain);
                prop_assert_eq!(&plain, &a);
                prop_assert_eq!(stored_a == stored_b, a == b);
            }
        }

        #[test]
        fn any_stored_bytes_have_one_order(a in key(), b in key(), c in key()) {
            // Whatever lies in a file: as if it were stored, not as if it were plain.
            let table = table(Keys::After(2), Values::Small);
            prop_assert_eq!(table.compare(&a, &b), table.compare(&b, &a).reverse());
            let mut all = [a, b, c];
            all.sort_by(|x, y| table.compare(x, y));
            prop_assert!(table.compare(&all[0], &all[2]) != Ordering::Greater);
        }

        #[test]
        fn values_belong_to_their_keys(key in key(), other in key(), value in proptest::collection::vec(any::<u8>(), 0..200), flip: u8) {
            for values in [Values::Small, Values::Whole(0), Values::Whole(1 << 10)] {
                for form in [Keys::After(2), Keys::Clear] {
                    let table = table(form, values);
                    let stored_key = table.seal_key(&key);
                    let stored = table.seal_value(&stored_key, &value);
                    let opened = table.open_value(&stored_key, &stored);
                    prop_assert_eq!(opened.as_ref(), Ok(&value));
                    prop_assert!(key == other || table.open_value(&table.seal_key(&other), &stored).is_err());
                    let mut changed = stored.clone();
                    let at = usize::from(flip) % stored.len();
                    changed[at] ^= 1;
                    prop_assert!(table.open_value(&stored_key, &changed).is_err());
                    prop_assert!(table.open_value(&stored_key, &stored[..at]).is_err());
                }
            }
        }
    }

    #[test]
    fn nothing_of_a_key_or_value_can_be_read() {
        let table = table(Keys::After(2), Values::Small);
        let stored = table.seal_key(b"\x01\x02Yamada Hanako");
        assert!(stored.starts_with(b"\x01\x02") && !stored.windows(6).any(|w| w == b"Yamada"));
        let value = table.seal_value(&stored, b"Yamada Hanako");
        assert!(!value.windows(6).any(|w| w == b"Yamada") && value.len() == 8 + 13);
    }
}
