//! Time is an axis: what a search as of a moment finds is what it found when that moment was now; and the log is the
//! truth: folded anew it gives the same bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

use std::path::Path;
use std::sync::OnceLock;

use fhir::{Limits, TypeId, r4};
use hub::{Access, Hub, OsEntropy, SearchLimits, SearchRequest, SystemClock, WriteOptions};
use proptest::prelude::*;
use store::{Key, Options, Store};

/// One thing that is done.
#[derive(Clone, Debug)]
enum Deed {
    Patient {
        id: u8,
        family: u8,
        year: u8,
        link: Option<u8>,
        is_active: Option<bool>,
    },
    Observation {
        id: u8,
        patient: Option<u8>,
        encounter: Option<u8>,
        code: u8,
        value: Option<u16>,
        day: Option<u8>,
    },
    Encounter {
        id: u8,
        patient: u8,
        status: u8,
        days: u8,
    },
    Delete {
        kind: u8,
        id: u8,
    },
}

const KINDS: [&str; 3] = ["Patient", "Observation", "Encounter"];

fn deed() -> impl Strategy<Value = Deed> {
    let patient = (0..4u8, 0..4u8, 0..6u8, proptest::option::weighted(0.4, 0..4u8), any::<Option<bool>>())
        .prop_map(|(id, family, year, link, is_active)| Deed::Patient { id, family, year, link, is_active });
    let observation = (
        0..6u8,
        proptest::option::weighted(0.9, 0..4u8),
        proptest::option::of(0..3u8),
        0..3u8,
        proptest::option::weighted(0.8, 0..400u16),
        proptest::option::weighted(0.8, 1..28u8),
    )
        .prop_map(|(id, patient, encounter, code, value, day)| Deed::Observation {
            id,
            patient,
            encounter,
            code,
            value,
            day,
        });
    let encounter = (0..3u8, 0..4u8, 0..3u8, 1..20u8)
        .prop_map(|(id, patient, status, days)| Deed::Encounter { id, patient, status, days });
    let delete = (0..3u8, 0..6u8).prop_map(|(kind, id)| Deed::Delete { kind, id });
    prop_oneof![3 => patient, 5 => observation, 2 => encounter, 2 => delete]
}

impl Deed {
    fn target(&self) -> (&'static str, String) {
        let (kind, id) = match self {
            Deed::Patient { id, .. } => (0, id),
            Deed::Observation { id, .. } => (1, id),
            Deed::Encounter { id, .. } => (2, id),
            Deed::Delete { kind, id } => (usize::from(*kind), id),
        };
        (KINDS[kind], format!("{}{id}", KINDS[kind].to_lowercase()))
    }

    /// The resource it writes.
    fn json(&self) -> Option<String> {
        let (kind, id) = self.target();
        let more = match self {
            Deed::Patient { family, year, link, is_active, .. } => {
                let link = link.map_or(String::new(), |l| {
                    format!(r#","link":[{{"other":{{"reference":"Patient/patient{l}"}},"type":"refer"}}]"#)
                });
                let active = is_active.map_or(String::new(), |a| format!(r#","active":{a}"#));
                format!(
                    r#","birthDate":"{}","name":[{{"family":"Family{family}","given":["Ånna","{id}"]}}]{link}{active}"#,
                    1970 + u32::from(*year)
                )
            }
            Deed::Observation { patient, encounter, code, value, day, .. } => {
                let subject = patient
                    .map_or(String::new(), |p| format!(r#","subject":{{"reference":"Patient/patient{p}"}}"#));
                let encounter = encounter.map_or(String::new(), |e| {
                    format!(r#","encounter":{{"reference":"Encounter/encounter{e}"}}"#)
                });
                let value = value.map_or(String::new(), |v| {
                    format!(r#","valueQuantity":{{"value":{}.{},"unit":"mg","code":"mg","system":"http://unitsofmeasure.org"}}"#, v / 10, v % 10)
                });
                let day = day.map_or(String::new(), |d| format!(r#","effectiveDateTime":"2025-03-{d:02}""#));
                format!(
                    r#","status":"final","code":{{"coding":[{{"system":"http://s","code":"c{code}"}}]}}{subject}{encounter}{value}{day}"#
                )
            }
            Deed::Encounter { patient, status, days, .. } => {
                let status = ["planned", "in-progress", "finished"][usize::from(*status)];
                format!(
                    r#","status":"{status}","class":{{"code":"AMB"}},"subject":{{"reference":"Patient/patient{patient}"}},"period":{{"start":"2025-03-01","end":"2025-03-{days:02}"}}"#
                )
            }
            Deed::Delete { .. } => return None,
        };
        Some(format!(r#"{{"resourceType":"{kind}","id":"{id}"{more}}}"#))
    }
}

/// Little memory, nothing synced; sealed or not.
fn limits(is_sealed: bool) -> store::Limits {
    static KEY: OnceLock<Key> = OnceLock::new();
    store::Limits {
        is_durable: false,
        write_buffer: 1 << 20,
        block_cache: 4 << 20,
        key: is_sealed.then(|| KEY.get_or_init(|| Key::fresh().unwrap())),
        ..store::Limits::default()
    }
}

fn open(path: &Path, is_sealed: bool) -> Hub {
    open_with(path, is_sealed, Box::new(SystemClock))
}

fn open_with(path: &Path, is_sealed: bool, clock: Box<dyn store::Clock>) -> Hub {
    let options = Options {
        limits: limits(is_sealed),
        zone: "Asia/Tokyo".to_owned(),
        clock,
        entropy: Box::new(OsEntropy::seeded(7)),
        references: store::ReferencePolicy::default(),
    };
    Hub::new(Store::open(path, options).unwrap(), Limits::default(), SearchLimits::default())
}

/// Does several things in one commit.
fn commit(hub: &Hub, deeds: &[Deed]) {
    let access = Access::open("test");
    let mut seen = std::collections::BTreeSet::new();
    let entries: Vec<String> = deeds
        .iter()
        .filter(|d| seen.insert(d.target()))
        .map(|deed| {
            let (kind, id) = deed.target();
            match deed.json() {
                Some(json) => {
                    format!(r#"{{"resource":{json},"request":{{"method":"PUT","url":"{kind}/{id}"}}}}"#)
                }
                None => format!(r#"{{"request":{{"method":"DELETE","url":"{kind}/{id}"}}}}"#),
            }
        })
        .collect();
    let text = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
    let document = fhir::json::parse(text.as_bytes(), &hub.limits).unwrap();
    let mut batch = hub.plan_bundle(&access, document.root(), &WriteOptions::default()).unwrap();
    for prepared in batch.take_writes() {
        hub.submit_and_wait(prepared).unwrap();
    }
}

/// Searches that together use every way the index is read. A text before `|` is a compartment.
const SEARCHES: [&str; 30] = [
    "Patient?",
    "Patient?name=family1",
    "Patient?name:exact=Family2",
    "Patient?name:contains=NNA",
    "Patient?birthdate=ge1972",
    "Patient?birthdate=1971,1973",
    "Patient?active=true",
    "Patient?active:missing=true",
    "Patient?active:not=true",
    "Patient?_sort=-birthdate,name",
    "Patient?_has:Observation:patient:code=c1",
    "Patient?_has:Encounter:subject:status=finished",
    "Patient?link=Patient/patient1",
    "Patient?_revinclude=Observation:subject&birthdate=lt1973",
    "Patient?_id=patient0,patient2",
    "Observation?code=http://s|c0",
    "Observation?code:not=c1",
    "Observation?value-quantity=gt12.5",
    "Observation?value-quantity=lt3.4|http://unitsofmeasure.org|mg",
    "Observation?code-value-quantity=c1$gt10",
    "Observation?date=gt2025-03-10&_sort=date",
    "Observation?date:missing=true",
    "Observation?subject=Patient/patient0",
    "Observation?subject:Patient.name=family0",
    "Observation?patient.birthdate=le1972",
    "Observation?encounter.status=finished&_include=Observation:encounter&_include=Observation:subject",
    "Observation?_sort=-value-quantity&_include=Observation:subject",
    "Encounter?date=sa2025-02-27&_revinclude=Observation:encounter",
    "Patient/patient0|Observation?",
    "Patient/patient1|Encounter?status=finished",
];

/// What a search finds, as of a moment or now: matches in order, then included, each with its version.
fn found(hub: &Hub, search: &str, as_of: Option<i64>) -> Vec<String> {
    let access = Access::open("test");
    let (compartment, search) = match search.split_once('|') {
        Some((owner, rest))
            if owner.starts_with("Patient/patient") && rest.contains('?') && !owner.contains('?') =>
        {
            (owner.strip_prefix("Patient/"), rest)
        }
        _ => (None, search),
    };
    let (name, text) = search.split_once('?').unwrap();
    let mut text = text.to_owned();
    if let Some(moment) = as_of {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str("_asOf=");
        text.push_str(&fhir::date_time::format_instant(moment));
    }
    let pairs = search::query::split(&text).unwrap();
    let resource_type: TypeId = r4().resource_type(name).unwrap();
    let request = SearchRequest {
        resource_type,
        compartment: compartment.map(|id| (r4().resource_type("Patient").unwrap(), id)),
        pairs: &pairs,
        base: "http://h/fhir",
        is_lenient: false,
    };
    let query = hub.query(&request).unwrap_or_else(|e| panic!("{search}: {e:?}"));
    let answer = hub.search(&access, query, hub.budget()).unwrap_or_else(|e| panic!("{search}: {e:?}"));
    let describe = |mode: &str, kept: &store::Kept| format!("{mode} {}", kept.json());
    let matches = answer.matches.iter().map(|k| describe("match", k));
    let mut included: Vec<String> = answer.included.iter().map(|k| describe("include", k)).collect();
    included.sort();
    matches.chain(included).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn as_of_a_moment_is_what_was_then(
        history in prop::collection::vec(prop::collection::vec(deed(), 1..4), 1..14),
        is_sealed: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let hub = open(&folder.path().join("hub"), is_sealed);
        let mut moments = Vec::new();
        for deeds in &history {
            commit(&hub, deeds);
            let now = hub.reader(&Access::open("test")).instant();
            let then: Vec<Vec<String>> = SEARCHES.iter().map(|s| found(&hub, s, None)).collect();
            moments.push((now, then));
        }
        for (moment, then) in &moments {
            for (search, expected) in SEARCHES.iter().zip(then) {
                let as_of = found(&hub, search, Some(*moment));
                prop_assert_eq!(&as_of, expected, "{} as of {}", search, moment);
            }
        }
        hub.store().close().unwrap();
        drop(hub);
        let limits = limits(is_sealed);
        let findings = store::examine(&folder.path().join("hub"), &limits, &mut |_| {}).unwrap();
        prop_assert!(findings.is_empty(), "{:?}", findings);
        store::replay(&folder.path().join("hub"), &folder.path().join("again"), &limits, &mut |_| {}).unwrap();
        let first = store::contents(&folder.path().join("hub"), &limits).unwrap();
        let again = store::contents(&folder.path().join("again"), &limits).unwrap();
        prop_assert_eq!(first, again);
    }
}

/// A purge: kind and id, whether what is said now stays, and whether a backup is taken before it.
fn purge() -> impl Strategy<Value = (u8, u8, bool, bool)> {
    (0..3u8, 0..6u8, any::<bool>(), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    /// What is destroyed is gone for every moment and nothing else is; the log without the texts, and a backup that still has
    /// them, fold into the same bytes.
    #[test]
    fn a_purged_log_folds_anew_into_the_same(
        history in prop::collection::vec((prop::collection::vec(deed(), 1..4), proptest::option::weighted(0.3, purge())), 1..16),
        is_sealed: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let limits = limits(is_sealed);
        let access = Access::open("test");
        let mut hub = open(&path("hub"), is_sealed);
        hub.may_purge = true;
        for (deeds, purge) in &history {
            commit(&hub, deeds);
            let Some((kind, id, keeps_current, is_backed_up)) = purge else { continue };
            if *is_backed_up {
                store::backup(&path("hub"), &store::Folder::to_write(&path("backup")).unwrap(), &limits, &mut |_| {}).unwrap();
            }
            let name = KINDS[usize::from(*kind)];
            let (kind, id) = (r4().resource_type(name).unwrap(), format!("{}{id}", name.to_lowercase()));
            let before: Vec<Vec<String>> = SEARCHES.iter().map(|s| found(&hub, s, None)).collect();
            let pairs = [("keep-current".to_owned(), keeps_current.to_string())];
            let asked = hub::PurgeRequest::read(&hub, &pairs).unwrap();
            if hub.purge(&access, kind, &id, asked).is_err() {
                continue; // never written
            }
            let after: Vec<Vec<String>> = SEARCHES.iter().map(|s| found(&hub, s, None)).collect();
            if *keeps_current {
                prop_assert_eq!(&after, &before);
            }
            let reader = hub.reader(&access);
            let range = store::HistoryRange { limit: 1000, ..store::HistoryRange::default() };
            let versions = reader.instance_history(kind, &id, &range).unwrap().unwrap();
            let texts = versions.iter().filter(|v| v.kept.text.is_some()).count();
            prop_assert!(texts <= usize::from(*keeps_current), "{} texts are left", texts);
        }
        store::backup(&path("hub"), &store::Folder::to_write(&path("backup")).unwrap(), &limits, &mut |_| {}).unwrap();
        hub.store().close().unwrap();
        drop(hub);
        let findings = store::examine(&path("hub"), &limits, &mut |_| {}).unwrap();
        prop_assert!(findings.is_empty(), "{:?}", findings);
        store::replay(&path("hub"), &path("again"), &limits, &mut |_| {}).unwrap();
        store::restore(&store::Folder::at(&path("backup")), &path("restored"), store::Until::End, &limits, &mut |_| {}).unwrap();
        let first = store::contents(&path("hub"), &limits).unwrap();
        prop_assert_eq!(&first, &store::contents(&path("again"), &limits).unwrap());
        prop_assert_eq!(&first, &store::contents(&path("restored"), &limits).unwrap());
    }
}

/// How many histories: a sample, or `YOJIGEN_CASES`.
fn cases() -> u32 {
    std::env::var("YOJIGEN_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24)
}

/// A clock that goes back and forth by years, by as much as a battery that is empty, by a leap second.
struct Jumping(usize);

impl store::Clock for Jumping {
    fn now(&mut self) -> i64 {
        const SECOND: i64 = 1_000_000;
        const NOW: i64 = 1_700_000_000 * SECOND;
        const JUMPS: [i64; 8] = [0, 1, -SECOND, 3600 * SECOND, -NOW, 315_360_000 * SECOND, 0, -2];
        self.0 += 1;
        NOW + JUMPS[self.0 % JUMPS.len()]
    }
}

#[test]
fn a_clock_that_jumps_confuses_neither_the_log_nor_a_backup_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let limits = limits(false);
    let mut seen: Vec<(i64, Vec<String>)> = Vec::new();
    // Closed and opened at every jump, as after a loss of power that took the clock along.
    for round in 0..24 {
        let hub = open_with(&path("hub"), false, Box::new(Jumping(round)));
        for _ in 0..3 {
            let id = u8::try_from(seen.len() % 3).unwrap();
            let year = u8::try_from(seen.len() % 6).unwrap();
            commit(&hub, &[Deed::Patient { id, family: id, year, link: None, is_active: None }]);
            let reader = hub.reader(&Access::open("test"));
            let instant = reader.instant_of(reader.place()).unwrap();
            assert!(seen.last().is_none_or(|(before, _)| *before < instant), "time went back");
            seen.push((instant, found(&hub, "Patient?birthdate=ge1972", None)));
        }
        hub.store().close().unwrap();
        drop(hub);
        if round % 8 == 3 {
            let shelf = store::Folder::to_write(&path("backup")).unwrap();
            store::backup(&path("hub"), &shelf, &limits, &mut |_| {}).unwrap();
        }
    }
    let hub = open(&path("hub"), false);
    for (instant, then) in &seen {
        assert_eq!(&found(&hub, "Patient?birthdate=ge1972", Some(*instant)), then);
    }
    hub.store().close().unwrap();
    drop(hub);
    assert!(store::examine(&path("hub"), &limits, &mut |_| {}).unwrap().is_empty());
    let shelf = store::Folder::at(&path("backup"));
    let (moment, then) = &seen[40];
    store::restore(&shelf, &path("then"), store::Until::Moment(*moment), &limits, &mut |_| {}).unwrap();
    assert_eq!(&found(&open(&path("then"), false), "Patient?birthdate=ge1972", None), then);
}

#[test]
fn the_searches_find_something() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(&folder.path().join("hub"), false);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut hits = vec![0; SEARCHES.len()];
    for _ in 0..120 {
        use proptest::strategy::ValueTree as _;
        let deeds = prop::collection::vec(deed(), 1..4).new_tree(&mut runner).unwrap().current();
        commit(&hub, &deeds);
        for (search, hits) in SEARCHES.iter().zip(&mut hits) {
            *hits += found(&hub, search, None).len();
        }
    }
    let silent: Vec<_> = SEARCHES.iter().zip(&hits).filter(|(_, n)| **n == 0).collect();
    assert!(silent.is_empty(), "never a hit: {silent:?}");
}
