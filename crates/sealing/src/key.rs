//! The key: 32 bytes that open a data directory, kept outside it.
//!
//! As text: `yojigen-key-1:` and, in base64url without padding, the bytes and the first four of their SHA-256, so that a slip is
//! told from a wrong key. Empty lines and lines that begin with `#` say nothing. A key comes from a file that only its owner
//! can read, or from a command that prints it (a KMS, a TPM, a password store).

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::derive::derive;
use crate::error::Error;

const PREFIX: &str = "yojigen-key-1:";
const BYTES: usize = 32;
const CHECK: usize = 4;
/// A key's text is not longer.
const MAX_TEXT: u64 = 4096;

/// A key.
pub struct Key {
    bytes: [u8; BYTES],
    /// Where it was read from.
    file: Option<PathBuf>,
}

impl Key {
    /// A key nobody knows.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn fresh() -> Result<Key, Error> {
        Ok(Key { bytes: random()?, file: None })
    }

    /// The key of a file.
    ///
    /// # Errors
    /// A file that others can read, or that holds no key.
    pub fn from_file(path: &Path) -> Result<Key, Error> {
        let cannot = |error: std::io::Error| Error::Key(format!("the key file {}: {error}", path.display()));
        let file = std::fs::File::open(path).map_err(cannot)?;
        let about = file.metadata().map_err(cannot)?;
        let mode = about.permissions().mode() & 0o777;
        if about.is_file() && mode & 0o077 != 0 {
            return Err(Error::Key(format!(
                "the key file {} can be read by others than its owner (mode {mode:o}): chmod 600 {}",
                path.display(),
                path.display()
            )));
        }
        let mut text = String::new();
        file.take(MAX_TEXT).read_to_string(&mut text).map_err(cannot)?;
        let bytes =
            read(&text).map_err(|why| Error::Key(format!("the key file {}: {why}", path.display())))?;
        Ok(Key { bytes, file: Some(path.canonicalize().map_err(cannot)?) })
    }

    /// The key a command prints.
    ///
    /// # Errors
    /// A command that fails, or prints no key.
    pub fn from_command(command: &str) -> Result<Key, Error> {
        let failed = |why: String| Error::Key(format!("the key command: {why}"));
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let mut text = String::new();
        let read_whole = match child.stdout.take() {
            Some(out) => out.take(MAX_TEXT).read_to_string(&mut text).map(drop),
            None => Ok(()),
        };
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        if !status.success() {
            return Err(failed(format!("it ended with {status}")));
        }
        read_whole.map_err(|error| failed(error.to_string()))?;
        Ok(Key { bytes: read(&text).map_err(|why| failed(why.to_owned()))?, file: None })
    }

    /// Writes it to a new file that only its owner can read.
    ///
    /// # Errors
    /// A file that exists, or cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        use std::io::Write as _;
        let text = format!(
            "# A key of Yojigen. Whoever has it reads what is sealed with it; without it nobody does. Keep a copy elsewhere.\n{}\n",
            self.text()
        );
        let write = || {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| Error::Key(format!("{}: {error}", path.display())))
    }

    fn text(&self) -> String {
        let check = digest(&SHA256, &self.bytes);
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&[&self.bytes, &check.as_ref()[..CHECK]].concat()))
    }

    /// What it is told by: nothing that helps to find it.
    #[must_use]
    pub fn id(&self) -> String {
        HEXLOWER.encode(&derive::<8>(&self.bytes, "yojigen: which key"))
    }

    /// The key that wraps others.
    pub(crate) fn wrapping(&self) -> [u8; 32] {
        derive(&self.bytes, "yojigen: wrapping")
    }

    /// Fails if the key's file lies in a folder.
    ///
    /// # Errors
    /// If it does.
    pub fn must_be_outside(&self, folder: &Path) -> Result<(), Error> {
        let (Some(file), Ok(inside)) = (&self.file, folder.canonicalize()) else { return Ok(()) };
        if !file.starts_with(&inside) {
            return Ok(());
        }
        Err(Error::Key(format!(
            "the key file {} lies in the data directory, where it protects nothing: whoever has the one has the other; move it elsewhere",
            file.display()
        )))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Key {}

/// Bytes nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Key("the system gives no random bytes".to_owned()))?;
    Ok(bytes)
}

fn read(text: &str) -> Result<[u8; BYTES], &'static str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err("it must hold one line with a key, as yojigen key new makes it");
    };
    let digits =
        line.strip_prefix(PREFIX).ok_or("a key begins with yojigen-key-1:; yojigen key new makes one")?;
    let damaged = "the key was not copied whole: its check does not fit";
    let found = BASE64URL_NOPAD.decode(digits.as_bytes()).map_err(|_| damaged)?;
    let (bytes, check) = found.split_first_chunk::<BYTES>().ok_or(damaged)?;
    if digest(&SHA256, bytes).as_ref().get(..CHECK) != Some(check) {
        return Err(damaged);
    }
    Ok(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_slips_are_told() {
        let key = Key::fresh().unwrap();
        let text = key.text();
        assert_eq!(read(&format!("# mine\n\n  {text}\n")), Ok(key.bytes));
        for at in PREFIX.len()..text.len() - 1 {
            let mut slip = text.clone().into_bytes();
            slip[at] = if slip[at] == b'A' { b'B' } else { b'A' };
            assert!(read(std::str::from_utf8(&slip).unwrap()).is_err(), "character {at}");
        }
        assert!(read("secret").unwrap_err().contains("yojigen key new"));
        assert!(read(&format!("{text}\n{text}")).is_err() && read("").is_err());
        assert!(!format!("{key:?}").contains(&text[PREFIX.len()..]));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_and_none_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = Key::fresh().unwrap();
        key.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Key::from_file(&path).unwrap(), key);
        assert!(key.write(&path).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = Key::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        let read = Key::from_file(&path).unwrap();
        assert!(read.must_be_outside(folder.path()).is_err());
        assert!(read.must_be_outside(&folder.path().join("elsewhere")).is_ok());
        let from_command = Key::from_command(&format!("cat '{}'", path.display())).unwrap();
        assert_eq!(from_command, key);
        assert!(Key::from_command("exit 3").is_err() && Key::from_command("echo no").is_err());
    }
}
