//! A backup's files: a zstd stream of records, each a length (4, big-endian) and, in postcard, the log's value at one place (chain
//! and entry, `layout::log`) with the bodies of its commands (`layout::bodies`), in the order of the log. Where the backup is sealed, so
//! is the stream (`sealing::stream`), for the place it begins at.

use std::fs::File;
use std::io::{BufReader, Read, Write};

use data_encoding::HEXLOWER;
use fhir::date_time::Micros;
use sealing::FileKey;
use sealing::stream::{Opener, Sealer};
use serde::{Deserialize, Serialize};
use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

use super::shelf::{Shelf, damaged, hash};
use super::{Segment, Until};
use crate::error::Error;
use crate::layout::log::{CHAIN_BYTES, Entry};
use crate::numbers::Place;
use crate::replay::{Logged, Source};

/// A record longer than this is not read: a transaction's bodies are bounded.
const MAX_RECORD: usize = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Record {
    /// Chain and entry as the log has them.
    value: Vec<u8>,
    /// The bodies of the entry's commands, for those that have one.
    bodies: Vec<Option<Vec<u8>>>,
}

/// What a segment is sealed for: another one does not open in its place.
fn purpose(from: u64) -> String {
    format!("yojigen backup: segment from {from}")
}

/// Where a segment's stream goes.
enum Out {
    Clear(File),
    Sealed(Box<Sealer<File>>),
}

impl Out {
    fn begin(file: File, from: Place, key: Option<&FileKey>) -> std::io::Result<Out> {
        Ok(match key {
            Some(key) => Out::Sealed(Box::new(Sealer::new(file, key, &purpose(from.0))?)),
            None => Out::Clear(file),
        })
    }

    fn finish(self) -> std::io::Result<File> {
        match self {
            Out::Clear(file) => Ok(file),
            Out::Sealed(sealer) => sealer.finish(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Out::Clear(file) => file.write(bytes),
            Out::Sealed(sealer) => sealer.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Out::Clear(file) => file.flush(),
            Out::Sealed(sealer) => sealer.flush(),
        }
    }
}

/// A segment that is being made.
pub(super) struct SegmentWriter<'s> {
    shelf: &'s dyn Shelf,
    out: Encoder<'static, Out>,
    is_sealed: bool,
    from: Place,
    to: Place,
    until: Micros,
    chain: [u8; CHAIN_BYTES],
    /// Bytes before compression.
    pub(super) written: u64,
}

impl<'s> SegmentWriter<'s> {
    pub(super) fn begin(
        shelf: &'s dyn Shelf,
        from: Place,
        key: Option<&FileKey>,
    ) -> Result<SegmentWriter<'s>, Error> {
        let file = shelf.stage()?;
        let out = Out::begin(file, from, key).and_then(|out| Encoder::new(out, 3));
        let out = out.map_err(|e| shelf.staging_failed(&e))?;
        Ok(SegmentWriter {
            shelf,
            out,
            is_sealed: key.is_some(),
            from,
            to: from,
            until: 0,
            chain: [0; CHAIN_BYTES],
            written: 0,
        })
    }

    pub(super) fn add(&mut self, logged: Logged) -> Result<(), Error> {
        (self.to, self.until, self.chain) = (logged.place, logged.entry.instant, logged.chain);
        let value = [logged.chain.as_slice(), &logged.entry.encode()].concat();
        let record = postcard::to_stdvec(&Record { value, bodies: logged.bodies })
            .map_err(|e| Error::Engine(e.to_string()))?;
        let length =
            u32::try_from(record.len()).map_err(|_| Error::Engine("a record is too long".to_owned()))?;
        let write = |out: &mut Encoder<'static, Out>| {
            out.write_all(&length.to_be_bytes())?;
            out.write_all(&record)
        };
        write(&mut self.out).map_err(|e| self.shelf.staging_failed(&e))?;
        self.written += record.len() as u64 + 4;
        Ok(())
    }

    /// Puts it on the shelf.
    pub(super) fn finish(self) -> Result<Segment, Error> {
        self.finish_as(false)
    }

    /// Puts it on the shelf, beside the one it stands in for.
    pub(super) fn finish_instead(self) -> Result<Segment, Error> {
        self.finish_as(true)
    }

    fn finish_as(self, is_rewritten: bool) -> Result<Segment, Error> {
        let mut file = self.out.finish().and_then(Out::finish).map_err(|e| self.shelf.staging_failed(&e))?;
        let (bytes, blake3) = hash(&mut file).map_err(|e| self.shelf.staging_failed(&e))?;
        // What is rewritten has its own contents in its name: the old file and the new one stand side by side for a while.
        let own = if is_rewritten { format!(".{}", &blake3[..16]) } else { String::new() };
        let segment = Segment {
            file: format!(
                "{:012}-{:012}{own}.{}",
                self.from.0,
                self.to.0,
                if self.is_sealed { "sealed" } else { "zst" }
            ),
            from: self.from.0,
            to: self.to.0,
            until: self.until,
            bytes,
            blake3,
            chain: HEXLOWER.encode(&self.chain),
        };
        self.shelf.keep(file, &segment)?;
        Ok(segment)
    }
}

/// Where a segment's stream comes from.
enum In {
    Clear(File),
    Sealed(Box<Opener<BufReader<File>>>),
}

impl Read for In {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        match self {
            In::Clear(file) => file.read(out),
            In::Sealed(opener) => opener.read(out),
        }
    }
}

/// The log of a backup, up to where it is wanted.
pub(super) struct BackupSource<'b> {
    shelf: &'b dyn Shelf,
    segments: std::slice::Iter<'b, Segment>,
    key: Option<FileKey>,
    current: Option<(&'b Segment, Decoder<'static, BufReader<In>>)>,
    place: u64,
    until: Until,
}

impl<'b> BackupSource<'b> {
    pub(super) fn new(
        shelf: &'b dyn Shelf,
        segments: &'b [Segment],
        until: Until,
        key: Option<FileKey>,
    ) -> BackupSource<'b> {
        BackupSource::starting(shelf, segments, until, key, Place(0))
    }

    /// The same of segments that begin after a place.
    pub(super) fn starting(
        shelf: &'b dyn Shelf,
        segments: &'b [Segment],
        until: Until,
        key: Option<FileKey>,
        after: Place,
    ) -> BackupSource<'b> {
        BackupSource { shelf, segments: segments.iter(), key, current: None, place: after.0, until }
    }
}

impl Source for BackupSource<'_> {
    fn next(&mut self) -> Result<Option<Logged>, Error> {
        if matches!(self.until, Until::Place(last) if self.place >= last.0) {
            return Ok(None);
        }
        loop {
            let Some((segment, reader)) = &mut self.current else {
                let Some(segment) = self.segments.next() else { return Ok(None) };
                let file = self.shelf.open(segment)?;
                let source = match &self.key {
                    Some(key) => Opener::new(BufReader::new(file), key, &purpose(segment.from))
                        .map(|opener| In::Sealed(Box::new(opener))),
                    None => Ok(In::Clear(file)),
                };
                let reader = source
                    .and_then(Decoder::new)
                    .map_err(|e| damaged(self.shelf, segment, &e.to_string()))?;
                self.current = Some((segment, reader));
                continue;
            };
            let damaged = |finding: &str| damaged(self.shelf, segment, finding);
            let mut length = [0; 4];
            match reader.read_exact(&mut length) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    if self.place != segment.to {
                        return Err(damaged("it ends too early"));
                    }
                    self.current = None;
                    continue;
                }
                Err(error) => return Err(damaged(&error.to_string())),
            }
            let length = u32::from_be_bytes(length) as usize;
            if length > MAX_RECORD {
                return Err(damaged("a record is longer than any that is written"));
            }
            let mut bytes = vec![0; length];
            reader.read_exact(&mut bytes).map_err(|e| damaged(&e.to_string()))?;
            let record: Record = postcard::from_bytes(&bytes).map_err(|e| damaged(&e.to_string()))?;
            self.place += 1;
            let place = Place(self.place);
            let (chain, entry) = Entry::decode(place, &record.value)?;
            if matches!(self.until, Until::Moment(moment) if entry.instant > moment) {
                return Ok(None);
            }
            return Ok(Some(Logged { place, chain, entry, bodies: record.bodies }));
        }
    }
}
