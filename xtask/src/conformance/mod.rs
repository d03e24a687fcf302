//! Others' test suites, in the layouts they are published in.

mod patch;
mod sql_on_fhir;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

/// What a suite came to.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    /// Counts a case; a failure is printed with what was expected.
    fn count(&mut self, name: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(message) => {
                self.failed += 1;
                println!("failed: {name}\n  {}", message.replace('\n', "\n  "));
            }
        }
    }
}

/// Runs a suite and prints `N passed, M failed`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (name, rest) = arguments.split_first().context("which suite? patch or sql-on-fhir")?;
    let (mut dir, mut report) = (None, None);
    let mut rest = rest.iter();
    while let Some(flag) = rest.next() {
        let value = rest.next().map(PathBuf::from).with_context(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--dir" => dir = Some(value?),
            "--report" if name == "sql-on-fhir" => report = Some(value?),
            other => bail!("unknown: {other}"),
        }
    }
    let dir =
        dir.with_context(|| format!("say where the suite is: cargo xtask conformance {name} --dir PATH"))?;
    let mut tally = Tally::default();
    match name.as_str() {
        "patch" => patch::run(&dir, &mut tally)?,
        "sql-on-fhir" => sql_on_fhir::run(&dir, report.as_deref(), &mut tally)?,
        other => bail!("no suite is called '{other}'; patch and sql-on-fhir are"),
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 {
        bail!("{} of the suite's cases failed", tally.failed);
    }
    Ok(())
}
