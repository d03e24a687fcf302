//! What is remembered of persons between searches: with whom they are linked, and the Consents in their record.
//!
//! Every restricted row asks both of its person, and both change seldom. What is remembered was read at some place and is
//! good at every place from the last change on; the fold notes a change before anyone can see it. It is read from the
//! index where it is not remembered, so that forgetting costs time and nothing else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use crate::numbers::{PackedId, Place, ResourceNumber};

/// More persons than this are not remembered; the memory begins anew.
const REMEMBERED: usize = 200_000;
/// Nor more bytes of Consents than this.
const REMEMBERED_BYTES: usize = 32 << 20;
/// More persons whose Consents changed are not told apart.
const CHANGED: usize = 100_000;

/// A Consent in a person's record.
#[derive(Debug)]
pub(crate) struct StoredConsent {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) text: String,
}

pub(crate) type StoredConsents = Arc<[StoredConsent]>;

#[derive(Debug, Default)]
struct Known<T> {
    /// The place it was read at, and what was read.
    of: FxHashMap<ResourceNumber, (Place, T)>,
    bytes: usize,
}

impl<T: Clone> Known<T> {
    fn get(&self, person: ResourceNumber, changed: Place) -> Option<T> {
        let (place, known) = self.of.get(&person)?;
        (*place >= changed).then(|| known.clone())
    }

    fn insert(&mut self, person: ResourceNumber, place: Place, known: T, bytes: usize) {
        if self.of.len() >= REMEMBERED || self.bytes + bytes > REMEMBERED_BYTES {
            *self = Known { of: FxHashMap::default(), bytes: 0 };
        }
        // What was replaced is counted until the memory begins anew.
        self.bytes += bytes;
        match self.of.get(&person) {
            Some((newer, _)) if *newer > place => {}
            _ => {
                self.of.insert(person, (place, known));
            }
        }
    }
}

#[derive(Debug, Default)]
struct Changes {
    /// Persons whose Consents changed, and where last.
    of: FxHashMap<ResourceNumber, Place>,
    /// Everyone else's did by here.
    others: Place,
}

#[derive(Debug, Default)]
struct Memory {
    linked: RwLock<Known<Arc<[ResourceNumber]>>>,
    consents: RwLock<Known<StoredConsents>>,
    /// Where links changed last.
    links_changed: AtomicU64,
    consents_changed: RwLock<Changes>,
    numbers: RwLock<FxHashMap<(u8, PackedId), ResourceNumber>>,
}

/// The memory of a store, shared by its fold and its readers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Persons(Arc<Memory>);

impl Persons {
    /// With whom a person was linked at a place, itself first, if that is remembered.
    pub(super) fn linked(&self, person: ResourceNumber, at: Place) -> Option<Arc<[ResourceNumber]>> {
        let changed = Place(self.0.links_changed.load(Ordering::Acquire));
        if at < changed {
            return None;
        }
        self.0.linked.read().unwrap_or_else(PoisonError::into_inner).get(person, changed)
    }

    pub(super) fn remember_linked(&self, person: ResourceNumber, at: Place, linked: Arc<[ResourceNumber]>) {
        let mut known = self.0.linked.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(person, at, linked, 0);
    }

    /// The Consents in a Patient's own record at a place, if they are remembered.
    pub(super) fn consents(&self, patient: ResourceNumber, at: Place) -> Option<StoredConsents> {
        let changed = {
            let changes = self.0.consents_changed.read().unwrap_or_else(PoisonError::into_inner);
            changes.of.get(&patient).copied().unwrap_or(changes.others)
        };
        if at < changed {
            return None;
        }
        self.0.consents.read().unwrap_or_else(PoisonError::into_inner).get(patient, changed)
    }

    pub(super) fn remember_consents(&self, patient: ResourceNumber, at: Place, consents: StoredConsents) {
        let bytes = consents.iter().map(|c| c.id.len() + c.text.len()).sum();
        let mut known = self.0.consents.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(patient, at, consents, bytes);
    }

    /// The number of a person, an organisation, of whatever restrictions name.
    pub(super) fn number(&self, type_number: u8, id: &PackedId) -> Option<ResourceNumber> {
        let numbers = self.0.numbers.read().unwrap_or_else(PoisonError::into_inner);
        numbers.get(&(type_number, id.clone())).copied()
    }

    pub(super) fn remember_number(&self, type_number: u8, id: PackedId, number: ResourceNumber) {
        let mut numbers = self.0.numbers.write().unwrap_or_else(PoisonError::into_inner);
        if numbers.len() >= REMEMBERED {
            numbers.clear();
        }
        numbers.insert((type_number, id), number);
    }

    /// Links of Patients change at this place.
    pub(crate) fn links_change(&self, place: Place) {
        self.0.links_changed.fetch_max(place.0, Ordering::AcqRel);
    }

    /// The Consents of a person change at this place.
    pub(crate) fn consents_change(&self, person: ResourceNumber, place: Place) {
        let mut changes = self.0.consents_changed.write().unwrap_or_else(PoisonError::into_inner);
        if changes.of.len() >= CHANGED {
            changes.others = changes.of.values().copied().max().unwrap_or_default().max(changes.others);
            changes.of.clear();
        }
        changes.of.insert(person, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: ResourceNumber = ResourceNumber(7);

    fn linked(numbers: &[u64]) -> Arc<[ResourceNumber]> {
        numbers.iter().map(|n| ResourceNumber(*n)).collect()
    }

    #[test]
    fn what_was_read_before_a_change_is_not_said_after_it() {
        let persons = Persons::default();
        persons.remember_linked(PERSON, Place(5), linked(&[7]));
        assert_eq!(persons.linked(PERSON, Place(9)), Some(linked(&[7])));
        persons.links_change(Place(10));
        assert_eq!(persons.linked(PERSON, Place(10)), None);
        // Who still reads the state before neither asks nor harms those after.
        persons.remember_linked(PERSON, Place(10), linked(&[7, 8]));
        assert_eq!(persons.linked(PERSON, Place(9)), None);
        persons.remember_linked(PERSON, Place(9), linked(&[7]));
        assert_eq!(persons.linked(PERSON, Place(11)), Some(linked(&[7, 8])));
    }

    #[test]
    fn a_persons_consents_change_alone_until_there_are_too_many() {
        let persons = Persons::default();
        let none: StoredConsents = Arc::new([]);
        let other = ResourceNumber(8);
        for person in [PERSON, other] {
            persons.remember_consents(person, Place(5), Arc::clone(&none));
        }
        persons.consents_change(PERSON, Place(6));
        assert!(persons.consents(PERSON, Place(6)).is_none());
        assert!(persons.consents(other, Place(6)).is_some());
        for number in 0..=CHANGED as u64 {
            persons.consents_change(ResourceNumber(1000 + number), Place(7));
        }
        assert!(persons.consents(other, Place(7)).is_none());
    }
}
