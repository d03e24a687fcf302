//! What is known of the person: what the caller sent along, else what this hub's own record says under the caller's access.

use std::time::Duration;

use fhir::{IssueType, Limits, NodeRef, Resource, r4};
use hub::{Access, Failure, Hub, Kind, SearchRequest};
use safety::{Area, Facts, Medication, Rules};
use store::{Budget, Kept};

use crate::request::Call;
use crate::services::PREFETCH;

/// Resources of a type that are looked at.
const MOST: usize = 1000;
/// Index rows one question may look at, and its time.
const ROWS: u64 = 2_000_000;
const TIME: Duration = Duration::from_secs(10);
const BASE: &str = "http://localhost/fhir";

/// The person, and what is ordered.
#[derive(Debug)]
pub struct Known {
    /// The person.
    pub facts: Facts,
    /// What is ordered.
    pub orders: Vec<Medication>,
}

/// The area a prefetch key is about.
fn area(key: &str) -> Area {
    match key {
        "patient" => Area::Person,
        "allergies" => Area::Allergies,
        "observations" | "weight" => Area::Observations,
        "conditions" => Area::Conditions,
        _ => Area::Medications,
    }
}

fn parsed(kept: &Kept) -> Option<Resource> {
    let limits = Limits { resource_bytes: usize::MAX, depth: 128, ..Limits::default() };
    fhir::json::parse(kept.json().as_bytes(), &limits).ok()
}

/// What a query of the prefetch finds in this hub's record; nothing if it may not be asked.
pub(crate) fn own(hub: &Hub, access: &Access, query: &str) -> Result<Option<Vec<Resource>>, Failure> {
    let named = |name: &str| {
        let missing =
            || Failure::new(Kind::Invalid, IssueType::NotSupported, format!("R4 has no type {name}"));
        r4().resource_type(name).ok_or_else(missing)
    };
    let found = match query.split_once('?') {
        None => {
            let (name, id) = query.split_once('/').unwrap_or((query, ""));
            hub.read(access, named(name)?, id, None).map(|kept| parsed(&kept).into_iter().collect())
        }
        Some((name, rest)) => {
            let mut pairs = search::query::split(rest)?;
            if matches!(name, "MedicationRequest" | "MedicationStatement") {
                pairs.push(("_include".to_owned(), format!("{name}:medication")));
            }
            let resource_type = named(name)?;
            let request = SearchRequest {
                resource_type,
                compartment: None,
                pairs: &pairs,
                base: BASE,
                is_lenient: false,
            };
            hub.query(&request).and_then(|mut query| {
                let is_bounded = query.count.is_some();
                query.count = Some(query.count.unwrap_or(MOST).min(MOST));
                let answer = hub.search(access, query, Budget::new(ROWS, TIME))?;
                // More than can be looked at is not looked at, and says so.
                if answer.next.is_some() && !is_bounded {
                    let message = format!("more than {MOST} of {name}");
                    return Err(Failure::new(Kind::TooCostly, IssueType::TooCostly, message));
                }
                Ok(answer.included.iter().chain(&answer.matches).filter_map(parsed).collect())
            })
        }
    };
    match found {
        Ok(resources) => Ok(Some(resources)),
        Err(failure)
            if matches!(failure.kind, Kind::Forbidden | Kind::NotFound | Kind::Gone | Kind::TooCostly) =>
        {
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// The text of a query for one person.
pub(crate) fn filled(template: &str, patient: &str) -> String {
    template.replace("{{context.patientId}}", patient)
}

/// Adds resources: Medications first, as what refers to them is read after.
fn take(facts: &mut Facts, resources: &[Resource]) {
    let nodes = resources.iter().map(Resource::root);
    let (first, then): (Vec<NodeRef<'_>>, Vec<NodeRef<'_>>) =
        nodes.partition(|node| node.type_name() == "Medication");
    first.into_iter().chain(then).for_each(|node| facts.add(&Rules::shipped().medicines, node));
}

/// What this hub's record says of a person today, as far as an access may see it, and whether that is anything; what was sent
/// along stands for the record.
fn collect(
    hub: &Hub,
    access: &Access,
    patient: &str,
    sent: &[(&'static str, Vec<Resource>)],
) -> Result<(Facts, bool), Failure> {
    let mut facts = Facts::at(hub::now(), hub.zone().offset_at(hub::now()));
    let mut is_known = !sent.is_empty();
    for (key, template) in PREFETCH {
        if let Some((_, resources)) = sent.iter().find(|(sent, _)| sent == key) {
            take(&mut facts, resources);
            facts.looked_at(area(key));
        } else if let Some(resources) = own(hub, access, &filled(template, patient))? {
            is_known |= !resources.is_empty();
            take(&mut facts, &resources);
            facts.looked_at(area(key));
        } else if area(key) == Area::Medications {
            facts.missed(Area::Medications);
        }
    }
    Ok((facts, is_known))
}

/// What this hub's record says of a person today, as far as an access may see it; none if that is nothing.
///
/// # Errors
/// If the store fails.
pub fn of_person(hub: &Hub, access: &Access, patient: &str) -> Result<Option<Facts>, Failure> {
    let (facts, is_known) = collect(hub, access, patient, &[])?;
    Ok(is_known.then_some(facts))
}

/// Gathers what is known for a call.
///
/// # Errors
/// If nothing was sent along and nothing of the person is known here; if the store fails.
pub fn gather(hub: &Hub, access: &Access, call: &Call) -> Result<Known, Failure> {
    let (mut facts, is_known) = collect(hub, access, &call.patient, &call.prefetch)?;
    if !is_known {
        let message = format!(
            "nothing is known here of Patient/{}; send the prefetch the service asks for, or name a person of this hub whom \
             you may see",
            call.patient
        );
        return Err(Failure::new(Kind::PreconditionFailed, IssueType::NotFound, message));
    }
    let medicines = &Rules::shipped().medicines;
    let nodes = call.orders.iter().map(Resource::root);
    let (substances, orders): (Vec<NodeRef<'_>>, Vec<NodeRef<'_>>) =
        nodes.partition(|node| node.type_name() == "Medication");
    substances.into_iter().for_each(|node| facts.add(medicines, node));
    let orders = orders.into_iter().filter_map(|node| facts.order(medicines, node)).collect();
    Ok(Known { facts, orders })
}
