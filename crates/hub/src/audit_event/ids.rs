//! Ids of AuditEvents: of the ledger or the log, a number there, and the number of the person it is told to.
//!
//! * Plain: `ledger-42`, `log-7-1`. For who is told of all.
//! * Sealed: `ledger-` and 45 letters and digits. Two of them do not say how much lies between, and no other can be made up. The same
//!   event has the same id each time, also after the hub was started anew, for an id is what others remember it by.
//!
//! The seal is a synthetic initialisation vector, as in RFC 5297, of BLAKE3: 16 bytes of a keyed hash of what is sealed prove
//! it, and a key stream made from them hides it. Its keys are derived from the ledger's, so it is in no backup of the record.

use data_encoding::{Encoding, Specification};
use ledger::Ledger;

/// What is sealed: where it is kept, a number, and the number of a person.
const PLAIN: usize = 12;
/// What proves it.
const PROOF: usize = 16;

/// Where what an AuditEvent tells is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// In the ledger.
    Ledger,
    /// In the log.
    Log,
}

impl Kept {
    fn word(self) -> &'static str {
        match self {
            Kept::Ledger => "ledger",
            Kept::Log => "log",
        }
    }
}

/// How ids are written for somebody.
pub(super) struct Ids {
    key: [u8; 32],
    is_plain: bool,
}

/// Letters and digits an id of FHIR may have.
fn letters() -> Option<Encoding> {
    let mut letters = Specification::new();
    letters.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    letters.encoding().ok()
}

impl Ids {
    /// For who is told of all; sealed ids that somebody hands on are read too.
    pub(super) fn plain(ledger: &Ledger) -> Ids {
        Ids { is_plain: true, ..Ids::sealed(ledger) }
    }

    /// For who is told of a person.
    pub(super) fn sealed(ledger: &Ledger) -> Ids {
        Ids { key: ledger.derived_key("yojigen 2026-11 ids of audit events"), is_plain: false }
    }

    /// Whether they say their numbers.
    pub(super) fn are_plain(&self) -> bool {
        self.is_plain
    }

    /// The id of an event, or of what it tells one person.
    pub(super) fn write(&self, kept: Kept, number: u64, at: Option<usize>) -> String {
        let word = kept.word();
        let Some(letters) = letters().filter(|_| !self.is_plain) else {
            return match at {
                Some(at) => format!("{word}-{number}-{at}"),
                None => format!("{word}-{number}"),
            };
        };
        let at = at.map_or(u32::MAX, |at| u32::try_from(at).unwrap_or(u32::MAX - 1));
        let mut hidden = [0; PLAIN];
        hidden[..8].copy_from_slice(&number.to_be_bytes());
        hidden[8..].copy_from_slice(&at.to_be_bytes());
        let proof = self.proof(kept, &hidden);
        self.mix(&proof, &mut hidden);
        format!("{word}-{}", letters.encode(&[proof.as_slice(), &hidden].concat()))
    }

    /// What an id says; none if it is no id that whoever asks has been given.
    pub(super) fn read(&self, id: &str) -> Option<(Kept, u64, Option<usize>)> {
        let (word, rest) = id.split_once('-')?;
        let kept = [Kept::Ledger, Kept::Log].into_iter().find(|kept| kept.word() == word)?;
        if self.is_plain && rest.starts_with(|c: char| c.is_ascii_digit()) && rest.len() < 40 {
            let mut parts = rest.split('-');
            let number = parts.next()?.parse().ok()?;
            let at = parts.next().map(str::parse).transpose().ok()?;
            return parts.next().is_none().then_some((kept, number, at));
        }
        let bytes = letters()?.decode(rest.as_bytes()).ok().filter(|bytes| bytes.len() == PROOF + PLAIN)?;
        let (proof, hidden) = bytes.split_first_chunk::<PROOF>()?;
        let mut plain: [u8; PLAIN] = hidden.try_into().ok()?;
        self.mix(proof, &mut plain);
        if self.proof(kept, &plain) != *proof {
            return None;
        }
        let (number, at) = (plain.first_chunk().copied()?, plain.last_chunk().copied()?);
        let at = Some(u32::from_be_bytes(at)).filter(|at| *at != u32::MAX);
        Some((kept, u64::from_be_bytes(number), at.and_then(|at| usize::try_from(at).ok())))
    }

    fn hasher(&self, of: &[u8]) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(of);
        hasher
    }

    fn proof(&self, kept: Kept, plain: &[u8; PLAIN]) -> [u8; PROOF] {
        let mut hasher = self.hasher(b"proof");
        hasher.update(kept.word().as_bytes()).update(&[0]).update(plain);
        hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// Hides, and shows again.
    fn mix(&self, proof: &[u8; PROOF], text: &mut [u8; PLAIN]) {
        let stream = self.hasher(b"stream").update(proof).finalize();
        text.iter_mut().zip(stream.as_bytes()).for_each(|(byte, mask)| *byte ^= mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAINLY: Ids = Ids { key: [7; 32], is_plain: true };
    const SEALED: Ids = Ids { key: [7; 32], is_plain: false };

    #[test]
    fn own_ids_are_told_from_others() {
        assert_eq!(PLAINLY.read("ledger-42"), Some((Kept::Ledger, 42, None)));
        assert_eq!(PLAINLY.read("log-7-1"), Some((Kept::Log, 7, Some(1))));
        assert_eq!(PLAINLY.write(Kept::Ledger, 4, Some(0)), "ledger-4-0");
        for other in ["ledger", "ledger-", "ledger-x", "log-1-2-3", "other-1", "ledger-1-", "1"] {
            assert_eq!(PLAINLY.read(other), None, "{other}");
        }
    }

    #[test]
    fn a_sealed_id_says_nothing_and_lasts() {
        let cases = [(Kept::Ledger, 42, Some(3)), (Kept::Log, 7, None), (Kept::Log, u64::MAX, Some(0))];
        for (kept, number, at) in cases {
            let id = SEALED.write(kept, number, at);
            assert!(id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{id}");
            assert_eq!(id, SEALED.write(kept, number, at));
            for ids in [&SEALED, &PLAINLY] {
                assert_eq!(ids.read(&id), Some((kept, number, at)));
            }
            // Of another hub, of the other book, with a letter changed, and plain: nothing.
            assert_eq!(Ids { key: [8; 32], is_plain: false }.read(&id), None);
            let swapped = id.replace("ledger-", "x-").replace("log-", "ledger-").replace("x-", "log-");
            assert_eq!(SEALED.read(&swapped), None);
            for at in id.find('-').unwrap() + 1..id.len() {
                let letter = if &id[at..=at] == "0" { "1" } else { "0" };
                let changed = format!("{}{letter}{}", &id[..at], &id[at + 1..]);
                assert_eq!(SEALED.read(&changed), None, "{changed}");
            }
        }
        assert_eq!(SEALED.read("ledger-42-1"), None);
        // Neighbours have nothing in common.
        let (one, next) = (SEALED.write(Kept::Ledger, 1, Some(1)), SEALED.write(Kept::Ledger, 2, Some(1)));
        let same = one.bytes().zip(next.bytes()).skip(7).filter(|(a, b)| a == b).count();
        assert!(same < 12, "{one} {next}");
    }
}
