//! The indicators of a hub, computed from its own record.
//!
//! [`Figures::evaluate`] runs the views an indicator needs over what an access may see, as of one place of the log, counts, and
//! gives FHIR MeasureReports. [`Figures::verify`] computes a report again, as its place of the log has it and under the
//! consents of then, and says whether it comes out the same.
//!
//! * *Whoever runs the hub is told figures, never persons.* They are counted over all whose Consents let them be counted
//!   (purpose: indicators), and what could tell of few is left out ([`protected`]).
//! * *What is published is a release* ([`Release`]): it never changes, and what is new in it is held against all that is out.
//! * *Everyone else counts what they may see*, exactly: a researcher those who consented, a clinician those they care for, a
//!   person themselves.

mod asked;
mod changed;
mod evaluate;
mod failure;
mod gaps;
mod materials;
mod protected;
mod question;
mod releases;
mod standing;
mod verify;

use std::sync::{Arc, Mutex, OnceLock};

use hub::Hub;
use sql::{Engine, Settings};

pub use asked::{Asked, WhichIndicators, set_of};
pub use failure::failure_of;
pub use gaps::Gap;
pub use measures::{Indicator, Kind, Period, View, text_in};
pub use question::Question;
pub use releases::{Draft, LeftOut, Release, Why, Withdrawal};
pub use sql::{Answer, Limits};
pub use verify::Verified;

/// The indicators of a hub. Threads are started and definitions read when something is asked for first.
pub struct Figures {
    hub: Hub,
    started: OnceLock<Result<Started, String>>,
    built: Mutex<Option<materials::Built>>,
    standing: Mutex<standing::Standing>,
    published: Mutex<Vec<Arc<Release>>>,
}

impl std::fmt::Debug for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Started {
    engine: Arc<Engine>,
    indicators: Vec<Arc<Indicator>>,
}

impl Figures {
    /// Those that come with the program, over a hub.
    #[must_use]
    pub fn of(hub: Hub) -> Figures {
        Figures {
            hub,
            started: OnceLock::new(),
            built: Mutex::default(),
            standing: Mutex::default(),
            published: Mutex::default(),
        }
    }

    fn started(&self) -> Result<&Started, hub::Failure> {
        let start = || {
            let engine = Engine::start(&Settings::default()).map_err(|e| e.to_string())?;
            let indicators = measures::shipped().map_err(|e| e.to_string())?;
            Ok(Started { engine: Arc::new(engine), indicators })
        };
        self.started.get_or_init(start).as_ref().map_err(failure::internal)
    }

    /// What can be evaluated, in the order of sets and ids.
    ///
    /// # Errors
    /// Threads that cannot be started; a definition that is wrong.
    pub fn indicators(&self) -> Result<&[Arc<Indicator>], hub::Failure> {
        Ok(&self.started()?.indicators)
    }
}
