//! References to what is not there: noted, told, or refused.

use fhir::{IssueType, r4};

use super::transaction::{Transaction, reject};
use super::type_of;
use crate::engine::Family;
use crate::error::Error;
use crate::layout::broken;
use crate::layout::heads::State;
use crate::numbers::PackedId;
use crate::proposal::{CommandOutcome, Effect, Reason, Rejection};
use crate::references::{ReferencePolicy, referrers};

/// Who refers to a resource is told of so many.
const NAMED: usize = 5;

fn name(type_number: u8, id: &PackedId) -> String {
    format!("{}/{}", r4().type_name(type_of(type_number)), id.unpack())
}

impl Transaction<'_> {
    /// Notes what the transaction leaves referring to nothing: for the list of such references always (so that a replay
    /// makes the same rows), for the answer and the decision as the policy says.
    pub(super) fn note_broken(
        &mut self,
        outcomes: &mut [CommandOutcome],
        is_decided_now: bool,
    ) -> Result<(), Rejection> {
        let policy = self.fold.references;
        if is_decided_now && policy == ReferencePolicy::Refuse && !self.may_break_references {
            self.check_deletions(outcomes)?;
        }
        let mut referred = std::mem::take(&mut self.referred);
        referred.sort_unstable();
        referred.dedup();
        let mut last: Option<(u8, PackedId, Option<String>)> = None;
        for (type_number, id, index) in referred {
            if last.as_ref().is_none_or(|(t, known, _)| (*t, known) != (type_number, &id)) {
                let is_live = self.is_live(type_number, &id)?;
                if !is_live {
                    self.put(Family::State, broken::key(type_number, &id), []);
                }
                // What the writer may not see is not there for them.
                let is_there = is_live
                    && match self.known(type_number, &id)? {
                        Some(number) => self.is_seen(type_number, number)?,
                        None => false,
                    };
                let missing = (!is_there).then(|| name(type_number, &id));
                last = Some((type_number, id, missing));
            }
            let Some((_, _, Some(missing))) = &last else { continue };
            if is_decided_now && policy == ReferencePolicy::Refuse {
                let message = format!(
                    "it refers to {missing}, which is not there; write that first, or in the same transaction"
                );
                return Err(reject(index, Reason::BrokenReference, IssueType::NotFound, message));
            }
            if policy != ReferencePolicy::Off
                && let Some(outcome) = outcomes.get_mut(index)
            {
                outcome.missing.push(missing.clone());
            }
        }
        Ok(())
    }

    /// Whether a resource is there after what the transaction has done so far.
    fn is_live(&self, type_number: u8, id: &PackedId) -> Result<bool, Error> {
        match self.known(type_number, id)? {
            Some(number) => Ok(self.head(number)?.state == State::Live),
            None => Ok(false),
        }
    }

    /// Refuses a deletion that others, which the transaction does not write, still refer to.
    fn check_deletions(&self, outcomes: &[CommandOutcome]) -> Result<(), Rejection> {
        for (index, outcome) in outcomes.iter().enumerate() {
            if outcome.effect != Effect::Deleted {
                continue;
            }
            let type_number = r4().resource_number(outcome.resource_type).unwrap_or(u8::MAX);
            let id = PackedId::new(&outcome.id);
            let mut names = Vec::new();
            referrers(&self.view, self.fold.counters.place, type_number, &id, &mut |_, seat| {
                // What this transaction gives a further version, or an end, is judged by that.
                let is_changed = self.heads.get(&seat.resource).is_some_and(|h| h.place == self.place);
                let head = self.stored_head(seat.resource)?;
                if !is_changed && self.is_seen(head.type_number, seat.resource)? {
                    names.push(name(head.type_number, &head.id));
                }
                Ok::<_, Error>(names.len() < NAMED)
            })?;
            names.dedup();
            if !names.is_empty() {
                let message = format!(
                    "{}/{} is referred to by {}; delete or change that first, or in the same transaction",
                    r4().type_name(outcome.resource_type),
                    outcome.id,
                    names.join(", ")
                );
                return Err(reject(index, Reason::BrokenReference, IssueType::Conflict, message));
            }
        }
        Ok(())
    }
}
