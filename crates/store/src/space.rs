//! Room on the disk.
//!
//! The engine does not go on after a write that failed for want of room, so that a commit is refused while there still
//! is enough for what it has already taken to be written out and merged. Once there is room again, commits are taken
//! again.

use std::path::{Path, PathBuf};

/// Kept free on a large disk; on a small one, a twentieth of it.
const RESERVE: u64 = 256 << 20;
const LEAST: u64 = 1 << 20;
/// With so much free, nothing more is asked.
const AMPLE: u64 = 4 << 30;

/// The disk of a data directory.
pub(crate) struct Disk {
    path: PathBuf,
}

impl Disk {
    pub(crate) fn of(path: &Path) -> Disk {
        Disk { path: path.to_owned() }
    }

    /// Whether there is room for a further commit beside what is held in memory, which has yet to be written out; if
    /// the system does not say, there is.
    pub(crate) fn has_room(&self, held: impl FnOnce() -> u64) -> bool {
        let Ok(status) = rustix::fs::statvfs(&self.path) else { return true };
        let (all, free) = (status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize);
        free >= AMPLE || free >= reserve(all) + held()
    }
}

fn reserve(all: u64) -> u64 {
    (all / 20).clamp(LEAST, RESERVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_in_proportion() {
        assert_eq!(reserve(1 << 40), RESERVE);
        assert_eq!(reserve(1 << 20), LEAST);
        assert_eq!(reserve(2 << 30), (2 << 30) / 20);
        assert!(Disk::of(Path::new("/nowhere")).has_room(|| 0));
    }
}
