//! What people measure at home: blood pressure, weight, steps; one mean per week, sent in the week after.

use fhir::json::JsonWriter;

use crate::body::{Course, Treatment, treatment_on};
use crate::calendar::{Day, LAST_DAY, Moment, at, day};
use crate::chart::Chart;
use crate::measure::{Measure, WEIGHT};
use crate::observe::{head, pressures};
use crate::person::Person;
use crate::rng::Wander;
use crate::write::{Elements, LOINC};

/// Home values are lower than those at the physician's.
const HOME_EFFECT: f64 = 5.0;

fn weekly(
    chart: &mut Chart<'_>,
    person: &Person,
    monday: Day,
    category: &str,
    code: (&str, &str),
    text: &str,
    values: impl FnOnce(&mut JsonWriter),
) {
    let recorded: Moment = at(monday + 7, chart.rng.between(6, 8), chart.rng.between(0, 59));
    let id = chart.id(recorded);
    chart.add("Observation", &id, recorded, |o| {
        head(o, category);
        o.concept("code", &[(LOINC, code.0, code.1)], text).reference("subject", "Patient", &person.id);
        o.period("effectivePeriod", at(monday, 0, 0), Some(at(monday + 6, 23, 59)));
        o.references("performer", "Patient", &person.id).concept("method", &[], "自己測定・週平均");
        values(o);
    });
}

/// The weeks somebody measures in: from when on, for how long; some lose interest.
fn weeks(chart: &mut Chart<'_>, person: &Person, from: Day, most: i64) -> Vec<Day> {
    let (low, high) = (from.max(person.first_day), LAST_DAY - 30);
    if low >= high {
        return Vec::new();
    }
    let start = chart.rng.between(low, high);
    let monday = start + (4 - start).rem_euclid(7); // day 4 was Monday, 1970-01-05
    let many = chart.rng.between(12, most);
    let diligence = 0.75 + chart.rng.unit() * 0.24;
    let mut weeks = Vec::new();
    for week in 0..many {
        let monday = monday + week * 7;
        if monday + 8 < person.last_day && chart.rng.chance(diligence) {
            weeks.push(monday);
        }
    }
    weeks
}

/// Records what one person measures at home.
pub(crate) fn measure(chart: &mut Chart<'_>, person: &Person, treatments: &[Treatment]) {
    let begun = treatments.first().map(|t| t.since);
    if let Some(begun) = begun.filter(|_| chart.rng.chance(0.16)) {
        let weighs = chart.rng.chance(0.4);
        let mut course = Course::new(&mut chart.rng);
        for monday in weeks(chart, person, begun.max(day(2019, 4, 1)), 150) {
            let sample =
                course.sample(&mut chart.rng, &person.body, treatment_on(treatments, monday), monday);
            let (systolic, diastolic) = (sample.systolic - HOME_EFFECT, sample.diastolic - HOME_EFFECT * 0.5);
            let panel = ("85354-9", "Blood pressure panel with all children optional");
            weekly(chart, person, monday, "vital-signs", panel, "家庭血圧", |o| {
                pressures(o, person, systolic, diastolic);
            });
            if weighs {
                let Measure { loinc, display, text, unit, ucum, .. } = WEIGHT;
                weekly(chart, person, monday, "vital-signs", (loinc, display), text, |o| {
                    o.quantity("valueQuantity", sample.weight, 1, unit, ucum);
                });
            }
        }
    }
    let age = person.age(LAST_DAY);
    if (20.0..82.0).contains(&age) && chart.rng.chance(0.06) {
        let usual = 8200.0 - (age - 50.0).max(0.0) * 90.0 + chart.rng.normal() * 1700.0;
        let mut wander = Wander::new(&mut chart.rng, 0.7, 900.0);
        for monday in weeks(chart, person, day(2020, 4, 1), 130) {
            let steps = (usual + wander.next(&mut chart.rng)).max(600.0);
            let code = ("41950-7", "Number of steps in 24 hour Measured");
            weekly(chart, person, monday, "activity", code, "1日の歩数", |o| {
                o.quantity("valueQuantity", steps, 0, "歩/日", "{steps}/d");
            });
        }
    }
}
