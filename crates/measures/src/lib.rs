//! Indicators computed from the record.
//!
//! An [`Indicator`] is a FHIR Measure whose populations are SQL queries of its Library, over SQL on FHIR views of the same
//! Library (`docs/src/indicators.md` has the profile). [`shipped`] gives those that come with the program. [`views_of`] says
//! which views they need, each once; [`Materials`] holds the rows of these; an [`Evaluation`] counts.
//!
//! * *Definitions are data.* Nothing here knows what hypertension is. A Library in another language is refused by name.
//! * *Sets, not loops.* A population is a query over all persons; a report is counts of one table of who is in what.
//! * *Exact and in order.* The same record, place and period give the same report, byte for byte.
//! * *Persons, not Patients*, are counted.
//!
//! Design not chosen: CQL. It is the language of many published measures, evaluated a person at a time; a population of
//! a million is then a million evaluations. SQL is read by everyone who has ever analysed data.

mod error;
mod evaluation;
mod indicator;
mod kept;
mod library;
mod materials;
mod measure;
mod persons;
mod report;
mod shipped;
mod shipped_files;

pub use error::Error;
pub use evaluation::{Counts, Evaluation, GroupResult, Member, Members, Outcome, Period, Stratum};
pub use indicator::{Indicator, views_of};
pub use kept::Kept;
pub use library::{Library, Query, View};
pub use materials::Materials;
pub use measure::{
    Aggregate, Group, LANGUAGE, Measure, Population, PopulationKind, Scoring, Stratifier, text_in,
};
pub use report::{Circumstances, Kind};
pub use shipped::shipped;
