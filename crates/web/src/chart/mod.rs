//! `/patients/{id}`: a person's chart, now or as it was known at the end of a day.
//!
//! A chart costs a bounded amount: of each kind of resource the newest are fetched, at most as many as [`Most`] says,
//! and if that leaves something out the page says so.

pub(crate) mod as_of;
pub(crate) mod lists;
pub(crate) mod medicines;
pub(crate) mod observations;
pub(crate) mod span;
pub(crate) mod timeline;
pub(crate) mod trends;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use fhir::Resource;
use hub::{Access, Hub};
use search::Zone;

use self::as_of::AsOfView;
use self::lists::{Allergy, Problem, Report, Vaccine};
use self::medicines::Medicines;
use self::span::Span;
use self::timeline::Timeline;
use self::trends::Results;
use crate::audit::audited;
use crate::bedside::Bedside;
use crate::calendar::{Day, written_moment};
use crate::failure::Failure;
use crate::person::Person;
use crate::record::Record;
use crate::shell::{Shell, respond};
use crate::visit::Visit;
use crate::words::Words;

/// What every part of a chart is drawn with.
#[derive(Clone, Copy)]
pub(crate) struct Pen<'a> {
    /// The language.
    pub(crate) words: Words,
    /// The hub's zone.
    pub(crate) zone: &'a Zone,
    /// The last day the chart knows of.
    pub(crate) on: Day,
    /// The years drawn.
    pub(crate) span: Span,
}

impl Pen<'_> {
    /// The day of a date in the record.
    pub(crate) fn day(&self, text: Option<std::borrow::Cow<'_, str>>) -> Option<Day> {
        Day::read(&text?, self.zone)
    }
}

/// How many of each kind are fetched.
struct Most;

impl Most {
    const OBSERVATIONS: usize = 2000;
    const ENCOUNTERS: usize = 1000;
    const MEDICINES: usize = 500;
    const OTHERS: usize = 300;
}

/// A person's resources.
struct Fetched {
    conditions: Vec<Resource>,
    allergies: Vec<Resource>,
    encounters: Vec<Resource>,
    observations: Vec<Resource>,
    medicines: Vec<Resource>,
    immunizations: Vec<Resource>,
    reports: Vec<Resource>,
    /// Whether there is more than was fetched.
    is_cut: bool,
}

impl Fetched {
    fn of(record: &Record, id: &str) -> Result<Fetched, Failure> {
        let mut is_cut = false;
        let mut fetch = |name: &str, sort: &str, most: usize| -> Result<Vec<Resource>, Failure> {
            let found = record.of_person(name, id, sort, most)?;
            is_cut |= found.next.is_some();
            Ok(found.resources)
        };
        Ok(Fetched {
            conditions: fetch("Condition", "", Most::OTHERS)?,
            allergies: fetch("AllergyIntolerance", "", Most::OTHERS)?,
            encounters: fetch("Encounter", "-date", Most::ENCOUNTERS)?,
            observations: fetch("Observation", "-date", Most::OBSERVATIONS)?,
            medicines: fetch("MedicationRequest", "-authoredon", Most::MEDICINES)?,
            immunizations: fetch("Immunization", "-date", Most::OTHERS)?,
            reports: fetch("DiagnosticReport", "-date", Most::OTHERS)?,
            is_cut,
        })
    }

    /// The last day something happened.
    fn latest(&self, zone: &Zone, on: Day) -> Option<Day> {
        let first = |list: &[Resource], paths: &[&str]| -> Option<Day> {
            let days = list.iter().filter_map(|r| paths.iter().find_map(|p| r.root().text_at(p)));
            days.filter_map(|text| Day::read(&text, zone)).filter(|day| *day <= on).max()
        };
        let found = [
            first(&self.encounters, &["period.end", "period.start"]),
            first(&self.observations, &["effective", "effective.start", "issued"]),
            first(&self.medicines, &["dispenseRequest.validityPeriod.end", "authoredOn"]),
        ];
        found.into_iter().flatten().max()
    }
}

#[derive(Template)]
#[template(path = "chart.html")]
struct ChartPage {
    shell: Shell,
    person: Person,
    as_of: AsOfView,
    source: String,
    moment: String,
    years: Vec<String>,
    problems: Vec<Problem>,
    past_problems: Vec<Problem>,
    allergies: Vec<Allergy>,
    timeline: Timeline,
    results: Results,
    medicines: Medicines,
    vaccines: Vec<Vaccine>,
    reports: Vec<Report>,
    is_cut: bool,
}

fn page(hub: Hub, access: Access, visit: &Visit, id: &str) -> Result<ChartPage, Failure> {
    let Bedside { record, as_of, zone, present, on, words, patient } = Bedside::of(hub, access, visit, id)?;
    let fetched = Fetched::of(&record, id)?;
    let span = Span::ending(on, fetched.latest(&zone, on));
    let pen = Pen { words, zone: &zone, on, span };
    let (problems, past_problems) = lists::problems(&fetched.conditions, pen);
    Ok(ChartPage {
        person: Person::read(patient.root(), on, &zone, words),
        as_of: AsOfView::of(&as_of, present, &visit.path, words),
        source: as_of.source(id),
        moment: written_moment(record.moment.max(0), &zone, words),
        years: span.labels(),
        problems,
        past_problems,
        allergies: lists::allergies(&fetched.allergies, pen),
        timeline: timeline::timeline(&fetched.encounters, pen),
        results: trends::results(&fetched.observations, pen),
        medicines: medicines::medicines(&record, &fetched.medicines, pen)?,
        vaccines: lists::vaccines(&fetched.immunizations, pen),
        reports: lists::reports(&fetched.reports, pen),
        is_cut: fetched.is_cut,
        shell: Shell::of(visit),
    })
}

/// Answers with the page.
pub(crate) async fn chart(State(hub): State<Hub>, Path(id): Path<String>, visit: Visit) -> Response {
    let asked = visit.clone();
    let target = format!("Patient/{id}");
    match audited(hub, &visit, target, move |hub, access| page(hub, access, &asked, &id)).await {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}
