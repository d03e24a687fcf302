//! URIs: equal byte for byte.

use super::{Scan, Test};
use crate::key::{cut, uri};

/// A URI.
#[derive(Clone, Debug)]
pub struct UriTest(String);

impl UriTest {
    pub(super) fn consume<'k>(&self, key: &'k [u8], extra: &[u8]) -> Option<(bool, &'k [u8])> {
        let (found, rest) = uri::read(key)?;
        let whole = if extra.is_empty() { found } else { extra };
        Some((whole == self.0.as_bytes(), rest))
    }
}

pub(super) fn link(text: &str) -> (Test, Vec<Scan>) {
    let mut key = cut(text).as_bytes().to_vec();
    key.push(0);
    (Test::Uri(UriTest(text.to_owned())), vec![Scan::one(key)])
}
