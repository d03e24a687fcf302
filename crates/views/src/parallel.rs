//! A view over many texts at once, on several threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;

use crate::column::Decimals;
use crate::error::Error;
use crate::plan::ViewDefinition;
use crate::run::Run;

/// Texts a thread takes at once.
const CHUNK: usize = 4096;

/// The rows of all texts, in their order, a batch for every few thousand of them.
///
/// # Errors
/// The first error any of the threads finds.
pub fn batches<T: AsRef<str> + Sync>(
    view: &ViewDefinition,
    texts: &[T],
    threads: usize,
    decimals: Decimals,
) -> Result<Vec<RecordBatch>, Error> {
    let chunks: Vec<&[T]> = texts.chunks(CHUNK).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, RecordBatch)>, Error> {
        let mut run = Run::new(view, decimals);
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = chunks.get(at) else { return Ok(done) };
            for text in *chunk {
                run.push_text(text.as_ref())?;
            }
            if run.rows() > 0 {
                done.push((at, run.batch()?));
            }
        }
    };
    let mut found = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(done) => all.extend(done?),
                Err(_) => return Err(Error::at("", "a thread that runs the view has died")),
            }
        }
        Ok(all)
    })?;
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, batch)| batch).collect())
}
