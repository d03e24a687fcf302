//! Appending, and the thread that writes.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rocksdb::WriteBatch;
use sealing::DataKeys;

use crate::chain::{self, Key, Link};
use crate::engine::Engine;
use crate::error::{Error, damaged, io};
use crate::head;
use crate::record::Record;
use crate::records::{Filter, Records};

/// Records are on disk after so long, at the latest.
pub const FLUSH: Duration = Duration::from_millis(500);
/// More records than this are not held in memory.
const MAX_QUEUED: usize = 100_000;

const KEY: &str = "KEY";
const NODE: &str = "NODE";
/// What the key is sealed for, in a sealed data directory.
const CHAIN_KEY: &str = "yojigen ledger: the chain's key";

/// What a new ledger is made with.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// The chain's key; from a generator for cryptography.
    pub key: Key,
    /// What the node is called by.
    pub node: [u8; 16],
}

/// Is told when a record is on disk, or why it is not.
pub type WhenFlushed = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// A record on its way to the disk.
struct Queued {
    sequence: u64,
    value: Vec<u8>,
    link: Link,
    record: Record,
}

struct State {
    /// The last record's number, link and instant.
    last: u64,
    link: Link,
    instant: i64,
    queue: Vec<Queued>,
    /// The last number that is on disk.
    flushed: u64,
    waiting: Vec<(u64, WhenFlushed)>,
    failure: Option<Error>,
    is_hurried: bool,
    is_closing: bool,
}

struct Shared {
    folder: PathBuf,
    key: Key,
    engine: Arc<Engine>,
    state: Mutex<State>,
    bell: Condvar,
}

/// A ledger that takes records. It is closed when it is dropped.
pub struct Ledger {
    shared: Arc<Shared>,
    records: Records,
    flusher: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("folder", &self.shared.folder).finish_non_exhaustive()
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// Whether there is a ledger in a folder.
    #[must_use]
    pub fn is_at(folder: &Path) -> bool {
        folder.join(KEY).is_file()
    }

    /// Opens the ledger of a folder, making one of what `fresh` gives where there is none.
    ///
    /// # Errors
    /// A ledger that is open elsewhere, damaged, or lost its end.
    pub fn open(folder: &Path, fresh: impl FnOnce() -> Fresh) -> Result<Ledger, Error> {
        Ledger::open_sealed(folder, None, fresh)
    }

    /// The same for the ledger of a data directory that may be sealed.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_sealed(
        folder: &Path,
        keys: Option<&Arc<DataKeys>>,
        fresh: impl FnOnce() -> Fresh,
    ) -> Result<Ledger, Error> {
        let keys_of = keys.map(Arc::as_ref);
        if !Ledger::is_at(folder) {
            make(folder, &fresh(), keys_of)?;
        }
        let (key, node) = (read_key(folder, keys_of)?, read_node(folder)?);
        let engine = Arc::new(Engine::open(folder, keys_of)?);
        let records = Records::new(Arc::clone(&engine), folder, node, keys);
        let (last, link, instant) = records.last()?;
        match head::read(folder)? {
            Some((sequence, _)) if sequence > last => {
                return Err(damaged(
                    folder.display().to_string(),
                    format!(
                        "the ledger ends with record {last}, and record {sequence} was in it; keep the folder for whoever is to \
                         judge that, and move it away: the hub begins a new one"
                    ),
                ));
            }
            _ => {}
        }
        let state = State {
            last,
            link,
            instant,
            queue: Vec::new(),
            flushed: last,
            waiting: Vec::new(),
            failure: None,
            is_hurried: false,
            is_closing: false,
        };
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            key,
            engine,
            state: Mutex::new(state),
            bell: Condvar::new(),
        });
        let writing = Arc::clone(&shared);
        let flusher = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || write_all(&writing))
            .map_err(io(folder))?;
        Ok(Ledger { shared, records, flusher: Mutex::new(Some(flusher)) })
    }

    /// Puts a record into the ledger; its number. It is on disk within [`FLUSH`].
    ///
    /// # Errors
    /// While the disk does not take records: then nothing may be shown.
    pub fn append(&self, record: Record) -> Result<u64, Error> {
        let mut record = record.bounded();
        let mut state = lock(&self.shared);
        if state.is_closing {
            return Err(Error::Closed);
        }
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        if state.queue.len() >= MAX_QUEUED {
            return Err(Error::Behind);
        }
        let sequence = state.last + 1;
        record.instant = record.instant.max(state.instant.saturating_add(1));
        let bytes = record.encode();
        let link = chain::link(&self.shared.key, &state.link, sequence, &bytes);
        let value = [link.as_slice(), &bytes].concat();
        (state.last, state.link, state.instant) = (sequence, link, record.instant);
        state.queue.push(Queued { sequence, value, link, record });
        Ok(sequence)
    }

    /// Calls back when a record is on disk, and hurries.
    pub fn when_flushed(&self, sequence: u64, then: WhenFlushed) {
        let mut state = lock(&self.shared);
        if state.flushed >= sequence {
            drop(state);
            return then(Ok(()));
        }
        if state.is_closing {
            drop(state);
            return then(Err(Error::Closed));
        }
        state.waiting.push((sequence, then));
        state.is_hurried = true;
        drop(state);
        self.shared.bell.notify_one();
    }

    /// Returns when everything appended so far is on disk.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        let last = lock(&self.shared).last;
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.when_flushed(last, Box::new(move |outcome| drop(sender.send(outcome))));
        receiver.recv().unwrap_or(Err(Error::Closed))
    }

    /// What has been written.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Writes everything and ends; later records are refused.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn close(&self) -> Result<(), Error> {
        lock(&self.shared).is_closing = true;
        self.shared.bell.notify_one();
        let flusher = self.flusher.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(flusher) = flusher else { return Ok(()) };
        let _ = flusher.join();
        match &lock(&self.shared).failure {
            Some(failure) => Err(failure.clone()),
            None => self.shared.engine.flush(),
        }
    }

    pub(crate) fn key(&self) -> &Key {
        &self.shared.key
    }

    /// A key for another purpose, made from the chain's: who has it knows nothing of that one.
    #[must_use]
    pub fn derived_key(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, self.key())
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the read-audit ledger was not closed well");
        }
    }
}

/// The flusher: writes what is queued, each [`FLUSH`] or when somebody waits.
fn write_all(shared: &Shared) {
    loop {
        let state = lock(shared);
        let waits = |s: &mut State| !s.is_hurried && !s.is_closing;
        let (mut state, _) =
            shared.bell.wait_timeout_while(state, FLUSH, waits).unwrap_or_else(PoisonError::into_inner);
        state.is_hurried = false;
        let queue = std::mem::take(&mut state.queue);
        let is_closing = state.is_closing;
        drop(state);
        let outcome = write(shared, &queue);
        let mut state = lock(shared);
        let mut told = Vec::new();
        match &outcome {
            Ok(()) => {
                state.failure = None;
                state.flushed = queue.last().map_or(state.flushed, |q| q.sequence);
                let flushed = state.flushed;
                let (done, waiting) = std::mem::take(&mut state.waiting)
                    .into_iter()
                    .partition(|(sequence, _)| *sequence <= flushed);
                (told, state.waiting) = (done, waiting);
            }
            Err(error) => {
                if state.failure.is_none() {
                    tracing::error!(%error, "nothing is shown until the read-audit ledger can be written");
                }
                // It is tried again: the records keep their numbers.
                let later = std::mem::replace(&mut state.queue, queue);
                state.queue.extend(later);
                state.failure = Some(error.clone());
                std::mem::swap(&mut told, &mut state.waiting);
            }
        }
        drop(state);
        for (_, then) in told {
            then(outcome.clone());
        }
        if is_closing && (outcome.is_err() || lock(shared).queue.is_empty()) {
            return;
        }
    }
}

fn write(shared: &Shared, queue: &[Queued]) -> Result<(), Error> {
    let Some(last) = queue.last() else { return Ok(()) };
    let mut batch = WriteBatch::default();
    for one in queue {
        shared.engine.put_record(&mut batch, one.sequence, &one.value, &one.record)?;
    }
    shared.engine.write(batch)?;
    head::write(&shared.folder, last.sequence, &last.link)
}

fn make(folder: &Path, fresh: &Fresh, keys: Option<&DataKeys>) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    if folder.join("db").exists() {
        return Err(damaged(
            folder.display().to_string(),
            "there are records and no KEY, so that nothing in it can be proved; put the key back from a backup, or move the folder away",
        ));
    }
    write_new(&folder.join(NODE), 0o644, &HEXLOWER.encode(&fresh.node))?;
    let key = match keys {
        Some(keys) => keys.seal_line(CHAIN_KEY, &fresh.key)?,
        None => HEXLOWER.encode(&fresh.key),
    };
    write_new(&folder.join(KEY), 0o600, &key)
}

/// Copies a ledger that nobody writes into a folder where there is none, sealed otherwise. The chain stays what it is.
///
/// # Errors
/// Damage; a disk that does not take it.
pub fn copy(
    from: &Path,
    keys: Option<&Arc<DataKeys>>,
    to: &Path,
    keys_there: Option<&Arc<DataKeys>>,
) -> Result<(), Error> {
    const AT_ONCE: u64 = 1000;
    let records = Records::open_sealed(from, keys)?;
    let node = HEXLOWER.decode(records.node().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    let node =
        node.ok_or_else(|| damaged(from.join(NODE).display().to_string(), "it is not a node's name"))?;
    let keys_there = keys_there.map(Arc::as_ref);
    make(to, &Fresh { key: records.key()?, node }, keys_there)?;
    let engine = Engine::open(to, keys_there)?;
    let mut batch = WriteBatch::default();
    for checkpoint in crate::prune::checkpoints(&records.engine)? {
        engine.put_checkpoint(&mut batch, checkpoint.through, &checkpoint.encode());
    }
    let mut failure = None;
    records.each(&Filter::default(), &mut |found| {
        let value = [found.link.as_slice(), &found.record.encode()].concat();
        let mut put = || {
            engine.put_record(&mut batch, found.sequence, &value, &found.record)?;
            if found.sequence.is_multiple_of(AT_ONCE) {
                engine.write(std::mem::take(&mut batch))?;
            }
            Ok(())
        };
        failure = put().err();
        failure.is_none()
    })?;
    if let Some(error) = failure {
        return Err(error);
    }
    engine.write(batch)?;
    if let Some((sequence, link)) = head::read(from)? {
        head::write(to, sequence, &link)?;
    }
    engine.flush()
}

fn write_new(path: &Path, mode: u32, text: &str) -> Result<(), Error> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
    };
    write().map_err(io(path))
}

pub(crate) fn read_key(folder: &Path, keys: Option<&DataKeys>) -> Result<Key, Error> {
    let path = folder.join(KEY);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NotALedger(folder.to_owned()));
        }
        Err(error) => return Err(io(&path)(error)),
    };
    if let Some(keys) = keys {
        return Ok(keys.open_line(CHAIN_KEY, text.trim(), &path.display().to_string())?);
    }
    let key = HEXLOWER.decode(text.trim().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    key.ok_or_else(|| damaged(path.display().to_string(), "it is not a key of 64 hexadecimal digits"))
}

pub(crate) fn read_node(folder: &Path) -> Result<String, Error> {
    let path = folder.join(NODE);
    Ok(std::fs::read_to_string(&path).map_err(io(&path))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn fresh() -> Fresh {
        Fresh { key: [3; 32], node: [9; 16] }
    }

    fn read_by(agent: &str, persons: &[&str]) -> Record {
        let persons = persons.iter().map(|p| (*p).to_owned()).collect();
        Record { agent: Some(agent.to_owned()), persons, status: 200, ..Record::default() }
    }

    #[test]
    fn records_are_found_by_person_and_agent_and_the_chain_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        {
            let ledger = Ledger::open(folder.path(), fresh).unwrap();
            assert_eq!(ledger.append(read_by("a", &["p", "q"])).unwrap(), 1);
            assert_eq!(ledger.append(read_by("b", &["p"])).unwrap(), 2);
            ledger.flush().unwrap();
        }
        let ledger = Ledger::open(folder.path(), fresh).unwrap();
        ledger.append(read_by("a", &["r"])).unwrap();
        ledger.append(Record { is_everyone: true, ..read_by("c", &[]) }).unwrap();
        ledger.flush().unwrap();
        let found = |filter: Filter| -> Vec<u64> {
            ledger.records().page(&filter, 10).unwrap().found.iter().map(|f| f.sequence).collect()
        };
        let person = |id: &str| Filter { persons: vec![id.to_owned()], ..Filter::default() };
        assert_eq!(found(person("p")), [4, 2, 1]);
        assert_eq!(found(person("r")), [4, 3]);
        assert_eq!(found(Filter { agent: Some("a".to_owned()), ..Filter::default() }), [3, 1]);
        assert_eq!(found(Filter { agent: Some("a".to_owned()), ..person("q") }), [1]);
        assert_eq!(found(Filter::default()), [4, 3, 2, 1]);
        ledger.close().unwrap();
        assert_eq!(ledger.append(Record::default()), Err(Error::Closed));
        let verdict = ledger.records().verify(ledger.key(), &[]).unwrap();
        assert!(verdict.findings.is_empty() && verdict.records == 4, "{verdict:?}");
    }

    #[test]
    fn an_end_that_is_gone_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path(), fresh).unwrap();
        ledger.append(Record::default()).unwrap();
        drop(ledger);
        head::write(folder.path(), 5, &[1; 32]).unwrap();
        let refused = Ledger::open(folder.path(), fresh).err().unwrap().to_string();
        assert!(refused.contains("ends with record 1, and record 5 was in it"), "{refused}");
        let records = Records::open(folder.path()).unwrap();
        let findings = records.verify(&[3; 32], &[]).unwrap().findings;
        assert!(findings[0].finding.contains("record 5"), "{findings:?}");
    }
}
