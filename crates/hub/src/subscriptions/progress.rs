//! What lies in the folder `subscriptions` beside the data: working state, outside history.
//!
//! | file | what |
//! |---|---|
//! | `position` | the last entry of the log that was held against the subscriptions |
//! | `s-ID/events` | the subscription's events ([`super::events`]) |
//! | `s-ID/progress.json` | what the subscriber has confirmed, and how often it failed to |
//!
//! A file that is replaced is written beside the old one, synced and renamed: there is the old one or the new one. What
//! was confirmed is kept after it was, never before: between the two a crash leads to the same notification again, with
//! the same event number.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use store::Place;

use super::events::{Event, Events};

/// How far a subscriber has come.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    /// The number of the last event it confirmed.
    pub(crate) confirmed: u64,
    /// How often in a row it did not.
    pub(crate) failures: u32,
    /// Whether the handshake is done.
    pub(crate) is_greeted: bool,
}

/// Replaces a file.
fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(unfinished, path)
}

fn read(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Opens it, making it if there is none.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn open(path: PathBuf) -> std::io::Result<Folder> {
        std::fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    /// The folder of one subscription. An id may be `..`, a name that begins with `s-` is always a name.
    fn of(&self, id: &str) -> PathBuf {
        self.0.join(format!("s-{id}"))
    }

    /// Where the events of a subscription lie.
    ///
    /// # Errors
    /// If its folder cannot be made.
    pub(crate) fn events(&self, id: &str) -> std::io::Result<PathBuf> {
        let folder = self.of(id);
        std::fs::create_dir_all(&folder)?;
        Ok(folder.join("events"))
    }

    /// Forgets what lies there of any subscription.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(crate) fn clear(&self) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("s-") {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// How many events of a subscription lie there.
    pub(crate) fn count(&self, id: &str) -> u64 {
        std::fs::metadata(self.of(id).join("events")).map_or(0, |m| m.len() / super::events::RECORD)
    }

    /// Events of a subscription that is not served.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn range(&self, id: &str, from: u64, to: u64) -> std::io::Result<Vec<Event>> {
        Events::look(&self.of(id).join("events"))?.range(from, to)
    }

    /// The position of the feed; none if it was never kept, or does not read.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn position(&self) -> std::io::Result<Option<Place>> {
        let bytes = read(&self.0.join("position"))?;
        Ok(bytes.and_then(|b| std::str::from_utf8(&b).ok()?.trim().parse().ok()).map(Place))
    }

    /// Keeps the position of the feed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn keep_position(&self, place: Place) -> std::io::Result<()> {
        keep(&self.0.join("position"), format!("{}\n", place.0).as_bytes())
    }

    /// How far a subscriber has come.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn progress(&self, id: &str) -> std::io::Result<Progress> {
        let bytes = read(&self.of(id).join("progress.json"))?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Keeps how far a subscriber has come.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn keep_progress(&self, id: &str, progress: &Progress) -> std::io::Result<()> {
        keep(&self.of(id).join("progress.json"), &serde_json::to_vec(progress)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = Folder::open(folder.path().join("subscriptions")).unwrap();
        assert_eq!(state.position().unwrap(), None);
        state.keep_position(Place(17)).unwrap();
        assert_eq!(state.position().unwrap(), Some(Place(17)));
        // The most awkward id there is stays within the folder.
        assert!(state.events("..").unwrap().starts_with(folder.path().join("subscriptions").join("s-..")));
        assert_eq!(state.progress("..").unwrap(), Progress::default());
        let progress = Progress { confirmed: 4, failures: 1, is_greeted: true };
        state.keep_progress("..", &progress).unwrap();
        assert_eq!(state.progress("..").unwrap(), progress);
    }
}
