//! What is remembered of memberships between searches: whether some row of a value lies with a person.
//!
//! Every restricted row asks whether its person is cared for where the one who asks works. The first such row is
//! remembered as the witness, and stays one until the fold says that just this row goes; that there is none holds until
//! one comes. Only the parameters somebody asked for are watched.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use crate::numbers::{NUMBER_BYTES, Place, ResourceNumber, SEAT_BYTES, Seat};

/// More pairs of a value and a person than this are not remembered; the memory begins anew.
const REMEMBERED: usize = 100_000;
/// A bit for each parameter of each type.
const WATCHED: usize = 256 * 256 / 64;

#[derive(Debug, Default)]
struct Known {
    /// Where the answer changed last, as far as that was noted.
    changed: Place,
    /// Where it was read, and the first row's resource, if there is a row.
    read: Option<(Place, Option<ResourceNumber>)>,
}

#[derive(Debug, Default)]
struct Memory {
    /// By a row's key without its resource.
    of: FxHashMap<Box<[u8]>, Known>,
    /// What is not noted changed by here.
    others: Place,
}

#[derive(Debug)]
struct Shared {
    memory: RwLock<Memory>,
    watched: Box<[AtomicU64]>,
    /// The last place the fold began.
    place: AtomicU64,
}

/// The memory of a store, shared by its fold and its readers.
#[derive(Clone, Debug)]
pub(crate) struct Members(Arc<Shared>);

impl Default for Members {
    fn default() -> Members {
        let watched = (0..WATCHED).map(|_| AtomicU64::new(0)).collect();
        Members(Arc::new(Shared { memory: RwLock::default(), watched, place: AtomicU64::new(0) }))
    }
}

/// Where the bit of a parameter is, by the beginning of a row's key.
fn bit(key: &[u8]) -> Option<(usize, u64)> {
    let [type_number, parameter, ..] = *key else { return None };
    let at = usize::from(type_number) * 256 + usize::from(parameter);
    Some((at / 64, 1 << (at % 64)))
}

impl Members {
    /// From now on the rows of this prefix's parameter are watched.
    pub(super) fn watch(&self, prefix: &[u8]) {
        let Some((word, bit)) = bit(prefix) else { return };
        let Some(word) = self.0.watched.get(word) else { return };
        if word.load(Ordering::SeqCst) & bit != 0 {
            return;
        }
        let mut memory = self.0.memory.write().unwrap_or_else(PoisonError::into_inner);
        word.fetch_or(bit, Ordering::SeqCst);
        // What is under way may have passed by this parameter already: what was read before it is not remembered.
        memory.others = memory.others.max(Place(self.0.place.load(Ordering::SeqCst)));
    }

    /// Whether there was a row at a place, if that is remembered.
    pub(super) fn has_row(&self, key: &[u8], at: Place) -> Option<bool> {
        let memory = self.0.memory.read().unwrap_or_else(PoisonError::into_inner);
        let known = memory.of.get(key)?;
        let changed = known.changed.max(memory.others);
        let (read, witness) = known.read?;
        (read >= changed && at >= changed).then_some(witness.is_some())
    }

    pub(super) fn remember(&self, key: &[u8], at: Place, witness: Option<ResourceNumber>) {
        let mut memory = self.0.memory.write().unwrap_or_else(PoisonError::into_inner);
        if memory.of.len() >= REMEMBERED {
            memory.begin_anew();
        }
        let others = memory.others;
        let known = memory.of.entry(key.into()).or_default();
        let changed = known.changed.max(others);
        // A witness stays the one whose going is watched for.
        if at >= changed && known.read.is_none_or(|(read, _)| read < changed) {
            known.read = Some((at, witness));
        }
    }

    /// The fold begins what will be seen from this place on.
    pub(crate) fn begin(&self, place: Place) {
        self.0.place.fetch_max(place.0, Ordering::SeqCst);
    }

    /// A row comes or goes at this place.
    pub(crate) fn row_changes(&self, row: &[u8], is_there: bool, place: Place) {
        let Some((word, bit)) = bit(row) else { return };
        if self.0.watched.get(word).is_none_or(|word| word.load(Ordering::SeqCst) & bit == 0) {
            return;
        }
        let Some(seat) = row.len().checked_sub(SEAT_BYTES).and_then(|at| Seat::read(row.get(at..)?)) else {
            return;
        };
        let key = &row[..row.len() - NUMBER_BYTES];
        let mut memory = self.0.memory.write().unwrap_or_else(PoisonError::into_inner);
        if memory.of.len() >= REMEMBERED {
            memory.begin_anew();
        }
        let others = memory.others;
        let known = memory.of.entry(key.into()).or_default();
        let changed = known.changed.max(others);
        let stays = known.read.is_some_and(|(read, witness)| {
            read >= changed && witness.is_some_and(|witness| is_there || witness != seat.resource)
        });
        if !stays {
            known.changed = known.changed.max(place);
        }
    }
}

impl Memory {
    fn begin_anew(&mut self) {
        let last = self.of.values().map(|known| known.changed).max().unwrap_or_default();
        self.others = self.others.max(last);
        self.of.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: ResourceNumber = ResourceNumber(3);
    const SECOND: ResourceNumber = ResourceNumber(4);
    const PREFIX: &[u8] = &[5, 6, 1, 2];

    fn row(resource: ResourceNumber) -> Vec<u8> {
        [PREFIX, &Seat { person: ResourceNumber(9), resource }.bytes()].concat()
    }

    fn key() -> Vec<u8> {
        let row = row(FIRST);
        row[..row.len() - NUMBER_BYTES].to_vec()
    }

    fn watching() -> Members {
        let members = Members::default();
        members.watch(PREFIX);
        members
    }

    #[test]
    fn a_witness_is_one_until_it_goes() {
        let members = watching();
        members.remember(&key(), Place(5), Some(FIRST));
        members.row_changes(&row(SECOND), true, Place(6));
        members.row_changes(&row(SECOND), false, Place(7));
        assert_eq!(members.has_row(&key(), Place(7)), Some(true));
        // A slow reader does not replace whom the fold watches.
        members.remember(&key(), Place(6), Some(SECOND));
        members.row_changes(&row(FIRST), false, Place(8));
        assert_eq!(members.has_row(&key(), Place(8)), None);
        members.remember(&key(), Place(7), Some(FIRST));
        assert_eq!(members.has_row(&key(), Place(8)), None);
        members.remember(&key(), Place(8), None);
        assert_eq!(members.has_row(&key(), Place(8)), Some(false));
        // Who still reads the state before asks the index.
        assert_eq!(members.has_row(&key(), Place(7)), None);
    }

    #[test]
    fn that_there_is_none_holds_until_one_comes() {
        let members = watching();
        members.remember(&key(), Place(5), None);
        assert_eq!(members.has_row(&key(), Place(5)), Some(false));
        members.row_changes(&row(FIRST), true, Place(6));
        assert_eq!(members.has_row(&key(), Place(6)), None);
    }

    #[test]
    fn what_was_read_before_watching_began_is_not_remembered() {
        let members = Members::default();
        members.begin(Place(6));
        members.row_changes(&row(FIRST), true, Place(6));
        members.watch(PREFIX);
        members.remember(&key(), Place(5), None);
        assert_eq!(members.has_row(&key(), Place(6)), None);
        members.remember(&key(), Place(6), Some(FIRST));
        assert_eq!(members.has_row(&key(), Place(6)), Some(true));
    }

    #[test]
    fn beginning_anew_forgets_no_change() {
        let members = watching();
        members.row_changes(&row(FIRST), true, Place(6));
        for number in 0..=REMEMBERED as u64 {
            let seat = Seat { person: ResourceNumber(number + 100), resource: SECOND };
            members.row_changes(&[PREFIX, &seat.bytes()].concat(), true, Place(7));
        }
        members.remember(&key(), Place(5), None);
        assert_eq!(members.has_row(&key(), Place(9)), None);
    }
}
