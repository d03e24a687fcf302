//! Candidates in the order of seats: rows of one value, unions and intersections of such, and lists.

use std::cmp::Ordering;

use search::condition::after_prefix;

use super::cursor::Rows;
use super::values::RowTest;
use super::{Failure, Searcher};
use crate::numbers::Seat;

/// Candidates in the order of seats (backwards: the other way).
pub(super) trait Stream {
    /// The current candidate.
    fn current(&self) -> Option<Seat>;
    /// Whether the current candidate is sure to satisfy what the stream stands for; if not, its entries must be asked.
    fn is_certain(&self) -> bool;
    /// Moves to the next candidate.
    fn advance(&mut self) -> Result<(), Failure>;
    /// Moves to the first candidate at or after `seat` (backwards: at or before), if that is further on.
    fn seek(&mut self, seat: Seat) -> Result<(), Failure>;
}

/// Compares seats in the direction of travel.
pub(super) fn compare(a: Seat, b: Seat, is_backward: bool) -> Ordering {
    if is_backward { b.cmp(&a) } else { a.cmp(&b) }
}

/// The rows of one value that pass a test.
pub(super) struct OneValue<'v, 's> {
    rows: Rows<'v, 's>,
    prefix: Vec<u8>,
    test: Option<RowTest<'s>>,
    is_backward: bool,
}

impl<'v, 's> OneValue<'v, 's> {
    /// The rows whose keys are `prefix` and a seat; without a test all pass.
    pub(super) fn new(
        searcher: &'s Searcher<'v>,
        prefix: Vec<u8>,
        test: Option<RowTest<'s>>,
        is_backward: bool,
    ) -> Result<Self, Failure> {
        let rows = Rows::unplaced(searcher, &prefix, &after_prefix(&prefix), is_backward);
        let mut stream = OneValue { rows, prefix, test, is_backward };
        let first = [stream.prefix.as_slice(), if is_backward { &[0xff; 10] } else { &[] }].concat();
        stream.rows.seek(&first)?;
        stream.settle()?;
        Ok(stream)
    }

    fn settle(&mut self) -> Result<(), Failure> {
        let Some(test) = &self.test else { return Ok(()) };
        while self.rows.is_valid() && !self.rows.flags().is_shared && !test.passes(&self.rows) {
            self.rows.advance()?;
        }
        Ok(())
    }
}

impl Stream for OneValue<'_, '_> {
    fn current(&self) -> Option<Seat> {
        self.rows.is_valid().then(|| self.rows.seat())
    }

    fn is_certain(&self) -> bool {
        !self.rows.flags().is_shared
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.rows.advance()?;
        self.settle()
    }

    fn seek(&mut self, seat: Seat) -> Result<(), Failure> {
        let is_further = self.current().is_some_and(|c| compare(c, seat, self.is_backward) == Ordering::Less);
        if is_further {
            let key = [self.prefix.as_slice(), &seat.bytes()].concat();
            self.rows.seek(&key)?;
            self.settle()?;
        }
        Ok(())
    }
}

/// A list of candidates.
pub(super) struct List {
    /// In the direction of travel.
    seats: Vec<Seat>,
    at: usize,
    is_backward: bool,
}

impl List {
    /// A list in any order.
    pub(super) fn new(mut seats: Vec<Seat>, is_backward: bool) -> List {
        seats.sort_unstable_by(|a, b| compare(*a, *b, is_backward));
        seats.dedup();
        List { seats, at: 0, is_backward }
    }
}

impl Stream for List {
    fn current(&self) -> Option<Seat> {
        self.seats.get(self.at).copied()
    }

    fn is_certain(&self) -> bool {
        true
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.at += 1;
        Ok(())
    }

    fn seek(&mut self, seat: Seat) -> Result<(), Failure> {
        let rest = &self.seats[self.at.min(self.seats.len())..];
        self.at += rest.partition_point(|s| compare(*s, seat, self.is_backward) == Ordering::Less);
        Ok(())
    }
}

/// What any of several streams has.
pub(super) struct Union<'s> {
    streams: Vec<Box<dyn Stream + 's>>,
    is_backward: bool,
}

impl<'s> Union<'s> {
    /// One stream of several.
    pub(super) fn of(mut streams: Vec<Box<dyn Stream + 's>>, is_backward: bool) -> Box<dyn Stream + 's> {
        match streams.pop() {
            Some(only) if streams.is_empty() => only,
            Some(last) => {
                streams.push(last);
                Box::new(Union { streams, is_backward })
            }
            None => Box::new(List::new(Vec::new(), is_backward)),
        }
    }
}

impl Stream for Union<'_> {
    fn current(&self) -> Option<Seat> {
        let seats = self.streams.iter().filter_map(|s| s.current());
        seats.min_by(|a, b| compare(*a, *b, self.is_backward))
    }

    fn is_certain(&self) -> bool {
        let current = self.current();
        self.streams.iter().any(|s| s.current() == current && s.is_certain())
    }

    fn advance(&mut self) -> Result<(), Failure> {
        let current = self.current();
        for stream in &mut self.streams {
            if stream.current() == current {
                stream.advance()?;
            }
        }
        Ok(())
    }

    fn seek(&mut self, seat: Seat) -> Result<(), Failure> {
        self.streams.iter_mut().try_for_each(|s| s.seek(seat))
    }
}

/// What all of several streams have.
pub(super) struct Intersection<'s> {
    streams: Vec<Box<dyn Stream + 's>>,
}

impl<'s> Intersection<'s> {
    /// One stream of several (at least one).
    pub(super) fn of(mut streams: Vec<Box<dyn Stream + 's>>) -> Result<Box<dyn Stream + 's>, Failure> {
        if streams.len() == 1
            && let Some(only) = streams.pop()
        {
            return Ok(only);
        }
        let mut intersection = Intersection { streams };
        intersection.settle()?;
        Ok(Box::new(intersection))
    }

    /// Leaps each stream to the furthest one's candidate until all stand on the same.
    fn settle(&mut self) -> Result<(), Failure> {
        let Some(mut target) = self.streams.first().and_then(|s| s.current()) else { return Ok(()) };
        loop {
            let mut is_same = true;
            for stream in &mut self.streams {
                stream.seek(target)?;
                match stream.current() {
                    None => return Ok(()),
                    Some(found) if found != target => {
                        target = found;
                        is_same = false;
                    }
                    Some(_) => {}
                }
            }
            if is_same {
                return Ok(());
            }
        }
    }
}

impl Stream for Intersection<'_> {
    fn current(&self) -> Option<Seat> {
        let first = self.streams.first()?.current()?;
        self.streams.iter().all(|s| s.current() == Some(first)).then_some(first)
    }

    fn is_certain(&self) -> bool {
        self.streams.iter().all(|s| s.is_certain())
    }

    fn advance(&mut self) -> Result<(), Failure> {
        if let Some(first) = self.streams.first_mut() {
            first.advance()?;
        }
        self.settle()
    }

    fn seek(&mut self, seat: Seat) -> Result<(), Failure> {
        if let Some(first) = self.streams.first_mut() {
            first.seek(seat)?;
        }
        self.settle()
    }
}
