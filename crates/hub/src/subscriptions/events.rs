//! The numbered events of one subscription: a file of places in the log.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | place of the entry |
//! | 4 | index of the command in it |
//! | 4 | 0 |
//!
//! Event n is record n - 1. Records are written in the log's order by one thread, and are what the log and the
//! subscription's versions in it say: a tail that was lost or torn is written again the same, so nothing waits for a
//! sync here. Only before the feed's position is kept, what lies before it is synced.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use store::Place;

/// Bytes of a record.
pub(super) const RECORD: u64 = 16;

/// An event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// The entry it is in.
    pub(crate) place: Place,
    /// Which of the entry's commands.
    pub(crate) index: u32,
}

/// The events of one subscription.
#[derive(Debug)]
pub(crate) struct Events {
    file: File,
    count: AtomicU64,
}

impl Events {
    /// The events of a subscription up to a place; what lies after it is forgotten, to be found again.
    ///
    /// # Errors
    /// If the file cannot be read or made.
    pub(crate) fn open(path: &Path, until: Place) -> std::io::Result<Events> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let events = Events { count: AtomicU64::new(file.metadata()?.len() / RECORD), file };
        let (mut low, mut high) = (0, events.count());
        while low < high {
            let middle = low + (high - low) / 2;
            if events.event(middle + 1)?.place <= until { low = middle + 1 } else { high = middle }
        }
        events.file.set_len(low * RECORD)?;
        events.count.store(low, Ordering::Release);
        Ok(events)
    }

    /// The events as they lie there, to be read only.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn look(path: &Path) -> std::io::Result<Events> {
        let file = File::open(path)?;
        Ok(Events { count: AtomicU64::new(file.metadata()?.len() / RECORD), file })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    fn event(&self, number: u64) -> std::io::Result<Event> {
        let mut record = [0; RECORD as usize];
        self.file.read_exact_at(&mut record, (number - 1) * RECORD)?;
        let (place, rest) = record.split_at(8);
        let number_of = |bytes: &[u8]| bytes.iter().fold(0, |sum: u64, b| sum << 8 | u64::from(*b));
        let index = u32::try_from(number_of(&rest[..4])).unwrap_or(u32::MAX);
        Ok(Event { number, place: Place(number_of(place)), index })
    }

    /// The last one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn last(&self) -> std::io::Result<Option<Event>> {
        let count = self.count();
        (count > 0).then(|| self.event(count)).transpose()
    }

    /// Adds one. Only the feed does.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn add(&self, place: Place, index: u32) -> std::io::Result<()> {
        let count = self.count();
        let mut record = [0; RECORD as usize];
        record[..8].copy_from_slice(&place.0.to_be_bytes());
        record[8..12].copy_from_slice(&index.to_be_bytes());
        self.file.write_all_at(&record, count * RECORD)?;
        self.count.store(count + 1, Ordering::Release);
        Ok(())
    }

    /// Those from one number to another, both included.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn range(&self, from: u64, to: u64) -> std::io::Result<Vec<Event>> {
        (from.max(1)..=to.min(self.count())).map(|number| self.event(number)).collect()
    }

    /// Brings them to the disk.
    ///
    /// # Errors
    /// If that fails.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_after_the_place_is_forgotten_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let events = Events::open(&path, Place(0)).unwrap();
        for place in [3, 3, 7, 9] {
            events.add(Place(place), 1).unwrap();
        }
        assert_eq!(events.count(), 4);
        drop(events);
        // A record that was cut off by the end of the machine.
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        let events = Events::open(&path, Place(7)).unwrap();
        assert_eq!(events.count(), 3);
        assert_eq!(events.range(3, 9).unwrap(), [Event { number: 3, place: Place(7), index: 1 }]);
        drop(events);
        let events = Events::open(&path, Place(6)).unwrap();
        assert_eq!(events.count(), 2);
        events.add(Place(8), 0).unwrap();
        assert_eq!(events.range(0, 3).unwrap()[2], Event { number: 3, place: Place(8), index: 0 });
        drop(events);
        assert_eq!(Events::open(&path, Place(2)).unwrap().count(), 0);
    }
}
