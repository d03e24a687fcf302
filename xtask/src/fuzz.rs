//! `cargo xtask fuzz`: random and mutated input to what reads from outside. Builds on stable.
//!
//! Each target keeps those inputs that were accepted, or refused in a new way, and mutates them further. A panic ends the
//! run and prints the input; memory is watched.

mod access;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fhir::{Limits, r4};
use hub::patch::Patch;
use hub::{Access, Hub, OsEntropy, SearchLimits, SearchRequest, SystemClock, WriteOptions};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use search::query;
use store::{Options, Store};

/// Resident memory may not pass this.
const MEMORY_KILOBYTES: u64 = 1 << 20;
/// Inputs kept at most.
const POOL: usize = 4000;
/// Outcomes told apart at most.
const OUTCOMES: usize = 200_000;

const PATIENT: &str = r#"{"resourceType":"Patient","id":"a","active":true,"_active":{"extension":[{"url":"http://e","valueString":"x"}]},"name":[{"family":"x","given":["y",null],"_given":[null,{"id":"g"}]}],"birthDate":"1975-04-02","contained":[{"resourceType":"Organization","id":"c"}],"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x &lt; y</p></div>"}}"#;

const TARGETS: [&str; 9] =
    ["json", "xml", "fhirpath", "search", "bundles", "patch", "jwt", "scopes", "consent"];

/// What reads an input; a short name of what it made of it.
type Target<'t> = Box<dyn FnMut(&[u8]) -> String + 't>;

/// Runs a target for a while.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (mut seconds, mut seed, mut package) = (60, rand::random::<u64>(), None);
    let mut name = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--seconds" => seconds = value()?.parse()?,
            "--seed" => seed = value()?.parse()?,
            "--package" => package = Some(PathBuf::from(value()?)),
            target if TARGETS.contains(&target) => name = Some(target),
            other => bail!("unknown: {other}; targets are {}", TARGETS.join(", ")),
        }
    }
    let name = name.with_context(|| format!("name a target: {}", TARGETS.join(", ")))?;
    println!("{name}: --seed {seed} --seconds {seconds}");
    let folder = tempfile::tempdir()?;
    let hub = hub(folder.path())?;
    let mut target = target(name, &hub);
    let seeds = seeds(name, package.as_deref())?;
    let mut random = StdRng::seed_from_u64(seed);
    let mut pool: Vec<Vec<u8>> = seeds;
    let mut seen = BTreeSet::new();
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut count, mut said) = (0u64, Instant::now());
    while Instant::now() < end {
        let input = mutated(&pool, &mut random);
        // Kept where it can be found if this input ends the process.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&input)));
        let Ok(what) = outcome else {
            let path = std::env::temp_dir().join(format!("fuzz-{name}-{seed}"));
            std::fs::write(&path, &input)?;
            bail!("{name}: a panic after {count} inputs; the input is in {}", path.display());
        };
        count += 1;
        if seen.len() < OUTCOMES && seen.insert(what) && input.len() < 100_000 {
            if pool.len() >= POOL {
                let at = random.random_range(0..pool.len());
                pool.swap_remove(at);
            }
            pool.push(input);
        }
        if count.is_multiple_of(512) {
            let memory = resident();
            if memory > MEMORY_KILOBYTES {
                bail!("{name}: {memory} kB resident after {count} inputs");
            }
            if said.elapsed().as_secs() >= 60 {
                said = Instant::now();
                println!("{name}: {count} inputs, {} outcomes, {memory} kB resident", seen.len());
            }
        }
    }
    println!("{name}: done, {count} inputs, {} outcomes, {} kB resident at most", seen.len(), peak());
    Ok(())
}

fn hub(folder: &Path) -> Result<Hub> {
    let options = Options {
        limits: store::Limits {
            is_durable: false,
            write_buffer: 8 << 20,
            block_cache: 16 << 20,
            ..Default::default()
        },
        zone: "Asia/Tokyo".to_owned(),
        clock: Box::new(SystemClock),
        entropy: Box::new(OsEntropy::new()),
        references: store::ReferencePolicy::default(),
    };
    let store = Store::open(&folder.join("hub"), options).map_err(|e| anyhow::anyhow!("{e}"))?;
    Ok(Hub::new(store, Limits::default(), SearchLimits::default()))
}

/// The part of a message that does not depend on the input.
fn kind(message: &str) -> String {
    message.chars().filter(|c| c.is_alphabetic() || *c == ' ').take(40).collect()
}

fn target<'h>(name: &str, hub: &'h Hub) -> Target<'h> {
    match name {
        "json" => Box::new(|input| match fhir::json::parse(input, &Limits::default()) {
            Ok(read) => {
                let again = fhir::json::parse(read.text().as_bytes(), &Limits::default());
                assert!(again.is_ok_and(|a| a.text() == read.text()), "what was read does not read again");
                let root = read.root();
                let _ = search::extract(root, "id", hub.zone());
                format!("read {} {}", root.type_name(), read.node_count().min(60))
            }
            Err(issues) => issues.first().map(|i| kind(&i.diagnostics)).unwrap_or_default(),
        }),
        "xml" => Box::new(|input| match fhir::xml::parse(input, &Limits::default()) {
            Ok(read) => {
                if let Ok(xml) = fhir::xml::to_xml(read.root()) {
                    let again = fhir::xml::parse(xml.as_bytes(), &Limits::default());
                    let xml_again = again.ok().and_then(|a| fhir::xml::to_xml(a.root()).ok());
                    assert!(
                        xml_again.as_deref() == Some(xml.as_str()),
                        "what was written does not read again"
                    );
                }
                format!("read {} {}", read.root().type_name(), read.node_count().min(60))
            }
            Err(issues) => issues.first().map(|i| kind(&i.diagnostics)).unwrap_or_default(),
        }),
        "patch" => {
            let patient = fhir::json::parse(PATIENT.as_bytes(), &Limits::default());
            Box::new(move |input| {
                let Ok(patient) = &patient else { return String::new() };
                let patch = match input.first() {
                    Some(b'[') => Patch::json(input),
                    Some(b'<') => Patch::xml(&String::from_utf8_lossy(input)),
                    _ => fhir::json::parse(input, &Limits::default())
                        .map_err(hub::Failure::invalid)
                        .and_then(Patch::fhirpath),
                };
                match patch.and_then(|p| p.apply(patient, &Limits::default())) {
                    Ok(patched) => format!("patched {}", patched.node_count().min(60)),
                    Err(failure) => failure.issues.first().map(|i| kind(&i.diagnostics)).unwrap_or_default(),
                }
            })
        }
        "fhirpath" => {
            let example = r#"{"resourceType":"Patient","id":"a","name":[{"family":"x","given":["y","z"]}],"birthDate":"1975-04-02","extension":[{"url":"http://e","valueDecimal":1.50}]}"#;
            let patient = fhir::json::parse(example.as_bytes(), &Limits::default());
            Box::new(move |input| {
                let text = String::from_utf8_lossy(input);
                fuzz_fhirpath(&text, patient.as_ref().ok())
            })
        }
        "search" => Box::new(|input| {
            let text = String::from_utf8_lossy(input);
            let (name, text) = text.split_once('?').unwrap_or(("Patient", &text));
            let resource_type = r4().resource_type(name).unwrap_or(r4().well_known().patient);
            let pairs = match query::split(text) {
                Ok(pairs) => pairs,
                Err(issue) => return kind(&issue.diagnostics),
            };
            let request = SearchRequest {
                resource_type,
                compartment: None,
                pairs: &pairs,
                base: "http://localhost/fhir",
                is_lenient: false,
            };
            let found =
                hub.query(&request).and_then(|query| hub.search(&Access::open("fuzz"), query, hub.budget()));
            match found {
                Ok(answer) => format!("{:?}", answer.query.criteria)
                    .chars()
                    .filter(|c| c.is_alphabetic())
                    .take(60)
                    .collect(),
                Err(failure) => failure.issues.first().map(|i| kind(&i.diagnostics)).unwrap_or_default(),
            }
        }),
        "jwt" => access::jwt(),
        "scopes" => access::scopes(),
        "consent" => access::consent(hub.zone().clone()),
        _ => Box::new(|input| {
            let document = match fhir::json::parse(input, &Limits::default()) {
                Ok(document) => document,
                Err(issues) => return issues.first().map(|i| kind(&i.diagnostics)).unwrap_or_default(),
            };
            let access = Access::open("fuzz");
            let planned = hub.plan_bundle(&access, document.root(), &WriteOptions::default());
            let outcome = planned.and_then(|mut batch| {
                let outcomes =
                    batch.take_writes().into_iter().map(|p| hub.submit_and_wait(p)).collect::<Vec<_>>();
                outcomes.into_iter().collect::<Result<Vec<_>, _>>()
            });
            match outcome {
                Ok(outcomes) => format!(
                    "{:?}",
                    outcomes.iter().flat_map(|o| &o.commands).map(|c| c.effect).collect::<Vec<_>>()
                ),
                Err(failure) => failure.issues.first().map(|i| kind(&i.diagnostics)).unwrap_or_default(),
            }
        }),
    }
}

fn fuzz_fhirpath(text: &str, patient: Option<&fhir::Resource>) -> String {
    match fhirpath::Expression::parse(text) {
        Ok(expression) => {
            let Some(patient) = patient else { return String::new() };
            match expression.evaluate(&fhirpath::Context::new(patient.root())) {
                Ok(items) => format!(
                    "{} items of {:?}",
                    items.len().min(9),
                    text.chars().filter(|c| !c.is_alphanumeric()).take(12).collect::<String>()
                ),
                Err(error) => kind(&error.to_string()),
            }
        }
        Err(error) => kind(&error.to_string()),
    }
}

fn seeds(name: &str, package: Option<&Path>) -> Result<Vec<Vec<u8>>> {
    let texts: Vec<String> = match name {
        "jwt" | "scopes" | "consent" => access::seeds(name),
        "search" => [
            "Patient?name=a&birthdate=ge1970,lt1980&_sort=-birthdate&_count=5",
            "Observation?code=http://loinc.org|8480-6&value-quantity=gt5.4|http://unitsofmeasure.org|mg&date=sa2020-01-01T00:00:00%2B09:00",
            "Observation?subject:Patient.name:contains=x&_include=Observation:subject:Patient&_total=accurate",
            "Patient?_has:Observation:patient:code=x&_id=a,b&_lastUpdated=eq2020&active:missing=true&_asOf=2020-01-01",
            "Observation?code-value-quantity=a$lt3&component-code-value-quantity=a|b$ap5.0||mg&_summary=count",
            "Encounter?_cursor=AAAA&_revinclude=*&identifier:not=a|b\\,c",
        ]
        .map(str::to_owned)
        .to_vec(),
        "patch" => {
            let operation = |parts: &str| {
                format!(r#"{{"resourceType":"Parameters","parameter":[{{"name":"operation","part":[{parts}]}}]}}"#)
            };
            let part = |name: &str, kind: &str, value: &str| format!(r#"{{"name":"{name}","value{kind}":{value}}}"#);
            vec![
                operation(&[part("type", "Code", "\"add\""), part("path", "String", "\"Patient\""), part("name", "String", "\"deceased\""), part("value", "Boolean", "true")].join(",")),
                operation(&[part("type", "Code", "\"insert\""), part("path", "String", "\"Patient.name.given\""), part("index", "Integer", "1"), part("value", "String", "\"z\"")].join(",")),
                operation(&[part("type", "Code", "\"delete\""), part("path", "String", "\"Patient.name[0].family\"")].join(",")),
                operation(&[part("type", "Code", "\"move\""), part("path", "String", "\"Patient.name.given\""), part("source", "Integer", "0"), part("destination", "Integer", "1")].join(",")),
                operation(&[part("type", "Code", "\"replace\""), part("path", "String", "\"Patient.text.div\""), part("value", "String", "\"<div xmlns='http://www.w3.org/1999/xhtml'>x</div>\"")].join(",")),
                r#"[{"op":"test","path":"/name/0/family","value":"x"},{"op":"move","from":"/name/0/given/0","path":"/name/0/given/1"},{"op":"copy","from":"/active","path":"/deceasedBoolean"}]"#.to_owned(),
                r#"<diff xmlns="http://hl7.org/fhir"><replace sel="f:Patient/f:birthDate/@value">2000</replace><add sel="f:Patient/f:name[1]" pos="after"><name><text value="t"/></name></add><remove sel="f:Patient/f:name[f:family='x']/*[1]" ws="both"/></diff>"#.to_owned(),
            ]
        }
        "fhirpath" => {
            let mut list: Vec<String> = ["Patient", "Observation", "Bundle", "Encounter", "ActivityDefinition"].iter().filter_map(|n| r4().resource_type(n)).flat_map(|t| r4().search_parameters(t)).map(|p| p.expression.to_owned()).collect();
            list.extend(["name.given.select($this + 'x').where(length() > 1)", "(1 | 2).aggregate($this + $total, 0) / 3.0", "birthDate + 1 'year' > @1975-01-01 or 5 'mg' = 5 'mg'", "name.repeat(given).exists() implies iif(true, {}, 1)"].map(str::to_owned));
            list
        }
        _ => {
            let patient = PATIENT;
            let observation = r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"subject":{"reference":"urn:uuid:5c1a0a3e-5a3b-4d57-9b43-0a2f0b6d8f01"},"valueQuantity":{"value":1.50e2,"unit":"mg"},"effectivePeriod":{"start":"2020","end":"2020-02-01T10:00:00.5+09:00"}}"#;
            let bundle = format!(
                r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"fullUrl":"urn:uuid:5c1a0a3e-5a3b-4d57-9b43-0a2f0b6d8f01","resource":{patient},"request":{{"method":"PUT","url":"Patient/a"}}}},{{"resource":{observation},"request":{{"method":"POST","url":"Observation","ifNoneExist":"code=8480-6"}}}},{{"request":{{"method":"DELETE","url":"Patient/b"}}}},{{"request":{{"method":"GET","url":"Patient?name=x"}}}}]}}"#
            );
            let json = vec![patient.to_owned(), observation.to_owned(), bundle.clone(), bundle.replace("transaction", "batch")];
            let as_xml = |text: &String| {
                let read = fhir::json::parse(text.as_bytes(), &Limits::default()).ok()?;
                fhir::xml::to_xml(read.root()).ok()
            };
            if name == "xml" { json.iter().filter_map(as_xml).collect() } else { json }
        }
    };
    let mut seeds: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    if let Some(package) = package.filter(|_| name == "json") {
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(package)?));
        for entry in archive.entries()? {
            let mut entry = entry?;
            if entry.size() < 20_000 && seeds.len() < 1500 {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut entry, &mut bytes)?;
                seeds.push(bytes);
            }
        }
    }
    Ok(seeds)
}

/// Pieces that matter to what reads them.
const PIECES: [&str; 44] = [
    "\"",
    "\\u0000",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "1e999",
    "-0",
    "0.000000000000000000001",
    "9999999999999999999999",
    "\u{feff}",
    "é",
    "あ",
    "\u{202e}",
    "resourceType",
    "\"id\":",
    "extension",
    "contained",
    "$this",
    "(",
    ")",
    "''",
    "@2020-02-30",
    "|",
    "||",
    "$",
    "&",
    "%",
    "%00",
    "%F0",
    "\\,",
    ":missing=",
    ":not=",
    "_has:",
    "ap",
    "sa",
    "eb",
    "urn:uuid:",
    "#",
];

fn mutated(pool: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut input = pool[random.random_range(0..pool.len())].clone();
    for _ in 0..random.random_range(1..=5) {
        let at = random.random_range(0..=input.len());
        match random.random_range(0..8) {
            0 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            1 => {
                input.insert(at, random.random());
            }
            2 => {
                let end = (at + random.random_range(0..12)).min(input.len());
                input.drain(at..end);
            }
            3 | 4 => {
                let piece = PIECES[random.random_range(0..PIECES.len())];
                input.splice(at..at, piece.bytes());
            }
            5 => {
                let other = &pool[random.random_range(0..pool.len())];
                let from = random.random_range(0..=other.len());
                let to = (from + random.random_range(0..60)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
            6 => {
                let end = (at + random.random_range(0..40)).min(input.len());
                let part = input[at..end].to_vec();
                let most = if random.random_ratio(1, 50) { 3000 } else { 4 };
                for _ in 0..random.random_range(1..most) {
                    input.splice(at..at, part.iter().copied());
                }
            }
            _ => input.truncate(at.max(1)),
        }
        if input.len() > 1 << 20 {
            input.truncate(1 << 20);
        }
    }
    input
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn resident() -> u64 {
    status("VmRSS")
}

fn peak() -> u64 {
    status("VmHWM")
}
