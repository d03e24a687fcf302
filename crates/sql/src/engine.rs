//! Threads and memory for questions.

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use tokio::runtime::Runtime;

use crate::error::{Error, Kind};

/// Plans are trees that are walked in depth: a long chain of `OR` needs a deep stack.
const STACK: usize = 64 << 20;

/// How often it is looked whether an answer is still wanted.
const LOOK: Duration = Duration::from_millis(20);

/// What an engine may use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads; 0 for one a processor.
    pub threads: usize,
    /// Bytes for all questions together, the tables not counted.
    pub memory: usize,
    /// Where what does not fit in memory may be written for a while; without it that is an error.
    pub spill: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { threads: 0, memory: 1 << 30, spill: None }
    }
}

/// Threads and memory for questions. Asking it waits for the answer, so it is for threads that may wait.
pub struct Engine {
    runtime: Option<Runtime>,
    pub(crate) environment: Arc<RuntimeEnv>,
    pub(crate) threads: usize,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// Threads that cannot be started, a folder that cannot be used.
    pub fn start(settings: &Settings) -> Result<Engine, Error> {
        let threads = match settings.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            some => some,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_stack_size(STACK)
            .thread_name("sql")
            .enable_time()
            .build()
            .map_err(|e| Error::new(Kind::Failed, format!("the threads for SQL cannot be started: {e}")))?;
        let mode = settings
            .spill
            .clone()
            .map_or(DiskManagerMode::Disabled, |folder| DiskManagerMode::Directories(vec![folder]));
        let largest = NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN);
        let pool = TrackConsumersPool::new(FairSpillPool::new(settings.memory), largest);
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
            .build_arc()
            .map_err(|e| Error::of(&e))?;
        Ok(Engine { runtime: Some(runtime), environment, threads })
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs something on the engine's threads and waits for it, also where waiting for futures is not possible.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.wait_while(work, || Ok(()))
    }

    /// As [`Engine::wait`]; asks now and then whether to go on, and leaves the work alone where not.
    pub(crate) fn wait_while<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
        go_on: impl Fn() -> Result<(), Error>,
    ) -> Result<T, Error> {
        let stopped = || Error::new(Kind::Failed, "the threads for SQL have ended; ask again");
        let runtime = self.runtime.as_ref().ok_or_else(stopped)?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let task = runtime.spawn(async move {
            // Nobody waits any more only where the answer is no longer wanted.
            let _ = sender.send(work.await);
        });
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(found) => return found,
                Err(RecvTimeoutError::Disconnected) => return Err(stopped()),
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = go_on() {
                        task.abort();
                        return Err(error);
                    }
                }
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
