//! Giving up a question from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Gives up the questions it was handed to; clones are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    given_up: Arc<AtomicBool>,
}

impl Cancel {
    /// Gives up what runs, and what would still be begun.
    pub fn cancel(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether it was given up.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }
}
