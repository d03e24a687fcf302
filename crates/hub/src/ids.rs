//! Ids the hub gives: UUIDs of version 7, ordered by time, so that neighbours in time are neighbours on disk, and
//! random enough that nobody learns from them what else was written.

use uuid::{ContextV7, Timestamp, Uuid};

/// Gives ids.
pub struct IdSource {
    context: ContextV7,
}

impl IdSource {
    /// A source of ids.
    #[must_use]
    pub fn new() -> IdSource {
        IdSource { context: ContextV7::new() }
    }

    /// An id later than all before it.
    pub fn give(&mut self) -> String {
        Uuid::new_v7(Timestamp::now(&self.context)).hyphenated().to_string()
    }
}

impl Default for IdSource {
    fn default() -> IdSource {
        IdSource::new()
    }
}
