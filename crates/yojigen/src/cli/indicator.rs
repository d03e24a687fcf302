//! What to do with indicators.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::DataArguments;
use crate::config::Within;

/// What to do with indicators.
#[derive(Subcommand, Debug)]
pub(crate) enum IndicatorTask {
    /// Fetch a public indicator of the WHO or the World Bank and keep it, by release
    #[command(after_help = "\
Examples:
  yojigen indicator fetch who-gho UHC_INDEX_REPORTED --data hub
  yojigen indicator fetch world-bank SH.UHC.SRVS.CV.XD --data hub
  yojigen indicator fetch who-gho WHOSIS_000001 --data hub --url https://mirror.example/WHOSIS_000001.csv --vintage 2020-10

The only task that reaches out, and only when it is run. What does not read as the indicator is not kept; a release that is
there is never written over.")]
    Fetch(IndicatorFetchArguments),
    /// List the public indicators that were fetched, and their releases
    #[command(after_help = "Example:\n  yojigen indicator list --data hub")]
    List {
        /// The data directory
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Compute the UHC service coverage index of every country beside the published one (SDG 3.8.1)
    #[command(after_help = "\
Examples:
  yojigen indicator uhc --gho files --year 2015
  yojigen indicator uhc --data hub --format csv > uhc.csv

Needs UHC_INDEX_REPORTED, UHC_SCI_RMNCH, UHC_SCI_INFECT, UHC_SCI_NCD and UHC_SCI_CAPACITY, fetched or as files CODE.csv,
CODE.csv.gz or CODE.json of a folder. Exit code 1 if one country does not agree.")]
    Uhc(IndicatorUhcArguments),
    /// Compute the hub's own indicators from its record
    #[command(after_help = "\
Examples:
  yojigen indicator evaluate --data hub --period 2025
  yojigen indicator evaluate rmi --data hub --period 2025-04-01..2026-03-31 --format csv
  yojigen indicator evaluate rmi-bp-control --data hub --period 2025 --as-of 2026-01-31 --format json --out report.json

Counts that could tell of few people are left out, unless --exact. The hub must not be running; of one that is, ask
/fhir/Measure/ID/$evaluate-measure.")]
    Evaluate(IndicatorEvaluateArguments),
    /// Compute a report again, as the record was known then and under the consents of then
    #[command(after_help = "\
Example:
  yojigen indicator verify report.json --data hub

Exit code 1 if it does not come out the same; the output says where.")]
    Verify(IndicatorVerifyArguments),
    /// Publish the hub's own indicators: a release, which everyone may read at /figures and which never changes
    #[command(after_help = "\
Examples:
  yojigen indicator release --data hub --period 2025 --dry-run
  yojigen indicator release --data hub --period 2025 --title 2025

What could tell of few people is left out, also together with earlier releases. The hub must not be running; at one that is,
use /hub/releases.")]
    Release(IndicatorReleaseArguments),
    /// List the releases
    #[command(after_help = "Example:\n  yojigen indicator releases --data hub")]
    Releases {
        #[command(flatten)]
        data: DataArguments,
    },
    /// Withdraw a release: it stays listed, with the reason
    #[command(
        after_help = "Example:\n  yojigen indicator withdraw 1 --reason 'a site sent its findings twice' --data hub"
    )]
    Withdraw {
        /// The number of the release
        #[arg(value_name = "NUMBER")]
        number: u64,
        /// Why; everyone can read it
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        data: DataArguments,
    },
    /// Forecast a series, after trying the methods on its past, and say what its target takes
    #[command(after_help = "\
Examples:
  yojigen indicator project --gho files --code MDG_0000000020 --place JPN
  yojigen indicator project --data hub --source world-bank --code SH.DYN.MORT --place JPN --years 10
  yojigen indicator project own.csv --kind percent --target 90@2030
  yojigen indicator project --gho files --code WHOSIS_000001 --place JPN --dimension SEX=FMLE --format json

A file of one's own has the columns year and value. Exit code 1 if there is no forecast; the output says why.")]
    Project(IndicatorProjectArguments),
}

/// How a result is printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableFormatArgument {
    /// For people
    Table,
    /// JSON
    Json,
    /// CSV
    Csv,
}

/// Who publishes.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceArgument {
    /// The Global Health Observatory of the WHO
    WhoGho,
    /// The World Development Indicators of the World Bank
    WorldBank,
}

/// What kind of values a series has.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KindArgument {
    /// 0 to 100
    Percent,
    /// 0 to 1
    Fraction,
    /// 0 or more
    Rate,
    /// Any number
    Quantity,
}

/// Arguments of `indicator fetch`.
#[derive(Args, Debug)]
pub(crate) struct IndicatorFetchArguments {
    /// Who publishes it
    pub source: SourceArgument,
    /// Its code with the publisher
    #[arg(value_name = "CODE")]
    pub code: String,
    /// The data directory; the files are kept in its folder public
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where to fetch it, if not at the publisher's: a whole address
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The name of the release; without it the publisher's, or the day
    #[arg(long, value_name = "NAME")]
    pub vintage: Option<String>,
    /// The most that is fetched
    #[arg(long, value_name = "MEGABYTES", default_value_t = 64, value_parser = Within(1, 1024))]
    pub most: u64,
    /// How long it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = Within(1, 3600))]
    pub patience: u64,
}

/// Where figures are.
#[derive(Args, Debug)]
#[group(required = false, multiple = false)]
pub(crate) struct FiguresArguments {
    /// A folder with files of the WHO: CODE.csv, CODE.csv.gz or CODE.json
    #[arg(long, value_name = "DIR")]
    pub gho: Option<PathBuf>,
    /// The data directory they were fetched to
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Arguments of `indicator uhc`.
#[derive(Args, Debug)]
pub(crate) struct IndicatorUhcArguments {
    #[command(flatten)]
    pub figures: FiguresArguments,
    /// Only this year
    #[arg(long, value_name = "YEAR")]
    pub year: Option<i32>,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = TableFormatArgument::Table)]
    pub format: TableFormatArgument,
}

/// Arguments of `indicator project`.
#[derive(Args, Debug)]
pub(crate) struct IndicatorProjectArguments {
    /// A CSV file with the columns year and value
    #[arg(value_name = "FILE", conflicts_with_all = ["gho", "data", "code", "place"])]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub figures: FiguresArguments,
    /// Who publishes the indicator
    #[arg(long, value_name = "SOURCE", value_enum, default_value_t = SourceArgument::WhoGho)]
    pub source: SourceArgument,
    /// The indicator's code
    #[arg(long, value_name = "CODE", required_unless_present = "file")]
    pub code: Option<String>,
    /// The place, as the publisher names it: JPN
    #[arg(long, value_name = "CODE", required_unless_present = "file")]
    pub place: Option<String>,
    /// A dimension, NAME=VALUE; may be given several times; without it the total
    #[arg(long = "dimension", value_name = "NAME=VALUE")]
    pub dimensions: Vec<String>,
    /// The release; without it the last
    #[arg(long, value_name = "NAME")]
    pub vintage: Option<String>,
    /// How many years ahead
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = Within(1, 30))]
    pub years: u64,
    /// What kind of values they are; without it the indicator's, or quantity
    #[arg(long, value_name = "KIND", value_enum)]
    pub kind: Option<KindArgument>,
    /// A target, LEVEL@YEAR; without it that of the SDGs, if there is one
    #[arg(long, value_name = "LEVEL@YEAR")]
    pub target: Option<String>,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = TableFormatArgument::Table)]
    pub format: TableFormatArgument,
}

/// Arguments of `indicator evaluate`.
#[derive(Args, Debug)]
pub(crate) struct IndicatorEvaluateArguments {
    /// Which: ids, canonical addresses, or sets (rmi, self-care, record); all without one
    #[arg(value_name = "INDICATOR")]
    pub indicators: Vec<String>,
    #[command(flatten)]
    pub data: DataArguments,
    /// The days that are looked at: 2025, 2025-04, 2025-04-01..2026-03-31
    #[arg(long, value_name = "PERIOD")]
    pub period: String,
    /// As it was known at this moment
    #[arg(long, value_name = "INSTANT")]
    pub as_of: Option<String>,
    /// Counts of everybody, small ones too: not for handing out
    #[arg(long)]
    pub exact: bool,
    /// How it is printed; JSON is FHIR MeasureReports
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = TableFormatArgument::Table)]
    pub format: TableFormatArgument,
    /// Where to write; made, must not exist. Without it, standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Arguments of `indicator release`.
#[derive(Args, Debug)]
pub(crate) struct IndicatorReleaseArguments {
    #[command(flatten)]
    pub data: DataArguments,
    /// The days that are looked at: 2025, 2025-04, 2025-04-01..2026-03-31
    #[arg(long, value_name = "PERIOD")]
    pub period: String,
    /// As it was known at this moment
    #[arg(long, value_name = "INSTANT")]
    pub as_of: Option<String>,
    /// What it is called; without it the period
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Only say what would be published
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `indicator verify`.
#[derive(Args, Debug)]
pub(crate) struct IndicatorVerifyArguments {
    /// A MeasureReport, or a Bundle of them
    #[arg(value_name = "REPORT")]
    pub report: PathBuf,
    #[command(flatten)]
    pub data: DataArguments,
}
