//! How the feed learns that there is something new in the log.
//!
//! Whoever commits rings after the commit can be read; while nobody listens (a hub without subscriptions) a commit costs
//! the look at one flag.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// A bell.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    is_listened_to: AtomicBool,
    is_rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    fn rung(&self) -> MutexGuard<'_, bool> {
        self.is_rung.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Says that something was committed. One that always matters is heard by whoever waits, others only while somebody
    /// listens.
    pub(crate) fn committed(&self, always_matters: bool) {
        if always_matters || self.is_listened_to.load(Ordering::SeqCst) {
            self.ring();
        }
    }

    pub(crate) fn ring(&self) {
        *self.rung() = true;
        self.heard.notify_one();
    }

    /// From now on every commit rings, or none does. To be said before the log is looked at, so that a commit is either
    /// seen there or heard.
    pub(crate) fn listen(&self, is_wanted: bool) {
        self.is_listened_to.store(is_wanted, Ordering::SeqCst);
    }

    /// Waits until it is rung, at most so long.
    pub(crate) fn wait(&self, at_most: Duration) {
        let mut rung = self.rung();
        if !*rung {
            rung = match self.heard.wait_timeout(rung, at_most) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        *rung = false;
    }
}
