//! Prescriptions as bars over the same ten years, one row for each medicine.

use std::collections::BTreeMap;

use fhir::{NodeRef, Reference, Resource};

use super::Pen;
use super::span::coordinate;
use crate::calendar::Day;
use crate::concept;
use crate::failure::Failure;
use crate::record::Record;

/// Medicines on a chart.
const MOST_MEDICINES: usize = 24;
/// Medicines of the past that are listed.
const MOST_EARLIER: usize = 80;
/// Bars of a row that say what they are; those before are only drawn.
const MOST_TITLES: usize = 2;
/// Medicines that stand as resources of their own and are looked up.
const MOST_LOOKUPS: usize = 100;

/// A stretch of time on a medicine.
#[derive(Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) x: String,
    pub(crate) width: String,
    pub(crate) title: String,
}

/// A medicine.
#[derive(Debug)]
pub(crate) struct Medicine {
    pub(crate) name: String,
    pub(crate) dosage: String,
    pub(crate) is_current: bool,
    pub(crate) dates: String,
    pub(crate) status: String,
    /// The newest, each with what it says.
    pub(crate) bars: Vec<Bar>,
    /// Those before, as one path.
    pub(crate) before: String,
}

/// The medicines of a chart.
#[derive(Debug, Default)]
pub(crate) struct Medicines {
    /// Taken now, then those drawn that are not.
    pub(crate) rows: Vec<Medicine>,
    /// Those that ended before the years drawn.
    pub(crate) earlier: Vec<Medicine>,
    pub(crate) earlier_summary: String,
    pub(crate) grid: String,
    pub(crate) now: Option<String>,
}

/// One prescription, read.
struct Prescription {
    start: Option<Day>,
    end: Option<Day>,
    status: String,
    dosage: String,
}

impl Prescription {
    /// Whether it holds on a day.
    fn is_current(&self, on: Day) -> bool {
        self.status == "active" && self.end.is_none_or(|end| end >= on)
    }

    /// Its last day as far as is known: an active one goes on, any other is known to have begun.
    fn until(&self, start: Day, on: Day) -> Day {
        self.end.unwrap_or(if self.status == "active" { on } else { start })
    }
}

fn read(request: NodeRef<'_>, pen: Pen<'_>) -> Option<Prescription> {
    let status = request.text_at("status").unwrap_or_default().into_owned();
    if matches!(status.as_str(), "entered-in-error" | "cancelled" | "draft") {
        return None;
    }
    let day = |path: &str| pen.day(request.text_at(path));
    let bounds = "dosageInstruction.timing.repeat.bounds";
    let start = day("dispenseRequest.validityPeriod.start").or_else(|| day(&format!("{bounds}.start")));
    let start = start.or_else(|| day("authoredOn"));
    let end = day("dispenseRequest.validityPeriod.end").or_else(|| day(&format!("{bounds}.end")));
    let supply = "dispenseRequest.expectedSupplyDuration";
    let days = request.text_at(&format!("{supply}.value")).and_then(|v| v.parse::<f64>().ok());
    let per_unit = match request.text_at(&format!("{supply}.code")).as_deref() {
        Some("wk") => 7.0,
        Some("mo") => 30.4,
        _ => 1.0,
    };
    // One supply, and as many again as may be repeated.
    let repeats = request.text_at("dispenseRequest.numberOfRepeatsAllowed");
    let supplies = 1.0 + repeats.and_then(|n| n.parse::<u8>().ok()).map_or(0.0, f64::from);
    let supplied = days.map(|d| d * supplies * per_unit).filter(|d| (0.0..36_525.0).contains(d)).zip(start);
    let end = end.or_else(|| supplied.map(|(days, start)| Day::of_days(start.days() + days as i64)));
    Some(Prescription { start, end, status, dosage: dosage(request, pen) })
}

/// What an active prescription is for and when it runs out, if both are known.
pub(crate) fn ending(
    record: &Record,
    request: &Resource,
    pen: Pen<'_>,
) -> Result<Option<(String, Day)>, Failure> {
    let Some(read) = read(request.root(), pen).filter(|p| p.is_current(pen.on)) else { return Ok(None) };
    let Some(end) = read.end else { return Ok(None) };
    let name = name(record, request.root(), &mut 0, pen)?;
    Ok(name.map(|name| (name, end)))
}

/// The dosage as written, else its dose.
fn dosage(request: NodeRef<'_>, pen: Pen<'_>) -> String {
    let texts = request.all("dosageInstruction").take(4).filter_map(|dosage| {
        let text = dosage.text_at("text").or_else(|| dosage.text_at("patientInstruction"));
        let dose = || crate::quantity::Quantity::read(dosage.path("doseAndRate.dose")?).map(|q| q.exact());
        let timing = || concept::name_at(dosage, "timing.code", pen.words);
        text.map(String::from)
            .or_else(|| Some([dose()?, timing().unwrap_or_default()].join(" ").trim().to_owned()))
    });
    texts.collect::<Vec<_>>().join(" / ")
}

/// What a prescription is for: a concept, a contained Medication, or one of the record.
fn name(
    record: &Record,
    request: NodeRef<'_>,
    lookups: &mut usize,
    pen: Pen<'_>,
) -> Result<Option<String>, Failure> {
    let Some(medication) = request.child("medication") else { return Ok(None) };
    if medication.type_name() == "CodeableConcept" {
        return Ok(concept::name(medication, pen.words));
    }
    let display = medication.text_at("display").map(String::from);
    let Some(text) = medication.text_at("reference").filter(|_| display.is_none()) else {
        return Ok(display);
    };
    match Reference::parse(&text) {
        Reference::Contained(id) => {
            let contained = request.all("contained").find(|c| c.id().as_deref() == Some(id));
            Ok(contained.and_then(|c| concept::name_at(c, "code", pen.words)))
        }
        Reference::Rest { base: "", id, .. } if *lookups < MOST_LOOKUPS => {
            *lookups += 1;
            let found = match record.read("Medication", id) {
                Err(Failure::Deleted) => None,
                found => found?,
            };
            Ok(found.and_then(|m| concept::name_at(m.root(), "code", pen.words)))
        }
        _ => Ok(None),
    }
}

/// Draws a person's prescriptions.
pub(crate) fn medicines(record: &Record, requests: &[Resource], pen: Pen<'_>) -> Result<Medicines, Failure> {
    let mut by_name: BTreeMap<String, Vec<Prescription>> = BTreeMap::new();
    let mut lookups = 0;
    for request in requests {
        let Some(prescription) = read(request.root(), pen) else { continue };
        let name = name(record, request.root(), &mut lookups, pen)?;
        by_name.entry(name.unwrap_or_else(|| pen.words.say("unnamed"))).or_default().push(prescription);
    }
    Ok(drawn(by_name, pen))
}

fn drawn(by_name: BTreeMap<String, Vec<Prescription>>, pen: Pen<'_>) -> Medicines {
    let mut rows: Vec<(Option<Day>, Medicine)> = by_name.into_iter().map(|(n, p)| row(n, p, pen)).collect();
    rows.sort_by_key(|(last, medicine)| (!medicine.is_current, std::cmp::Reverse(*last)));
    let (rows, earlier): (Vec<Medicine>, Vec<Medicine>) =
        rows.into_iter().map(|(_, medicine)| medicine).partition(|m| !m.bars.is_empty());
    let mut rows = rows;
    // What is taken now is drawn, however much it is.
    let current = rows.iter().filter(|m| m.is_current).count();
    let mut rest = rows.split_off(rows.len().min(current.max(MOST_MEDICINES)));
    rest.extend(earlier);
    rest.truncate(MOST_EARLIER);
    Medicines {
        earlier_summary: pen.words.say_count("earlier-medicines", rest.len()),
        earlier: rest,
        rows,
        grid: pen.span.grid(40),
        now: pen.span.contains(pen.on).then(|| coordinate(pen.span.x(pen.on))),
    }
}

/// A medicine's row and its last day.
fn row(name: String, prescriptions: Vec<Prescription>, pen: Pen<'_>) -> (Option<Day>, Medicine) {
    let words = pen.words;
    let is_current = prescriptions.iter().any(|p| p.is_current(pen.on));
    let written = |p: &Prescription| match (p.start, p.end) {
        (Some(start), Some(end)) => format!("{} – {}", start.written(words), end.written(words)),
        (Some(start), None) if p.status == "active" => format!("{} –", start.written(words)),
        (Some(start), None) => start.written(words),
        (None, _) => words.say("date-missing"),
    };
    let bar = |p: &Prescription| {
        let start = p.start?;
        let (x, width) = pen.span.stretch(start, p.until(start, pen.on))?;
        Some(Bar {
            x: coordinate(x),
            width: coordinate(width),
            title: format!("{} {}", written(p), p.dosage),
        })
    };
    let newest = prescriptions.iter().max_by_key(|p| p.start);
    let mut in_order: Vec<&Prescription> = prescriptions.iter().collect();
    in_order.sort_by_key(|p| std::cmp::Reverse(p.start));
    let mut bars: Vec<Bar> = in_order.into_iter().filter_map(bar).collect();
    let before = bars.split_off(bars.len().min(MOST_TITLES));
    let path = |b: &Bar| format!("M{} 13h{}v14h-{}z", b.x, b.width, b.width);
    let last = prescriptions.iter().filter_map(|p| Some(p.until(p.start?, pen.on))).max();
    let status =
        if is_current { "active".to_owned() } else { newest.map(|p| p.status.clone()).unwrap_or_default() };
    let status = if status == "active" && !is_current { "completed".to_owned() } else { status };
    let medicine = Medicine {
        dosage: newest.map(|p| p.dosage.clone()).unwrap_or_default(),
        dates: newest.map(written).unwrap_or_default(),
        status: words.say_code("medicine", &status).unwrap_or_default(),
        bars,
        before: before.iter().map(path).collect(),
        name,
        is_current,
    };
    (last, medicine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::span::{Span, tests::day};
    use crate::language::Language;
    use crate::words::Words;

    fn one(status: &str, start: Option<&str>, end: Option<&str>) -> Prescription {
        Prescription {
            start: start.map(day),
            end: end.map(day),
            status: status.to_owned(),
            dosage: String::new(),
        }
    }

    #[test]
    fn an_active_prescription_goes_on_and_an_ended_one_does_not() {
        let zone = search::Zone::named("Asia/Tokyo").unwrap();
        let words = Words { language: Language::English };
        let pen = Pen { words, zone: &zone, on: day("2026-01-01"), span: Span { first: 2017 } };
        let mut all = BTreeMap::new();
        all.insert("a".to_owned(), vec![one("active", Some("2025-01-01"), None)]);
        all.insert(
            "b".to_owned(),
            vec![one("active", Some("2019-01-01"), Some("2019-03-01")), one("completed", None, None)],
        );
        all.insert("c".to_owned(), vec![one("stopped", Some("2001"), None)]);
        let drawn = drawn(all, pen);
        assert_eq!(drawn.rows.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((drawn.rows[0].bars[0].x.as_str(), drawn.rows[0].bars[0].width.as_str()), ("800", "100"));
        assert!(drawn.rows[0].is_current && !drawn.rows[1].is_current);
        assert_eq!(drawn.earlier[0].name, "c");
    }
}
