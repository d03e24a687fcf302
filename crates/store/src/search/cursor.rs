//! Index rows that hold at a place, in key order, forwards or backwards.

use sealing::Cursor;

use super::{Failure, Searcher};
use crate::engine::Family;
use crate::layout::live::{Flags, LiveRow};
use crate::layout::past::{self, PastRow};
use crate::numbers::{Place, SEAT_BYTES, Seat};

/// Rows of a range of keys.
pub(super) struct Rows<'v, 's> {
    searcher: &'s Searcher<'v>,
    live: Cursor<'v>,
    past: Option<Cursor<'v>>,
    at: Place,
    is_backward: bool,
    /// The current row: its key as a live row.
    key: Vec<u8>,
    extra: Vec<u8>,
    flags: Flags,
    is_valid: bool,
    /// Which iterator the current row came from.
    is_past: bool,
}

impl<'v, 's> Rows<'v, 's> {
    /// The rows from `start` to before `end`, placed on the first (backwards: the last).
    pub(super) fn new(
        searcher: &'s Searcher<'v>,
        start: &[u8],
        end: &[u8],
        is_backward: bool,
    ) -> Result<Self, Failure> {
        let mut rows = Rows::unplaced(searcher, start, end, is_backward);
        if is_backward {
            rows.live.seek_to_last();
        } else {
            rows.live.seek_to_first();
        }
        if let Some(past) = &mut rows.past {
            if is_backward {
                past.seek_to_last();
            } else {
                past.seek_to_first();
            }
        }
        rows.settle()?;
        Ok(rows)
    }

    /// The same, not placed yet.
    pub(super) fn unplaced(searcher: &'s Searcher<'v>, start: &[u8], end: &[u8], is_backward: bool) -> Self {
        let live = searcher.view.range(Family::Live, start, end);
        let past = (!searcher.is_now).then(|| searcher.view.range(Family::Past, start, end));
        Rows {
            searcher,
            live,
            past,
            at: searcher.at,
            is_backward,
            key: Vec::with_capacity(64),
            extra: Vec::new(),
            flags: Flags::default(),
            is_valid: false,
            is_past: false,
        }
    }

    /// Moves to the first row at or after `key` (backwards: at or before).
    pub(super) fn seek(&mut self, key: &[u8]) -> Result<(), Failure> {
        if self.is_backward {
            self.live.seek_for_prev(key);
            if let Some(past) = &mut self.past {
                let last = [key, &[0xff; 5]].concat();
                past.seek_for_prev(last);
            }
        } else {
            self.live.seek(key);
            if let Some(past) = &mut self.past {
                past.seek(key);
            }
        }
        self.settle()
    }

    /// Whether there is a current row.
    pub(super) fn is_valid(&self) -> bool {
        self.is_valid
    }

    /// The current row's key, as a live row's.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The number of its parameter.
    pub(super) fn parameter(&self) -> u8 {
        self.key.get(1).copied().unwrap_or(0)
    }

    /// The value key within it.
    pub(super) fn value(&self) -> &[u8] {
        let end = self.key.len().saturating_sub(SEAT_BYTES).max(2);
        &self.key[2.min(end)..end]
    }

    pub(super) fn seat(&self) -> Seat {
        Seat::read(&self.key[self.key.len().saturating_sub(SEAT_BYTES)..]).unwrap_or_default()
    }

    pub(super) fn extra(&self) -> &[u8] {
        &self.extra
    }

    pub(super) fn flags(&self) -> Flags {
        self.flags
    }

    /// Moves to the next row.
    pub(super) fn advance(&mut self) -> Result<(), Failure> {
        self.step();
        self.settle()
    }

    /// Moves the iterator the current row came from.
    fn step(&mut self) {
        let iterator = match (&mut self.past, self.is_past) {
            (Some(past), true) => past,
            _ => &mut self.live,
        };
        if self.is_backward {
            iterator.prev();
        } else {
            iterator.next();
        }
    }

    /// From where the iterators stand, finds the first row that holds.
    fn settle(&mut self) -> Result<(), Failure> {
        loop {
            self.is_past = match (self.live.key(), self.past.as_ref().and_then(|p| p.key())) {
                (None, None) => {
                    self.is_valid = false;
                    self.live.status()?;
                    if let Some(past) = &self.past {
                        past.status()?;
                    }
                    return Ok(());
                }
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some(live), Some(past)) => {
                    let past = past::read_key(past).map_or(past, |(key, _)| key);
                    if self.is_backward { past > live } else { past < live }
                }
            };
            self.searcher.budget.take()?;
            if self.read()? {
                self.is_valid = true;
                return Ok(());
            }
            self.step();
        }
    }

    /// Takes over the row at the chosen iterator; whether it holds at the place.
    fn read(&mut self) -> Result<bool, Failure> {
        if self.is_past {
            let Some((key, value)) = self.past.as_ref().and_then(|p| p.item()) else {
                self.past.as_ref().map_or(Ok(()), Cursor::status)?;
                return Ok(false);
            };
            let (Some((key, from)), row) = (past::read_key(key), PastRow::decode(value)?) else {
                return Ok(false);
            };
            if from > self.at || row.to <= self.at {
                return Ok(false);
            }
            self.key.clear();
            self.key.extend_from_slice(key);
            self.extra.clear();
            self.extra.extend_from_slice(row.extra);
            self.flags = row.flags;
            return Ok(true);
        }
        let Some((key, value)) = self.live.item() else {
            self.live.status()?;
            return Ok(false);
        };
        let row = LiveRow::decode(value)?;
        if row.from > self.at {
            return Ok(false);
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        self.extra.clear();
        self.extra.extend_from_slice(row.extra);
        self.flags = row.flags;
        Ok(true)
    }
}
