//! Candidates in the order of a condition's values: rows of ranges of keys.

use search::condition::{Alternative, Condition, Part, Scan, after_prefix};

use super::cursor::Rows;
use super::{Failure, Searcher};
use crate::engine::Family;
use crate::layout::{classes, live};
use crate::numbers::Seat;

/// A range of row keys, and what its rows have to pass.
#[derive(Clone, Debug)]
pub(super) struct KeyRange {
    /// First key.
    pub(super) start: Vec<u8>,
    /// First key after the range.
    pub(super) end: Vec<u8>,
    /// Whether all keys are of one value.
    pub(super) is_one_value: bool,
    /// The alternative of the condition the range belongs to; none if it belongs to several.
    pub(super) alternative: Option<usize>,
}

/// What the rows of a range have to pass.
#[derive(Clone, Copy)]
pub(super) struct RowTest<'c> {
    pub(super) condition: &'c Condition,
    pub(super) alternative: Option<usize>,
}

impl RowTest<'_> {
    pub(super) fn passes(&self, row: &Rows<'_, '_>) -> bool {
        match self.alternative.and_then(|at| self.condition.alternatives.get(at)) {
            Some(alternative) => alternative.passes(row.value(), row.extra()),
            None => self.condition.admits(row.parameter(), row.value(), row.extra()),
        }
    }
}

/// More ranges than this are not told apart; one range over all of them is looked at instead.
const MAX_PARTS: usize = 500;

impl Searcher<'_> {
    /// The ranges of keys a condition's rows lie in, ordered and not overlapping for each alternative.
    pub(super) fn ranges(&self, type_number: u8, condition: &Condition) -> Result<Vec<KeyRange>, Failure> {
        let mut ranges = Vec::new();
        for (at, alternative) in condition.alternatives.iter().enumerate() {
            let base = vec![type_number, alternative.number];
            let mut present = None;
            for scan in &alternative.scans {
                if let Scan::Range { date_class: Some(class), .. } = scan {
                    let bits = match present {
                        Some(bits) => bits,
                        None => self.date_classes(type_number, alternative)?,
                    };
                    present = Some(bits);
                    if bits & (1 << class) == 0 {
                        continue;
                    }
                }
                self.expand(&base, scan, Some(at), &mut ranges)?;
            }
        }
        Ok(disjoint(ranges))
    }

    fn date_classes(&self, type_number: u8, alternative: &Alternative) -> Result<u16, Failure> {
        let value = self.view.get(Family::State, classes::key(type_number, alternative.number))?;
        Ok(value.map_or(0, |v| classes::decode(&v)))
    }

    fn expand(
        &self,
        base: &[u8],
        scan: &Scan,
        alternative: Option<usize>,
        out: &mut Vec<KeyRange>,
    ) -> Result<(), Failure> {
        match scan {
            Scan::Range { start, end, is_one_value, .. } => {
                // A parameter's last key ends before the next parameter's first.
                let limit = after_prefix(&base[..2]);
                let end = [base, end].concat().min(limit);
                out.push(KeyRange {
                    start: [base, start].concat(),
                    end,
                    is_one_value: *is_one_value,
                    alternative,
                });
                Ok(())
            }
            Scan::Each { prefix, part, inner } => {
                let before = [base, prefix].concat();
                let parts = self.parts(&before, *part)?;
                if parts.len() > MAX_PARTS {
                    let end = after_prefix(&before);
                    out.push(KeyRange { start: before, end, is_one_value: false, alternative });
                    return Ok(());
                }
                for part in parts {
                    let base = [before.as_slice(), &part].concat();
                    for scan in inner {
                        self.expand(&base, scan, alternative, out)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// The different variable parts that follow `before` in keys, now or ever (those of other places only cost a look).
    fn parts(&self, before: &[u8], part: Part) -> Result<Vec<Vec<u8>>, Failure> {
        let mut found = Vec::new();
        let families: &[Family] = if self.is_now { &[Family::Live] } else { &[Family::Live, Family::Past] };
        for family in families {
            let mut rows = self.view.range(*family, before, &after_prefix(before));
            rows.seek_to_first();
            while let Some(key) = rows.key() {
                self.budget.take()?;
                let Some(length) = part.length(&key[before.len()..]) else { break };
                let whole = key[..before.len() + length].to_vec();
                found.push(whole[before.len()..].to_vec());
                if found.len() > 2 * MAX_PARTS {
                    return Ok(found);
                }
                rows.seek(after_prefix(&whole));
            }
            rows.status()?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

/// Orders ranges and joins those that overlap, so that no row is met twice.
fn disjoint(mut ranges: Vec<KeyRange>) -> Vec<KeyRange> {
    ranges.retain(|r| r.start < r.end);
    ranges.sort_by(|a, b| a.start.cmp(&b.start).then_with(|| a.end.cmp(&b.end)));
    let mut joined: Vec<KeyRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start < last.end => {
                last.is_one_value &= range.is_one_value && last.start == range.start && last.end == range.end;
                last.end = last.end.clone().max(range.end);
                if last.alternative != range.alternative {
                    last.alternative = None;
                }
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// Walks the rows of ranges in key order (backwards: the other way), each resource once.
pub(super) struct ValueWalk<'v, 's> {
    searcher: &'s Searcher<'v>,
    type_number: u8,
    condition: &'s Condition,
    ranges: &'s [KeyRange],
    /// How many ranges have been begun.
    begun: usize,
    rows: Option<(Rows<'v, 's>, Option<usize>)>,
    is_backward: bool,
}

impl<'v, 's> ValueWalk<'v, 's> {
    /// From the first row, or from just after the one with key `after`.
    pub(super) fn new(
        searcher: &'s Searcher<'v>,
        type_number: u8,
        condition: &'s Condition,
        ranges: &'s [KeyRange],
        after: Option<&[u8]>,
        is_backward: bool,
    ) -> Result<Self, Failure> {
        let mut walk =
            ValueWalk { searcher, type_number, condition, ranges, begun: 0, rows: None, is_backward };
        if let Some(after) = after {
            // Ranges that lie wholly before the key (in the direction of travel) are done.
            while let Some(range) = walk.range(walk.begun) {
                let is_done =
                    if is_backward { range.start.as_slice() >= after } else { range.end.as_slice() <= after };
                if !is_done {
                    break;
                }
                walk.begun += 1;
            }
            if let Some(range) = walk.range(walk.begun) {
                let alternative = range.alternative;
                let mut rows = Rows::unplaced(searcher, &range.start, &range.end, is_backward);
                rows.seek(after)?;
                if rows.is_valid() && rows.key() == after {
                    rows.advance()?;
                }
                walk.begun += 1;
                walk.rows = Some((rows, alternative));
            }
        }
        Ok(walk)
    }

    fn range(&self, at: usize) -> Option<&'s KeyRange> {
        let at = if self.is_backward { self.ranges.len().checked_sub(at + 1)? } else { at };
        self.ranges.get(at)
    }

    /// The next resource that satisfies the condition: its seat and the row's key.
    pub(super) fn next(&mut self) -> Result<Option<(Seat, Vec<u8>)>, Failure> {
        loop {
            let Some((rows, alternative)) = &mut self.rows else {
                let Some(range) = self.range(self.begun) else { return Ok(None) };
                self.begun += 1;
                let rows = Rows::new(self.searcher, &range.start, &range.end, self.is_backward)?;
                self.rows = Some((rows, range.alternative));
                continue;
            };
            if !rows.is_valid() {
                self.rows = None;
                continue;
            }
            let test = RowTest { condition: self.condition, alternative: *alternative };
            let is_maybe = rows.flags().is_shared || test.passes(rows);
            let has_siblings = rows.flags().has_siblings;
            let is_shared = rows.flags().is_shared;
            let (seat, key) = (rows.seat(), if is_maybe { rows.key().to_vec() } else { Vec::new() });
            let is_sure = !has_siblings && !is_shared && self.condition.alternatives.len() == 1;
            rows.advance()?;
            if is_maybe && (is_sure || self.is_first(seat, &key)?) {
                return Ok(Some((seat, key)));
            }
        }
    }

    /// Whether the row is the first of its resource's that satisfies the condition, in the direction of travel.
    fn is_first(&self, seat: Seat, key: &[u8]) -> Result<bool, Failure> {
        let first = self.searcher.with_rows(seat, self.type_number, |rows, _| {
            let passing = rows.filter(|r| self.condition.admits(r.parameter, r.key, r.extra));
            let keys = passing.map(|r| live::key(self.type_number, r.parameter, r.key, seat));
            if self.is_backward { keys.max() } else { keys.min() }
        })?;
        Ok(first.flatten().as_deref() == Some(key))
    }
}
