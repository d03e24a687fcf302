//! `match`: how well `Patient/$match` tells persons apart, and how long it takes.
//!
//! The synthetic community's Patients are loaded, some of them with a twin who differs in given name and number only. Then
//! another register asks for persons it knows by details that have suffered on the way ([`slips`]): most are in the
//! hub, some are not, of some only the twin is. What is answered is compared with who was meant.
//!
//! *Precision* of a grade: how many of those answered with it (or a higher one) are the person. *Recall*: how many of the persons
//! in the hub are answered with it (or a higher one).

mod slips;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use self::slips::{Writings, chance, put, registered, sent};
use super::Settings;
use super::client::Connection;
use super::figures::Figures;
use super::hub::{Hub, task};

/// In a hundred persons so many have a twin in the hub.
const TWINS: f64 = 8.0;
/// In a hundred persons so many are not in the hub, whether their twin is or not.
const ABSENT: f64 = 15.0;
/// In a hundred women so many were registered, or are asked for, under a former family name.
const RENAMED: f64 = 8.0;

/// Someone who is asked for.
struct Asked {
    /// Who it is, if they are in the hub.
    id: Option<String>,
    /// Their twin, if there is one.
    twin: Option<String>,
    sent: Value,
}

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    let mut random = StdRng::seed_from_u64(settings.seed);
    let (patients, asked) = community(settings, &mut random);
    let file = folder.path().join("Patient.ndjson");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file)?);
    for patient in &patients {
        writeln!(out, "{patient}")?;
    }
    out.flush()?;
    drop(out);
    let data = folder.path().join("hub");
    task(&["import", "--quiet", "--data", &data.display().to_string(), &file.display().to_string()])?;
    let hub = Hub::serve(&data)?;
    figures.note("patients", patients.len() as f64);
    figures.note("persons asked for", asked.len() as f64);
    figures.note("of whom are in the hub", asked.iter().filter(|a| a.id.is_some()).count() as f64);
    figures.note("of whom have a twin in the hub", asked.iter().filter(|a| a.twin.is_some()).count() as f64);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(ask(&hub.address, &asked, figures))?;
    hub.stop()
}

/// The hub's Patients, and who is asked for.
fn community(settings: &Settings, random: &mut StdRng) -> (Vec<Value>, Vec<Asked>) {
    let mut persons: BTreeMap<String, Value> = BTreeMap::new();
    let of = population::Settings { persons: settings.persons, seed: settings.seed };
    population::generate(&of, &mut |item| {
        if item.resource_type == "Patient"
            && let Ok(mut person) = serde_json::from_str::<Value>(&item.json)
        {
            // What they refer to is not loaded.
            for name in ["generalPractitioner", "managingOrganization"] {
                person.as_object_mut().map(|p| p.shift_remove(name));
            }
            persons.insert(item.id, person);
        }
        true
    });
    let persons: Vec<Value> = persons.into_values().collect();
    let (mut patients, mut asked) = (Vec::new(), Vec::new());
    for (at, person) in persons.iter().enumerate() {
        let some = &persons[random.random_range(0..persons.len())];
        let id = format!("person-{at}");
        let mut own = person.clone();
        own["id"] = json!(id);
        let twin = chance(random, TWINS).then(|| twin_of(random, &persons, &own));
        let (mut kept, mut meant) = (own.clone(), own.clone());
        if own["gender"] == "female" && chance(random, RENAMED) {
            let former = Writings::of(some, "family");
            put(&mut meant, "family", &former);
            if chance(random, 50.0) {
                // The register knows the name.
                let maiden = json!([{"use": "maiden", "family": former.0[0]}, {"use": "maiden", "family": former.0[1]}]);
                registered(random, &mut kept);
                extend(&mut kept, &maiden);
            }
        }
        registered_unless_renamed(random, &mut kept);
        let sent = sent(random, &meant, &some["address"][0]);
        let is_absent = chance(random, ABSENT);
        asked.push(Asked {
            id: (!is_absent).then_some(id),
            twin: twin.as_ref().and_then(|t| t["id"].as_str().map(str::to_owned)),
            sent,
        });
        if !is_absent {
            patients.push(kept);
        }
        patients.extend(twin);
    }
    (patients, asked)
}

fn extend(patient: &mut Value, names: &Value) {
    if let (Some(list), Some(more)) = (patient["name"].as_array_mut(), names.as_array()) {
        list.extend(more.iter().cloned());
    }
}

/// Leaves the writings of a register's names, if that has not been done.
fn registered_unless_renamed(random: &mut StdRng, patient: &mut Value) {
    let is_renamed = patient["name"].as_array().is_some_and(|n| n.iter().any(|n| n["use"] == "maiden"));
    if !is_renamed {
        registered(random, patient);
    }
    for name in patient["name"].as_array_mut().into_iter().flatten() {
        if let Some(members) = name.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
    }
}

/// The same but for number and given name, which is that of someone of the same gender and about the same age.
fn twin_of(random: &mut StdRng, persons: &[Value], person: &Value) -> Value {
    let decade = |p: &Value| p["birthDate"].as_str().and_then(|d| d.get(..3)).unwrap_or_default().to_owned();
    let own = Writings::of(person, "given");
    let mut given = Writings(["光", "ヒカル", "Hikaru"].map(str::to_owned));
    for _ in 0..200 {
        let some = &persons[random.random_range(0..persons.len())];
        let other = Writings::of(some, "given");
        if some["gender"] == person["gender"] && decade(some) == decade(person) && other.0[1] != own.0[1] {
            given = other;
            break;
        }
    }
    let mut twin = person.clone();
    put(&mut twin, "given", &given);
    let (id, number) = (&person["id"], &person["identifier"][0]["value"]);
    twin["id"] = json!(format!("{}-twin", id.as_str().unwrap_or_default()));
    twin["identifier"][0]["value"] = json!(format!("{}0", number.as_str().unwrap_or_default()));
    registered_unless_renamed(random, &mut twin);
    twin
}

const GRADES: [&str; 3] = ["certain", "probable", "possible"];

/// What was answered with a grade or a higher one.
#[derive(Default)]
struct Answered {
    right: u64,
    all: u64,
    twins: u64,
}

async fn ask(address: &str, asked: &[Asked], figures: &mut Figures) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut latencies = Histogram::<u64>::new(3)?;
    let mut answered: [Answered; 3] = Default::default();
    let (mut compared, mut incomplete) = (0, 0);
    for one in asked {
        let start = Instant::now();
        let answer =
            connection.send("POST", "/Patient/$match?count=200", one.sent.to_string().as_bytes()).await?;
        latencies.record(u64::try_from(start.elapsed().as_micros())?)?;
        ensure!(answer.status == 200, "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
        let bundle: Value = serde_json::from_slice(&answer.body)?;
        for entry in bundle["entry"].as_array().context("no entries")? {
            if entry["search"]["mode"] == "outcome" {
                let said = entry["resource"]["issue"].to_string();
                incomplete += u64::from(said.contains("\"incomplete\""));
                let many = said
                    .split("\"diagnostics\":\"")
                    .filter_map(|d| d.split_once(" of ")?.0.parse::<u64>().ok());
                compared += many.last().unwrap_or_default();
                continue;
            }
            let id = entry["resource"]["id"].as_str();
            let grade = &entry["search"]["extension"][0]["valueCode"];
            let grade = GRADES.iter().position(|g| grade == g).context("no grade")?;
            if grade == 0 && id != one.id.as_deref() {
                println!("not the person: {}\n  sent {}", entry["resource"], one.sent);
            }
            for answered in &mut answered[grade..] {
                answered.all += 1;
                answered.right += u64::from(id.is_some() && id == one.id.as_deref());
                answered.twins += u64::from(id.is_some() && id == one.twin.as_deref());
            }
        }
    }
    let there = asked.iter().filter(|a| a.id.is_some()).count() as f64;
    for (name, answered) in GRADES.iter().zip(&answered) {
        figures.note(&format!("{name}: precision"), answered.right as f64 / answered.all.max(1) as f64);
        figures.note(&format!("{name}: recall"), answered.right as f64 / there);
        figures.note(&format!("{name}: wrong persons"), (answered.all - answered.right) as f64);
        figures.note(&format!("{name}: twins taken for the person"), answered.twins as f64);
    }
    figures.note("patients compared for one", compared as f64 / asked.len() as f64);
    figures.note("answers that say they are not complete", incomplete as f64);
    figures.latencies("one", &latencies);
    Ok(())
}
