//! Dates: intervals of time against an interval of time (<https://hl7.org/fhir/R4/search.html#prefix>).

use fhir::date_time::Micros;

use super::{Now, Scan, Test};
use crate::key::date::{self, CLASSES, Class, Interval};
use crate::query::Prefix;

/// A comparison with an interval.
#[derive(Clone, Copy, Debug)]
pub struct DateTest {
    prefix: Prefix,
    interval: Interval,
}

impl DateTest {
    /// A comparison with an interval; `ap` widens it by a tenth of its distance from now.
    #[must_use]
    pub fn new(prefix: Prefix, interval: Interval, now: Now) -> DateTest {
        let mut interval = interval;
        if prefix == Prefix::Approximately {
            let middle = interval.start / 2 + interval.end / 2;
            let tenth = (now.0 - middle).abs() / 10;
            interval = Interval {
                start: interval.start.saturating_sub(tenth).max(Interval::BEGINNING),
                end: interval.end.saturating_add(tenth).min(Interval::END),
            };
        }
        DateTest { prefix, interval }
    }

    pub(super) fn consume<'k>(&self, key: &'k [u8]) -> Option<(bool, &'k [u8])> {
        let (found, rest) = date::read(key)?;
        Some((self.holds(found), rest))
    }

    /// Whether it holds of an interval.
    #[must_use]
    pub fn holds(&self, found: Interval) -> bool {
        let wanted = self.interval;
        let is_within = wanted.start <= found.start && found.end <= wanted.end;
        match self.prefix {
            Prefix::Equal => is_within,
            Prefix::NotEqual => !is_within,
            Prefix::Greater => found.end > wanted.end,
            Prefix::Less => found.start < wanted.start,
            Prefix::GreaterOrEqual => found.end > wanted.end || is_within,
            Prefix::LessOrEqual => found.start < wanted.start || is_within,
            Prefix::StartsAfter => found.start >= wanted.end,
            Prefix::EndsBefore => found.end <= wanted.start,
            Prefix::Approximately => found.start < wanted.end && found.end > wanted.start,
        }
    }

    /// Where intervals of a class begin that may pass.
    fn starts(&self, class: &Class) -> (Micros, Micros) {
        let Interval { start, end } = self.interval;
        let reach = |from: Micros| match class.longest {
            Some(seconds) => from.saturating_sub(seconds * 1_000_000).max(Interval::BEGINNING),
            None => Interval::BEGINNING,
        };
        match self.prefix {
            Prefix::Equal => (start, end),
            Prefix::NotEqual => (Interval::BEGINNING, Interval::END),
            Prefix::Greater => (reach(end), Interval::END),
            Prefix::GreaterOrEqual => (reach(end).min(start), Interval::END),
            Prefix::Less | Prefix::EndsBefore => (Interval::BEGINNING, start),
            Prefix::LessOrEqual => (Interval::BEGINNING, end.max(start)),
            Prefix::StartsAfter => (end, Interval::END),
            Prefix::Approximately => (reach(start), end),
        }
    }
}

pub(super) fn link(prefix: Prefix, interval: Interval, now: Now) -> (Test, Vec<Scan>) {
    let test = DateTest::new(prefix, interval, now);
    let scans = CLASSES
        .iter()
        .map(|class| {
            let (low, high) = test.starts(class);
            let (start, end) = date::range(class, low, high);
            Scan::Range { start, end, is_one_value: false, date_class: Some(class.number) }
        })
        .collect();
    (Test::Date(test), scans)
}
