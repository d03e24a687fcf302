//! 特定健診: the yearly checkup of those from 40 to 74.
//!
//! Participation about 55 %, near the 57–59 % the Ministry of Health, Labour and Welfare reports for the years from
//! 2021. Most of it comes from the same persons every year.

use crate::body::{Course, Treatment, treatment_on};
use crate::calendar::{day, working};
use crate::chart::Chart;
use crate::institutions::Care;
use crate::measure::{BMI, CHECKUP, HEIGHT, WAIST, WEIGHT};
use crate::observe::{observe, observe_pressure, report};
use crate::person::Person;
use crate::visit::outpatient;

/// Records the checkups of one person.
pub(crate) fn checkups(chart: &mut Chart<'_>, care: Care<'_>, person: &Person, treatments: &[Treatment]) {
    let faithful = chart.rng.chance(0.6);
    let mut course = Course::new(&mut chart.rng);
    let season = chart.rng.between(0, 150);
    for year in 2017..=2026 {
        // From May to October, each person at about the same time of the year.
        let when = working(day(year, 5, 8) + season + chart.rng.between(0, 20));
        let sample = course.sample(&mut chart.rng, &person.body, treatment_on(treatments, when), when);
        let comes = chart.rng.chance(if faithful { 0.85 } else { 0.11 });
        if !comes || !person.here(when) || !(40..=74).contains(&person.age_in_year(when)) {
            continue;
        }
        let visit = outpatient(chart, care.clinic, person, when, "特定健診", "特定健康診査", &[]);
        for measure in [&HEIGHT, &WEIGHT, &BMI, &WAIST] {
            observe(chart, person, &visit, measure, (measure.of)(&sample), visit.end);
        }
        observe_pressure(chart, person, &visit, &sample);
        report(chart, person, &visit, &CHECKUP, &sample, "特定健診 血液検査");
    }
}
