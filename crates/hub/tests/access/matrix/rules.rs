//! The shipped rules in words, on facts: who may see a cell of the matrix, and change it.

use super::Cell;

const DIRECTORY: &[&str] = &[
    "Organization",
    "OrganizationAffiliation",
    "Practitioner",
    "PractitionerRole",
    "Location",
    "HealthcareService",
    "Endpoint",
    "InsurancePlan",
    "Schedule",
    "Slot",
];
const DEFINITIONS: &[&str] = &[
    "ActivityDefinition",
    "CapabilityStatement",
    "CodeSystem",
    "CompartmentDefinition",
    "ConceptMap",
    "EventDefinition",
    "GraphDefinition",
    "ImplementationGuide",
    "Library",
    "Measure",
    "MessageDefinition",
    "NamingSystem",
    "OperationDefinition",
    "PlanDefinition",
    "Questionnaire",
    "ResearchDefinition",
    "SearchParameter",
    "StructureDefinition",
    "StructureMap",
    "TerminologyCapabilities",
    "ValueSet",
];
const SUBSTANCES: &[&str] = &["Medication", "MedicationKnowledge", "Substance", "DeviceDefinition"];
/// What a summary for another hub is made of.
const SUMMARY: &[&str] = &[
    "Patient",
    "AllergyIntolerance",
    "CarePlan",
    "ClinicalImpression",
    "Condition",
    "Consent",
    "Device",
    "DeviceUseStatement",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Flag",
    "ImagingStudy",
    "Immunization",
    "ImmunizationRecommendation",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "RelatedPerson",
    "Specimen",
    "Composition",
    "Bundle",
];

/// What the rules say in words of reading.
pub(super) fn sees(name: &str, own: Option<&str>, cell: &Cell) -> bool {
    let is_hidden = match name {
        "person" | "proxy" => cell.label.is_some(),
        "pharmacist" | "researcher" | "peer" => cell.label == Some("UNDELIVERED"),
        _ => false,
    };
    let is_open = cell.person.is_none()
        && [DIRECTORY, DEFINITIONS, SUBSTANCES].iter().any(|group| group.contains(&cell.kind));
    let is_denied = cell.person.is_some_and(|(consent, _)| consent == "deny");
    let is_permitted = cell.person.is_some_and(|(consent, _)| consent == "permit");
    let is_cared = cell.person.is_some_and(|(_, is_cared)| is_cared);
    let is_seen = match name {
        "nobody" => false,
        "person" => is_open || own == Some(cell.patient.as_str()),
        "proxy" => is_open || cell.person.is_some(),
        "clinician" => is_open || (!is_denied && (is_cared || is_permitted)),
        "emergency" => true,
        "pharmacist" => {
            is_open
                || (is_cared
                    && !is_denied
                    && [
                        "MedicationAdministration",
                        "MedicationDispense",
                        "MedicationRequest",
                        "MedicationStatement",
                        "AllergyIntolerance",
                        "Condition",
                        "Immunization",
                        "Coverage",
                        "RelatedPerson",
                    ]
                    .contains(&cell.kind))
        }
        "registrar" => {
            is_open
                || (!is_denied
                    && [
                        "RelatedPerson",
                        "Coverage",
                        "Account",
                        "Appointment",
                        "AppointmentResponse",
                        "Schedule",
                        "Slot",
                    ]
                    .contains(&cell.kind))
        }
        "operator" => is_open,
        "researcher" => is_open || is_permitted,
        "peer" => is_open || (is_permitted && SUMMARY.contains(&cell.kind)),
        // Who did what is not a person's to hide.
        "auditor" => is_open || ["AuditEvent", "Provenance"].contains(&cell.kind),
        "system" => true,
        _ => unreachable!(),
    };
    is_seen && !is_hidden
}

/// What the rules say in words of changing, of what is seen: creating one like it, updating it, deleting it.
pub(super) fn writes(name: &str, cell: &Cell) -> (bool, bool, bool) {
    let is_directory =
        |groups: &[&[&str]]| cell.person.is_none() && groups.iter().any(|g| g.contains(&cell.kind));
    let is_cared = cell.person.is_some_and(|(consent, is_cared)| is_cared && consent != "deny");
    let all = |may: bool| (may, may, may);
    let is_binary = cell.kind == "Binary";
    match name {
        "person" => {
            let own = [
                "Observation",
                "QuestionnaireResponse",
                "MedicationStatement",
                "DocumentReference",
                "Condition",
                "AllergyIntolerance",
                "Goal",
                "RelatedPerson",
            ];
            let may = cell.person.is_some() && own.contains(&cell.kind);
            (may || is_binary, may, may)
        }
        "proxy" => (is_binary, false, false),
        "clinician" => {
            let may = is_cared && cell.kind != "AuditEvent";
            let is_substance = is_directory(&[SUBSTANCES]);
            (may || is_substance || is_binary, may || is_substance, may)
        }
        // No denial binds in an emergency.
        "emergency" => {
            let may = cell.person.is_some_and(|(_, is_cared)| is_cared) && cell.kind != "AuditEvent";
            let is_substance = is_directory(&[SUBSTANCES]);
            (may || is_substance || is_binary, may || is_substance, may)
        }
        "pharmacist" => {
            let may = (is_cared && ["MedicationDispense", "MedicationStatement"].contains(&cell.kind))
                || is_directory(&[SUBSTANCES]);
            (may || is_binary, may, false)
        }
        "registrar" => {
            let is_denied = cell.person.is_some_and(|(consent, _)| consent == "deny");
            let may_delete =
                !is_denied && ["Appointment", "AppointmentResponse", "Schedule", "Slot"].contains(&cell.kind);
            let may = !is_denied && ["RelatedPerson", "Coverage", "Account"].contains(&cell.kind);
            (may || may_delete, may || may_delete, may_delete)
        }
        "operator" => all(is_directory(&[DIRECTORY, DEFINITIONS, SUBSTANCES])),
        "system" => all(true),
        _ => all(false),
    }
}
