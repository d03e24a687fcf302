//! References between resources: who refers to one, and which refer to nothing.

use fhir::definitions::SearchParameterType;
use fhir::r4;
use search::key::reference::{self, LOCAL, resource_bytes};
use search::parameters::Storage;
use search::{OTHER_REFERENCES, parameters};

use crate::engine::{Family, View};
use crate::error::Error;
use crate::fold::{total_at, type_of};
use crate::layout::heads::State;
use crate::layout::table::BROKEN;
use crate::layout::{broken, ids, live};
use crate::numbers::{PackedId, Place, SEAT_BYTES, Seat};
use crate::reader::{Reader, stored_head};

/// What becomes of a reference to a resource of this hub that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReferencePolicy {
    /// It is stored.
    Off,
    /// It is stored, and the answer says so.
    #[default]
    Record,
    /// What has it is not stored, and what is referred to is not deleted.
    Refuse,
}

/// A reference to what is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Who refers: `Type/id`.
    pub source: String,
    /// To what: `Type/id`.
    pub target: String,
    /// Whether that was there once.
    pub was_deleted: bool,
}

/// Passes everything that refers to a resource now to `visit` (its type's number, its seat) until that says no. What refers
/// to it by several parameters is passed for each.
///
/// A row is looked for under each reference parameter of each type there is: this costs with the number of types, not
/// of resources.
pub(crate) fn referrers<E: From<Error>>(
    view: &View<'_>,
    place: Place,
    target_type: u8,
    id: &PackedId,
    visit: &mut dyn FnMut(u8, Seat) -> Result<bool, E>,
) -> Result<(), E> {
    let number = view.get(Family::State, ids::key(target_type, id))?.map(|value| ids::decode(&value));
    let target = type_of(target_type);
    let by_number = number.map(|n| [&[LOCAL, target_type], resource_bytes(n.0).as_slice()].concat());
    let by_id = reference::by_id(target, &id.unpack());
    let mut rows = view.range(Family::Live, &[], &[0xff; 2]);
    for resource_type in &r4().resource_types {
        let Some(source_type) = r4().resource_number(*resource_type) else { continue };
        // What a Bundle's parameters yield refers to its own entries.
        if *resource_type == r4().well_known().bundle || total_at(view, source_type, place)? == 0 {
            continue;
        }
        let named = parameters().of(*resource_type).parameters.iter().filter(|p| {
            p.kind == SearchParameterType::Reference
                && p.storage == Storage::Own
                && (p.targets.is_empty() || p.targets.contains(&target))
        });
        let numbered = by_number.iter().flat_map(|key| named.clone().map(move |p| (p.number, key)));
        for (parameter, key) in numbered.chain([(OTHER_REFERENCES, &by_id)]) {
            let prefix = [&[source_type, parameter], key.as_slice()].concat();
            rows.seek(&prefix);
            while let Some(key) = rows.key().filter(|key| key.starts_with(&prefix)) {
                if key.len() == prefix.len() + SEAT_BYTES
                    && let Some((_, seat)) = live::read_key(key)
                    && !visit(source_type, seat)?
                {
                    return Ok(());
                }
                rows.next();
            }
            rows.status().map_err(Error::from)?;
        }
    }
    Ok(())
}

/// Where a list of broken references goes on: a target's key, and how many of its references come before.
pub type BrokenFrom = (Vec<u8>, u64);

impl Reader {
    /// References to what is not there, by target, at most `count`; and where to go on, if there may be more. At most so many
    /// targets are `looked` at: to most that were deleted nothing refers any more.
    ///
    /// # Errors
    /// As the engine says.
    pub fn broken(
        &self,
        (from, skip): &BrokenFrom,
        count: usize,
        looked: usize,
    ) -> Result<(Vec<Broken>, Option<BrokenFrom>), Error> {
        let view = self.view()?;
        let mut found = Vec::new();
        let mut targets = view.range(Family::State, &[BROKEN], &broken::END);
        targets.seek([&[BROKEN], from.as_slice()].concat());
        for _ in 0..looked {
            let Some((key, (target_type, id))) =
                targets.key().and_then(|key| Some((key[1..].to_vec(), broken::read_key(key)?)))
            else {
                targets.status()?;
                return Ok((found, None));
            };
            let target = format!("{}/{}", r4().type_name(type_of(target_type)), id.unpack());
            let was_deleted = match view.get(Family::State, ids::key(target_type, &id))? {
                Some(number) => stored_head(&view, ids::decode(&number))?.state == State::Deleted,
                None => false,
            };
            let before = if key == *from { *skip } else { 0 };
            let (mut passed, mut is_full) = (0, false);
            referrers::<Error>(&view, self.place(), target_type, &id, &mut |_, seat| {
                if passed >= before {
                    if found.len() == count {
                        is_full = true;
                        return Ok(false);
                    }
                    let head = stored_head(&view, seat.resource)?;
                    let source =
                        format!("{}/{}", r4().type_name(type_of(head.type_number)), head.id.unpack());
                    found.push(Broken { source, target: target.clone(), was_deleted });
                }
                passed += 1;
                Ok(true)
            })?;
            if is_full {
                return Ok((found, Some((key, passed))));
            }
            targets.next();
        }
        Ok((found, targets.key().map(|key| (key[1..].to_vec(), 0))))
    }
}
