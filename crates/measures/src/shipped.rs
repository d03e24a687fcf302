//! The definitions that come with the program.
//!
//! They are files of the folder `definitions`, so that a person can read them: a Measure and a Library a folder, queries in
//! files of their own. An attachment of such a Library has a `url` relative to the Library instead of its data; here it
//! gets the data, so that what is handed out is whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::BASE64;
use serde_json::Value;

use crate::error::Error;
use crate::indicator::Indicator;
use crate::shipped_files::FILES;

fn file(files: &BTreeMap<&str, &'static str>, path: &str) -> Result<&'static str, Error> {
    let missing = || Error::new(path, "", "there is no such file among the definitions");
    files.get(path).copied().ok_or_else(missing)
}

fn json(files: &BTreeMap<&str, &'static str>, path: &str) -> Result<Value, Error> {
    serde_json::from_str(file(files, path)?).map_err(|e| Error::new(path, "", e.to_string()))
}

/// The path a relative address means, seen from a folder.
fn resolve(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in relative.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// A Library with the data of its attachments.
fn whole(files: &BTreeMap<&str, &'static str>, folder: &str) -> Result<Value, Error> {
    let mut library = json(files, &format!("{folder}/library.json"))?;
    for attachment in library["content"].as_array_mut().into_iter().flatten() {
        let Some(relative) = attachment["url"].as_str() else { continue };
        let text = file(files, &resolve(folder, relative))?;
        if let Some(members) = attachment.as_object_mut() {
            members.remove("url");
            members.insert("data".to_owned(), BASE64.encode(text.as_bytes()).into());
        }
    }
    Ok(library)
}

/// All indicators that come with the program, in the order of their sets and ids.
///
/// # Errors
/// A definition that is wrong.
pub fn shipped() -> Result<Vec<Arc<Indicator>>, Error> {
    let files: BTreeMap<&str, &str> = FILES.iter().copied().collect();
    let folders = FILES.iter().filter_map(|(path, _)| path.strip_suffix("/measure.json"));
    folders
        .map(|folder| {
            let measure = json(&files, &format!("{folder}/measure.json"))?;
            Indicator::read(&measure, &whole(&files, folder)?).map(Arc::new)
        })
        .collect()
}
