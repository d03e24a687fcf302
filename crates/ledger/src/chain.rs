//! The chain: what makes a record that was changed, taken away or put in show.
//!
//! A record's link is the BLAKE3 hash, keyed with the ledger's key, of the link before, the record's number and its bytes.
//! The first record's link before is 32 zeros. Whoever has no key cannot make a chain that proves.

/// Bytes of a link.
pub const LINK_BYTES: usize = 32;

/// What a record is chained by.
pub type Link = [u8; LINK_BYTES];

/// The ledger's key.
pub type Key = [u8; 32];

/// Before the first record.
pub const BEGINNING: Link = [0; LINK_BYTES];

/// The link of a record.
#[must_use]
pub fn link(key: &Key, before: &Link, sequence: u64, bytes: &[u8]) -> Link {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(before);
    hasher.update(&sequence.to_be_bytes());
    hasher.update(bytes);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_counts() {
        let (key, first) = ([7; 32], link(&[7; 32], &BEGINNING, 1, b"one"));
        assert_eq!(first, link(&key, &BEGINNING, 1, b"one"));
        assert!(
            [
                link(&[8; 32], &BEGINNING, 1, b"one"),
                link(&key, &[1; 32], 1, b"one"),
                link(&key, &BEGINNING, 2, b"one"),
                link(&key, &BEGINNING, 1, b"two"),
            ]
            .iter()
            .all(|other| *other != first)
        );
    }
}
