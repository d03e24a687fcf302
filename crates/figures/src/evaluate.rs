//! Evaluating, for whoever asks.

use std::sync::Arc;

use fhir::date_time::format_instant;
use hub::{Access, Failure, SystemClock};
use measures::{Circumstances, Evaluation, Kind, Materials, Outcome, Period, views_of};
use serde_json::{Value, json};
use store::{Clock as _, Place};

use crate::Figures;
use crate::asked::Asked;
use crate::failure::{failure_of, invalid};
use crate::protected::{leave_out_all, protect, put_intervals};
use crate::standing::Audience;

/// The version of what computes.
pub(crate) const CODE_VERSION: &str = env!("CARGO_PKG_VERSION");
/// The role of those who run a hub.
const OPERATOR: &str = "operator";
pub(crate) const EXTENSIONS: &str = "https://yojigen.example/fhir/StructureDefinition";

/// Whether an access is of somebody who runs the hub, at the hub's own pages or command line, and of nobody else.
pub(crate) fn runs_the_hub(access: &Access) -> bool {
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
        Ok(self.evaluate_periods(access, asked, &[asked.period])?.pop().unwrap_or_default())
    }

    /// The same for several periods instead of the one that is asked for, with the views built once.
    ///
    /// # Errors
    /// As [`Figures::evaluate`].
    pub fn evaluate_periods(
        &self,
        access: &Access,
        asked: &Asked,
        periods: &[Period],
    ) -> Result<Vec<Vec<Value>>, Failure> {
        if access.rights.is_none() || !runs_the_hub(access) {
            // Who has the whole record is not told apart by Consents.
            let audience = access.rights.is_none().then_some(Audience::Everybody);
            return self.reports(access, asked, periods, audience, false);
        }
        if asked.kind != Kind::Summary || asked.person.is_some() {
            let message =
                "whoever runs the hub is told figures, and of nobody in particular: ask for a summary";
            return Err(Failure::new(hub::Kind::Forbidden, fhir::IssueType::Forbidden, message));
        }
        self.reports(&self.hub.counting(None)?, asked, periods, Some(Audience::Consenting), true)
    }

    /// The figures of the hub's own counting, with what could tell of few left out: those that may be published.
    ///
    /// # Errors
    /// As [`Figures::evaluate`].
    pub fn counted(&self, asked: &Asked, decided_at: Option<Place>) -> Result<Vec<Value>, Failure> {
        let counting = self.hub.counting(decided_at)?;
        // As of then is not remembered.
        let audience = decided_at.is_none().then_some(Audience::Consenting);
        Ok(self.reports(&counting, asked, &[asked.period], audience, true)?.pop().unwrap_or_default())
    }

    fn reports(
        &self,
        access: &Access,
        asked: &Asked,
        periods: &[Period],
        audience: Option<Audience>,
        is_protected: bool,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        let reader = self.hub.reader(access);
        let place = self.hub.place(&reader, asked.as_of)?.unwrap_or(reader.place());
        let indicators = self.which(&asked.which)?;
        let patients = match &asked.person {
            Some(id) if fhir::primitive::is_id(id) => reader.linked_patients(id, self.hub.budget())?,
            Some(id) => return Err(invalid(format!("'{id}' is no id of a Patient"))),
            None => Vec::new(),
        };
        let engine = &self.started()?.engine;
        let audience = audience.filter(|_| asked.person.is_none() && place == reader.place());
        let materials = match audience {
            Some(_) => Arc::new(Materials::at(place.0)),
            None => self.materials(access, place, &views_of(&indicators), &patients)?,
        };
        let of_period = |period: &Period| {
            let mut evaluation = Evaluation::new(engine, &materials, *period);
            evaluation.person = asked.person.as_ref().map(|id| format!("Patient/{id}"));
            evaluation.keeps_members = asked.kind != Kind::Summary;
            let outcomes: Vec<Outcome> = match audience {
                None => evaluation.run(&indicators).map_err(|e| failure_of(&e))?,
                Some(audience) => {
                    let members = self.members(access, audience, place, *period, &indicators)?;
                    let all = indicators.iter().zip(members);
                    all.map(|(indicator, members)| evaluation.outcome(indicator, members)).collect()
                }
            };
            let report = |outcome: &Outcome| {
                let mut report = self.report(outcome, asked.kind, place)?;
                if is_protected {
                    // Where no proof is found, nothing is told.
                    if protect(outcome, &mut report).is_err() {
                        report["group"].as_array_mut().into_iter().flatten().for_each(leave_out_all);
                    }
                }
                Ok(report)
            };
            outcomes.iter().map(report).collect()
        };
        periods.iter().map(of_period).collect()
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
