//! Prescriptions, and the dispensing at the pharmacy.

use crate::calendar::{Day, HOUR, Moment, day_of};
use crate::chart::Chart;
use crate::drugs::Drug;
use crate::institutions::Provider;
use crate::person::Person;
use crate::visit::Visit;
use crate::write::{ATC, Elements};

/// A medicine prescribed to somebody.
#[derive(Clone, Debug)]
pub(crate) struct Prescription {
    pub(crate) drug: &'static Drug,
    pub(crate) since: Day,
    id: String,
    condition: String,
    encounter: String,
    physician: String,
    pharmacy: String,
    prior: Option<String>,
    authored: Moment,
    days: i64,
}

/// What a physician orders.
pub(crate) struct Order<'a> {
    pub(crate) drug: &'static Drug,
    /// The id of the Condition it is for.
    pub(crate) condition: &'a str,
    /// For how many days.
    pub(crate) days: i64,
    /// The prescription it goes on from.
    pub(crate) prior: Option<&'a Prescription>,
}

impl Prescription {
    /// Prescribes at the end of a visit, records it, and records what the pharmacy hands over.
    pub(crate) fn write(
        chart: &mut Chart<'_>,
        person: &Person,
        visit: &Visit<'_>,
        pharmacy: &Provider,
        order: Order<'_>,
    ) -> Prescription {
        let prescription = Prescription {
            drug: order.drug,
            since: day_of(visit.end),
            id: chart.id(visit.end),
            condition: order.condition.to_owned(),
            encounter: visit.id.clone(),
            physician: visit.physician.to_owned(),
            pharmacy: pharmacy.organization.clone(),
            prior: order.prior.map(|p| p.id.clone()),
            authored: visit.end,
            days: order.days,
        };
        prescription.record(chart, person, "active", "", visit.end);
        prescription
    }

    /// Records it with this status, and why it was stopped.
    pub(crate) fn record(
        &self,
        chart: &mut Chart<'_>,
        person: &Person,
        status: &str,
        reason: &str,
        recorded: Moment,
    ) {
        chart.add("MedicationRequest", &self.id, recorded, |o| {
            o.member("status", status);
            if !reason.is_empty() {
                o.concept("statusReason", &[], reason);
            }
            o.member("intent", "order");
            self.medicine(o);
            o.reference("subject", "Patient", &person.id).reference(
                "encounter",
                "Encounter",
                &self.encounter,
            );
            o.moment("authoredOn", self.authored).reference("requester", "Practitioner", &self.physician);
            o.references("reasonReference", "Condition", &self.condition);
            if let Some(prior) = &self.prior {
                o.reference("priorPrescription", "MedicationRequest", prior);
            }
            self.dosage(o);
            o.name("dispenseRequest").object(|d| {
                // A chronic medicine is one order a year, handed over four times.
                d.raw_member("numberOfRepeatsAllowed", if self.days >= 90 { "3" } else { "0" });
                d.quantity("expectedSupplyDuration", self.days as f64, 0, "日", "d");
                d.reference("performer", "Organization", &self.pharmacy);
            });
        });
    }

    /// Records that the pharmacy has handed it over.
    pub(crate) fn dispense(&self, chart: &mut Chart<'_>, person: &Person) {
        let handed = self.authored + chart.rng.between(20, 100) * 60;
        let id = chart.id(handed);
        let recorded = handed + HOUR / 2;
        chart.add("MedicationDispense", &id, recorded, |o| {
            o.member("status", "completed");
            self.medicine(o);
            o.reference("subject", "Patient", &person.id);
            o.name("performer").array(|a| {
                a.object(|p| {
                    p.reference("actor", "Organization", &self.pharmacy);
                });
            });
            o.references("authorizingPrescription", "MedicationRequest", &self.id);
            o.quantity("daysSupply", self.days as f64, 0, "日", "d").moment("whenHandedOver", handed);
            self.dosage(o);
        });
    }

    fn medicine(&self, json: &mut fhir::json::JsonWriter) {
        let (code, display) = self.drug.atc;
        json.concept("medicationCodeableConcept", &[(ATC, code, display)], self.drug.name);
    }

    fn dosage(&self, json: &mut fhir::json::JsonWriter) {
        json.name("dosageInstruction").array(|a| {
            a.object(|d| {
                d.member("text", self.drug.usage);
                if self.drug.times == 0 {
                    d.raw_member("asNeededBoolean", "true");
                } else {
                    d.name("timing").object(|t| {
                        t.name("repeat").object(|r| {
                            r.raw_member("frequency", &self.drug.times.to_string());
                            r.raw_member("period", "1").member("periodUnit", "d");
                        });
                    });
                }
            });
        });
    }
}
