//! `yojigen key`, and the key of the process: what opens the data directory its task works on.
//!
//! A program has one key, said by `--key-file` or `--key-command` (or the environment, or the configuration file). It is read when
//! something first needs it: a task that opens nothing asks for no key.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, bail};
use clap::ArgMatches;
use clap::parser::ValueSource;
use sealing::{DataKeys, Key};

use crate::cli::{KeyRotateArguments, KeySealArguments, KeyTask};
use crate::doctor::Show;
use crate::hub_at;

/// Where the key comes from.
enum Source {
    File(PathBuf),
    Command(String),
}

impl Source {
    fn read(&self) -> Result<Key> {
        Ok(match self {
            Source::File(path) => Key::from_file(path)?,
            Source::Command(command) => Key::from_command(command)?,
        })
    }
}

static SOURCE: OnceLock<Option<Source>> = OnceLock::new();
static KEY: OnceLock<Key> = OnceLock::new();

/// Takes what was said about the key off the command line; what is wrong with it.
pub(crate) fn take(matches: &ArgMatches) -> Result<(), String> {
    let file = matches.try_get_one::<PathBuf>("key_file").ok().flatten();
    let command = matches.try_get_one::<String>("key_command").ok().flatten();
    let is_flag = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let source = match (file, command) {
        (None, None) => None,
        (Some(file), None) => Some(Source::File(file.clone())),
        (None, Some(command)) => Some(Source::Command(command.clone())),
        (Some(file), Some(command)) => match (is_flag("key_file"), is_flag("key_command")) {
            (true, false) => Some(Source::File(file.clone())),
            (false, true) => Some(Source::Command(command.clone())),
            _ => {
                return Err(
                    "key-file and key-command are both said; a hub has one key: say one of them".to_owned()
                );
            }
        },
    };
    let _ = SOURCE.set(source);
    Ok(())
}

/// The key of the process, if one was said.
pub(crate) fn given() -> Result<Option<&'static Key>> {
    let Some(Some(source)) = SOURCE.get() else { return Ok(None) };
    if KEY.get().is_none() {
        let _ = KEY.set(source.read()?);
    }
    Ok(KEY.get())
}

/// The keys of a data directory that is there, if it is sealed.
pub(crate) fn of(data: &Path) -> Result<Option<Arc<DataKeys>>> {
    Ok(DataKeys::of(data, given()?, false)?.map(Arc::new))
}

fn needed() -> Result<&'static Key> {
    given()?.context("no key is given; say --key-file FILE or --key-command COMMAND")
}

/// Does what is to be done about keys.
pub(crate) fn run(task: &KeyTask) -> Result<ExitCode> {
    match task {
        KeyTask::New { file } => {
            let key = Key::fresh()?;
            key.write(file)?;
            say!("{} holds key {}", file.display(), key.id());
            say!("Keep a copy elsewhere: what is sealed with it cannot be read without it, by anybody.");
        }
        KeyTask::Rotate(arguments) => rotate(arguments)?,
        KeyTask::Seal(arguments) => {
            let key = needed()?;
            must_be_sealed(&arguments.data, false)?;
            change(arguments, None, Some(key), "before-sealing")?;
            say!("{} is sealed with key {}", arguments.data.display(), key.id());
            say!(
                "What it was before can still be read, in {}: see that all is well, then destroy it, and backups that are not encrypted.",
                beside(&arguments.data, "before-sealing")?.display()
            );
        }
        KeyTask::Unseal(arguments) => {
            let key = needed()?;
            must_be_sealed(&arguments.data, true)?;
            change(arguments, Some(key), None, "before-unsealing")?;
            say!(
                "{} is not sealed any more; what it was before is at {}",
                arguments.data.display(),
                beside(&arguments.data, "before-unsealing")?.display()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn must_be_sealed(data: &Path, is_wanted: bool) -> Result<()> {
    hub_at::must_exist(data)?;
    match (DataKeys::are_at(data), is_wanted) {
        (true, false) => bail!("{} is sealed already; yojigen key rotate changes its key", data.display()),
        (false, true) => bail!("{} is not sealed", data.display()),
        _ => Ok(()),
    }
}

fn rotate(arguments: &KeyRotateArguments) -> Result<()> {
    let old = needed()?;
    let new = match (&arguments.new_key_file, &arguments.new_key_command) {
        (Some(file), _) => Some(Key::from_file(file)?),
        (None, Some(command)) => Some(Key::from_command(command)?),
        (None, None) => None,
    };
    if let (Some(place), Some(new)) = (&arguments.backup, &new) {
        return crate::backup::rotate(place, old, new);
    }
    let Some(data) = &arguments.data else {
        bail!("--data: name the data directory, or a backup with --backup")
    };
    must_be_sealed(data, true)?;
    if arguments.next_data_key {
        let generation = DataKeys::renew(data, old)?;
        say!(
            "{} has data key {generation}: what is written after the hub's next start is sealed with it",
            data.display()
        );
        return Ok(());
    }
    if arguments.data_keys {
        let sealing =
            KeySealArguments { data: data.clone(), key: arguments.key.clone(), quiet: arguments.quiet };
        change(&sealing, Some(old), Some(old), "before-rotation")?;
        say!(
            "{} is sealed anew, with data keys made now; what it was before is at {}",
            data.display(),
            beside(data, "before-rotation")?.display()
        );
    }
    if let Some(new) = &new {
        DataKeys::rotate(data, old, new)?;
        say!(
            "{} is sealed with key {} now; a hub that is running takes it at its next start",
            data.display(),
            new.id()
        );
        say!(
            "Keep key {} as long as there are backups sealed with it (yojigen key rotate --backup PLACE changes theirs).",
            old.id()
        );
    }
    Ok(())
}

fn beside(data: &Path, suffix: &str) -> Result<PathBuf> {
    let name = data.file_name().with_context(|| format!("{} has no name", data.display()))?;
    Ok(data.with_file_name(format!("{}.{suffix}", name.to_string_lossy())))
}

/// Makes a data directory anew, sealed otherwise, and puts it in the place of the old one, which stays beside it.
fn change(
    arguments: &KeySealArguments,
    from: Option<&'static Key>,
    to: Option<&'static Key>,
    suffix: &str,
) -> Result<()> {
    let data = &arguments.data;
    if let Some(key) = to {
        key.must_be_outside(data)?;
    }
    let (new, old) = (beside(data, "sealing")?, beside(data, suffix)?);
    if old.exists() {
        bail!("{} exists; it is what an earlier run replaced. Remove it first", old.display());
    }
    if new.exists() {
        // What an interrupted run left; the source is untouched.
        std::fs::remove_dir_all(&new).with_context(|| format!("removing {}", new.display()))?;
    }
    let limits = |key| store::Limits { key, ..store::Limits::default() };
    let mut show = Show::new(arguments.quiet);
    store::replay_into(data, &limits(from), &new, &limits(to), &mut |p| show.tell(p))?;
    show.finish();
    let keys_of =
        |folder: &Path, key| Ok::<_, sealing::Error>(DataKeys::of(folder, key, false)?.map(Arc::new));
    let (from, to) = (keys_of(data, from)?, keys_of(&new, to)?);
    let (ledger, ledger_there) = (hub_at::ledger_folder(data), hub_at::ledger_folder(&new));
    if ledger::Ledger::is_at(&ledger) {
        ledger::copy(&ledger, from.as_ref(), &ledger_there, to.as_ref())
            .context("copying the read-audit ledger")?;
    }
    crate::vault::copy(data, from.as_deref(), &new, to.as_deref())?;
    std::fs::rename(data, &old).with_context(|| format!("moving {} aside", data.display()))?;
    std::fs::rename(&new, data).with_context(|| format!("moving {} into place", new.display()))?;
    // What subscribers have confirmed, and what a demo was made of, says nothing of anybody. What jobs made is not taken along:
    // it is kept a day, and can be asked for again.
    for name in ["subscriptions", "DEMO"] {
        let there = old.join(name);
        if there.exists() {
            std::fs::rename(&there, data.join(name))
                .with_context(|| format!("moving {} into place", there.display()))?;
        }
    }
    Ok(())
}
