//! Long work, one job after another, apart from requests.
//!
//! A job is a folder under the data directory's `jobs`: `job.json` says what it is and how far it has come, files beside it
//! are what it makes. Jobs are working state with an expiry, not part of the record. A job that was under way when the
//! program ended goes on from its last checkpoint at the next start; it works on a fixed place in the log, so that it
//! makes the same as if nothing had happened.

mod delete;
mod erase;
mod export;
mod file;
mod import;
mod refused;

pub use delete::{BulkDelete, BulkDeleteRequest};
pub use erase::Erase;
pub(crate) use export::NAMES as EXPORT_NAMES;
pub use export::{Export, ExportLevel, ExportRequest, Output};
pub use file::MadeFile;
pub use import::{Import, ImportRequest};

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::access::Subject;
use fhir::IssueType;
use fhir::date_time::Micros;
use sealing::{FileKey, FrameReader};
use serde::{Deserialize, Serialize};

use self::file::Folder;
use crate::{Access, Failure, Hub, Kind};

/// What a finished job made is kept this long.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// More jobs than this do not wait.
const MAX_WAITING: usize = 100;

/// How a job stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum State {
    /// It waits or works: what is done, and how much there is about.
    Working {
        /// Resources looked at.
        done: u64,
        /// Resources there are.
        total: u64,
    },
    /// It is done.
    Done,
    /// It could not be done.
    Failed(String),
}

/// A job, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Its id, which nobody can guess.
    pub id: String,
    /// How it stands.
    pub state: State,
    /// When it ended: microseconds since 1970 UTC.
    pub ended: Option<Micros>,
    /// What it is.
    pub work: Work,
}

/// What a job does, as asked for and as far as it has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Work {
    /// `$export`
    Export(Export),
    /// `$import`
    Import(Import),
    /// `$bulk-delete`
    Delete(BulkDelete),
    /// `$erase`
    Erase(Box<Erase>),
}

impl Work {
    /// Whether someone may ask about it and have what it made: what was made under restricted rights belongs to who asked
    /// for it.
    #[must_use]
    pub fn is_for(&self, access: &Access) -> bool {
        let of = |s: &Subject| (s.user.clone(), s.client.clone());
        match (self, access.subject.as_ref().filter(|_| access.rights.is_some())) {
            (_, None) => true,
            (Work::Export(export), Some(subject)) => {
                export.subject().is_some_and(|own| of(own) == of(subject))
            }
            (Work::Import(_) | Work::Delete(_) | Work::Erase(_), Some(_)) => false,
        }
    }

    /// What it is, as the operation is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Work::Export(_) => "export",
            Work::Import(_) => "import",
            Work::Delete(_) => "bulk-delete",
            Work::Erase(_) => "erase",
        }
    }

    /// The files it made, and how long they are.
    fn files(&self) -> Vec<(&str, u64)> {
        match self {
            Work::Export(export) => export.outputs().map(Output::length).collect(),
            Work::Import(import) => import.files().collect(),
            Work::Delete(delete) => delete.files().collect(),
            Work::Erase(_) => Vec::new(),
        }
    }

    /// What a finished one made, as the client is told; `address` gives a file's address.
    #[must_use]
    pub fn manifest(&self, address: &dyn Fn(&str) -> String) -> String {
        match self {
            Work::Export(export) => export.manifest(address),
            Work::Import(import) => import.manifest(address),
            Work::Delete(delete) => delete.manifest(address),
            Work::Erase(erase) => erase.manifest(),
        }
    }

    /// Does what is left of it. `None` if it was stopped on the way.
    fn run(
        self,
        hub: &Hub,
        jobs: &Jobs,
        folder: Folder<'_>,
        is_over: &dyn Fn() -> bool,
        checkpoint: &mut dyn FnMut(Work, u64, u64) -> Result<(), Failure>,
    ) -> Result<Option<Work>, Failure> {
        Ok(match self {
            Work::Export(export) => export
                .run(hub, folder, is_over, &mut |e, done, total| {
                    checkpoint(Work::Export(e.clone()), done, total)
                })?
                .map(Work::Export),
            Work::Import(import) => import
                .run(hub, folder, is_over, &mut |i, done, total| {
                    checkpoint(Work::Import(i.clone()), done, total)
                })?
                .map(Work::Import),
            Work::Delete(delete) => delete
                .run(hub, folder, is_over, &mut |d, done, total| {
                    checkpoint(Work::Delete(d.clone()), done, total)
                })?
                .map(Work::Delete),
            Work::Erase(erase) => erase
                .run(hub, jobs, is_over, &mut |e, done, total| {
                    checkpoint(Work::Erase(Box::new(e.clone())), done, total)
                })?
                .map(|erase| Work::Erase(Box::new(erase))),
        })
    }
}

struct Inner {
    folder: PathBuf,
    /// What the files are sealed with, if they are.
    key: Option<FileKey>,
    jobs: Mutex<Vec<Entry>>,
    wake: Mutex<Sender<()>>,
    is_stopping: AtomicBool,
}

struct Entry {
    job: Job,
    is_cancelled: Arc<AtomicBool>,
}

impl Entry {
    /// An erasure goes before what waits; the rest in the order it came.
    fn turn(&self) -> (bool, &str) {
        (!matches!(self.job.work, Work::Erase(_)), &self.job.id)
    }
}

/// The jobs of a hub.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

fn now() -> Micros {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since_1970.as_micros()).unwrap_or(Micros::MAX)
}

/// Whether a job's folder has not been written to for longer than jobs are kept.
fn is_old(path: &Path) -> bool {
    let modified = path.join("job.json").metadata().and_then(|m| m.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).unwrap_or_default() > KEPT)
}

fn failed(error: &std::io::Error, path: &Path) -> Failure {
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        std::io::ErrorKind::StorageFull => Failure::new(Kind::StorageFull, IssueType::NoStore, message),
        _ => Failure::new(Kind::Internal, IssueType::Exception, message),
    }
}

impl Jobs {
    /// The jobs kept in a folder, sealed if there is a key; those under way go on.
    ///
    /// # Errors
    /// If the folder cannot be read or made.
    pub fn start(hub: Hub, folder: PathBuf, key: Option<FileKey>) -> std::io::Result<Jobs> {
        std::fs::create_dir_all(&folder)?;
        let mut jobs = Vec::new();
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            match file::read_job(&path.join("job.json"), key.as_ref()) {
                Ok(bytes) => match serde_json::from_slice::<Job>(&bytes) {
                    Ok(job) => jobs.push(Entry { job, is_cancelled: Arc::default() }),
                    // Working state has an expiry, whoever wrote it.
                    Err(_) if is_old(&path) => {
                        let _ = std::fs::remove_dir_all(&path);
                    }
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "a job does not read; it is removed when it is a day old")
                    }
                },
                // Cut off before it began, or cancelled: nobody asks for it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    let _ = std::fs::remove_dir_all(&path);
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a job cannot be read; it is left alone")
                }
            }
        }
        jobs.sort_by(|a, b| a.turn().cmp(&b.turn()));
        let (wake, woken) = channel();
        let _ = wake.send(());
        let (jobs, wake) = (Mutex::new(jobs), Mutex::new(wake));
        let inner = Arc::new(Inner { folder, key, jobs, wake, is_stopping: AtomicBool::new(false) });
        let worker = Jobs { inner };
        let own = worker.clone();
        std::thread::Builder::new().name("jobs".to_owned()).spawn(move || own.work(&hub, &woken))?;
        Ok(worker)
    }

    /// No further work is begun, and what is under way stops at its next checkpoint.
    pub fn stop(&self) {
        self.inner.is_stopping.store(true, Ordering::Relaxed);
        self.wake();
    }

    fn wake(&self) {
        if let Ok(wake) = self.inner.wake.lock() {
            let _ = wake.send(());
        }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Vec<Entry>) -> T) -> T {
        match self.inner.jobs.lock() {
            Ok(mut jobs) => look(&mut jobs),
            Err(poisoned) => look(&mut poisoned.into_inner()),
        }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.inner.folder.join(id)
    }

    /// Takes a job on. Its id.
    ///
    /// # Errors
    /// If too many wait, or it cannot be kept.
    pub fn submit(&self, id: String, work: Work) -> Result<String, Failure> {
        let waiting =
            self.with(|jobs| jobs.iter().filter(|e| matches!(e.job.state, State::Working { .. })).count());
        if waiting >= MAX_WAITING {
            let message = format!("{waiting} jobs wait already; try again when some are done");
            return Err(Failure::new(Kind::Unavailable, IssueType::Throttled, message));
        }
        let job = Job { id: id.clone(), state: State::Working { done: 0, total: 0 }, ended: None, work };
        let path = self.path(&id);
        std::fs::create_dir_all(&path).map_err(|e| failed(&e, &path))?;
        self.keep(&job).map_err(|e| failed(&e, &path))?;
        self.with(|jobs| {
            jobs.push(Entry { job, is_cancelled: Arc::default() });
            jobs.sort_by(|a, b| a.turn().cmp(&b.turn()));
        });
        self.wake();
        Ok(id)
    }

    /// A job, if it is known.
    #[must_use]
    pub fn job(&self, id: &str) -> Option<Job> {
        self.with(|jobs| jobs.iter().find(|e| e.job.id == id).map(|e| e.job.clone()))
    }

    /// All that are known: first those that wait and work, in their turn.
    #[must_use]
    pub fn all(&self) -> Vec<Job> {
        self.with(|jobs| jobs.iter().map(|e| e.job.clone()).collect())
    }

    /// A file a finished job made.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn file(&self, id: &str, name: &str) -> std::io::Result<Option<MadeFile>> {
        let Some(job) = self.job(id).filter(|job| job.state == State::Done) else { return Ok(None) };
        let Some((_, length)) = job.work.files().into_iter().find(|(file, _)| *file == name) else {
            return Ok(None);
        };
        let path = self.path(id).join(name);
        Ok(Some(match &self.inner.key {
            Some(key) => MadeFile::Sealed(Box::new(FrameReader::open(&path, length, key)?)),
            None => MadeFile::Clear(path),
        }))
    }

    /// Ends a job and removes what it made; whether it was known.
    pub fn cancel(&self, id: &str) -> bool {
        let found = self.with(|jobs| {
            let at = jobs.iter().position(|e| e.job.id == id)?;
            Some(jobs.remove(at))
        });
        let Some(entry) = found else { return false };
        entry.is_cancelled.store(true, Ordering::Relaxed);
        if matches!(entry.job.state, State::Working { .. }) {
            // The worker may be writing: it clears up when it notices. Nothing is resumed meanwhile.
            let _ = std::fs::remove_file(self.path(id).join("job.json"));
            self.wake();
        }
        self.clear(id);
        true
    }

    /// Ends every job but one whose folder holds something; how many.
    pub(crate) fn end_those(
        &self,
        but: &str,
        holds: &dyn Fn(&Path) -> std::io::Result<bool>,
    ) -> Result<u64, Failure> {
        let folder = &self.inner.folder;
        let mut ended = 0;
        for entry in std::fs::read_dir(folder).map_err(|e| failed(&e, folder))? {
            let path = entry.map_err(|e| failed(&e, folder))?.path();
            let id = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if id == but || !path.is_dir() {
                continue;
            }
            match holds(&path) {
                Ok(true) => {
                    if !self.cancel(&id) {
                        // One that does not read.
                        std::fs::remove_dir_all(&path).map_err(|e| failed(&e, &path))?;
                    }
                    ended += 1;
                }
                Ok(false) => {}
                // Another ended it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&error, &path)),
            }
        }
        Ok(ended)
    }

    fn keep(&self, job: &Job) -> std::io::Result<()> {
        let path = self.path(&job.id);
        let unfinished = path.join("job.new");
        file::write_job(&unfinished, &serde_json::to_vec(job)?, self.inner.key.as_ref())?;
        std::fs::rename(unfinished, path.join("job.json"))
    }

    fn work(&self, hub: &Hub, woken: &Receiver<()>) {
        loop {
            match woken.recv_timeout(Duration::from_secs(600)) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.expire();
            while let Some((job, is_cancelled)) = self.next() {
                if self.inner.is_stopping.load(Ordering::Relaxed) {
                    return;
                }
                let id = job.id.clone();
                self.run(hub, job, &is_cancelled);
                self.clear(&id);
            }
        }
    }

    fn next(&self) -> Option<(Job, Arc<AtomicBool>)> {
        self.with(|jobs| {
            let next = jobs.iter().find(|e| matches!(e.job.state, State::Working { .. }))?;
            Some((next.job.clone(), Arc::clone(&next.is_cancelled)))
        })
    }

    fn expire(&self) {
        let limit = now() - Micros::try_from(KEPT.as_micros()).unwrap_or(0);
        let is_old = |e: &&Entry| e.job.ended.is_some_and(|ended| ended < limit);
        let old: Vec<String> =
            self.with(|jobs| jobs.iter().filter(is_old).map(|e| e.job.id.clone()).collect());
        for id in old {
            self.cancel(&id);
        }
    }

    fn run(&self, hub: &Hub, mut job: Job, is_cancelled: &AtomicBool) {
        let path = self.path(&job.id);
        let folder = Folder { path: &path, key: self.inner.key.as_ref() };
        let is_over =
            || is_cancelled.load(Ordering::Relaxed) || self.inner.is_stopping.load(Ordering::Relaxed);
        let outcome = job.work.clone().run(hub, self, folder, &is_over, &mut |work, done, total| {
            job.work = work;
            job.state = State::Working { done, total };
            self.note(&job)
        });
        match outcome {
            Ok(Some(work)) => {
                job.work = work;
                job.state = State::Done;
                job.ended = Some(now());
            }
            // Stopped: it goes on at the next start, or is gone. The store closes after this thread is told to stop.
            Ok(None) => return,
            Err(failure) if is_over() || failure.kind == Kind::Unavailable => {
                tracing::info!(job = job.id, ?failure, "a job was interrupted; it goes on at the next start");
                return;
            }
            Err(failure) => {
                let message = failure.issues.first().map(|i| i.diagnostics.clone()).unwrap_or_default();
                tracing::warn!(job = job.id, message, "a job failed");
                job.state = State::Failed(message);
                job.ended = Some(now());
            }
        }
        if let Err(failure) = self.note(&job) {
            tracing::warn!(job = job.id, ?failure, "a job's end could not be kept");
        }
    }

    /// Removes what a job made, if nobody knows it any more: it was cancelled while it wrote.
    fn clear(&self, id: &str) {
        let path = self.path(id);
        if self.job(id).is_none()
            && path.exists()
            && let Err(error) = std::fs::remove_dir_all(&path)
        {
            tracing::warn!(path = %path.display(), %error, "what a cancelled job made could not be removed");
        }
    }

    fn note(&self, job: &Job) -> Result<(), Failure> {
        let is_known = self.with(|jobs| match jobs.iter_mut().find(|e| e.job.id == job.id) {
            Some(entry) => {
                entry.job = job.clone();
                true
            }
            None => false,
        });
        if !is_known {
            return Ok(()); // cancelled in the meantime
        }
        self.keep(job).map_err(|e| failed(&e, &self.path(&job.id)))
    }
}
