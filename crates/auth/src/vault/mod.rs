//! Where secrets live: users' password hashes, clients, tokens' hashes, sessions, signing keys.
//!
//! They are no resources: never in history, as-of, exports or backups of the log. The trait is small, so that a cluster
//! can give it another home: reading one, reading a range, and one way to change, which is a batch under conditions.
//!
//! | key | what it is |
//! |---|---|
//! | `user/ID`, `login/NAME` | a user; the id of a login name |
//! | `client/ID` | a client |
//! | `passkey/HASH`, `of-user/ID/passkey/HASH` | a passkey by its credential's hash; a user's passkeys |
//! | `challenge/HASH` | a challenge that was used: a passkey's, or of a sign-in elsewhere |
//! | `link/HASH`, `of-user/ID/link/HASH` | an account elsewhere that is a user's; a user's |
//! | `session/HASH`, `of-user/ID/session/SESSION` | a session by its cookie's hash; a user's sessions |
//! | `grant/ID`, `of-user/ID/grant/GRANT` | what a user (or a client for itself) allowed; a user's grants |
//! | `code/HASH`, `token/HASH`, `refresh/HASH` | what was given out of a grant |
//! | `launch/HASH`, `half/HASH`, `invitation/HASH` | a launch from a record; half a sign-in; a link for one use |
//! | `jti/CLIENT/HASH` | an assertion that was used |
//! | `key/KID` | a signing key |

mod disk;
mod memory;

pub use disk::DiskVault;
pub use memory::MemoryVault;

use std::fmt;

/// A value and when it ends, in seconds since 1970.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// The value.
    pub value: Vec<u8>,
    /// From this second on it is gone.
    pub expires: Option<u64>,
}

impl Kept {
    /// Whether it is still there.
    #[must_use]
    pub fn is_alive(&self, now: u64) -> bool {
        self.expires.is_none_or(|at| at > now)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} bytes, expires {:?})", self.value.len(), self.expires)
    }
}

/// What must be so for a change to be made.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The key.
    pub key: String,
    /// Its value now; none if there is nothing.
    pub value: Option<Vec<u8>>,
}

/// A change.
#[derive(Clone, Debug)]
pub enum Change {
    /// Keeps a value.
    Put(String, Kept),
    /// Forgets a key.
    Delete(String),
}

/// Why a vault did not answer. The text names no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultError {
    /// Another process has it open.
    Busy(String),
    /// Others than its owner can read it.
    Exposed(String),
    /// The engine or the disk failed.
    Failed(String),
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VaultError::Busy(text) | VaultError::Exposed(text) | VaultError::Failed(text) => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for VaultError {}

/// A home of secrets. What has expired is not there.
pub trait Vault: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// If the vault fails.
    fn get(&self, key: &str, now: u64) -> Result<Option<Kept>, VaultError>;

    /// The keys that begin so, in order, `most` at most.
    ///
    /// # Errors
    /// If the vault fails.
    fn scan(&self, prefix: &str, most: usize, now: u64) -> Result<Vec<(String, Kept)>, VaultError>;

    /// Makes all changes, durably and at once, if all conditions hold; whether it did.
    ///
    /// # Errors
    /// If the vault fails; then none is made.
    fn change(&self, conditions: &[Condition], changes: &[Change], now: u64) -> Result<bool, VaultError>;

    /// Removes what has expired; how many.
    ///
    /// # Errors
    /// If the vault fails.
    fn sweep(&self, now: u64) -> Result<usize, VaultError>;

    /// Makes what was forgotten go from wherever it was kept.
    ///
    /// # Errors
    /// If the vault fails.
    fn scrub(&self) -> Result<(), VaultError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, value: &str, expires: Option<u64>) -> Change {
        Change::Put(key.to_owned(), Kept { value: value.as_bytes().to_vec(), expires })
    }

    fn when(key: &str, value: Option<&str>) -> Condition {
        Condition { key: key.to_owned(), value: value.map(|v| v.as_bytes().to_vec()) }
    }

    fn behaves(vault: &dyn Vault) {
        assert!(
            vault
                .change(&[when("a/1", None)], &[put("a/1", "x", None), put("a/2", "y", Some(10))], 5)
                .unwrap()
        );
        assert!(!vault.change(&[when("a/1", None)], &[put("a/3", "z", None)], 5).unwrap());
        assert!(vault.get("a/3", 5).unwrap().is_none());
        assert_eq!(vault.scan("a/", 9, 5).unwrap().len(), 2);
        assert_eq!(vault.scan("a/", 1, 5).unwrap().len(), 1);
        assert_eq!(vault.scan("a", 9, 10).unwrap().len(), 1);
        assert!(vault.get("a/2", 10).unwrap().is_none() && vault.get("a/2", 9).unwrap().is_some());
        // What has expired counts as absent.
        assert!(
            vault
                .change(&[when("a/2", None), when("a/1", Some("x"))], &[put("a/2", "w", Some(20))], 10)
                .unwrap()
        );
        assert_eq!(vault.sweep(20).unwrap(), 1);
        assert!(vault.change(&[when("a/1", Some("x"))], &[Change::Delete("a/1".to_owned())], 20).unwrap());
        assert!(vault.scan("", 9, 0).unwrap().is_empty());
    }

    #[test]
    fn both_homes_behave_the_same() {
        behaves(&MemoryVault::default());
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("auth");
        behaves(&DiskVault::open(&place).unwrap());
        let (data, key) = (folder.path().join("data"), sealing::Key::fresh().unwrap());
        std::fs::create_dir(&data).unwrap();
        let keys = sealing::DataKeys::of(&data, Some(&key), true).unwrap();
        behaves(&DiskVault::open_sealed(&data.join("auth"), keys.as_ref()).unwrap());
        // It lasts.
        let vault = DiskVault::open(&place).unwrap();
        vault.change(&[], &[put("k", "v", None)], 0).unwrap();
        drop(vault);
        assert_eq!(DiskVault::open(&place).unwrap().get("k", 0).unwrap().unwrap().value, b"v");
    }

    #[test]
    fn a_vault_that_others_can_read_is_not_opened() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("auth");
        let vault = DiskVault::open(&place).unwrap();
        assert!(matches!(DiskVault::open(&place), Err(VaultError::Busy(_))));
        drop(vault);
        assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o750)).unwrap();
        let error = DiskVault::open(&place).map(|_| ()).unwrap_err();
        assert!(matches!(error, VaultError::Exposed(_)) && error.to_string().contains("chmod"), "{error}");
    }

    #[test]
    fn of_many_at_once_one_changes() {
        let vault = MemoryVault::default();
        let won = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| vault.change(&[when("k", None)], &[put("k", "v", None)], 0).unwrap()))
                .collect();
            tries.into_iter().filter(|_| true).map(|t| t.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }
}
