//! Criteria, linked to this store's numbers.

use fhir::{TypeId, r4};
use search::condition::{Condition, Now};
use search::key::date::Interval;
use search::query::{Criterion, Prefix};

use super::{Failure, Searcher};
use crate::engine::Family;
use crate::fold::read_entry;
use crate::layout::heads::Head;
use crate::layout::{heads, ids};
use crate::numbers::{PackedId, Place, ResourceNumber, Seat};

/// What a resource has to satisfy.
pub(super) struct Plan {
    /// The type searched.
    pub(super) type_number: u8,
    /// Conditions on its entries; all hold.
    pub(super) conditions: Vec<Condition>,
    /// Lists it has to be in; all of them. Ordered by seat.
    pub(super) lists: Vec<Vec<Seat>>,
    /// Its version's place lies in one of these ranges (first, last); for each `_lastUpdated`.
    pub(super) places: Vec<Vec<(Place, Place)>>,
    /// Whether it is known that nothing can match.
    pub(super) is_empty: bool,
}

impl Plan {
    /// Whether every resource of the type matches.
    pub(super) fn is_everything(&self) -> bool {
        !self.is_empty && self.conditions.is_empty() && self.lists.is_empty() && self.places.is_empty()
    }
}

impl Searcher<'_> {
    /// Links criteria.
    pub(super) fn plan(&self, resource_type: TypeId, criteria: &[Criterion]) -> Result<Plan, Failure> {
        let mut plan = Plan {
            type_number: r4().resource_number(resource_type).unwrap_or(u8::MAX),
            conditions: Vec::new(),
            lists: Vec::new(),
            places: Vec::new(),
            is_empty: false,
        };
        for criterion in criteria {
            self.add(&mut plan, criterion)?;
        }
        plan.is_empty |= plan.lists.iter().any(Vec::is_empty)
            || plan.places.iter().any(Vec::is_empty)
            || plan.conditions.iter().any(|c| c.alternatives.is_empty() && !c.is_negated);
        Ok(plan)
    }

    fn add(&self, plan: &mut Plan, criterion: &Criterion) -> Result<(), Failure> {
        match criterion {
            Criterion::Values { parameter, any_of, is_negated } => {
                plan.conditions.push(Condition::values(
                    parameter,
                    any_of,
                    *is_negated,
                    self,
                    Now(self.instant),
                ));
            }
            Criterion::Missing { parameter, is_missing } => {
                plan.conditions.push(Condition::presence(parameter, *is_missing));
            }
            Criterion::Id(wanted) => {
                let mut seats = Vec::new();
                for id in wanted {
                    seats.extend(self.seat_of(plan.type_number, id)?);
                }
                plan.lists.push(sorted(seats));
            }
            Criterion::LastUpdated(any_of) => {
                let ranges = any_of.iter().map(|(prefix, interval)| self.places(*prefix, *interval));
                let ranges = ranges.collect::<Result<Vec<_>, _>>()?;
                plan.places.push(ranges.into_iter().flatten().collect());
            }
            Criterion::Chain { parameter, targets } => {
                let mut resources = Vec::new();
                for (target, inner) in targets {
                    let inner = self.plan(*target, std::slice::from_ref(inner))?;
                    let seats = self.seats(&inner, None)?;
                    resources.extend(seats.into_iter().map(|s| (inner.type_number, s.resource.0)));
                }
                plan.conditions.push(Condition::references(parameter, &resources));
            }
            Criterion::Has { source, parameter, criterion } => {
                let inner = self.plan(*source, std::slice::from_ref(criterion.as_ref()))?;
                let sources = self.seats(&inner, None)?;
                let targets = self.targets(&sources, inner.type_number, parameter, Some(plan.type_number))?;
                let mut seats = Vec::with_capacity(targets.len());
                for (type_number, number) in targets {
                    seats.extend(self.seat_of_number(type_number, number)?);
                }
                plan.lists.push(sorted(seats));
            }
            Criterion::Compartment { resource_type, id, parameters } => {
                let type_number = r4().resource_number(*resource_type).unwrap_or(u8::MAX);
                let number = self.number_of(type_number, id)?;
                let owners = match number {
                    None => Vec::new(),
                    Some(number) if *resource_type == r4().well_known().patient => {
                        self.linked(number)?.to_vec()
                    }
                    Some(number) => vec![number],
                };
                let owners: Vec<(u8, u64)> = owners.into_iter().map(|n| (type_number, n.0)).collect();
                let alternatives =
                    parameters.iter().flat_map(|p| Condition::references(p, &owners).alternatives).collect();
                plan.conditions.push(Condition { alternatives, is_negated: false });
            }
        }
        Ok(())
    }

    pub(super) fn number_of(&self, type_number: u8, id: &str) -> Result<Option<ResourceNumber>, Failure> {
        let value = self.view.get(Family::State, ids::key(type_number, &PackedId::new(id)))?;
        Ok(value.map(|v| ids::decode(&v)))
    }

    /// Where a resource with this id is kept, if it exists at the search's place.
    fn seat_of(&self, type_number: u8, id: &str) -> Result<Option<Seat>, Failure> {
        match self.number_of(type_number, id)? {
            Some(number) => self.seat_of_number(type_number, number),
            None => Ok(None),
        }
    }

    /// Where a resource is kept, if it exists at the search's place.
    pub(super) fn seat_of_number(
        &self,
        type_number: u8,
        number: ResourceNumber,
    ) -> Result<Option<Seat>, Failure> {
        let Some(value) = self.view.get(Family::State, heads::key(number))? else { return Ok(None) };
        let head = Head::decode(&value)?;
        if head.type_number != type_number {
            return Ok(None);
        }
        let seat = Seat { person: head.person_at(self.at), resource: number };
        Ok((self.exists(seat, type_number)? && self.admits(type_number, seat)?).then_some(seat))
    }

    /// The commits whose instants compare with an interval as the prefix says: first and last of each run.
    fn places(&self, prefix: Prefix, interval: Interval) -> Result<Vec<(Place, Place)>, Failure> {
        let last = self.at;
        // The last commit before a moment.
        let before = |moment: i64| self.last_place_before(moment);
        let next = |place: Place| Place(place.0 + 1);
        let (start, end) = (before(interval.start)?, before(interval.end)?);
        let ranges = match prefix {
            Prefix::Equal | Prefix::Approximately => vec![(next(start), end)],
            Prefix::NotEqual => vec![(Place(1), start), (next(end), last)],
            Prefix::Greater | Prefix::StartsAfter => vec![(next(end), last)],
            Prefix::GreaterOrEqual => vec![(next(start), last)],
            Prefix::Less | Prefix::EndsBefore => vec![(Place(1), start)],
            Prefix::LessOrEqual => vec![(Place(1), end)],
        };
        Ok(ranges.into_iter().filter(|(first, last)| first <= last).collect())
    }

    /// The last commit recorded before a moment; place 0 if there is none.
    fn last_place_before(&self, moment: i64) -> Result<Place, Failure> {
        let (mut low, mut high) = (0, self.at.0);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let (_, entry) = read_entry(&self.view, Place(middle))?;
            if entry.instant < moment {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(Place(low))
    }
}

fn sorted(mut seats: Vec<Seat>) -> Vec<Seat> {
    seats.sort_unstable();
    seats.dedup();
    seats
}
