//! `cargo xtask bench`: the workloads, measured on this machine, with the load generator on the same processors.
//!
//! Every run starts a hub of its own (the program built beside this one) in a fresh directory. The raw figures go to
//! `docs/performance/<workload>.json`, with the machine, the command and the disk's own fdatasync rate in the same run.

mod access;
mod audit;
mod client;
mod clone;
mod crud;
mod everything;
mod figures;
mod hub;
mod load;
mod matching;
mod measures;
mod pages;
mod searches;
mod start;
mod transactions;
mod views;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use figures::Figures;

/// What a workload needs to know.
pub(crate) struct Settings {
    /// The Synthea archive.
    archive: PathBuf,
    /// Where hubs are made.
    folder: PathBuf,
    /// How often each measurement is made.
    runs: usize,
    /// How long each timed load lasts, in seconds.
    seconds: u64,
    /// Resources to load, at least.
    resources: usize,
    /// How much longer a sync of the disk takes, in microseconds (w4).
    sync_delay: Option<u64>,
    /// Persons of the community (match).
    persons: u64,
    /// The community's seed, and that of what happens to its persons' details (match).
    seed: u64,
}

/// Runs the workloads named, or all.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut settings = Settings {
        archive: PathBuf::from("../shared/data/synthea-r4-112-patients.tar.zst"),
        folder: std::env::temp_dir(),
        runs: 5,
        seconds: 10,
        resources: 1_000_000,
        sync_delay: None,
        persons: 20_000,
        seed: 1,
    };
    let mut out = PathBuf::from("docs/performance");
    let mut names = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--archive" => settings.archive = value()?.into(),
            "--folder" => settings.folder = value()?.into(),
            "--runs" => settings.runs = value()?.parse()?,
            "--seconds" => settings.seconds = value()?.parse()?,
            "--resources" => settings.resources = value()?.parse()?,
            "--sync-delay" => settings.sync_delay = Some(value()?.parse()?),
            "--out" => out = value()?.into(),
            "--persons" => settings.persons = value()?.parse()?,
            "--seed" => settings.seed = value()?.parse()?,
            "views" => names.push("w10"),
            measures::FRESH => return measures::fresh(value()?.as_ref()),
            name @ ("w1" | "w2" | "w3" | "w4" | "w7" | "w10" | "w12" | "match" | "audit" | "access"
            | "pages" | "measures") => names.push(name),
            other => {
                bail!(
                    "unknown: {other}; workloads are w1 w2 w3 w4 w7 w10 (views) w12 match audit access pages measures"
                )
            }
        }
    }
    if names.is_empty() {
        names = vec!["w1", "w4", "w7", "w12", "w2", "w3"];
    }
    std::fs::create_dir_all(&out)?;
    for name in names {
        let file = if name == "w4" && settings.sync_delay.is_some() { "w4-slow-disk" } else { name };
        let mut figures = Figures::new(file, arguments);
        match name {
            "w1" => crud::run(&settings, &mut figures)?,
            "w2" => searches::run(&settings, &mut figures)?,
            "w3" => load::run(&settings, &mut figures)?,
            "w4" => transactions::run(&settings, &mut figures)?,
            "w7" => everything::run(&settings, &mut figures)?,
            "w10" => views::run(&settings, &mut figures)?,
            "access" => access::run(&settings, &mut figures)?,
            "pages" => pages::run(&settings, &mut figures)?,
            "measures" => measures::run(&settings, &mut figures)?,
            "audit" => audit::run(&settings, &mut figures)?,
            "match" => matching::run(&settings, &mut figures)?,
            _ => start::run(&settings, &mut figures)?,
        }
        figures.write(&out)?;
    }
    Ok(())
}
