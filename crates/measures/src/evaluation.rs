//! Evaluating indicators: who is in which population, and how many.

mod counts;
mod member;
mod members;
mod membership;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use jiff::civil::Date;
use sql::{Cancel, Engine, Limits, Parameters, ScalarValue, Session};

use crate::error::Error;
use crate::indicator::Indicator;
use crate::library::Query;
use crate::materials::Materials;
use crate::measure::Group;
use crate::persons;

pub use counts::{Counts, Stratum};
pub use member::Member;
pub use members::Members;

/// Days, the first and the last, both of which belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub start: Date,
    /// The last day.
    pub end: Date,
}

impl Period {
    /// A period from days as `2025-04-01`.
    ///
    /// # Errors
    /// No day; an end before the beginning.
    pub fn read(start: &str, end: &str) -> Result<Period, Error> {
        let day = |text: &str, name: &str| {
            text.parse()
                .map_err(|_| Error::new("the period", name, format!("`{text}` is no day like 2025-04-01")))
        };
        let period = Period { start: day(start, "start")?, end: day(end, "end")? };
        if period.end < period.start {
            return Err(Error::new("the period", "end", format!("{end} is before {start}")));
        }
        Ok(period)
    }

    fn parameters(self) -> [(&'static str, ScalarValue); 2] {
        let days = |day: Date| day.since(Date::constant(1970, 1, 1)).map_or(0, |span| span.get_days());
        [
            ("period_start", ScalarValue::Date32(Some(days(self.start)))),
            ("period_end", ScalarValue::Date32(Some(days(self.end)))),
        ]
    }
}

/// What is to be evaluated, and within which limits.
#[derive(Clone, Debug)]
pub struct Evaluation<'e> {
    /// Threads and memory.
    pub engine: &'e Arc<Engine>,
    /// The rows of the views.
    pub materials: &'e Materials,
    /// The time that is looked at.
    pub period: Period,
    /// Only this person, `Patient/1`.
    pub person: Option<String>,
    /// Whether who is in which population is kept beside the counts.
    pub keeps_members: bool,
    /// Limits of each question.
    pub limits: Limits,
    /// Gives it up.
    pub cancel: Cancel,
}

/// An indicator, evaluated.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was evaluated.
    pub indicator: Arc<Indicator>,
    /// The time that was looked at.
    pub period: Period,
    /// The person, where it was only one.
    pub person: Option<String>,
    /// The place of the log the views show.
    pub place: u64,
    /// A result for each group of the Measure, in its order.
    pub groups: Vec<GroupResult>,
}

/// A group, evaluated.
#[derive(Clone, Debug)]
pub struct GroupResult {
    /// How many.
    pub counts: Counts,
    /// For each stratifier of the group, in its order, its strata in the order of their values.
    pub strata: Vec<Vec<Stratum>>,
    batches: Vec<RecordBatch>,
}

impl GroupResult {
    /// Who is in which population, in the order of persons and items; nobody unless they were to be kept.
    pub fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.batches.iter().flat_map(member::members)
    }
}

/// An answer that is used more than once is held in memory up to so many rows and bytes.
const ONCE_ROWS: usize = 5_000_000;
const ONCE_BYTES: usize = 256 << 20;

/// How often the queries and groups of an indicator use a query.
fn uses(indicator: &Indicator, name: &str) -> usize {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let queries = indicator.library.queries.iter().flat_map(|q| q.text.split(|c| !is_name(c)));
    let groups = indicator.measure.groups.iter();
    let populations = groups.clone().flat_map(|g| g.populations.iter().map(|p| p.query.as_str()));
    // One that is the initial population too is not asked again.
    let populations: std::collections::BTreeSet<&str> = populations.collect();
    let stratifiers = groups.flat_map(|g| g.stratifiers.iter().map(|s| s.query.as_str()));
    queries.chain(populations).chain(stratifiers).filter(|word| *word == name).count()
}

/// What one indicator's questions need.
struct Room<'r> {
    session: &'r Session,
    indicator: &'r Indicator,
    limits: Limits,
    cancel: &'r Cancel,
}

impl Room<'_> {
    fn of(&self) -> String {
        format!("Measure/{}", self.indicator.measure.id)
    }

    fn ask(&self, place: &str, text: &str, parameters: &Parameters) -> Result<sql::Answer, Error> {
        let answer = self.session.ask(text, parameters, &self.limits, self.cancel);
        answer.map_err(|e| Error::sql(&self.of(), place, &e))
    }
}

impl<'e> Evaluation<'e> {
    /// An evaluation of everybody, within generous limits.
    #[must_use]
    pub fn new(engine: &'e Arc<Engine>, materials: &'e Materials, period: Period) -> Evaluation<'e> {
        let limits = Limits { rows: 50_000_000, bytes: 8 << 30, time: std::time::Duration::from_secs(3600) };
        let cancel = Cancel::default();
        Evaluation { engine, materials, period, person: None, keeps_members: false, limits, cancel }
    }

    /// Evaluates indicators, one after the other, each on all processors.
    ///
    /// # Errors
    /// Views that were not built; queries that are wrong; limits; being given up.
    pub fn run(&self, indicators: &[Arc<Indicator>]) -> Result<Vec<Outcome>, Error> {
        indicators.iter().map(|indicator| self.one(indicator)).collect()
    }

    fn one(&self, indicator: &Arc<Indicator>) -> Result<Outcome, Error> {
        Ok(self.outcome(indicator, self.members(indicator)?))
    }

    /// Who is in which population of an indicator: the first half of [`Evaluation::run`].
    ///
    /// # Errors
    /// As there.
    pub fn members(&self, indicator: &Arc<Indicator>) -> Result<Members, Error> {
        let session = Session::new(self.engine);
        let library = &indicator.library;
        persons::give_views(&session, library, self.materials, &self.limits, &self.cancel)?;
        let parameters = self.period.parameters();
        for query in &library.queries {
            self.give(&session, indicator, query, &parameters).map_err(|e| {
                Error::sql(&format!("Library {}", library.url), &format!("query {}", query.name), &e)
            })?;
        }
        let room = Room { session: &session, indicator, limits: self.limits, cancel: &self.cancel };
        let groups = indicator.measure.groups.iter().enumerate();
        groups.map(|(at, group)| self.group(&room, at, group)).collect::<Result<_, _>>().map(Members::new)
    }

    /// How many are in which population: the second half of [`Evaluation::run`].
    #[must_use]
    pub fn outcome(&self, indicator: &Arc<Indicator>, members: Members) -> Outcome {
        let groups = indicator.measure.groups.iter().zip(members.groups);
        let counted = |(group, rows): (&Group, RecordBatch)| GroupResult {
            counts: counts::whole(group, &rows),
            strata: (0..group.stratifiers.len()).map(|n| counts::strata(group, &rows, n)).collect(),
            batches: if self.keeps_members { vec![rows] } else { Vec::new() },
        };
        Outcome {
            indicator: Arc::clone(indicator),
            period: self.period,
            person: self.person.clone(),
            place: self.materials.place,
            groups: groups.map(counted).collect(),
        }
    }

    /// Gives a query to a session. What is used more than once is computed once, if its answer is not too large.
    fn give(
        &self,
        session: &Session,
        indicator: &Indicator,
        query: &Query,
        parameters: &Parameters,
    ) -> Result<(), sql::Error> {
        if uses(indicator, &query.name) > 1 {
            let limits = Limits { rows: ONCE_ROWS, bytes: ONCE_BYTES, time: self.limits.time };
            match session.ask(&query.text, parameters, &limits, &self.cancel) {
                Ok(answer) => return session.add(&query.name, &answer.schema, &answer.batches),
                Err(error) if error.kind == sql::Kind::TooMuch => {}
                Err(error) => return Err(error),
            }
        }
        session.add_query(&query.name, &query.text, parameters)
    }

    fn group(&self, room: &Room<'_>, at: usize, group: &Group) -> Result<RecordBatch, Error> {
        let text = membership::question(room, group, self.person.is_some())?;
        let person: Vec<(&'static str, ScalarValue)> =
            self.person.iter().map(|p| ("only_person", ScalarValue::from(p.as_str()))).collect();
        let place = format!("group[{at}]");
        let members = room.ask(&place, &text, &person)?;
        // One batch: numbers are added up in the order of its rows, whatever threads there are.
        concat_batches(&members.schema, &members.batches)
            .map_err(|e| Error::new(room.of(), place, e.to_string()))
    }
}
