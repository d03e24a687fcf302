//! The file `HEAD`: the last number that is on disk, and its link.
//!
//! It is written after each sync, beside the tables, so that tables that lost their end are noticed. After a loss of power
//! it may say less than there is, never more.

use std::path::Path;

use data_encoding::HEXLOWER;

use crate::chain::Link;
use crate::error::{Error, damaged, io};

const NAME: &str = "HEAD";

pub(crate) fn write(folder: &Path, sequence: u64, link: &Link) -> Result<(), Error> {
    let (path, beside) = (folder.join(NAME), folder.join("HEAD.new"));
    std::fs::write(&beside, format!("{sequence}:{}\n", HEXLOWER.encode(link))).map_err(io(&beside))?;
    std::fs::rename(&beside, &path).map_err(io(&path))
}

/// What the file says; `None` if there is none.
pub(crate) fn read(folder: &Path) -> Result<Option<(u64, Link)>, Error> {
    let path = folder.join(NAME);
    match std::fs::read_to_string(&path) {
        Ok(text) => match parse(text.trim()) {
            Some(head) => Ok(Some(head)),
            None => Err(damaged(NAME, "it is not a number and a link")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(&path)(error)),
    }
}

/// `number:link`
pub(crate) fn parse(text: &str) -> Option<(u64, Link)> {
    let (sequence, link) = text.split_once(':')?;
    Some((sequence.parse().ok()?, HEXLOWER.decode(link.as_bytes()).ok()?.try_into().ok()?))
}
