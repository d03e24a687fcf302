//! `/me/{id}/medicines`: what is taken now, what was taken, and what was bought over the counter.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::Resource;

use super::answer::show;
use super::frame::Frame;
use super::line::{Line, is_of_person, line};
use super::own::Own;
use super::safety::{Warning, warnings};
use crate::chart::lists::{Allergy, allergies};
use crate::chart::medicines::{Medicine, medicines};
use crate::failure::Failure;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;

/// Prescriptions and statements that are read.
const MOST: usize = 400;
const MOST_STATEMENTS: usize = 60;

#[derive(Template)]
#[template(path = "me/medicines.html")]
struct MedicinesPage {
    shell: Shell,
    frame: Frame,
    warnings: Vec<Warning>,
    allergies: Vec<Allergy>,
    now: Vec<Medicine>,
    then: Vec<Medicine>,
    /// What the person said they took: over the counter, and otherwise.
    bought: Vec<Line>,
    said: Vec<Line>,
    is_cut: bool,
    may_write: bool,
    add: String,
}

/// Whether a statement is about something bought over the counter.
fn is_bought(resource: &Resource) -> bool {
    resource.root().text_at("category.coding.code").as_deref() == Some("patientspecified")
}

fn page(own: &Own) -> Result<MedicinesPage, Failure> {
    let requests = own.find("MedicationRequest", &[("_sort", "-authoredon")], MOST)?;
    let statements = own.some("MedicationStatement", &[("_sort", "-effective")], MOST_STATEMENTS)?;
    let drawn = medicines(&own.record, &requests.resources, own.pen())?;
    let (now, mut then): (Vec<Medicine>, Vec<Medicine>) = drawn.rows.into_iter().partition(|m| m.is_current);
    then.extend(drawn.earlier);
    let lines = |wants_bought: bool| {
        let wanted = statements.iter().filter(|s| is_bought(s) == wants_bought);
        wanted.filter_map(|s| line(own, s)).collect::<Vec<Line>>()
    };
    let allergic = own.some("AllergyIntolerance", &[], 100)?;
    let is_anyones = statements.iter().any(|s| is_of_person(own, s.root()).0);
    Ok(MedicinesPage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "medicines"),
        warnings: warnings(own, &requests.resources, &statements, &allergic)?,
        allergies: allergies(&allergic, own.pen()),
        now,
        then,
        bought: lines(true),
        said: if is_anyones || !statements.is_empty() { lines(false) } else { Vec::new() },
        is_cut: requests.next.is_some(),
        may_write: own.may_write("MedicationStatement"),
        add: own.at("/add/medicine"),
    })
}

/// Answers with the page.
pub(super) async fn draw(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, page).await
}
