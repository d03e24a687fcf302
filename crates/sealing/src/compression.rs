//! Values made smaller one by one, before they are sealed: zstd, with dictionaries trained on those that come first.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 0: as it is; 1: zstd; 2 and more: zstd with the dictionary of this number less one |
//! | n | *but for 0*: varint: its length |
//! | n | the text |
//!
//! Neighbours are alike, but what is sealed apart cannot lean on its neighbours: a dictionary stands in for them. It holds parts of
//! texts, so it is kept sealed, in the engine, and before the first value that needs it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use zstd::bulk::{Compressor, Decompressor};

const LEVEL: i32 = 3;
/// A shorter value is left as it is.
const LEAST: usize = 48;
/// A longer one gains nothing from a dictionary.
const MOST_WITH_DICTIONARY: usize = 256 << 10;
/// A value is not longer, whatever it says.
const MAX_LENGTH: u64 = 1 << 30;
/// A dictionary is made of so many values, every so many of them; one after the other, since what comes first (all patients, then
/// all observations) may not be like what comes later.
const STAGES: [(usize, usize); 3] = [(1_000, 1), (20_000, 4), (400_000, 64)];
/// Training gets no more bytes than this for each of the dictionary, and wants so many.
const BYTES_FOR_ONE: usize = 80;
const BYTES_FOR_ONE_AT_LEAST: usize = 10;

const AS_IS: u8 = 0;
const ALONE: u8 = 1;

/// What makes the values of a table smaller.
pub struct Compression {
    dictionary_bytes: usize,
    dictionaries: RwLock<Vec<Arc<Dictionary>>>,
    alone: Dictionary,
    samples: Mutex<Samples>,
    is_sampling: AtomicBool,
    /// A dictionary that was trained and has yet to be kept; until it is, nothing more is sampled.
    trained: Arc<Mutex<Option<Vec<u8>>>>,
    is_trained: Arc<AtomicBool>,
}

#[derive(Default)]
struct Samples {
    seen: usize,
    bytes: usize,
    values: Vec<Vec<u8>>,
}

/// A dictionary with what works with it.
struct Dictionary {
    bytes: Vec<u8>,
    compressors: Mutex<Vec<Compressor<'static>>>,
    decompressors: Mutex<Vec<Decompressor<'static>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dictionary {
    fn new(bytes: Vec<u8>) -> Dictionary {
        Dictionary { bytes, compressors: Mutex::default(), decompressors: Mutex::default() }
    }

    fn compress(&self, value: &[u8]) -> std::io::Result<Vec<u8>> {
        let kept = lock(&self.compressors).pop();
        let mut compressor = match kept {
            Some(compressor) => compressor,
            None => {
                let mut made = Compressor::with_dictionary(LEVEL, &self.bytes)?;
                // The length stands before; what is sealed needs no checksum.
                made.include_contentsize(false)?;
                made.include_dictid(false)?;
                made.include_checksum(false)?;
                made
            }
        };
        let compressed = compressor.compress(value);
        lock(&self.compressors).push(compressor);
        compressed
    }

    fn decompress(&self, text: &[u8], length: usize) -> std::io::Result<Vec<u8>> {
        let kept = lock(&self.decompressors).pop();
        let mut decompressor = match kept {
            Some(decompressor) => decompressor,
            None => Decompressor::with_dictionary(&self.bytes)?,
        };
        let value = decompressor.decompress(text, length);
        lock(&self.decompressors).push(decompressor);
        value
    }
}

impl Compression {
    pub(crate) fn new(dictionary_bytes: usize) -> Compression {
        Compression {
            dictionary_bytes,
            dictionaries: RwLock::default(),
            alone: Dictionary::new(Vec::new()),
            samples: Mutex::default(),
            is_sampling: AtomicBool::new(true),
            trained: Arc::default(),
            is_trained: Arc::default(),
        }
    }

    /// Works with a dictionary that was kept; the last one is for what is written from now on.
    pub fn add(&self, dictionary: Vec<u8>) {
        let mut known = self.dictionaries.write().unwrap_or_else(PoisonError::into_inner);
        known.push(Arc::new(Dictionary::new(dictionary)));
        self.is_sampling.store(known.len() < STAGES.len(), Ordering::Relaxed);
    }

    /// How many dictionaries it works with.
    #[must_use]
    pub fn count(&self) -> usize {
        self.dictionaries.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A dictionary that was trained, once: to be kept, and then added.
    #[must_use]
    pub fn take_trained(&self) -> Option<Vec<u8>> {
        if !self.is_trained.swap(false, Ordering::Acquire) {
            return None;
        }
        lock(&self.trained).take()
    }

    pub(crate) fn compress(&self, value: &[u8]) -> Vec<u8> {
        if self.is_sampling.load(Ordering::Relaxed) {
            self.sample(value);
        }
        let as_is = || [&[AS_IS], value].concat();
        if value.len() < LEAST {
            return as_is();
        }
        let newest = match value.len() <= MOST_WITH_DICTIONARY {
            true => {
                let known = self.dictionaries.read().unwrap_or_else(PoisonError::into_inner);
                known.last().map(|dictionary| (known.len(), Arc::clone(dictionary)))
            }
            false => None,
        };
        let (form, compressed) = match &newest {
            Some((number, dictionary)) => {
                (u8::try_from(number + 1).unwrap_or(ALONE), dictionary.compress(value))
            }
            None => (ALONE, self.alone.compress(value)),
        };
        match compressed {
            Ok(compressed) if compressed.len() + 4 < value.len() => {
                let mut text = Vec::with_capacity(compressed.len() + 6);
                text.push(form);
                write_length(&mut text, value.len() as u64);
                text.extend_from_slice(&compressed);
                text
            }
            _ => as_is(),
        }
    }

    pub(crate) fn decompress(&self, text: &[u8]) -> Result<Vec<u8>, &'static str> {
        let damaged = "a sealed value does not decompress";
        let (form, mut rest) = text.split_first().ok_or(damaged)?;
        if *form == AS_IS {
            return Ok(rest.to_vec());
        }
        let length = read_length(&mut rest).filter(|length| *length <= MAX_LENGTH).ok_or(damaged)?;
        let length = usize::try_from(length).map_err(|_| damaged)?;
        let value = match form.checked_sub(2) {
            None => self.alone.decompress(rest, length),
            Some(number) => {
                let known = self.dictionaries.read().unwrap_or_else(PoisonError::into_inner);
                let dictionary = known.get(usize::from(number)).map(Arc::clone);
                drop(known);
                dictionary.ok_or("the dictionary a sealed value needs is missing")?.decompress(rest, length)
            }
        };
        value.ok().filter(|value| value.len() == length).ok_or(damaged)
    }

    /// Takes a value for a sample; with the last, a thread begins to train.
    fn sample(&self, value: &[u8]) {
        let Some((count, every)) = STAGES.get(self.count()) else { return };
        let mut samples = lock(&self.samples);
        samples.seen += 1;
        if samples.seen.is_multiple_of(*every)
            && (LEAST..MOST_WITH_DICTIONARY / 8).contains(&value.len())
            && samples.bytes < BYTES_FOR_ONE * self.dictionary_bytes
        {
            samples.bytes += value.len();
            samples.values.push(value.to_vec());
        }
        if samples.seen < *count || !self.is_sampling.swap(false, Ordering::Relaxed) {
            return;
        }
        let Samples { values, bytes, .. } = std::mem::take(&mut *samples);
        let bytes = self.dictionary_bytes.min(bytes / BYTES_FOR_ONE_AT_LEAST);
        let (trained, is_trained) = (Arc::clone(&self.trained), Arc::clone(&self.is_trained));
        let train = move || match zstd::dict::from_samples(&values, bytes) {
            Ok(dictionary) => {
                *lock(&trained) = Some(dictionary);
                is_trained.store(true, Ordering::Release);
            }
            // Too little that is alike: values are compressed alone.
            Err(error) => tracing::debug!(%error, "no dictionary was made"),
        };
        if let Err(error) = std::thread::Builder::new().name("dictionary".to_owned()).spawn(train) {
            tracing::warn!(%error, "no dictionary is made");
        }
    }
}

fn write_length(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_length(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(n: usize) -> Vec<u8> {
        format!(
            r#"{{"resourceType":"Observation","id":"{n:016x}","status":"final","code":{{"text":"{}"}}}}"#,
            n * 7919
        )
        .into_bytes()
    }

    #[test]
    fn values_read_back_before_and_after_a_dictionary_is_made() {
        let compression = Compression::new(4 << 10);
        let before = compression.compress(&value(1));
        for n in 0..STAGES[0].0 {
            compression.compress(&value(n));
        }
        let mut trained = None;
        for _ in 0..600 {
            trained = trained.or_else(|| compression.take_trained());
            if trained.is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        compression.add(trained.expect("a dictionary is trained"));
        let after = compression.compress(&value(1));
        assert!(after.len() < before.len(), "{} and {}", after.len(), before.len());
        for text in [&before, &after, &compression.compress(b"short"), &compression.compress(&[7; 1 << 20])] {
            let read = compression.decompress(text).unwrap();
            assert!(read == value(1) || read == b"short" || read == [7; 1 << 20]);
        }
        assert!(Compression::new(4 << 10).decompress(&after).unwrap_err().contains("missing"));
        assert!(
            compression.decompress(&after[..after.len() - 1]).is_err()
                && compression.decompress(&[]).is_err()
        );
    }
}
