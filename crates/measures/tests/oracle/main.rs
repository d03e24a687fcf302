//! Every indicator that comes with the program, compared with the same thing said in plain code over JSON: who is in
//! which population, and how many of each stratum; now, and with only what was recorded before three days of the past.
//!
//! The community is a sample whose seed is printed (`YOJIGEN_SEED` gives one); `YOJIGEN_ORACLE=whole` takes 10,000 persons in ten communities.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod data;
mod expected;
mod facts;
mod made_up;
mod quality;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use expected::{Expected, expected};
use facts::Facts;
use measures::{Evaluation, Indicator, Materials, Outcome, Period, Scoring, views_of};
use record::{Person, Record, day, item, text};
use serde_json::Value;
use sql::{Engine, Settings};

/// Initial, denominator, excluded, numerator.
type Numbers = [u64; 4];

fn key(number: usize) -> &'static str {
    ["initial population", "denominator", "exclusion", "numerator"][number]
}

fn difference(found: &BTreeSet<String>, wanted: &BTreeSet<String>) -> String {
    let sample = |of: Vec<&String>| of.into_iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = sample(found.difference(wanted).collect());
    let less = sample(wanted.difference(found).collect());
    format!("found {}, by hand {}; only found: {more}; only by hand: {less}", found.len(), wanted.len())
}

struct Looked<'r> {
    record: &'r Record,
    persons: BTreeMap<&'r str, &'r Person>,
    items: BTreeMap<String, (&'r Value, &'r Person)>,
    sites: BTreeMap<String, String>,
}

impl<'r> Looked<'r> {
    fn of(record: &'r Record, from: i64, to: i64, end: &str) -> Looked<'r> {
        let mut items = BTreeMap::new();
        let mut sites = BTreeMap::new();
        for person in &record.persons {
            items.extend(person.resources.iter().map(|r| (item(r), (r, person))));
            sites.extend(Facts { person, from, to, end: end.to_owned() }.sites());
        }
        let persons = record.persons.iter().map(|p| (p.id.as_str(), p)).collect();
        Looked { record, persons, items, sites }
    }

    fn stratum(&self, indicator: &str, name: &str, id: &str, on: Option<i64>, facts: &Facts<'_>) -> String {
        let unknown = || "unknown".to_owned();
        let patient = facts.person.patient.as_ref();
        match name {
            "sex" => patient.and_then(|p| text(p, "gender")).map_or_else(unknown, str::to_owned),
            "age" => match facts.age().filter(|_| facts.lives()) {
                None => unknown(),
                Some(age) if age < 15 => "00-14".to_owned(),
                Some(age) if age < 40 => "15-39".to_owned(),
                Some(age) if age < 65 => "40-64".to_owned(),
                Some(age) if age < 75 => "65-74".to_owned(),
                Some(_) => "75+".to_owned(),
            },
            "site"
                if indicator.starts_with("record-")
                    && indicator != "record-people-seen"
                    && indicator != "record-referral-closed" =>
            {
                let resource = self.items.get(id).map(|(r, _)| *r);
                let visit = resource.and_then(facts::visit_of);
                visit.and_then(|v| self.sites.get(v).cloned()).or(facts.own_site()).unwrap_or_else(unknown)
            }
            "site" => facts.own_site().or_else(|| newest_site(facts)).unwrap_or_else(unknown),
            "month" => month(on.unwrap()),
            "kind" => id.split('/').next().unwrap().to_owned(),
            other => panic!("nobody has said by hand what the stratifier {other} means"),
        }
    }
}

fn newest_site(facts: &Facts<'_>) -> Option<String> {
    let visits = facts.encounters();
    let known = visits.iter().filter_map(|v| {
        let on = Facts::started(v).filter(|d| *d <= facts.to)?;
        Some((-on, item(v), text(v, "serviceProvider.reference")?.to_owned()))
    });
    known.min().map(|(_, _, site)| site)
}

fn month(on: i64) -> String {
    (1900..2100)
        .flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}")))
        .take_while(|month| day(month).unwrap() <= on)
        .last()
        .unwrap()
}

fn compare(outcome: &Outcome, looked: &Looked<'_>, from: i64, to: i64, end: &str, at: &str) -> Numbers {
    let measure = &outcome.indicator.measure;
    let mut wanted = Expected::default();
    let facts_of = |person| Facts { person, from, to, end: end.to_owned() };
    for person in &looked.record.persons {
        expected(&measure.id, &facts_of(person), &mut wanted);
    }
    let is_ratio = measure.scoring == Scoring::Ratio;
    let mut found: [BTreeSet<String>; 4] = Default::default();
    let mut values = BTreeMap::new();
    for member in outcome.groups[0].members() {
        let id = member.item.unwrap_or(member.person).to_owned();
        let flags = [member.initial, member.denominator, member.excluded, member.numerator];
        for (set, flag) in found.iter_mut().zip(flags) {
            if flag {
                assert!(set.insert(id.clone()), "{at}: {} has {id} twice", measure.id);
            }
        }
        if let Some((day, person)) = wanted.initial.get(&id) {
            assert_eq!(member.person, person, "{at}: {}", measure.id);
            if measure.basis != "Patient" && !is_ratio {
                assert_eq!(member.event_date.map(i64::from), *day, "{at}: {} {id}", measure.id);
            }
        }
        if member.denominator && !member.excluded {
            values.extend(member.value.map(|v| (id, v)));
        }
    }
    let initial: BTreeSet<String> = wanted.initial.keys().cloned().collect();
    let numerator =
        if measure.scoring == Scoring::Cohort { BTreeSet::new() } else { wanted.numerator.clone() };
    let by_hand = [&initial, &wanted.denominator, &wanted.excluded, &numerator];
    for (number, (found, wanted)) in found.iter().zip(by_hand).enumerate() {
        assert!(found == wanted, "{at}: {}, {}: {}", measure.id, key(number), difference(found, wanted));
    }
    let counts = outcome.groups[0].counts;
    let numbers = by_hand.map(|set| set.len() as u64);
    assert_eq!(
        [counts.initial, counts.denominator, counts.excluded, counts.numerator],
        numbers,
        "{at}: {}",
        measure.id
    );
    let persons: BTreeSet<&String> = wanted.initial.values().map(|(_, person)| person).collect();
    assert_eq!(counts.persons, persons.len() as u64, "{at}: {}, persons", measure.id);
    if measure.scoring == Scoring::ContinuousVariable {
        assert_eq!(values, wanted.values, "{at}: {}", measure.id);
        let mut sorted: Vec<f64> = values.into_values().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() {
            0 => None,
            n if n % 2 == 1 => Some(sorted[middle]),
            _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
        };
        assert!(
            counts.value.zip(median).map_or(counts.value == median, |(a, b)| (a - b).abs() < 1e-9),
            "{at}: {}: {:?}, by hand {median:?}",
            measure.id,
            counts.value
        );
    }
    if is_ratio {
        return numbers;
    }
    for (stratifier, strata) in measure.groups[0].stratifiers.iter().zip(&outcome.groups[0].strata) {
        let mut by_hand: BTreeMap<String, Numbers> = BTreeMap::new();
        for (id, (on, person)) in &wanted.initial {
            let person = looked
                .items
                .get(id)
                .map(|(_, p)| *p)
                .or(looked.persons.get(person.as_str()).copied())
                .unwrap();
            let value = looked.stratum(&measure.id, &stratifier.name, id, *on, &facts_of(person));
            let numbers = by_hand.entry(value).or_default();
            numbers[0] += 1;
            numbers[1] += u64::from(wanted.denominator.contains(id));
            numbers[2] += u64::from(wanted.excluded.contains(id));
            numbers[3] += u64::from(numerator.contains(id));
        }
        let found: BTreeMap<String, Numbers> = strata
            .iter()
            .map(|s| {
                (
                    s.value.clone(),
                    [s.counts.initial, s.counts.denominator, s.counts.excluded, s.counts.numerator],
                )
            })
            .collect();
        assert_eq!(found, by_hand, "{at}: {} by {}", measure.id, stratifier.name);
    }
    numbers
}

/// Compares everything at some days; how many were in each population of each indicator, in all.
fn look(name: &str, versions: &[(i64, String)], cuts: &[(&str, &str, &str)]) -> BTreeMap<String, Numbers> {
    let engine = Arc::new(Engine::start(&Settings::default()).unwrap());
    let indicators: Vec<Arc<Indicator>> = measures::shipped().unwrap();
    let views = views_of(&indicators);
    let mut all: BTreeMap<String, Numbers> = BTreeMap::new();
    for (cut, start, end) in cuts {
        let texts = data::before(versions, day(cut).unwrap());
        let mut materials = Materials::at(7);
        materials.build(&views, &texts, 2).unwrap();
        let period = Period::read(start, end).unwrap();
        let mut evaluation = Evaluation::new(&engine, &materials, period);
        evaluation.keeps_members = true;
        let outcomes = evaluation.run(&indicators).unwrap();
        let record = Record::of(texts.iter().map(|t| serde_json::from_str(t).unwrap()).collect());
        let (from, to) = (day(start).unwrap(), day(end).unwrap());
        let looked = Looked::of(&record, from, to, end);
        let at = format!("{name} recorded before {cut}");
        println!("{at}: {} resources, {} persons", texts.len(), record.persons.len());
        for outcome in &outcomes {
            let numbers = compare(outcome, &looked, from, to, end, &at);
            println!("  {} {numbers:?}", outcome.indicator.measure.id);
            let sum = all.entry(outcome.indicator.measure.id.clone()).or_default();
            sum.iter_mut().zip(numbers).for_each(|(sum, n)| *sum += n);
        }
    }
    all
}

fn seed() -> u64 {
    let given = std::env::var("YOJIGEN_SEED").ok().and_then(|s| s.parse().ok());
    let seed =
        given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 1_000_000);
    println!("YOJIGEN_SEED={seed}");
    seed
}

#[test]
fn a_record_made_up_by_chance() {
    let versions = made_up::made_up(300, seed());
    let cuts = [
        ("2100-01-01", "2025-01-01", "2025-12-31"),
        ("2100-01-01", "2024-04-01", "2026-03-31"),
        ("2025-08-20", "2024-01-01", "2025-08-19"),
    ];
    let all = look("made up", &versions, &cuts);
    // Chance leaves one or the other indicator with nobody, or with everybody; most tell those they count from the rest.
    let tells = |(id, numbers): &(String, Numbers)| {
        let counts = numbers[0] > 0 && numbers[1] > 0;
        let has_numerator = numbers[3] > 0 || id == "record-people-seen" || id == "record-recording-delay";
        counts && has_numerator && (numbers[3] < numbers[1] || id == "rmi-admissions")
    };
    let (telling, others): (Vec<_>, Vec<_>) = all.into_iter().partition(tells);
    assert!(others.len() <= 3 && telling.len() >= 20, "these tell nothing: {others:?}");
}

#[test]
fn the_community() {
    let whole = std::env::var("YOJIGEN_ORACLE").is_ok_and(|v| v == "whole");
    // A thousand at a time: as JSON ten thousand take more memory than many machines have.
    let (communities, persons) = if whole { (10, 1_000) } else { (1, 400) };
    let seed = seed();
    let cuts = [
        ("2100-01-01", "2025-11-01", "2026-10-31"),
        ("2025-04-01", "2024-04-01", "2025-03-31"),
        ("2022-12-15", "2021-12-15", "2022-12-14"),
        ("2019-07-01", "2018-07-01", "2019-06-30"),
    ];
    for number in 0..communities {
        look(&format!("the community {number}"), &data::community(persons, seed + number), &cuts);
    }
}

#[test]
fn the_synthea_patients() {
    let Some(folder) = shared::folder("indicators of the Synthea patients") else { return };
    let versions = data::synthea(&folder.join("data/synthea-r4-112-patients.tar.zst"));
    let cuts = [
        ("2100-01-01", "2019-01-01", "2020-12-31"),
        ("2019-04-01", "2017-04-01", "2019-03-31"),
        ("2016-07-01", "2014-07-01", "2016-06-30"),
        ("2012-01-01", "2010-01-01", "2011-12-31"),
    ];
    look("Synthea", &versions, &cuts);
}

#[test]
fn every_file_of_the_definitions_is_shipped() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("definitions");
    let mut on_disk = 0;
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { on_disk += 1 }
        }
    }
    let shipped = include_str!("../../src/shipped_files.rs");
    assert_eq!(shipped.lines().filter(|l| l.starts_with("    \"")).count(), on_disk);
    assert_eq!(measures::shipped().unwrap().len(), 26);
}
