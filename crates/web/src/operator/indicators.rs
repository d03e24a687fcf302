//! `/hub/indicators`: what is computed from the record itself: a year's figures, one by one with what they rest on, year by
//! year, by group; as of any day. What could tell of few is left out before it gets here (`figures`).

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use figures::{Asked, Indicator, Kind, Period, WhichIndicators, set_of, text_in};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{Place, places, refused, runs_the_hub};
use crate::calendar::{Day, today};
use crate::chart::as_of::{AsOf, AsOfView};
use crate::failure::{Failure, away};
use crate::quantity::grouped;
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::Visit;
use crate::words::Words;

/// Years that are drawn of one indicator.
const YEARS: i32 = 5;
/// Counting takes all processors: one at a time.
pub(super) static COUNTING: Semaphore = Semaphore::const_new(1);
/// A drawing of a share: from nothing to all.
const WIDTH: f64 = 100.0;

/// A figure of a group or of a part of it.
#[derive(Debug, Default)]
pub(crate) struct Figure {
    /// Of what part; empty for the whole.
    pub(crate) name: String,
    /// As it is written; empty if there is none.
    pub(crate) score: String,
    pub(crate) numerator: String,
    pub(crate) denominator: String,
    /// The interval, in words; empty if there is none.
    pub(crate) interval: String,
    /// Whether it is left out because it would tell of few.
    pub(crate) is_masked: bool,
    /// Where score and interval are on a line from nothing to all, if it is a share.
    pub(crate) mark: Option<String>,
    pub(crate) band: Option<(String, String)>,
    share: Option<(f64, f64, f64)>,
}

fn coordinate(value: f64) -> String {
    format!("{:.1}", value.clamp(0.0, WIDTH))
}

fn count_of(group: &Value, code: &str) -> Option<u64> {
    let all = group["population"].as_array()?;
    all.iter().find(|p| p["code"]["coding"][0]["code"] == code)?["count"].as_u64()
}

impl Figure {
    /// Reads a group or stratum of a MeasureReport.
    pub(crate) fn read(group: &Value, name: String, unit: &str) -> Figure {
        let is_masked = group["measureScore"]["extension"][0]["valueCode"] == "masked";
        let score = group["measureScore"]["value"].as_f64();
        let extensions = group["extension"].as_array().map_or(&[][..], Vec::as_slice);
        let interval = extensions
            .iter()
            .find(|e| e["url"].as_str().is_some_and(|url| url.ends_with("/confidence-interval")));
        let part = |name: &str| {
            let parts = interval?["extension"].as_array()?;
            let found = parts.iter().find(|p| p["url"] == name)?;
            found["valueDecimal"].as_f64().or_else(|| found["valueInteger"].as_f64())
        };
        let is_share = unit == "%";
        let (low, high) = (part("low"), part("high"));
        let counted = part("counted")
            .filter(|n| *n >= 0.0)
            .map(|n| n as u64)
            .or_else(|| count_of(group, "denominator"));
        let counted = counted.or_else(|| count_of(group, "measure-population"));
        let number = |count: Option<u64>| count.map_or_else(|| "—".to_owned(), grouped);
        let share = (is_share).then(|| Some((score?, low? * 100.0, high? * 100.0))).flatten();
        Figure {
            name,
            score: score.map(|s| format!("{} {unit}", decimal(s)).trim().to_owned()).unwrap_or_default(),
            numerator: number(count_of(group, "numerator")),
            denominator: number(counted),
            interval: share.map(|(_, l, h)| format!("{} – {} %", decimal(l), decimal(h))).unwrap_or_default(),
            is_masked,
            mark: share.map(|(s, ..)| coordinate(s)),
            band: share.map(|(_, l, h)| (coordinate(l), coordinate(h - l))),
            share,
        }
    }
}

/// One digit after the point where there is something to see.
fn decimal(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A line of the list.
struct Line {
    address: String,
    title: String,
    direction: &'static str,
    figure: Figure,
}

/// A set of indicators.
struct Set {
    name: String,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "operator/indicators.html")]
struct ListPage {
    shell: Shell,
    places: Vec<Place>,
    year: i32,
    latest: i32,
    as_of: AsOfView,
    sets: Vec<Set>,
}

/// Parts of a group by one of its stratifiers.
struct Parts {
    name: String,
    figures: Vec<Figure>,
}

/// A point of the years that are drawn.
struct Point {
    year: i32,
    figure: Figure,
    x: String,
    low: String,
    height: String,
}

#[derive(Template)]
#[template(path = "operator/indicator.html")]
struct OnePage {
    shell: Shell,
    places: Vec<Place>,
    title: String,
    set: String,
    description: String,
    rationale: String,
    disclaimer: String,
    sources: Vec<String>,
    version: String,
    year: i32,
    latest: i32,
    as_of: AsOfView,
    figure: Figure,
    points: Vec<Point>,
    line: String,
    parts: Vec<Parts>,
    queries: Vec<(String, String)>,
    views: Vec<(String, String)>,
    download: String,
    small_cell: u64,
}

/// What was asked in the address: the year, and the day as of which.
struct Wanted {
    year: i32,
    latest: i32,
    as_of: AsOf,
    present: Day,
}

fn wanted(site: &Site, visit: &Visit) -> Result<Wanted, Failure> {
    let as_of = AsOf::read(visit.value("as_of"), site.hub.zone())?;
    let present = today(site.hub.zone());
    let latest = i32::try_from(present.year).unwrap_or(i32::MAX);
    let year = match visit.value("year") {
        Some(text) => {
            text.parse().ok().filter(|year| (1900..=latest).contains(year)).ok_or_else(|| refused("year"))?
        }
        None => latest - 1,
    };
    Ok(Wanted { year, latest, as_of, present })
}

fn asked(which: WhichIndicators, year: i32, moment: Option<i64>) -> Result<Asked, Failure> {
    Ok(Asked { which, period: year_of(year)?, as_of: moment, person: None, kind: Kind::Summary })
}

fn year_of(year: i32) -> Result<Period, Failure> {
    Period::read(&format!("{year:04}-01-01"), &format!("{year:04}-12-31")).map_err(|e| refused(e.to_string()))
}

fn title(indicator: &Indicator, words: Words) -> String {
    text_in(&indicator.measure.json, "title", words.language.tag()).to_owned()
}

fn direction(indicator: &Indicator) -> &'static str {
    if indicator.measure.increase_is_better { "↑" } else { "↓" }
}

fn set_name(indicator: &Indicator, words: Words) -> String {
    words.say_code("hub-set", set_of(indicator)).unwrap_or_else(|| set_of(indicator).to_owned())
}

fn list(site: &Site, visit: &Visit) -> Result<ListPage, Failure> {
    let wanted = wanted(site, visit)?;
    let words = visit.words;
    let all = site.figures.indicators()?;
    let asked = asked(WhichIndicators::All, wanted.year, wanted.as_of.moment)?;
    let reports = site.figures.evaluate(&visit.access(), &asked)?;
    let mut sets: Vec<Set> = Vec::new();
    for (indicator, report) in all.iter().zip(&reports) {
        let id = &indicator.measure.id;
        let line = Line {
            address: crate::visit::address(&format!("/hub/indicators/{id}"), &visit.pairs),
            title: title(indicator, words),
            direction: direction(indicator),
            figure: Figure::read(&report["group"][0], String::new(), &indicator.measure.unit),
        };
        let name = set_name(indicator, words);
        match sets.iter_mut().find(|set| set.name == name) {
            Some(set) => set.lines.push(line),
            None => sets.push(Set { name, lines: vec![line] }),
        }
    }
    Ok(ListPage {
        shell: Shell::of(visit),
        places: places(visit),
        year: wanted.year,
        latest: wanted.latest,
        as_of: AsOfView::of(&wanted.as_of, wanted.present, &visit.path, words),
        sets,
    })
}

/// The years as they are drawn: a hundred wide, a hundred high.
fn points(years: Vec<(i32, Figure)>) -> (Vec<Point>, String) {
    let count = years.len().max(1) as f64;
    let mut line = String::new();
    let points = years.into_iter().enumerate().map(|(at, (year, figure))| {
        let x = (at as f64 + 0.5) / count * WIDTH;
        let (score, low, high) = figure.share.unwrap_or((0.0, 0.0, 0.0));
        if figure.share.is_some() {
            line.push_str(&format!(
                "{}{} {}",
                if line.is_empty() { "M" } else { "L" },
                coordinate(x),
                coordinate(WIDTH - score)
            ));
        }
        Point {
            year,
            x: coordinate(x),
            low: coordinate(WIDTH - high),
            height: coordinate(high - low),
            figure,
        }
    });
    (points.collect(), line)
}

fn one(site: &Site, visit: &Visit, id: &str) -> Result<OnePage, Failure> {
    let wanted = wanted(site, visit)?;
    let words = visit.words;
    let Some(indicator) = site.figures.indicators()?.iter().find(|i| i.measure.id == id) else {
        return Err(Failure::NothingHere);
    };
    let measure = &indicator.measure;
    let which = WhichIndicators::Named(vec![id.to_owned()]);
    let asked_for = asked(which, wanted.year, wanted.as_of.moment)?;
    let drawn: Vec<i32> = (wanted.year - YEARS + 1..=wanted.year).collect();
    let periods = drawn.iter().map(|year| year_of(*year)).collect::<Result<Vec<_>, _>>()?;
    let reports = site.figures.evaluate_periods(&visit.access(), &asked_for, &periods)?;
    let groups: Vec<Value> =
        reports.into_iter().map(|r| r.first().map(|r| r["group"][0].clone()).unwrap_or_default()).collect();
    let figure = |group: &Value| Figure::read(group, String::new(), &measure.unit);
    let years = drawn.iter().zip(&groups).map(|(year, group)| (*year, figure(group))).collect();
    let empty = Value::Null;
    let group = groups.last().unwrap_or(&empty);
    let (points, line) = points(years);
    let stratifiers = group["stratifier"].as_array().map_or(&[][..], Vec::as_slice);
    let parts = stratifiers.iter().map(|stratifier| {
        let name = stratifier["code"][0]["coding"][0]["code"]
            .as_str()
            .or_else(|| stratifier["code"][0]["text"].as_str());
        let name = name.unwrap_or_default();
        let strata = stratifier["stratum"].as_array().map_or(&[][..], Vec::as_slice);
        let figure = |stratum: &Value| {
            let value = stratum["value"]["text"].as_str().unwrap_or_default();
            let said = words.say_code("hub-stratum", value);
            let name = if value.is_empty() {
                words.say("hub-stratum-none")
            } else {
                said.unwrap_or_else(|| value.to_owned())
            };
            Figure::read(stratum, name, &measure.unit)
        };
        Parts {
            name: words.say_code("hub-by", name).unwrap_or_else(|| name.to_owned()),
            figures: strata.iter().map(figure).collect(),
        }
    });
    let artifacts = measure.json["relatedArtifact"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |member: &str| text_in(&measure.json, member, words.language.tag()).to_owned();
    let moment = visit.value("as_of").map(|day| format!("&_asOf={day}")).unwrap_or_default();
    Ok(OnePage {
        shell: Shell::of(visit),
        places: places(visit),
        title: title(indicator, words),
        set: set_name(indicator, words),
        description: text("description"),
        rationale: text("rationale"),
        disclaimer: text("disclaimer"),
        sources: artifacts
            .iter()
            .filter_map(|a| a["citation"].as_str().or_else(|| a["url"].as_str()).map(str::to_owned))
            .collect(),
        version: measure.version.clone(),
        year: wanted.year,
        latest: wanted.latest,
        as_of: AsOfView::of(&wanted.as_of, wanted.present, &visit.path, words),
        figure: Figure::read(group, String::new(), &measure.unit),
        points,
        line,
        parts: parts.collect(),
        queries: indicator.library.queries.iter().map(|q| (q.name.clone(), q.text.clone())).collect(),
        views: indicator
            .library
            .views
            .iter()
            .map(|v| (v.name.clone(), serde_json::to_string_pretty(&v.json).unwrap_or_default()))
            .collect(),
        download: format!(
            "/fhir/Measure/{id}/$evaluate-measure?periodStart={0}-01-01&periodEnd={0}-12-31{moment}",
            wanted.year
        ),
        small_cell: measure.small_cell,
    })
}

/// Whether a page of these is for a visit.
fn is_for_figures(visit: &Visit) -> bool {
    runs_the_hub(visit)
}

/// The figures of a year.
pub(super) async fn page(State(site): State<Site>, visit: Visit) -> Response {
    if !is_for_figures(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let asked = visit.clone();
    let turn = COUNTING.acquire().await;
    let drawn = away(move || list(&site, &asked)).await;
    drop(turn);
    match drawn {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}

/// One indicator, and what it rests on.
pub(super) async fn detail(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    if !is_for_figures(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let asked = visit.clone();
    let turn = COUNTING.acquire().await;
    let drawn = away(move || one(&site, &asked, &id)).await;
    drop(turn);
    match drawn {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}
