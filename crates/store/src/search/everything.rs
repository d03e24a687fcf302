//! Everything of a compartment: its owner, its members, and what those refer to.
//!
//! Members are found in the index, a condition on the compartment's references for each type there is, so the cost grows
//! with the record and not with the hub. Their bodies lie together, since keys begin with the person.

use fhir::definitions::SearchParameterType;
use fhir::{TypeId, r4};
use rustc_hash::FxHashSet;
use search::condition::{Condition, Numbers as _};
use search::key::date::{self, Interval};
use search::key::reference::{self, ReferenceKey};
use search::{OTHER_REFERENCES, parameters};

use super::page::Found;
use super::plan::Plan;
use super::{Failure, Searcher};
use crate::fold::{total_at, type_of};
use crate::numbers::ResourceNumber;

/// What of a compartment is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only these types; empty for all.
    pub types: Vec<TypeId>,
    /// Only what has a date in this interval, or none at all. The owner is always in.
    pub dates: Option<Interval>,
    /// Without what the members refer to.
    pub is_members_only: bool,
}

impl Wanted {
    fn has(&self, resource_type: TypeId) -> bool {
        self.types.is_empty() || self.types.contains(&resource_type)
    }
}

impl Searcher<'_> {
    /// The owner of a compartment (and the Patients linked with it), its members, and what they refer to; each once, in
    /// this order, by type and then by number.
    pub(crate) fn everything(
        &self,
        owner_type: TypeId,
        owner: ResourceNumber,
        wanted: &Wanted,
    ) -> Result<Vec<Found>, Failure> {
        let type_number = r4().resource_number(owner_type).unwrap_or(u8::MAX);
        let is_patient = owner_type == r4().well_known().patient;
        let owners = if is_patient { self.linked(owner)?.to_vec() } else { vec![owner] };
        let targets: Vec<(u8, u64)> = owners.iter().map(|n| (type_number, n.0)).collect();
        let mut seen: FxHashSet<(u8, ResourceNumber)> = FxHashSet::default();
        let mut found = Vec::new();
        for number in &owners {
            if let Some(seat) = self.seat_of_number(type_number, *number)?
                && seen.insert((type_number, *number))
            {
                found.push(Found { type_number, seat });
            }
        }
        let owners = found.len();
        let Some(compartment) = r4().compartment(r4().type_name(owner_type)) else { return Ok(found) };
        for (member_type, codes) in &compartment.members {
            let member = r4().resource_number(*member_type).unwrap_or(u8::MAX);
            // What is not wanted is looked at only for what it refers to.
            if wanted.is_members_only && !wanted.has(*member_type) {
                continue;
            }
            if codes.is_empty() || total_at(&self.view, member, self.at)? == 0 {
                continue;
            }
            let set = parameters().of(*member_type);
            let references = codes.iter().filter_map(|code| set.named(code));
            let alternatives: Vec<_> =
                references.flat_map(|p| Condition::references(p, &targets).alternatives).collect();
            if alternatives.is_empty() {
                continue;
            }
            let conditions = vec![Condition { alternatives, is_negated: false }];
            let plan = Plan {
                type_number: member,
                conditions,
                lists: Vec::new(),
                places: Vec::new(),
                is_empty: false,
            };
            self.visit(&plan, |seat| {
                if seen.insert((member, seat.resource)) {
                    found.push(Found { type_number: member, seat });
                }
                Ok(true)
            })?;
        }
        if let Some(dates) = &wanted.dates {
            self.keep_dated(&mut found, owners, *dates)?;
        }
        if !wanted.is_members_only {
            let referred = self.referred(&found, &mut seen)?;
            found.extend(referred);
        }
        found.retain(|f| wanted.has(type_of(f.type_number)));
        Ok(found)
    }

    /// Drops members that have dates, none of them in the interval.
    fn keep_dated(&self, found: &mut Vec<Found>, owners: usize, dates: Interval) -> Result<(), Failure> {
        let mut kept = Vec::with_capacity(found.len());
        for (at, member) in found.iter().enumerate() {
            let set = parameters().of(type_of(member.type_number));
            let is_in = self.with_rows(member.seat, member.type_number, |rows, _| {
                let mut has_date = false;
                for row in rows {
                    let parameter = set.parameters.get(usize::from(row.parameter));
                    if parameter.is_none_or(|p| p.kind != SearchParameterType::Date) {
                        continue;
                    }
                    let Some((interval, _)) = date::read(row.key) else { continue };
                    has_date = true;
                    if interval.start < dates.end && interval.end > dates.start {
                        return true;
                    }
                }
                !has_date
            })?;
            if at < owners || is_in.unwrap_or(false) {
                kept.push(*member);
            }
        }
        *found = kept;
        Ok(())
    }

    /// What these refer to and is not seen yet.
    fn referred(
        &self,
        members: &[Found],
        seen: &mut FxHashSet<(u8, ResourceNumber)>,
    ) -> Result<Vec<Found>, Failure> {
        let (mut targets, mut by_id) = (Vec::new(), FxHashSet::default());
        for member in members {
            let set = parameters().of(type_of(member.type_number));
            self.with_rows(member.seat, member.type_number, |rows, _| {
                for row in rows {
                    let parameter = set.parameters.get(usize::from(row.parameter));
                    if row.parameter == OTHER_REFERENCES
                        && let Some((type_number, id)) = reference::read_by_id(row.key)
                    {
                        by_id.insert((type_number, id.to_owned()));
                    }
                    if parameter.is_some_and(|p| p.kind == SearchParameterType::Reference)
                        && let Some((ReferenceKey::Local(type_number, number), _)) = reference::read(row.key)
                        && seen.insert((type_number, ResourceNumber(number)))
                    {
                        targets.push((type_number, ResourceNumber(number)));
                    }
                }
            })?;
        }
        for (type_number, id) in by_id {
            let number = self.resource(type_of(type_number), &id).map(ResourceNumber);
            targets.extend(number.filter(|n| seen.insert((type_number, *n))).map(|n| (type_number, n)));
        }
        targets.sort_unstable();
        let mut found = Vec::with_capacity(targets.len());
        for (type_number, number) in targets {
            if let Some(seat) = self.seat_of_number(type_number, number)? {
                found.push(Found { type_number, seat });
            }
        }
        Ok(found)
    }
}
