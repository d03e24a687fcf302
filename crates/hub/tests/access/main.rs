//! Who sees what: every role, type, consent and tag, now and as of before, agrees with an oracle that shares no code
//! with the restriction; and whoever may not see something cannot tell whether it is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod matrix;
mod oracle;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use fhir::{Limits, r4};
use hub::{
    Access, AuditEventRequest, Audited, EverythingRequest, HistoryLevel, HistoryQuery, Hub, Kind, OsEntropy,
    SearchLimits, SearchRequest, SystemClock, WriteOptions,
};
use proptest::prelude::*;
use store::{Options, Store};

const TYPES: [&str; 6] = ["Patient", "Observation", "Condition", "Encounter", "Consent", "Organization"];

use crate::oracle::{sees, subjects};
use crate::world::{Decision, Fact, TAGS, World, world};

fn open(path: &Path) -> Hub {
    let options = Options {
        limits: store::Limits {
            is_durable: false,
            write_buffer: 1 << 20,
            block_cache: 4 << 20,
            ..store::Limits::default()
        },
        zone: "Asia/Tokyo".to_owned(),
        clock: Box::new(SystemClock),
        entropy: Box::new(OsEntropy::seeded(7)),
        references: store::ReferencePolicy::default(),
    };
    Hub::new(Store::open(path, options).unwrap(), Limits::default(), SearchLimits::default())
}

fn put(hub: &Hub, access: &Access, id: &str, json: &str) -> Result<(), hub::Failure> {
    let resource = fhir::json::parse(json.as_bytes(), &hub.limits).unwrap();
    let prepared = hub.update(access, resource.root(), id, &WriteOptions::default())?;
    hub.submit_and_wait(prepared).map(|_| ())
}

fn filled(path: &Path, world: &World) -> Hub {
    let hub = open(path);
    let all = Access::open("test");
    for (fact, json) in world.facts() {
        put(&hub, &all, &fact.id, &json).unwrap();
    }
    hub
}

fn found(hub: &Hub, access: &Access, kind: &str, query: &str) -> Result<(Vec<String>, Option<u64>), Kind> {
    let resource_type = r4().resource_type(kind).unwrap();
    let (mut ids, mut total) = (Vec::new(), None);
    let mut cursor: Option<String> = None;
    for _ in 0..100 {
        let text = format!("_count=2&{query}{}", cursor.map_or(String::new(), |c| format!("&_cursor={c}")));
        let pairs = search::query::split(&text).unwrap();
        let request = SearchRequest {
            resource_type,
            compartment: None,
            pairs: &pairs,
            base: "http://h",
            is_lenient: false,
        };
        let query = hub.query(&request).map_err(|f| f.kind)?;
        let answer = hub.search(access, query, hub.budget()).map_err(|f| f.kind)?;
        let names = answer.matches.iter().chain(&answer.included);
        ids.extend(names.map(|k| format!("{}/{}", r4().type_name(k.resource_type), k.id)));
        total = total.or(answer.total);
        match answer.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok((ids, total))
}

fn names(facts: &[&Fact]) -> BTreeSet<String> {
    facts.iter().map(|f| format!("{}/{}", f.kind, f.id)).collect()
}

fn check(hub: &Hub, world: &World, as_of: Option<fhir::date_time::Micros>) -> Result<(), TestCaseError> {
    let facts = world.facts();
    let facts: Vec<&Fact> = facts.iter().map(|(fact, _)| fact).collect();
    let moment = as_of.map_or(String::new(), |t| {
        format!("&_asOf={}", fhir::date_time::format_instant(t).replace('+', "%2B"))
    });
    for (name, subject) in subjects() {
        let access = hub.access_of(&Arc::new(subject), "test").unwrap();
        for kind in TYPES {
            let seen: Vec<&Fact> =
                facts.iter().copied().filter(|f| f.kind == kind && sees(world, name, f)).collect();
            let expected = names(&seen);
            let note = || format!("{name} searches {kind} {moment}");
            for query in ["_total=accurate", "_total=accurate&_sort=-_lastUpdated", "_sort=_id"] {
                match found(hub, &access, kind, &format!("{query}{moment}")) {
                    Ok((ids, total)) => {
                        prop_assert_eq!(
                            ids.iter().cloned().collect::<BTreeSet<_>>(),
                            expected.clone(),
                            "{} {}",
                            note(),
                            query
                        );
                        prop_assert_eq!(ids.len(), expected.len(), "{} {}: each once", note(), query);
                        if query.contains("total") {
                            prop_assert_eq!(total, Some(expected.len() as u64), "{}", note());
                        }
                    }
                    Err(kind) => {
                        prop_assert_eq!(kind, Kind::Forbidden, "{}", note());
                        prop_assert!(expected.is_empty(), "{} was refused", note());
                    }
                }
            }
            for fact in facts.iter().filter(|f| f.kind == kind) {
                let resource_type = r4().resource_type(kind).unwrap();
                let read = hub.read(&access, resource_type, &fact.id, as_of);
                let is_seen = sees(world, name, fact);
                prop_assert_eq!(read.is_ok(), is_seen, "{} reads {}", name, fact.id);
                prop_assert_eq!(hub.vread(&access, resource_type, &fact.id, "1", as_of).is_ok(), is_seen);
            }
        }
        // Includes, chains and _has see no more.
        let all: BTreeSet<String> =
            names(&facts.iter().copied().filter(|f| sees(world, name, f)).collect::<Vec<_>>());
        for (kind, query) in [
            ("Observation", "_include=Observation:subject"),
            ("Patient", "_revinclude=Observation:subject&_revinclude=Condition:subject"),
            ("Encounter", "_include=Encounter:service-provider"),
        ] {
            if let Ok((ids, _)) = found(hub, &access, kind, &format!("{query}{moment}")) {
                for id in ids {
                    prop_assert!(all.contains(&id), "{} got {} from {}?{}", name, id, kind, query);
                }
            }
        }
        for code in 0..3 {
            let expected: BTreeSet<String> = facts
                .iter()
                .filter(|f| f.kind == "Patient" && sees(world, name, f))
                .filter(|f| {
                    facts.iter().any(|o| {
                        o.kind == "Observation"
                            && o.person == f.person
                            && o.code == code
                            && sees(world, name, o)
                    })
                })
                .map(|f| format!("Patient/{}", f.id))
                .collect();
            if let Ok((ids, _)) =
                found(hub, &access, "Patient", &format!("_has:Observation:subject:code=c{code}{moment}"))
            {
                prop_assert_eq!(
                    ids.into_iter().collect::<BTreeSet<_>>(),
                    expected,
                    "{} _has c{}",
                    name,
                    code
                );
            }
        }
        for person in 0..4u8 {
            if as_of.is_some() {
                break;
            }
            let owner = (r4().resource_type("Patient").unwrap(), format!("p{person}"));
            let request = EverythingRequest::read(hub, &[]).unwrap();
            let fact = facts.iter().find(|f| f.kind == "Patient" && f.id == owner.1).unwrap();
            let answer = hub.everything(&access, (owner.0, &owner.1), &request, "http://h", &[]);
            prop_assert_eq!(
                answer.is_ok(),
                sees(world, name, fact),
                "{} asks for everything of p{}",
                name,
                person
            );
            if let Ok(bundle) = answer {
                for fact in &facts {
                    let url = format!(r#""http://h/{}/{}""#, fact.kind, fact.id);
                    prop_assert!(sees(world, name, fact) || !bundle.contains(&url), "{} got {}", name, url);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24), ..ProptestConfig::default() })]

    #[test]
    fn what_is_seen_agrees_with_the_oracle(world in world()) {
        let directory = tempfile::tempdir().unwrap();
        let hub = filled(directory.path(), &world);
        check(&hub, &world, None)?;
        // What is gone since can be asked for as of before, by the same who could see it.
        let before = hub.store().reader().instant();
        let all = Access::open("test");
        for (fact, _) in world.facts().iter().filter(|(f, _)| matches!(f.kind, "Observation" | "Condition")) {
            let resource_type = r4().resource_type(fact.kind).unwrap();
            let prepared = hub.delete(&all, resource_type, &fact.id, &WriteOptions::default()).unwrap();
            hub.submit_and_wait(prepared).unwrap();
        }
        check(&hub, &world, Some(before))?;
    }

    /// Of two hubs that differ only in what a person may not see, the person learns nothing about the difference.
    #[test]
    fn what_is_not_seen_cannot_be_told(world in world(), other in world(), deeds in proptest::collection::vec((0..17u8, 0..6u8), 1..24)) {
        // The other hub has the first one's record of person 0 (and who is joined with them), and another of everyone else.
        let mine = world.joined(0);
        let mut second = World { links: world.links.clone(), ..other };
        second.encounters = mixed(&world.encounters, &second.encounters, |(p, _)| mine.contains(p));
        second.observations = mixed(&world.observations, &second.observations, |(p, _)| p.is_some_and(|p| mine.contains(&p)));
        second.conditions = mixed(&world.conditions, &second.conditions, |(p, ..)| mine.contains(p));
        second.consents = mixed(&world.consents, &second.consents, |(p, _)| mine.contains(p));
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let hubs = [filled(one.path(), &world), filled(two.path(), &second)];
        let person = subjects().into_iter().find(|(name, _)| *name == "person").unwrap().1;
        let accesses: Vec<Access> = hubs.iter().map(|h| h.access_of(&Arc::new(person.clone()), "test").unwrap()).collect();
        let own: BTreeMap<usize, String> = BTreeMap::new();
        for (deed, target) in deeds {
            let said: Vec<String> = hubs.iter().zip(&accesses).map(|(hub, access)| without_chosen_ids(&act(hub, access, deed, target, &own))).collect();
            prop_assert_eq!(&said[0], &said[1], "deed {} on {}", deed, target);
        }
    }
}

/// The first list's entries that are mine, and as many others of the second list as leave the numbers free.
fn mixed<T: Clone>(first: &[T], second: &[T], is_mine: impl Fn(&T) -> bool) -> Vec<T> {
    let mut others = second.iter().filter(|t| !is_mine(t));
    // Mine keep their places, since the ids are made of them.
    let mut out: Vec<T> = Vec::new();
    for entry in first {
        if is_mine(entry) {
            out.push(entry.clone());
        } else if let Some(other) = others.next() {
            out.push(other.clone());
        } else {
            out.push(entry.clone());
        }
    }
    out.extend(others.cloned());
    out
}

/// What one is told who tries something with a resource that may be another's; without clock and chosen ids.
fn act(hub: &Hub, access: &Access, deed: u8, target: u8, _own: &BTreeMap<usize, String>) -> String {
    let condition = r4().resource_type("Condition").unwrap();
    let observation = r4().resource_type("Observation").unwrap();
    let strip = |text: String| {
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find("\"lastUpdated\":\"") {
            out.push_str(&rest[..at]);
            rest = rest[at..].split_once(',').map_or("", |(_, r)| r);
        }
        out + rest
    };
    match deed {
        0 => match hub.read(access, observation, &format!("b{target}"), None) {
            Ok(kept) => strip(kept.json()),
            Err(failure) => format!("{failure:?}"),
        },
        1 => {
            let id = format!("b{target}");
            let json = format!(
                r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"text":"mine"}},"subject":{{"reference":"Patient/p0"}},"performer":[{{"reference":"Patient/p0"}}]}}"#
            );
            format!("{:?}", put(hub, access, &id, &json).map_err(|f| (f.kind, f.issues)))
        }
        2 => {
            let prepared =
                hub.delete(access, condition, &format!("k{target}"), &WriteOptions::default()).unwrap();
            let outcome = hub
                .submit_and_wait(prepared)
                .map(|o| o.commands.iter().map(|c| (c.effect, c.version)).collect::<Vec<_>>());
            format!("{:?}", outcome.map_err(|f| (f.kind, f.issues)))
        }
        3 => format!(
            "{:?}",
            found(hub, access, "Observation", "_sort=-_lastUpdated&_total=accurate")
                .map(|(ids, total)| (ids.into_iter().filter(|i| i.len() < 20).collect::<Vec<_>>(), total))
        ),
        4 => {
            format!("{:?}", found(hub, access, "Condition", &format!("code=c{}&_summary=count", target % 3)))
        }
        5 => {
            let level = HistoryLevel::Instance(observation, format!("b{target}"));
            let page = hub.history(access, &level, &HistoryQuery::default());
            format!("{:?}", page.map(|p| p.entries.len()).map_err(|f| (f.kind, f.issues)))
        }
        6 => match hub.vread(access, observation, &format!("b{target}"), "1", None) {
            Ok(kept) => strip(kept.json()),
            Err(failure) => format!("{failure:?}"),
        },
        7 => {
            let owner = (r4().resource_type("Patient").unwrap(), format!("p{}", target % 4));
            let request = EverythingRequest::read(hub, &[]).unwrap();
            let answer = hub.everything(access, (owner.0, &owner.1), &request, "http://h", &[]);
            // The Bundle itself has an id and a moment of its own.
            let urls = |bundle: String| {
                bundle
                    .split("\"fullUrl\":\"")
                    .skip(1)
                    .map(|u| u.split('"').next().unwrap_or_default().to_owned())
                    .collect::<Vec<_>>()
            };
            format!("{:?}", answer.map(urls).map_err(|f| (f.kind, f.issues)))
        }
        8 => format!(
            "{:?}",
            found(
                hub,
                access,
                "Patient",
                "_revinclude=Observation:subject&_revinclude=Condition:subject&_revinclude=Encounter:subject&_total=accurate"
            )
        ),
        9 => format!(
            "{:?}",
            found(
                hub,
                access,
                "Patient",
                &format!("_has:Observation:subject:code=c{}&_sort=family", target % 3)
            )
        ),
        10 => format!(
            "{:?}",
            found(
                hub,
                access,
                "Observation",
                &format!("subject:Patient.family=F{}&_sort=-date&_include=*", target % 4)
            )
        ),
        11 | 12 => {
            // A condition that could find another's, one or several.
            let criteria = format!("code=c{}", target % 3);
            let outcome = if deed == 11 {
                hub.delete_by(access, condition, &criteria, &WriteOptions::default())
            } else {
                let json = r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://s","code":"c9"}]},"subject":{"reference":"Patient/p0"},"performer":[{"reference":"Patient/p0"}]}"#;
                let resource = fhir::json::parse(json.as_bytes(), &hub.limits).unwrap();
                hub.update_by(access, resource.root(), &criteria, &WriteOptions::default())
            };
            told(outcome.and_then(|p| hub.submit_and_wait(p)))
        }
        13 | 14 => {
            // Versions named in advance: a conflict would say that something is there.
            let options = match deed {
                13 => WriteOptions { if_match: Some(u64::from(target)), ..WriteOptions::default() },
                _ => WriteOptions { must_be_new: true, ..WriteOptions::default() },
            };
            let id = format!("b{target}");
            let json = format!(
                r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"text":"mine"}},"subject":{{"reference":"Patient/p0"}},"performer":[{{"reference":"Patient/p0"}}]}}"#
            );
            let resource = fhir::json::parse(json.as_bytes(), &hub.limits).unwrap();
            told(hub.update(access, resource.root(), &id, &options).and_then(|p| hub.submit_and_wait(p)))
        }
        15 => {
            // References to what may be another's, and to what never was.
            let json = format!(
                r#"{{"resourceType":"Observation","status":"final","code":{{"text":"mine"}},"subject":{{"reference":"Patient/p0"}},"performer":[{{"reference":"Patient/p0"}}],"derivedFrom":[{{"reference":"Observation/b{target}"}}],"focus":[{{"reference":"Condition?code=c{}"}}]}}"#,
                target % 3
            );
            let resource = fhir::json::parse(json.as_bytes(), &hub.limits).unwrap();
            told(
                hub.create(access, resource.root(), &WriteOptions::default())
                    .and_then(|p| hub.submit_and_wait(p)),
            )
        }
        _ => {
            // A conditional create whose condition could find another's.
            let json = r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://s","code":"cx"}]},"subject":{"reference":"Patient/p0"},"performer":[{"reference":"Patient/p0"}]}"#;
            let resource = fhir::json::parse(json.as_bytes(), &hub.limits).unwrap();
            let options = WriteOptions {
                if_none_exist: Some(format!("code=c{}", target % 3)),
                ..WriteOptions::default()
            };
            told(hub.create(access, resource.root(), &options).and_then(|p| hub.submit_and_wait(p)))
        }
    }
}

/// Ids the hub chose are random.
fn without_chosen_ids(said: &str) -> String {
    let is_chosen = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut out = String::new();
    for part in said.split_inclusive(|c| !is_part(c)) {
        let word = part.trim_end_matches(|c| !is_part(c));
        out.push_str(if is_chosen(word) { "chosen" } else { word });
        out.push_str(&part[word.len()..]);
    }
    out
}

/// What a writer learns: effects and version numbers, or why not.
fn told(outcome: Result<store::Outcome, hub::Failure>) -> String {
    let effects = |o: store::Outcome| {
        o.commands.into_iter().map(|c| (c.effect, c.version, c.missing)).collect::<Vec<_>>()
    };
    format!("{:?}", outcome.map(effects).map_err(|f| (f.kind, f.issues)))
}

#[test]
fn rights_are_decided_now_whatever_the_moment_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        links: Vec::new(),
        encounters: vec![(2, 0)],
        observations: vec![(Some(2), 0)],
        conditions: vec![(0, 0, None)],
        consents: Vec::new(),
    };
    let hub = filled(directory.path(), &world);
    let of = |name: &str| subjects().into_iter().find(|(n, _)| *n == name).unwrap().1;
    let clinician = hub.access_of(&Arc::new(of("clinician")), "test").unwrap();
    let before = fhir::date_time::format_instant(hub.store().reader().instant());
    let asked = format!("_asOf={}", before.replace('+', "%2B"));
    assert_eq!(found(&hub, &clinician, "Observation", &asked).unwrap().0, ["Observation/b0"]);
    // A denial takes effect at its commit, for the past too, and ends with its time.
    let mut denial = Decision {
        is_permit: false,
        organisation: Some(0),
        purpose: None,
        code: None,
        class: None,
        nested: None,
        is_over: false,
    };
    put(&hub, &Access::open("test"), "d", &denial.json("d", 2)).unwrap();
    assert!(found(&hub, &clinician, "Observation", &asked).unwrap().0.is_empty());
    let observation = r4().resource_type("Observation").unwrap();
    assert_eq!(hub.read(&clinician, observation, "b0", None).unwrap_err().kind, Kind::NotFound);
    denial.is_over = true;
    put(&hub, &Access::open("test"), "d", &denial.json("d", 2)).unwrap();
    assert_eq!(found(&hub, &clinician, "Observation", "").unwrap().0, ["Observation/b0"]);
    // A label put on now binds the versions before it, until it is taken off.
    let person = hub.access_of(&Arc::new(of("person")), "test").unwrap();
    let condition = r4().resource_type("Condition").unwrap();
    let tagged = |tag: &str| {
        format!(
            r#"{{"resourceType":"Condition","id":"k0","meta":{{"tag":[{{"system":"{TAGS}","code":"{tag}"}}]}},"subject":{{"reference":"Patient/p0"}}}}"#
        )
    };
    assert!(hub.vread(&person, condition, "k0", "1", None).is_ok());
    put(&hub, &Access::open("test"), "k0", &tagged("UNINFORMED")).unwrap();
    assert_eq!(hub.vread(&person, condition, "k0", "1", None).unwrap_err().kind, Kind::NotFound);
    assert!(found(&hub, &person, "Condition", &asked).unwrap().0.is_empty());
    assert!(found(&hub, &person, "Condition", "").unwrap().0.is_empty());
    let prepared = hub.delete(&Access::open("test"), condition, "k0", &WriteOptions::default()).unwrap();
    hub.submit_and_wait(prepared).unwrap();
    // Deleted, it keeps its last labels.
    assert_eq!(hub.vread(&person, condition, "k0", "1", None).unwrap_err().kind, Kind::NotFound);
    assert_eq!(hub.read(&person, condition, "k0", None).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn a_cursor_says_nothing_and_serves_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        links: Vec::new(),
        encounters: vec![(0, 0)],
        observations: vec![(Some(0), 0), (Some(0), 1), (Some(0), 2)],
        conditions: Vec::new(),
        consents: Vec::new(),
    };
    let hub = filled(directory.path(), &world);
    let of = |name: &str| {
        let subject = subjects().into_iter().find(|(n, _)| *n == name).unwrap().1;
        hub.access_of(&Arc::new(subject), "test").unwrap()
    };
    let page = |access: &Access, cursor: Option<&str>| {
        let text = format!("_count=1{}", cursor.map_or(String::new(), |c| format!("&_cursor={c}")));
        let pairs = search::query::split(&text).unwrap();
        let resource_type = r4().resource_type("Observation").unwrap();
        let request = SearchRequest {
            resource_type,
            compartment: None,
            pairs: &pairs,
            base: "http://h",
            is_lenient: false,
        };
        hub.search(access, hub.query(&request).unwrap(), hub.budget())
    };
    let (person, clinician) = (of("person"), of("clinician"));
    let next = page(&person, None).unwrap().next.unwrap();
    assert_ne!(page(&person, None).unwrap().next.unwrap(), next, "equal places would show equal numbers");
    assert_eq!(page(&person, Some(&next)).unwrap().matches[0].id, "b1");
    assert_eq!(page(&clinician, Some(&next)).unwrap_err().kind, Kind::Invalid);
    let plain = page(&Access::open("test"), None).unwrap().next.unwrap();
    assert_eq!(page(&person, Some(&plain)).unwrap_err().kind, Kind::Invalid);
}

#[test]
fn a_binary_is_as_open_as_its_security_context() {
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        links: Vec::new(),
        encounters: vec![(0, 0)],
        observations: vec![(Some(1), 0)],
        conditions: Vec::new(),
        consents: Vec::new(),
    };
    let hub = filled(directory.path(), &world);
    let all = Access::open("test");
    for (id, context) in [("own", Some("Patient/p0")), ("other", Some("Observation/b0")), ("none", None)] {
        let context =
            context.map_or(String::new(), |c| format!(r#","securityContext":{{"reference":"{c}"}}"#));
        let json = format!(
            r#"{{"resourceType":"Binary","id":"{id}","contentType":"text/plain"{context},"data":"aGk="}}"#
        );
        put(&hub, &all, id, &json).unwrap();
    }
    let binary = r4().resource_type("Binary").unwrap();
    for (name, seen) in [("person", "own"), ("proxy", "other"), ("clinician", "own"), ("researcher", "")] {
        let subject = subjects().into_iter().find(|(n, _)| *n == name).unwrap().1;
        let access = hub.access_of(&Arc::new(subject), "test").unwrap();
        for id in ["own", "other", "none"] {
            assert_eq!(hub.read(&access, binary, id, None).is_ok(), id == seen, "{name} reads {id}");
            assert_eq!(hub.vread(&access, binary, id, "1", None).is_ok(), id == seen, "{name} vreads {id}");
        }
    }
}

#[test]
fn who_looked_is_told_to_the_person_and_to_nobody_beside() {
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        links: Vec::new(),
        encounters: vec![(0, 0), (1, 0)],
        observations: vec![(Some(0), 0), (Some(1), 0)],
        conditions: Vec::new(),
        consents: Vec::new(),
    };
    let mut hub = filled(directory.path(), &world);
    let fresh = || ledger::Fresh { key: [1; 32], node: [2; 16] };
    hub.ledger = Some(Arc::new(ledger::Ledger::open(&directory.path().join("ledger"), fresh).unwrap()));
    let of = |name: &str| {
        let subject = subjects().into_iter().find(|(n, _)| *n == name).unwrap().1;
        hub.watched(hub.access_of(&Arc::new(subject), "test").unwrap())
    };
    let clinician = of("clinician");
    assert!(!found(&hub, &clinician, "Observation", "").unwrap().0.is_empty());
    let audited = Audited { action: ledger::Action::Search, status: 200, ..Audited::default() };
    hub.audit(&clinician, audited).unwrap().unwrap();
    let asked = |access: &Access, patient: Option<&str>| {
        let request = AuditEventRequest::read(&hub, access, patient, &[]).unwrap();
        hub.audit_events(access, &request, "http://h").map_err(|failure| failure.kind)
    };
    // The person sees who it was, and no other person.
    let own = asked(&of("person"), Some("p0")).unwrap();
    assert!(own.contains("Patient/p0") && !own.contains("ledger-1-") && !own.contains("Patient/p1"), "{own}");
    for (name, patient) in
        [("person", None), ("person", Some("p1")), ("clinician", Some("p0")), ("clinician", None)]
    {
        assert_eq!(asked(&of(name), patient).unwrap_err(), Kind::Forbidden, "{name} {patient:?}");
    }
    let whole = asked(&Access::open("test"), None).unwrap();
    assert!(whole.contains("Patient/p1"), "{whole}");
    let by_id = |access: &Access, id: &str| hub.audit_event(access, id, "http://h").map_err(|f| f.kind);
    let event = own.split("\"id\":\"").find(|part| part.starts_with("ledger-")).unwrap();
    let event = event.split('"').next().unwrap();
    assert!(by_id(&of("person"), event).unwrap().is_some());
    // What one may not see is not there.
    for plain in ["ledger-1", "ledger-1-1", "log-1-1"] {
        assert_eq!(by_id(&of("person"), plain).unwrap(), None, "numbers count others' reads");
    }
    assert!(by_id(&Access::open("test"), "ledger-1-1").unwrap().is_some());
    assert!(by_id(&Access::open("test"), event).unwrap().is_some());
    // Nor does the place in the chain say it.
    assert!(whole.contains("StructureDefinition/ledger-record") && !own.contains("ledger-record"), "{own}");
    // A page's cursor is sealed, and for whom it was made.
    let page =
        AuditEventRequest::read(&hub, &of("person"), Some("p0"), &[("_count".to_owned(), "1".to_owned())]);
    let first = hub.audit_events(&of("person"), &page.unwrap(), "http://h").unwrap();
    let cursor = first.split("_cursor=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let at = |access: &Access| {
        let pairs = [("_cursor".to_owned(), cursor.clone())];
        AuditEventRequest::read(&hub, access, Some("p0"), &pairs).map(|_| ())
    };
    assert!(at(&of("person")).is_ok() && at(&clinician).is_err() && at(&Access::open("test")).is_err());
    assert_eq!(by_id(&clinician, event).unwrap(), None);
}

/// A Consent of person 2 with these members of its provision.
fn consent(provision: &str) -> String {
    format!(
        r#"{{"resourceType":"Consent","id":"d","status":"active","scope":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},"category":[{{"text":"privacy"}}],"patient":{{"reference":"Patient/p2"}},"policyRule":{{"text":"own"}},"provision":{{{provision}}}}}"#
    )
}

/// A hub where o0 cares for person 2, whose Observation is b0.
fn cared_for(path: &Path) -> Hub {
    let world = World {
        links: Vec::new(),
        encounters: vec![(2, 0)],
        observations: vec![(Some(2), 0)],
        conditions: Vec::new(),
        consents: Vec::new(),
    };
    filled(path, &world)
}

#[test]
fn a_consent_ends_with_its_time_whether_or_not_anything_is_written_then() {
    let directory = tempfile::tempdir().unwrap();
    let hub = cared_for(directory.path());
    let subject = subjects().into_iter().find(|(n, _)| *n == "clinician").unwrap().1;
    let clinician = hub.access_of(&Arc::new(subject), "test").unwrap();
    let observation = r4().resource_type("Observation").unwrap();
    let is_seen = || hub.read(&clinician, observation, "b0", None).is_ok();
    assert!(is_seen());
    let end = fhir::date_time::format_instant(hub::now() + 1_500_000);
    put(&hub, &Access::open("test"), "d", &consent(&format!(r#""type":"deny","period":{{"end":"{end}"}}"#)))
        .unwrap();
    assert!(!is_seen());
    let began = std::time::Instant::now();
    while !is_seen() {
        assert!(began.elapsed().as_secs() < 10, "the denial did not end");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(began.elapsed().as_millis() > 500, "it ended before its time");
}

#[test]
fn a_consent_may_name_a_team_a_group_or_a_role() {
    let directory = tempfile::tempdir().unwrap();
    let hub = cared_for(directory.path());
    let all = Access::open("test");
    let of = |name: &str| {
        let subject = subjects().into_iter().find(|(n, _)| *n == name).unwrap().1;
        hub.access_of(&Arc::new(subject), "test").unwrap()
    };
    let observation = r4().resource_type("Observation").unwrap();
    let is_seen = |name: &str| hub.read(&of(name), observation, "b0", None).is_ok();
    let say = |provision: &str| put(&hub, &all, "d", &consent(provision)).unwrap();
    let deny = |actor: &str| say(&format!(r#""type":"deny","actor":[{{"role":{{"text":"x"}},{actor}}}]"#));
    let referred = |to: &str| format!(r#""reference":{{"reference":"{to}"}}"#);
    let write = |id: &str, json: &str| put(&hub, &all, id, json).unwrap();
    for (id, json) in [
        (
            "in",
            r#"{"resourceType":"CareTeam","id":"in","participant":[{"member":{"reference":"Practitioner/x"}}]}"#,
        ),
        (
            "over",
            r#"{"resourceType":"CareTeam","id":"over","participant":[{"member":{"reference":"Practitioner/x"},"period":{"end":"2020-01-01"}}]}"#,
        ),
        (
            "ended",
            r#"{"resourceType":"CareTeam","id":"ended","status":"inactive","participant":[{"member":{"reference":"Practitioner/x"}}]}"#,
        ),
        (
            "out",
            r#"{"resourceType":"CareTeam","id":"out","participant":[{"member":{"reference":"Practitioner/y"}}]}"#,
        ),
        (
            "gi",
            r#"{"resourceType":"Group","id":"gi","type":"practitioner","actual":true,"member":[{"entity":{"reference":"Group/gn"}}]}"#,
        ),
        (
            "gn",
            r#"{"resourceType":"Group","id":"gn","type":"practitioner","actual":true,"member":[{"entity":{"reference":"Practitioner/x"}}]}"#,
        ),
        (
            "go",
            r#"{"resourceType":"Group","id":"go","type":"practitioner","actual":true,"member":[{"entity":{"reference":"Practitioner/x"},"inactive":true}]}"#,
        ),
        (
            "ri",
            r#"{"resourceType":"PractitionerRole","id":"ri","practitioner":{"reference":"Practitioner/x"},"organization":{"reference":"Organization/o0"}}"#,
        ),
        (
            "ro",
            r#"{"resourceType":"PractitionerRole","id":"ro","practitioner":{"reference":"Practitioner/x"},"organization":{"reference":"Organization/o1"}}"#,
        ),
    ] {
        write(id, json);
    }
    for (actor, is_member) in [
        ("CareTeam/in", true),
        ("CareTeam/over", false),
        ("CareTeam/ended", false),
        ("CareTeam/out", false),
        ("Group/gi", true),
        ("Group/go", false),
        ("PractitionerRole/ri", true),
        ("PractitionerRole/ro", false),
        // Nobody knows who is in it: a denial may mean anyone.
        ("Group/unknown", true),
    ] {
        deny(&referred(actor));
        assert_eq!(is_seen("clinician"), !is_member, "denied to {actor}");
    }
    // Who joins is meant from then on.
    deny(&referred("CareTeam/out"));
    assert!(is_seen("clinician"));
    write(
        "out",
        r#"{"resourceType":"CareTeam","id":"out","participant":[{"member":{"reference":"Practitioner/x"}}]}"#,
    );
    assert!(!is_seen("clinician"));
    // A permission to whom nobody knows is one to nobody.
    let permit = |actor: &str| say(&format!(r#""type":"permit","actor":[{actor}]"#));
    permit(r#"{"role":{"text":"my cousin"},"reference":{"display":"Taro"}}"#);
    assert!(!is_seen("researcher"));
    permit(r#"{"role":{"text":"x"},"reference":{"reference":"Group/unknown"}}"#);
    assert!(!is_seen("researcher"));
    let role = |code: &str| {
        format!(
            r#"{{"role":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/practitioner-role","code":"{code}"}}]}},"reference":{{"display":"any"}}}}"#
        )
    };
    permit(&role("doctor"));
    assert!(!is_seen("researcher"));
    permit(&role("researcher"));
    assert!(is_seen("researcher"));
}
