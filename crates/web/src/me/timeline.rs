//! `/me/{id}/timeline`: everything, with where it comes from, newest first.
//!
//! Each type is a stream in the order of its own date; a page merges the streams. Where the next page goes on is said by,
//! for each stream, the hub's cursor and how many of the page behind it were taken.

use std::collections::VecDeque;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::date_time::Micros;
use fhir::{DateTime, Resource};

use super::answer::show;
use super::frame::Frame;
use super::line::{Line, is_of_person, is_void, line, moment};
use super::own::Own;
use crate::calendar::Day;
use crate::failure::Failure;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::{Visit, address};

/// Lines on a page, and how many of a type are fetched at once.
const ON_A_PAGE: usize = 50;
const AT_ONCE: usize = 25;
/// Fetches one page may cost.
const MOST_FETCHES: usize = 60;
/// Results of one day and source are folded beyond so many.
const FOLD: usize = 4;

/// Type, order, where the date of that order stands, and the kind it is shown under.
const STREAMS: &[(&str, &str, &str, &str)] = &[
    ("Observation", "-date", "", "results"),
    ("DiagnosticReport", "-date", "", "results"),
    ("Condition", "-recorded-date", "recordedDate", "problems"),
    ("AllergyIntolerance", "-date", "recordedDate", "problems"),
    ("MedicationRequest", "-authoredon", "authoredOn", "medicines"),
    ("MedicationDispense", "-whenhandedover", "whenHandedOver", "medicines"),
    ("MedicationStatement", "-effective", "", "medicines"),
    ("Immunization", "-date", "", "immunizations"),
    ("Encounter", "-date", "", "visits"),
    ("Appointment", "-date", "", "visits"),
    ("Procedure", "-date", "", "procedures"),
    ("ServiceRequest", "-authored", "authoredOn", "procedures"),
    ("DocumentReference", "-date", "", "documents"),
    ("Composition", "-date", "", "documents"),
    ("QuestionnaireResponse", "-authored", "", "answers"),
    ("Goal", "-start-date", "startDate", "plans"),
    ("CarePlan", "-date", "", "plans"),
];

/// What the timeline may be narrowed to.
const FILTERS: &[&str] = &[
    "selfcare",
    "selfmedication",
    "visits",
    "results",
    "medicines",
    "problems",
    "immunizations",
    "procedures",
    "documents",
    "answers",
    "plans",
];

/// One type, as far as it has been read.
struct Stream {
    type_name: &'static str,
    sort: &'static str,
    path: &'static str,
    /// Where the page that is read begins.
    cursor: Option<String>,
    next: Option<String>,
    /// How many of it were taken.
    taken: usize,
    waiting: VecDeque<Resource>,
    is_over: bool,
}

impl Stream {
    fn fetch(&mut self, own: &Own, filter: &str) -> Result<(), Failure> {
        let reference = if filter == "selfcare" { own.writers()? } else { own.reference() };
        let mut pairs = vec![("_sort", self.sort)];
        match (self.type_name, filter) {
            ("Observation", "selfcare") => pairs.push(("performer", &reference)),
            ("MedicationStatement", "selfmedication") => pairs.push(("source", &reference)),
            _ => {}
        }
        if let Some(cursor) = &self.cursor {
            pairs.push(("_cursor", cursor));
        }
        let found = own.find(self.type_name, &pairs, AT_ONCE)?;
        self.waiting = found.resources.into_iter().skip(self.taken).collect();
        self.next = found.next;
        Ok(())
    }

    fn head(&self, own: &Own) -> Option<Micros> {
        let node = self.waiting.front()?.root();
        let text = node.text_at(self.path).filter(|_| !self.path.is_empty()).map(String::from);
        let text = text.or_else(|| moment(node));
        let read = text.and_then(|text| DateTime::parse(&text));
        Some(read.map_or(Micros::MIN, |d| d.interval(&own.zone).0))
    }

    fn word(&self) -> String {
        if self.is_over {
            return "x".to_owned();
        }
        format!("{}.{}", self.taken, self.cursor.as_deref().unwrap_or_default())
    }
}

/// Lines of a day that belong together; folded if they are many.
struct Group {
    summary: Option<String>,
    lines: Vec<Line>,
}

struct DayOf {
    heading: String,
    groups: Vec<Group>,
}

#[derive(Template)]
#[template(path = "me/timeline.html")]
struct TimelinePage {
    shell: Shell,
    frame: Frame,
    /// Address, words, whether it is chosen.
    filters: Vec<(String, String, bool)>,
    days: Vec<DayOf>,
    next: Option<String>,
    first: Option<String>,
}

fn streams(own: &Own, filter: &str) -> Vec<Stream> {
    let of = |filter: &str| match filter {
        "selfcare" => "results",
        "selfmedication" => "medicines",
        other => match other {
            "visits" => "visits",
            "results" => "results",
            "medicines" => "medicines",
            "problems" => "problems",
            "immunizations" => "immunizations",
            "procedures" => "procedures",
            "documents" => "documents",
            "answers" => "answers",
            "plans" => "plans",
            _ => "",
        },
    };
    let wanted = of(filter);
    let is_wanted = |name: &str, kind: &str| match filter {
        "selfcare" => name == "Observation",
        "selfmedication" => name == "MedicationStatement",
        _ => wanted.is_empty() || kind == wanted,
    };
    let begun: Vec<&str> = own.visit.value("at").map(|at| at.split('~').collect()).unwrap_or_default();
    let all = STREAMS.iter().filter(|(name, .., kind)| is_wanted(name, kind)).enumerate();
    all.map(|(at, (type_name, sort, path, _))| {
        let word = begun.get(at).copied().unwrap_or_default();
        let (taken, cursor) = word.split_once('.').unwrap_or(("0", ""));
        Stream {
            type_name,
            sort,
            path,
            cursor: Some(cursor.to_owned()).filter(|c| !c.is_empty()),
            next: None,
            taken: taken.parse().unwrap_or(0).min(AT_ONCE),
            waiting: VecDeque::new(),
            is_over: word == "x",
        }
    })
    .collect()
}

/// Whether a resource belongs to what the timeline was narrowed to.
fn suits(own: &Own, resource: &Resource, filter: &str) -> bool {
    let node = resource.root();
    let is_of = || is_of_person(own, node).0;
    !is_void(node)
        && match (filter, node.type_name()) {
            ("results", "Observation") | ("medicines", "MedicationStatement") => !is_of(),
            _ => true,
        }
}

fn merged(own: &Own, streams: &mut [Stream], filter: &str) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    let mut fetches = 0;
    for stream in streams.iter_mut().filter(|s| !s.is_over) {
        stream.fetch(own, filter)?;
        fetches += 1;
    }
    while lines.len() < ON_A_PAGE && fetches < MOST_FETCHES {
        for stream in streams.iter_mut().filter(|s| !s.is_over && s.waiting.is_empty()) {
            let Some(next) = stream.next.take() else {
                stream.is_over = true;
                continue;
            };
            (stream.cursor, stream.taken) = (Some(next), 0);
            stream.fetch(own, filter)?;
            fetches += 1;
        }
        let newest = streams.iter_mut().filter(|s| !s.is_over && !s.waiting.is_empty());
        let Some(stream) = newest.max_by_key(|s| s.head(own)) else { break };
        stream.taken += 1;
        if let Some(resource) = stream.waiting.pop_front().filter(|r| suits(own, r, filter)) {
            lines.extend(line(own, &resource));
        }
    }
    for stream in streams.iter_mut().filter(|s| s.waiting.is_empty() && s.next.is_none()) {
        stream.is_over = true;
    }
    Ok(lines)
}

/// The lines by day, and within a day what belongs together.
fn by_day(own: &Own, lines: Vec<Line>) -> Vec<DayOf> {
    let mut days: Vec<(Option<Day>, DayOf)> = Vec::new();
    for line in lines {
        if days.last().is_none_or(|(day, _)| *day != line.day) {
            let heading = line.day.map_or_else(|| own.words.say("date-missing"), |d| d.written(own.words));
            days.push((line.day, DayOf { heading, groups: Vec::new() }));
        }
        let Some((_, day)) = days.last_mut() else { continue };
        let goes_with = |g: &&mut Group| {
            g.lines
                .first()
                .is_some_and(|l| l.kind == "results" && line.kind == "results" && l.source == line.source)
        };
        match day.groups.iter_mut().find(goes_with) {
            Some(group) => group.lines.push(line),
            None => day.groups.push(Group { summary: None, lines: vec![line] }),
        }
    }
    let mut days: Vec<DayOf> = days.into_iter().map(|(_, day)| day).collect();
    for group in days.iter_mut().flat_map(|d| &mut d.groups).filter(|g| g.lines.len() > FOLD) {
        let flagged = group.lines.iter().filter(|l| l.flag.is_some()).count();
        let source = group.lines.first().map(|l| l.source.clone()).unwrap_or_default();
        group.lines.sort_by_key(|l| l.flag.is_none());
        let values =
            [("count", group.lines.len().into()), ("flagged", flagged.into()), ("source", source.into())];
        group.summary = Some(own.words.say_with("me-results-folded", &values));
    }
    days
}

fn page(own: &Own) -> Result<TimelinePage, Failure> {
    let filter = own.visit.value("kind").unwrap_or_default().to_owned();
    let filter = FILTERS.iter().find(|f| **f == filter).copied().unwrap_or_default();
    let mut streams = streams(own, filter);
    let lines = merged(own, &mut streams, filter)?;
    let path = own.at("/timeline");
    let kind = ("kind".to_owned(), filter.to_owned());
    let own_kind = || Some(kind.clone()).filter(|(_, v)| !v.is_empty());
    let next = streams.iter().any(|s| !s.is_over).then(|| {
        let at = streams.iter().map(Stream::word).collect::<Vec<_>>().join("~");
        address(&path, &own_kind().into_iter().chain([("at".to_owned(), at)]).collect::<Vec<_>>())
    });
    let mut filters = vec![(path.clone(), own.words.say("me-all"), filter.is_empty())];
    filters.extend(FILTERS.iter().map(|key| {
        let name = own.words.say_code("me-kind", key).unwrap_or_default();
        (address(&path, &[("kind".to_owned(), (*key).to_owned())]), name, *key == filter)
    }));
    Ok(TimelinePage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "timeline"),
        filters,
        days: by_day(own, lines),
        next,
        first: own.visit.value("at").map(|_| address(&path, &own_kind().into_iter().collect::<Vec<_>>())),
    })
}

/// Answers with the page.
pub(super) async fn timeline(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, page).await
}
