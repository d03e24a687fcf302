//! What to do with a view.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::DataArguments;

/// What to do with a view of SQL on FHIR.
#[derive(Subcommand, Debug)]
pub(crate) enum ViewTask {
    /// Write a view's rows
    #[command(after_help = "\
Examples:
  yojigen view run patients.json --data hub
  yojigen view run pressures.json --data hub --format parquet --out pressures.parquet
  yojigen view run patients.json --data hub --as-of 2026-04-01 --limit 10

The hub must not be running; of one that is, ask /fhir/$viewdefinition-run.")]
    Run(Box<ViewRunArguments>),
    /// Say what is wrong with a view, or which columns it makes
    #[command(after_help = "Example:\n  yojigen view check patients.json")]
    Check {
        /// The ViewDefinition, as JSON.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Arguments of `view run`.
#[derive(Args, Debug)]
pub(crate) struct ViewRunArguments {
    /// The ViewDefinition, as JSON
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub data: DataArguments,
    /// How rows are written
    #[arg(long, value_enum, default_value_t = FormatArgument::Csv)]
    pub format: FormatArgument,
    /// As it was known at this moment
    #[arg(long, value_name = "INSTANT")]
    pub as_of: Option<String>,
    /// Where to write; made, must not exist. Without it, standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// So many rows at most
    #[arg(long, value_name = "ROWS")]
    pub limit: Option<u64>,
    /// Only what is in this Patient's record (id); may be given several times
    #[arg(long = "patient", value_name = "ID")]
    pub patients: Vec<String>,
    /// CSV without the line that names the columns
    #[arg(long)]
    pub no_header: bool,
}

/// A form of rows.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormatArgument {
    Csv,
    Json,
    Ndjson,
    Parquet,
}
