//! Files into units: what is committed together.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};

use crate::export::MANIFEST;

/// Lines of NDJSON committed together, at most.
const LINES: usize = 500;
/// Bytes of NDJSON committed together, about.
const CHUNK: usize = 1 << 20;
/// A single document may be this large.
pub(crate) const MAX_DOCUMENT: usize = 128 << 20;

/// What is committed together.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Where it comes from, for people: `file.tar!entry.json`, `file.ndjson:120`.
    pub name: String,
    /// What it is.
    pub content: Content,
}

/// What a unit is.
#[derive(Debug)]
pub(crate) enum Content {
    /// A document; kept whole if it comes from a package.
    Document { bytes: Vec<u8>, is_kept_whole: bool },
    /// Lines, each a resource, with their numbers.
    Lines(Vec<(u64, Vec<u8>)>),
    /// Something that cannot be read.
    Unreadable(String),
}

impl Unit {
    /// What it takes of memory, about.
    pub(crate) fn bytes(&self) -> usize {
        match &self.content {
            Content::Document { bytes, .. } => bytes.len(),
            Content::Lines(lines) => lines.iter().map(|(_, line)| line.len()).sum(),
            Content::Unreadable(_) => 0,
        }
    }
}

/// The files of an import.
#[derive(Debug)]
pub(crate) struct Sources {
    files: Vec<PathBuf>,
    bytes: u64,
    /// Whether they are an export of a hub.
    pub has_manifest: bool,
    read: Arc<AtomicU64>,
}

/// What a file's name says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Json,
    Lines,
    Archive,
    Package,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

fn kind_of(name: &str) -> Option<(Kind, Compression)> {
    let lower = name.to_ascii_lowercase();
    let (inner, compression) = if let Some(inner) = lower.strip_suffix(".tgz") {
        return Some((if inner.is_empty() { return None } else { Kind::Package }, Compression::Gzip));
    } else if let Some(inner) = lower.strip_suffix(".gz") {
        (inner, Compression::Gzip)
    } else if let Some(inner) = lower.strip_suffix(".zst") {
        (inner, Compression::Zstd)
    } else {
        (lower.as_str(), Compression::None)
    };
    let extension = Path::new(inner).extension()?.to_str()?;
    let kind = match extension {
        "json" => Kind::Json,
        "ndjson" | "jsonl" => Kind::Lines,
        "tar" => Kind::Archive,
        _ => return None,
    };
    Some((kind, compression))
}

impl Sources {
    /// Finds the files of paths; folders are searched, in the order of names.
    pub(crate) fn find(paths: &[PathBuf]) -> Result<Sources> {
        let mut sources = Sources { files: Vec::new(), bytes: 0, has_manifest: false, read: Arc::default() };
        for path in paths {
            let metadata = std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
            if metadata.is_dir() {
                sources.folder(path)?;
            } else if kind_of(&path.to_string_lossy()).is_some() {
                sources.add(path.clone(), metadata.len());
            } else {
                bail!(
                    "{}: its name does not say what it holds (.json, .ndjson, .tar, .tgz, with .gz or .zst)",
                    path.display()
                );
            }
        }
        if sources.files.is_empty() {
            bail!("there is nothing to import: no .json, .ndjson, .tar or .tgz, plain or with .gz or .zst");
        }
        Ok(sources)
    }

    fn folder(&mut self, path: &Path) -> Result<()> {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
            .with_context(|| format!("reading {}", path.display()))?
            .map(|e| e.map(|e| e.path()))
            .collect::<std::io::Result<_>>()?;
        entries.sort();
        for entry in entries {
            let metadata =
                std::fs::metadata(&entry).with_context(|| format!("reading {}", entry.display()))?;
            let name = entry.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if metadata.is_dir() {
                self.folder(&entry)?;
            } else if name == MANIFEST {
                self.has_manifest = true;
            } else if kind_of(&name).is_some() && !name.starts_with('.') {
                self.add(entry, metadata.len());
            }
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf, bytes: u64) {
        self.files.push(path);
        self.bytes += bytes;
    }

    /// How many bytes there are to read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many bytes have been read; goes on counting while units are read elsewhere.
    pub(crate) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// Passes every unit to `take`, in order, until it returns false.
    pub(crate) fn each(&self, take: &mut dyn FnMut(Unit) -> bool) {
        for path in &self.files {
            let name = path.display().to_string();
            let opened = File::open(path).map(|file| Counted { file, read: Arc::clone(&self.read) });
            let goes_on = match opened {
                Ok(file) => file_units(&name, Box::new(BufReader::with_capacity(256 << 10, file)), take),
                Err(error) => take(Unit { name, content: Content::Unreadable(error.to_string()) }),
            };
            if !goes_on {
                return;
            }
        }
    }
}

/// A file that counts what is read of it.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

type Bytes<'a> = Box<dyn BufRead + 'a>;

fn file_units(name: &str, bytes: Bytes<'_>, take: &mut dyn FnMut(Unit) -> bool) -> bool {
    let Some((kind, compression)) = kind_of(name) else { return true };
    let decompressed: std::io::Result<Bytes<'_>> = match compression {
        Compression::None => Ok(bytes),
        Compression::Gzip => Ok(Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(bytes)))),
        Compression::Zstd => {
            zstd::stream::read::Decoder::with_buffer(bytes).map(|d| Box::new(BufReader::new(d)) as Bytes<'_>)
        }
    };
    let unreadable = |error: std::io::Error| Unit {
        name: name.to_owned(),
        content: Content::Unreadable(error.to_string()),
    };
    let bytes = match decompressed {
        Ok(bytes) => bytes,
        Err(error) => return take(unreadable(error)),
    };
    let outcome = match kind {
        Kind::Json => document(name, bytes, false, take),
        Kind::Lines => lines(name, bytes, take),
        Kind::Archive => archive(name, bytes, false, take),
        Kind::Package => archive(name, bytes, true, take),
    };
    outcome.unwrap_or_else(|error| take(unreadable(error)))
}

fn document(
    name: &str,
    bytes: Bytes<'_>,
    is_kept_whole: bool,
    take: &mut dyn FnMut(Unit) -> bool,
) -> std::io::Result<bool> {
    let mut whole = Vec::new();
    bytes.take(MAX_DOCUMENT as u64 + 1).read_to_end(&mut whole)?;
    let content = if whole.len() > MAX_DOCUMENT {
        Content::Unreadable(format!("larger than {MAX_DOCUMENT} bytes; NDJSON has no such limit"))
    } else {
        Content::Document { bytes: whole, is_kept_whole }
    };
    Ok(take(Unit { name: name.to_owned(), content }))
}

/// Lines in groups whose limits depend on their content only, so that a group is the same whenever it is read.
fn lines(name: &str, mut bytes: Bytes<'_>, take: &mut dyn FnMut(Unit) -> bool) -> std::io::Result<bool> {
    let mut number = 0;
    loop {
        let mut group: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut size = 0;
        let mut is_end = false;
        while group.len() < LINES && size < CHUNK {
            let mut line = Vec::new();
            let length = (&mut bytes).take(MAX_DOCUMENT as u64).read_until(b'\n', &mut line)?;
            if length == 0 {
                is_end = true;
                break;
            }
            number += 1;
            size += length;
            if line.iter().any(|b| !b.is_ascii_whitespace()) {
                group.push((number, line));
            }
        }
        if let Some((first, _)) = group.first() {
            let name = format!("{name}:{first}");
            if !take(Unit { name, content: Content::Lines(group) }) {
                return Ok(false);
            }
        }
        if is_end {
            return Ok(true);
        }
    }
}

/// The files of an archive. A package keeps its documents whole and its own description out.
fn archive(
    name: &str,
    bytes: Bytes<'_>,
    is_package: bool,
    take: &mut dyn FnMut(Unit) -> bool,
) -> std::io::Result<bool> {
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.to_string_lossy().into_owned();
        let file = path.rsplit('/').next().unwrap_or(&path);
        let is_description = is_package && (file == "package.json" || file.starts_with('.'));
        let Some((kind, _)) = kind_of(file).filter(|_| !is_description) else { continue };
        let inner = format!("{name}!{path}");
        let is_json = kind == Kind::Json && file.to_ascii_lowercase().ends_with(".json");
        let bytes: Bytes<'_> = Box::new(BufReader::new(&mut entry));
        let goes_on = if is_json {
            document(&inner, bytes, is_package, take)?
        } else {
            file_units(&inner, bytes, take)
        };
        if !goes_on {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_files_hold() {
        assert_eq!(kind_of("a.json"), Some((Kind::Json, Compression::None)));
        assert_eq!(kind_of("A.NDJSON.GZ"), Some((Kind::Lines, Compression::Gzip)));
        assert_eq!(kind_of("a.tar.zst"), Some((Kind::Archive, Compression::Zstd)));
        assert_eq!(kind_of("hl7.fhir.r4.core.tgz"), Some((Kind::Package, Compression::Gzip)));
        assert_eq!(kind_of("a.tar.gz"), Some((Kind::Archive, Compression::Gzip)));
        assert_eq!(kind_of("a.txt"), None);
        assert_eq!(kind_of("json"), None);
    }
}
