//! `/clinic/{id}/renew`: what is taken, prescribed again: choose by number, sign.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use fhir::date_time::format_instant;
use serde_json::{Value, json};
use uuid::Uuid;

use super::chart::{ChartView, view};
use super::present::Taken;
use super::safety::{self, Checked};
use super::write::{go, half_width};
use super::{is_clinician, writer};
use crate::audit::audited;
use crate::bedside::Bedside;
use crate::drafts::new_id;
use crate::failure::Failure;
use crate::form::Form;
use crate::shell::{Shell, respond_with_scripts};
use crate::site::Site;
use crate::visit::Visit;
use crate::writing::Changes;

/// Medicines that can be chosen.
const MOST: usize = 60;

#[derive(Template)]
#[template(path = "clinic/renew.html")]
struct RenewPage {
    shell: Shell,
    chart: ChartView,
    medicines: Vec<Taken>,
    chosen: Vec<String>,
    days: String,
    once: String,
    fault: Option<String>,
    checked: Option<Checked>,
}

fn draw(
    bedside: &Bedside,
    visit: &Visit,
    form: Option<&Form>,
    fault: Option<&str>,
) -> Result<RenewPage, Failure> {
    let chart = view(bedside, None)?;
    let medicines = chart.taken.iter().filter(|taken| !taken.is_own).take(MOST).cloned().collect();
    Ok(RenewPage {
        medicines,
        chosen: form.map(|form| form.all("medicine").map(str::to_owned).collect()).unwrap_or_default(),
        days: form.map(|form| form.field("days").to_owned()).unwrap_or_default(),
        once: form.and_then(|form| form.given("once")).map_or_else(new_id, str::to_owned),
        fault: fault.map(|key| visit.words.say(key)),
        checked: None,
        shell: Shell::of(visit),
        chart,
    })
}

/// Shows what can be renewed.
pub(crate) async fn page(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    if !is_clinician(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let (asked, target) = (visit.clone(), format!("Patient/{id}"));
    let drawn = audited(site.hub, &visit, target, move |hub, access| {
        draw(&Bedside::of(hub, access, &asked, &id)?, &asked, None, None)
    });
    match drawn.await {
        Ok(page) => respond_with_scripts(&visit, StatusCode::OK, &page, ""),
        Err(failure) => failure.page(&visit),
    }
}

/// The prescription that follows one.
fn renewed(old: &Value, reference: &str, by: &Value, now: &str, days: Option<&serde_json::Number>) -> Value {
    let mut new = json!({
        "resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": old["subject"],
        "authoredOn": now, "requester": by, "priorPrescription": {"reference": reference},
    });
    let kept = [
        "contained",
        "medicationCodeableConcept",
        "medicationReference",
        "category",
        "reasonCode",
        "reasonReference",
        "dosageInstruction",
        "substitution",
        "insurance",
    ];
    for name in kept.iter().filter(|name| !old[**name].is_null()) {
        new[*name] = old[*name].clone();
    }
    for name in ["quantity", "expectedSupplyDuration"] {
        if !old["dispenseRequest"][name].is_null() {
            new["dispenseRequest"][name] = old["dispenseRequest"][name].clone();
        }
    }
    if let Some(days) = days {
        new["dispenseRequest"]["expectedSupplyDuration"] =
            json!({"value": days, "unit": "日", "system": "http://unitsofmeasure.org", "code": "d"});
        if let Some(dispense) = new["dispenseRequest"].as_object_mut() {
            dispense.remove("quantity");
        }
    }
    new
}

fn posted(bedside: &Bedside, visit: &Visit, form: &Form) -> Result<Option<RenewPage>, Failure> {
    let again = |fault: &str| Ok(Some(draw(bedside, visit, Some(form), Some(fault))?));
    let days = match form.given("days").map(half_width) {
        None => None,
        Some(text) => match text.parse::<serde_json::Number>() {
            Ok(days) if days.as_f64().is_some_and(|d| (1.0..=366.0).contains(&d)) => Some(days),
            _ => return again("fault-days"),
        },
    };
    let who = writer(visit);
    let by = match visit.subject().and_then(|s| s.fhir_user.as_deref()) {
        Some(reference) => json!({"reference": reference, "display": who.name}),
        None => json!({"display": who.name}),
    };
    let now = format_instant(hub::now());
    let mut changes = Changes::default();
    let facts = safety::facts(bedside)?;
    let why = form.given("override").filter(|why| safety::REASONS.contains(why));
    let mut all = Checked::default();
    for reference in form.all("medicine").take(MOST) {
        let id = reference.strip_prefix("MedicationRequest/").filter(|id| fhir::primitive::is_id(id));
        let found = id.map(|id| bedside.record.to_change("MedicationRequest", id)).transpose()?.flatten();
        let Some((mut old, version)) = found else { return again("fault-gone") };
        if old["subject"]["reference"].as_str() != Some(bedside.reference().as_str()) {
            return again("fault-gone");
        }
        let new = renewed(&old, reference, &by, &now, days.as_ref());
        let checked = safety::check(&facts, &new, visit.words);
        let urn = format!("urn:uuid:{}", Uuid::now_v7());
        changes.create(&urn, new);
        if let Some(why) = why {
            let why = visit.words.say(&format!("override-{why}"));
            for issue in safety::issues(&checked, &bedside.reference(), &urn, &by, &now, &why) {
                changes.create("", issue);
            }
        }
        all.join(checked);
        old["status"] = json!("completed");
        changes.update(old, &version);
    }
    if changes.is_empty() {
        return again("fault-none-chosen");
    }
    if all.is_grave && why.is_none() {
        let mut page = draw(bedside, visit, Some(form), Some("safety-first"))?;
        page.checked = Some(all);
        return Ok(Some(page));
    }
    if let Some(once) = form.given("once") {
        let chosen = form.all("medicine").collect::<Vec<_>>().join(" ");
        changes.once(&[b"renew", once.as_bytes(), chosen.as_bytes(), form.field("days").as_bytes()]);
    }
    changes.commit(&bedside.record.hub, &bedside.record.access)?;
    Ok(None)
}

/// Prescribes again what was chosen.
pub(crate) async fn post(State(site): State<Site>, Path(id): Path<String>, form: Form) -> Response {
    let visit = form.visit.clone();
    if !is_clinician(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let (target, person) = (format!("Patient/{id}"), id.clone());
    let done = audited(site.hub, &visit, target, move |hub, access| {
        let plain = Visit { pairs: Vec::new(), ..form.visit.clone() };
        posted(&Bedside::of(hub, access, &plain, &person)?, &form.visit, &form)
    });
    match done.await {
        Ok(None) => go(&format!("/clinic/{id}?done=renewal")),
        Ok(Some(page)) => respond_with_scripts(&visit, StatusCode::UNPROCESSABLE_ENTITY, &page, ""),
        Err(failure) => failure.page(&visit),
    }
}
