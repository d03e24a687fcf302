//! Checksums of the small files the engine keeps beside its tables and does not check itself.
//!
//! The file `CHECKSUMS` has a line for each: BLAKE3 in hexadecimal, two spaces, the path. It is written whenever the
//! store has been opened, and read by `doctor` before it opens the store.

use std::fmt::Write as _;
use std::path::Path;

const FILE: &str = "CHECKSUMS";

/// Whether a file of the engine's folder is one that is written once and then only read.
fn is_covered(name: &str) -> bool {
    name == "IDENTITY" || name.starts_with("OPTIONS-") && !name.contains("dbtmp")
}

/// Writes the checksums of the files as they are.
pub(crate) fn write(path: &Path) -> std::io::Result<()> {
    let mut names = vec!["FORMAT".to_owned()];
    for entry in std::fs::read_dir(path.join("db"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if is_covered(&name) {
            names.push(format!("db/{name}"));
        }
    }
    names.sort_unstable();
    let mut text = String::new();
    for name in names {
        let hash = blake3::hash(&std::fs::read(path.join(&name))?);
        let _ = writeln!(text, "{}  {name}", hash.to_hex());
    }
    let unfinished = path.join("CHECKSUMS.new");
    std::fs::write(&unfinished, text)?;
    std::fs::rename(unfinished, path.join(FILE))
}

/// Files that are not as they were: which, and what is wrong.
pub(crate) fn verify(path: &Path) -> Vec<(String, String)> {
    let Ok(text) = std::fs::read_to_string(path.join(FILE)) else {
        return Vec::new(); // never opened by a version that writes it
    };
    let mut found = Vec::new();
    for line in text.lines() {
        let Some((hash, name)) = line.split_once("  ") else {
            found.push((FILE.to_owned(), format!("the line {line:?} does not parse")));
            continue;
        };
        match std::fs::read(path.join(name)) {
            Ok(bytes) if blake3::hash(&bytes).to_hex().as_str() == hash => {}
            Ok(_) => found.push((name.to_owned(), format!("it is not what was written (or {FILE} is not)"))),
            Err(error) => found.push((name.to_owned(), error.to_string())),
        }
    }
    found
}
