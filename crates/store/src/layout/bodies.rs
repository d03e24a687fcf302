//! The text of every version: family `bodies`.
//!
//! | key | value |
//! |---|---|
//! | person (5), type's number (1), resource (5), place, later first (5) | see below |
//!
//! | bytes | what |
//! |---|---|
//! | 1 | kind: 0, 1, 2 the splice's kind; 3 a deletion; 4 a body that was destroyed |
//! | n | varint: the version's number |
//! | 1 | how it was written: 0 created, 1 updated |
//! | n | varint: the commit's instant, microseconds since 1970 |
//! | 16 | *kinds 0–2*: the nonce of the keyed hash in the log |
//! | n | *kinds 0–2*: varint: the splice's place |
//! | n | *kinds 0–2*: the text; *kind 4*: what stays of it (`remains.rs`) |
//!
//! One person's record is one range. The key is that of the version in `rows`. Written with the commit; the text is
//! compressed by the engine, block by block with a dictionary a file, since neighbours are much alike.

use fhir::body::Splice;
use fhir::date_time::Micros;

use crate::error::{Error, corrupt};
use crate::numbers::{read_varint, write_varint};

const DELETION: u8 = 3;
const DESTROYED: u8 = 4;

/// Bytes of a nonce.
pub(crate) const NONCE_BYTES: usize = 16;

/// A version as it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Version<'a> {
    /// From 1.
    pub(crate) version: u64,
    /// Whether it is the first after nothing or a deletion.
    pub(crate) is_creation: bool,
    /// When it was recorded: microseconds since 1970 UTC.
    pub(crate) instant: Micros,
    pub(crate) content: Content<'a>,
}

/// What a version holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content<'a> {
    /// Nothing: the resource was deleted.
    Deletion,
    /// Nothing any more: it was destroyed. What stays of it ([`super::remains`]).
    Destroyed { remains: &'a [u8] },
    /// A text.
    Text { nonce: &'a [u8; NONCE_BYTES], splice: Splice, text: &'a str },
}

impl<'a> Version<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let length = if let Content::Text { text, .. } = self.content { text.len() } else { 0 };
        let mut value = Vec::with_capacity(length + 32);
        value.push(match self.content {
            Content::Deletion => DELETION,
            Content::Destroyed { .. } => DESTROYED,
            Content::Text { splice, .. } => splice.kind(),
        });
        write_varint(&mut value, self.version);
        value.push(u8::from(!self.is_creation));
        write_varint(&mut value, self.instant.cast_unsigned());
        if let Content::Text { nonce, splice, text } = self.content {
            value.extend_from_slice(nonce);
            write_varint(&mut value, u64::from(splice.at()));
            value.extend_from_slice(text.as_bytes());
        }
        if let Content::Destroyed { remains } = self.content {
            value.extend_from_slice(remains);
        }
        value
    }

    pub(crate) fn decode(value: &'a [u8]) -> Result<Version<'a>, Error> {
        Self::read(value).ok_or_else(|| corrupt("a body (family bodies)", "it does not parse"))
    }

    fn read(value: &'a [u8]) -> Option<Version<'a>> {
        let (kind, mut rest) = value.split_first()?;
        let version = read_varint(&mut rest)?;
        let (how, mut rest) = rest.split_first()?;
        let instant = read_varint(&mut rest)?.cast_signed();
        let content = match *kind {
            DELETION => Content::Deletion,
            DESTROYED => Content::Destroyed { remains: rest },
            kind => {
                let (nonce, tail) = rest.split_first_chunk::<NONCE_BYTES>()?;
                rest = tail;
                let at = u32::try_from(read_varint(&mut rest)?).ok()?;
                let text = std::str::from_utf8(rest).ok()?;
                if at as usize > text.len() {
                    return None;
                }
                Content::Text { nonce, splice: Splice::from_kind(kind, at)?, text }
            }
        };
        Some(Version { version, is_creation: *how == 0, instant, content })
    }
}
