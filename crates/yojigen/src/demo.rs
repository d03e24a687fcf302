//! `yojigen demo`

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::DemoArguments;

/// Makes a community and serves it.
pub(crate) fn run(_arguments: &DemoArguments) -> Result<ExitCode> {
    anyhow::bail!("under way")
}
