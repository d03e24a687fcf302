//! What to do with a ledger.

use super::KeyArguments;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with a ledger.
#[derive(Subcommand, Debug)]
pub(crate) enum LedgerTask {
    /// Print the newest records, one a line
    #[command(after_help = "\
Examples:
  yojigen ledger show --data hub
  yojigen ledger show --data hub --person 123 -n 100
  yojigen ledger show --data hub --agent Practitioner/7 --since 2026-04-01 --json

The hub may be serving. With --json each line is an AuditEvent.")]
    Show(LedgerShowArguments),
    /// Write records as AuditEvents, oldest first, one a line (NDJSON)
    #[command(after_help = "\
Examples:
  yojigen ledger export --data hub > audit.ndjson
  yojigen ledger export --data hub --since 2026-04-01 --before 2026-05-01 --out april.ndjson

The hub may be serving. Each event carries its number and its link of the chain.")]
    Export(LedgerExportArguments),
    /// Prove that no record was changed, taken away or put in
    #[command(after_help = "\
Examples:
  yojigen ledger verify --data hub
  yojigen ledger verify --data hub --head 4711:6f0c…      against a number and link noted before

The hub may be serving. Note the head it prints where nobody can change it: records up to it can be compared later.
Exit code 1 if the chain does not hold.")]
    Verify(LedgerVerifyArguments),
    /// Take records older than a moment away; what is left stays proved
    #[command(after_help = "\
Examples:
  yojigen ledger prune --data hub --before 2021-04-01 --dry-run
  yojigen ledger prune --data hub --before 2021-04-01

The hub must not be running. Export what has to be kept before.")]
    Prune(LedgerPruneArguments),
}

/// Which records.
#[derive(Args, Debug)]
pub(crate) struct LedgerFilterArguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// Only those about this Patient, by id
    #[arg(long, value_name = "ID")]
    pub person: Option<String>,
    /// Only those of this agent
    #[arg(long, value_name = "TEXT")]
    pub agent: Option<String>,
    /// None before this date or instant
    #[arg(long, value_name = "MOMENT")]
    pub since: Option<String>,
    /// Only those before this date or instant
    #[arg(long, value_name = "MOMENT")]
    pub before: Option<String>,
}

/// Arguments of `ledger show`.
#[derive(Args, Debug)]
pub(crate) struct LedgerShowArguments {
    #[command(flatten)]
    pub filter: LedgerFilterArguments,
    /// How many at most
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    pub number: usize,
    /// Print each as an AuditEvent, one a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `ledger export`.
#[derive(Args, Debug)]
pub(crate) struct LedgerExportArguments {
    #[command(flatten)]
    pub filter: LedgerFilterArguments,
    /// The file to write to; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Arguments of `ledger verify`.
#[derive(Args, Debug)]
pub(crate) struct LedgerVerifyArguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// A number and link noted before, number:link; may be given several times
    #[arg(long = "head", value_name = "HEAD")]
    pub heads: Vec<String>,
    /// Print the verdict as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `ledger prune`.
#[derive(Args, Debug)]
pub(crate) struct LedgerPruneArguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// Records before this date or instant go
    #[arg(long, value_name = "MOMENT")]
    pub before: String,
    /// Only say how many that are
    #[arg(long)]
    pub dry_run: bool,
}
