//! Every expression R4 publishes parses, fits the types it is written for, and runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

use fhir::definitions::TypeKind;
use fhir::{Limits, r4};
use fhirpath::{Context, Expression};
use proptest::prelude::*;

#[test]
fn every_search_expression_fits_its_bases() {
    let mut count = 0;
    for resource in &r4().resource_types {
        for parameter in r4().search_parameters(*resource).filter(|p| !p.expression.is_empty()) {
            Expression::parse(parameter.expression)
                .unwrap_or_else(|e| panic!("{}: {e}: {}", parameter.url, parameter.expression));
            // A union over types names elements only some of them have; each part is analysed on its own.
            let parts = parameter.expression.split(" | ").filter(|part| {
                let root: String =
                    part.chars().skip_while(|c| *c == '(').take_while(char::is_ascii_alphanumeric).collect();
                r4().type_named(&root).is_some_and(|t| r4().is_a(*resource, t))
            });
            for part in parts {
                Expression::parse(part)
                    .and_then(|e| e.analyse(*resource))
                    .unwrap_or_else(|e| panic!("{} on {}: {e}", parameter.url, r4().type_name(*resource)));
            }
            count += 1;
        }
    }
    assert!(count > 1700, "{count}");
}

#[test]
fn every_invariant_parses() {
    let of_types = r4().types.iter().flat_map(|t| &t.constraints);
    let of_elements = r4().elements.iter().flat_map(|e| &e.constraints);
    for constraint in of_types.chain(of_elements) {
        Expression::parse(constraint.expression)
            .unwrap_or_else(|e| panic!("{}: {e}: {}", constraint.key, constraint.expression));
    }
}

/// Official instances that do break a rule of severity error, as the rule is written.
const BROKEN: &[(&str, &str)] = &[
    ("bdl-4", "Bundle-bundle-response-simplesummary.json"), // a batch-response with an entry without response
    ("sdf-4", "StructureDefinition-FiveWs.json"),           // concrete, without base definition
    ("sdf-4", "StructureDefinition-Request.json"),          // the same
];

#[test]
fn every_invariant_runs_on_every_example() {
    let Some(shared) = shared::folder("every_invariant_runs_on_every_example") else { return };
    let files = shared::package(&shared.join("packages/hl7.fhir.r4.examples-4.0.1.tgz")).unwrap();
    let rules: Vec<Vec<(&str, bool, Expression)>> = r4()
        .types
        .iter()
        .map(|t| {
            t.constraints
                .iter()
                .map(|c| (c.key, c.is_error, Expression::parse(c.expression).unwrap()))
                .collect()
        })
        .collect();
    let (mut run, mut failed) = (0u32, std::collections::BTreeMap::<&str, Vec<&str>>::new());
    for (name, json) in files.iter().filter(|(_, json)| json.len() < 100_000).step_by(2) {
        let Ok(resource) = fhir::json::parse(json, &Limits::default()) else { continue };
        for node in std::iter::once(resource.root()).chain(resource.root().descendants()) {
            if node.type_definition().kind == TypeKind::Primitive {
                continue;
            }
            let mut lineage = Some(node.value_type());
            while let Some(id) = lineage {
                for (key, is_error, rule) in &rules[usize::from(id.0)] {
                    let mut context = Context::new(resource.root());
                    context.focus = node;
                    let outcome =
                        rule.evaluate_boolean(&context).unwrap_or_else(|e| panic!("{name}: {key}: {e}"));
                    run += 1;
                    if outcome == Some(false) && *is_error && !BROKEN.contains(&(key, name)) {
                        failed.entry(key).or_default().push(name);
                    }
                }
                lineage = r4().type_of(id).base;
            }
        }
    }
    assert!(run > 100_000, "{run}");
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn analysis_names_what_no_type_has() {
    let patient = r4().resource_type("Patient").unwrap();
    let error = Expression::parse("Patient.name.gvien").unwrap().analyse(patient).unwrap_err();
    assert!(error.message.contains("did you mean given"), "{error}");
    assert!(Expression::parse("Patient.name.give()").unwrap_err().message.contains("no function"));
}

#[test]
fn an_expression_cannot_run_away() {
    let json = r#"{"resourceType":"Patient","name":[{"given":["a","b","c","d","e","f","g","h"]}]}"#;
    let resource = fhir::json::parse(json.as_bytes(), &Limits::default()).unwrap();
    let product = "name.given.select(%resource.".repeat(12) + "name.given" + &")".repeat(12);
    for text in [
        product.as_str(),
        "name.given.repeat($this & 'x')",
        "name.given.aggregate($total.combine($total).combine($this), name.given)",
        "('a').repeat($this & $this)",
        "('a').select('aaaaaaaaaaaaaaaa'.replace('a', 'aaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaa'))",
    ] {
        let mut context = Context::new(resource.root());
        context.budget = 100_000;
        if let Ok(found) = Expression::parse(text).unwrap().evaluate(&context) {
            assert!(found.len() < 100_000, "{text}");
        }
    }
    assert!(Expression::parse(&"(".repeat(100_000)).is_err());
    assert!(Expression::parse(&format!("a{}", ".b".repeat(100_000))).is_err());
    assert!(Expression::parse(&format!("1{}", "+1".repeat(100_000))).is_err());
    assert!(Expression::parse(&"-".repeat(100_000)).is_err());
}

const WORDS: &str = "((name|given|\\.|\\(|\\)|where|exists|\\||'x'|1|2\\.5|@2015-02|@T12:00|=|>|and|is|as|Patient|\\$this|%resource|\\[|\\]|-|\\+|\\*|div|repeat|substring|,|matches|'\\[a'|\\PC) ?){0,24}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn no_text_panics(text in WORDS) {
        if let Ok(expression) = Expression::parse(&text) {
            let json = r#"{"resourceType":"Patient","name":[{"given":["a","b"],"family":"c"}],"birthDate":"2000-01-02"}"#;
            let resource = fhir::json::parse(json.as_bytes(), &Limits::default()).unwrap();
            let mut context = Context::new(resource.root());
            context.budget = 10_000;
            let _ = expression.evaluate(&context);
            let _ = expression.analyse(resource.root().value_type());
        }
    }
}
