//! What a proposal means before anything is written: conditions, conditional creates, conditional references.

use std::sync::Arc;

use fhir::body::KeptLabels;
use fhir::{IssueType, r4};

use super::transaction::{Transaction, reject};
use super::type_of;
use crate::draft::Substitutions;
use crate::numbers::{PackedId, ResourceNumber};
use crate::proposal::{Action, CommandOutcome, Condition, Criteria, Effect, Proposal, Reason, Rejection};
use crate::search::Searcher;

impl<'f> Transaction<'f> {
    /// Conditional creates that find one, and conditional references: what they mean is put in before anything is
    /// written.
    pub(super) fn resolve(
        &mut self,
        proposal: &mut Proposal,
        found: &mut [Option<CommandOutcome>],
        resolved: &mut [Vec<(String, u8, PackedId)>],
    ) -> Result<(), Rejection> {
        for (index, command) in proposal.commands.iter().enumerate() {
            if let Some(condition) = &command.condition {
                self.check(index, condition)?;
            }
        }
        let mut substitutions = Substitutions::new();
        for (index, command) in proposal.commands.iter().enumerate() {
            let Action::Create { if_none_exist: Some(criteria), .. } = &command.action else { continue };
            if let Some(outcome) = self.find_existing(index, criteria)? {
                let own = format!("{}/{}", r4().type_name(command.resource_type), command.id);
                let existing = format!("{}/{}", r4().type_name(outcome.resource_type), outcome.id);
                substitutions.insert(own, existing);
                found[index] = Some(outcome);
            }
        }
        for (index, command) in proposal.commands.iter_mut().enumerate() {
            if found[index].is_some() {
                continue;
            }
            let (draft, references) = match &mut command.action {
                Action::Create { draft, references, .. }
                | Action::Update { draft, references }
                | Action::Replace { draft, references } => (draft, references),
                Action::Delete | Action::Destroy { .. } | Action::Gone(_) => continue,
            };
            let mut own = substitutions.clone();
            for criteria in references.iter() {
                let (type_number, id) = self.find_target(index, criteria)?;
                own.insert(
                    criteria.text.clone(),
                    format!("{}/{}", r4().type_name(type_of(type_number)), id.unpack()),
                );
                resolved[index].push((criteria.text.clone(), type_number, id));
            }
            if own.keys().any(|from| draft.body.text.contains(from.as_str())) {
                **draft = draft
                    .rewritten(&command.id, &own, &KeptLabels::default(), self.fold.zone())
                    .map_err(|issue| Rejection::Command { index, reason: Reason::Invalid, issue })?;
            }
        }
        Ok(())
    }

    /// Whether a search still finds what a command was planned on.
    pub(super) fn check(&self, index: usize, condition: &Condition) -> Result<(), Rejection> {
        let mut found = Vec::new();
        for number in self.matches(index, &condition.criteria, condition.found.len() + 1)? {
            found.push(self.stored_head(number)?.id.unpack());
        }
        let mut planned = condition.found.clone();
        planned.sort_unstable();
        found.sort_unstable();
        if found == planned {
            return Ok(());
        }
        let text = &condition.criteria.text;
        let message = format!("what {text} finds changed while this was being written; try again");
        Err(reject(index, Reason::Moved, IssueType::Conflict, message))
    }

    /// A search on the newest state.
    pub(super) fn searcher(&self) -> Searcher<'f> {
        Searcher::newest(self.view, self.fold.counters.place, self.fold.last_instant, &self.fold.memory)
    }

    /// The first resources that satisfy criteria, at most so many.
    pub(super) fn matches(
        &self,
        index: usize,
        criteria: &Criteria,
        limit: usize,
    ) -> Result<Vec<ResourceNumber>, Rejection> {
        let searcher = match &self.rights {
            Some(rights) => self.searcher().restricted(Arc::clone(&rights.search), self.searcher()),
            None => self.searcher(),
        };
        searcher.first_matches(&criteria.query, limit).map_err(|failure| match failure {
            crate::search::Failure::Store(error) => Rejection::Store(error),
            crate::search::Failure::Query(issue) => {
                Rejection::Command { index, reason: Reason::PreconditionFailed, issue }
            }
        })
    }

    pub(super) fn find_existing(
        &self,
        index: usize,
        criteria: &Criteria,
    ) -> Result<Option<CommandOutcome>, Rejection> {
        let name = r4().type_name(criteria.query.resource_type);
        match self.matches(index, criteria, 2)?.as_slice() {
            [] => Ok(None),
            [number] => {
                let head = self.stored_head(*number)?;
                let (instant, _) = self.current(*number, &head)?;
                Ok(Some(CommandOutcome {
                    effect: Effect::Found,
                    resource_type: type_of(head.type_number),
                    id: head.id.unpack(),
                    version: head.version,
                    instant,
                    missing: Vec::new(),
                }))
            }
            _ => Err(reject(
                index,
                Reason::MultipleMatches,
                IssueType::MultipleMatches,
                format!("If-None-Exist {name}?{} finds more than one; make it narrower", criteria.text),
            )),
        }
    }

    pub(super) fn find_target(&self, index: usize, criteria: &Criteria) -> Result<(u8, PackedId), Rejection> {
        let text = &criteria.text;
        match self.matches(index, criteria, 2)?.as_slice() {
            [number] => {
                let head = self.stored_head(*number)?;
                Ok((head.type_number, head.id))
            }
            [] => Err(reject(
                index,
                Reason::PreconditionFailed,
                IssueType::NotFound,
                format!(
                    "the conditional reference {text} finds nothing; create what it means first, or in the same transaction with urn:uuid"
                ),
            )),
            _ => Err(reject(
                index,
                Reason::MultipleMatches,
                IssueType::MultipleMatches,
                format!("the conditional reference {text} finds more than one; make it narrower"),
            )),
        }
    }
}
