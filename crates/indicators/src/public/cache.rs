//! Public files as they came, by release: `DIR/public/<source>/<code>/<vintage>.<form>`, further pages `<vintage>.p2.<form>`.
//!
//! A release is never written over: what was computed from it can be computed again. Writes are whole or not at all.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Error, Figure, Limits, Source};

/// The folder of public files of a data directory.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// One release of one indicator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Kept {
    /// Who published it.
    pub source: Source,
    /// The indicator.
    pub code: String,
    /// The release.
    pub vintage: String,
    /// Its files, in order.
    pub files: Vec<PathBuf>,
    /// Their bytes together.
    pub bytes: u64,
}

/// May this be part of a file's name?
fn is_plain(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(is_allowed)
}

fn folder_error(path: &Path, why: &std::io::Error) -> Error {
    Error::Folder(format!("{}: {why}", path.display()))
}

fn checked<'n>(what: &str, name: &'n str) -> Result<&'n str, Error> {
    if is_plain(name) {
        return Ok(name);
    }
    Err(Error::Folder(format!("{what} '{name}': use letters, digits, '.', '_' and '-', at most 100")))
}

/// The release of a file's name, which page it is, and its form.
fn parts(name: &str) -> Option<(String, u32, String)> {
    const FORMS: [&str; 4] = ["json.gz", "csv.gz", "json", "csv"];
    let with_form = |form: &&'static str| Some((name.strip_suffix(*form)?.strip_suffix('.')?, *form));
    let (stem, form) = FORMS.iter().find_map(with_form)?;
    let page = stem.rsplit_once(".p").and_then(|(vintage, page)| Some((vintage, page.parse().ok()?)));
    let (vintage, page) = page.unwrap_or((stem, 1));
    Some((vintage.to_owned(), page, form.to_owned()))
}

impl Cache {
    /// The public files of a data directory.
    #[must_use]
    pub fn of(data: &Path) -> Cache {
        Cache { folder: data.join("public") }
    }

    /// Keeps the pages of a release. The same bytes again change nothing; others under the same release are refused.
    ///
    /// # Errors
    /// A name that is none, a release that is there with other bytes, or what the file system says.
    pub fn keep(
        &self,
        source: Source,
        code: &str,
        vintage: &str,
        form: &str,
        pages: &[Vec<u8>],
    ) -> Result<Vec<PathBuf>, Error> {
        let folder = self.folder.join(source.name()).join(checked("the code", code)?);
        checked("the release", vintage)?;
        if parts(&format!("{vintage}.{form}")) != Some((vintage.to_owned(), 1, form.to_owned())) {
            return Err(Error::Folder(format!(
                "a release cannot be named '{vintage}', in the form '{form}'"
            )));
        }
        let name = |page: usize| match page {
            1 => format!("{vintage}.{form}"),
            page => format!("{vintage}.p{page}.{form}"),
        };
        let paths: Vec<PathBuf> = (1..=pages.len()).map(|page| folder.join(name(page))).collect();
        if let Some(there) = self.find(source, code, vintage)? {
            let same = there.files == paths
                && there.files.iter().zip(pages).all(|(path, page)| fs::read(path).is_ok_and(|b| &b == page));
            if same {
                return Ok(paths);
            }
            return Err(Error::Folder(format!(
                "{}: the release {vintage} is there already, with other bytes; name this one otherwise (--vintage)",
                folder.display()
            )));
        }
        fs::create_dir_all(&folder).map_err(|why| folder_error(&folder, &why))?;
        // The first page last: a release without it is not there.
        for (path, page) in paths.iter().zip(pages).rev() {
            let whole = || {
                let beside = path.with_extension("part");
                let mut file = fs::File::create(&beside)?;
                file.write_all(page)?;
                file.sync_all()?;
                fs::rename(&beside, path)
            };
            whole().map_err(|why| folder_error(path, &why))?;
        }
        Ok(paths)
    }

    /// What is there, by source, code and release.
    ///
    /// # Errors
    /// What the file system says.
    pub fn list(&self) -> Result<Vec<Kept>, Error> {
        let mut list = Vec::new();
        for source in Source::ALL {
            let folder = self.folder.join(source.name());
            for code in names(&folder)? {
                list.extend(self.releases(source, &code)?);
            }
        }
        list.sort();
        Ok(list)
    }

    /// The releases of an indicator that are there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn releases(&self, source: Source, code: &str) -> Result<Vec<Kept>, Error> {
        let folder = self.folder.join(source.name()).join(checked("the code", code)?);
        let mut files: Vec<(String, u32, PathBuf)> = Vec::new();
        for name in names(&folder)? {
            if let Some((vintage, page, _)) = parts(&name) {
                files.push((vintage, page, folder.join(name)));
            }
        }
        files.sort();
        let mut found: Vec<Kept> = Vec::new();
        for (vintage, page, path) in files {
            let bytes = fs::metadata(&path).map_err(|why| folder_error(&path, &why))?.len();
            match found.last_mut().filter(|kept| kept.vintage == vintage) {
                Some(kept) => {
                    kept.files.push(path);
                    kept.bytes += bytes;
                }
                None if page == 1 => {
                    found.push(Kept { source, code: code.to_owned(), vintage, files: vec![path], bytes });
                }
                None => {}
            }
        }
        Ok(found)
    }

    fn find(&self, source: Source, code: &str, vintage: &str) -> Result<Option<Kept>, Error> {
        Ok(self.releases(source, code)?.into_iter().find(|kept| kept.vintage == vintage))
    }

    /// The figures of every release of an indicator that is there, side by side.
    ///
    /// # Errors
    /// A file that cannot be read, named.
    pub fn figures(&self, source: Source, code: &str, limits: &Limits) -> Result<Vec<Figure>, Error> {
        let mut figures = Vec::new();
        for kept in self.releases(source, code)? {
            for path in &kept.files {
                let bytes = fs::read(path).map_err(|why| folder_error(path, &why))?;
                let reading = super::read(source, code, &kept.vintage, &bytes, limits)
                    .map_err(|why| Error::Folder(format!("{}: {why}", path.display())))?;
                figures.extend(reading.figures);
            }
        }
        Ok(figures)
    }
}

fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(folder_error(folder, &why)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|why| folder_error(folder, &why))?;
        if let Ok(name) = entry.file_name().into_string()
            && is_plain(&name)
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
