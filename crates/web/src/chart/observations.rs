//! Observations, gathered into series that can be drawn: one per code and unit, blood pressure as one with two lines.

use std::collections::BTreeMap;

use fhir::{NodeRef, Resource};

use super::Pen;
use crate::calendar::Day;
use crate::concept;
use crate::quantity::Quantity;

const SYSTOLIC: &str = "8480-6";
const DIASTOLIC: &str = "8462-4";

/// The codes (LOINC) a reader looks for first, in this order.
const FIRST: &[&str] = &[
    "blood-pressure",
    "4548-4",
    "17856-6",
    "2339-0",
    "2345-7",
    "1558-6",
    "18262-6",
    "13457-7",
    "2089-1",
    "2085-9",
    "2571-8",
    "2093-3",
    "33914-3",
    "62238-1",
    "98979-8",
    "69405-9",
    "2160-0",
    "38483-4",
    "39156-5",
    "29463-7",
    "8280-0",
    "718-7",
    "1742-6",
    "1920-8",
    "2324-2",
    "3084-1",
    "8867-4",
    "2708-6",
    "59408-5",
    "8310-5",
    "2823-3",
    "6298-4",
    "2951-2",
    "2947-0",
];
/// The codes nobody looks for.
const LAST: &[&str] = &["8302-2", "72514-3", "32207-3", "32623-1", "9843-4", "59576-9"];

/// One measurement: a value, or two of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) day: Day,
    pub(crate) value: Quantity,
    pub(crate) second: Option<Quantity>,
}

/// Above or below what is usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    High,
    Low,
    Abnormal,
}

/// Measurements of one thing in one unit.
#[derive(Debug)]
pub(crate) struct Series {
    /// The code that decides what is drawn together.
    pub(crate) key: String,
    pub(crate) name: String,
    rank: usize,
    /// Oldest first.
    pub(crate) points: Vec<Point>,
    /// The reference range of the newest that has one.
    pub(crate) range: Option<(Option<f64>, Option<f64>)>,
    /// What is said of the newest.
    pub(crate) flag: Option<Flag>,
}

/// The newest of a finding that is not a number.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) day: Option<Day>,
}

/// What a person's observations say.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Most wanted first.
    pub(crate) series: Vec<Series>,
    /// Newest first.
    pub(crate) findings: Vec<Finding>,
}

/// Gathers observations that come newest first.
pub(crate) fn gather(observations: &[Resource], pen: Pen<'_>) -> Gathered {
    let mut series: BTreeMap<(String, String), Series> = BTreeMap::new();
    let mut findings: Vec<Finding> = Vec::new();
    for observation in observations {
        let node = observation.root();
        if matches!(node.text_at("status").as_deref(), Some("entered-in-error" | "cancelled")) {
            continue;
        }
        let day = day(node, pen);
        let name = concept::name_at(node, "code", pen.words).unwrap_or_else(|| pen.words.say("unnamed"));
        let pair = pressure(node);
        let number = pair.is_none().then(|| number(node)).flatten();
        match (pair, number, day) {
            (Some((value, second)), _, Some(day)) => {
                let name = pen.words.say("blood-pressure");
                add(
                    &mut series,
                    "blood-pressure".to_owned(),
                    name,
                    Point { day, value, second: Some(second) },
                    node,
                );
            }
            (None, Some(value), Some(day)) => {
                let key = wanted_code(node).unwrap_or_else(|| name.clone());
                add(&mut series, key, name, Point { day, value, second: None }, node);
            }
            (_, number, day) => {
                let value = number.map(|n| n.exact()).or_else(|| said(node, pen));
                if let Some(value) = value.filter(|_| !findings.iter().any(|f| f.name == name)) {
                    findings.push(Finding { name, value, day });
                }
            }
        }
    }
    let mut series: Vec<Series> = series.into_values().collect();
    for one in &mut series {
        one.points.sort_by_key(|p| p.day);
    }
    series.sort_by_key(|s| (s.rank, std::cmp::Reverse(s.points.len())));
    Gathered { series, findings }
}

fn add(
    all: &mut BTreeMap<(String, String), Series>,
    key: String,
    name: String,
    point: Point,
    node: NodeRef<'_>,
) {
    let rank = FIRST
        .iter()
        .position(|code| *code == key)
        .unwrap_or_else(|| if LAST.contains(&key.as_str()) { FIRST.len() + 1 } else { FIRST.len() });
    let is_pair = point.second.is_some();
    let own_range = if is_pair { None } else { range(node) };
    let flag = (!is_pair).then(|| flag(node, &point.value, own_range)).flatten();
    let new = || Series { key: key.clone(), name, rank, points: Vec::new(), range: None, flag };
    let series = all.entry((key.clone(), point.value.unit.clone())).or_insert_with(new);
    series.range = series.range.or(own_range);
    series.points.push(point);
}

/// When it was true, else when it was said.
fn day(node: NodeRef<'_>, pen: Pen<'_>) -> Option<Day> {
    ["effective", "effective.start", "effective.end", "issued"]
        .iter()
        .find_map(|path| pen.day(node.text_at(path)))
}

/// The code that decides what is drawn together: a known one, else the first.
fn wanted_code(node: NodeRef<'_>) -> Option<String> {
    let codes: Vec<String> =
        node.child("code")?.all("coding").filter_map(|c| c.text_at("code")).map(String::from).collect();
    codes.iter().find(|c| FIRST.contains(&c.as_str())).or_else(|| codes.first()).cloned()
}

fn number(node: NodeRef<'_>) -> Option<Quantity> {
    let value = node.child("value")?;
    match value.type_name() {
        "Quantity" => Quantity::read(value),
        "integer" => {
            let digits = value.value()?.into_owned();
            Some(Quantity {
                number: digits.parse().ok()?,
                comparator: String::new(),
                digits,
                unit: String::new(),
            })
        }
        _ => None,
    }
}

/// Systolic and diastolic pressure, if it has both.
fn pressure(node: NodeRef<'_>) -> Option<(Quantity, Quantity)> {
    let part = |wanted: &str| {
        let is_wanted = |c: &NodeRef<'_>| {
            c.child("code")
                .is_some_and(|code| code.all("coding").any(|k| k.text_at("code").as_deref() == Some(wanted)))
        };
        node.all("component").find(is_wanted).and_then(number)
    };
    Some((part(SYSTOLIC)?, part(DIASTOLIC)?))
}

/// A value that is not a number, or the parts, in words.
fn said(node: NodeRef<'_>, pen: Pen<'_>) -> Option<String> {
    if let Some(value) = node.child("value") {
        return match value.type_name() {
            "CodeableConcept" => concept::name(value, pen.words),
            "boolean" => {
                Some(pen.words.say(if value.value().as_deref() == Some("true") { "yes" } else { "no" }))
            }
            _ => value.value().map(|v| v.chars().take(200).collect()),
        };
    }
    let part = |c: NodeRef<'_>| {
        let name = concept::name_at(c, "code", pen.words)?;
        Some(format!("{name} {}", number(c).map(|n| n.exact()).or_else(|| said(c, pen))?))
    };
    let parts: Vec<String> = node.all("component").filter_map(part).take(4).collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// The first reference range that is a normal one, or of no kind.
fn range(node: NodeRef<'_>) -> Option<(Option<f64>, Option<f64>)> {
    let is_normal =
        |r: &NodeRef<'_>| matches!(concept::code_at(*r, "type").as_deref(), None | Some("normal"));
    let range = node.all("referenceRange").find(is_normal)?;
    let end = |path: &str| range.text_at(path).and_then(|v| v.parse::<f64>().ok()).filter(|n| n.is_finite());
    let (low, high) = (end("low.value"), end("high.value"));
    (low.is_some() || high.is_some()).then_some((low, high))
}

/// What its interpretation says, else what its own range says.
fn flag(node: NodeRef<'_>, value: &Quantity, range: Option<(Option<f64>, Option<f64>)>) -> Option<Flag> {
    match concept::code_at(node, "interpretation").as_deref() {
        Some("H" | "HH" | "HU" | "HX") => return Some(Flag::High),
        Some("L" | "LL" | "LU" | "LX") => return Some(Flag::Low),
        Some("A" | "AA" | "POS") => return Some(Flag::Abnormal),
        Some("N" | "NEG") => return None,
        _ => {}
    }
    let (low, high) = range?;
    if high.is_some_and(|high| value.number > high) {
        return Some(Flag::High);
    }
    low.is_some_and(|low| value.number < low).then_some(Flag::Low)
}
