//! On paper: the summary of a patient, and the letter a referral goes with, in its usual Japanese form (診療情報提供書).

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use fhir::{NodeRef, Resource};
use hub::Hub;

use super::chart::{ChartView, named, view};
use super::is_clinician;
use crate::audit::audited;
use crate::bedside::Bedside;
use crate::calendar::Day;
use crate::failure::Failure;
use crate::shell::{Shell, respond};
use crate::visit::Visit;
use fhir::primitive::is_id;

/// An institution as it stands at the head of a letter.
#[derive(Debug, Default)]
struct Institution {
    name: String,
    address: String,
    phone: String,
}

impl Institution {
    fn read(organization: NodeRef<'_>) -> Institution {
        let text = |path: &str| organization.text_at(path).map(String::from);
        let parts = ["address.state", "address.city", "address.line"];
        let address = text("address.text")
            .unwrap_or_else(|| parts.iter().filter_map(|part| text(part)).collect::<String>());
        Institution {
            name: text("name").unwrap_or_default(),
            address,
            phone: text("telecom.value").unwrap_or_default(),
        }
    }

    /// Where whoever is signed in works.
    fn own(bedside: &Bedside, visit: &Visit) -> Institution {
        let id = visit.subject().and_then(|subject| subject.organisations.first().cloned());
        let found = id.and_then(|id| bedside.record.read("Organization", &id).ok().flatten());
        found.map(|resource| Institution::read(resource.root())).unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "clinic/summary.html")]
struct SummaryPage {
    shell: Shell,
    chart: ChartView,
    from: Institution,
    today: String,
}

#[derive(Template)]
#[template(path = "clinic/letter.html")]
struct LetterPage {
    shell: Shell,
    chart: ChartView,
    from: Institution,
    physician: String,
    to: String,
    department: String,
    purpose: String,
    course: Vec<String>,
    date: String,
    phone: String,
    is_urgent: bool,
}

/// Answers with the summary.
pub(crate) async fn summary(State(hub): State<Hub>, Path(id): Path<String>, visit: Visit) -> Response {
    if !is_clinician(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let (asked, target) = (visit.clone(), format!("Patient/{id}"));
    let drawn = audited(hub, &visit, target, move |hub, access| {
        let bedside = Bedside::of(hub, access, &asked, &id)?;
        Ok(SummaryPage {
            chart: view(&bedside, None)?,
            from: Institution::own(&bedside, &asked),
            today: bedside.on.written(asked.words),
            shell: Shell::of(&asked),
        })
    });
    match drawn.await {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}

fn letter_of(bedside: &Bedside, visit: &Visit, order: &Resource) -> Result<LetterPage, Failure> {
    let node = order.root();
    let text = |path: &str| node.text_at(path).map(String::from).unwrap_or_default();
    if text("subject.reference") != bedside.reference() {
        return Err(Failure::NothingHere);
    }
    let date = Day::read(&text("authoredOn"), &bedside.zone).unwrap_or(bedside.on);
    let note = text("note.text");
    Ok(LetterPage {
        chart: view(bedside, None)?,
        from: Institution::own(bedside, visit),
        physician: text("requester.display"),
        to: text("performer.display"),
        department: match node.path("performerType") {
            Some(_) => named(node, "performerType", bedside),
            None => String::new(),
        },
        purpose: text("reasonCode.text"),
        course: note.lines().map(str::to_owned).collect(),
        date: date.written(visit.words),
        phone: bedside.patient.root().text_at("telecom.value").map(String::from).unwrap_or_default(),
        is_urgent: text("priority") == "urgent",
        shell: Shell::of(visit),
    })
}

/// Answers with the letter of a referral.
pub(crate) async fn letter(
    State(hub): State<Hub>,
    Path((id, order)): Path<(String, String)>,
    visit: Visit,
) -> Response {
    if !is_clinician(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let (asked, target) = (visit.clone(), format!("Patient/{id}"));
    let drawn = audited(hub, &visit, target, move |hub, access| {
        let bedside = Bedside::of(hub, access, &asked, &id)?;
        let found = match is_id(&order) {
            true => bedside.record.read("ServiceRequest", &order)?,
            false => None,
        };
        letter_of(&bedside, &asked, &found.ok_or(Failure::NothingHere)?)
    });
    match drawn.await {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}
