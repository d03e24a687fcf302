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
//!
//! The texts of searches that decided about a command name persons, too. A [`Redaction`], which is an entry of the log, takes
//! them out of earlier entries. Such an entry keeps its chain value and begins with another number (2) and, as a varint, the
//! place of the redaction, which has the hash of what is left: the chain goes on, and the gap has a name. So that a chain value
//! does not give away a text that is gone, each such text ends with a [`salt`], which goes with it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, corrupt};
use crate::numbers::{PackedId, Place, ResourceNumber, read_varint, write_varint};

/// Bytes of a chain value.
pub const CHAIN_BYTES: usize = 32;
/// Bytes of a body's keyed hash.
pub const HASH_BYTES: usize = 16;

const FORMAT: u8 = 1;
/// The number of an entry that texts were taken out of.
const REDACTED: u8 = 2;
/// What stands in the place of a text that was taken out.
const TAKEN_OUT: &str = "(erased)";
/// Stands before a salt: no search has it.
const SALTED: char = '#';

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

    fn fields_mut(&mut self) -> [&mut Option<String>; 7] {
        [
            &mut self.author,
            &mut self.organisation,
            &mut self.on_behalf_of,
            &mut self.client,
            &mut self.purpose,
            &mut self.channel,
            &mut self.request_id,
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
    /// Takes texts out of earlier entries.
    Redaction(Vec<Redaction>),
}

/// A text of an entry that can be taken out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Part {
    /// The key under which it was done once.
    Once,
    /// A circumstance, by its number in [`Circumstances::NAMES`].
    Circumstance(u8),
    /// The search a command was conditional on: the command's index.
    Criteria(u32),
    /// A conditional reference of a command: the command's index, and which.
    Resolved(u32, u32),
}

/// What is taken out of an entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Redaction {
    /// Of which one.
    pub place: Place,
    /// What.
    pub parts: Vec<Part>,
    /// BLAKE3 of the entry's bytes as they are then.
    pub hash: [u8; CHAIN_BYTES],
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
    /// The entry that took texts out of it, if one did.
    #[serde(skip)]
    pub redacted_by: Option<Place>,
}

pub(crate) fn key(place: Place) -> [u8; 8] {
    place.0.to_be_bytes()
}

pub(crate) fn read_key(key: &[u8]) -> Place {
    Place(key.iter().take(8).fold(0, |sum, b| sum << 8 | u64::from(*b)))
}

impl Entry {
    /// Whether it takes something away from what came before it.
    pub(crate) fn destroys(&self) -> bool {
        match &self.content {
            Content::Settings(_) => false,
            Content::Transaction(commands) => commands.iter().any(|c| c.operation == Operation::Destroy),
            Content::Redaction(_) => true,
        }
    }

    /// Its bytes, without the chain.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        if let Some(by) = self.redacted_by {
            bytes = vec![REDACTED];
            write_varint(&mut bytes, by.0);
        }
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
            Some((&number @ (FORMAT | REDACTED), mut rest)) => {
                let by = (number == REDACTED).then(|| read_varint(&mut rest).map(Place));
                let mut entry: Entry = postcard::from_bytes(rest).map_err(|e| Error::Corrupt {
                    place: name(),
                    finding: format!("it does not parse: {e}"),
                })?;
                entry.redacted_by = by.flatten();
                Ok((*chain, entry))
            }
            Some((other, _)) => {
                Err(Error::Corrupt { place: name(), finding: format!("it has the unknown format {other}") })
            }
            None => Err(corrupt(&name(), "it is empty")),
        }
    }
}

impl Entry {
    /// Takes texts out of it.
    pub(crate) fn redact(&mut self, parts: &[Part], by: Place) {
        for part in parts {
            match *part {
                Part::Once => self.once = None,
                Part::Circumstance(field) => {
                    if let Some(text) = self.circumstances.fields_mut().into_iter().nth(usize::from(field)) {
                        *text = None;
                    }
                }
                Part::Criteria(index) => {
                    if let Some(criteria) = self.command_mut(index).and_then(|c| c.criteria.as_mut()) {
                        TAKEN_OUT.clone_into(criteria);
                    }
                }
                Part::Resolved(index, which) => {
                    let resolved = self.command_mut(index).and_then(|c| c.resolved.get_mut(which as usize));
                    if let Some((text, ..)) = resolved {
                        TAKEN_OUT.clone_into(text);
                    }
                }
            }
        }
        self.redacted_by = Some(by);
    }

    fn command_mut(&mut self, index: u32) -> Option<&mut Command> {
        match &mut self.content {
            Content::Transaction(commands) => commands.get_mut(index as usize),
            Content::Settings(_) | Content::Redaction(_) => None,
        }
    }

    /// What a redaction says of it when it has taken out what it takes.
    pub(crate) fn redacted_hash(&self) -> [u8; CHAIN_BYTES] {
        *blake3::hash(&self.encode()).as_bytes()
    }
}

/// A text of an entry with its salt.
pub(crate) fn salted(text: &str, nonce: &[u8; 16]) -> String {
    format!("{text}{SALTED}{}", data_encoding::BASE64URL_NOPAD.encode(nonce))
}

/// A text of an entry without its salt; as people read it.
#[must_use]
pub fn unsalted(text: &str) -> &str {
    text.rsplit_once(SALTED).map_or(text, |(text, _)| text)
}

/// Whether a text was taken out.
#[must_use]
pub fn is_taken_out(text: &str) -> bool {
    text == TAKEN_OUT
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_out_is_in_no_byte_and_the_rest_is_as_it_was() {
        let command = Command {
            operation: Operation::Create,
            type_number: 7,
            id: PackedId::new("o"),
            if_match: None,
            criteria: Some(salted("identifier=s|7391", &[9; 16])),
            resolved: vec![(salted("Patient?identifier=7391", &[8; 16]), 3, PackedId::new("p"))],
            body: Some(([1; HASH_BYTES], 10)),
            resource: ResourceNumber(5),
            person: ResourceNumber(4),
            version: 1,
        };
        let mut entry = Entry {
            instant: 5,
            circumstances: Circumstances {
                request_id: Some("r7391".to_owned()),
                channel: Some("rest".to_owned()),
                ..Circumstances::default()
            },
            once: Some([3; 16]),
            content: Content::Transaction(vec![command.clone()]),
            redacted_by: None,
        };
        let stored = |entry: &Entry| [[0; CHAIN_BYTES].as_slice(), &entry.encode()].concat();
        assert_eq!(entry.encode()[0], FORMAT, "an entry as it always was");
        assert_eq!(Entry::decode(Place(1), &stored(&entry)).unwrap().1, entry);
        let parts = [Part::Once, Part::Circumstance(6), Part::Criteria(0), Part::Resolved(0, 0)];
        entry.redact(&parts, Place(300));
        let hash = entry.redacted_hash();
        let (_, read) = Entry::decode(Place(1), &stored(&entry)).unwrap();
        assert_eq!(read, entry);
        assert!(!stored(&read).windows(4).any(|w| w == b"7391"));
        assert_eq!((read.once, read.redacted_by), (None, Some(Place(300))));
        assert_eq!(read.circumstances.channel.as_deref(), Some("rest"));
        let Content::Transaction(commands) = &read.content else { panic!("{read:?}") };
        assert_eq!((&commands[0].id, commands[0].body), (&command.id, command.body));
        // Taking out again what is gone changes nothing; parts that are not there are none.
        entry.redact(&[Part::Criteria(0), Part::Criteria(9), Part::Resolved(0, 4)], Place(300));
        assert_eq!(entry.redacted_hash(), hash);
        assert!(is_taken_out(commands[0].criteria.as_deref().unwrap()));
        assert_eq!(unsalted(&command.criteria.unwrap()), "identifier=s|7391");
    }
}
