//! What a job could not do: a file of OperationOutcomes, a line each, that goes on where the last checkpoint left it.

use std::path::PathBuf;

use fhir::Issue;
use fhir::json::JsonWriter;
use serde::{Deserialize, Serialize};

use super::failed;
use super::file::{Folder, OutFile};
use crate::{Failure, outcome};

/// Its name.
const FILE: &str = "errors.ndjson";
/// More lines than this are counted, not written.
const MAX_LINES: u64 = 100_000;

/// How far the file has come, as a job keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Refused {
    count: u64,
    bytes: u64,
}

/// The file under way.
pub(super) struct RefusedFile {
    path: PathBuf,
    file: OutFile,
    count: u64,
}

impl Refused {
    /// The file's name and length, if there is anything in it.
    pub(super) fn file(self) -> Option<(&'static str, u64)> {
        (self.count > 0).then_some((FILE, self.bytes))
    }

    /// The manifest's `error`.
    pub(super) fn write(self, json: &mut JsonWriter, address: &dyn Fn(&str) -> String) {
        json.name("error").array(|list| {
            if let Some((file, _)) = self.file() {
                list.object(|o| {
                    o.member("type", "OperationOutcome");
                    o.member("url", &address(file));
                    o.raw_member("count", &self.count.to_string());
                });
            }
        });
    }

    /// Opens the file where the last checkpoint left it.
    pub(super) fn open(self, folder: Folder<'_>) -> Result<RefusedFile, Failure> {
        let path = folder.path.join(FILE);
        let file = folder.open(FILE, self.bytes).map_err(|e| failed(&e, &path))?;
        Ok(RefusedFile { path, file, count: self.count })
    }
}

impl RefusedFile {
    /// Adds what was found about one thing.
    pub(super) fn add(&mut self, issues: &[Issue]) -> Result<(), Failure> {
        self.count += 1;
        if self.count > MAX_LINES {
            return Ok(());
        }
        let line = outcome::outcome(issues) + "\n";
        self.file.write_all(line.as_bytes()).map_err(|e| failed(&e, &self.path))
    }

    /// Brings it to the disk; how far it has come.
    pub(super) fn sync(&mut self) -> Result<Refused, Failure> {
        let bytes = self.file.sync();
        Ok(Refused { count: self.count, bytes: bytes.map_err(|e| failed(&e, &self.path))? })
    }
}
