//! A call of a service, read: <https://cds-hooks.hl7.org/2.0/#calling-a-cds-service>.

use fhir::{IssueType, Limits, Resource};
use hub::{Failure, Kind};
use serde_json::{Map, Value};

use crate::services::{PREFETCH, Service};

/// Resources of one Bundle.
const MOST: usize = 1000;

/// A call.
#[derive(Debug)]
pub struct Call {
    /// When it is called.
    pub hook: &'static str,
    /// What the caller calls it by.
    pub instance: String,
    /// The id of the Patient.
    pub patient: String,
    /// Who looks, as the caller says.
    pub user: Option<String>,
    /// Of order-select: the orders that were chosen.
    pub selected: Vec<String>,
    /// The drafts of orders.
    pub orders: Vec<Resource>,
    /// What the caller sent along: key, resources.
    pub prefetch: Vec<(&'static str, Vec<Resource>)>,
    /// The context as it came, for services outside.
    pub context: Map<String, Value>,
}

fn wrong(place: &str, message: &str) -> Failure {
    Failure::new(Kind::Invalid, IssueType::Invalid, format!("{place}: {message}"))
}

fn text(object: &Value, name: &str, place: &str) -> Result<String, Failure> {
    match object.get(name) {
        Some(Value::String(text)) if !text.is_empty() && text.len() <= 200 => Ok(text.clone()),
        _ => Err(wrong(&format!("{place}{name}"), "this takes a text (CDS Hooks 2.0)")),
    }
}

/// One resource.
fn resource(value: &Value, place: &str) -> Result<Resource, Failure> {
    fhir::json::parse(value.to_string().as_bytes(), &Limits::default()).map_err(|issues| {
        let first = issues.first().map(|issue| issue.diagnostics.clone()).unwrap_or_default();
        wrong(place, &format!("this is no resource of FHIR R4: {first}"))
    })
}

/// The resources of a Bundle, or a resource itself.
fn resources(value: &Value, place: &str) -> Result<Vec<Resource>, Failure> {
    if value.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
        return Ok(vec![resource(value, place)?]);
    }
    let entries = value.get("entry").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if entries.len() > MOST {
        return Err(wrong(place, &format!("this takes at most {MOST} resources")));
    }
    let read = entries.iter().enumerate().filter_map(|(at, entry)| {
        let value = entry.get("resource")?;
        // What a server says of a search is no part of the record.
        if value.get("resourceType").and_then(Value::as_str) == Some("OperationOutcome") {
            return None;
        }
        Some(resource(value, &format!("{place}.entry[{at}].resource")))
    });
    read.collect()
}

impl Call {
    /// Reads a call.
    ///
    /// # Errors
    /// Where it is not one, and what is expected there.
    pub fn read(body: &Value, service: &Service) -> Result<Call, Failure> {
        let hook = text(body, "hook", "")?;
        if hook != service.hook {
            return Err(wrong(
                "hook",
                &format!("the service {} is for {}, not for this", service.id, service.hook),
            ));
        }
        let instance = text(body, "hookInstance", "")?;
        let Some(Value::Object(context)) = body.get("context") else {
            return Err(wrong("context", "this takes an object with patientId"));
        };
        let whole = Value::Object(context.clone());
        let patient = text(&whole, "patientId", "context.")?;
        if !fhir::primitive::is_id(&patient) {
            return Err(wrong("context.patientId", "this takes the id of a Patient, without its type"));
        }
        let mut orders = Vec::new();
        if service.hook != "patient-view" {
            let drafts = context.get("draftOrders").filter(|v| v.is_object());
            let drafts =
                drafts.ok_or_else(|| wrong("context.draftOrders", "this takes a Bundle of orders"))?;
            orders = resources(drafts, "context.draftOrders")?;
        }
        let mut selected = Vec::new();
        if service.hook == "order-select" {
            let Some(Value::Array(chosen)) = context.get("selections") else {
                return Err(wrong("context.selections", "this takes the references of the chosen orders"));
            };
            selected = chosen.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        let mut prefetch = Vec::new();
        for (key, _) in PREFETCH {
            let sent = body.get("prefetch").and_then(|p| p.get(key)).filter(|v| v.is_object());
            if let Some(value) = sent {
                prefetch.push((*key, resources(value, &format!("prefetch.{key}"))?));
            }
        }
        let user = context.get("userId").and_then(Value::as_str).map(str::to_owned);
        let (hook, context) = (service.hook, context.clone());
        Ok(Call { hook, instance, patient, user, selected, orders, prefetch, context })
    }

    /// Whether a chart is opened, and nothing ordered.
    #[must_use]
    pub fn is_view(&self) -> bool {
        self.hook == "patient-view"
    }
}
