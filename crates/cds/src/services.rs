//! What is offered.

use fhir::IssueType;
use hub::{Failure, Kind};
use safety::Language;
use serde_json::{Value, json};

/// A service.
#[derive(Debug)]
pub struct Service {
    /// Its id, the last part of its address.
    pub id: &'static str,
    /// When it is called.
    pub hook: &'static str,
}

/// The service of this id.
///
/// # Errors
/// If there is none; it names those there are.
pub fn find(id: &str) -> Result<&'static Service, Failure> {
    SERVICES.iter().find(|service| service.id == id).ok_or_else(|| {
        let known: Vec<&str> = SERVICES.iter().map(|service| service.id).collect();
        let message = format!("there is no such service; there are {}", known.join(", "));
        Failure::new(Kind::NotFound, IssueType::NotFound, message)
    })
}

/// One for each hook.
pub const SERVICES: &[Service] = &[
    Service { id: "medication-safety-view", hook: "patient-view" },
    Service { id: "medication-safety-select", hook: "order-select" },
    Service { id: "medication-safety-sign", hook: "order-sign" },
];

/// The prefetch: key, query.
pub const PREFETCH: &[(&str, &str)] = &[
    ("patient", "Patient/{{context.patientId}}"),
    ("allergies", "AllergyIntolerance?patient={{context.patientId}}"),
    ("medications", "MedicationRequest?patient={{context.patientId}}&status=active,on-hold,completed"),
    ("statements", "MedicationStatement?patient={{context.patientId}}&status=active,intended,on-hold"),
    (
        "observations",
        "Observation?patient={{context.patientId}}&code=http://loinc.org|33914-3,http://loinc.org|48642-3,http://loinc.org|48643-1,http://loinc.org|50044-7,http://loinc.org|62238-1,http://loinc.org|69405-9,http://loinc.org|77147-7,http://loinc.org|98979-8,http://loinc.org|2160-0,http://loinc.org|38483-4,http://loinc.org|14682-9,http://loinc.org|82810-3,http://loinc.org|11884-4,http://loinc.org|18185-9,http://loinc.org|11778-8,8A065000002391901,3C015000002327101,3C015000002399901",
    ),
    (
        "weight",
        "Observation?patient={{context.patientId}}&code=http://loinc.org|29463-7&_sort=-date&_count=1",
    ),
    ("conditions", "Condition?patient={{context.patientId}}&clinical-status=active"),
];

/// The answer of `GET /cds-services`.
#[must_use]
pub fn discovery(language: Language) -> Value {
    let prefetch: serde_json::Map<String, Value> =
        PREFETCH.iter().map(|(key, query)| ((*key).to_owned(), json!(query))).collect();
    let title = language.say("cds-title", &[]);
    let services: Vec<Value> = SERVICES
        .iter()
        .map(|service| {
            json!({
                "hook": service.hook,
                "title": title,
                "description": language.say(&format!("cds-{}", service.hook), &[]),
                "id": service.id,
                "prefetch": prefetch,
                "usageRequirements": language.say("cds-usage", &[]),
            })
        })
        .collect();
    json!({"services": services})
}
