//! A synthetic Japanese community, the same for the same seed.
//!
//! 霞ヶ原市 does not exist, and nobody in it does. It has households in which people share a name, an address and a
//! telephone number, clinics, pharmacies and a hospital; ten years of checkups, chronic care, medicines, measurements
//! at home, colds, hospital stays, immunizations and allergies, as FHIR R4, ending at [`END`].
//!
//! * Deterministic: own generator (`rng.rs`), one stream per household, seeded by the seed and the household's number;
//!   arithmetic of `+ - * /` and `sqrt` only (`numbers.rs`). The same settings give the same bytes on every machine.
//! * Streamed: a household is made, passed on and forgotten; only the institutions stay. Memory does not grow with the
//!   persons, except for one clinic per 1,500.
//! * In order where it matters: a reference points to something passed on before, recorded at the same moment or
//!   earlier. Across persons the stream is not sorted by time.
//! * With a history: an id comes again, later, when a person moves or dies, a suspicion is confirmed, a condition
//!   passes, a medicine is changed, a visit ends.
//!
//! # Where the figures come from
//!
//! All are approximations by hand of published tables, for a demo; none is to be cited.
//!
//! * Age and sex: 総務省統計局 人口推計 (Population Estimates, October 2024): 11.2 % under 15, 29.3 % from 65.
//!   Households: 国勢調査 2020 (Population Census).
//! * Hypertension, diabetes, dyslipidaemia by age and sex: 厚生労働省 国民健康・栄養調査 2019 (see `prevalence.rs`).
//! * Checkup participation: 厚生労働省 特定健康診査の実施状況. Limits of the values: 特定健診・特定保健指導 (see `measure.rs`).
//! * eGFR: the equation of 日本腎臓学会 (2009). Hay fever: 鼻アレルギー全国疫学調査 2019.
//! * Chances of death, hospital stays, colds and habits of measuring are made up so as to look right.
//!
//! Design not chosen: Synthea. It is American in its diseases, codes, names and care, and needs a JVM.

mod admissions;
mod allergy;
mod ambulatory;
mod body;
mod calendar;
mod chart;
mod checkup;
mod chronic;
mod condition;
mod drugs;
mod home;
mod household;
mod human;
mod immunization;
mod institutions;
mod measure;
mod names;
mod numbers;
mod observe;
mod patient;
mod person;
mod prescription;
mod prevalence;
mod rng;
mod romaji;
mod town;
mod visit;
mod write;

use chart::Chart;
use institutions::{Care, Institutions};
use person::Person;
use rng::Rng;

/// Nothing is recorded after this moment: 2026-11-01 in Japan, in microseconds since 1970 UTC.
pub const END: i64 = calendar::END_MOMENT * 1_000_000;

/// What is to be generated.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many persons.
    pub persons: u64,
    /// The same seed gives the same community.
    pub seed: u64,
}

/// A resource, and when it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Microseconds since 1970 UTC.
    pub recorded: i64,
    /// The resource type.
    pub resource_type: &'static str,
    /// The id; it comes again, later, when the resource is updated.
    pub id: String,
    /// The resource.
    pub json: String,
}

/// Passes everything to `take`, household by household, until it returns false. Not sorted by time.
pub fn generate(settings: &Settings, take: &mut dyn FnMut(Item) -> bool) {
    let mut chart = Chart::new(Rng::new(settings.seed, 0), take);
    let institutions = Institutions::open(&mut chart, settings.persons);
    let (mut left, mut number) = (settings.persons, 0);
    while left > 0 && chart.wanted() {
        number += 1;
        chart.rng = Rng::new(settings.seed, number);
        let care = institutions.near(&mut chart);
        let persons = household::household(&mut chart, number, left);
        left -= (persons.len() as u64).clamp(1, left);
        for person in &persons {
            live(&mut chart, care, person);
        }
    }
}

/// Ten years of one person.
fn live(chart: &mut Chart<'_>, care: Care<'_>, person: &Person) {
    patient::arrive(chart, care, person);
    let pollen = allergy::allergies(chart, care, person);
    immunization::immunize(chart, care, person);
    let treatments = chronic::follow(chart, care, person);
    checkup::checkups(chart, care, person, &treatments);
    home::measure(chart, person, &treatments);
    ambulatory::ailments(chart, care, person, pollen);
    admissions::admissions(chart, care, person);
    patient::depart(chart, care, person);
}
