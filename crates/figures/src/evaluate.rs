//! Evaluating, for whoever asks.

use fhir::date_time::format_instant;
use hub::{Access, Failure, SystemClock};
use measures::{Circumstances, Evaluation, Kind, Outcome, views_of};
use serde_json::{Value, json};
use store::{Clock as _, Place};

use crate::Figures;
use crate::asked::Asked;
use crate::failure::{failure_of, internal, invalid};
use crate::protected::{protect, put_intervals};

/// The version of what computes.
pub(crate) const CODE_VERSION: &str = env!("CARGO_PKG_VERSION");
/// The role of those who run a hub.
const OPERATOR: &str = "operator";
const EXTENSIONS: &str = "https://yojigen.example/fhir/StructureDefinition";

/// Whether an access is of somebody who runs the hub, at the hub's own pages or command line, and of nobody else.
fn runs_the_hub(access: &Access) -> bool {
    access.subject.as_deref().is_some_and(|s| {
        s.client.is_none() && s.scopes.is_none() && s.roles.iter().any(|role| role == OPERATOR)
    })
}

impl Figures {
    /// Evaluates, and reports: MeasureReports in the order of the indicators.
    ///
    /// # Errors
    /// What is asked for is not there, or not for this access; what costs too much.
    pub fn evaluate(&self, access: &Access, asked: &Asked) -> Result<Vec<Value>, Failure> {
        let is_protected = access.rights.is_some() && runs_the_hub(access);
        if !is_protected {
            let reader = self.hub.reader(access);
            let place = self.hub.place(&reader, asked.as_of)?.unwrap_or(reader.place());
            let is_kept = access.rights.is_none();
            let outcomes = self.outcomes(access, asked, place, is_kept)?;
            return outcomes.iter().map(|o| self.report(o, asked.kind, place)).collect();
        }
        if asked.kind != Kind::Summary || asked.person.is_some() {
            let message =
                "whoever runs the hub is told figures, and of nobody in particular: ask for a summary";
            return Err(Failure::new(hub::Kind::Forbidden, fhir::IssueType::Forbidden, message));
        }
        self.counted(asked, None)
    }

    /// The figures of the hub's own counting, with what could tell of few left out: those that may be published.
    ///
    /// # Errors
    /// As [`Figures::evaluate`].
    pub fn counted(&self, asked: &Asked, decided_at: Option<Place>) -> Result<Vec<Value>, Failure> {
        let counting = self.hub.counting(decided_at)?;
        let reader = self.hub.reader(&counting);
        let place = self.hub.place(&reader, asked.as_of)?.unwrap_or(reader.place());
        let outcomes = self.outcomes(&counting, asked, place, decided_at.is_none())?;
        let reports = outcomes.iter().map(|outcome| {
            let mut report = self.report(outcome, Kind::Summary, place)?;
            protect(outcome, &mut report).map_err(|e| internal(&e))?;
            Ok(report)
        });
        reports.collect()
    }

    pub(crate) fn outcomes(
        &self,
        access: &Access,
        asked: &Asked,
        place: Place,
        is_kept: bool,
    ) -> Result<Vec<Outcome>, Failure> {
        let indicators = self.which(&asked.which)?;
        let materials = self.materials(access, place, &views_of(&indicators), is_kept)?;
        let mut evaluation = Evaluation::new(&self.started()?.engine, &materials, asked.period);
        if let Some(id) = &asked.person {
            if !fhir::primitive::is_id(id) {
                return Err(invalid(format!("'{id}' is no id of a Patient")));
            }
            evaluation.person = Some(format!("Patient/{id}"));
        }
        evaluation.keeps_members = asked.kind != Kind::Summary;
        evaluation.run(&indicators).map_err(|e| failure_of(&e))
    }

    /// A report, with where and when its data are of: a place of the log counts in this hub alone, its instant everywhere.
    fn report(&self, outcome: &Outcome, kind: Kind, place: Place) -> Result<Value, Failure> {
        let circumstances = Circumstances {
            date: format_instant(SystemClock.now()),
            reporter: None,
            code_version: CODE_VERSION.to_owned(),
        };
        let mut report = outcome.report(kind, &circumstances);
        if kind != Kind::Individual {
            put_intervals(outcome, &mut report);
        }
        let instant = self.hub.store().reader().instant_of(place)?.max(0);
        if let Some(extensions) = report["extension"].as_array_mut() {
            extensions.push(
                json!({"url": format!("{EXTENSIONS}/data-instant"), "valueInstant": format_instant(instant)}),
            );
        }
        Ok(report)
    }
}
