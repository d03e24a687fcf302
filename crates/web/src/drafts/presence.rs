//! Who has a draft open just now.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Whoever is silent so long has gone.
const SILENT: Duration = Duration::from_secs(20);
/// Drafts that are watched, and windows on one.
const MOST_DRAFTS: usize = 10_000;
const MOST_WINDOWS: usize = 20;

/// Somebody else who has it open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Present {
    /// Their name.
    pub(crate) name: String,
}

struct Window {
    name: String,
    who: String,
    seen: Instant,
}

#[derive(Default)]
pub(super) struct Presences(Mutex<HashMap<String, Vec<Window>>>);

impl Presences {
    pub(super) fn note(&self, draft: &str, window: &str, who: &str) -> Vec<Present> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_DRAFTS {
            all.retain(|_, windows| windows.iter().any(|w| w.seen.elapsed() < SILENT));
        }
        let windows = all.entry(draft.to_owned()).or_default();
        windows.retain(|w| w.seen.elapsed() < SILENT && w.name != window);
        let others = windows.iter().map(|w| Present { name: w.who.clone() }).collect();
        if windows.len() < MOST_WINDOWS && window.len() <= 64 {
            windows.push(Window { name: window.to_owned(), who: who.to_owned(), seen: Instant::now() });
        }
        others
    }
}
