//! `yojigen backup` and `yojigen restore`

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use fhir::DateTime;
use fhir::date_time::{FixedZone, format_instant};
use store::{Limits, Place, Until};

use crate::cli::{BackupArguments, RestoreArguments};
use crate::doctor::Show;
use crate::hub_at;

/// Brings a backup up to date.
pub(crate) fn backup(arguments: &BackupArguments) -> Result<ExitCode> {
    hub_at::must_exist(&arguments.data)?;
    let mut show = Show::new(arguments.quiet);
    let added = store::backup(&arguments.data, &arguments.folder, &Limits::default(), &mut |p| show.tell(p))?;
    show.finish();
    let manifest = store::manifest(&arguments.folder)?;
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&manifest)?);
        return Ok(ExitCode::SUCCESS);
    }
    let until = manifest.segments.last().map(|s| format_instant(s.until)).unwrap_or_default();
    say!(
        "{}: {added} entries added, {} in all, recorded until {until}",
        arguments.folder.display(),
        manifest.last()
    );
    Ok(ExitCode::SUCCESS)
}

/// Makes a hub from a backup.
pub(crate) fn restore(arguments: &RestoreArguments) -> Result<ExitCode> {
    let until = match (&arguments.as_of, arguments.place) {
        (Some(text), _) => {
            let moment =
                DateTime::parse(text).with_context(|| format!("'{text}' is not a date or instant"))?;
            Until::Moment(moment.interval(&FixedZone(0)).1 - 1)
        }
        (None, Some(0)) => bail!("--place: entries are counted from 1"),
        (None, Some(place)) => Until::Place(Place(place)),
        (None, None) => Until::End,
    };
    let mut show = Show::new(arguments.quiet);
    let (folder, data) = (&arguments.folder, &arguments.data);
    let last = store::restore(folder, data, until, &Limits::default(), &mut |p| show.tell(p))?;
    show.finish();
    say!("{}: restored up to entry {last} of the log", data.display());
    Ok(ExitCode::SUCCESS)
}
