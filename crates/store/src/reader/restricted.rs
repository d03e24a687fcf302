//! What of a state may be seen, and by which state that is decided.

use std::sync::Arc;

use ::search::restriction::{Restriction, Verdict};
use fhir::TypeId;

use super::{Reader, current_at};
use crate::error::Error;
use crate::layout::heads::{Head, State};
use crate::numbers::{Place, ResourceNumber, Seat};
use crate::search::{Budget, Gate, Searcher};

/// What it may cost to decide whether one resource may be seen.
const GATE_ROWS: u64 = 1_000_000;

impl Reader {
    /// The same state, as far as a restriction lets it be seen.
    #[must_use]
    pub fn restricted(self, restriction: Arc<Restriction>) -> Reader {
        Reader { restriction: Some(restriction), ..self }
    }

    /// The same, as far as the restriction would have let it be seen at a place: by who belonged where then, and what was
    /// consented to. It is for asking again what was asked then, and no right of anybody's.
    #[must_use]
    pub fn decided_at(self, place: Place) -> Reader {
        Reader { decided_at: Some(place), ..self }
    }

    /// Whether all of it may be seen.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.restriction.is_none()
    }

    /// What decides about rows, if anything is restricted.
    pub(super) fn gate(&self) -> Result<Option<Gate<'_>>, Error> {
        let Some(restriction) = &self.restriction else { return Ok(None) };
        Ok(Some(Gate::new(Arc::clone(restriction), self.deciding(Budget::of_rows(GATE_ROWS))?)))
    }

    /// What decides about a resource, or would have decided as of a place: then who belongs where and what was consented
    /// to are of then, too. `None` if it was not written by then, or nothing is restricted.
    ///
    /// # Errors
    /// As the engine says.
    pub fn explain(
        &self,
        resource_type: TypeId,
        id: &str,
        at: Option<Place>,
    ) -> Result<Option<Verdict>, Error> {
        let Some((number, head)) = self.head(&self.view()?, resource_type, id)? else { return Ok(None) };
        let at = at.unwrap_or(self.published.place);
        let is_there = match head.place <= at {
            true => head.state == State::Live,
            false => current_at(&self.view()?, &head, number, at)?.is_some_and(|k| k.text.is_some()),
        };
        let Some(restriction) = self.restriction.as_ref().filter(|_| is_there) else { return Ok(None) };
        let instant = self.instant_of(at)?.max(0);
        let (is_now, budget) = (at >= self.published.place, Budget::of_rows(GATE_ROWS));
        let then = Searcher::at(self.view()?, at, is_now, instant, &self.shared.memory, budget);
        let seat = Seat { person: head.person_at(at), resource: number };
        Ok(Some(Gate::new(Arc::clone(restriction), then).explain(head.type_number, seat)?))
    }

    /// A search of all there is on the state by which it is decided: the newest, where nothing else was said.
    pub(super) fn deciding(&self, budget: Budget) -> Result<Searcher<'_>, Error> {
        let newest = self.published.place;
        let at = self.decided_at.unwrap_or(newest).min(newest);
        let instant = self.instant_of(at)?.max(0);
        Ok(Searcher::at(self.view()?, at, at == newest, instant, &self.shared.memory, budget))
    }

    /// Whether a version exists for the one who reads.
    pub(super) fn is_seen(&self, head: &Head, number: ResourceNumber, place: Place) -> Result<bool, Error> {
        let Some(gate) = self.gate()? else { return Ok(true) };
        let seat = Seat { person: head.person_at(place), resource: number };
        Ok(gate.admits(head.type_number, seat)?)
    }
}
