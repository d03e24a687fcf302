//! Allergies: about two fifths have hay fever (鼻アレルギー全国疫学調査 2019: スギ花粉症 38.8 %); food allergies of small children
//! mostly pass.

use crate::calendar::{DAY, Moment, at, moment_text};
use crate::chart::Chart;
use crate::institutions::Care;
use crate::person::Person;
use crate::write::Elements;

/// Name, category, criticality, reaction, chance for children and adults.
type Allergen = (&'static str, &'static str, &'static str, &'static str, f64, f64);

const ALLERGENS: [Allergen; 8] = [
    ("スギ花粉", "environment", "low", "鼻炎", 0.22, 0.39),
    ("ハウスダスト・ダニ", "environment", "low", "鼻炎", 0.12, 0.1),
    ("ペニシリン系抗菌薬", "medication", "high", "発疹", 0.004, 0.015),
    ("アスピリン", "medication", "high", "喘鳴", 0.0, 0.006),
    ("そば", "food", "high", "アナフィラキシー", 0.003, 0.003),
    ("卵", "food", "low", "じんましん", 0.05, 0.002),
    ("牛乳", "food", "low", "じんましん", 0.025, 0.002),
    ("えび・かに", "food", "low", "口腔内違和感", 0.01, 0.015),
];

/// Records the allergies of one person; says whether cedar pollen is among them.
pub(crate) fn allergies(chart: &mut Chart<'_>, care: Care<'_>, person: &Person) -> bool {
    let mut pollen = false;
    let child = person.age(person.first_day) < 12.0;
    for (index, allergen) in ALLERGENS.iter().enumerate() {
        let (_, category, _, _, young, adult) = *allergen;
        if !chart.rng.chance(if child { young } else { adult }) {
            continue;
        }
        pollen |= index == 0;
        let later = if child { chart.rng.between(200, 900) } else { chart.rng.between(1, 40) };
        let asked = person.first_day + later;
        if !person.here(asked) {
            continue;
        }
        let recorded = at(asked, chart.rng.between(9, 16), chart.rng.between(0, 59));
        let id = chart.id(recorded);
        record(chart, care, person, &id, allergen, false, (recorded, recorded));
        if child && category == "food" && chart.rng.chance(0.6) {
            let outgrown = recorded + chart.rng.between(500, 1600) * DAY;
            record(chart, care, person, &id, allergen, true, (recorded, outgrown));
        }
    }
    pollen
}

fn record(
    chart: &mut Chart<'_>,
    care: Care<'_>,
    person: &Person,
    id: &str,
    allergen: &Allergen,
    outgrown: bool,
    (first, recorded): (Moment, Moment),
) {
    let (name, category, criticality, reaction, _, _) = *allergen;
    chart.add("AllergyIntolerance", id, recorded, |o| {
        let table = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
        let clinical = if outgrown { ("resolved", "Resolved") } else { ("active", "Active") };
        o.concept("clinicalStatus", &[(table, clinical.0, clinical.1)], "");
        let table = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
        o.concept("verificationStatus", &[(table, "confirmed", "Confirmed")], "").member("type", "allergy");
        o.name("category").array(|a| {
            a.string(category);
        });
        o.member("criticality", criticality)
            .concept("code", &[], name)
            .reference("patient", "Patient", &person.id);
        o.member("recordedDate", &moment_text(first));
        if let Some(physician) = care.clinic.physicians.first() {
            o.reference("recorder", "Practitioner", physician);
        }
        o.name("reaction").array(|a| {
            a.object(|r| {
                r.concepts("manifestation", &[], reaction);
            });
        });
    });
}
