//! Following the hub's destructions and erasures in a backup that was taken before them.
//!
//! The hub's log says what was destroyed; where a body of the backup is no more in the hub, or an entry has lost texts there, the
//! hub's bytes stand in its place. Only files that hold such a thing are written anew, each beside the old one; the manifest
//! names the new one; the old one is removed. Chain values stay, as in the hub: the backup restores to the same log with the
//! same named gaps, to any moment.
//!
//! An interruption leaves the old or the new file in force; the next run removes what the manifest does not name.
//!
//! Design not chosen: a key for each person's bodies (docs/decisions/2611-erasure.md).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sealing::{FileKey, Key};

use super::segment::{BackupSource, SegmentWriter};
use super::shelf::Shelf;
use super::{Segment, Until, manifest, write_manifest};
use crate::doctor::Progress;
use crate::engine::{Engine, Family, Limits, View};
use crate::error::Error;
use crate::layout::bodies::{Content as BodyContent, Version};
use crate::layout::log::{Content, Operation};
use crate::layout::rows;
use crate::numbers::{Place, ResourceNumber};
use crate::replay::{Logged, Source as _, StoreSource};

/// What following the hub changed in a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Texts of versions that were left out.
    pub bodies: u64,
    /// Entries of the log that lost texts.
    pub entries: u64,
    /// Files that were written anew.
    pub files: u64,
}

/// Leaves out of a backup what the hub at `source`, which may be serving, has destroyed or erased since. `key` opens the backup,
/// if it is sealed.
///
/// # Errors
/// A backup of another log, damage in either, a full disk, what the shelf says.
pub fn erase_from_backup(
    source: &Path,
    shelf: &dyn Shelf,
    limits: &Limits,
    key: Option<&Key>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Erased, Error> {
    let mut manifest = manifest(shelf)?;
    let key = manifest.file_key(shelf, key)?;
    let engine = Engine::open_for_reading(source, limits)?;
    let view = View::newest(&engine)?;
    let mut log = StoreSource::new(view)?;
    if let Some(known) = manifest.segments.last() {
        let is_same = known.to <= log.last().0
            && data_encoding::HEXLOWER.encode(&log.chain_at(Place(known.to))?) == known.chain;
        if !is_same {
            return Err(Error::Backup(format!(
                "{}: it is a backup of another log, or of a later state of this one; name the hub it was taken from",
                shelf.name(None)
            )));
        }
    }
    let (touched, last) = touched(&view, &mut log, progress)?;
    let mut erased = Erased::default();
    for at in 0..manifest.segments.len() {
        let Some(segment) = manifest.segments.get(at).cloned() else { break };
        if touched.range(Place(segment.from)..=Place(segment.to)).next().is_none() {
            continue;
        }
        progress(Progress { stage: "writing the backup anew", done: segment.to, total: manifest.last().0 });
        let rewritten = rewritten(shelf, &segment, key.as_ref(), &mut log, &mut erased)
            .inspect_err(|_| shelf.discard())?;
        let Some(rewritten) = rewritten else { continue };
        if let Some(place) = manifest.segments.get_mut(at) {
            *place = rewritten;
        }
        write_manifest(shelf, &manifest)?;
        erased.files += 1;
    }
    // Also what an earlier run could not remove.
    for file in shelf.files()? {
        if is_superseded(&file, &manifest.segments) {
            shelf.remove(&file)?;
        }
    }
    shelf.discard();
    (manifest.destroyed, manifest.erased) = (manifest.destroyed.max(last.0.min(manifest.last().0)), last.0);
    write_manifest(shelf, &manifest)?;
    Ok(erased)
}

/// A segment's file, by its name, that the manifest does not name though it names what was in it.
fn is_superseded(file: &str, segments: &[Segment]) -> bool {
    let name = file.strip_suffix(".zst").or_else(|| file.strip_suffix(".sealed"));
    let Some(range) = name.and_then(|name| name.get(..25)) else { return false };
    let Some((from, to)) = range.split_once('-') else { return false };
    let (Ok(from), Ok(to)) = (from.parse::<u64>(), to.parse::<u64>()) else { return false };
    let is_covered = segments.last().is_some_and(|last| from <= to && to <= last.to);
    is_covered && segments.iter().all(|segment| segment.file != file)
}

/// The places of entries whose bodies or texts are no more in the hub, and the last entry that took some away.
fn touched(
    view: &View<'_>,
    log: &mut StoreSource<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<(BTreeSet<Place>, Place), Error> {
    let total = log.last().0;
    let (mut places, mut last) = (BTreeSet::new(), Place(0));
    let mut resources: BTreeMap<ResourceNumber, u8> = BTreeMap::new();
    for place in (1..=total).map(Place) {
        let entry = log.entry(place)?;
        if entry.redacted_by.is_some() {
            places.insert(place);
        }
        if entry.destroys() {
            last = place;
        }
        if let Content::Transaction(commands) = entry.content {
            let destroyed = commands.iter().filter(|c| c.operation == Operation::Destroy);
            resources.extend(destroyed.map(|c| (c.resource, c.type_number)));
        }
        if place.0 % 10_000 == 0 {
            progress(Progress { stage: "what was destroyed", done: place.0, total });
        }
    }
    for (number, type_number) in resources {
        let head = crate::reader::stored_head(view, number)?;
        let persons: BTreeSet<ResourceNumber> =
            head.earlier_persons.iter().map(|(_, person)| *person).chain([head.person]).collect();
        for person in persons {
            let prefix = rows::prefix(crate::numbers::Seat { person, resource: number }, type_number);
            let mut versions = view.range(Family::Bodies, &prefix, &search::condition::after_prefix(&prefix));
            versions.seek_to_first();
            while let Some((key, value)) = versions.item() {
                if matches!(Version::decode(value)?.content, BodyContent::Destroyed { .. }) {
                    places.insert(rows::read_place(key));
                }
                versions.next();
            }
            versions.status()?;
        }
    }
    Ok((places, last))
}

/// A segment as the hub has its entries now; `None` if it is that already.
fn rewritten(
    shelf: &dyn Shelf,
    segment: &Segment,
    key: Option<&FileKey>,
    log: &mut StoreSource<'_>,
    erased: &mut Erased,
) -> Result<Option<Segment>, Error> {
    let one = std::slice::from_ref(segment);
    let mut kept = BackupSource::starting(shelf, one, Until::End, key.copied(), Place(segment.from - 1));
    log.seek(Place(segment.from - 1));
    let mut written = SegmentWriter::begin(shelf, Place(segment.from), key)?;
    let before = *erased;
    while let Some(old) = kept.next()? {
        let Some(now) = log.next()? else { break };
        if now.place != old.place || now.chain != old.chain {
            return Err(Error::Backup(format!(
                "{}: entry {} is not the one the hub has; name the hub the backup was taken from",
                shelf.name(Some(&segment.file)),
                old.place
            )));
        }
        written.add(follow(old, now, erased)?)?;
    }
    if *erased == before {
        shelf.discard();
        return Ok(None);
    }
    Ok(Some(written.finish_instead()?))
}

/// An entry of a backup, without what the hub's has lost.
fn follow(mut old: Logged, now: Logged, erased: &mut Erased) -> Result<Logged, Error> {
    if now.entry != old.entry && now.entry.redacted_by.is_some() {
        old.entry = now.entry;
        erased.entries += 1;
    }
    for (old, now) in old.bodies.iter_mut().zip(now.bodies) {
        let Some(bytes) = now else { continue };
        let is_gone = matches!(Version::decode(&bytes)?.content, BodyContent::Destroyed { .. });
        if is_gone && old.as_ref() != Some(&bytes) {
            *old = Some(bytes);
            erased.bodies += 1;
        }
    }
    Ok(old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_were_replaced_are_removed() {
        let segment = |file: &str, from, to| Segment {
            file: file.to_owned(),
            from,
            to,
            until: 0,
            bytes: 1,
            blake3: String::new(),
            chain: String::new(),
        };
        let segments = [
            segment("000000000001-000000000009.0123456789abcdef.zst", 1, 9),
            segment("000000000010-000000000020.zst", 10, 20),
        ];
        for (file, is_gone) in [
            ("000000000001-000000000009.zst", true),
            ("000000000001-000000000009.fedcba9876543210.zst", true),
            ("000000000001-000000000009.0123456789abcdef.zst", false),
            ("000000000010-000000000020.zst", false),
            // Another run's, that is on its way.
            ("000000000021-000000000030.zst", false),
            ("BACKUP", false),
            ("LOCK", false),
            ("a-b.zst", false),
            ("ああああああああ-b.zst", false),
        ] {
            assert_eq!(is_superseded(file, &segments), is_gone, "{file}");
        }
    }
}
