//! Keys from keys: BLAKE3's mode for that, told apart by what they are for.

/// A key for one purpose.
pub(crate) fn derive<const N: usize>(from: &[u8], purpose: &str) -> [u8; N] {
    salted(&[], from, purpose)
}

/// A key for one purpose and one file.
pub(crate) fn salted<const N: usize>(salt: &[u8], from: &[u8], purpose: &str) -> [u8; N] {
    let mut key = [0; N];
    blake3::Hasher::new_derive_key(purpose).update(from).update(salt).finalize_xof().fill(&mut key);
    key
}
