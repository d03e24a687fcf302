//! Rows that are kept are the rows that were built, also after some resources changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use measures::{Circumstances, Evaluation, Kept, Kind, Materials, Period, View, shipped, views_of};
use serde_json::Value;
use sql::{Engine, Settings};
use views::Decimals;

fn versions() -> Vec<population::Item> {
    let mut found = Vec::new();
    population::generate(&population::Settings { persons: 150, seed: 5 }, &mut |item| {
        found.push(item);
        true
    });
    found
}

/// The newest version of each resource recorded by a moment.
fn newest(versions: &[population::Item], until: i64) -> BTreeMap<String, &population::Item> {
    let mut found: BTreeMap<String, &population::Item> = BTreeMap::new();
    for item in versions.iter().filter(|item| item.recorded <= until) {
        found.insert(format!("{}/{}", item.resource_type, item.id), item);
    }
    found
}

fn reports(engine: &Arc<Engine>, materials: &Materials) -> Vec<Value> {
    let period = Period::read("2025-11-01", "2026-10-31").unwrap();
    let mut evaluation = Evaluation::new(engine, materials, period);
    evaluation.keeps_members = true;
    let outcomes = evaluation.run(&shipped().unwrap()).unwrap();
    let circumstances =
        Circumstances { date: "2026-11-01".to_owned(), reporter: None, code_version: "1".to_owned() };
    outcomes.iter().map(|outcome| outcome.report(Kind::SubjectList, &circumstances)).collect()
}

fn rows(view: &View, texts: &[&str]) -> Vec<arrow::array::RecordBatch> {
    views::parallel::batches(&view.definition, texts, 2, Decimals::Numbers).unwrap()
}

#[test]
fn kept_rows_follow_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(Engine::start(&Settings::default()).unwrap());
    let views = views_of(&shipped().unwrap());
    let versions = versions();
    let year = 365 * 86_400 * 1_000_000;
    let (early, late) = (population::END - year / 4, population::END);
    let (before, after) = (newest(&versions, early), newest(&versions, late));
    let texts: Vec<&str> = before.values().map(|item| item.json.as_str()).collect();
    let kept = Kept::at(folder.path());
    assert!(kept.materials(&views).is_err());
    for view in &views {
        kept.write(view, 10, &rows(view, &texts)).unwrap();
        assert_eq!(kept.place(view), Some(10));
    }
    let mut built = Materials::at(10);
    built.build(&views, &texts, 2).unwrap();
    let first = reports(&engine, &kept.materials(&views).unwrap());
    assert_eq!(first, reports(&engine, &built));
    assert_eq!(first, reports(&engine, &built), "the same once more");

    let mut changed: BTreeSet<String> = after
        .iter()
        .filter(|(key, item)| before.get(*key) != Some(*item))
        .map(|(key, _)| key.clone())
        .collect();
    // Somebody's resources are deleted.
    let deleted: BTreeSet<String> = after.keys().step_by(40).cloned().collect();
    changed.extend(deleted.iter().cloned());
    let left: BTreeMap<_, _> = after.iter().filter(|(key, _)| !deleted.contains(*key)).collect();
    let new: Vec<&str> =
        left.iter().filter(|(key, _)| changed.contains(**key)).map(|(_, item)| item.json.as_str()).collect();
    for (at, view) in views.iter().enumerate() {
        kept.refresh(view, 20, &changed, &rows(view, &new)).unwrap();
        assert_eq!(
            kept.materials(&views).is_ok(),
            at + 1 == views.len(),
            "views of two places are not mixed"
        );
    }
    let texts: Vec<&str> = left.values().map(|item| item.json.as_str()).collect();
    let mut built = Materials::at(20);
    built.build(&views, &texts, 2).unwrap();
    let second = reports(&engine, &kept.materials(&views).unwrap());
    assert_eq!(second, reports(&engine, &built));
    assert_ne!(first, second);
}
