//! Conditions: diagnosed, confirmed, resolved.

use crate::calendar::{Day, Moment, date_text, day_of, moment_text};
use crate::chart::Chart;
use crate::person::Person;
use crate::visit::Visit;
use crate::write::{Elements, ICD10};

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/condition-category";

/// A condition of somebody.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) id: String,
    encounter: String,
    physician: String,
    names: (&'static str, &'static str, &'static str),
    onset: Day,
    since: Moment,
    chronic: bool,
}

/// How it stands with a condition.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Standing {
    /// 疑い
    Suspected,
    /// Confirmed and active.
    Active,
    /// Over since this day.
    Resolved(Day),
}

impl Condition {
    /// A diagnosis made at the end of a visit: ICD-10, its display, Japanese text.
    pub(crate) fn new(
        chart: &mut Chart<'_>,
        visit: &Visit<'_>,
        names: (&'static str, &'static str, &'static str),
        onset: Day,
        chronic: bool,
        since: Moment,
    ) -> Condition {
        let (encounter, physician) = (visit.id.clone(), visit.physician.to_owned());
        Condition { id: chart.id(since), encounter, physician, names, onset, since, chronic }
    }

    /// Records how it stands.
    pub(crate) fn record(
        &self,
        chart: &mut Chart<'_>,
        person: &Person,
        standing: Standing,
        recorded: Moment,
    ) {
        let (clinical, verification) = match standing {
            Standing::Suspected => (("active", "Active"), ("provisional", "Provisional")),
            Standing::Active => (("active", "Active"), ("confirmed", "Confirmed")),
            Standing::Resolved(_) => (("resolved", "Resolved"), ("confirmed", "Confirmed")),
        };
        chart.add("Condition", &self.id, recorded, |o| {
            o.concept("clinicalStatus", &[(CLINICAL, clinical.0, clinical.1)], "");
            o.concept("verificationStatus", &[(VERIFICATION, verification.0, verification.1)], "");
            let category = if self.chronic {
                ("problem-list-item", "Problem List Item")
            } else {
                ("encounter-diagnosis", "Encounter Diagnosis")
            };
            o.concepts("category", &[(CATEGORY, category.0, category.1)], "");
            let (code, display, text) = self.names;
            let suspected = matches!(standing, Standing::Suspected);
            let text = if suspected { format!("{text}の疑い") } else { text.to_owned() };
            o.concept("code", &[(ICD10, code, display)], &text);
            o.reference("subject", "Patient", &person.id).reference(
                "encounter",
                "Encounter",
                &self.encounter,
            );
            o.member("onsetDateTime", &date_text(self.onset.min(day_of(self.since))));
            if let Standing::Resolved(day) = standing {
                o.member("abatementDateTime", &date_text(day));
            }
            o.member("recordedDate", &moment_text(self.since)).reference(
                "recorder",
                "Practitioner",
                &self.physician,
            );
        });
    }
}
