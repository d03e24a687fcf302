//! Others' test suites, in the layouts they are published in.

mod patch;

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
    let (name, rest) = arguments.split_first().context("which suite? patch")?;
    let dir = match rest {
        [flag, dir] if flag == "--dir" => PathBuf::from(dir),
        _ => bail!("say where the suite is: cargo xtask conformance {name} --dir PATH"),
    };
    let mut tally = Tally::default();
    match name.as_str() {
        "patch" => patch::run(&dir, &mut tally)?,
        other => bail!("no suite is called '{other}'; patch is"),
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 {
        bail!("{} of the suite's cases failed", tally.failed);
    }
    Ok(())
}
