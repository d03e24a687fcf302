//! More data of the same shape: the bundles of an archive with fresh ids and shifted dates.

use std::io::Read as _;
use std::path::Path;

use anyhow::Result;
use fhir::date_time::{civil_from_days, days_from_civil};

/// The bundles of the archive.
pub(crate) fn bundles(archive: &Path) -> Result<Vec<Vec<u8>>> {
    let file = std::fs::File::open(archive)?;
    let mut archive = tar::Archive::new(zstd::stream::read::Decoder::new(file)?);
    let mut found = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.extension().is_some_and(|e| e == "json") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            found.push(bytes);
        }
    }
    Ok(found)
}

/// How many resources a bundle has.
pub(crate) fn resources(bundle: &[u8]) -> usize {
    serde_json::from_slice::<serde_json::Value>(bundle)
        .ok()
        .and_then(|b| Some(b["entry"].as_array()?.len()))
        .unwrap_or(0)
}

/// The bundle once more: every UUID another (the same for the same), every date `number` days later.
pub(crate) fn cloned(bundle: &[u8], number: u64) -> Vec<u8> {
    if number == 0 {
        return bundle.to_vec();
    }
    let mut out = bundle.to_vec();
    let mut at = 0;
    while at < out.len() {
        if is_uuid(&out[at..]) && (at == 0 || !out[at - 1].is_ascii_hexdigit()) {
            mix(&mut out[at..at + 8], number);
            at += 36;
        } else if is_date(&out[at..]) && (at == 0 || out[at - 1] == b'"') {
            shift(&mut out[at..at + 10], number);
            at += 10;
        } else {
            at += 1;
        }
    }
    out
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() >= 36
        && bytes[8] == b'-'
        && bytes[13] == b'-'
        && bytes[18] == b'-'
        && bytes[23] == b'-'
        && bytes[..8].iter().all(u8::is_ascii_hexdigit)
}

fn is_date(bytes: &[u8]) -> bool {
    bytes.len() >= 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && [0, 1, 2, 3, 5, 6, 8, 9].iter().all(|i| bytes[*i].is_ascii_digit())
}

fn mix(digits: &mut [u8], number: u64) {
    let value =
        digits.iter().fold(0u64, |sum, d| sum * 16 + u64::from(char::from(*d).to_digit(16).unwrap_or(0)));
    let mixed = (value ^ number.wrapping_mul(0x9e37_79b9)) & 0xffff_ffff;
    digits.copy_from_slice(format!("{mixed:08x}").as_bytes());
}

fn shift(date: &mut [u8], number: u64) {
    let part =
        |from: usize, to: usize| date[from..to].iter().fold(0i64, |sum, d| sum * 10 + i64::from(d - b'0'));
    let days = days_from_civil(part(0, 4), part(5, 7), part(8, 10)) + i64::try_from(number).unwrap_or(0);
    let (year, month, day) = civil_from_days(days);
    date.copy_from_slice(format!("{year:04}-{month:02}-{day:02}").as_bytes());
}

#[cfg(test)]
mod tests {
    #[test]
    fn clones_have_other_ids_and_later_dates() {
        let bundle = br#"{"a":"urn:uuid:01234567-89ab-4cde-8f01-23456789abcd","b":"2020-02-28T10:00:00Z","c":"x-2020-02-28"}"#;
        let clone = String::from_utf8(super::cloned(bundle, 2)).unwrap();
        assert!(!clone.contains("01234567-") && clone.contains("-89ab-4cde-8f01-23456789abcd"));
        assert!(clone.contains("\"2020-03-01T10") && clone.contains("x-2020-02-28"));
    }
}
