//! The log: family `log`, the truth everything else is folded from.
//!
//! | key | value |
//! |---|---|
//! | place (8) | chain (32), entry |
//!
//! The chain is the BLAKE3 hash of the previous entry's chain and this entry's bytes; the first entry's previous chain
//! is 32 zeros. The entry is the format's number (1) and [`Entry`], postcard.
//!
//! An entry has commands, not states: operation, type, id, preconditions, a keyed hash and the size of each body, and
//! the circumstances. The hash is BLAKE3 keyed with a nonce that stands with the body: without the body it says nothing
//! about what the body said, so a body can be destroyed and the chain stays whole, with a gap that has a name.
//!
//! What the fold decided (version numbers, what a conditional reference resolved to) is recorded beside the commands.
//! Replaying decides anew; `doctor` compares.

use serde::{Deserialize, Serialize};

use crate::error::{Error, corrupt};
use crate::numbers::{PackedId, Place, ResourceNumber};

/// Bytes of a chain value.
pub const CHAIN_BYTES: usize = 32;
/// Bytes of a body's keyed hash.
pub const HASH_BYTES: usize = 16;

const FORMAT: u8 = 1;

/// What the fold depends on beside the entries; the first entry of every log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// What is indexed under which number (`search::Parameters::fingerprint`).
    pub parameters: u64,
    /// Where dates without zone lie (IANA name).
    pub zone: String,
}

/// Who wrote, for whom, why and by what means. All empty where there is no authorisation.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Circumstances {
    /// Who wrote.
    pub author: Option<String>,
    /// For which organisation.
    pub organisation: Option<String>,
    /// On behalf of whom.
    pub on_behalf_of: Option<String>,
    /// By which program.
    pub client: Option<String>,
    /// To what purpose.
    pub purpose: Option<String>,
    /// Through which door (`rest`, `import`, `demo` …).
    pub channel: Option<String>,
    /// Under which request id.
    pub request_id: Option<String>,
}

impl Circumstances {
    /// The names a search for commits uses, in the order of [`Circumstances::fields`].
    pub const NAMES: [&'static str; 7] =
        ["_author", "_organization", "_onBehalfOf", "_client", "_purpose", "_channel", "_requestId"];

    /// The circumstances in order.
    #[must_use]
    pub fn fields(&self) -> [Option<&str>; 7] {
        [
            self.author.as_deref(),
            self.organisation.as_deref(),
            self.on_behalf_of.as_deref(),
            self.client.as_deref(),
            self.purpose.as_deref(),
            self.channel.as_deref(),
            self.request_id.as_deref(),
        ]
    }
}

/// What a command did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Operation {
    /// A resource that did not exist.
    Create,
    /// A further version.
    Update,
    /// An end.
    Delete,
    /// A further version whose tags and security labels are just those it says.
    Replace,
    /// The texts of versions up to the one named are no more. Makes no version.
    Destroy,
}

/// A command, as accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Command {
    /// What it did.
    pub operation: Operation,
    /// The type's number.
    pub type_number: u8,
    /// The id.
    pub id: PackedId,
    /// The version it required (`If-Match`).
    pub if_match: Option<u64>,
    /// The search it was conditional on: it found nothing, or only what was updated or deleted.
    pub criteria: Option<String>,
    /// Conditional references, and what each resolved to (type's number, id).
    pub resolved: Vec<(String, u8, PackedId)>,
    /// The body's keyed hash and size; none for a deletion.
    pub body: Option<([u8; HASH_BYTES], u32)>,
    /// The resource's number.
    pub resource: ResourceNumber,
    /// Whose record the body is kept in.
    pub person: ResourceNumber,
    /// The version's number; of a destruction, that of the last version it concerns.
    pub version: u64,
}

/// What an entry does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Content {
    /// States what the fold depends on.
    Settings(Settings),
    /// Writes resources.
    Transaction(Vec<Command>),
}

/// An entry of the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When, in microseconds since 1970 UTC; greater than the entry's before.
    pub instant: i64,
    /// Who, for whom, why, by what means.
    pub circumstances: Circumstances,
    /// The key under which it is done only once.
    pub once: Option<[u8; 16]>,
    /// What it does.
    pub content: Content,
}

pub(crate) fn key(place: Place) -> [u8; 8] {
    place.0.to_be_bytes()
}

pub(crate) fn read_key(key: &[u8]) -> Place {
    Place(key.iter().take(8).fold(0, |sum, b| sum << 8 | u64::from(*b)))
}

impl Entry {
    /// Its bytes, without the chain.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        // Serialising plain data into a vector cannot fail.
        bytes.extend(postcard::to_stdvec(self).unwrap_or_default());
        bytes
    }

    /// Chain and entry of a stored value.
    pub(crate) fn decode(place: Place, value: &[u8]) -> Result<([u8; CHAIN_BYTES], Entry), Error> {
        let name = || format!("entry {place} of the log");
        let (chain, bytes) = value
            .split_first_chunk::<CHAIN_BYTES>()
            .ok_or_else(|| Error::Corrupt { place: name(), finding: "it is cut short".to_owned() })?;
        match bytes.split_first() {
            Some((&FORMAT, rest)) => {
                let entry = postcard::from_bytes(rest).map_err(|e| Error::Corrupt {
                    place: name(),
                    finding: format!("it does not parse: {e}"),
                })?;
                Ok((*chain, entry))
            }
            Some((other, _)) => {
                Err(Error::Corrupt { place: name(), finding: format!("it has the unknown format {other}") })
            }
            None => Err(corrupt(&name(), "it is empty")),
        }
    }
}

/// An entry's chain value.
pub(crate) fn chain(previous: &[u8; CHAIN_BYTES], entry: &[u8]) -> [u8; CHAIN_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous);
    hasher.update(entry);
    *hasher.finalize().as_bytes()
}

/// A body's keyed hash.
pub(crate) fn body_hash(nonce: &[u8; 16], text: &str) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(nonce);
    hasher.update(text.as_bytes());
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..HASH_BYTES]);
    hash
}
