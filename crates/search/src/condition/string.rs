//! Texts.

use super::{Scan, Test};
use crate::key::{cut, string};
use crate::normalize::normalize;

/// A text, and how it is compared.
#[derive(Clone, Debug)]
pub struct StringTest {
    normal: String,
    written: String,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    StartsWith,
    Contains,
    Exactly,
}

impl StringTest {
    pub(super) fn consume<'k>(&self, key: &'k [u8], extra: &[u8]) -> Option<(bool, &'k [u8])> {
        let (normal, rest) = string::read(key)?;
        let written = || if extra.is_empty() { normal } else { extra };
        let wanted = self.normal.as_bytes();
        let passes = match self.how {
            How::Exactly => written() == self.written.as_bytes(),
            How::StartsWith if wanted.len() <= normal.len() => normal.starts_with(wanted),
            How::Contains if contains(normal, wanted) => true,
            // The key may hold only the beginning of a long text.
            _ if extra.len() > normal.len() => std::str::from_utf8(extra).is_ok_and(|text| {
                let whole = normalize(text);
                if self.how == How::Contains {
                    whole.contains(&self.normal)
                } else {
                    whole.starts_with(&self.normal)
                }
            }),
            _ => false,
        };
        Some((passes, rest))
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|w| w == part)
}

fn test(text: &str, how: How) -> (Test, String) {
    let normal = normalize(text);
    (Test::String(StringTest { normal: normal.clone(), written: text.to_owned(), how }), normal)
}

/// Texts that begin with this one.
pub(super) fn starts_with(text: &str) -> (Test, Vec<Scan>) {
    let (test, normal) = test(text, How::StartsWith);
    (test, vec![Scan::prefix(cut(&normal).as_bytes().to_vec())])
}

/// This text and no other.
pub(super) fn exactly(text: &str) -> (Test, Vec<Scan>) {
    let (test, normal) = test(text, How::Exactly);
    let mut key = cut(&normal).as_bytes().to_vec();
    key.push(0);
    (test, vec![Scan::one(key)])
}

/// Texts that contain this one.
pub(super) fn contains_text(text: &str) -> (Test, Vec<Scan>) {
    (test(text, How::Contains).0, vec![Scan::all()])
}
