//! What a writer may do, decided in the order of the log.
//!
//! What a writer may not see does not exist for them: an update of it is an update of nothing, a deletion deletes
//! nothing, and the words are the same. What they may see and not change is refused.

use std::cell::OnceCell;
use std::sync::Arc;

use fhir::{IssueType, r4};
use search::LinkedEntry;

use super::transaction::{Transaction, reject};
use crate::error::Error;
use crate::layout::heads::State;
use crate::numbers::{PackedId, ResourceNumber, Seat};
use crate::proposal::{Action, Command, CommandOutcome, Effect, Reason, Rejection};
use crate::search::{Entries, Gate};
use search::restriction::{Restriction, Rights};

/// What decides under each of a writer's rights.
#[derive(Default)]
pub(super) struct Gates<'f> {
    read: OnceCell<Gate<'f>>,
    create: OnceCell<Gate<'f>>,
    update: OnceCell<Gate<'f>>,
    delete: OnceCell<Gate<'f>>,
}

impl<'f> Transaction<'f> {
    /// What decides under one of the writer's rights. The state before the transaction is asked throughout, so it is made once.
    fn gate<'g>(&self, gate: &'g OnceCell<Gate<'f>>, restriction: &Arc<Restriction>) -> &'g Gate<'f> {
        gate.get_or_init(|| Gate::new(Arc::clone(restriction), self.searcher()))
    }

    fn reading(&self, rights: &Rights) -> &Gate<'f> {
        self.gate(&self.gates.read, &rights.read)
    }

    /// Whether what is there may be touched by a command. An outcome, if for the writer there is nothing to do.
    pub(super) fn permitted(
        &self,
        index: usize,
        command: &Command,
        type_number: u8,
        id: &PackedId,
    ) -> Result<Option<CommandOutcome>, Rejection> {
        let Some(rights) = &self.rights else { return Ok(None) };
        let name = || format!("{}/{}", r4().type_name(command.resource_type), command.id);
        let head = match self.known(type_number, id)? {
            Some(number) => Some((number, self.head(number)?)),
            None => None,
        };
        let right = match &command.action {
            Action::Delete => self.gate(&self.gates.delete, &rights.delete),
            _ => self.gate(&self.gates.update, &rights.update),
        };
        let mut may_act = false;
        let written = head.filter(|(_, head)| head.state != State::Unwritten);
        let seen = match &written {
            Some((number, head)) => {
                let seat = head.seat(*number);
                may_act = right.admits(type_number, seat).map_err(Error::from)?;
                may_act || self.reading(rights).admits(type_number, seat).map_err(Error::from)?
            }
            None => false,
        };
        if seen {
            if !may_act || matches!(command.action, Action::Destroy { .. }) {
                let message = format!("{} may be read but not changed under this access", name());
                return Err(reject(index, Reason::Forbidden, IssueType::Forbidden, message));
            }
            return Ok(None);
        }
        match &command.action {
            Action::Delete | Action::Destroy { .. } if command.if_match.is_none() => {
                Ok(Some(self.nothing_to_delete(command)))
            }
            Action::Create { .. } | Action::Update { .. }
                if (command.has_new_id || rights.may_choose_ids) && !self.is_numbered(type_number, id)? =>
            {
                Ok(None)
            }
            Action::Delete | Action::Destroy { .. } | Action::Replace { .. } | Action::Update { .. }
                if command.if_match.is_some() =>
            {
                let message = format!(
                    "If-Match requires version {} of {}, but it does not exist; read it and apply your change to that",
                    command.if_match.unwrap_or(0),
                    name()
                );
                Err(reject(index, Reason::VersionConflict, IssueType::Conflict, message))
            }
            _ => {
                let message = format!(
                    "there is no {}, and under this access the hub chooses the ids of new resources; create it with POST",
                    name()
                );
                Err(reject(index, Reason::NoChoiceOfIds, IssueType::NotFound, message))
            }
        }
    }

    /// Whether a version may be what it is to become.
    pub(super) fn may_become(
        &self,
        index: usize,
        type_number: u8,
        seat: Seat,
        id: &str,
        entries: &[LinkedEntry],
        is_new: bool,
    ) -> Result<(), Rejection> {
        let Some(rights) = &self.rights else { return Ok(()) };
        let given: Vec<_> = entries.iter().map(|e| (e.parameter, e.key.clone(), e.extra.clone())).collect();
        let gate = match is_new {
            true => self.gate(&self.gates.create, &rights.create),
            false => self.gate(&self.gates.update, &rights.update),
        };
        if gate.decides(type_number, seat, &Entries::Given(&given)).map_err(Error::from)? {
            return Ok(());
        }
        let message = format!(
            "{}/{id} as it is sent may not be written under this access",
            r4().type_name(super::type_of(type_number))
        );
        Err(reject(index, Reason::Forbidden, IssueType::Forbidden, message))
    }

    /// Whether a resource exists for the writer.
    pub(super) fn is_seen(&self, type_number: u8, number: ResourceNumber) -> Result<bool, Error> {
        let Some(rights) = &self.rights else { return Ok(true) };
        let head = self.head(number)?;
        // What the transaction itself writes is the writer's own.
        Ok(head.place == self.place || self.reading(rights).admits(type_number, head.seat(number))?)
    }

    pub(super) fn nothing_to_delete(&self, command: &Command) -> CommandOutcome {
        CommandOutcome {
            effect: Effect::NothingToDelete,
            resource_type: command.resource_type,
            id: command.id.clone(),
            version: 0,
            instant: self.changes.instant,
            missing: Vec::new(),
        }
    }
}
