//! Reading, preparing in parallel, and taking in the order of the files.
//!
//! What is between reading and taking is bounded by its bytes, so that one file that takes long to prepare does not
//! fill the memory with those after it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, PoisonError};

use anyhow::Result;

use super::Stop;
use super::source::{Sources, Unit};

/// Bytes of files between reading and taking; a single larger file goes alone.
const ROOM: usize = 32 << 20;

/// Bounds what is on its way.
#[derive(Default)]
struct Room {
    used: Mutex<Used>,
    changed: Condvar,
}

#[derive(Default)]
struct Used {
    bytes: usize,
    is_over: bool,
}

impl Room {
    /// Waits for room; false if nothing is taken any more.
    fn enter(&self, bytes: usize) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while !used.is_over && used.bytes > 0 && used.bytes + bytes > ROOM {
            used = self.changed.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        used.bytes += bytes;
        !used.is_over
    }

    fn leave(&self, bytes: usize) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.bytes = used.bytes.saturating_sub(bytes);
        self.changed.notify_all();
    }

    fn end(&self) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.changed.notify_all();
    }
}

/// A unit on its way: its number, its bytes.
type Numbered<T> = (u64, usize, T);

/// Reads units, prepares them on all processors, and takes what became of them in order, until the end, a failure of
/// `take`, or `stop`.
pub(super) fn run<T: Send>(
    sources: &Sources,
    stop: &Stop,
    prepare: impl Fn(Unit) -> T + Sync,
    mut take: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let room = Room::default();
    let (units, incoming) = channel();
    let incoming = Mutex::new(incoming);
    let (ready, finished) = channel();
    std::thread::scope(|scope| {
        let (room, incoming, prepare) = (&room, &incoming, &prepare);
        scope.spawn(move || read(sources, &units, room, stop));
        for _ in 0..workers {
            let ready = ready.clone();
            scope.spawn(move || work(incoming, &ready, prepare));
        }
        drop(ready);
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        let mut outcome = Ok(());
        'all: for (number, bytes, made) in &finished {
            waiting.insert(number, (bytes, made));
            while let Some((bytes, made)) = waiting.remove(&next) {
                next += 1;
                outcome = take(made);
                room.leave(bytes);
                if outcome.is_err() {
                    break 'all;
                }
            }
        }
        drop(finished);
        room.end();
        outcome
    })
}

fn read(sources: &Sources, units: &Sender<Numbered<Unit>>, room: &Room, stop: &Stop) {
    let mut number = 0;
    sources.each(&mut |unit| {
        let bytes = unit.bytes();
        let is_sent =
            !stop.load(Ordering::Relaxed) && room.enter(bytes) && units.send((number, bytes, unit)).is_ok();
        number += 1;
        is_sent
    });
}

fn work<T>(
    incoming: &Mutex<Receiver<Numbered<Unit>>>,
    ready: &Sender<Numbered<T>>,
    prepare: impl Fn(Unit) -> T,
) {
    loop {
        let received = incoming.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, bytes, unit)) = received else { return };
        if ready.send((number, bytes, prepare(unit))).is_err() {
            return;
        }
    }
}
