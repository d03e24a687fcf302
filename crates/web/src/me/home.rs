//! `/me/{id}`: what is going on, what is next, what changed.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::Resource;

use super::answer::show;
use super::entry::choose::{Choice, choices};
use super::frame::Frame;
use super::line::{Line, is_void, line};
use super::next::{Due, next};
use super::own::Own;
use super::saved::{Saved, saved};
use crate::chart::{lists, lists::Problem, medicines, medicines::Medicine};
use crate::failure::Failure;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;

/// Days in which something counts as new.
const NEW_DAYS: i64 = 30;
const MOST_NEW: usize = 8;
const MOST_PROBLEMS: usize = 8;
const MOST_MEDICINES: usize = 10;
const MOST_OWN: usize = 4;
/// Buttons for the commonest entries.
const BUTTONS: usize = 6;

#[derive(Template)]
#[template(path = "me/home.html")]
struct HomePage {
    shell: Shell,
    frame: Frame,
    saved: Option<Saved>,
    buttons: Vec<Choice>,
    problems: Vec<Problem>,
    medicines: Vec<Medicine>,
    own: Vec<Line>,
    due: Vec<Due>,
    new: Vec<Line>,
    may_write: bool,
    timeline: String,
    results: String,
    all_medicines: String,
    sharing: String,
    looked: String,
    card: String,
    cycle: String,
}

/// What was recorded of late: results, diagnoses, medicines and what else others wrote.
fn new(own: &Own) -> Result<Vec<Line>, Failure> {
    let since = format!("ge{}", crate::calendar::Day::of_days(own.on.days() - NEW_DAYS).iso());
    let mut lines = Vec::new();
    for (type_name, date, sort) in [
        ("Observation", "date", "-date"),
        ("Condition", "recorded-date", "-recorded-date"),
        ("MedicationRequest", "authoredon", "-authoredon"),
        ("DiagnosticReport", "date", "-date"),
        ("AllergyIntolerance", "date", "-date"),
        ("Immunization", "date", "-date"),
    ] {
        let pairs = [("_lastUpdated", since.as_str()), (date, &since), ("_sort", sort)];
        let found = own.some(type_name, &pairs, MOST_NEW * 3)?;
        lines.extend(found.iter().filter_map(|r| line(own, r)).filter(|l| l.kind != "selfcare"));
    }
    lines.sort_by(|a, b| (b.flag.is_some(), b.day, &b.moment).cmp(&(a.flag.is_some(), a.day, &a.moment)));
    lines.truncate(MOST_NEW);
    Ok(lines)
}

/// What the person wrote last.
fn written(own: &Own) -> Result<Vec<Line>, Failure> {
    let reference = own.reference();
    let writers = own.writers()?;
    let mut found = own.some("Observation", &[("performer", &writers), ("_sort", "-date")], MOST_OWN)?;
    if own.is_person() {
        found.extend(own.some(
            "MedicationStatement",
            &[("source", &reference), ("_sort", "-effective")],
            MOST_OWN,
        )?);
        found.extend(own.some("DocumentReference", &[("author", &reference), ("_sort", "-date")], 2)?);
    }
    let mut lines: Vec<Line> = found.iter().filter_map(|r| line(own, r)).collect();
    lines.sort_by(|a, b| (b.day, &b.moment).cmp(&(a.day, &a.moment)));
    lines.truncate(MOST_OWN);
    Ok(lines)
}

fn page(own: &Own) -> Result<HomePage, Failure> {
    let conditions = own.some("Condition", &[], 300)?;
    let active: Vec<Resource> = conditions.into_iter().filter(|c| !is_void(c.root())).collect();
    let (mut problems, _) = lists::problems(&active, own.pen());
    problems.truncate(MOST_PROBLEMS);
    let requests = own.some("MedicationRequest", &[("_sort", "-authoredon")], 200)?;
    let drawn = medicines::medicines(&own.record, &requests, own.pen())?;
    let mut current: Vec<Medicine> = drawn.rows.into_iter().filter(|m| m.is_current).collect();
    current.truncate(MOST_MEDICINES);
    Ok(HomePage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "home"),
        saved: saved(own)?,
        buttons: choices(own, BUTTONS),
        problems,
        medicines: current,
        own: written(own)?,
        due: next(own, &requests)?,
        new: new(own)?,
        may_write: own.may_write("Observation"),
        timeline: own.at("/timeline"),
        results: own.at("/results"),
        all_medicines: own.at("/medicines"),
        sharing: own.at("/sharing"),
        looked: own.at("/looked"),
        card: own.at("/card"),
        cycle: own.at("/cycle"),
    })
}

/// Answers with the page.
pub(super) async fn home(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, page).await
}
