//! Every role, every interaction, every resource type, with every kind of consent and disclosure tag: against what the
//! rules say in words. The facts of types are the standard's patient compartment
//! (<https://hl7.org/fhir/R4/compartmentdefinition-patient.html>).

mod rules;

use std::collections::BTreeSet;
use std::sync::Arc;

use access::{Purpose, Subject};
use fhir::{TypeId, r4};
use hub::{Access, HistoryLevel, HistoryQuery, Hub, WriteOptions};

use self::rules::{sees, writes};
use crate::world::TAGS;
use crate::{found, open, put};

/// Where a type names its patient; `@` is the reference, which also stands where a person has to have written it.
const OF_A_PATIENT: &[(&str, &str)] = &[
    ("Account", r#""subject":[@]"#),
    ("AdverseEvent", r#""subject":@"#),
    ("AllergyIntolerance", r#""patient":@,"asserter":@"#),
    ("Appointment", r#""participant":[{"actor":@,"status":"accepted"}]"#),
    ("AppointmentResponse", r#""actor":@"#),
    ("AuditEvent", r#""entity":[{"what":@}]"#),
    ("Basic", r#""subject":@"#),
    ("BodyStructure", r#""patient":@"#),
    ("CarePlan", r#""subject":@"#),
    ("CareTeam", r#""subject":@"#),
    ("ChargeItem", r#""subject":@"#),
    ("Claim", r#""patient":@"#),
    ("ClaimResponse", r#""patient":@"#),
    ("ClinicalImpression", r#""subject":@"#),
    ("Communication", r#""subject":@"#),
    ("CommunicationRequest", r#""subject":@"#),
    ("Composition", r#""subject":@"#),
    ("Condition", r#""subject":@,"asserter":@"#),
    ("Coverage", r#""beneficiary":@"#),
    ("CoverageEligibilityRequest", r#""patient":@"#),
    ("CoverageEligibilityResponse", r#""patient":@"#),
    ("DetectedIssue", r#""patient":@"#),
    ("DeviceRequest", r#""subject":@"#),
    ("DeviceUseStatement", r#""subject":@"#),
    ("DiagnosticReport", r#""subject":@"#),
    ("DocumentManifest", r#""subject":@"#),
    ("DocumentReference", r#""subject":@,"author":[@]"#),
    ("Encounter", r#""subject":@"#),
    ("EnrollmentRequest", r#""candidate":@"#),
    ("EpisodeOfCare", r#""patient":@"#),
    ("ExplanationOfBenefit", r#""patient":@"#),
    ("FamilyMemberHistory", r#""patient":@"#),
    ("Flag", r#""subject":@"#),
    ("Goal", r#""subject":@"#),
    ("Group", r#""member":[{"entity":@}]"#),
    ("ImagingStudy", r#""subject":@"#),
    ("Immunization", r#""patient":@"#),
    ("ImmunizationEvaluation", r#""patient":@"#),
    ("ImmunizationRecommendation", r#""patient":@"#),
    ("Invoice", r#""subject":@"#),
    ("List", r#""subject":@"#),
    ("MeasureReport", r#""subject":@"#),
    ("Media", r#""subject":@"#),
    ("MedicationAdministration", r#""subject":@"#),
    ("MedicationDispense", r#""subject":@"#),
    ("MedicationRequest", r#""subject":@"#),
    ("MedicationStatement", r#""subject":@,"informationSource":@"#),
    ("MolecularSequence", r#""patient":@"#),
    ("NutritionOrder", r#""patient":@"#),
    ("Observation", r#""subject":@,"performer":[@]"#),
    ("Person", r#""link":[{"target":@}]"#),
    ("Procedure", r#""subject":@"#),
    ("Provenance", r#""target":[@]"#),
    ("QuestionnaireResponse", r#""subject":@,"author":@"#),
    ("RelatedPerson", r#""patient":@"#),
    ("RequestGroup", r#""subject":@"#),
    ("ResearchSubject", r#""individual":@"#),
    ("RiskAssessment", r#""subject":@"#),
    ("Schedule", r#""actor":[@]"#),
    ("ServiceRequest", r#""subject":@"#),
    ("Specimen", r#""subject":@"#),
    ("SupplyDelivery", r#""patient":@"#),
    ("SupplyRequest", r#""deliverTo":@"#),
    ("VisionPrescription", r#""patient":@"#),
];

const CONSENTS: [&str; 3] = ["none", "deny", "permit"];
const LABELS: [Option<&str>; 3] = [None, Some("UNINFORMED"), Some("UNDELIVERED")];

/// One resource of the matrix.
#[derive(Clone)]
struct Cell {
    kind: &'static str,
    id: String,
    /// The person it is about: their consent, and whether the organisation cares for them.
    person: Option<(&'static str, bool)>,
    /// That person's Patient.
    patient: String,
    label: Option<&'static str>,
    json: String,
}

fn cells() -> Vec<Cell> {
    let mut found = Vec::new();
    for resource_type in &r4().resource_types {
        let kind: &'static str = r4().type_name(*resource_type);
        // Patients and what decides about them are set up apart; `Parameters` are never kept.
        if matches!(kind, "Patient" | "Consent" | "Parameters" | "Resource" | "DomainResource") {
            continue;
        }
        let more = match kind {
            "Binary" => r#","contentType":"text/plain""#,
            // It has to say what it waits for and where it tells.
            "Subscription" => {
                r#","status":"off","reason":"x","criteria":"Observation?code=x","channel":{"type":"websocket"}"#
            }
            _ => "",
        };
        let mut add = |id: String, person, patient: &str, label: Option<&'static str>, element: &str| {
            let tag = label.map_or(String::new(), |l| {
                format!(r#","meta":{{"tag":[{{"system":"{TAGS}","code":"{l}"}}]}}"#)
            });
            let given = format!("{element}{more}");
            let object = format!("{{{}}}", given.trim_start_matches(','));
            let rest = required(*resource_type, &serde_json::from_str(&object).unwrap());
            let json = format!(r#"{{"resourceType":"{kind}","id":"{id}"{tag}{given}{rest}}}"#);
            found.push(Cell { kind, id, person, patient: patient.to_owned(), label, json });
        };
        match OF_A_PATIENT.iter().find(|(name, _)| *name == kind) {
            None => {
                for (at, label) in LABELS.into_iter().enumerate() {
                    add(format!("n{at}"), None, "", label, "");
                }
            }
            Some((_, element)) => {
                for (patient, consent, is_cared) in persons() {
                    for (at, label) in LABELS.into_iter().enumerate() {
                        let reference = format!(r#"{{"reference":"Patient/{patient}"}}"#);
                        let element = format!(",{}", element.replace('@', &reference));
                        add(format!("{patient}{at}"), Some((consent, is_cared)), &patient, label, &element);
                    }
                }
            }
        }
    }
    found
}

/// The elements a type must have, beside those given: with any value of their type.
fn required(owner: TypeId, given: &serde_json::Value) -> String {
    let mut out = String::new();
    for element in r4().type_of(owner).elements.iter().map(|e| r4().element(*e)).filter(|e| e.min > 0) {
        let value_type = element.types[0].id;
        let name = match element.is_choice {
            true => {
                let name = r4().type_name(value_type);
                let (first, rest) = name.split_at(1);
                format!("{}{}{rest}", element.name.trim_end_matches("[x]"), first.to_uppercase())
            }
            false => element.name.to_owned(),
        };
        if given.get(&name).is_some() {
            continue;
        }
        let value = any_value(value_type);
        let value = if element.is_list() { format!("[{value}]") } else { value };
        out.push_str(&format!(r#","{name}":{value}"#));
    }
    out
}

fn any_value(value_type: TypeId) -> String {
    let text = match r4().type_name(value_type) {
        "boolean" => "true",
        "integer" | "positiveInt" | "unsignedInt" | "decimal" => "1",
        "date" | "dateTime" => r#""2026-04-01""#,
        "instant" => r#""2026-04-01T00:00:00Z""#,
        "time" => r#""09:00:00""#,
        "uri" | "url" | "canonical" => r#""urn:x""#,
        "base64Binary" => r#""eA==""#,
        "xhtml" => r#""<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>""#,
        _ if r4().type_of(value_type).primitive.is_some() => r#""x""#,
        "Reference" => r#"{"display":"x"}"#,
        "CodeableConcept" => r#"{"text":"x"}"#,
        "Resource" => r#"{"resourceType":"Basic","code":{"text":"x"}}"#,
        _ => {
            let elements = required(value_type, &serde_json::Value::Null);
            let elements = elements.trim_start_matches(',');
            return if elements.is_empty() { r#"{"id":"x"}"#.to_owned() } else { format!("{{{elements}}}") };
        }
    };
    text.to_owned()
}

/// Patient, what they decided, whether the organisation cares for them.
fn persons() -> Vec<(String, &'static str, bool)> {
    let mut all: Vec<_> = CONSENTS.iter().map(|c| (format!("m-{c}-"), *c, true)).collect();
    all.push(("x-".to_owned(), "none", false));
    all
}

fn filled(hub: &Hub) -> Vec<Cell> {
    let all = Access::open("test");
    let put = |id: &str, json: &str| put(hub, &all, id, json).unwrap_or_else(|e| panic!("{json}: {e:?}"));
    put("o0", r#"{"resourceType":"Organization","id":"o0"}"#);
    put("o1", r#"{"resourceType":"Organization","id":"o1"}"#);
    for (patient, consent, is_cared) in persons() {
        put(&patient, &format!(r#"{{"resourceType":"Patient","id":"{patient}"}}"#));
        if is_cared {
            put(
                &format!("care{patient}"),
                &format!(
                    r#"{{"resourceType":"Encounter","id":"care{patient}","status":"finished","class":{{"code":"AMB"}},"subject":{{"reference":"Patient/{patient}"}},"serviceProvider":{{"reference":"Organization/o0"}}}}"#
                ),
            );
        }
        if consent != "none" {
            put(
                &format!("c{patient}"),
                &format!(
                    r#"{{"resourceType":"Consent","id":"c{patient}","status":"active","scope":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},"category":[{{"text":"privacy"}}],"patient":{{"reference":"Patient/{patient}"}},"policyRule":{{"text":"own"}},"provision":{{"type":"{consent}"}}}}"#
                ),
            );
        }
    }
    let cells = cells();
    for cell in &cells {
        put(&cell.id, &cell.json);
    }
    cells
}

/// Who asks: a name, and the patient they are if they are one.
fn subjects() -> Vec<(&'static str, Option<String>, Subject)> {
    let of = |roles: &[&str], purpose| Subject {
        roles: roles.iter().map(|r| (*r).to_owned()).collect(),
        user: Some("u".to_owned()),
        organisations: vec!["o0".to_owned()],
        ..Subject::nobody(purpose)
    };
    let care =
        |role: &str| Subject { fhir_user: Some("Practitioner/d".to_owned()), ..of(&[role], Purpose::Care) };
    let mut all = vec![
        ("nobody", None, of(&[], Purpose::Care)),
        (
            "proxy",
            None,
            Subject {
                proxied: persons().into_iter().map(|(p, ..)| p).collect(),
                fhir_user: Some("RelatedPerson/r".to_owned()),
                ..of(&["proxy"], Purpose::OwnUse)
            },
        ),
        ("clinician", None, care("clinician")),
        ("emergency", None, Subject { break_glass: Some("unconscious".to_owned()), ..care("clinician") }),
        ("pharmacist", None, care("pharmacist")),
        ("registrar", None, care("registrar")),
        ("operator", None, of(&["operator"], Purpose::Operations)),
        ("researcher", None, of(&["researcher"], Purpose::Research)),
        ("auditor", None, of(&["auditor"], Purpose::Operations)),
        ("peer", None, of(&["peer"], Purpose::Care)),
        ("system", None, of(&["system"], Purpose::Operations)),
    ];
    for (patient, ..) in persons() {
        let subject = Subject { patient: Some(patient.clone()), ..of(&["person"], Purpose::OwnUse) };
        all.push(("person", Some(patient), subject));
    }
    all
}

#[test]
fn every_role_interaction_type_consent_and_tag() {
    let directory = tempfile::tempdir().unwrap();
    let hub = open(directory.path());
    let cells = filled(&hub);
    let kinds: BTreeSet<&str> = cells.iter().map(|c| c.kind).collect();
    // All 146 of R4 but those set up apart, which the generated worlds cover.
    assert!(kinds.len() >= 143, "{}", kinds.len());
    let all = Access::open("test");
    let before = hub.store().reader().instant();
    for past in [None, Some(before)] {
        let moment = past.map_or(String::new(), |t| {
            format!("&_asOf={}", fhir::date_time::format_instant(t).replace('+', "%2B"))
        });
        for (name, own, subject) in subjects() {
            let access = hub.access_of(&Arc::new(subject), "test").unwrap();
            for kind in &kinds {
                let of_kind: Vec<&Cell> = cells.iter().filter(|c| c.kind == *kind).collect();
                let expected: BTreeSet<String> = of_kind
                    .iter()
                    .filter(|c| sees(name, own.as_deref(), c))
                    .map(|c| format!("{kind}/{}", c.id))
                    .collect();
                let is_set_up =
                    |id: &String| id.contains("/care") || id.contains("/o0") || id.contains("/o1");
                let said = found(&hub, &access, kind, &format!("_total=accurate{moment}"));
                match said {
                    Ok((ids, total)) => {
                        assert!(total.is_some_and(|t| t == ids.len() as u64), "{name} counts {kind}");
                        let ids: BTreeSet<String> = ids.into_iter().filter(|id| !is_set_up(id)).collect();
                        assert_eq!(ids, expected, "{name} {own:?} searches {kind} {moment}");
                    }
                    Err(_) => assert!(expected.is_empty(), "{name} {own:?} was refused {kind}"),
                }
                for cell in of_kind {
                    let is_seen = expected.contains(&format!("{kind}/{}", cell.id));
                    let resource_type = r4().resource_type(kind).unwrap();
                    let read = hub.read(&access, resource_type, &cell.id, past).is_ok();
                    assert_eq!(read, is_seen, "{name} {own:?} reads {kind}/{} {moment}", cell.id);
                    let version = hub.vread(&access, resource_type, &cell.id, "1", past).is_ok();
                    assert_eq!(version, is_seen, "{name} {own:?} vreads {kind}/{}", cell.id);
                    let level = HistoryLevel::Instance(resource_type, cell.id.clone());
                    let history = hub.history(&access, &level, &HistoryQuery::default()).is_ok();
                    assert_eq!(history, is_seen, "{name} {own:?} asks for the history of {kind}/{}", cell.id);
                    if past.is_none() {
                        change(&hub, &all, (name, own.as_deref()), &access, cell, is_seen);
                    }
                }
            }
        }
    }
}

/// Creates one like it, changes it, deletes it; what succeeded is put back.
fn change(hub: &Hub, all: &Access, who: (&str, Option<&str>), access: &Access, cell: &Cell, is_seen: bool) {
    let (name, own) = who;
    let resource_type = r4().resource_type(cell.kind).unwrap();
    let is_own = name != "person" || own == Some(cell.patient.as_str()) || cell.person.is_none();
    let (may_create, may_update, may_delete) = writes(name, cell);
    let options = WriteOptions::default();
    let parsed = |json: &str| fhir::json::parse(json.as_bytes(), &hub.limits).unwrap();
    let fresh = parsed(&cell.json.replacen(&format!(r#""id":"{}","#, cell.id), "", 1).replacen(
        &format!(r#","id":"{}""#, cell.id),
        "",
        1,
    ));
    let created = hub.create(access, fresh.root(), &options).and_then(|p| hub.submit_and_wait(p));
    let label_hides = matches!((name, cell.label), ("person" | "proxy", Some(_)))
        || matches!((name, cell.label), ("pharmacist" | "researcher" | "peer", Some("UNDELIVERED")));
    let expected = may_create && is_own && !label_hides;
    assert_eq!(created.is_ok(), expected, "{name} {own:?} creates {} like {}", cell.kind, cell.id);
    if let Ok(outcome) = created {
        let id = &outcome.commands[0].id;
        let prepared = hub.delete(all, resource_type, id, &options).unwrap();
        hub.submit_and_wait(prepared).unwrap();
    }
    let changed = parsed(&cell.json.replacen('{', r#"{"language":"ja","#, 1));
    let updated = hub.update(access, changed.root(), &cell.id, &options).and_then(|p| hub.submit_and_wait(p));
    assert_eq!(
        updated.is_ok(),
        may_update && is_own && is_seen,
        "{name} {own:?} updates {}/{}",
        cell.kind,
        cell.id
    );
    let deleted = hub.delete(access, resource_type, &cell.id, &options).and_then(|p| hub.submit_and_wait(p));
    let has_deleted =
        deleted.is_ok_and(|outcome| outcome.commands.iter().any(|c| format!("{:?}", c.effect) == "Deleted"));
    assert_eq!(
        has_deleted,
        may_delete && is_own && is_seen,
        "{name} {own:?} deletes {}/{}",
        cell.kind,
        cell.id
    );
    if may_update || may_delete {
        put(hub, all, &cell.id, &cell.json).unwrap();
    }
}
