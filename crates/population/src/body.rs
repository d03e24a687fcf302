//! What would be measured in a person on a day.
//!
//! Each person has a rank for each disease; the distance between the rank and the prevalence at their age says how far
//! the illness has come, and the untreated values follow from it: so the community has the prevalence of the tables,
//! and a person's values rise over years, cross the limit near the onset, and fall with treatment. An AR(1) process per
//! value makes neighbouring measurements alike.

use crate::calendar::{Day, civil, years};
use crate::numbers::{power, round};
use crate::prevalence::{DISEASES, Disease};
use crate::rng::{Rng, Wander};

/// What does not change in a person.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    female: bool,
    birth: Day,
    height: f64,
    bmi: f64,
    ranks: [f64; 3],
    aware: [bool; 3],
    diastolic: f64,
    fat: f64,
    liver: f64,
    kidney: f64,
}

/// The effect of treatment from a day on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Treatment {
    pub(crate) since: Day,
    /// mmHg taken off the systolic pressure.
    pub(crate) pressure: f64,
    /// Percentage points taken off HbA1c.
    pub(crate) glucose: f64,
    /// The share of LDL taken away.
    pub(crate) lipids: f64,
}

/// What is measured on one day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) height: f64,
    pub(crate) weight: f64,
    pub(crate) bmi: f64,
    pub(crate) waist: f64,
    pub(crate) systolic: f64,
    pub(crate) diastolic: f64,
    pub(crate) hba1c: f64,
    pub(crate) glucose: f64,
    pub(crate) ldl: f64,
    pub(crate) hdl: f64,
    pub(crate) triglycerides: f64,
    pub(crate) ast: f64,
    pub(crate) alt: f64,
    pub(crate) ggt: f64,
    pub(crate) creatinine: f64,
    pub(crate) egfr: f64,
}

impl Body {
    pub(crate) fn new(rng: &mut Rng, female: bool, birth: Day) -> Body {
        let common = rng.unit();
        // Each rank is uniform, and a third of the time the same: those who have one disease often have another.
        let mut ranks = [0.0; 3];
        for rank in &mut ranks {
            *rank = if rng.chance(0.35) { common } else { rng.unit() };
        }
        let aware = DISEASES.map(|disease| rng.chance(disease.aware()));
        let old = (years(birth, crate::calendar::LAST_DAY) - 40.0).clamp(0.0, 50.0);
        let height = if female { 158.5 } else { 171.5 } - old * 0.17 + rng.normal() * 5.6;
        let bmi = if female { 22.2 } else { 23.6 } + (0.5 - common) * 4.5 + rng.normal() * 2.4;
        Body {
            female,
            birth,
            height,
            bmi: bmi.clamp(16.5, 38.0),
            ranks,
            aware,
            diastolic: rng.normal() * 5.0,
            fat: rng.normal(),
            liver: rng.normal().abs(),
            kidney: rng.normal() * 11.0,
        }
    }

    /// The day a disease begins that will come under treatment.
    pub(crate) fn treated_onset(&self, disease: Disease) -> Option<Day> {
        let n = disease as usize;
        let onset = disease.onset(self.female, self.ranks[n]).filter(|_| self.aware[n])?;
        Some(self.birth + (onset * 365.25) as Day)
    }

    fn severity(&self, disease: Disease, age: f64) -> f64 {
        disease.prevalence(self.female, age) - self.ranks[disease as usize]
    }
}

/// The treatment in force on a day; they are in order.
pub(crate) fn treatment_on(treatments: &[Treatment], day: Day) -> Treatment {
    treatments.iter().rev().find(|t| t.since <= day).copied().unwrap_or_default()
}

/// How a person's values wander from one measurement to the next.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pressure: Wander,
    weight: Wander,
    glucose: Wander,
    lipids: Wander,
    fat: Wander,
    liver: Wander,
    kidney: Wander,
}

/// mmHg by month: blood pressure is higher in winter.
const SEASON: [f64; 12] = [3.5, 3.0, 1.5, 0.0, -1.5, -2.5, -3.5, -3.5, -2.0, 0.0, 1.5, 3.0];

impl Course {
    pub(crate) fn new(rng: &mut Rng) -> Course {
        Course {
            pressure: Wander::new(rng, 0.6, 6.5),
            weight: Wander::new(rng, 0.85, 0.7),
            glucose: Wander::new(rng, 0.7, 0.2),
            lipids: Wander::new(rng, 0.6, 11.0),
            fat: Wander::new(rng, 0.5, 0.5),
            liver: Wander::new(rng, 0.5, 0.25),
            kidney: Wander::new(rng, 0.6, 3.5),
        }
    }

    /// The next measurement.
    pub(crate) fn sample(&mut self, rng: &mut Rng, body: &Body, treatment: Treatment, day: Day) -> Sample {
        let age = years(body.birth, day);
        let month = civil(day).1 as usize - 1;
        let bmi =
            body.bmi + self.weight.next(rng) + (age.min(60.0) - 50.0) * 0.03 - (age - 72.0).max(0.0) * 0.08;
        let bmi = bmi.max(15.0);
        let height = round(body.height, 1);
        let weight = round(bmi * body.height * body.height / 10_000.0, 1);

        let severity = body.severity(Disease::Hypertension, age);
        let rise = if severity > 0.0 { 36.0 } else { 32.0 };
        let systolic = 137.0 + rise * severity + SEASON[month] + self.pressure.next(rng) - treatment.pressure;
        let systolic = systolic.clamp(84.0, 214.0);
        let diastolic =
            systolic * 0.42 + 27.0 + body.diastolic - (age - 58.0).max(0.0) * 0.4 + rng.normal() * 2.5;

        let severity = body.severity(Disease::Diabetes, age);
        let rise = if severity > 0.0 { 8.0 } else { 1.05 };
        let hba1c = 6.4 + rise * severity + self.glucose.next(rng) - treatment.glucose;
        let hba1c = round(hba1c.clamp(4.7, 12.9), 1);
        let glucose = 34.0 + hba1c * 11.5 + (hba1c - 6.0).max(0.0) * 8.0 + rng.normal() * 5.0;

        let severity = body.severity(Disease::Dyslipidaemia, age);
        let rise = if severity > 0.0 { 70.0 } else { 52.0 };
        let ldl = (139.0 + rise * severity + self.lipids.next(rng)) * (1.0 - treatment.lipids);
        let fat = body.fat + self.fat.next(rng) + (bmi - 23.0) * 0.22;
        let hdl = if body.female { 68.0 } else { 57.0 } - fat * 8.5;
        let triglycerides =
            if body.female { 92.0 } else { 118.0 } + fat * 38.0 + fat.max(0.0) * fat.max(0.0) * 9.0;

        let liver = (body.liver + self.liver.next(rng) + (bmi - 23.0) * 0.12).max(0.0);
        let egfr =
            (103.0 - (age - 30.0).max(0.0) * 0.72 + body.kidney + self.kidney.next(rng)).clamp(12.0, 140.0);
        // Backwards through eGFR = 194 × Cr^-1.094 × age^-0.287 (× 0.739 for women), 日本腎臓学会 2009.
        let sex = if body.female { 0.739 } else { 1.0 };
        let creatinine = round(power(194.0 * power(age.max(18.0), -0.287) * sex / egfr, 1.0 / 1.094), 2);
        let egfr = 194.0 * power(creatinine, -1.094) * power(age.max(18.0), -0.287) * sex;

        Sample {
            height,
            weight,
            bmi: round(weight * 10_000.0 / (height * height), 1),
            waist: (bmi * 2.35 + if body.female { 29.0 } else { 30.0 } + body.fat * 2.0).max(55.0),
            systolic,
            diastolic: diastolic.clamp(44.0, (systolic - 18.0).max(45.0)),
            hba1c,
            glucose: glucose.max(62.0),
            ldl: ldl.max(38.0),
            hdl: hdl.clamp(24.0, 118.0),
            triglycerides: triglycerides.clamp(32.0, 780.0),
            ast: 19.0 + liver * 5.0 + rng.unit() * 4.0,
            alt: if body.female { 13.0 } else { 17.0 } + liver * 9.0 + rng.unit() * 4.0,
            ggt: if body.female { 15.0 } else { 24.0 } + liver * liver * 11.0 + rng.unit() * 6.0,
            creatinine,
            egfr,
        }
    }
}
