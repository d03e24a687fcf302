//! Test support: the folder of official packages, others' suites and sample data, which stands beside the project
//! and is never part of it.
//!
//! A test that needs it asks [`folder`]. Where the folder is missing, the answer is `None` after a loud line on
//! standard error, so that a run without it cannot be taken for a run with it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The folder, from `YOJIGEN_SHARED` or beside the workspace; `None`, said loudly, where there is none.
///
/// The place of the workspace is asked for as the test runs: one build directory may serve several clones.
#[must_use]
pub fn folder(test: &str) -> Option<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(std::env::current_dir, |d| Ok(d.into()));
    let here = here.unwrap_or_default();
    let folder = match std::env::var_os("YOJIGEN_SHARED") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => here.ancestors().map(|above| above.join("shared")).find(|f| f.join("packages").is_dir()),
    };
    if let Some(folder) = folder.filter(|f| f.join("packages").is_dir()) {
        return Some(folder);
    }
    // Written past the test harness's capture, which only catches print!.
    let _ = writeln!(
        io::stderr(),
        "\n*** NOT RUN: {test}: needs the shared folder (none above {}; set YOJIGEN_SHARED) ***\n",
        here.display()
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
