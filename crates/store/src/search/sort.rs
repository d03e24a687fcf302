//! Sorted pages.
//!
//! Two ways give the same order: walking the rows of the sort's parameter and filtering, or collecting all matches and
//! sorting them. Walking costs the page divided by the share of resources that match; collecting costs the matches.
//! Whichever is less is taken, and since a page's place is written in sort keys, a later page may take the other.
//!
//! The order: by each key in turn; resources without a value come last in either direction; ties go by seat, in the
//! direction of the first key. A resource with several values stands at its least (descending: its greatest).

use std::cmp::Ordering;

use fhir::definitions::SearchParameterType as Kind;
use search::condition::{Condition, after_prefix};
use search::key::{date, quantity};
use search::query::{Sort, SortBy};
use serde::{Deserialize, Serialize};

use super::cursor::Rows;
use super::plan::Plan;
use super::{Failure, Searcher};
use crate::engine::Family;
use crate::fold::total_at;
use crate::layout::heads::Head;
use crate::layout::{classes, heads, history, live};
use crate::numbers::{NUMBER_BYTES, Place, Seat, number_bytes};

/// A resource's place in a sorted order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Position {
    /// For each key of the sort, the resource's value of it, if it has one.
    pub(super) keys: Vec<Option<Vec<u8>>>,
    pub(super) seat: Seat,
}

/// What a page of a sorted search wants.
pub(super) struct Request<'q> {
    pub(super) sort: &'q [Sort],
    pub(super) after: Option<&'q Position>,
    pub(super) is_backward: bool,
    /// How many are wanted.
    pub(super) limit: usize,
}

/// Compares two positions in the order of a sort.
fn compare(sort: &[Sort], a: &Position, b: &Position) -> Ordering {
    for (key, (x, y)) in sort.iter().zip(a.keys.iter().zip(&b.keys)) {
        let order = match (x, y) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
            (Some(x), Some(y)) if key.is_descending => y.cmp(x),
            (Some(x), Some(y)) => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    let order = a.seat.cmp(&b.seat);
    if is_descending(sort) { order.reverse() } else { order }
}

fn is_descending(sort: &[Sort]) -> bool {
    sort.first().is_some_and(|s| s.is_descending)
}

/// A value key in the form it sorts by.
fn sortable(kind: Kind, key: &[u8]) -> Vec<u8> {
    match kind {
        Kind::Date => match date::read(key) {
            // By beginning, whatever the class; bias turns signed into unsigned order.
            Some((interval, _)) => [&(interval.start ^ i64::MIN).to_be_bytes(), key].concat(),
            None => key.to_vec(),
        },
        Kind::Quantity => match quantity::read(key) {
            Some(parts) => [parts.low, key].concat(),
            None => key.to_vec(),
        },
        _ => key.to_vec(),
    }
}

impl<'v> Searcher<'v> {
    /// A page of matches in the order of a sort, in the direction of travel.
    pub(super) fn sorted(&self, plan: &Plan, request: &Request<'_>) -> Result<Vec<Position>, Failure> {
        if plan.is_empty {
            return Ok(Vec::new());
        }
        if let [only] = request.sort
            && self.is_worth_walking(plan, only, request.limit)?
        {
            return match only.by {
                SortBy::LastUpdated => self.walk_history(plan, request),
                SortBy::Parameter(parameter) => {
                    let number = parameter.numbers().first().copied().unwrap_or(0);
                    self.walk(
                        plan,
                        request,
                        only,
                        number,
                        parameter.kind,
                        &Condition::presence(parameter, true),
                    )
                }
                SortBy::Id => self.collect(plan, request),
            };
        }
        self.collect(plan, request)
    }

    /// Whether walking along the sort's own rows is possible and likely cheaper than collecting all matches.
    fn is_worth_walking(&self, plan: &Plan, sort: &Sort, limit: usize) -> Result<bool, Failure> {
        let can_walk = match sort.by {
            SortBy::LastUpdated => true,
            SortBy::Id => false,
            SortBy::Parameter(p) => {
                let is_ordered =
                    matches!(p.kind, Kind::String | Kind::Token | Kind::Uri | Kind::Date | Kind::Number);
                is_ordered && p.numbers().len() == 1
            }
        };
        if !can_walk || !plan.lists.is_empty() || self.is_of_few(plan.type_number)? {
            return Ok(false);
        }
        // Collecting costs the number of matches m, walking limit × n / m: they meet at the root of limit × n.
        let total = total_at(&self.view, plan.type_number, self.at)?;
        let few = ((limit as f64 * total as f64).sqrt() as usize).clamp(500, 20_000);
        let sources = self.sources(plan)?;
        for (condition, ranges) in plan.conditions.iter().zip(&sources.ranges) {
            if !condition.is_negated && self.probe(ranges, few)? < few {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The sort keys of a resource.
    fn position(&self, plan: &Plan, sort: &[Sort], seat: Seat) -> Result<Position, Failure> {
        let mut keys = Vec::with_capacity(sort.len());
        for key in sort {
            keys.push(match key.by {
                SortBy::Id => {
                    let value = self.view.get(Family::State, heads::key(seat.resource))?;
                    value.map(|v| Head::decode(&v)).transpose()?.map(|h| h.id.unpack().into_bytes())
                }
                SortBy::LastUpdated => {
                    self.with_rows(seat, plan.type_number, |_, place| number_bytes(place.0).to_vec())?
                }
                SortBy::Parameter(parameter) => {
                    let numbers = parameter.numbers();
                    let values = self.with_rows(seat, plan.type_number, |rows, _| {
                        let own = rows.filter(|r| numbers.contains(&r.parameter));
                        let keys = own.map(|r| sortable(parameter.kind, r.key));
                        if key.is_descending { keys.max() } else { keys.min() }
                    })?;
                    values.flatten()
                }
            });
        }
        Ok(Position { keys, seat })
    }

    fn collect(&self, plan: &Plan, request: &Request<'_>) -> Result<Vec<Position>, Failure> {
        let order = |a: &Position, b: &Position| {
            let order = compare(request.sort, a, b);
            if request.is_backward { order.reverse() } else { order }
        };
        let mut best: Vec<Position> = Vec::new();
        self.visit(plan, |seat| {
            let position = self.position(plan, request.sort, seat)?;
            if request.after.is_some_and(|after| order(&position, after) != Ordering::Greater) {
                return Ok(true);
            }
            best.push(position);
            // Now and then only the best are kept, so that memory grows with the page.
            if best.len() >= 4 * request.limit.max(1000) {
                best.sort_by(order);
                best.truncate(request.limit);
            }
            Ok(true)
        })?;
        best.sort_by(order);
        best.truncate(request.limit);
        Ok(best)
    }

    /// Along the rows of the sort's parameter, then those without a value; backwards the other way.
    fn walk(
        &self,
        plan: &Plan,
        request: &Request<'_>,
        sort: &Sort,
        number: u8,
        kind: Kind,
        missing: &Condition,
    ) -> Result<Vec<Position>, Failure> {
        let mut found = Vec::new();
        let after_value = request.after.filter(|p| p.keys.first().is_some_and(Option::is_some));
        let after_missing = request.after.filter(|p| p.keys.first().is_some_and(Option::is_none));
        if request.is_backward {
            if let Some(after) = after_missing {
                self.without_value(plan, missing, request, Some(after.seat), &mut found)?;
            }
            if found.len() < request.limit {
                self.with_value(plan, request, sort, number, kind, after_value, &mut found)?;
            }
        } else {
            if after_missing.is_none() {
                self.with_value(plan, request, sort, number, kind, after_value, &mut found)?;
            }
            if found.len() < request.limit {
                self.without_value(plan, missing, request, after_missing.map(|p| p.seat), &mut found)?;
            }
        }
        Ok(found)
    }

    #[allow(clippy::too_many_arguments)] // one step of `walk`, which holds them
    fn with_value(
        &self,
        plan: &Plan,
        request: &Request<'_>,
        sort: &Sort,
        number: u8,
        kind: Kind,
        after: Option<&Position>,
        found: &mut Vec<Position>,
    ) -> Result<(), Failure> {
        let is_reversed = sort.is_descending != request.is_backward;
        let nothing = vec![false; plan.conditions.len()];
        let mut walk = SortWalk::new(self, plan.type_number, number, kind, is_reversed, after)?;
        while let Some((key, seat, has_siblings)) = walk.next()? {
            if has_siblings {
                // The resource stands at its least (descending: greatest) value only.
                let own = self.position(plan, request.sort, seat)?;
                if own.keys.first().and_then(Option::as_ref) != Some(&key) {
                    continue;
                }
            }
            if self.passes(plan, seat, &nothing)? {
                found.push(Position { keys: vec![Some(key)], seat });
                if found.len() >= request.limit {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn without_value(
        &self,
        plan: &Plan,
        missing: &Condition,
        request: &Request<'_>,
        after: Option<Seat>,
        found: &mut Vec<Position>,
    ) -> Result<(), Failure> {
        let is_reversed = is_descending(request.sort) != request.is_backward;
        let sources = self.sources(plan)?;
        let (mut stream, _) = self.seat_stream(&sources, is_reversed)?;
        if let Some(after) = after {
            stream.seek(after)?;
            if stream.current() == Some(after) {
                stream.advance()?;
            }
        }
        let nothing = vec![false; plan.conditions.len()];
        while let Some(seat) = stream.current() {
            let is_without = self
                .with_rows(seat, plan.type_number, |rows, _| {
                    missing.holds(rows.map(|r| (r.parameter, r.key, r.extra)))
                })?
                .unwrap_or(false);
            if is_without && self.passes(plan, seat, &nothing)? {
                found.push(Position { keys: vec![None], seat });
                if found.len() >= request.limit {
                    return Ok(());
                }
            }
            stream.advance()?;
        }
        Ok(())
    }

    /// Along the type's history, keeping the versions that are current at the search's place.
    fn walk_history(&self, plan: &Plan, request: &Request<'_>) -> Result<Vec<Position>, Failure> {
        let is_reversed = is_descending(request.sort) != request.is_backward;
        let (first, last) = (
            history::key(plan.type_number, Place(0), 0),
            history::key(plan.type_number, Place(self.at.0 + 1), 0),
        );
        let mut rows = self.view.range(Family::State, &first, &last);
        let after_place = request.after.and_then(|p| p.keys.first().cloned().flatten()).map(|k| place_of(&k));
        match (is_reversed, after_place) {
            (false, None) => rows.seek_to_first(),
            (false, Some(place)) => rows.seek(history::key(plan.type_number, place, 0)),
            (true, None) => rows.seek_to_last(),
            (true, Some(place)) => rows.seek_for_prev(history::key(plan.type_number, place, 0xff_ffff)),
        }
        let nothing = vec![false; plan.conditions.len()];
        let mut found = Vec::new();
        let mut commit: Option<(Place, Vec<Seat>)> = None;
        loop {
            let row = rows.item().map(|(key, value)| (history::read_key(key).0, history::decode(value)));
            // The resources of one commit are a tie; they go by seat.
            let is_other = |(place, _): &(Place, Vec<Seat>)| row.is_none_or(|(other, _)| other != *place);
            if commit.as_ref().is_some_and(is_other)
                && let Some((place, mut seats)) = commit.take()
            {
                seats.sort_unstable();
                if is_reversed {
                    seats.reverse();
                }
                for seat in seats {
                    let position = Position { keys: vec![Some(number_bytes(place.0).to_vec())], seat };
                    let order = request
                        .after
                        .map_or(Ordering::Greater, |after| compare(request.sort, &position, after));
                    let is_further =
                        order == if request.is_backward { Ordering::Less } else { Ordering::Greater };
                    if is_further || request.after.is_none() {
                        found.push(position);
                    }
                }
                if found.len() >= request.limit {
                    found.truncate(request.limit);
                    return Ok(found);
                }
            }
            let Some((place, number)) = row else { break };
            self.budget.take()?;
            if let Some(seat) = self.seat_of_number(plan.type_number, number)? {
                let is_current = self.with_rows(seat, plan.type_number, |_, p| p == place)?.unwrap_or(false);
                if is_current && self.passes(plan, seat, &nothing)? {
                    commit.get_or_insert_with(|| (place, Vec::new())).1.push(seat);
                }
            }
            if is_reversed {
                rows.prev();
            } else {
                rows.next();
            }
        }
        rows.status()?;
        Ok(found)
    }
}

fn place_of(key: &[u8]) -> Place {
    Place(key.iter().take(NUMBER_BYTES).fold(0, |sum, b| sum << 8 | u64::from(*b)))
}

/// The rows of one parameter in the order of their sortable keys and seats.
struct SortWalk<'v, 's> {
    kind: Kind,
    is_reversed: bool,
    /// One for all values; for dates one a class, since classes come before beginnings in keys.
    runs: Vec<Rows<'v, 's>>,
    after: Option<(Vec<u8>, Seat)>,
}

impl<'v, 's> SortWalk<'v, 's> {
    fn new(
        searcher: &'s Searcher<'v>,
        type_number: u8,
        number: u8,
        kind: Kind,
        is_reversed: bool,
        after: Option<&Position>,
    ) -> Result<Self, Failure> {
        let base = vec![type_number, number];
        let after = after.and_then(|p| Some((p.keys.first()?.clone()?, p.seat)));
        let mut runs = Vec::new();
        if kind == Kind::Date {
            let bits = searcher.view.get(Family::State, classes::key(type_number, number))?;
            let bits = bits.map_or(0, |v| classes::decode(&v));
            for class in date::CLASSES.iter().filter(|c| bits & (1 << c.number) != 0) {
                let prefix = [base.as_slice(), &[class.number]].concat();
                let mut rows = Rows::unplaced(searcher, &prefix, &after_prefix(&prefix), is_reversed);
                let start = after
                    .as_ref()
                    .and_then(|(key, _)| key.first_chunk::<8>())
                    .map(|b| i64::from_be_bytes(*b) ^ i64::MIN);
                match start {
                    None => rows = Rows::new(searcher, &prefix, &after_prefix(&prefix), is_reversed)?,
                    Some(start) => {
                        let (low, high) = date::range(class, start, start.saturating_add(1));
                        let key = [base.as_slice(), if is_reversed { &high } else { &low }].concat();
                        rows.seek(&key)?;
                    }
                }
                runs.push(rows);
            }
        } else {
            let mut rows = Rows::unplaced(searcher, &base, &after_prefix(&base), is_reversed);
            match &after {
                None => rows = Rows::new(searcher, &base, &after_prefix(&base), is_reversed)?,
                Some((key, seat)) => rows.seek(&live::key(type_number, number, key, *seat))?,
            }
            runs.push(rows);
        }
        Ok(SortWalk { kind, is_reversed, runs, after })
    }

    /// The next row: sortable key, seat, and whether the resource may have other values.
    fn next(&mut self) -> Result<Option<(Vec<u8>, Seat, bool)>, Failure> {
        loop {
            let heads = self.runs.iter().enumerate().filter(|(_, rows)| rows.is_valid());
            let keyed = heads.map(|(at, rows)| ((sortable(self.kind, rows.value()), rows.seat()), at));
            let next = if self.is_reversed { keyed.max() } else { keyed.min() };
            let Some(((key, seat), at)) = next else { return Ok(None) };
            let has_siblings = self.runs[at].flags().has_siblings;
            self.runs[at].advance()?;
            let place = (key, seat);
            let is_further = self
                .after
                .as_ref()
                .is_none_or(|after| if self.is_reversed { place < *after } else { place > *after });
            if is_further {
                return Ok(Some((place.0, place.1, has_siblings)));
            }
        }
    }
}
