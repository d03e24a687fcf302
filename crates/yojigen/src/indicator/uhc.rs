//! `yojigen indicator uhc`

use std::process::ExitCode;

use anyhow::{Result, bail};
use indicators::public::Source;
use indicators::uhc::{CODES, Comparison, compare};

use super::figures;
use crate::cli::{IndicatorUhcArguments, TableFormatArgument};

/// Our index of every country beside the published one.
pub(crate) fn run(arguments: &IndicatorUhcArguments) -> Result<ExitCode> {
    let mut all = Vec::new();
    for code in CODES {
        all.extend(figures::read(&arguments.figures, Source::WhoGho, code)?);
    }
    let comparison = compare(&all, arguments.year);
    if comparison.lines.is_empty() {
        let mut years: Vec<String> = all.iter().map(|f| f.years.to_string()).collect();
        years.sort();
        years.dedup();
        bail!("there is no country with figures of that year; there are {}", years.join(", "));
    }
    match arguments.format {
        TableFormatArgument::Json => say!("{}", serde_json::to_string_pretty(&comparison)?),
        TableFormatArgument::Csv => csv(&comparison),
        TableFormatArgument::Table => table(&comparison),
    }
    let agrees = comparison.compared > 0 && comparison.agreeing == comparison.compared;
    Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.decimals$}"))
}

fn table(comparison: &Comparison) {
    say!(
        "{:<8} {:>5} {:<10} {:>8} {:>8} {:>10} {:>11}",
        "country",
        "year",
        "release",
        "ours",
        "rounded",
        "published",
        "difference"
    );
    for line in &comparison.lines {
        let missing = match line.missing.as_slice() {
            [] => String::new(),
            some => format!("  missing: {}", some.join(", ")),
        };
        say!(
            "{:<8} {:>5} {:<10} {:>8} {:>8} {:>10} {:>11}{missing}",
            line.place,
            line.year,
            line.vintage,
            number(line.ours, 2),
            number(line.rounded, 0),
            number(line.published, 0),
            number(line.difference, 0)
        );
    }
    say!("{} of {} agree", comparison.agreeing, comparison.compared);
    let left = comparison.lines.len() - comparison.compared;
    if left > 0 {
        say!("{left} could not be compared: figures are missing");
    }
}

/// Nothing in it needs quotes: codes of countries, releases and indicators have none of them.
fn csv(comparison: &Comparison) {
    say!("country,year,release,ours,rounded,published,difference,missing");
    for line in &comparison.lines {
        let plain = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        say!(
            "{},{},{},{},{},{},{},{}",
            line.place,
            line.year,
            line.vintage,
            plain(line.ours),
            plain(line.rounded),
            plain(line.published),
            plain(line.difference),
            line.missing.join(" ")
        );
    }
}
