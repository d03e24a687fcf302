//! `yojigen indicator evaluate` and `verify`: the hub's own indicators, beside a hub that is stopped.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;

use ::figures::{Asked, Figures, Kind, Period, WhichIndicators, set_of, text_in};
use anyhow::{Context as _, Result, anyhow};
use fhir::DateTime;
use hub::Access;
use serde_json::{Value, json};

use crate::cli::{IndicatorEvaluateArguments, IndicatorVerifyArguments, TableFormatArgument};
use crate::hub_at;

/// A failure in words for who reads the command line.
pub(super) fn said(failure: &hub::Failure) -> anyhow::Error {
    let first = failure.issues.first().map(|issue| issue.diagnostics.clone());
    anyhow!(first.unwrap_or_else(|| "the hub failed".to_owned()))
}

/// The first and the last day of a year, of a month, or of what stands between two days.
pub(super) fn period(text: &str) -> Result<Period> {
    let (start, end) = text.split_once("..").unwrap_or((text, text));
    let days = |text: &str, is_end: bool| -> Result<String> {
        let utc = search::Zone::named("UTC").context("the zone UTC")?;
        let moment = DateTime::parse(text)
            .with_context(|| format!("'{text}' is no date like 2025, 2025-04 or 2025-04-01"))?;
        let (from, until) = moment.interval(&utc);
        Ok(utc.day(if is_end { until - 1 } else { from }))
    };
    Ok(Period::read(&days(start, false)?, &days(end, true)?)?)
}

/// The end of the day or instant that was given.
pub(super) fn as_of(hub: &hub::Hub, text: Option<&str>) -> Result<Option<i64>> {
    let Some(text) = text else { return Ok(None) };
    let moment =
        DateTime::parse(text).with_context(|| format!("--as-of: '{text}' is not a date or instant"))?;
    Ok(Some(moment.interval(hub.zone()).1 - 1))
}

/// Evaluates.
pub(super) fn evaluate(arguments: &IndicatorEvaluateArguments) -> Result<ExitCode> {
    hub_at::must_exist(&arguments.data.data)?;
    let hub = hub_at::open(&(&arguments.data).into())?;
    let as_of = as_of(&hub, arguments.as_of.as_deref())?;
    let which = match arguments.indicators.as_slice() {
        [] => WhichIndicators::All,
        named => WhichIndicators::Named(named.to_vec()),
    };
    let asked = Asked { which, period: period(&arguments.period)?, as_of, person: None, kind: Kind::Summary };
    let figures = Figures::of(hub);
    let reports = match arguments.exact {
        true => figures.evaluate(&Access::open("command line"), &asked),
        false => figures.counted(&asked, None),
    };
    let reports = reports.map_err(|f| said(&f))?;
    let found = figures.which(&asked.which).map_err(|f| said(&f))?;
    let text = match arguments.format {
        TableFormatArgument::Json => {
            let whole = match reports.as_slice() {
                [one] => one.clone(),
                _ => {
                    let entries: Vec<Value> =
                        reports.iter().map(|report| json!({"resource": report})).collect();
                    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
                }
            };
            serde_json::to_string_pretty(&whole)?
        }
        form => {
            let mut lines = Vec::new();
            if form == TableFormatArgument::Csv {
                lines.push("set,indicator,version,score,unit,numerator,denominator".to_owned());
            }
            for (indicator, report) in found.iter().zip(&reports) {
                let group = &report["group"][0];
                let count = |code: &str| {
                    let all = group["population"].as_array().map_or(&[][..], Vec::as_slice);
                    let found = all.iter().find(|p| p["code"]["coding"][0]["code"] == code);
                    found.and_then(|p| p["count"].as_u64()).map_or_else(|| "-".to_owned(), |n| n.to_string())
                };
                let score = group["measureScore"]["value"]
                    .as_f64()
                    .map_or_else(|| "-".to_owned(), |s| format!("{s:.1}"));
                let (numerator, denominator) = (count("numerator"), count("denominator"));
                let measure = &indicator.measure;
                lines.push(match form {
                    TableFormatArgument::Csv => format!(
                        "{},{},{},{score},{},{numerator},{denominator}",
                        set_of(indicator),
                        measure.id,
                        measure.version,
                        measure.unit
                    ),
                    _ => format!(
                        "{:<40} {score:>8} {:<6} {numerator:>9} / {denominator:<9} {}",
                        measure.id,
                        measure.unit,
                        text_in(&measure.json, "title", "en")
                    ),
                });
            }
            lines.join("\n")
        }
    };
    match &arguments.out {
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            let mut file = file.with_context(|| format!("making {}", path.display()))?;
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
                .with_context(|| format!("writing {}", path.display()))?;
            say!("{} reports in {}", reports.len(), path.display());
        }
        None => say!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Computes reports again.
pub(super) fn verify(arguments: &IndicatorVerifyArguments) -> Result<ExitCode> {
    hub_at::must_exist(&arguments.data.data)?;
    let text = std::fs::read(&arguments.report)
        .with_context(|| format!("reading {}", arguments.report.display()))?;
    let read: Value = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not JSON", arguments.report.display()))?;
    let reports: Vec<Value> = match read["entry"].as_array() {
        // A release says in a List what is left out.
        Some(entries) => entries
            .iter()
            .map(|entry| entry["resource"].clone())
            .filter(|resource| resource["resourceType"] != "List")
            .collect(),
        None => vec![read],
    };
    let figures = Figures::of(hub_at::open(&(&arguments.data).into())?);
    let mut is_same = true;
    for report in &reports {
        let name = report["measure"].as_str().unwrap_or("a report").to_owned();
        let verified = figures.verify(report).map_err(|f| said(&f).context(name.clone()))?;
        let by = verified
            .other_code
            .as_ref()
            .map(|v| format!(" (computed then by version {v})"))
            .unwrap_or_default();
        if verified.is_same() {
            say!("{name}: comes out the same{by}");
            continue;
        }
        is_same = false;
        let why = if verified.has_destroyed {
            "; texts were destroyed since (erasure or purge), so it need not"
        } else {
            ""
        };
        say!("{name}: does not come out the same{by}{why}");
        for difference in &verified.differences {
            say!("  {difference}");
        }
    }
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
