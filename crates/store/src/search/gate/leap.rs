//! Leaping over persons with whom nothing may be seen.

use super::super::Failure;
use super::super::stream::{List, Stream};
use super::Gate;
use crate::numbers::{NUMBER_BYTES, ResourceNumber, Seat};

/// Candidates of those persons whose rows may be seen.
pub(crate) struct Gated<'s, 'v> {
    inner: Box<dyn Stream + 's>,
    gate: &'s Gate<'v>,
    type_number: u8,
    persons: Option<Vec<ResourceNumber>>,
    is_backward: bool,
}

impl<'s, 'v> Gated<'s, 'v> {
    pub(crate) fn new(
        inner: Box<dyn Stream + 's>,
        gate: &'s Gate<'v>,
        type_number: u8,
        is_backward: bool,
    ) -> Result<Gated<'s, 'v>, Failure> {
        let persons = gate.persons(type_number)?;
        let mut stream = Gated { inner, gate, type_number, persons, is_backward };
        stream.settle()?;
        Ok(stream)
    }

    /// The first seat that may follow one whose person has nothing to see.
    fn next_seat(&self, person: ResourceNumber) -> Option<Seat> {
        let next = match &self.persons {
            Some(persons) if self.is_backward => {
                persons.get(persons.partition_point(|p| *p < person).checked_sub(1)?).copied()?
            }
            Some(persons) => persons.get(persons.partition_point(|p| *p <= person)).copied()?,
            None if self.is_backward => ResourceNumber(person.0.checked_sub(1)?),
            None => ResourceNumber(person.0 + 1),
        };
        let resource =
            if self.is_backward { ResourceNumber((1 << (8 * NUMBER_BYTES)) - 1) } else { ResourceNumber(0) };
        Some(Seat { person: next, resource })
    }

    fn settle(&mut self) -> Result<(), Failure> {
        while let Some(seat) = self.inner.current() {
            let is_listed = self.persons.as_ref().is_none_or(|p| p.binary_search(&seat.person).is_ok());
            if is_listed && self.gate.may_have(self.type_number, seat.person)? {
                return Ok(());
            }
            self.gate.now.budget.take()?;
            match self.next_seat(seat.person) {
                Some(next) => self.inner.seek(next)?,
                None => {
                    self.inner = Box::new(List::new(Vec::new(), self.is_backward));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Stream for Gated<'_, '_> {
    fn current(&self) -> Option<Seat> {
        self.inner.current()
    }

    fn is_certain(&self) -> bool {
        self.inner.is_certain()
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.inner.advance()?;
        self.settle()
    }

    fn seek(&mut self, seat: Seat) -> Result<(), Failure> {
        self.inner.seek(seat)?;
        self.settle()
    }
}
