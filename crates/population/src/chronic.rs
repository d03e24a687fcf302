//! Care for hypertension, type 2 diabetes and dyslipidaemia: visits every three months (six when all is well), values,
//! medicines.

use crate::body::{Course, Sample, Treatment};
use crate::calendar::{Day, END_MOMENT, working};
use crate::chart::Chart;
use crate::condition::{Condition, Standing};
use crate::drugs::{Drug, effect, levels};
use crate::institutions::Care;
use crate::measure::{
    ALT, AST, CREATININE, EGFR, GGT, GLUCOSE, HBA1C, HDL, LDL, Measure, TRIGLYCERIDES, WEIGHT,
};
use crate::observe::{observe, observe_pressure, report};
use crate::person::Person;
use crate::prescription::{Order, Prescription};
use crate::prevalence::{DISEASES, Disease};
use crate::visit::{Visit, outpatient};

/// A disease under treatment.
struct Case {
    disease: Disease,
    onset: Day,
    diagnosis: Day,
    condition: Option<Condition>,
    suspected: bool,
    level: usize,
    settled: u32,
    above: u32,
    prescriptions: Vec<Prescription>,
}

impl Case {
    fn names(&self) -> (&'static str, &'static str, &'static str) {
        self.disease.names()
    }

    /// Whether the value of today is above the target of treatment; that of the old is less strict.
    fn uncontrolled(&self, sample: &Sample, age: f64) -> bool {
        let old = age >= 75.0;
        match self.disease {
            Disease::Hypertension => sample.systolic >= if old { 145.0 } else { 138.0 },
            Disease::Diabetes => sample.hba1c >= if old { 7.8 } else { 7.0 },
            Disease::Dyslipidaemia => sample.ldl >= if old { 140.0 } else { 125.0 },
        }
    }

    /// Diagnoses at this visit, or confirms what was suspected.
    fn diagnose(&mut self, chart: &mut Chart<'_>, person: &Person, visit: &Visit<'_>, fresh: bool) {
        let names = self.names();
        if let Some(condition) = &self.condition {
            if self.suspected {
                condition.record(chart, person, Standing::Active, visit.end);
                self.suspected = false;
            }
            return;
        }
        let condition = Condition::new(chart, visit, names, self.onset, true, visit.end);
        self.suspected = fresh;
        let standing = if fresh { Standing::Suspected } else { Standing::Active };
        condition.record(chart, person, standing, visit.end);
        self.condition = Some(condition);
    }

    /// Moves the medicines to the present level; renews those older than a year.
    fn prescribe(
        &mut self,
        chart: &mut Chart<'_>,
        care: Care<'_>,
        person: &Person,
        visit: &Visit<'_>,
        day: Day,
    ) {
        let Some(condition) = &self.condition else { return };
        let wanted: &[&'static Drug] = if self.level == 0 {
            &[]
        } else {
            levels(self.disease).get(self.level - 1).copied().unwrap_or(&[])
        };
        let mut kept = Vec::with_capacity(wanted.len());
        for prescription in self.prescriptions.drain(..) {
            if !wanted.contains(&prescription.drug) {
                prescription.record(chart, person, "stopped", "効果不十分のため変更", visit.end);
            } else if day - prescription.since > 355 {
                prescription.record(chart, person, "completed", "", visit.end);
                let (pharmacy, drug) = (care.pharmacy, prescription.drug);
                let prior = Some(&prescription);
                let order = Order { drug, condition: &condition.id, days: 90, prior };
                let next = Prescription::write(chart, person, visit, pharmacy, order);
                next.dispense(chart, person);
                kept.push(next);
            } else {
                kept.push(prescription);
            }
        }
        for drug in wanted {
            if !kept.iter().any(|p| p.drug == *drug) {
                let pharmacy = care.pharmacy;
                let order = Order { drug, condition: &condition.id, days: 90, prior: None };
                let new = Prescription::write(chart, person, visit, pharmacy, order);
                new.dispense(chart, person);
                kept.push(new);
            }
        }
        self.prescriptions = kept;
    }
}

fn cases(chart: &mut Chart<'_>, person: &Person) -> Vec<Case> {
    let mut cases = Vec::new();
    for disease in DISEASES {
        let Some(onset) = person.body.treated_onset(disease) else { continue };
        let rng = &mut chart.rng;
        let known = onset < person.first_day - 200;
        // What began before is in the chart at the first visit; what begins later is found after some months.
        let diagnosis =
            if known { person.first_day + rng.between(0, 80) } else { onset + rng.between(30, 420) };
        let level = if known { 1 + rng.weighted(&[30, 45, 25]) } else { 0 };
        if diagnosis < person.last_day {
            cases.push(Case {
                disease,
                onset,
                diagnosis: diagnosis.max(person.first_day),
                condition: None,
                suspected: false,
                level,
                settled: 0,
                above: 0,
                prescriptions: Vec::new(),
            });
        }
    }
    cases
}

/// The values that are measured at the n-th visit.
fn panel(cases: &[Case], visit: usize, day: Day) -> Vec<&'static Measure> {
    let under = |disease| cases.iter().any(|c| c.disease == disease && c.diagnosis <= day);
    let mut panel: Vec<&'static Measure> = Vec::new();
    if under(Disease::Diabetes) {
        panel.push(&HBA1C);
    }
    if visit.is_multiple_of(2) && under(Disease::Diabetes) {
        panel.push(&GLUCOSE);
    }
    if visit.is_multiple_of(2) && under(Disease::Dyslipidaemia) {
        panel.extend([&LDL, &HDL, &TRIGLYCERIDES]);
    }
    if visit.is_multiple_of(4) {
        panel.extend([&AST, &ALT, &GGT, &CREATININE, &EGFR]);
    }
    panel
}

/// Records the care of one person; returns the effects of treatment, in order.
pub(crate) fn follow(chart: &mut Chart<'_>, care: Care<'_>, person: &Person) -> Vec<Treatment> {
    let mut cases = cases(chart, person);
    let mut treatments = Vec::new();
    let mut course = Course::new(&mut chart.rng);
    let mut number = 0;
    let Some(mut day) = cases.iter().map(|c| c.diagnosis).min().map(working) else { return treatments };
    while day < person.last_day && chart.wanted() {
        let known: Vec<&str> =
            cases.iter().filter_map(|c| c.condition.as_ref()).map(|c| c.id.as_str()).collect();
        let reason = if known.is_empty() {
            "健診で指摘された異常の精査"
        } else {
            "慢性疾患の定期受診"
        };
        let visit = outpatient(chart, care.clinic, person, day, "外来診療", reason, &known);
        let in_force = crate::body::treatment_on(&treatments, day);
        let sample = course.sample(&mut chart.rng, &person.body, in_force, day);
        observe_pressure(chart, person, &visit, &sample);
        if number % 4 == 0 {
            observe(chart, person, &visit, &WEIGHT, sample.weight, visit.end);
        }
        for case in cases.iter_mut().filter(|c| c.diagnosis <= day) {
            let first = case.condition.is_none();
            let fresh = first && case.level == 0;
            case.diagnose(chart, person, &visit, fresh);
            case.settled += 1;
            case.above = if case.uncontrolled(&sample, person.age(day)) { case.above + 1 } else { 0 };
            let highest = levels(case.disease).len();
            let begin = case.level == 0 && !first;
            let escalate = case.above >= 2 && case.settled >= 2 && case.level < highest && case.level > 0;
            if begin || escalate {
                case.level = (case.level + 1).min(highest);
                (case.settled, case.above) = (0, 0);
            }
            case.level = case.level.min(highest);
            case.prescribe(chart, care, person, &visit, day);
        }
        let panel = panel(&cases, number, day);
        if !panel.is_empty() {
            report(chart, person, &visit, &panel, &sample, "生化学検査");
        }
        treatments.push(now(&cases, day));
        number += 1;
        // A few stay away for a year or so; the effect wears off.
        let mut next =
            day + if steady(&cases, day) { chart.rng.between(168, 189) } else { chart.rng.between(84, 98) };
        if chart.rng.chance(0.008) {
            next = day + chart.rng.between(300, 600);
            treatments.push(Treatment { since: day + 100, ..Treatment::default() });
        }
        day = working(next);
    }
    close(chart, person, &cases);
    treatments
}

/// Whether nothing has changed for a year and every value is on target: then twice a year is enough. Not in diabetes.
fn steady(cases: &[Case], day: Day) -> bool {
    cases
        .iter()
        .filter(|c| c.diagnosis <= day + 100)
        .all(|case| case.disease != Disease::Diabetes && case.settled > 4 && case.above == 0)
}

fn now(cases: &[Case], day: Day) -> Treatment {
    let mut treatment = Treatment { since: day + 1, ..Treatment::default() };
    for case in cases.iter().filter(|c| c.diagnosis <= day) {
        let effect = effect(case.disease, case.level);
        match case.disease {
            Disease::Hypertension => treatment.pressure = effect,
            Disease::Diabetes => treatment.glucose = effect,
            Disease::Dyslipidaemia => treatment.lipids = effect,
        }
    }
    treatment
}

/// After a death the prescriptions end.
fn close(chart: &mut Chart<'_>, person: &Person, cases: &[Case]) {
    let Some(death) = person.death.filter(|death| *death < END_MOMENT) else { return };
    for prescription in cases.iter().flat_map(|c| &c.prescriptions) {
        prescription.record(chart, person, "stopped", "死亡", death + 3600);
    }
}
