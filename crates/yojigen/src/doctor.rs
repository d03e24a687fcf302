//! `yojigen doctor`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use fhir::json::JsonWriter;
use indicatif::ProgressBar;
use store::{Finding, Progress};

use crate::cli::DoctorArguments;
use crate::hub_at::{self, Opening};
use crate::progress;

/// Examines, or makes the index anew.
pub(crate) fn run(arguments: &DoctorArguments) -> Result<ExitCode> {
    let path = &arguments.data.data;
    hub_at::must_exist(path)?;
    let mut opening = Opening::from(&arguments.data);
    opening.limits.key = crate::key::given()?;
    if arguments.rebuild {
        return rebuild(path, &opening, arguments.quiet);
    }
    if arguments.compact {
        let hub = hub_at::open(&opening)?;
        hub.store().compact()?;
        say!("{} is compact", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut show = Show::new(arguments.quiet);
    let mut findings = store::examine(path, &opening.limits, &mut |p| show.tell(p))?;
    findings.extend(crate::ledger::findings(path)?);
    show.finish();
    if arguments.json {
        say!("{}", as_json(&findings));
    } else if findings.is_empty() {
        say!("{}: everything is there and agrees", path.display());
    } else {
        for Finding { place, finding } in &findings {
            say!("{place}: {finding}");
        }
        say!();
        say!(
            "If only index rows are wrong, yojigen doctor --rebuild makes them anew from the log; else restore a backup."
        );
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(findings: &[Finding]) -> String {
    let mut json = JsonWriter::new();
    json.array(|list| {
        for finding in findings {
            list.object(|f| {
                f.member("place", &finding.place);
                f.member("finding", &finding.finding);
            });
        }
    });
    json.finish()
}

/// Folds the log into a new directory and puts it in the place of the old one, which stays beside it.
fn rebuild(path: &Path, opening: &Opening<'_>, is_quiet: bool) -> Result<ExitCode> {
    let beside = |suffix: &str| -> Result<PathBuf> {
        let name = path.file_name().with_context(|| format!("{} has no name", path.display()))?;
        Ok(path.with_file_name(format!("{}.{suffix}", name.to_string_lossy())))
    };
    let (new, old) = (beside("rebuilding")?, beside("before-rebuild")?);
    if old.exists() {
        bail!("{} exists; it is what an earlier rebuild replaced. Remove it first", old.display());
    }
    if new.exists() {
        // What an interrupted rebuild left; the source is untouched.
        std::fs::remove_dir_all(&new).with_context(|| format!("removing {}", new.display()))?;
    }
    let mut show = Show::new(is_quiet);
    keep_keys(path, &new)?;
    store::replay(path, &new, &opening.limits, &mut |p| show.tell(p))?;
    show.finish();
    std::fs::rename(path, &old).with_context(|| format!("moving {} aside", path.display()))?;
    std::fs::rename(&new, path).with_context(|| format!("moving {} into place", new.display()))?;
    // The log is the same, so what subscribers have confirmed still holds; who looked and who may sign in is no part of it.
    for name in ["subscriptions", "ledger", "auth"] {
        let folder = old.join(name);
        if folder.exists() {
            std::fs::rename(&folder, path.join(name))
                .with_context(|| format!("moving {} into place", folder.display()))?;
        }
    }
    say!("{}: the index was made anew; what was there before is at {}", path.display(), old.display());
    Ok(ExitCode::SUCCESS)
}

/// Gives a new directory the keys of another: ledger and vault, which are not folded, stay sealed with them.
fn keep_keys(from: &Path, to: &Path) -> Result<()> {
    if sealing::DataKeys::are_at(from) {
        std::fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
        std::fs::copy(from.join(sealing::FILE), to.join(sealing::FILE))
            .with_context(|| format!("copying the keys of {}", from.display()))?;
    }
    Ok(())
}

/// One bar after another, one a stage.
pub(crate) struct Show {
    bar: ProgressBar,
    stage: &'static str,
    is_quiet: bool,
}

impl Show {
    pub(crate) fn new(is_quiet: bool) -> Show {
        Show { bar: progress::bar(0, "items", is_quiet), stage: "", is_quiet }
    }

    pub(crate) fn tell(&mut self, progress: Progress) {
        if progress.stage != self.stage {
            self.bar.finish_and_clear();
            self.bar = progress::bar(progress.total, "items", self.is_quiet);
            self.bar.set_message(progress.stage);
            self.stage = progress.stage;
        }
        self.bar.set_length(progress.total.max(progress.done));
        self.bar.set_position(progress.done);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
