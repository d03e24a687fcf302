//! Entries that texts were taken out of, and the entries that answer for them.

use std::collections::BTreeMap;

use crate::layout::log::{CHAIN_BYTES, Content, Entry, Redaction};
use crate::numbers::Place;

/// Entries that texts were taken out of: each is what a later entry says it is.
#[derive(Default)]
pub(crate) struct Gaps {
    open: BTreeMap<Place, (Place, [u8; CHAIN_BYTES])>,
}

impl Gaps {
    /// Takes note of an entry; they come in order.
    pub(crate) fn meet(&mut self, place: Place, entry: &Entry) {
        if let Some(by) = entry.redacted_by {
            self.open.insert(place, (by, entry.redacted_hash()));
        }
        if let Content::Redaction(redactions) = &entry.content {
            for Redaction { place: of, hash, .. } in redactions {
                if self.open.get(of) == Some(&(place, *hash)) {
                    self.open.remove(of);
                }
            }
        }
    }

    /// What no entry answers for. A log that ends before such an entry is whole all the same.
    pub(crate) fn findings(self, last: Place) -> impl Iterator<Item = (Place, String)> {
        self.open.into_iter().filter(move |(_, (by, _))| *by <= last).map(|(place, (by, _))| {
            (place, format!("texts are missing from it, or more than entry {by} of the log says were erased"))
        })
    }
}
