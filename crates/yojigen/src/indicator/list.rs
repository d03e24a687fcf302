//! `yojigen indicator list`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use indicators::public::{Cache, units};

use crate::hub_at;

/// What was fetched, by source, code and release.
pub(crate) fn run(data: &Path, json: bool) -> Result<ExitCode> {
    hub_at::must_exist(data)?;
    let list = Cache::of(data).list()?;
    if json {
        say!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(ExitCode::SUCCESS);
    }
    for kept in &list {
        let title = units::rule(kept.source, &kept.code).map_or("", |rule| rule.en.as_str());
        let source = kept.source.name();
        say!("{source:<11} {:<30} {:<12} {:>10} bytes  {title}", kept.code, kept.vintage, kept.bytes);
    }
    if list.is_empty() {
        say!("nothing was fetched yet; see yojigen indicator fetch --help");
    }
    Ok(ExitCode::SUCCESS)
}
