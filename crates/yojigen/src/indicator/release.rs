//! `yojigen indicator release`, `releases` and `withdraw`: what everyone may read.

use std::process::ExitCode;

use ::figures::Figures;
use anyhow::Result;
use hub::Access;

use super::evaluate::{as_of, period, said};
use crate::cli::{DataArguments, IndicatorReleaseArguments};
use crate::hub_at;

fn figures(data: &DataArguments) -> Result<Figures> {
    hub_at::must_exist(&data.data)?;
    Ok(Figures::of(hub_at::open(&data.into())?))
}

/// Publishes, or says what would be.
pub(super) fn release(arguments: &IndicatorReleaseArguments) -> Result<ExitCode> {
    hub_at::must_exist(&arguments.data.data)?;
    let hub = hub_at::open(&(&arguments.data).into())?;
    let as_of = as_of(&hub, arguments.as_of.as_deref())?;
    let figures = Figures::of(hub);
    let access = Access::open("command line");
    let draft = figures.draft(&access, period(&arguments.period)?, as_of).map_err(|f| said(&f))?;
    for report in &draft.reports {
        say!("published  {}", report["measure"].as_str().unwrap_or_default());
    }
    for left_out in &draft.left_out {
        let by = left_out.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        say!("left out   {}{by} ({})", left_out.measure, left_out.why.code());
    }
    if arguments.dry_run {
        say!("{} would be published; nothing was", draft.reports.len());
        return Ok(ExitCode::SUCCESS);
    }
    let title = arguments.title.as_deref().unwrap_or(&arguments.period);
    let number = figures.publish(&access, &draft, title).map_err(|f| said(&f))?;
    say!("release {number}: {} indicators, data of {}", draft.reports.len(), draft.data_instant);
    Ok(ExitCode::SUCCESS)
}

/// Lists.
pub(super) fn releases(data: &DataArguments) -> Result<ExitCode> {
    for release in figures(data)?.releases().map_err(|f| said(&f))? {
        let withdrawn = release.withdrawn.as_ref().map(|w| format!("  withdrawn: {}", w.reason));
        say!(
            "{:<4} {} to {}  data of {}  {} indicators  {}{}",
            release.number,
            release.period.0,
            release.period.1,
            release.data_instant,
            release.reports.len(),
            release.title,
            withdrawn.unwrap_or_default()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Withdraws.
pub(super) fn withdraw(number: u64, reason: &str, data: &DataArguments) -> Result<ExitCode> {
    figures(data)?.withdraw(&Access::open("command line"), number, reason).map_err(|f| said(&f))?;
    say!("release {number} is withdrawn");
    Ok(ExitCode::SUCCESS)
}
