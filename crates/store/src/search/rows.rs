//! The entries of candidates, by seat.

use sealing::Cursor;

use super::{Failure, Searcher};
use crate::engine::Family;
use crate::layout::rows::{self, Rows};
use crate::numbers::{Place, Seat, descending_bytes};

/// Reads one version's entries after another with one iterator, since candidates often are neighbours.
pub(super) struct RowsReader<'v> {
    iterator: Cursor<'v>,
    key: Vec<u8>,
}

impl<'v> Searcher<'v> {
    /// Passes the entries of the version of a resource that holds at the search's place, and the version's own place,
    /// to `look`. `None` if there is none (the resource exists at the place, as its row says, so there is one).
    pub(super) fn with_rows<T>(
        &self,
        seat: Seat,
        type_number: u8,
        look: impl FnOnce(Rows<'_>, Place) -> T,
    ) -> Result<Option<T>, Failure> {
        let mut slot = self.rows.borrow_mut();
        let reader = slot.get_or_insert_with(|| RowsReader {
            iterator: self.view.range(Family::Rows, &[], &[0xff; 16]),
            key: Vec::with_capacity(32),
        });
        self.budget.take()?;
        reader.key.clear();
        reader.key.extend_from_slice(&rows::prefix(seat, type_number));
        let prefix = reader.key.len();
        reader.key.extend_from_slice(&descending_bytes(self.at));
        reader.iterator.seek(&reader.key);
        match reader.iterator.item() {
            Some((key, value)) if key.starts_with(&reader.key[..prefix]) => {
                Ok(Some(look(Rows(value), rows::read_place(key))))
            }
            Some(_) => Ok(None),
            None => {
                reader.iterator.status()?;
                Ok(None)
            }
        }
    }
}
