//! Whose access to ask about.

use std::path::PathBuf;

use super::KeyArguments;
use clap::{Args, Subcommand};

/// Who may see what, and why.
#[derive(Subcommand, Debug)]
pub(crate) enum AccessTask {
    /// Print the rules, or check a file of rules
    #[command(after_help = "\
Examples:
  yojigen access rules                       the rules that come with the program, to begin one's own with
  yojigen access rules --rules own.toml      do these read, and can the index decide them?")]
    Rules {
        /// A file of rules
        #[arg(long, value_name = "FILE")]
        rules: Option<PathBuf>,
    },
    /// Say whether someone may see a resource, and which rule decides
    #[command(after_help = "\
Examples:
  yojigen access explain Observation/123 --data hub --as clinician --organisation sakura
  yojigen access explain Condition/7 --data hub --as person --patient 42
  yojigen access explain Observation/123 --data hub --as researcher --purpose research

The hub must not be running. Exit code 1 if it may not be seen.")]
    Explain(ExplainArguments),
    /// Say who can see a resource, or could on a day before
    #[command(after_help = "\
Examples:
  yojigen access who Observation/123 --data hub
  yojigen access who Observation/123 --data hub --at 2026-03-03

Asks for each role, and for each organisation as of then, under the rules of now. The hub must not be running.")]
    Who(WhoArguments),
    /// Say what other rules would show and hide, before they take effect
    #[command(after_help = "\
Example:
  yojigen access compare own.toml --data hub --as clinician --organisation sakura

The hub must not be running. Exit code 1 if something differs.")]
    Compare(CompareArguments),
}

/// Who asks.
#[derive(Args, Debug)]
pub(crate) struct SubjectArguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// A role; may be given several times
    #[arg(long = "as", value_name = "ROLE", required = true)]
    pub roles: Vec<String>,
    /// The id of their own Patient
    #[arg(long, value_name = "ID")]
    pub patient: Option<String>,
    /// The id of a Patient they act for; may be given several times
    #[arg(long, value_name = "ID")]
    pub proxied: Vec<String>,
    /// The id of an Organization they work for; may be given several times
    #[arg(long, value_name = "ID")]
    pub organisation: Vec<String>,
    /// Their own resource: Practitioner/17
    #[arg(long, value_name = "REFERENCE")]
    pub fhir_user: Option<String>,
    /// To what end: care, own-use, emergency, research, indicators or operations; without it, what the role is for
    #[arg(long, value_name = "PURPOSE")]
    pub purpose: Option<String>,
    /// What the app was granted, if one stands in between: "patient/*.rs"
    #[arg(long, value_name = "SCOPES")]
    pub scopes: Option<String>,
    /// Why the person's decision is passed over
    #[arg(long, value_name = "REASON")]
    pub break_glass: Option<String>,
}

/// Arguments of `access explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArguments {
    /// The resource: Observation/123
    pub resource: String,
    #[command(flatten)]
    pub subject: SubjectArguments,
    /// Rules instead of those that come with the program
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
}

/// Arguments of `access who`.
#[derive(Args, Debug)]
pub(crate) struct WhoArguments {
    /// The resource: Observation/123
    pub resource: String,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// As of this date or instant
    #[arg(long, value_name = "MOMENT")]
    pub at: Option<String>,
    /// Rules instead of those that come with the program
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
}

/// Arguments of `access compare`.
#[derive(Args, Debug)]
pub(crate) struct CompareArguments {
    /// The other rules
    pub other: PathBuf,
    #[command(flatten)]
    pub subject: SubjectArguments,
    /// The rules there are, if not those that come with the program
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
}
