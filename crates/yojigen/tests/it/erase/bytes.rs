//! Looking for texts in every byte of every file, compressed ones too.
//!
//! What is compressed by the engine (tables, files of attachments) and in backups are frames of zstd; the engine's are made with
//! a dictionary that stands in the same table (RocksDB, `table/format.cc`: a footer of 53 bytes, before it the index of the
//! table's own parts).

use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::Path;

use aho_corasick::AhoCorasick;
use data_encoding::BASE64;

/// Texts in every form they may be kept in.
pub(crate) struct Wanted {
    texts: Vec<String>,
    automaton: AhoCorasick,
    /// Which text a form is of.
    of: Vec<usize>,
}

/// The forms of a text.
fn forms(text: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([text.as_bytes().to_vec()]);
    let folded = search::normalize::normalize(text);
    let units: Vec<u16> = text.encode_utf16().collect();
    if !text.is_ascii() {
        forms.insert(units.iter().map(|u| format!("\\u{u:04x}")).collect::<String>().into_bytes());
        forms.insert(units.iter().map(|u| format!("\\u{u:04X}")).collect::<String>().into_bytes());
        forms.insert(text.bytes().map(|b| format!("%{b:02X}")).collect::<String>().into_bytes());
        forms.insert(text.bytes().map(|b| format!("%{b:02x}")).collect::<String>().into_bytes());
    }
    forms.insert(units.iter().flat_map(|u| u.to_le_bytes()).collect());
    forms.insert(units.iter().flat_map(|u| u.to_be_bytes()).collect());
    // Wherever it begins within a text that is encoded.
    for shift in 0..3 {
        let encoded = BASE64.encode(&[vec![0; shift], text.as_bytes().to_vec()].concat());
        let whole = encoded.trim_end_matches('=');
        forms.insert(whole.as_bytes()[[0, 2, 3][shift]..whole.len() - 1].to_vec());
    }
    forms.insert(folded.into_bytes());
    forms
}

impl Wanted {
    pub(crate) fn of(texts: &[&str]) -> Wanted {
        let (mut patterns, mut of) = (Vec::new(), Vec::new());
        for (at, text) in texts.iter().enumerate() {
            for form in forms(text) {
                patterns.push(form);
                of.push(at);
            }
        }
        let texts = texts.iter().map(|t| (*t).to_owned()).collect();
        Wanted { texts, automaton: AhoCorasick::new(patterns).unwrap(), of }
    }

    /// The texts that stand in some bytes.
    pub(crate) fn among(&self, bytes: &[u8]) -> BTreeSet<String> {
        let found = self.automaton.find_overlapping_iter(bytes);
        found.map(|m| self.texts[self.of[m.pattern().as_usize()]].clone()).collect()
    }

    /// The texts that stand in the files of a folder, each with the file, whatever is in it.
    pub(crate) fn in_folder(&self, folder: &Path) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                found.extend(self.in_folder(&path));
            } else if kind.is_file() {
                let Ok(bytes) = std::fs::read(&path) else { continue };
                for part in [vec![bytes.clone()], frames(&bytes)].concat() {
                    let texts = self.among(&part).into_iter();
                    found.extend(texts.map(|text| (text, path.display().to_string())));
                }
            }
        }
        // And what the names of files say.
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        found.extend(self.among(name.as_bytes()).into_iter().map(|text| (text, name.clone())));
        found
    }

    /// The texts that a store holds in any key or value, and where.
    pub(crate) fn in_store(&self, data: &Path) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        store::each_row(data, &store::Limits::default(), &mut |family, key, value| {
            let texts = self.among(key).into_iter().chain(self.among(value));
            found.extend(texts.map(|text| (text, family.to_owned())));
        })
        .unwrap();
        found
    }
}

/// What the frames of zstd in a file hold.
fn frames(file: &[u8]) -> Vec<Vec<u8>> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let dictionary = dictionary(file).unwrap_or_default();
    let mut found = Vec::new();
    for at in memchr_all(file, &MAGIC) {
        let rest = &file[at..];
        let mut out = Vec::new();
        let decoder = zstd::stream::read::Decoder::with_dictionary(BufReader::new(rest), &dictionary);
        let Ok(decoder) = decoder else { continue };
        // As far as it goes: what is no frame after all does not go far.
        let _ = std::io::copy(&mut decoder.single_frame(), &mut out);
        found.push(out);
    }
    found
}

fn memchr_all(bytes: &[u8], wanted: &[u8; 4]) -> Vec<usize> {
    (0..bytes.len().saturating_sub(3)).filter(|at| bytes[*at..].starts_with(wanted)).collect()
}

/// The dictionary of a table.
fn dictionary(file: &[u8]) -> Option<Vec<u8>> {
    const MAGIC: [u8; 8] = 0x88e2_41b7_85f4_cff7_u64.to_le_bytes();
    let footer = file.len().checked_sub(53)?;
    if !file.ends_with(&MAGIC) {
        return None;
    }
    let number = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?) as usize);
    // After it stands the kind of its compression, and a checksum.
    let size = number(footer + 13)?;
    let index = file.get(footer.checked_sub(size + 5)?..footer - 5)?;
    let (mut rest, mut key) = (index, Vec::new());
    while !rest.is_empty() {
        let (shared, more) = varint(rest)?;
        let (unshared, more) = varint(more)?;
        let (length, more) = varint(more)?;
        key.truncate(shared);
        key.extend_from_slice(more.get(..unshared)?);
        let value = more.get(unshared..unshared + length)?;
        rest = more.get(unshared + length..)?;
        if key == b"rocksdb.compression_dict" {
            let (offset, value) = varint(value)?;
            let (size, _) = varint(value)?;
            return Some(file.get(offset..offset + size)?.to_vec());
        }
    }
    None
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = bytes.iter().position(|b| b & 0x80 == 0)? + 1;
    let value = bytes[..length].iter().rev().fold(0, |sum, b| sum << 7 | usize::from(b & 0x7f));
    Some((value, &bytes[length..]))
}

#[test]
fn a_text_is_found_in_every_form() {
    let wanted = Wanted::of(&["四次元崎花衣", "ZQX-73915046"]);
    let base64 = BASE64.encode("…私は四次元崎花衣です".as_bytes());
    for bytes in [
        "x四次元崎花衣".as_bytes(),
        br"\u56db\u6b21\u5143\u5d0e\u82b1\u8863",
        b"%E5%9B%9B%E6%AC%A1%E5%85%83%E5%B4%8E%E8%8A%B1%E8%A1%A3",
        base64.as_bytes(),
    ] {
        assert_eq!(wanted.among(bytes).len(), 1, "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(wanted.among(b"identifier=zqx-73915046").len(), 1);
    assert_eq!(
        wanted.among(&"ZQX-73915046".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).len(),
        1
    );
    assert!(wanted.among(b"nothing").is_empty());
}
