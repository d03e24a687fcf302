//! Folding a log anew into an empty directory: the proof that the log is the truth, and the way to a new index.

use std::path::Path;

use fhir::body::Body;
use search::parameters;

use crate::doctor::Progress;
use crate::draft::Draft;
use crate::engine::{Engine, Family, Limits, View};
use crate::error::{Error, corrupt};
use crate::fold::{Entropy, Fold, Gone, Recorded, read_entry, type_of};
use crate::gaps::Gaps;
use crate::layout::FAMILIES;
use crate::layout::bodies::{Content as BodyContent, NONCE_BYTES, Version};
use crate::layout::log::{CHAIN_BYTES, Command, Content, Entry, Operation, Settings, body_hash};
use crate::layout::meta::{Counters, counters_key};
use crate::layout::remains::Remains;
use crate::layout::rows;
use crate::numbers::{Place, Seat};
use crate::proposal::{Action, Proposal, Rejection};
use crate::search::Memory;

/// A replay makes no nonces: those of the bodies are taken over.
struct NoEntropy;

impl Entropy for NoEntropy {
    fn nonce(&mut self) -> [u8; NONCE_BYTES] {
        [0; NONCE_BYTES]
    }
}

/// A group of this many entries is synced at once.
const GROUP: u64 = 500;

/// An entry of a log with what belongs to it.
pub(crate) struct Logged {
    pub(crate) place: Place,
    pub(crate) chain: [u8; CHAIN_BYTES],
    pub(crate) entry: Entry,
    /// The kept bodies of its commands, for those that have one.
    pub(crate) bodies: Vec<Option<Vec<u8>>>,
}

/// A log to be folded, entry by entry.
pub(crate) trait Source {
    /// The next entry; `None` after the last.
    fn next(&mut self) -> Result<Option<Logged>, Error>;
}

/// The log of a store.
pub(crate) struct StoreSource<'v> {
    view: View<'v>,
    done: Place,
    last: Place,
}

impl<'v> StoreSource<'v> {
    pub(crate) fn new(view: View<'v>) -> Result<StoreSource<'v>, Error> {
        let counters = view.get(Family::State, counters_key())?;
        let last = match counters.and_then(|value| Counters::decode(&value)) {
            Some(counters) => counters.place,
            None => last_place(&view)?,
        };
        Ok(StoreSource { view, done: Place(0), last })
    }

    pub(crate) fn last(&self) -> Place {
        self.last
    }

    /// Goes on after a place.
    pub(crate) fn seek(&mut self, after: Place) {
        self.done = after;
    }

    pub(crate) fn entry(&self, place: Place) -> Result<Entry, Error> {
        Ok(read_entry(&self.view, place)?.1)
    }

    pub(crate) fn chain_at(&self, place: Place) -> Result<[u8; CHAIN_BYTES], Error> {
        Ok(read_entry(&self.view, place)?.0)
    }
}

impl Source for StoreSource<'_> {
    fn next(&mut self) -> Result<Option<Logged>, Error> {
        if self.done >= self.last {
            return Ok(None);
        }
        let place = Place(self.done.0 + 1);
        self.done = place;
        let (chain, entry) = read_entry(&self.view, place)?;
        let mut bodies = Vec::new();
        if let Content::Transaction(commands) = &entry.content {
            for command in commands {
                let seat = Seat { person: command.person, resource: command.resource };
                let key = rows::key(seat, command.type_number, place);
                let Some((hash, _)) = command.body.filter(|_| command.operation != Operation::Destroy) else {
                    bodies.push(None);
                    continue;
                };
                let name = || format!("a body of entry {place} of the log ({})", command.id.unpack());
                let value = self.view.get(Family::Bodies, key)?;
                let value = value.ok_or_else(|| corrupt(&name(), "it is missing"))?;
                if let BodyContent::Text { nonce, text, .. } = Version::decode(&value)?.content
                    && body_hash(nonce, text) != hash
                {
                    return Err(corrupt(
                        &name(),
                        "it is not what was written (its hash differs from the log's)",
                    ));
                }
                bodies.push(Some(value.to_vec()));
            }
        }
        Ok(Some(Logged { place, chain, entry, bodies }))
    }
}

/// Folds the log of the store at `source` into a new store at `target`. Entries and bodies come out as they went in;
/// if the index is now made otherwise than the log last says, that is stated in a further entry.
///
/// # Errors
/// Damage in the source, a command that is now decided otherwise, a full disk.
pub fn replay(
    source: &Path,
    target: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    replay_into(source, limits, target, limits, progress)
}

/// The same into a store that is opened otherwise: sealed, with another key, or not any more.
///
/// # Errors
/// As [`replay`].
pub fn replay_into(
    source: &Path,
    source_limits: &Limits,
    target: &Path,
    target_limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    let engine = Engine::open(source, source_limits)?;
    let mut source = StoreSource::new(View::newest(&engine)?)?;
    let total = source.last();
    fold_all(&mut source, &Engine::open(target, target_limits)?, total, progress)?;
    Ok(())
}

/// Folds a log into a new store; the place of its last entry.
pub(crate) fn fold_all(
    source: &mut dyn Source,
    target: &Engine,
    total: Place,
    progress: &mut dyn FnMut(Progress),
) -> Result<Place, Error> {
    let first = source.next()?.ok_or_else(|| corrupt("the log", "it is empty"))?;
    let Content::Settings(mut settings) = first.entry.content else {
        return Err(corrupt("entry 1 of the log", "it does not state the settings"));
    };
    let mut fold = Fold::begin(target, settings.clone(), first.entry.instant, Memory::default())?;
    let mut last = first.place;
    let mut gaps = Gaps::default();
    while let Some(Logged { place, chain, entry, mut bodies }) = source.next()? {
        gaps.meet(place, &entry);
        match entry.content {
            Content::Settings(stated) => {
                fold.restate(target, stated.clone(), entry.instant)?;
                settings = stated;
            }
            Content::Redaction(redactions) => {
                fold.redact_again(target, entry.circumstances, redactions, entry.instant)?;
            }
            Content::Transaction(commands) => {
                let redacted = entry.redacted_by.map(|by| (by, chain));
                let mut recorded = Recorded { instant: entry.instant, redacted, ..Recorded::default() };
                let mut actions = Vec::with_capacity(commands.len());
                bodies.resize(commands.len(), None);
                for (command, body) in commands.into_iter().zip(bodies) {
                    let (action, nonce) = action(body.as_deref(), &fold, place, &command)?;
                    let version = (command.operation != Operation::Destroy).then_some(command.version);
                    recorded.nonces.push(nonce);
                    recorded.resolved.push(command.resolved);
                    recorded.criteria.push(command.criteria);
                    let resource_type = type_of(command.type_number);
                    actions.push(crate::proposal::Command {
                        if_match: command.if_match,
                        version,
                        ..crate::proposal::Command::new(resource_type, command.id.unpack(), action)
                    });
                }
                let proposal = Proposal {
                    rights: None,
                    may_break_references: false,
                    circumstances: entry.circumstances,
                    commands: actions,
                    once: entry.once,
                    recorded: None,
                };
                let outcome = fold.apply(target, proposal, entry.instant, &mut NoEntropy, Some(&recorded));
                outcome.map_err(|rejection| refused(place, rejection))?;
            }
        }
        if fold.place() != place || fold.chain() != chain {
            return Err(corrupt(&format!("entry {place} of the log"), "folded anew it is not the same"));
        }
        last = place;
        if place.0 % GROUP == 0 {
            target.sync()?;
            progress(Progress { stage: "folding the log", done: place.0, total: total.0 });
        }
    }
    if let Some((place, finding)) = gaps.findings(last).next() {
        return Err(corrupt(&format!("entry {place} of the log"), finding));
    }
    let made = Settings { parameters: parameters().fingerprint(), ..settings.clone() };
    if made != settings {
        let instant = fold.last_instant().saturating_add(1);
        fold.restate(target, made, instant)?;
    }
    target.sync()?;
    progress(Progress { stage: "folding the log", done: last.0, total: last.0 });
    target.flush()?;
    Ok(last)
}

fn refused(place: Place, rejection: Rejection) -> Error {
    match rejection {
        Rejection::Store(error) => error,
        Rejection::Command { index, issue, .. } => corrupt(
            &format!("entry {place} of the log"),
            format!(
                "command {} was accepted and is refused when folded anew: {}",
                index + 1,
                issue.diagnostics
            ),
        ),
    }
}

/// The last entry, where the counters cannot be read.
fn last_place(view: &View<'_>) -> Result<Place, Error> {
    let mut entries = view.range(Family::Log, &[0], &[0xff; 9]);
    entries.seek_to_last();
    let found = entries.key().map(crate::layout::log::read_key);
    entries.status()?;
    found.ok_or_else(|| corrupt("the log", "it is empty"))
}

fn action(
    body: Option<&[u8]>,
    fold: &Fold,
    place: Place,
    command: &Command,
) -> Result<(Action, Option<[u8; NONCE_BYTES]>), Error> {
    match command.operation {
        Operation::Delete => return Ok((Action::Delete, None)),
        Operation::Destroy => return Ok((Action::Destroy { up_to: command.version }, None)),
        _ => {}
    }
    let name = || format!("the body of entry {place} of the log");
    let value = body.ok_or_else(|| corrupt(&name(), "it is missing"))?;
    let (nonce, splice, text) = match (Version::decode(value)?.content, command.body) {
        (BodyContent::Text { nonce, splice, text }, _) => (nonce, splice, text),
        (BodyContent::Destroyed { remains }, Some(body)) => {
            let remains = Remains::decode(remains)?;
            let gone = Gone { remains, body, operation: command.operation };
            return Ok((Action::Gone(Box::new(gone)), None));
        }
        _ => return Err(corrupt(&name(), "it is none")),
    };
    let body = Body { text: text.to_owned(), splice };
    let id = command.id.unpack();
    let draft =
        Draft::of_body(body, &id, fold.zone()).map_err(|issue| corrupt(&name(), issue.diagnostics))?;
    let draft = Box::new(draft);
    let action = match command.operation {
        Operation::Create => Action::Create { draft, references: Vec::new(), if_none_exist: None },
        Operation::Replace => Action::Replace { draft, references: Vec::new() },
        Operation::Update | Operation::Delete | Operation::Destroy => {
            Action::Update { draft, references: Vec::new() }
        }
    };
    Ok((action, Some(*nonce)))
}

/// What a family holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The family's name.
    pub family: &'static str,
    /// How many rows.
    pub rows: u64,
    /// BLAKE3 over all keys and values, in order.
    pub hash: [u8; 32],
}

/// What each family of a store holds: two stores that say the same are the same, byte for byte.
///
/// # Errors
/// If the store cannot be opened or read.
pub fn contents(path: &Path, limits: &Limits) -> Result<Vec<Contents>, Error> {
    let mut found: Vec<(Contents, blake3::Hasher)> = FAMILIES
        .into_iter()
        .map(|family| (Contents { family, rows: 0, hash: [0; 32] }, blake3::Hasher::new()))
        .collect();
    each_row(path, limits, &mut |family, key, value| {
        for (contents, hasher) in found.iter_mut().filter(|(contents, _)| contents.family == family) {
            contents.rows += 1;
            for part in [key, value] {
                hasher.update(&(part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
    })?;
    let hashed = |(contents, hasher): (Contents, blake3::Hasher)| Contents {
        hash: *hasher.finalize().as_bytes(),
        ..contents
    };
    Ok(found.into_iter().map(hashed).collect())
}

/// Is passed a family's name, a key and its value.
pub type VisitRow<'v> = dyn FnMut(&'static str, &[u8], &[u8]) + 'v;

/// Passes every key and value of a store that no other process has open to `visit`, with its family's name.
///
/// # Errors
/// If the store cannot be opened or read.
pub fn each_row(path: &Path, limits: &Limits, visit: &mut VisitRow<'_>) -> Result<(), Error> {
    let engine = Engine::open(path, limits)?;
    let view = View::newest(&engine)?;
    let families = [Family::Log, Family::Bodies, Family::State, Family::Rows, Family::Live, Family::Past];
    for (family, name) in families.into_iter().zip(FAMILIES) {
        let mut range = view.sweep(family);
        range.seek_to_first();
        while let Some((key, value)) = range.item() {
            visit(name, key, value);
            range.next();
        }
        range.status()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rocksdb::WriteBatch;

    use super::{NoEntropy, contents, replay};
    use crate::draft::{Draft, Substitutions};
    use crate::engine::{Engine, Family, View};
    use crate::fold::read_entry;
    use crate::layout::meta::index_key;
    use crate::numbers::Place;
    use crate::{
        Action, Clock, Command, Erased, Error, Folder, Limits, Options, Part, Proposal, Store, Until, backup,
        erase_from_backup, examine, manifest, restore,
    };

    struct Stopped;

    impl Clock for Stopped {
        fn now(&mut self) -> fhir::date_time::Micros {
            0
        }
    }

    fn options() -> Options {
        Options {
            limits: Limits::default(),
            zone: "Asia/Tokyo".to_owned(),
            clock: Box::new(Stopped),
            entropy: Box::new(NoEntropy),
            references: crate::ReferencePolicy::default(),
        }
    }

    #[test]
    fn an_index_of_an_older_program_is_refused_and_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        let store = Store::open(&old, options()).unwrap();
        for family in ["Yamada", "Suzuki", "Yamada"] {
            let text = format!(r#"{{"resourceType":"Patient","id":"a","name":[{{"family":"{family}"}}]}}"#);
            let patient = fhir::json::parse(text.as_bytes(), &fhir::Limits::default()).unwrap();
            let draft = Draft::new(patient.root(), "a", &Substitutions::default(), store.zone()).unwrap();
            let proposal = Proposal {
                rights: None,
                may_break_references: false,
                circumstances: crate::Circumstances::default(),
                commands: vec![Command::new(
                    patient.root().value_type(),
                    "a",
                    Action::Update { draft: Box::new(draft), references: Vec::new() },
                )],
                once: None,
                recorded: None,
            };
            store.commit(proposal).unwrap();
        }
        store.close().unwrap();
        drop(store);
        let limits = Limits::default();
        let right = contents(&old, &limits).unwrap();

        // Another program numbers parameters otherwise: what it left in the index means nothing here.
        let engine = Engine::open(&old, &limits).unwrap();
        let mut batch = WriteBatch::default();
        let families = engine.families().unwrap();
        for family in [Family::Live, Family::Past] {
            let view = View::newest(&engine).unwrap();
            let mut range = view.sweep(family);
            range.seek_to_first();
            while let Some((key, value)) = range.item() {
                families.delete(&mut batch, family, key);
                families.put(&mut batch, family, [&[0xfe], key].concat(), value);
                range.next();
            }
        }
        families.put(&mut batch, Family::State, index_key(), 1u64.to_be_bytes());
        engine.write(batch).unwrap();
        engine.flush().unwrap();
        drop(engine);

        assert!(matches!(Store::open(&old, options()), Err(Error::OtherIndex)));
        replay(&old, &new, &limits, &mut |_| {}).unwrap();
        assert_eq!(contents(&new, &limits).unwrap(), right);
        Store::open(&new, options()).unwrap().close().unwrap();
    }
    #[test]
    fn a_log_that_loses_texts_twice_folds_anew_into_the_same_from_every_backup() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (data, limits) = (path("data"), Limits::default());
        let store = Store::open(&data, options()).unwrap();
        let patient = fhir::json::parse(br#"{"resourceType":"Patient","id":"a"}"#, &fhir::Limits::default());
        let patient = patient.unwrap();
        for (n, author) in [(1, "四次元"), (2, "other")] {
            let id = format!("a{n}");
            let draft = Draft::new(patient.root(), &id, &Substitutions::default(), store.zone()).unwrap();
            let action = Action::Update { draft: Box::new(draft), references: Vec::new() };
            let circumstances = crate::Circumstances {
                author: Some(author.to_owned()),
                request_id: Some(format!("{author} {n}")),
                ..crate::Circumstances::default()
            };
            let proposal = Proposal {
                rights: None,
                may_break_references: false,
                circumstances,
                commands: vec![Command::new(patient.root().value_type(), &id, action)],
                once: Some([n; 16]),
                recorded: None,
            };
            store.commit(proposal).unwrap();
        }
        let backed_up = |name: &str| {
            let shelf = Folder::to_write(&path(name)).unwrap();
            backup(&data, &shelf, &limits, &mut |_| {}).unwrap();
        };
        let redact = |parts: Vec<Part>| {
            store.redact(crate::Circumstances::default(), vec![(Place(2), parts)]).unwrap();
        };
        backed_up("before");
        redact(vec![Part::Once, Part::Circumstance(0)]);
        backed_up("between");
        redact(vec![Part::Circumstance(6)]);
        for name in ["before", "between", "after"] {
            backed_up(name);
        }
        store.close().unwrap();
        drop(store);
        let right = contents(&data, &limits).unwrap();
        for name in ["before", "between", "after"] {
            let restored = path(&format!("restored {name}"));
            let shelf = Folder::at(&path(name));
            restore(&shelf, &restored, Until::End, &limits, &mut |_| {}).unwrap();
            assert_eq!(contents(&restored, &limits).unwrap(), right, "{name}");
            let found = examine(&restored, &limits, &mut |_| {}).unwrap();
            assert!(found.is_empty(), "{found:?}");
        }
        // As of an entry between the two: what is gone is gone, and the log does not say by which entry yet.
        let past = path("past");
        restore(&Folder::at(&path("after")), &past, Until::Place(Place(3)), &limits, &mut |_| {}).unwrap();
        assert!(examine(&past, &limits, &mut |_| {}).unwrap().is_empty());
        // A backup that follows has what the hub has.
        let shelf = Folder::to_write(&path("before")).unwrap();
        assert!(manifest(&shelf).unwrap().is_behind());
        let erased = erase_from_backup(&data, &shelf, &limits, None, &mut |_| {}).unwrap();
        assert_eq!((erased.entries, erased.files), (1, 1));
        assert!(!manifest(&shelf).unwrap().is_behind());
        let again = erase_from_backup(&data, &shelf, &limits, None, &mut |_| {}).unwrap();
        assert_eq!(again, Erased::default());
        restore(&shelf, &path("followed"), Until::End, &limits, &mut |_| {}).unwrap();
        assert_eq!(contents(&path("followed"), &limits).unwrap(), right);

        // Somebody takes more out than an entry says.
        let engine = Engine::open(&data, &limits).unwrap();
        let (chain, mut entry) = read_entry(&View::newest(&engine).unwrap(), Place(3)).unwrap();
        entry.redact(&[Part::Once], Place(4));
        let mut batch = WriteBatch::default();
        let value = [chain.as_slice(), &entry.encode()].concat();
        engine.families().unwrap().put(&mut batch, Family::Log, 3u64.to_be_bytes(), value);
        engine.write(batch).unwrap();
        engine.flush().unwrap();
        drop(engine);
        let found = examine(&data, &limits, &mut |_| {}).unwrap();
        assert!(found.iter().any(|f| f.place == "entry 3 of the log"), "{found:?}");
        let refused = replay(&data, &path("never"), &limits, &mut |_| {}).unwrap_err().to_string();
        assert!(refused.contains("entry 3 of the log"), "{refused}");
    }
}
