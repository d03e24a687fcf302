//! Numbers for resources and code systems, given when they are first met, in the order of the log.

use fhir::{TypeId, r4};
use search::Linker;

use super::transaction::Transaction;
use crate::engine::Family;
use crate::error::{Error, corrupt};
use crate::layout::heads::Head;
use crate::layout::{heads, ids, symbols};
use crate::numbers::{PackedId, ResourceNumber};

impl Transaction<'_> {
    /// A resource's head before the transaction; the last one is remembered, since it is asked for several times.
    pub(super) fn stored_head(&self, number: ResourceNumber) -> Result<Head, Error> {
        if let Some((known, head)) = &*self.last_head.borrow()
            && *known == number
        {
            return Ok(head.clone());
        }
        let value = self.view.get(Family::State, heads::key(number))?;
        let value = value.ok_or_else(|| {
            corrupt("a head (state, table r)", format!("that of resource {} is missing", number.0))
        })?;
        let head = Head::decode(&value)?;
        *self.last_head.borrow_mut() = Some((number, head.clone()));
        Ok(head)
    }

    /// Whether a resource has a number.
    pub(super) fn is_numbered(&self, type_number: u8, id: &PackedId) -> Result<bool, Error> {
        Ok(self.known(type_number, id)?.is_some())
    }

    /// The number of a resource, if it has one.
    pub(super) fn known(&self, type_number: u8, id: &PackedId) -> Result<Option<ResourceNumber>, Error> {
        match self.numbers.get(&(type_number, id.clone())) {
            Some(number) => Ok(Some(*number)),
            None => {
                Ok(self.view.get(Family::State, ids::key(type_number, id))?.map(|value| ids::decode(&value)))
            }
        }
    }

    /// The number of a resource, given now if it has none.
    pub(super) fn number(&mut self, type_number: u8, id: &PackedId) -> Result<ResourceNumber, Error> {
        let key = (type_number, id.clone());
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        let number = match self.view.get(Family::State, ids::key(type_number, id))? {
            Some(value) => ids::decode(&value),
            None => {
                self.changes.counters.resource.0 += 1;
                let number = self.changes.counters.resource;
                self.put(Family::State, ids::key(type_number, id), ids::encode(number));
                self.heads.insert(number, Head::unwritten(type_number, id.clone()));
                number
            }
        };
        self.numbers.insert(key, number);
        Ok(number)
    }

    pub(super) fn head(&self, number: ResourceNumber) -> Result<Head, Error> {
        match self.heads.get(&number) {
            Some(head) => Ok(head.clone()),
            None => self.stored_head(number),
        }
    }
}

impl Linker for Transaction<'_> {
    type Error = Error;

    fn system(&mut self, uri: &str) -> Result<u32, Error> {
        if let Some(number) = self.changes.symbols.get(uri).or_else(|| self.fold.symbols.get(uri)) {
            return Ok(*number);
        }
        let number = match self.view.get(Family::State, symbols::number_key(uri))? {
            Some(value) => symbols::decode(&value),
            None => {
                self.changes.counters.symbol += 1;
                let number = self.changes.counters.symbol;
                self.put(Family::State, symbols::number_key(uri), symbols::encode(number));
                self.put(Family::State, symbols::text_key(number), uri);
                self.changes.new_symbols.push((uri.to_owned(), number));
                number
            }
        };
        self.changes.symbols.insert(uri.to_owned(), number);
        Ok(number)
    }

    fn resource(&mut self, resource_type: TypeId, id: &str) -> Result<u64, Error> {
        let type_number = r4().resource_number(resource_type).unwrap_or(u8::MAX);
        let id = PackedId::new(id);
        let number = self.number(type_number, &id)?;
        self.referred.push((type_number, id, self.command));
        Ok(number.0)
    }
}
