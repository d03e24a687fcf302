//! Encounters on four lines, as on a line map: admissions, emergencies, visits, and what happened elsewhere.

use std::collections::BTreeMap;

use fhir::{NodeRef, Resource};

use super::Pen;
use super::span::coordinate;
use crate::calendar::Day;
use crate::concept;
use crate::words::Words;

/// Rows of the text alternative.
const MOST_ROWS: usize = 40;
/// Days with visits that say what they were of; older ones are only drawn, and together.
const MOST_TITLES: usize = 30;

/// The lines, in the order they are drawn.
const LANES: [&str; 4] = ["admission", "emergency", "visit", "elsewhere"];

/// A stay, or a day with visits.
#[derive(Debug, PartialEq)]
pub(crate) struct Mark {
    pub(crate) x: String,
    /// How long a stay is drawn; none for a visit.
    pub(crate) width: Option<String>,
    pub(crate) title: String,
}

/// A line.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) key: &'static str,
    pub(crate) name: String,
    pub(crate) count: String,
    pub(crate) title: String,
    pub(crate) marks: Vec<Mark>,
    /// The days without a title, as one path.
    pub(crate) ticks: String,
}

/// An encounter in the text alternative.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) dates: String,
    pub(crate) kind: String,
    pub(crate) what: String,
}

/// The encounters of a chart.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) lanes: Vec<Lane>,
    pub(crate) grid: String,
    /// Where the chart's day is, if it is within the years.
    pub(crate) now: Option<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) summary: String,
    /// That there are older ones than the rows, or nothing.
    pub(crate) cut: String,
}

/// An encounter, read.
struct Event {
    lane: &'static str,
    start: Option<Day>,
    end: Option<Day>,
    what: String,
}

fn lane(code: Option<&str>) -> &'static str {
    match code {
        Some("IMP" | "ACUTE" | "NONAC" | "SS" | "OBSENC" | "inpatient") => "admission",
        Some("EMER" | "emergency") => "emergency",
        Some("HH" | "VR" | "FLD" | "home" | "virtual" | "field") => "elsewhere",
        _ => "visit",
    }
}

fn read(encounter: NodeRef<'_>, pen: Pen<'_>) -> Option<Event> {
    let status = encounter.text_at("status");
    if matches!(status.as_deref(), Some("entered-in-error" | "cancelled" | "planned")) {
        return None;
    }
    let reason = ["reasonCode", "type", "serviceType"]
        .iter()
        .filter_map(|path| concept::name_at(encounter, path, pen.words));
    let place = encounter.text_at("serviceProvider.display").map(String::from);
    let mut what: Vec<String> = reason.take(2).chain(place).collect();
    what.dedup();
    let start = pen.day(encounter.text_at("period.start"));
    let is_open = status.as_deref() == Some("in-progress");
    let end = pen.day(encounter.text_at("period.end")).or(is_open.then_some(pen.on));
    let code = concept::code_at(encounter, "class");
    Some(Event { lane: lane(code.as_deref()), start: start.or(end), end, what: what.join(" · ") })
}

fn dates(event: &Event, words: Words) -> String {
    match (event.start, event.end) {
        (Some(start), Some(end)) if end > start => {
            format!("{} – {}", start.written(words), end.written(words))
        }
        (Some(start), _) => start.written(words),
        (None, _) => words.say("date-missing"),
    }
}

/// Stays one by one, other encounters by day.
fn marks(events: &[&Event], is_stay: bool, pen: Pen<'_>) -> Vec<Mark> {
    let words = pen.words;
    let title = |event: &Event| [dates(event, words), event.what.clone()].join(" ").trim().to_owned();
    if is_stay {
        let stay = |event: &&Event| {
            let start = event.start?;
            let (x, width) = pen.span.stretch(start, event.end.unwrap_or(start))?;
            Some(Mark { x: coordinate(x), width: Some(coordinate(width)), title: title(event) })
        };
        return events.iter().filter_map(stay).collect();
    }
    let mut days: BTreeMap<Day, Vec<String>> = BTreeMap::new();
    for event in events {
        if let Some(start) = event.start.filter(|day| pen.span.contains(*day)) {
            days.entry(start).or_default().push(title(event));
        }
    }
    let mark = |(day, titles): (&Day, &Vec<String>)| Mark {
        x: coordinate(pen.span.x(*day)),
        width: None,
        title: titles.iter().take(4).cloned().collect::<Vec<_>>().join("\n"),
    };
    days.iter().map(mark).collect()
}

/// The newest marks, oldest first, and the ticks before them as one path. Stays stay as they are.
fn older_together(mut marks: Vec<Mark>) -> (Vec<Mark>, String) {
    let first = marks.len().saturating_sub(MOST_TITLES);
    let mut ticks = String::new();
    if marks.iter().all(|mark| mark.width.is_none()) {
        for mark in marks.drain(..first) {
            ticks.push_str(&format!("M{} 9V31", mark.x));
        }
    }
    (marks, ticks)
}

/// Draws a person's encounters, newest first.
pub(crate) fn timeline(encounters: &[Resource], pen: Pen<'_>) -> Timeline {
    let words = pen.words;
    let events: Vec<Event> = encounters.iter().filter_map(|e| read(e.root(), pen)).collect();
    let mut lanes = Vec::new();
    for key in LANES {
        let own: Vec<&Event> = events.iter().filter(|e| e.lane == key).collect();
        let is_within =
            |e: &&&Event| e.start.is_some_and(|s| pen.span.stretch(s, e.end.unwrap_or(s)).is_some());
        let count = own.iter().filter(is_within).count();
        let name = words.say_code("lane", key).unwrap_or_default();
        // The main line is always there; the others only when something is on them.
        if count == 0 && key != "visit" {
            continue;
        }
        let counted = words.say_count("times", count);
        let title = format!("{name}: {counted}, {}–{}", pen.span.first, pen.span.last());
        let (marks, ticks) = older_together(marks(&own, key == "admission", pen));
        lanes.push(Lane { key, name, count: counted, title, marks, ticks });
    }
    let row = |event: &Event| Row {
        dates: dates(event, words),
        kind: words.say_code("lane", event.lane).unwrap_or_default(),
        what: event.what.clone(),
    };
    Timeline {
        lanes,
        grid: pen.span.grid(40),
        now: pen.span.contains(pen.on).then(|| coordinate(pen.span.x(pen.on))),
        rows: events.iter().take(MOST_ROWS).map(row).collect(),
        summary: words.say_count("list-of-encounters", events.len()),
        cut: if events.len() > MOST_ROWS { words.say_count("newest-rows", MOST_ROWS) } else { String::new() },
    }
}

#[cfg(test)]
mod tests {
    use fhir::Limits;

    use super::*;
    use crate::chart::span::{Span, tests::day};
    use crate::language::Language;

    fn drawn(encounters: &[&str]) -> Timeline {
        let zone = search::Zone::named("Asia/Tokyo").unwrap();
        let resources: Vec<Resource> =
            encounters.iter().map(|e| fhir::json::parse(e.as_bytes(), &Limits::default()).unwrap()).collect();
        let words = Words { language: Language::English };
        let pen = Pen { words, zone: &zone, on: day("2026-11-23"), span: Span { first: 2017 } };
        timeline(&resources, pen)
    }

    fn encounter(class: &str, period: &str) -> String {
        format!(r#"{{"resourceType":"Encounter","status":"finished","class":{{"code":"{class}"}}{period}}}"#)
    }

    #[test]
    fn stays_are_bars_and_visits_are_ticks() {
        let stay = encounter("IMP", r#","period":{"start":"2018-01-01","end":"2018-07-02"}"#);
        let visit = encounter("AMB", r#","period":{"start":"2020-01-01T10:00:00+09:00"}"#);
        let drawn = drawn(&[&stay, &visit, &visit]);
        assert_eq!(drawn.lanes.iter().map(|l| l.key).collect::<Vec<_>>(), ["admission", "visit"]);
        assert_eq!(
            (drawn.lanes[0].marks[0].x.as_str(), drawn.lanes[0].marks[0].width.as_deref()),
            ("100", Some("49.9"))
        );
        assert_eq!(drawn.lanes[1].marks.len(), 1, "two visits on one day are one tick");
        assert_eq!(drawn.lanes[1].count, "2 times");
    }

    #[test]
    fn odd_encounters_are_drawn_as_far_as_they_are_known() {
        let dateless = encounter("AMB", "");
        let old = encounter("EMER", r#","period":{"start":"1999"}"#);
        let wrong = r#"{"resourceType":"Encounter","status":"entered-in-error","class":{"code":"AMB"}}"#;
        let drawn = drawn(&[&dateless, &old, wrong]);
        assert_eq!(drawn.rows.len(), 2);
        assert_eq!(drawn.rows[0].dates, "Undated");
        assert_eq!(drawn.lanes.len(), 1);
        assert!(drawn.lanes[0].marks.is_empty());
    }
}
