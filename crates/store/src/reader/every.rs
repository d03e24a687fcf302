//! Every version there is, and every entry of the log: what an erasure goes through to find where a person is named.

use std::collections::BTreeSet;

use fhir::{TypeId, r4};

use ::search::condition::after_prefix;

use super::{Reader, stored_head};
use crate::engine::{Family, View};
use crate::error::{Error, corrupt};
use crate::fold::type_of;
use crate::layout::bodies::{Content, Version};
use crate::layout::{ids, log, rows};
use crate::numbers::{PackedId, Place, ResourceNumber, Seat, number_bytes};

/// A version met on the way, whatever it is now.
#[derive(Clone, Copy, Debug)]
pub struct EveryVersion<'v> {
    /// The type.
    pub resource_type: TypeId,
    /// The id.
    pub id: &'v str,
    /// Its number.
    pub version: u64,
    /// Whose record it is kept in, as the store numbers Patients; 0 for nobody's.
    pub person: ResourceNumber,
    /// The text, as it is kept: without what the hub puts into `meta`.
    pub text: &'v str,
}

impl Reader {
    /// Passes every version that has a text to `visit` until it returns false, in the order they lie in.
    ///
    /// # Errors
    /// As the engine says.
    pub fn each_version(&self, visit: &mut dyn FnMut(EveryVersion<'_>) -> bool) -> Result<(), Error> {
        let view = self.view()?;
        self.versions_of(&view, view.sweep(Family::Bodies), &[], visit)
    }

    /// The same of what is or was kept in the record of a Patient, by its number.
    ///
    /// # Errors
    /// As the engine says.
    pub fn each_version_kept_with(
        &self,
        person: ResourceNumber,
        visit: &mut dyn FnMut(EveryVersion<'_>) -> bool,
    ) -> Result<(), Error> {
        let (view, prefix) = (self.view()?, number_bytes(person.0));
        self.versions_of(&view, view.range(Family::Bodies, &prefix, &after_prefix(&prefix)), &prefix, visit)
    }

    /// The same of one resource, in whoever's record it is or was.
    ///
    /// # Errors
    /// As the engine says.
    pub fn each_version_of(
        &self,
        resource_type: TypeId,
        id: &str,
        visit: &mut dyn FnMut(EveryVersion<'_>) -> bool,
    ) -> Result<(), Error> {
        let view = self.view()?;
        let Some((number, head)) = self.head(&view, resource_type, id)? else { return Ok(()) };
        let earlier = head.earlier_persons.iter().map(|(_, person)| *person);
        let persons: BTreeSet<ResourceNumber> = earlier.chain([head.person]).collect();
        for person in persons {
            let prefix = rows::prefix(Seat { person, resource: number }, head.type_number);
            let versions = view.range(Family::Bodies, &prefix, &after_prefix(&prefix));
            self.versions_of(&view, versions, &prefix, visit)?;
        }
        Ok(())
    }

    fn versions_of(
        &self,
        view: &View<'_>,
        mut bodies: sealing::Cursor<'_>,
        prefix: &[u8],
        visit: &mut dyn FnMut(EveryVersion<'_>) -> bool,
    ) -> Result<(), Error> {
        bodies.seek(prefix);
        let (mut number, mut id) = (ResourceNumber(0), String::new());
        while let Some((key, value)) = bodies.item() {
            let Some((_, seat, type_number)) = rows::read_prefix(key) else {
                return Err(corrupt("a body (family bodies)", "its key does not parse"));
            };
            let version = Version::decode(value)?;
            if let Content::Text { text, .. } = version.content {
                if seat.resource != number {
                    number = seat.resource;
                    id = stored_head(view, number)?.id.unpack();
                }
                let resource_type = type_of(type_number);
                let (id, person, version) = (id.as_str(), seat.person, version.version);
                if !visit(EveryVersion { resource_type, id, version, person, text }) {
                    return Ok(());
                }
            }
            bodies.next();
        }
        Ok(bodies.status()?)
    }

    /// Passes every entry of the log of this state to `visit`, in order, until it returns false.
    ///
    /// # Errors
    /// As the engine says.
    pub fn each_entry(&self, visit: &mut dyn FnMut(Place, log::Entry) -> bool) -> Result<(), Error> {
        let view = self.view()?;
        let mut entries = view.sweep(Family::Log);
        entries.seek_to_first();
        while let Some((key, value)) = entries.item() {
            let place = log::read_key(key);
            if place > self.published.place || !visit(place, log::Entry::decode(place, value)?.1) {
                break;
            }
            entries.next();
        }
        Ok(entries.status()?)
    }

    /// The number a resource has in the store; `None` if it was never met.
    ///
    /// # Errors
    /// As the engine says.
    pub fn number_of(&self, resource_type: TypeId, id: &str) -> Result<Option<ResourceNumber>, Error> {
        let type_number = r4().resource_number(resource_type).unwrap_or(u8::MAX);
        let found = self.view()?.get(Family::State, ids::key(type_number, &PackedId::new(id)))?;
        Ok(found.map(|value| ids::decode(&value)))
    }
}
