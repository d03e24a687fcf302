//! Much at once: everything in the order it lies in, what was found, all of a type.

use super::{Kept, Reader, current_at, from_value, kept, stored_head};
use crate::engine::Family;
use crate::error::{Error, corrupt};
use crate::fold::type_of;
use crate::layout::bodies::{Content, Version};
use crate::layout::heads::State;
use crate::layout::{ids, rows};
use crate::numbers::{Place, Seat};
use crate::search::Found;
use fhir::{TypeId, r4};

/// A version met on a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// The version.
    pub kept: Kept,
    /// Whether it belongs to a person's record.
    pub has_person: bool,
}

impl Reader {
    /// Passes the version of every resource that holds at a place (deletions too) to `visit` until it returns false, in
    /// the order they lie in, after a key an earlier sweep gave (empty for the beginning). The disk is read once, from one
    /// end to the other, and the cache is left to others.
    ///
    /// # Errors
    /// As the engine says.
    pub fn sweep(
        &self,
        after: &[u8],
        at: Place,
        visit: &mut dyn FnMut(&[u8], Swept) -> bool,
    ) -> Result<(), Error> {
        let (view, gate) = (self.view()?, self.gate()?);
        let mut bodies = view.sweep(Family::Bodies);
        bodies.seek(after);
        let mut done: Vec<u8> = after.to_vec();
        while let Some((key, value)) = bodies.item() {
            let Some((prefix, seat, type_number)) = rows::read_prefix(key) else {
                return Err(corrupt("a body (family bodies)", "its key does not parse"));
            };
            // Later versions come first: the first one that is old enough is the one; the rest is passed over.
            if prefix == done.as_slice() || rows::read_place(key) > at {
                bodies.next();
                continue;
            }
            let head = stored_head(&view, seat.resource)?;
            done.clear();
            done.extend_from_slice(prefix);
            let is_seen = || gate.as_ref().map_or(Ok(true), |gate| gate.admits(type_number, seat));
            if head.type_number == type_number && head.person_at(at) == seat.person && is_seen()? {
                let kept = from_value(&head, value)?;
                if !visit(&done, Swept { kept, has_person: seat.person.0 != 0 }) {
                    return Ok(());
                }
            }
            bodies.next();
        }
        Ok(bodies.status()?)
    }

    /// Passes the versions of found resources that hold at a place to `visit`, in the order given. Neighbours on disk
    /// cost little.
    ///
    /// # Errors
    /// As the engine says.
    pub fn each(&self, found: &[Found], at: Place, mut visit: impl FnMut(Kept)) -> Result<(), Error> {
        let view = self.view()?;
        let mut bodies = view.range(Family::Bodies, &[], &[0xff; 17]);
        for one in found {
            let prefix = rows::prefix(one.seat, one.type_number);
            bodies.seek(rows::key(one.seat, one.type_number, at));
            if let Some((key, value)) = bodies.item()
                && key.starts_with(&prefix)
            {
                let version = Version::decode(value)?;
                let Content::Text { text, splice, .. } = version.content else { continue };
                let id = fhir::json::scan::members(text).find(|m| m.name == "id");
                visit(Kept {
                    resource_type: type_of(one.type_number),
                    id: id.map(|m| m.value.trim_matches('"').to_owned()).unwrap_or_default(),
                    version: version.version,
                    instant: version.instant,
                    is_creation: version.is_creation,
                    text: Some((text.to_owned(), splice)),
                    is_destroyed: false,
                });
            } else {
                bodies.status()?;
            }
        }
        Ok(())
    }

    /// Passes every resource of a type that exists (or existed as of a place), in the order of ids, to `visit` until it
    /// returns false.
    ///
    /// # Errors
    /// As the engine says.
    pub fn each_of_type(
        &self,
        resource_type: TypeId,
        at: Option<Place>,
        mut visit: impl FnMut(Kept) -> bool,
    ) -> Result<(), Error> {
        let (view, gate) = (self.view()?, self.gate()?);
        let type_number = r4().resource_number(resource_type).unwrap_or(u8::MAX);
        let at = at.unwrap_or(self.published.place);
        let (start, end) = (ids::prefix(type_number), ids::prefix(type_number + 1));
        let mut known = view.range(Family::State, &start, &end);
        known.seek_to_first();
        while let Some((_, value)) = known.item() {
            let number = ids::decode(value);
            let head = stored_head(&view, number)?;
            let version = match head.state {
                State::Unwritten => None,
                _ if head.place <= at => kept(&view, &head, number, head.place)?,
                _ => current_at(&view, &head, number, at)?,
            };
            let seat = Seat { person: head.person_at(at), resource: number };
            if let Some(version) = version.filter(|v| v.text.is_some())
                && gate.as_ref().map_or(Ok(true), |gate| gate.admits(type_number, seat))?
                && !visit(version)
            {
                return Ok(());
            }
            known.next();
        }
        Ok(known.status()?)
    }
}
