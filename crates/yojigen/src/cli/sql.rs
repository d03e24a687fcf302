//! Arguments of `sql`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::DataArguments;

/// Arguments of `sql`.
#[derive(Args, Debug)]
pub(crate) struct SqlArguments {
    /// The question. Without it, the tables and their columns are named
    #[arg(value_name = "SQL")]
    pub question: Option<String>,
    #[command(flatten)]
    pub data: DataArguments,
    /// A ViewDefinition of one's own as a further table, named as it says; may be given several times
    #[arg(long = "view", value_name = "FILE")]
    pub views: Vec<PathBuf>,
    /// As it was known at this moment
    #[arg(long, value_name = "INSTANT")]
    pub as_of: Option<String>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = AnswerFormatArgument::Csv)]
    pub format: AnswerFormatArgument,
    /// Where to write; made, must not exist. Without it, standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// So many rows at most; more are an error
    #[arg(long, value_name = "ROWS", default_value_t = 1_000_000)]
    pub most: usize,
    /// So many seconds at most, the building of tables apart
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
}

/// A form of an answer.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerFormatArgument {
    Csv,
    Json,
    Ndjson,
    Arrow,
}
