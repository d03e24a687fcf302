//! Libraries of the npm registry that a browser of the tests loads, each locked to a version and its hash.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Fetches what a folder of `tests/clients` names; the text of one of its files.
pub(crate) fn fetch(client: &str, file: &str) -> Result<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients").join(client);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(client);
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let lock = |at: &Path| std::fs::read(at.join("package-lock.json")).unwrap_or_default();
    let built = folder.join("node_modules").join(file);
    if lock(&source) != lock(&folder) || !built.exists() {
        for file in [".npmrc", "package.json", "package-lock.json"] {
            std::fs::copy(source.join(file), folder.join(file)).map_err(|e| e.to_string())?;
        }
        let ran = Command::new("npm").args(["ci", "--no-progress"]).current_dir(&folder).output();
        let output = ran.map_err(|e| format!("npm: {e} (Debian: apt-get install npm)"))?;
        if !output.status.success() {
            let _ = std::fs::remove_file(folder.join("package-lock.json"));
            return Err(String::from_utf8_lossy(&output.stderr).chars().take(400).collect());
        }
    }
    std::fs::read_to_string(built).map_err(|e| e.to_string())
}
