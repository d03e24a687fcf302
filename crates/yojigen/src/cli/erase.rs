//! Erasing a person.

use clap::Args;

use super::DataArguments;

/// Arguments of `erase`.
#[derive(Args, Debug)]
pub(crate) struct EraseArguments {
    /// Whose record: Patient/ID
    #[arg(value_name = "PATIENT")]
    pub patient: String,
    #[command(flatten)]
    pub data: DataArguments,
    /// On whose request and why (a case's number, nobody's name); it stays in the log
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// Only this Patient, not those that are the same person by their links
    #[arg(long)]
    pub not_linked: bool,
    /// What else was decided to be erased: Type/ID; may be given several times
    #[arg(long, value_name = "RESOURCE")]
    pub also: Vec<String>,
    /// Only say what would be destroyed, and what else names the person
    #[arg(long)]
    pub dry_run: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}
