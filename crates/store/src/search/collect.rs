//! From a plan to its resources: which source drives, and the filter of the rest.

use search::condition::Condition;
use search::{Parameter, key::reference};

use super::gate::Gated;
use super::plan::Plan;
use super::stream::{Intersection, List, OneValue, Stream, Union};
use super::values::{KeyRange, RowTest, ValueWalk};
use super::{Failure, Searcher};
use crate::engine::Family;
use crate::fold::total_at;
use crate::layout::live;
use crate::layout::meta::destroyed_key;
use crate::numbers::{ResourceNumber, Seat};

/// How many rows of each possible source are counted to choose one.
const PROBE: usize = 1000;

/// A union of more streams than this is not leapt in; it filters instead.
const MAX_LEAPING: usize = 4;

/// A union of more streams than this is collected into a list first.
const MAX_STREAMS: usize = 64;

/// What drives a search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Driver {
    /// Streams in the order of seats.
    Seats,
    /// The rows of one condition, in the order of values.
    Values(usize),
}

/// A plan with its sources worked out.
pub(super) struct Sources<'p> {
    pub(super) plan: &'p Plan,
    /// For each condition, its ranges; empty for negated ones.
    pub(super) ranges: Vec<Vec<KeyRange>>,
}

impl Sources<'_> {
    /// Whether a condition's rows come in the order of seats.
    fn is_ordered(&self, at: usize) -> bool {
        let ranges = &self.ranges[at];
        !self.plan.conditions[at].is_negated && ranges.iter().all(|r| r.is_one_value)
    }
}

impl<'v> Searcher<'v> {
    pub(super) fn sources<'p>(&self, plan: &'p Plan) -> Result<Sources<'p>, Failure> {
        let of = |condition: &Condition| {
            if condition.is_negated { Ok(Vec::new()) } else { self.ranges(plan.type_number, condition) }
        };
        let ranges = plan.conditions.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        Ok(Sources { plan, ranges })
    }

    /// Counts rows of a condition's ranges, up to a limit.
    pub(super) fn probe(&self, ranges: &[KeyRange], limit: usize) -> Result<usize, Failure> {
        let mut count = 0;
        for range in ranges {
            let mut rows = super::cursor::Rows::new(self, &range.start, &range.end, false)?;
            while rows.is_valid() {
                count += 1;
                if count >= limit {
                    return Ok(count);
                }
                rows.advance()?;
            }
        }
        Ok(count)
    }

    /// Chooses what drives: what few rows satisfy, and in case of doubt what can be leapt in.
    pub(super) fn choose(&self, sources: &Sources<'_>) -> Result<Driver, Failure> {
        let plan = sources.plan;
        if !plan.lists.is_empty() || self.is_of_few(plan.type_number)? {
            return Ok(Driver::Seats);
        }
        let positive: Vec<usize> =
            (0..plan.conditions.len()).filter(|at| !plan.conditions[*at].is_negated).collect();
        let ordered: Vec<usize> = positive.iter().copied().filter(|at| sources.is_ordered(*at)).collect();
        let by_value: Vec<usize> = positive.iter().copied().filter(|at| !sources.is_ordered(*at)).collect();
        match (ordered.as_slice(), by_value.as_slice()) {
            (_, []) => Ok(Driver::Seats),
            ([], [only]) => Ok(Driver::Values(*only)),
            _ => {
                let mut best = (usize::MAX, Driver::Seats);
                for at in ordered {
                    let count = self.probe(&sources.ranges[at], PROBE)?;
                    if count < best.0 {
                        best = (count, Driver::Seats);
                    }
                }
                for at in by_value {
                    let count = self.probe(&sources.ranges[at], PROBE.min(best.0))?;
                    if count < best.0 {
                        best = (count, Driver::Values(at));
                    }
                }
                Ok(best.1)
            }
        }
    }

    /// Whether only rows of known persons exist for the one who asks: then their records are read, not the hub's.
    pub(super) fn is_of_few(&self, type_number: u8) -> Result<bool, Failure> {
        match &self.gate {
            Some(gate) => Ok(gate.persons(type_number)?.is_some()),
            None => Ok(false),
        }
    }

    /// The stream of candidates in the order of seats, and which conditions it stands for.
    pub(super) fn seat_stream<'s, 'p: 's>(
        &'s self,
        sources: &'s Sources<'p>,
        is_backward: bool,
    ) -> Result<(Box<dyn Stream + 's>, Vec<bool>), Failure> {
        let plan = sources.plan;
        let mut covered = vec![false; plan.conditions.len()];
        let mut streams: Vec<Box<dyn Stream + 's>> = Vec::new();
        for list in &plan.lists {
            streams.push(Box::new(List::new(list.clone(), is_backward)));
        }
        for (at, is_covered) in covered.iter_mut().enumerate() {
            if sources.is_ordered(at) && sources.ranges[at].len() <= MAX_LEAPING {
                streams.push(self.condition_stream(
                    &plan.conditions[at],
                    &sources.ranges[at],
                    is_backward,
                )?);
                *is_covered = true;
            }
        }
        if streams.is_empty()
            && let Some(at) = (0..plan.conditions.len()).find(|at| sources.is_ordered(*at))
        {
            streams.push(self.condition_stream(&plan.conditions[at], &sources.ranges[at], is_backward)?);
            covered[at] = true;
        }
        if streams.is_empty() {
            let prefix = vec![plan.type_number, live::ALL];
            streams.push(Box::new(OneValue::new(self, prefix, None, is_backward)?));
        }
        let stream = Intersection::of(streams)?;
        let stream = match &self.gate {
            Some(gate) => Box::new(Gated::new(stream, gate, plan.type_number, is_backward)?),
            None => stream,
        };
        Ok((stream, covered))
    }

    /// The union of a condition's one-value ranges.
    fn condition_stream<'s>(
        &'s self,
        condition: &'s Condition,
        ranges: &[KeyRange],
        is_backward: bool,
    ) -> Result<Box<dyn Stream + 's>, Failure> {
        let open = |range: &KeyRange| {
            let test = RowTest { condition, alternative: range.alternative };
            OneValue::new(self, range.start.clone(), Some(test), is_backward)
        };
        if ranges.len() > MAX_STREAMS {
            let mut seats = Vec::new();
            for range in ranges {
                let mut stream = open(range)?;
                while let Some(seat) = stream.current() {
                    seats.push(seat);
                    stream.advance()?;
                }
            }
            return Ok(Box::new(List::new(seats, is_backward)));
        }
        let mut streams: Vec<Box<dyn Stream + 's>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            streams.push(Box::new(open(range)?));
        }
        Ok(Union::of(streams, is_backward))
    }

    /// Whether a candidate satisfies what the driver does not already stand for.
    pub(super) fn passes(&self, plan: &Plan, seat: Seat, covered: &[bool]) -> Result<bool, Failure> {
        if plan.lists.iter().any(|list| list.binary_search(&seat).is_err()) {
            return Ok(false);
        }
        if plan.places.is_empty() && covered.iter().all(|c| *c) {
            return self.admits(plan.type_number, seat);
        }
        let outcome = self.with_rows(seat, plan.type_number, |rows, place| {
            let is_in_time = plan
                .places
                .iter()
                .all(|ranges| ranges.iter().any(|(first, last)| *first <= place && place <= *last));
            let open = plan.conditions.iter().zip(covered).filter(|(_, covered)| !**covered);
            is_in_time && open.into_iter().all(|(c, _)| c.holds(rows.map(|r| (r.parameter, r.key, r.extra))))
        })?;
        Ok(outcome.unwrap_or(false) && self.admits(plan.type_number, seat)?)
    }

    /// Passes every match to `visit` until it returns false, in the driver's order.
    pub(super) fn visit(
        &self,
        plan: &Plan,
        mut visit: impl FnMut(Seat) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        if plan.is_empty {
            return Ok(());
        }
        let sources = self.sources(plan)?;
        match self.choose(&sources)? {
            Driver::Seats => {
                let (mut stream, covered) = self.seat_stream(&sources, false)?;
                let nothing = vec![false; covered.len()];
                while let Some(seat) = stream.current() {
                    let covered = if stream.is_certain() { &covered } else { &nothing };
                    if self.passes(plan, seat, covered)? && !visit(seat)? {
                        return Ok(());
                    }
                    stream.advance()?;
                }
            }
            Driver::Values(at) => {
                let mut covered = vec![false; plan.conditions.len()];
                covered[at] = true;
                let ranges = &sources.ranges[at];
                let mut walk =
                    ValueWalk::new(self, plan.type_number, &plan.conditions[at], ranges, None, false)?;
                while let Some((seat, _)) = walk.next()? {
                    if self.passes(plan, seat, &covered)? && !visit(seat)? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The seats of all matches, or of the first ones.
    pub(super) fn seats(&self, plan: &Plan, limit: Option<usize>) -> Result<Vec<Seat>, Failure> {
        let mut seats = Vec::new();
        if limit == Some(0) {
            return Ok(seats);
        }
        self.visit(plan, |seat| {
            seats.push(seat);
            Ok(limit.is_none_or(|l| seats.len() < l))
        })?;
        Ok(seats)
    }

    /// How many resources match.
    pub(super) fn count_plan(&self, plan: &Plan) -> Result<u64, Failure> {
        // Totals of the past count what was destroyed since; then what is left is counted.
        let is_total = self.gate.is_none()
            && plan.is_everything()
            && (self.is_now || self.view.get(Family::State, destroyed_key())?.is_none());
        if is_total {
            return Ok(total_at(&self.view, plan.type_number, self.at)?);
        }
        let mut count = 0;
        self.visit(plan, |_| {
            count += 1;
            Ok(true)
        })?;
        Ok(count)
    }

    /// The resources that references of a parameter point at from these resources: type's number and number, each
    /// once, in order.
    pub(super) fn targets(
        &self,
        sources: &[Seat],
        source_type: u8,
        parameter: &Parameter,
        only: Option<u8>,
    ) -> Result<Vec<(u8, ResourceNumber)>, Failure> {
        let numbers = parameter.numbers();
        let mut found = Vec::new();
        for seat in sources {
            self.with_rows(*seat, source_type, |rows, _| {
                for row in rows.filter(|r| numbers.contains(&r.parameter)) {
                    if let Some((reference::ReferenceKey::Local(type_number, number), _)) =
                        reference::read(row.key)
                        && only.is_none_or(|only| only == type_number)
                    {
                        found.push((type_number, ResourceNumber(number)));
                    }
                }
            })?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}
