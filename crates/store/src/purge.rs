//! What there is to destroy of a resource, or of a person's whole record.

use fhir::date_time::Micros;
use fhir::{TypeId, r4};
use search::condition::after_prefix;

use crate::engine::Family;
use crate::error::Error;
use crate::fold::type_of;
use crate::layout::bodies::{Content, Version};
use crate::layout::heads::State;
use crate::layout::{ids, rows};
use crate::numbers::{PackedId, ResourceNumber, Seat, number_bytes};
use crate::reader::{Reader, stored_head};

/// Which texts are to be destroyed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Doomed {
    /// What resources say now stays.
    pub keeps_current: bool,
    /// Only what was replaced or deleted before this moment.
    pub before: Option<Micros>,
}

/// A resource of which there is something to destroy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purgeable {
    /// The type.
    pub resource_type: TypeId,
    /// The id.
    pub id: String,
    /// The version that has to be deleted first, since it is among what is to be destroyed.
    pub current: Option<u64>,
    /// The last version whose text is to be destroyed.
    pub up_to: u64,
    /// How many texts that are.
    pub texts: u64,
}

impl Reader {
    /// What there is to destroy of a resource; of a Patient, of everything that is or was kept in that person's record. `None`
    /// if it was never written.
    ///
    /// # Errors
    /// As the engine says.
    pub fn purgeable(
        &self,
        resource_type: TypeId,
        id: &str,
        doomed: Doomed,
    ) -> Result<Option<Vec<Purgeable>>, Error> {
        let view = self.view()?;
        let type_number = r4().resource_number(resource_type).unwrap_or(u8::MAX);
        let Some(value) = view.get(Family::State, ids::key(type_number, &PackedId::new(id)))? else {
            return Ok(None);
        };
        let number = ids::decode(&value);
        let head = stored_head(&view, number)?;
        if head.state == State::Unwritten {
            return Ok(None);
        }
        let mut found = Vec::new();
        if resource_type == r4().well_known().patient {
            self.purgeable_under(&number_bytes(number.0), doomed, &mut found)?;
        } else {
            let mut persons: Vec<ResourceNumber> = head.earlier_persons.iter().map(|(_, p)| *p).collect();
            persons.push(head.person);
            persons.sort_unstable();
            persons.dedup();
            for person in persons {
                let prefix = rows::prefix(Seat { person, resource: number }, type_number);
                self.purgeable_under(&prefix, doomed, &mut found)?;
            }
        }
        Ok(Some(found))
    }

    fn purgeable_under(
        &self,
        prefix: &[u8],
        doomed: Doomed,
        found: &mut Vec<Purgeable>,
    ) -> Result<(), Error> {
        let view = self.view()?;
        let mut range = view.range(Family::Bodies, prefix, &after_prefix(prefix));
        range.seek_to_first();
        let mut last: Option<(Seat, Micros)> = None;
        while let Some((key, value)) = range.item() {
            let Some((_, seat, type_number)) = rows::read_prefix(key) else { break };
            let version = Version::decode(value)?;
            // Later versions come first: the one met before is what replaced this one.
            let replaced = last.filter(|(known, _)| *known == seat).map(|(_, instant)| instant);
            last = Some((seat, version.instant));
            if !matches!(version.content, Content::Text { .. }) {
                range.next();
                continue;
            }
            let head = stored_head(&view, seat.resource)?;
            let is_current =
                head.state == State::Live && head.version == version.version && head.person == seat.person;
            let is_old = match (doomed.before, replaced) {
                (None, _) => true,
                (Some(before), Some(replaced)) => replaced < before,
                // It stands, or was moved to another record: its own moment decides.
                (Some(before), None) => !is_current && version.instant < before,
            };
            if is_old && !(is_current && doomed.keeps_current) {
                let resource_type = type_of(type_number);
                let id = head.id.unpack();
                match found.last_mut().filter(|p| p.resource_type == resource_type && p.id == id) {
                    // A resource that moved from record to record is met in each.
                    Some(known) => {
                        known.texts += 1;
                        known.up_to = known.up_to.max(version.version);
                        known.current = known.current.or(is_current.then_some(head.version));
                    }
                    None => found.push(Purgeable {
                        resource_type,
                        id,
                        current: is_current.then_some(head.version),
                        up_to: version.version,
                        texts: 1,
                    }),
                }
            }
            range.next();
        }
        Ok(range.status()?)
    }
}
