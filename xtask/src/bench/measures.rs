//! `measures`: how long views of a community take to build, and indicators to be computed from them in a fresh process.
//!
//! Making the community is not measured. The views are built as its resources come, kept as Parquet, and then another
//! process opens what was kept and evaluates all RMI indicators; it says how long that took from its beginning, and the
//! memory it needed. Then the records of 1,000 persons are taken for changed: their views are built again from their
//! resources, these persons evaluated, and all counted.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use measures::{Evaluation, Indicator, Kept, Materials, Members, Period, View, shipped, views_of};
use serde_json::Value;
use sql::{Cancel, Engine, Limits, Session};
use views::Decimals;

use super::Settings;
use super::figures::Figures;

/// Resources that are built at once.
const CHUNK: usize = 200_000;
/// Persons of whom one resource changes each.
const CHANGED: usize = 1_000;
/// Where their records are kept, beside the views.
const CHANGED_FILE: &str = "changed.ndjson";
/// The argument that tells the fresh process what it is.
pub(super) const FRESH: &str = "--measures-of";

/// Resources by their type, the newest version of each.
type Chunk = BTreeMap<&'static str, Vec<String>>;

/// Makes the community, a chunk of whole persons at a time.
fn community(settings: &Settings, take: &mut dyn FnMut(Chunk) -> bool) {
    let mut newest: BTreeMap<(&'static str, String), String> = BTreeMap::new();
    let flush = |newest: &mut BTreeMap<(&'static str, String), String>| {
        let mut chunk = Chunk::new();
        for ((resource_type, _), text) in std::mem::take(newest) {
            chunk.entry(resource_type).or_default().push(text);
        }
        chunk
    };
    let of = population::Settings { persons: settings.persons, seed: settings.seed };
    population::generate(&of, &mut |item| {
        let key = (item.resource_type, item.id);
        let next = item.resource_type == "Patient" && !newest.contains_key(&key);
        if next && newest.len() >= CHUNK && !take(flush(&mut newest)) {
            return false;
        }
        newest.insert(key, item.json);
        true
    });
    take(flush(&mut newest));
}

fn peak() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|l| l.starts_with("VmHWM")).context("no VmHWM")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// The records of the first persons of a chunk, a resource a line.
fn records(chunk: &Chunk) -> Result<String> {
    let id = |text: &String| -> Result<String> {
        let json: Value = serde_json::from_str(text)?;
        Ok(format!("Patient/{}", json["id"].as_str().unwrap_or_default()))
    };
    let patients = chunk.get("Patient").into_iter().flatten().take(CHANGED);
    let persons: BTreeSet<String> = patients.map(id).collect::<Result<_>>()?;
    ensure!(persons.len() == CHANGED, "{} persons are fewer than are to change", persons.len());
    let mut lines = String::new();
    for text in chunk.values().flatten() {
        let json: Value = serde_json::from_str(text)?;
        let own = (json["resourceType"] == "Patient").then(|| id(text)).transpose()?;
        let subject = ["subject", "patient"].iter().find_map(|name| json[*name]["reference"].as_str());
        if own.as_deref().or(subject).is_some_and(|person| persons.contains(person)) {
            writeln!(lines, "{json}")?;
        }
    }
    Ok(lines)
}

fn build(settings: &Settings, figures: &mut Figures, kept: &Kept, folder: &Path) -> Result<()> {
    let views = views_of(&shipped()?);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut resources, mut spent) = (0, Duration::ZERO);
    let mut rows: BTreeMap<&str, Vec<arrow::array::RecordBatch>> = BTreeMap::new();
    // The next chunk waits until this one is built, so that making it takes nothing from building.
    let (sender, receiver) = sync_channel::<Chunk>(0);
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(move || community(settings, &mut |chunk| sender.send(chunk).is_ok()));
        for chunk in receiver {
            let file = folder.join(CHANGED_FILE);
            if !file.exists() {
                std::fs::write(&file, records(&chunk)?)?;
            }
            let began = Instant::now();
            for view in &views {
                let name = view.json["resource"].as_str().unwrap_or_default();
                let Some(texts) = chunk.get(name) else { continue };
                let built = views::parallel::batches(&view.definition, texts, threads, Decimals::Numbers)?;
                rows.entry(&view.hash).or_default().extend(built);
            }
            spent += began.elapsed();
            resources += chunk.values().map(Vec::len).sum::<usize>();
        }
        Ok(())
    })?;
    figures.note("persons", settings.persons as f64);
    figures.note("resources", resources as f64);
    figures.note("resources a person", resources as f64 / settings.persons as f64);
    figures.note("building all views s", spent.as_secs_f64());
    figures.note("building all views resources/s", resources as f64 / spent.as_secs_f64());
    let began = Instant::now();
    for view in &views {
        kept.write(view, 1, rows.get(view.hash.as_str()).map(Vec::as_slice).unwrap_or_default())?;
    }
    figures.note("keeping them as Parquet s", began.elapsed().as_secs_f64());
    figures.note("building, memory MiB", peak()?);
    Ok(())
}

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    build(settings, figures, &Kept::at(folder.path()), folder.path())?;
    let bytes: u64 = walk(folder.path())?;
    figures.note("kept MiB", bytes as f64 / 1_048_576.0);
    for run in 0..settings.runs {
        let out =
            Command::new(std::env::current_exe()?).arg("bench").arg(FRESH).arg(folder.path()).output()?;
        ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        if run == 0 {
            eprint!("{}", String::from_utf8_lossy(&out.stderr));
        }
        for line in String::from_utf8(out.stdout)?.lines() {
            let (what, value) = line.split_once('\t').context("no figure")?;
            let value: f64 = value.parse()?;
            figures.note(what, value);
            if what == "people with one code s" {
                figures.note("people with one code persons/s", settings.persons as f64 / value);
            }
        }
    }
    Ok(())
}

fn walk(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { walk(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

/// What the fresh process does.
pub(super) fn fresh(folder: &Path) -> Result<()> {
    let began = Instant::now();
    let mut indicators = shipped()?;
    indicators.retain(|i| i.measure.id.starts_with("rmi-"));
    let views = views_of(&indicators);
    let engine = Arc::new(Engine::start(&sql::Settings { memory: 4 << 30, ..sql::Settings::default() })?);
    let materials = Kept::at(folder).materials(&views)?;
    let evaluation = Evaluation::new(&engine, &materials, Period::read("2025-11-01", "2026-10-31")?);
    let mut known = Vec::new();
    for indicator in &indicators {
        let of_it = Instant::now();
        let members = evaluation.members(indicator)?;
        let counts = evaluation.outcome(indicator, members.clone()).groups.first().map(|g| g.counts);
        eprintln!("{} {:.3} s {counts:?}", indicator.measure.id, of_it.elapsed().as_secs_f64());
        ensure!(counts.is_some_and(|c| c.initial > 0), "{}: nobody is counted", indicator.measure.id);
        known.push((members, counts));
    }
    println!("all RMI indicators, fresh process s\t{}", began.elapsed().as_secs_f64());
    println!("all RMI indicators, memory MiB\t{}", peak()?);
    let lines = std::fs::read_to_string(folder.join(CHANGED_FILE))?;
    for _ in 0..3 {
        let seconds = changed(&engine, &evaluation, &indicators, &known, &lines)?;
        println!("all RMI indicators after 1,000 changes s\t{seconds}");
    }
    let session = Session::new(&engine);
    let condition: &Arc<View> =
        views.iter().find(|v| v.name == "condition").context("no view of conditions")?;
    materials.give(&session, condition, "condition").map_err(|e| anyhow::anyhow!("{e}"))?;
    let text = "select count(distinct person) as many from condition where icd10 = 'I10'";
    let mut times = Vec::new();
    for _ in 0..5 {
        let of_it = Instant::now();
        session.ask(text, &[], &Limits::default(), &Cancel::default())?;
        times.push(of_it.elapsed());
    }
    times.sort();
    println!("people with one code s\t{}", times.get(2).copied().unwrap_or_default().as_secs_f64());
    Ok(())
}

/// All counted again when the records of some persons changed; the seconds it took.
fn changed(
    engine: &Arc<Engine>,
    before: &Evaluation<'_>,
    indicators: &[Arc<Indicator>],
    known: &[(Members, Option<measures::Counts>)],
    lines: &str,
) -> Result<f64> {
    let mut by_type: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut persons: HashSet<String> = HashSet::new();
    for line in lines.lines() {
        let json: Value = serde_json::from_str(line)?;
        let resource_type = json["resourceType"].as_str().unwrap_or_default();
        if resource_type == "Patient" {
            persons.insert(format!("Patient/{}", json["id"].as_str().unwrap_or_default()));
        }
        by_type.entry(resource_type.to_owned()).or_default().push(line);
    }
    let began = Instant::now();
    let mut materials = Materials::at(2);
    for view in views_of(indicators) {
        let texts = by_type.get(view.json["resource"].as_str().unwrap_or_default());
        let texts = texts.map(Vec::as_slice).unwrap_or_default();
        materials.build(std::slice::from_ref(&view), texts, engine.threads())?;
    }
    eprintln!("views {:.3} s", began.elapsed().as_secs_f64());
    let few = Evaluation::new(engine, &materials, before.period);
    for (indicator, (members, counts)) in indicators.iter().zip(known) {
        let of_it = Instant::now();
        let newer = few.members(indicator)?;
        let evaluated = of_it.elapsed().as_secs_f64();
        let members = members.with(&persons, &newer)?;
        let put = of_it.elapsed().as_secs_f64() - evaluated;
        eprintln!("{} evaluated {evaluated:.3} s, put in {put:.3} s", indicator.measure.id);
        let now = before.outcome(indicator, members).groups.first().map(|g| g.counts);
        ensure!(now == *counts, "{}: {now:?} is not {counts:?}", indicator.measure.id);
    }
    Ok(began.elapsed().as_secs_f64())
}
