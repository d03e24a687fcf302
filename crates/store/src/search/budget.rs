//! What a search may cost.

use std::cell::Cell;
use std::time::{Duration, Instant};

use fhir::{Issue, IssueType};

use super::Failure;

/// What a search may cost: rows it looks at, and time.
#[derive(Debug, Clone)]
pub struct Budget {
    rows: u64,
    left: Cell<u64>,
    deadline: Option<Instant>,
    seconds: u64,
}

/// How many rows are looked at between two looks at the clock.
const STEP: u64 = 1024;

impl Budget {
    /// So many rows, and so much time from now.
    #[must_use]
    pub fn new(rows: u64, time: Duration) -> Budget {
        Budget {
            rows,
            left: Cell::new(rows),
            deadline: Instant::now().checked_add(time),
            seconds: time.as_secs(),
        }
    }

    /// So many rows. The fold counts rows only, because what it decides must not depend on time.
    #[must_use]
    pub fn of_rows(rows: u64) -> Budget {
        Budget { rows, left: Cell::new(rows), deadline: None, seconds: 0 }
    }

    /// How many rows have been looked at.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.rows - self.left.get()
    }

    /// Takes a row.
    pub(super) fn take(&self) -> Result<(), Failure> {
        let left = self.left.get();
        if left == 0 {
            return Err(too_costly(format!("this search looks at more than {} index rows", self.rows)));
        }
        self.left.set(left - 1);
        if left.is_multiple_of(STEP) && self.deadline.is_some_and(|d| Instant::now() > d) {
            return Err(too_costly(format!("this search takes longer than {} seconds", self.seconds)));
        }
        Ok(())
    }
}

/// A search that decides about a write looks at so many rows at most: every other write waits while it is checked.
pub const CRITERIA_ROWS: u64 = 100_000;

impl Default for Budget {
    fn default() -> Budget {
        Budget::of_rows(CRITERIA_ROWS)
    }
}

fn too_costly(what: String) -> Failure {
    let way_out = "add a criterion that selects few (a patient, an identifier, a code with a date), \
        ask for no exact total, or export and count";
    Failure::Query(Issue::error(IssueType::TooCostly, format!("{what}; {way_out}")))
}
