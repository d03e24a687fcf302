//! Chores of the project that are not shell: `cargo xtask <task>`.

mod bench;
mod conformance;
mod definitions;
mod fuzz;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask <task>

  bench [w1] [w2] [w3] [w4] [w7] [w10] [w12] [match] [--runs N] [--seconds N] [--resources N] [--folder DIR] [--archive FILE]
        [--sync-delay MICROSECONDS] [--persons N] [--seed N] [--out DIR]
        measure the workloads; raw figures go to docs/performance
  conformance patch --dir PATH
  conformance sql-on-fhir --dir PATH [--report FILE]
        others' test suites; prints N passed, M failed, and what each failure expected; --report writes the outcomes
        as the suite's own test_report.json has them
  fuzz json|xml|fhirpath|search|bundles|patch [--seconds N] [--seed N] [--package FILE]
        random and mutated input to what reads from outside

  definitions --package FILE [--out FILE]
        distil the official package hl7.fhir.r4.examples (.tgz) into the table the hub is built on
";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("bench") => bench::run(&arguments[1..]),
        Some("conformance") => conformance::run(&arguments[1..]),
        Some("fuzz") => fuzz::run(&arguments[1..]),
        Some("definitions") => definitions::run(&arguments[1..]),
        Some("help" | "--help" | "-h") | None => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => bail!("no task is called '{other}'\n\n{USAGE}"),
    }
}
