//! Last results on one line each: the value, how it differs from the one before, and a small drawing.

use crate::chart::Pen;
use crate::chart::observations::{Flag, Point, Series, gather};
use crate::chart::span::coordinate;
use fhir::Resource;

/// Lines on the screen.
const MOST: usize = 18;
/// Points of a drawing, the newest.
const POINTS: usize = 16;
const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 28.0;

/// A small drawing.
#[derive(Debug, PartialEq)]
pub(crate) struct Spark {
    pub(crate) points: String,
    pub(crate) last: String,
    /// Where the usual range lies: top and height.
    pub(crate) band: Option<(String, String)>,
}

/// A line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) unit: String,
    pub(crate) flag: Option<(&'static str, String)>,
    /// How it differs from the one before, with its sign.
    pub(crate) delta: Option<String>,
    pub(crate) date: String,
    pub(crate) iso: String,
    pub(crate) spark: Option<Spark>,
    /// What the drawing says, in words.
    pub(crate) said: String,
}

/// The lines, most wanted first.
pub(crate) fn lines(observations: &[Resource], pen: Pen<'_>) -> Vec<Line> {
    let gathered = gather(observations, pen);
    gathered.series.iter().take(MOST).filter_map(|series| line(series, pen)).collect()
}

fn short(point: &Point) -> String {
    match &point.second {
        Some(second) => format!("{}/{}", point.value.short(), second.short()),
        None => point.value.short(),
    }
}

fn line(series: &Series, pen: Pen<'_>) -> Option<Line> {
    let words = pen.words;
    let last = series.points.last()?;
    let before = series.points.len().checked_sub(2).and_then(|at| series.points.get(at));
    let flag = series.flag.map(|flag| match flag {
        Flag::High => ("▲", words.say("high")),
        Flag::Low => ("▼", words.say("low")),
        Flag::Abnormal => ("◆", words.say("abnormal")),
    });
    let said = before.map_or_else(String::new, |before| {
        words.say_with(
            "trend-description",
            &[
                ("name", series.name.clone().into()),
                ("firstdate", before.day.written(words).into()),
                ("first", short(before).into()),
                ("lastdate", last.day.written(words).into()),
                ("last", short(last).into()),
            ],
        )
    });
    Some(Line {
        name: series.name.clone(),
        value: short(last),
        unit: last.value.unit.clone(),
        flag,
        delta: before.and_then(|before| delta(last, before)),
        date: last.day.written(words),
        iso: last.day.iso(),
        spark: spark(series),
        said,
    })
}

/// The difference in the digits of the newer value.
fn delta(last: &Point, before: &Point) -> Option<String> {
    let places = |point: &Point| point.value.digits.split_once('.').map_or(0, |(_, f)| f.len().min(2));
    let difference = last.value.number - before.value.number;
    let places = places(last).max(places(before));
    let text = format!("{difference:+.places$}");
    let is_nothing = text.trim_start_matches(['+', '-']).chars().all(|c| matches!(c, '0' | '.'));
    Some(if is_nothing { "±0".to_owned() } else { text.replace('-', "−") })
}

fn spark(series: &Series) -> Option<Spark> {
    let from = series.points.len().saturating_sub(POINTS);
    let points = series.points.get(from..)?;
    let (first, last) = (points.first()?, points.last()?);
    if points.len() < 2 {
        return None;
    }
    let numbers = || points.iter().map(|p| p.value.number);
    let (mut low, mut high) =
        numbers().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), n| (a.min(n), b.max(n)));
    if let Some((range_low, range_high)) = series.range {
        // What is usual is shown as far as it does not press the line flat.
        let room = (high - low).max(high.abs() * 0.1);
        low = range_low.filter(|r| *r > low - room).map_or(low, |r| low.min(r));
        high = range_high.filter(|r| *r < high + room).map_or(high, |r| high.max(r));
    }
    let span = (high - low).max(high.abs() * 0.02).max(1e-9);
    let y = |n: f64| (2.0 + (high - n) / span * (HEIGHT - 4.0)).clamp(0.0, HEIGHT);
    let days = (last.day.days() - first.day.days()).max(1) as f64;
    let x = |at: usize, p: &Point| match last.day.days() == first.day.days() {
        true => at as f64 / (points.len() - 1) as f64 * (WIDTH - 4.0),
        false => (p.day.days() - first.day.days()) as f64 / days * (WIDTH - 4.0),
    };
    let place = |at: usize, p: &Point| format!("{},{}", coordinate(x(at, p)), coordinate(y(p.value.number)));
    let band = series.range.map(|(range_low, range_high)| {
        let top = range_high.map_or(0.0, y);
        let bottom = range_low.map_or(HEIGHT, y);
        (coordinate(top), coordinate((bottom - top).max(0.0)))
    });
    Some(Spark {
        points: points.iter().enumerate().map(|(at, p)| place(at, p)).collect::<Vec<_>>().join(" "),
        last: format!("M{} {}h.01", coordinate(WIDTH - 4.0), coordinate(y(last.value.number))),
        band,
    })
}
