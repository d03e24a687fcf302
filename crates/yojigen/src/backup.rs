//! `yojigen backup` and `yojigen restore`

mod credentials;
mod s3;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use fhir::DateTime;
use fhir::date_time::{FixedZone, format_instant};
use sealing::Key;
use store::{Erased, Folder, Limits, Manifest, Place, Shelf, Until};

use self::s3::ObjectStorage;
use crate::cli::{BackupArguments, RestoreArguments};
use crate::doctor::Show;
use crate::hub_at;

/// Where an address leads, to read or to write.
fn shelf(address: &str, is_written: bool) -> Result<Box<dyn Shelf>> {
    Ok(match address.split_once("://") {
        Some(("s3", rest)) => Box::new(ObjectStorage::at(rest)?),
        Some((scheme, _)) => {
            bail!("{scheme}:// is not known; a backup lies in a folder or at s3://bucket/prefix")
        }
        None if is_written => Box::new(Folder::to_write(Path::new(address))?),
        None => Box::new(Folder::at(Path::new(address))),
    })
}

/// Brings a backup up to date, or shows what there is.
pub(crate) fn backup(arguments: &BackupArguments) -> Result<ExitCode> {
    if arguments.list {
        return list(arguments);
    }
    let Some(data) = &arguments.data else { bail!("--data: name the data directory, or say --list") };
    hub_at::must_exist(data)?;
    let mut show = Show::new(arguments.quiet);
    let shelf = shelf(&arguments.place, true)?;
    let own = arguments.backup_key_file.as_deref().map(Key::from_file).transpose()?;
    if let Some(key) = &own {
        key.must_be_outside(data)?;
    }
    let limits = hub_at::limits()?;
    let key = own.as_ref().or(limits.key).filter(|_| !arguments.clear);
    if arguments.erase {
        let erased = store::erase_from_backup(data, shelf.as_ref(), &limits, key, &mut |p| show.tell(p))?;
        show.finish();
        return told(arguments, shelf.as_ref(), erased);
    }
    let added = store::backup_with(data, shelf.as_ref(), &limits, key, &mut |p| show.tell(p))?;
    show.finish();
    let manifest = store::manifest(shelf.as_ref())?;
    note(data, &shelf.name(None), &manifest);
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&manifest)?);
    } else {
        let name = shelf.name(None);
        say!(
            "{name}: {added} entries added, {} in all, recorded until {}",
            manifest.last(),
            until(&manifest)
        );
        if manifest.is_behind() {
            say!("it may still hold what the hub has destroyed since; leave that out with --erase");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Notes beside the data that there is a backup, for whoever looks after the hub. A backup stands without the note.
fn note(data: &Path, name: &str, manifest: &Manifest) {
    let told =
        serde_json::json!({"at": format_instant(hub::now()), "where": name, "entries": manifest.last()});
    let (new, file) = (data.join("backup.new"), data.join(web::LAST_BACKUP));
    let written = std::fs::write(&new, format!("{told:#}\n")).and_then(|()| std::fs::rename(&new, &file));
    if let Err(error) = written {
        tracing::warn!("{} cannot be written: {error}", file.display());
    }
}

/// What following the hub's erasures changed.
fn told(arguments: &BackupArguments, shelf: &dyn Shelf, erased: Erased) -> Result<ExitCode> {
    let Erased { bodies, entries, files } = erased;
    if arguments.json {
        let told = serde_json::json!({"texts": bodies, "entries": entries, "files": files});
        say!("{told:#}");
    } else {
        say!(
            "{}: {bodies} texts left out, texts of {entries} entries of the log erased, {files} files written anew",
            shelf.name(None)
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn until(manifest: &Manifest) -> String {
    manifest.segments.last().map(|s| format_instant(s.until)).unwrap_or_default()
}

/// Shows the backups at a place and one level below it; with `--check` reads them whole.
fn list(arguments: &BackupArguments) -> Result<ExitCode> {
    let mut rows = Vec::new();
    for address in addresses(&arguments.place)? {
        let shelf = shelf(&address, false)?;
        let mut show = Show::new(arguments.quiet);
        let manifest = match arguments.check {
            true => store::verify(shelf.as_ref(), &mut |p| show.tell(p)),
            false => store::manifest(shelf.as_ref()),
        };
        show.finish();
        rows.push((address, manifest?));
    }
    if rows.is_empty() {
        bail!("{}: there is no backup there; yojigen backup makes one", arguments.place);
    }
    if arguments.json {
        let rows: serde_json::Map<String, serde_json::Value> = rows
            .into_iter()
            .map(|(address, manifest)| Ok((address, serde_json::to_value(manifest)?)))
            .collect::<Result<_>>()?;
        say!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(ExitCode::SUCCESS);
    }
    for (address, manifest) in rows {
        let bytes: u64 = manifest.segments.iter().map(|s| s.bytes).sum();
        let (entries, files) = (manifest.last(), manifest.segments.len());
        let sealed = if manifest.is_sealed() { ", encrypted" } else { "" };
        let checked = if arguments.check { ", every file as it was written" } else { "" };
        say!(
            "{address}: {entries} entries, {files} files, {bytes} bytes, recorded until {}{sealed}{checked}",
            until(&manifest)
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Changes the key of an encrypted backup.
pub(crate) fn rotate(place: &str, old: &Key, new: &Key) -> Result<()> {
    store::rotate_backup(shelf(place, true)?.as_ref(), old, new)?;
    say!("{place} is encrypted with key {} now", new.id());
    Ok(())
}

/// Where the backups of a place are.
fn addresses(place: &str) -> Result<Vec<String>> {
    if let Some(rest) = place.strip_prefix("s3://") {
        return ObjectStorage::at(rest)?.list();
    }
    if place.contains("://") {
        shelf(place, false)?;
    }
    let path = Path::new(place);
    let mut found = Vec::new();
    if path.join("BACKUP").is_file() {
        found.push(place.to_owned());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{place}: no folder can be read there"))?;
    for entry in entries {
        let below = entry?.path();
        if below.join("BACKUP").is_file() {
            found.push(below.to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
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
    let shelf = shelf(&arguments.backup, false)?;
    let data = &arguments.data;
    let own = arguments.backup_key_file.as_deref().map(Key::from_file).transpose()?;
    let limits = hub_at::limits()?;
    if limits.key.is_none() && !arguments.clear && store::manifest(shelf.as_ref())?.is_sealed() {
        bail!(
            "{}: the backup is encrypted; give the key the new data directory is to be encrypted with (--key-file), or say --clear",
            arguments.backup
        );
    }
    let limits = Limits { key: limits.key.filter(|_| !arguments.clear), ..limits };
    let key = match &own {
        Some(key) => Some(key),
        None => crate::key::given()?,
    };
    let last = store::restore_with(shelf.as_ref(), data, until, &limits, key, &mut |p| show.tell(p))?;
    show.finish();
    say!("{}: restored up to entry {last} of the log", data.display());
    Ok(ExitCode::SUCCESS)
}
