//! What to read of a log.

use super::KeyArguments;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to read of a log.
#[derive(Subcommand, Debug)]
pub(crate) enum LogTask {
    /// Print one entry
    #[command(after_help = "\
Examples:
  yojigen log show 42 --data hub
  yojigen log show 42 --data hub --bodies --json

The hub may be serving.")]
    Show(LogShowArguments),
    /// Print the newest entries, one a line
    #[command(after_help = "\
Examples:
  yojigen log tail --data hub
  yojigen log tail --data hub --follow --type Patient
  yojigen log tail --data hub --since 2026-04-01 -n 1000 --channel import --json

The hub may be serving. With --json each line is an entry.")]
    Tail(LogTailArguments),
}

/// Arguments of `log show`.
#[derive(Args, Debug)]
pub(crate) struct LogShowArguments {
    /// The entry's place in the log, from 1
    pub place: u64,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// With the texts that were written
    #[arg(long)]
    pub bodies: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `log tail`.
#[derive(Args, Debug)]
pub(crate) struct LogTailArguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// How many at most
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 10)]
    pub number: usize,
    /// Go on with what is written from now on, until it is interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// None recorded before this date or instant
    #[arg(long, value_name = "MOMENT")]
    pub since: Option<String>,
    /// Only those that write this resource type
    #[arg(long = "type", value_name = "TYPE")]
    pub resource_type: Option<String>,
    /// Only those that write this resource of the type
    #[arg(long, value_name = "ID", requires = "resource_type")]
    pub id: Option<String>,
    /// Only those of this author
    #[arg(long, value_name = "TEXT")]
    pub author: Option<String>,
    /// Only those that came this way (rest, import)
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
    /// With the texts that were written (with --json)
    #[arg(long, requires = "json")]
    pub bodies: bool,
    /// Print each as JSON, one a line
    #[arg(long)]
    pub json: bool,
}
