//! Reading only what a view looks at changes nothing in its rows.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that cannot go on has failed

use arrow::array::{Array as _, AsArray as _};
use serde_json::json;
use views::{Decimals, Run, ViewDefinition};

const PATHS: &[&str] = &[
    "id",
    "meta.lastUpdated",
    "name",
    "name.given",
    "name.first().given.last()",
    "name.where(use = 'official')",
    "name.where(given.count() > 1).family",
    "name.select(given | family)",
    "name.select(given.first() & ' ' & family)",
    "iif(active, name.family, name.given)",
    "iif(gender = 'male', 'm', 'f')",
    "name.all(family.exists())",
    "name.exists($this.use = 'usual')",
    "telecom.where(system = 'phone').value",
    "telecom.repeat(value)",
    "children().count()",
    "descendants().where($this is Reference).reference",
    "contact.relationship.coding.code",
    "(name | contact.name).family",
    "name.given.combine(contact.name.given)",
    "name.given.distinct()",
    "name.family.intersect(contact.name.family)",
    "name.aggregate($total + 1, 0)",
    "birthDate.extension('http://hl7.org/fhir/StructureDefinition/patient-birthTime').value",
    "extension.url",
    "contained.ofType(Organization).name",
    "managingOrganization.resolve().name",
    "managingOrganization.getReferenceKey(Organization)",
    "link.other.getReferenceKey()",
    "getResourceKey()",
    "deceased is boolean",
    "deceased.ofType(boolean)",
    "deceased as dateTime",
    "birthDate.lowBoundary()",
    "birthDate.highBoundary(8)",
    "today() > birthDate",
    "name.given.join(',')",
    "name.trace('x').family",
    "identifier.take(1).value",
    "identifier.skip(1).system",
    "identifier.tail().value",
    "address.line[0]",
    "address.single().city",
    "name.family.startsWith('A')",
    "name.first().family.replace('e', 'E')",
    "name.given.first().length()",
    "%resource.name.family",
    "%context.gender",
    "contact.all(name.family = 'x')",
    "name.given.contains('e')",
    "maritalStatus.coding.where(system.exists()).display.first()",
    "communication.language ~ communication.language",
    "name = name",
    "name.first() in name",
    "text.status",
    "photo.exists().not()",
    "generalPractitioner.reference.substring(0, 3)",
    "active.toString()",
    "multipleBirth",
    "deceased",
    "$this.name.family",
    "Patient.name.family",
    "name.period.start",
    "name.given.subsetOf(name.given)",
    "contact.name.isDistinct()",
];

#[test]
fn rows_are_those_of_the_whole_resource() {
    let Some(shared) = shared::folder("rows_are_those_of_the_whole_resource") else { return };
    let files = shared::package(&shared.join("packages/hl7.fhir.r4.examples-4.0.1.tgz")).unwrap();
    let patients: Vec<_> = files
        .iter()
        .filter(|(name, _)| name.starts_with("Patient-"))
        .filter_map(|(_, json)| fhir::json::parse(json, &fhir::Limits::default()).ok())
        .collect();
    assert!(patients.len() > 10, "{}", patients.len());
    let (mut rows, mut values) = (0, 0);
    for path in PATHS {
        let view = json!({"resource": "Patient", "select": [{"column": [{"name": "v", "path": path, "collection": true}]}]});
        let view =
            ViewDefinition::read(view.to_string().as_bytes()).unwrap_or_else(|e| panic!("{path}: {e}"));
        for patient in &patients {
            let run = || Run::new(&view, Decimals::Texts).at(0);
            let (mut whole, mut parts) = (run(), run());
            let told = (whole.push(patient), parts.push_text(patient.text()));
            assert_eq!(told.0, told.1, "{path}");
            if told.0.is_err() {
                continue;
            }
            let (whole, parts) = (whole.batch().unwrap(), parts.batch().unwrap());
            assert_eq!(whole, parts, "{path}: {}", patient.text());
            rows += whole.num_rows();
            values += whole.column(0).as_list::<i32>().values().len();
        }
    }
    assert!(rows > 1000 && values > 100, "{rows} {values}");
}

#[test]
fn so_are_those_of_the_views_that_are_measured() {
    let Some(shared) = shared::folder("so_are_those_of_the_views_that_are_measured") else { return };
    let files = shared::package(&shared.join("packages/hl7.fhir.r4.examples-4.0.1.tgz")).unwrap();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/views");
    let mut rows = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let view = ViewDefinition::read(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let of = format!("{}-", fhir::r4().type_name(view.resource));
        for (name, json) in files.iter().filter(|(name, _)| name.starts_with(&of)) {
            let Ok(resource) = fhir::json::parse(json, &fhir::Limits::default()) else { continue };
            let (mut whole, mut parts) = (Run::new(&view, Decimals::Texts), Run::new(&view, Decimals::Texts));
            assert_eq!(whole.push(&resource), parts.push_text(resource.text()), "{name}");
            let (whole, parts) = (whole.batch().unwrap(), parts.batch().unwrap());
            assert_eq!(whole, parts, "{name}");
            rows += whole.num_rows();
        }
    }
    assert!(rows > 80, "{rows}");
}
