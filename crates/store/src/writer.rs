//! The store in service: the fold's thread, group commit, and the state readers see.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

use search::{Zone, parameters};

use crate::engine::{Engine, Limits, Pinned, View};
use crate::error::Error;
use crate::fold::{Clock, Entropy, Fold};
use crate::layout::log::{Circumstances, Part, Settings};
use crate::numbers::Place;
use crate::proposal::{Outcome, Proposal, Rejection};
use crate::reader::Reader;
use crate::references::ReferencePolicy;
use crate::search::{Memory, SystemNames};
use crate::space::Disk;

/// How a store is opened.
pub struct Options {
    /// Memory and durability.
    pub limits: Limits,
    /// Where dates without zone lie (IANA name); used when the directory is new, else the log says.
    pub zone: String,
    /// What tells the time.
    pub clock: Box<dyn Clock>,
    /// What makes nonces.
    pub entropy: Box<dyn Entropy>,
    /// What becomes of references to what is not there.
    pub references: ReferencePolicy,
}

/// What is told of a proposal's fate.
type Reply = Box<dyn FnOnce(Result<Outcome, Rejection>) + Send>;

enum Job {
    Propose(Box<Proposal>, Reply),
    /// Takes texts out of earlier entries.
    Redact(Circumstances, Vec<(Place, Vec<Part>)>, Reply),
    /// Shows readers the newest state anew; what came before it has numbers up to the one that is answered.
    Refresh(SyncSender<u64>),
    /// Answers when everything proposed before is decided.
    Barrier(SyncSender<()>),
}

/// A group is synced when it has this many proposals, even if more wait.
const GROUP: usize = 512;

/// A group is synced when folding it has taken this long, so that nobody waits for a long queue.
const GROUP_MILLIS: u128 = 50;

/// What the fold's thread has done since the start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Proposals committed.
    pub commits: AtomicU64,
    /// Proposals rejected.
    pub rejections: AtomicU64,
    /// Resources written.
    pub versions: AtomicU64,
    /// Syncs.
    pub syncs: AtomicU64,
    /// Nanoseconds spent in syncs.
    pub sync_nanos: AtomicU64,
    /// Nanoseconds spent folding.
    pub fold_nanos: AtomicU64,
}

/// The state readers see.
pub(crate) struct Published {
    pub(crate) pinned: Pinned,
    pub(crate) place: Place,
    pub(crate) instant: i64,
}

pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) memory: Memory,
    pub(crate) zone: Zone,
    pub(crate) settings: Settings,
    references: ReferencePolicy,
    published: RwLock<Arc<Published>>,
    metrics: Metrics,
}

impl Shared {
    pub(crate) fn published(&self) -> Arc<Published> {
        match self.published.read() {
            Ok(guard) => Arc::clone(&guard),
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }

    fn publish(&self, place: Place, instant: i64) {
        let pinned = Pinned::new(Arc::clone(&self.engine), |engine| engine.db().snapshot());
        let next = Arc::new(Published { pinned, place, instant });
        match self.published.write() {
            Ok(mut guard) => *guard = next,
            Err(poisoned) => *poisoned.into_inner() = next,
        }
    }
}

/// An open store.
pub struct Store {
    shared: Arc<Shared>,
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Whether a directory holds a store.
    #[must_use]
    pub fn is_at(path: &Path) -> bool {
        crate::engine::is_store(path)
    }

    /// Opens the store at `path`, making one if there is nothing.
    ///
    /// # Errors
    /// As [`Error`] says: a newer format, another process, damage, a full disk.
    pub fn open(path: &Path, options: Options) -> Result<Store, Error> {
        let Options { limits, zone, mut clock, entropy, references } = options;
        let engine = Arc::new(Engine::open(path, &limits)?);
        let systems = SystemNames::read(&View::newest(&engine)?)?;
        let memory = Memory { systems, ..Memory::default() };
        let mut fold = match Fold::open(&engine, memory.clone())? {
            Some(fold) if Fold::is_index_current(&engine)? => fold,
            Some(_) => return Err(Error::OtherIndex),
            None => {
                let settings = Settings { parameters: parameters().fingerprint(), zone };
                let fold = Fold::begin(&engine, settings, clock.now(), memory.clone())?;
                engine.sync()?;
                fold
            }
        };
        fold.references = references;
        Ok(Store::start(engine, fold, memory, clock, entropy, Disk::of(path)))
    }

    fn start(
        engine: Arc<Engine>,
        fold: Fold,
        memory: Memory,
        clock: Box<dyn Clock>,
        entropy: Box<dyn Entropy>,
        disk: Disk,
    ) -> Store {
        let pinned = Pinned::new(Arc::clone(&engine), |engine| engine.db().snapshot());
        let published = Published { pinned, place: fold.place(), instant: fold.last_instant() };
        let shared = Arc::new(Shared {
            engine,
            memory,
            zone: fold.zone().clone(),
            settings: fold.settings().clone(),
            references: fold.references,
            published: RwLock::new(Arc::new(published)),
            metrics: Metrics::default(),
        });
        let (sender, receiver) = channel();
        let worker = Worker { shared: Arc::clone(&shared), fold, clock, entropy, disk };
        let thread =
            std::thread::Builder::new().name("fold".to_owned()).spawn(move || worker.run(&receiver)).ok();
        Store { shared, jobs: Mutex::new(Some(sender)), thread: Mutex::new(thread) }
    }

    /// What the fold depends on.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// What becomes of references to what is not there.
    #[must_use]
    pub fn references(&self) -> ReferencePolicy {
        self.shared.references
    }

    /// Where dates without zone lie.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.shared.zone
    }

    /// What has been done since the start.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// The state after the last commit that is on disk.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared), self.shared.published())
    }

    /// Proposes a transaction. `reply` is called once, from the fold's thread: with the outcome after it is on disk
    /// and readers see it, or with the reason why nothing was done. How much may wait is for the caller to limit.
    pub fn propose(
        &self,
        proposal: Proposal,
        reply: impl FnOnce(Result<Outcome, Rejection>) + Send + 'static,
    ) {
        let sender = self.jobs.lock().ok().and_then(|jobs| jobs.clone());
        let job = Job::Propose(Box::new(proposal), Box::new(reply));
        let refused = match sender {
            Some(sender) => sender.send(job).err().map(|e| e.0),
            None => Some(job),
        };
        if let Some(Job::Propose(_, reply)) = refused {
            reply(Err(Rejection::Store(Error::Stopped)));
        }
    }

    /// Proposes a transaction and waits for its outcome.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn commit(&self, proposal: Proposal) -> Result<Outcome, Rejection> {
        let (sender, receiver) = sync_channel(1);
        self.propose(proposal, move |outcome| {
            let _ = sender.send(outcome);
        });
        receiver.recv().unwrap_or(Err(Rejection::Store(Error::Stopped)))
    }

    /// Takes texts out of earlier entries of the log, each entry once, and waits until it is on disk.
    ///
    /// # Errors
    /// A place that is not in the log; as the engine says.
    pub fn redact(
        &self,
        circumstances: Circumstances,
        wanted: Vec<(Place, Vec<Part>)>,
    ) -> Result<Outcome, Rejection> {
        let (sender, receiver) = sync_channel(1);
        let reply: Reply = Box::new(move |outcome| drop(sender.send(outcome)));
        self.send(Job::Redact(circumstances, wanted, reply))?;
        receiver.recv().unwrap_or(Err(Rejection::Store(Error::Stopped)))
    }

    fn send(&self, job: Job) -> Result<(), Error> {
        let sender = self.jobs.lock().ok().and_then(|jobs| jobs.clone());
        sender.and_then(|sender| sender.send(job).ok()).ok_or(Error::Stopped)
    }

    /// Merges everything on disk so that nothing stays of what was deleted or destroyed before: in no table, no write-ahead
    /// log, no list of files. Readers of an older state are waited for. Whether it was done; `false` if `is_over` said so.
    ///
    /// # Errors
    /// As the engine says.
    pub fn scrub(&self, is_over: &dyn Fn() -> bool) -> Result<bool, Error> {
        let (sender, receiver) = sync_channel(1);
        self.send(Job::Refresh(sender))?;
        let sequence = receiver.recv().map_err(|_| Error::Stopped)?;
        self.shared.engine.scrub(sequence, is_over)
    }

    /// Merges everything on disk into its most compact form.
    ///
    /// # Errors
    /// As the engine says.
    pub fn compact(&self) -> Result<(), Error> {
        self.scrub(&|| false).map(drop)
    }

    /// Decides everything proposed so far, then writes out what is held in memory and stops.
    ///
    /// # Errors
    /// As the engine says; the data is safe all the same.
    pub fn close(&self) -> Result<(), Error> {
        let sender = self.jobs.lock().ok().and_then(|mut jobs| jobs.take());
        if let Some(sender) = sender {
            let (done, wait) = sync_channel(1);
            if sender.send(Job::Barrier(done)).is_ok() {
                let _ = wait.recv();
            }
        }
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            let _ = thread.join();
            self.shared.engine.flush()?;
        }
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the store did not close cleanly");
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    fold: Fold,
    clock: Box<dyn Clock>,
    entropy: Box<dyn Entropy>,
    disk: Disk,
}

impl Worker {
    /// Takes what waits, folds it, syncs once, publishes, answers; until nobody can propose any more.
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut failed = None;
        let mut waiting: Option<Job> = None;
        while let Some(first) = waiting.take().or_else(|| jobs.recv().ok()) {
            let mut answers: Vec<(Reply, Result<Outcome, Rejection>)> = Vec::new();
            let mut barriers = Vec::new();
            let mut refreshes = Vec::new();
            let began = Instant::now();
            let has_room = self.disk.has_room(|| self.shared.engine.held());
            let mut next = Some(first);
            while let Some(job) = next.take() {
                match job {
                    Job::Propose(proposal, reply) => {
                        let outcome = match &failed {
                            Some(error) => Err(Rejection::Store(Error::clone(error))),
                            None if !has_room => Err(Rejection::Store(Error::DiskFull)),
                            None => self.decide(*proposal),
                        };
                        answers.push((reply, outcome));
                    }
                    Job::Redact(circumstances, wanted, reply) => {
                        let outcome = match &failed {
                            Some(error) => Err(Rejection::Store(Error::clone(error))),
                            None => self.take_out(circumstances, wanted),
                        };
                        answers.push((reply, outcome));
                    }
                    Job::Refresh(done) => refreshes.push(done),
                    Job::Barrier(done) => barriers.push(done),
                }
                if answers.len() < GROUP && began.elapsed().as_millis() < GROUP_MILLIS {
                    next = jobs.try_recv().ok();
                }
            }
            let metrics = &self.shared.metrics;
            metrics.fold_nanos.fetch_add(nanos(began), Ordering::Relaxed);
            let has_written =
                answers.iter().any(|(_, outcome)| matches!(outcome, Ok(o) if o.place.is_some()));
            let mut sync_error = None;
            if has_written && failed.is_none() {
                let began = Instant::now();
                match self.shared.engine.sync() {
                    Ok(()) => self.shared.publish(self.fold.place(), self.fold.last_instant()),
                    Err(error) => sync_error = Some(error),
                }
                metrics.syncs.fetch_add(1, Ordering::Relaxed);
                metrics.sync_nanos.fetch_add(nanos(began), Ordering::Relaxed);
            }
            for (reply, outcome) in answers {
                let outcome = match (&sync_error, outcome) {
                    // What could not be synced is not promised.
                    (Some(error), Ok(o)) if o.place.is_some() => Err(Rejection::Store(error.clone())),
                    (_, outcome) => outcome,
                };
                match &outcome {
                    Ok(o) if o.place.is_some() && !o.is_repeated => {
                        metrics.commits.fetch_add(1, Ordering::Relaxed);
                        metrics.versions.fetch_add(o.commands.len() as u64, Ordering::Relaxed);
                    }
                    Ok(_) => {}
                    Err(_) => {
                        metrics.rejections.fetch_add(1, Ordering::Relaxed);
                    }
                }
                reply(outcome);
            }
            if let Some(error) = sync_error {
                // The engine's state after a failed sync is not known: stop writing, keep reading.
                tracing::error!(%error, "a commit could not be written to disk; the store takes no more writes until it is restarted");
                failed = Some(error);
            }
            if has_written && failed.is_none() {
                // Commits that follow at once make a seal needless; the check is cheap and may be wrong.
                match jobs.try_recv() {
                    Ok(job) => waiting = Some(job),
                    Err(_) => {
                        if let Err(error) = self.shared.engine.seal() {
                            tracing::warn!(%error, "the write-ahead log could not be sealed");
                        }
                    }
                }
            }
            for done in refreshes {
                let sequence = self.shared.engine.db().latest_sequence_number();
                if failed.is_none() {
                    self.shared.publish(self.fold.place(), self.fold.last_instant());
                }
                let _ = done.send(sequence);
            }
            for done in barriers {
                let _ = done.send(());
            }
        }
    }

    fn take_out(
        &mut self,
        circumstances: Circumstances,
        wanted: Vec<(Place, Vec<Part>)>,
    ) -> Result<Outcome, Rejection> {
        let now = self.clock.now();
        Ok(self.fold.redact(&self.shared.engine, circumstances, wanted, now)?)
    }

    fn decide(&mut self, proposal: Proposal) -> Result<Outcome, Rejection> {
        let now = self.clock.now();
        let outcome = self.fold.apply(&self.shared.engine, proposal, now, self.entropy.as_mut(), None);
        if let Err(Rejection::Store(error)) = &outcome {
            tracing::error!(%error, "a proposal could not be folded");
        }
        outcome
    }
}

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
