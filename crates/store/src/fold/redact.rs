//! Taking texts out of earlier entries of the log: a person's name or number in a search that decided about a write.
//!
//! It is an entry of its own, which says of each entry what was taken out and what its bytes are since then. What is folded
//! from the texts (commits by a circumstance, keys of things done once) goes with them. Folding the log anew meets entries
//! that have lost their texts already, and, in a backup taken before, entries that lose them now: both come out the same.

use fhir::date_time::Micros;

use super::transaction::Transaction;
use super::{Fold, read_entry};
use crate::engine::{Engine, Family};
use crate::error::{Error, corrupt};
use crate::layout::log::{self, CHAIN_BYTES, Circumstances, Content, Entry, Part, Redaction};
use crate::layout::{circumstances, once};
use crate::numbers::Place;
use crate::proposal::Outcome;

impl Fold {
    /// Takes texts out of entries (not yet synced).
    pub(crate) fn redact(
        &mut self,
        engine: &Engine,
        circumstances: Circumstances,
        wanted: Vec<(Place, Vec<Part>)>,
        now: Micros,
    ) -> Result<Outcome, Error> {
        let instant = now.max(self.last_instant.saturating_add(1));
        let wanted = wanted.into_iter().map(|(place, parts)| (place, parts, None)).collect();
        self.apply_redaction(engine, circumstances, wanted, instant)
    }

    /// The same when the log is folded anew.
    pub(crate) fn redact_again(
        &mut self,
        engine: &Engine,
        circumstances: Circumstances,
        redactions: Vec<Redaction>,
        instant: Micros,
    ) -> Result<Outcome, Error> {
        let wanted = redactions.into_iter().map(|r| (r.place, r.parts, Some(r.hash))).collect();
        self.apply_redaction(engine, circumstances, wanted, instant)
    }

    fn apply_redaction(
        &mut self,
        engine: &Engine,
        circumstances: Circumstances,
        wanted: Vec<(Place, Vec<Part>, Option<[u8; CHAIN_BYTES]>)>,
        instant: Micros,
    ) -> Result<Outcome, Error> {
        let mut transaction = Transaction::new(self, engine, instant)?;
        let by = transaction.place;
        let mut redactions = Vec::with_capacity(wanted.len());
        for (place, parts, known) in wanted {
            let hash = transaction.take_out(place, &parts, known)?;
            redactions.push(Redaction { place, parts, hash });
        }
        let content = Content::Redaction(redactions);
        transaction.append(&Entry { instant, circumstances, once: None, content, redacted_by: None });
        let done = transaction.finish();
        engine.write(done.batch)?;
        self.accept(done.changes);
        Ok(Outcome { place: Some(by), instant, is_repeated: false, commands: Vec::new() })
    }
}

impl Transaction<'_> {
    /// Takes texts out of an entry. The hash of what is left.
    fn take_out(
        &mut self,
        place: Place,
        parts: &[Part],
        known: Option<[u8; CHAIN_BYTES]>,
    ) -> Result<[u8; CHAIN_BYTES], Error> {
        let (chain, mut entry) = read_entry(&self.view, place)?;
        if let (Some(hash), Some(_)) = (known, entry.redacted_by.filter(|by| *by > self.place)) {
            // A later redaction has been here: it says what is left.
            return Ok(hash);
        }
        for part in parts {
            match *part {
                Part::Once => {
                    if let Some(key) = entry.once.map(|key| once::key(&key))
                        && self.view.get(Family::State, &key)?.is_some_and(|of| once::decode(&of) == place)
                    {
                        self.delete(Family::State, key);
                    }
                }
                Part::Circumstance(field) => {
                    if let Some(text) =
                        entry.circumstances.fields().get(usize::from(field)).copied().flatten()
                    {
                        self.delete(Family::State, circumstances::key(field, text, place));
                    }
                }
                Part::Criteria(_) | Part::Resolved(..) => {}
            }
        }
        entry.redact(parts, self.place);
        let hash = entry.redacted_hash();
        if known.is_some_and(|known| known != hash) {
            return Err(corrupt(
                &format!("entry {place} of the log"),
                format!("what is left of it is not what entry {} says", self.place),
            ));
        }
        self.put(Family::Log, log::key(place), [chain.as_slice(), &entry.encode()].concat());
        Ok(hash)
    }
}
