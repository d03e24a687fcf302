//! The community is what it says it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use population::{END, Item, Settings, generate};
use serde_json::Value;

fn all(persons: u64, seed: u64) -> Vec<Item> {
    let mut items = Vec::new();
    generate(&Settings { persons, seed }, &mut |item| {
        items.push(item);
        true
    });
    items
}

fn hash(items: &[Item]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for item in items {
        (item.recorded, &item.id, &item.json).hash(&mut hasher);
    }
    hasher.finish()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(target) if name == "reference" => found.push(target.to_owned()),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|v| references(v, found)),
        _ => {}
    }
}

#[test]
fn every_resource_is_valid() {
    for item in all(60, 1).into_iter().chain(all(400, 2)) {
        if let Err(issues) = fhir::json::parse(item.json.as_bytes(), &fhir::Limits::default()) {
            panic!("{issues:?}\n{}", item.json);
        }
        let value: Value = serde_json::from_str(&item.json).unwrap();
        assert_eq!(value["resourceType"], item.resource_type);
        assert_eq!(value["id"], item.id);
    }
}

#[test]
fn a_seed_is_a_community() {
    assert_eq!(hash(&all(60, 7)), hash(&all(60, 7)));
    assert_ne!(hash(&all(60, 7)), hash(&all(60, 8)));
}

#[test]
fn it_stops_when_told_to() {
    let mut many = 0;
    generate(&Settings { persons: 1_000_000, seed: 1 }, &mut |_| {
        many += 1;
        many < 5000
    });
    assert_eq!(many, 5000);
    assert_eq!(
        all(137, 3)
            .iter()
            .filter(|i| i.resource_type == "Patient")
            .map(|i| &i.id)
            .collect::<BTreeSet<_>>()
            .len(),
        137
    );
}

#[test]
fn time_runs_forwards() {
    let mut latest: HashMap<String, (i64, i64)> = HashMap::new();
    let mut updates = 0;
    for item in all(500, 11) {
        assert!(item.recorded <= END, "{}", item.json);
        let key = format!("{}/{}", item.resource_type, item.id);
        let value: Value = serde_json::from_str(&item.json).unwrap();
        let mut targets = Vec::new();
        references(&value, &mut targets);
        for target in targets {
            let first = latest.get(&target).unwrap_or_else(|| panic!("{target} is missing: {}", item.json)).0;
            assert!(first <= item.recorded, "{target} comes later: {}", item.json);
        }
        let entry = latest.entry(key).or_insert_with(|| (item.recorded, item.recorded - 1));
        assert!(entry.1 < item.recorded, "an update is not later: {}", item.json);
        updates += u32::from(entry.1 >= entry.0);
        entry.1 = item.recorded;
    }
    assert!(updates > 500, "{updates}");
}

#[test]
fn ids_are_not_used_twice() {
    let mut types: HashMap<String, &'static str> = HashMap::new();
    for item in all(500, 12) {
        assert_eq!(*types.entry(item.id.clone()).or_insert(item.resource_type), item.resource_type);
        assert!(item.id.len() == 36 && item.id.as_bytes()[14] == b'7');
    }
}

fn percent(part: usize, whole: usize) -> usize {
    part * 100 / whole.max(1)
}

#[test]
fn the_community_is_plausible() {
    let items = all(4000, 5);
    let mut births: HashMap<String, (i64, bool)> = HashMap::new();
    let mut codes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for item in &items {
        let value: Value = serde_json::from_str(&item.json).unwrap();
        if item.resource_type == "Patient" {
            let year = value["birthDate"].as_str().unwrap()[..4].parse().unwrap();
            births.insert(item.id.clone(), (year, value.get("deceasedDateTime").is_some()));
        }
        if item.resource_type == "Condition" {
            let code = value["code"]["coding"][0]["code"].as_str().unwrap().to_owned();
            let subject = value["subject"]["reference"].as_str().unwrap()["Patient/".len()..].to_owned();
            codes.entry(code).or_default().insert(subject);
        }
    }
    let living: Vec<&String> = births.iter().filter(|(_, (_, dead))| !dead).map(|(id, _)| id).collect();
    let share = |from: i64, to: i64| {
        percent(
            living.iter().filter(|id| (from..=to).contains(&(2026 - births[**id].0))).count(),
            living.len(),
        )
    };
    let with = |code: &str, from: i64| {
        let group: Vec<_> = living.iter().filter(|id| 2026 - births[**id].0 >= from).collect();
        percent(group.iter().filter(|id| codes[code].contains(id.as_str())).count(), group.len())
    };
    let (young, old, oldest) = (share(0, 14), share(65, 120), share(75, 120));
    let (pressure, sugar, fat) = (with("I10", 70), with("E11.9", 70), with("E78.5", 70));
    println!(
        "0-14 {young} %, 65+ {old} %, 75+ {oldest} %; 70+: I10 {pressure} %, E11 {sugar} %, E78 {fat} %"
    );
    assert!((8..=15).contains(&young) && (25..=34).contains(&old) && (11..=20).contains(&oldest));
    assert!((30..=75).contains(&pressure) && (8..=28).contains(&sugar) && (15..=45).contains(&fat));
}

#[test]
fn its_size_is_told() {
    let begun = Instant::now();
    let items = all(1000, 1);
    let took = begun.elapsed();
    let bytes: usize = items.iter().map(|i| i.json.len()).sum();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in &items {
        *counts.entry(item.resource_type).or_default() += 1;
    }
    let ids: BTreeSet<&String> = items.iter().map(|i| &i.id).collect();
    println!("{} items, {} ids, {} bytes each, {took:?}", items.len(), ids.len(), bytes / items.len());
    println!("{counts:?}");
    assert!((80_000..=160_000).contains(&items.len()), "{}", items.len());
}
