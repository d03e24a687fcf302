//! What the record says of one person, as far as checks need it.
//!
//! [`Facts::add`] takes resources one by one, in any order, and leaves aside what is no concern of a check. An area that
//! nothing came from is *not seen* until [`Facts::looked_at`] says that there was nothing.

mod allergy;
mod observation;
mod person;
mod taken;

use std::collections::BTreeMap;

use fhir::NodeRef;
use fhir::date_time::{DateTime, days_from_civil};

use crate::bits::Bits;
use crate::dosage::Dosage;
use crate::kidney::{Equation, Sex};
use crate::medicines::{Ingredient, Medicines};
use crate::report::Named;

/// A part of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// AllergyIntolerance.
    Allergies,
    /// MedicationRequest, MedicationStatement.
    Medications,
    /// Observation.
    Observations,
    /// Condition.
    Conditions,
    /// Patient.
    Person,
}

/// Days since 1970-01-01.
pub type Day = i64;

/// How something is named: codings (system, code) and texts.
pub(crate) type Written = (Vec<(String, String)>, Vec<String>);

/// A medicine that is taken, or ordered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Medication {
    /// `MedicationRequest/1`, if the resource has an id.
    pub reference: Option<String>,
    /// Its name as it is written.
    pub written: String,
    /// What is in it; empty if it is not recognised.
    pub ingredients: Vec<Ingredient>,
    /// How it is taken.
    pub dosages: Vec<Dosage>,
    /// Orders it goes on from or replaces.
    pub prior: Vec<String>,
    /// The Medication it refers to and that is not known yet.
    pub(crate) awaits: Option<String>,
}

/// An allergy or intolerance that is active.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Allergy {
    pub(crate) reference: Option<String>,
    pub(crate) written: String,
    pub(crate) to: Vec<(Bits, Named)>,
    /// Whether it may be one to a medicine: its category says so, or does not say.
    pub(crate) may_be_medicine: bool,
    pub(crate) is_severe: bool,
    pub(crate) asthma: bool,
    pub(crate) angioedema: bool,
}

/// A value at a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dated<T> {
    pub(crate) day: Day,
    pub(crate) value: T,
}

/// The latest of values.
pub(crate) fn latest<T: Copy>(values: &[Dated<T>]) -> Option<Dated<T>> {
    values.iter().copied().max_by_key(|v| v.day)
}

/// What the record says of one person.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    today: Day,
    /// The formula for eGFR where none is recorded.
    pub equation: Equation,
    seen: Vec<Area>,
    missed: Vec<Area>,
    pub(crate) allergies: Vec<Allergy>,
    pub(crate) says_none: bool,
    pub(crate) medications: Vec<Medication>,
    /// Medication resources by reference: codings, texts.
    substances: BTreeMap<String, Written>,
    birth: Option<Day>,
    birth_year: Option<i64>,
    pub(crate) sex: Option<Sex>,
    egfr: Vec<Dated<f64>>,
    creatinine: Vec<Dated<f64>>,
    weight: Vec<Dated<f64>>,
    pregnant: Vec<Dated<bool>>,
    /// Weeks of pregnancy at a day.
    weeks: Vec<Dated<f64>>,
}

/// The kidneys' function as a check sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kidneys {
    /// mL/min/1.73 m².
    pub egfr: Option<f64>,
    /// mL/min (Cockcroft–Gault).
    pub clearance: Option<f64>,
    /// When it was measured.
    pub day: Day,
    /// Whether eGFR was computed here.
    pub is_computed: bool,
}

/// Values older than this say nothing of today's kidneys.
const KIDNEY_DAYS: i64 = 366;
/// What was said of a pregnancy longer ago says nothing of today.
const PREGNANCY_DAYS: i64 = 300;

/// The day of a date or time.
pub(crate) fn day(text: &str) -> Option<Day> {
    let (year, month, day) = DateTime::parse(text)?.date();
    Some(days_from_civil(i64::from(year), i64::from(month), i64::from(day)))
}

/// Codings (system, code) and texts (displays, text) of a CodeableConcept.
pub(crate) fn concept(node: NodeRef<'_>) -> Written {
    let mut codings = Vec::new();
    let mut texts: Vec<String> = node.text_at("text").map(|t| t.into_owned()).into_iter().collect();
    for coding in node.all("coding").take(20) {
        let part = |name: &str| coding.text_at(name).map(|t| t.into_owned());
        if let (Some(system), Some(code)) = (part("system"), part("code")) {
            codings.push((system, code));
        }
        if let Some(display) = part("display").filter(|d| !texts.contains(d)) {
            texts.push(display);
        }
    }
    (codings, texts)
}

/// `Type/id`, if it has an id.
fn reference(node: NodeRef<'_>) -> Option<String> {
    Some(format!("{}/{}", node.type_name(), node.id()?))
}

impl Facts {
    /// Of somebody of whom nothing is known, on a day (any FHIR date or time).
    #[must_use]
    pub fn on(today: &str) -> Facts {
        Facts { today: day(today).unwrap_or_default(), ..Facts::default() }
    }

    /// The same at a moment (microseconds since 1970 UTC), so many minutes east of UTC.
    #[must_use]
    pub fn at(moment: fhir::date_time::Micros, offset_minutes: i32) -> Facts {
        let local = moment + i64::from(offset_minutes) * 60_000_000;
        Facts { today: local.div_euclid(86_400_000_000), ..Facts::default() }
    }

    /// What is taken today.
    #[must_use]
    pub fn taken(&self) -> &[Medication] {
        &self.medications
    }

    /// Counts a medicine as taken: what is ordered beside another.
    pub fn take(&mut self, medication: Medication) {
        self.medications.push(medication);
    }

    /// Says that an area could not be looked at, or not at all of it.
    pub fn missed(&mut self, area: Area) {
        if !self.missed.contains(&area) {
            self.missed.push(area);
        }
    }

    /// Says that an area was looked at, whether or not there was anything.
    pub fn looked_at(&mut self, area: Area) {
        if !self.seen.contains(&area) {
            self.seen.push(area);
        }
    }

    pub(crate) fn has_seen(&self, area: Area) -> bool {
        self.seen.contains(&area)
    }

    pub(crate) fn has_missed(&self, area: Area) -> bool {
        self.missed.contains(&area)
    }

    /// The same without one of what is taken, by its place: what is left when that one is looked at.
    #[must_use]
    pub fn without(&self, at: usize) -> Facts {
        let mut facts = self.clone();
        if at < facts.medications.len() {
            facts.medications.remove(at);
        }
        facts
    }

    /// Takes what a resource says. A resource that is no concern of a check is left aside.
    pub fn add(&mut self, medicines: &Medicines, resource: NodeRef<'_>) {
        let area = match resource.type_name() {
            "AllergyIntolerance" => Area::Allergies,
            "MedicationRequest" | "MedicationStatement" => Area::Medications,
            "Observation" => Area::Observations,
            "Condition" => Area::Conditions,
            "Patient" => Area::Person,
            "Medication" => return self.add_substance(medicines, resource),
            _ => return,
        };
        self.looked_at(area);
        match area {
            Area::Allergies => self.add_allergy(medicines, resource),
            Area::Medications => self.add_medication(medicines, resource),
            Area::Observations => self.add_observation(resource),
            Area::Conditions => self.add_condition(resource),
            Area::Person => self.add_person(resource),
        }
    }

    /// The age in years, if the day or year of birth is known.
    #[must_use]
    pub fn age(&self) -> Option<i64> {
        let (year, month, day) = fhir::date_time::civil_from_days(self.today);
        match self.birth {
            Some(birth) => {
                let (born, in_month, on_day) = fhir::date_time::civil_from_days(birth);
                Some(year - born - i64::from((month, day) < (in_month, on_day)))
            }
            None => Some(year - self.birth_year?),
        }
    }

    /// The kidneys' function of the last twelve months: the newest of what is recorded and what creatinine gives.
    #[must_use]
    pub fn kidneys(&self) -> Option<Kidneys> {
        let is_fresh = |day: Day| (self.today - KIDNEY_DAYS..=self.today + 1).contains(&day);
        let recorded = latest(&self.egfr).filter(|v| is_fresh(v.day));
        let creatinine = latest(&self.creatinine).filter(|v| is_fresh(v.day));
        let age = self.age().map(|age| age as f64);
        let computed = creatinine.and_then(|c| self.equation.egfr(c.value, age?, self.sex?));
        let weight = latest(&self.weight).filter(|v| is_fresh(v.day));
        let clearance =
            creatinine.and_then(|c| crate::kidney::clearance(c.value, age?, self.sex?, weight?.value));
        let is_older = recorded.is_none_or(|r| creatinine.is_some_and(|c| c.day > r.day));
        match (recorded, creatinine, computed) {
            (_, Some(c), Some(egfr)) if is_older => {
                Some(Kidneys { egfr: Some(egfr), clearance, day: c.day, is_computed: true })
            }
            (Some(r), _, _) => {
                Some(Kidneys { egfr: Some(r.value), clearance, day: r.day, is_computed: false })
            }
            _ => None,
        }
    }

    /// Whether the person is pregnant, if something says so within a pregnancy's time.
    #[must_use]
    pub fn is_pregnant(&self) -> Option<bool> {
        let said = latest(&self.pregnant)?;
        (said.day >= self.today - PREGNANCY_DAYS && said.day <= self.today + 1).then_some(said.value)
    }

    /// The week of the pregnancy today, counted from the last period, if it is known.
    #[must_use]
    pub fn week(&self) -> Option<f64> {
        let said = latest(&self.weeks)?;
        let week = said.value + (self.today - said.day) as f64 / 7.0;
        (0.0..45.0).contains(&week).then_some(week)
    }

    /// Whether a pregnancy need not be thought of: a man, a child, an elder.
    pub(crate) fn cannot_be_pregnant(&self) -> bool {
        self.sex == Some(Sex::Male) || self.age().is_some_and(|age| !(11..=55).contains(&age))
    }

    #[cfg(test)]
    pub(crate) fn of_case(medicines: &Medicines, case: &crate::rows::Case) -> Facts {
        use crate::medicines::normalised;
        let mut facts = Facts::on("2026-11-30");
        for area in [Area::Allergies, Area::Medications, Area::Observations, Area::Conditions, Area::Person] {
            facts.looked_at(area);
        }
        let today = facts.today;
        facts.birth_year = Some(2026 - case.age.unwrap_or(40));
        facts.sex = Some(if case.week.is_some() { Sex::Female } else { Sex::Male });
        if let Some(name) = &case.has {
            facts.medications.push(Medication::named(medicines, name, ""));
        }
        if let Some(name) = &case.allergy {
            let reaction = normalised(case.reaction.as_deref().unwrap_or_default());
            facts.allergies.push(Allergy {
                reference: None,
                written: name.clone(),
                to: medicines.allergens(&[], std::slice::from_ref(name)),
                may_be_medicine: true,
                is_severe: false,
                asthma: allergy::is_asthma(&reaction),
                angioedema: allergy::is_angioedema(&reaction),
            });
        }
        facts.egfr.extend(case.egfr.map(|value| Dated { day: today, value }));
        facts.pregnant.extend(case.week.map(|_| Dated { day: today, value: true }));
        facts.weeks.extend(case.week.map(|value| Dated { day: today, value }));
        facts
    }
}
