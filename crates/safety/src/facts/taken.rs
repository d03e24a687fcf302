//! Medicines that are taken: MedicationRequest, MedicationStatement, and Medication they refer to.

use fhir::NodeRef;

use super::{Facts, Medication, Written, concept, day, reference};
use crate::dosage::{Dosage, in_days};
use crate::medicines::Medicines;

/// A medicine that was handed out lasts some days longer than it should.
const GRACE_DAYS: f64 = 7.0;

impl Medication {
    /// A medicine by its name, and the text of how it is taken: 「ワルファリン錠1mg」「1回2錠 1日1回」.
    #[must_use]
    pub fn named(medicines: &Medicines, name: &str, usage: &str) -> Medication {
        let names = [name.to_owned()];
        let dosage = Dosage::of_text(usage, crate::dosage::is_bulk(name));
        Medication {
            written: name.to_owned(),
            ingredients: medicines.ingredients(&[], &names),
            dosages: if usage.trim().is_empty() { Vec::new() } else { vec![dosage] },
            ..Medication::default()
        }
    }
}

impl Facts {
    /// What is ordered, from a MedicationRequest or MedicationStatement; `None` of anything else, and of what says that
    /// something is *not* to be taken. Medication resources it refers to are taken from those added before.
    #[must_use]
    pub fn order(&self, medicines: &Medicines, resource: NodeRef<'_>) -> Option<Medication> {
        if !matches!(resource.type_name(), "MedicationRequest" | "MedicationStatement") {
            return None;
        }
        if resource.text_at("doNotPerform").is_some_and(|text| text == "true") {
            return None;
        }
        Some(self.medication(medicines, resource))
    }

    fn medication(&self, medicines: &Medicines, resource: NodeRef<'_>) -> Medication {
        let chosen = resource.child("medication");
        let referred = chosen.and_then(|m| m.text_at("reference"));
        let mut awaits = None;
        let (codings, mut texts) = match (chosen, &referred) {
            (Some(_), Some(target)) => {
                let contained = target.strip_prefix('#').and_then(|id| {
                    resource.all("contained").find(|c| c.id().is_some_and(|own| own == id)).map(of_substance)
                });
                contained.or_else(|| self.substances.get(local(target)).cloned()).unwrap_or_else(|| {
                    awaits = Some(local(target).to_owned());
                    Default::default()
                })
            }
            (Some(concept_node), None) => concept(concept_node),
            (None, _) => Default::default(),
        };
        texts.extend(chosen.and_then(|m| m.text_at("display")).map(|t| t.into_owned()));
        let lines =
            if resource.type_name() == "MedicationStatement" { "dosage" } else { "dosageInstruction" };
        let name = texts.first().cloned().or_else(|| codings.first().map(|(_, code)| code.clone()));
        let prior = ["priorPrescription", "basedOn", "derivedFrom", "reasonReference"];
        let prior = prior.iter().flat_map(|name| resource.all(name)).filter_map(|r| r.text_at("reference"));
        Medication {
            reference: reference(resource),
            written: name.unwrap_or_default(),
            ingredients: medicines.ingredients(&codings, &texts),
            dosages: Dosage::read(resource.all(lines), &texts),
            prior: prior
                .map(|text| local(&text).to_owned())
                .filter(|r| r.starts_with("Medication"))
                .collect(),
            awaits,
        }
    }

    pub(super) fn add_medication(&mut self, medicines: &Medicines, resource: NodeRef<'_>) {
        if self.is_taken(resource)
            && let Some(medication) = self.order(medicines, resource)
        {
            self.medications.push(medication);
        }
    }

    /// Whether it is taken today. An active one is, unless it says that it has ended. A prescription that is completed
    /// (as JP-CLINS has those that were issued) is, while what was prescribed lasts.
    fn is_taken(&self, resource: NodeRef<'_>) -> bool {
        let text = |path: &str| resource.text_at(path);
        let status = text("status").unwrap_or_default();
        if text("intent").is_some_and(|intent| matches!(&*intent, "proposal" | "plan" | "option")) {
            return false;
        }
        let ends = [
            text("effective.end"),
            text("dispenseRequest.validityPeriod.end").filter(|_| status == "completed"),
            text("dosageInstruction.timing.repeat.bounds.end"),
        ];
        if ends.into_iter().flatten().filter_map(|end| day(&end)).any(|end| end < self.today) {
            return false;
        }
        match &*status {
            "active" | "on-hold" | "intended" | "unknown" => true,
            "completed" if resource.type_name() == "MedicationRequest" => {
                let length = |path: &str| {
                    let duration = resource.path(path)?;
                    let value: f64 = duration.text_at("value")?.parse().ok()?;
                    in_days(value, &duration.text_at("code").or_else(|| duration.text_at("unit"))?)
                };
                let supply = length("dispenseRequest.expectedSupplyDuration");
                let bounds = resource.path("dosageInstruction.timing.repeat.bounds.value");
                let bounds = bounds.and_then(|_| length("dosageInstruction.timing.repeat.bounds"));
                let Some(days) = supply.or(bounds) else { return false };
                let repeats: f64 = text("dispenseRequest.numberOfRepeatsAllowed")
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(0.0);
                let lasts = days * (1.0 + repeats) + GRACE_DAYS;
                text("authoredOn")
                    .and_then(|t| day(&t))
                    .is_some_and(|from| (from..=from + lasts.clamp(0.0, 1000.0) as i64).contains(&self.today))
            }
            _ => false,
        }
    }

    pub(super) fn add_substance(&mut self, medicines: &Medicines, resource: NodeRef<'_>) {
        let Some(reference) = reference(resource) else { return };
        let (codings, texts) = of_substance(resource);
        for waiting in &mut self.medications {
            if waiting.awaits.as_deref() == Some(reference.as_str()) {
                waiting.awaits = None;
                waiting.ingredients = medicines.ingredients(&codings, &texts);
                waiting.written = texts.first().cloned().unwrap_or_default();
            }
        }
        self.substances.insert(reference, (codings, texts));
    }
}

/// What a Medication is and what is in it.
fn of_substance(resource: NodeRef<'_>) -> Written {
    let (mut codings, mut texts) = resource.child("code").map(concept).unwrap_or_default();
    for item in resource.all("ingredient").filter_map(|i| i.child("item")).take(20) {
        let (more, also) = concept(item);
        codings.extend(more);
        texts.extend(also);
    }
    (codings, texts)
}

/// The last two segments of a reference: `Type/id`, without base and version.
fn local(reference: &str) -> &str {
    let bare = reference.split_once("/_history").map_or(reference, |(bare, _)| bare);
    let mut slashes = bare.rmatch_indices('/').skip(1);
    slashes.next().map_or(bare, |(at, _)| bare.get(at + 1..).unwrap_or(bare))
}
