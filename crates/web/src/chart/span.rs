//! The ten years every drawing of a chart shows, and where a day lies in them.
//!
//! Each year is 100 units wide, so that a row of ten equal columns can stand above the drawing as its axis.

use crate::calendar::Day;

/// How many years are drawn.
pub(crate) const YEARS: i64 = 10;
/// How wide they are together.
pub(crate) const WIDTH: f64 = 1000.0;
const YEAR: f64 = 100.0;

/// The years drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    /// The first of them.
    pub(crate) first: i64,
}

impl Span {
    /// The ten years to that of the last event, or to that of the chart's day if nothing has happened.
    pub(crate) fn ending(on: Day, latest: Option<Day>) -> Span {
        Span { first: latest.map_or(on.year, |day| day.year.min(on.year)) - YEARS + 1 }
    }

    /// The last of them.
    pub(crate) fn last(&self) -> i64 {
        self.first + YEARS - 1
    }

    /// Whether a day lies in them.
    pub(crate) fn contains(&self, day: Day) -> bool {
        (self.first..=self.last()).contains(&day.year)
    }

    /// Where a day lies, at the nearer end if outside.
    pub(crate) fn x(&self, day: Day) -> f64 {
        ((day.in_years() - self.first as f64) * YEAR).clamp(0.0, WIDTH)
    }

    /// Where a stretch of days begins and how wide it is, if any of it lies within; never too narrow to see.
    pub(crate) fn stretch(&self, from: Day, to: Day) -> Option<(f64, f64)> {
        let to = to.max(from);
        if to.year < self.first || from.year > self.last() {
            return None;
        }
        let (start, end) = (self.x(from), self.x(to));
        let width = (end - start).max(4.0);
        Some((start.min(WIDTH - width), width))
    }

    /// Lines between the years, as a path.
    pub(crate) fn grid(&self, height: u32) -> String {
        (1..YEARS).map(|year| format!("M{} 0V{height}", year * 100)).collect()
    }

    /// The years' names.
    pub(crate) fn labels(&self) -> Vec<String> {
        (self.first..=self.last()).map(|year| year.to_string()).collect()
    }
}

/// A coordinate, with no more digits than show.
pub(crate) fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(in crate::chart) fn day(text: &str) -> Day {
        Day::read(text, &search::Zone::named("Asia/Tokyo").unwrap()).unwrap()
    }

    #[test]
    fn the_years_end_with_the_last_event_and_never_in_the_future() {
        assert_eq!(Span::ending(day("2026-11-23"), Some(day("2019-05-01"))).labels()[0], "2010");
        assert_eq!(Span::ending(day("2026-11-23"), Some(day("2030-01-01"))).last(), 2026);
        assert_eq!(Span::ending(day("2026-11-23"), None).last(), 2026);
    }

    #[test]
    fn every_year_is_as_wide() {
        let span = Span { first: 2010 };
        assert_eq!(coordinate(span.x(day("2010"))), "0");
        assert_eq!(coordinate(span.x(day("2012"))), "200");
        assert_eq!(coordinate(span.x(day("2019-12-31"))), "999.7");
        assert_eq!((span.x(day("1950")), span.x(day("2050"))), (0.0, WIDTH));
    }

    #[test]
    fn a_stretch_is_cut_to_the_years_and_always_seen() {
        let span = Span { first: 2010 };
        assert_eq!(span.stretch(day("2000"), day("2011-01-01")), Some((0.0, 100.0)));
        assert_eq!(span.stretch(day("2019-12-31"), day("2019-12-31")), Some((996.0, 4.0)));
        assert_eq!(span.stretch(day("2012"), day("2011")), Some((200.0, 4.0)), "an end before the beginning");
        assert_eq!(span.stretch(day("2001"), day("2002")), None);
        assert_eq!(span.stretch(day("2021"), day("2022")), None);
    }
}
