//! The end of the engine's write-ahead log, after a loss of power.
//!
//! What was synced is whole; what came after may be there in part. The engine takes a record that is cut short for the
//! end, but refuses to open if the last record has its full length and wrong content, as a torn page leaves it. This
//! reader tells the two kinds of damage apart: a bad record that nothing valid follows is a torn end and is cut off;
//! one that valid records follow was whole once, and opening must fail with its name. So that what was synced last is
//! always followed by something, the store appends a *seal* after a sync when nothing more waits.
//!
//! Format (RocksDB, `db/log_format.h`): blocks of 32 kB; records of checksum (4, CRC-32C masked), length (2), type (1)
//! and payload; a block's last bytes that have no room for a header are zeros.

use std::path::{Path, PathBuf};

const BLOCK: usize = 32 * 1024;
const HEADER: usize = 7;

/// What a log's records look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Every record is whole.
    Whole,
    /// From this byte on there is nothing valid.
    Torn(usize),
    /// At this byte there is a bad record, and later a good one.
    Damaged(usize),
}

/// The write-ahead logs of a folder, oldest first.
fn logs(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "log"))
        .collect();
    found.sort_unstable();
    found
}

/// What is wrong with the logs of a folder: which file, and what. A torn end is not wrong.
pub(crate) fn examine(folder: &Path) -> Vec<(String, String)> {
    let logs = logs(folder);
    let mut found = Vec::new();
    for (at, path) in logs.iter().enumerate() {
        let name = path.file_name().map(|n| format!("db/{}", n.to_string_lossy())).unwrap_or_default();
        match std::fs::read(path).map(|bytes| end(&bytes)) {
            Err(error) => found.push((name, error.to_string())),
            Ok(End::Damaged(byte)) => {
                found.push((
                    name,
                    format!("the record at byte {byte} is not what was written; records after it are whole"),
                ));
            }
            Ok(End::Torn(byte)) if at + 1 < logs.len() => {
                found.push((name, format!("it breaks off at byte {byte}, and a later log exists")));
            }
            Ok(_) => {}
        }
    }
    found
}

/// Cuts off a torn end of the last log, keeping it beside; the file and byte where that was done.
pub(crate) fn cut_torn_end(folder: &Path) -> std::io::Result<Option<(PathBuf, usize)>> {
    let Some(path) = logs(folder).pop() else { return Ok(None) };
    let bytes = std::fs::read(&path)?;
    let End::Torn(at) = end(&bytes) else { return Ok(None) };
    std::fs::write(path.with_extension("torn"), &bytes[at..])?;
    let file = std::fs::OpenOptions::new().write(true).open(&path)?;
    file.set_len(at as u64)?;
    file.sync_all()?;
    Ok(Some((path, at)))
}

fn end(bytes: &[u8]) -> End {
    let mut at = 0;
    while at < bytes.len() {
        let room = BLOCK - at % BLOCK;
        if room < HEADER {
            at += room;
            continue;
        }
        match record(bytes, at) {
            Some(length) => at += length,
            // Room that was reserved and not written.
            None if bytes[at..].iter().all(|b| *b == 0) => return End::Whole,
            None if has_valid_after(bytes, at) => return End::Damaged(at),
            None => return End::Torn(at),
        }
    }
    End::Whole
}

/// The length of the whole, valid record at a byte.
fn record(bytes: &[u8], at: usize) -> Option<usize> {
    let header = bytes.get(at..at + HEADER)?;
    let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
    if header[6] == 0 || HEADER + length > BLOCK - at % BLOCK {
        return None;
    }
    let stored = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let checked = bytes.get(at + 6..at + HEADER + length)?;
    (stored == masked(crc32c::crc32c(checked))).then_some(HEADER + length)
}

/// The engine's form of a checksum.
pub(crate) fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Whether a valid record follows a bad one: where the bad one's length leads to, or in a later block.
fn has_valid_after(bytes: &[u8], at: usize) -> bool {
    let block_end = (at / BLOCK + 1) * BLOCK;
    // Within the block every byte may be where the next record begins, since the bad one's length may be what is bad.
    let in_block = (at + 1..block_end.min(bytes.len())).any(|next| record(bytes, next).is_some());
    in_block || (block_end..bytes.len()).step_by(BLOCK).any(|block| record(bytes, block).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(log: &mut Vec<u8>, payload: &[u8]) {
        let mut checked = vec![1];
        checked.extend_from_slice(payload);
        log.extend_from_slice(&masked(crc32c::crc32c(&checked)).to_le_bytes());
        log.extend_from_slice(&(payload.len() as u16).to_le_bytes());
        log.extend_from_slice(&checked);
    }

    #[test]
    fn a_torn_end_is_told_from_damage() {
        let mut log = Vec::new();
        append(&mut log, b"first");
        let second = log.len();
        append(&mut log, b"second");
        let third = log.len();
        append(&mut log, b"third");
        assert_eq!(end(&log), End::Whole);
        assert_eq!(end(&log[..log.len() - 2]), End::Torn(third), "cut short");
        let mut torn = log.clone();
        let last = torn.len() - 1;
        torn[last] ^= 1;
        assert_eq!(end(&torn), End::Torn(third), "the last record is wrong");
        for byte in second..third {
            let mut damaged = log.clone();
            damaged[byte] ^= 0x10;
            assert_eq!(end(&damaged), End::Damaged(second), "byte {byte}");
        }
        log.extend_from_slice(&[0; 500]);
        assert_eq!(end(&log), End::Whole, "reserved room is zeros");
    }
}
