//! The engine's files of attachments, examined by name: the engine checks what it reads of them, but does not say which file
//! was wrong.
//!
//! Format (RocksDB, `db/blob/blob_log_format.h`): a header of 30 bytes that begins with a magic number; records of key length (8),
//! value length (8), expiration (8), checksum of these (4), checksum of key and value (4), key and value; a footer of 32
//! bytes that begins with the magic number. Checksums are CRC-32C, masked; numbers are little-endian.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Result};
use std::path::Path;

use crate::wal::masked;

const MAGIC: [u8; 4] = 0x0024_8f37_u32.to_le_bytes();
const HEADER: u64 = 30;
const RECORD_HEADER: u64 = 32;
const FOOTER: u64 = 32;
const PIECE: usize = 64 << 10;

/// What is wrong with the files of a folder: which, and what.
pub(crate) fn examine(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "blob"))
        .collect();
    paths.sort_unstable();
    let mut found = Vec::new();
    for path in paths {
        let name = path.file_name().map(|n| format!("db/{}", n.to_string_lossy())).unwrap_or_default();
        let finding = File::open(&path).and_then(|file| {
            let length = file.metadata()?.len();
            file_finding(&mut BufReader::with_capacity(PIECE, file), length)
        });
        match finding {
            Ok(None) => {}
            Ok(Some(finding)) => found.push((name, finding)),
            // Cut off while it was written: nothing refers to it yet, or reading what does will say so.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
            Err(error) => found.push((name, error.to_string())),
        }
    }
    found
}

fn file_finding(file: &mut impl Read, length: u64) -> Result<Option<String>> {
    let mut header = [0; HEADER as usize];
    file.read_exact(&mut header)?;
    if !header.starts_with(&MAGIC) {
        return Ok(Some("it does not begin as a file of attachments does".to_owned()));
    }
    let mut at = HEADER;
    while at + FOOTER < length {
        let mut record = [0; RECORD_HEADER as usize];
        file.read_exact(&mut record)?;
        let bad = |what: &str| Ok(Some(format!("{what} of the record at byte {at} is not what was written")));
        if masked(crc32c::crc32c(&record[..24])) != number(&record[24..28]) as u32 {
            return bad("the header");
        }
        let Some(size) = number(&record[..8]).checked_add(number(&record[8..16])) else {
            return bad("the header");
        };
        let mut crc = 0;
        let mut left = size;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let next = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            file.read_exact(&mut piece[..next])?;
            crc = crc32c::crc32c_append(crc, &piece[..next]);
            left -= next as u64;
        }
        if masked(crc) != number(&record[28..32]) as u32 {
            return bad("the content");
        }
        at += RECORD_HEADER + size;
    }
    let mut footer = Vec::new();
    file.read_to_end(&mut footer)?;
    // A file that was being written when the program ended has none.
    let is_whole = footer.is_empty()
        || footer.len() == FOOTER as usize
            && footer.starts_with(&MAGIC)
            && masked(crc32c::crc32c(&footer[..28])) == number(&footer[28..]) as u32;
    Ok((!is_whole).then(|| "its footer is not what was written".to_owned()))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut file = [MAGIC.as_slice(), &[0; 26]].concat();
        for value in [b"first".as_slice(), b"second"] {
            let mut header = Vec::new();
            header.extend_from_slice(&3_u64.to_le_bytes());
            header.extend_from_slice(&(value.len() as u64).to_le_bytes());
            header.extend_from_slice(&[0; 8]);
            header.extend_from_slice(&masked(crc32c::crc32c(&header)).to_le_bytes());
            let content = [b"key", value].concat();
            header.extend_from_slice(&masked(crc32c::crc32c(&content)).to_le_bytes());
            file.extend([header, content].concat());
        }
        let mut footer = [MAGIC.as_slice(), &[0; 24]].concat();
        footer.extend_from_slice(&masked(crc32c::crc32c(&footer)).to_le_bytes());
        file.extend(footer);
        file
    }

    fn found(file: &[u8]) -> Option<String> {
        file_finding(&mut &file[..], file.len() as u64).unwrap_or_else(|e| Some(e.to_string()))
    }

    #[test]
    fn every_flipped_byte_of_a_record_is_found() {
        let file = sample();
        assert_eq!(found(&file), None);
        for byte in HEADER as usize..file.len() {
            let mut damaged = file.clone();
            damaged[byte] ^= 0x20;
            assert!(found(&damaged).is_some(), "byte {byte}");
        }
    }
}
