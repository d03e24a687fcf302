//! Test support: the folder of official packages, others' suites and sample data, which stands beside the project
//! and is never part of it.
//!
//! A test that needs it asks [`folder`]. Where the folder is missing, the answer is `None` after a loud line on
//! standard error, so that a run without it cannot be taken for a run with it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The folder, from `YOJIGEN_SHARED` or beside the workspace; `None`, said loudly, where there is none.
#[must_use]
pub fn folder(test: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("YOJIGEN_SHARED").map_or(beside, PathBuf::from);
    if folder.join("packages").is_dir() {
        return Some(folder);
    }
    // Written past the test harness's capture, which only catches print!.
    let _ = writeln!(
        io::stderr(),
        "\n*** NOT RUN: {test}: needs the shared folder ({} is not there; set YOJIGEN_SHARED) ***\n",
        folder.display()
    );
    None
}

/// The JSON files of a FHIR package (`.tgz`): name and text, in the order of the archive.
///
/// # Errors
/// What reading the archive says.
pub fn package(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let file = std::fs::File::open(path)?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut found = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let is_json = Path::new(&name).extension().is_some_and(|e| e == "json");
        if !is_json || name == "package.json" || name.starts_with('.') {
            continue;
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text)?;
        found.push((name, text));
    }
    Ok(found)
}
