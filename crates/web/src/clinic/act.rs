//! `/clinic/{id}/act`: what is done to what stands in the record: a problem is over, a medicine is stopped.

use axum::extract::{Path, State};
use axum::response::Response;
use fhir::IssueType;
use hub::{Hub, InformRequest, Kind, WriteOptions};
use serde_json::{Value, json};

use super::is_clinician;
use super::write::go;
use crate::audit::audited;
use crate::bedside::Bedside;
use crate::failure::Failure;
use crate::form::Form;
use crate::visit::Visit;
use crate::writing::Changes;

/// What can be done, and to what.
const DEEDS: &[(&str, &str)] =
    &[("resolve", "Condition"), ("stop", "MedicationRequest"), ("done", "ServiceRequest")];
const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const LONGEST: usize = 500;

/// Whether something is told as done.
pub(crate) fn is_deed(name: &str) -> bool {
    matches!(name, "discard" | "renewal" | "inform") || DEEDS.iter().any(|(deed, _)| *deed == name)
}

fn change(deed: &str, resource: &mut Value, today: &str, reason: &str) {
    match deed {
        "resolve" => {
            resource["clinicalStatus"] = json!({"coding": [{"system": CLINICAL, "code": "resolved"}]});
            resource["abatementDateTime"] = json!(today);
        }
        "stop" => {
            resource["status"] = json!("stopped");
            if !reason.is_empty() {
                resource["statusReason"] = json!({"text": reason});
            }
        }
        _ => resource["status"] = json!("completed"),
    }
}

fn refused(message: &str) -> Failure {
    hub::Failure::new(Kind::Invalid, IssueType::Invalid, message).into()
}

/// The patient was told of a diagnosis.
fn inform(bedside: &Bedside, form: &Form) -> Result<&'static str, Failure> {
    let id = form.field("reference").strip_prefix("Condition/").filter(|id| fhir::primitive::is_id(id));
    let id = id.ok_or_else(|| refused("a diagnosis is told, nothing else"))?;
    let found = bedside.record.read("Condition", id)?.ok_or(Failure::NothingHere)?;
    if found.root().text_at("subject.reference").as_deref() != Some(bedside.reference().as_str()) {
        return Err(refused("it is another patient's"));
    }
    let note = form.given("reason").map(|note| note.chars().take(LONGEST).collect());
    let request = InformRequest { note, occurred: None };
    let (hub, access) = (&bedside.record.hub, &bedside.record.access);
    let prepared = hub.inform(access, id, &request, &WriteOptions::default())?;
    if !prepared.is_empty() {
        hub.submit_and_wait(prepared)?;
    }
    Ok("inform")
}

fn act_on(bedside: &Bedside, form: &Form) -> Result<&'static str, Failure> {
    if form.field("deed") == "inform" {
        return inform(bedside, form);
    }
    let Some((deed, type_name)) = DEEDS.iter().find(|(deed, _)| *deed == form.field("deed")) else {
        return Err(refused("there is no such deed"));
    };
    let id = form.field("reference").strip_prefix(type_name).and_then(|rest| rest.strip_prefix('/'));
    let id =
        id.filter(|id| fhir::primitive::is_id(id)).ok_or_else(|| refused("it is done to something else"))?;
    let Some((mut resource, version)) = bedside.record.to_change(type_name, id)? else {
        return Err(Failure::NothingHere);
    };
    let subject = resource["subject"]["reference"].as_str().unwrap_or_default();
    if subject != bedside.reference() {
        return Err(refused("it is another patient's"));
    }
    let reason: String = form.field("reason").chars().take(LONGEST).collect();
    change(deed, &mut resource, &bedside.present.iso(), &reason);
    let mut changes = Changes::default();
    // Of the version that was seen, if the form says which; else of the one there is.
    changes.update(resource, form.given("version").unwrap_or(&version));
    changes.commit(&bedside.record.hub, &bedside.record.access)?;
    Ok(deed)
}

/// Does it, and shows the chart.
pub(crate) async fn act(State(hub): State<Hub>, Path(id): Path<String>, form: Form) -> Response {
    let visit = form.visit.clone();
    if !is_clinician(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let (target, person) = (format!("Patient/{id}"), id.clone());
    let done = audited(hub, &visit, target, move |hub, access| {
        let plain = Visit { pairs: Vec::new(), ..form.visit.clone() };
        act_on(&Bedside::of(hub, access, &plain, &person)?, &form)
    });
    match done.await {
        Ok(deed) => go(&format!("/clinic/{id}?done={deed}")),
        Err(failure) => failure.page(&visit),
    }
}
