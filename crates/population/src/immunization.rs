//! Immunizations: the childhood schedule, influenza every autumn, COVID-19 since 2021, pneumococci at 65.

use crate::calendar::{Day, HOUR, at, birthday, day, working};
use crate::chart::Chart;
use crate::institutions::Care;
use crate::person::Person;
use crate::write::{CVX, Elements};

/// CVX, its display, Japanese text.
type Vaccine = (&'static str, &'static str, &'static str);

const INFLUENZA: Vaccine = ("141", "Influenza, seasonal, injectable", "インフルエンザHAワクチン");
const COVID: Vaccine =
    ("208", "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose", "新型コロナウイルスワクチン(mRNA)");
const PNEUMOCOCCI: Vaccine = ("33", "pneumococcal polysaccharide PPV23", "23価肺炎球菌ワクチン");
const HIB: Vaccine = ("48", "Hib (PRP-T)", "Hibワクチン");
const PCV13: Vaccine = ("133", "Pneumococcal conjugate PCV 13", "13価肺炎球菌結合型ワクチン");
const HEPATITIS_B: Vaccine = ("08", "Hep B, adolescent or pediatric", "B型肝炎ワクチン");
const DPT_IPV: Vaccine = ("130", "DTaP-IPV", "4種混合ワクチン(DPT-IPV)");
const BCG: Vaccine = ("19", "BCG", "BCGワクチン");
const MR: Vaccine = ("04", "M/R", "麻しん風しん混合ワクチン(MR)");
const VARICELLA: Vaccine = ("21", "varicella", "水痘ワクチン");
const ENCEPHALITIS: Vaccine = ("134", "Japanese Encephalitis IM", "日本脳炎ワクチン");

/// Days after birth, vaccine, dose.
const CHILDHOOD: [(Day, Vaccine, u32); 22] = [
    (62, HIB, 1),
    (62, PCV13, 1),
    (62, HEPATITIS_B, 1),
    (92, HIB, 2),
    (92, PCV13, 2),
    (92, HEPATITIS_B, 2),
    (92, DPT_IPV, 1),
    (122, HIB, 3),
    (122, PCV13, 3),
    (122, DPT_IPV, 2),
    (152, DPT_IPV, 3),
    (160, BCG, 1),
    (225, HEPATITIS_B, 3),
    (368, MR, 1),
    (368, VARICELLA, 1),
    (375, HIB, 4),
    (375, PCV13, 4),
    (500, DPT_IPV, 4),
    (560, VARICELLA, 2),
    (1110, ENCEPHALITIS, 1),
    (1132, ENCEPHALITIS, 2),
    (2060, MR, 2),
];

/// Records the immunizations of one person.
pub(crate) fn immunize(chart: &mut Chart<'_>, care: Care<'_>, person: &Person) {
    for (after, vaccine, dose) in CHILDHOOD {
        if chart.rng.chance(0.96) {
            let when = person.birth + after + chart.rng.between(0, 14);
            give(chart, care, person, when, vaccine, dose);
        }
    }
    let habit = chart.rng.unit();
    for year in 2016..=2026 {
        let when = day(year, 10, 10) + chart.rng.between(0, 55);
        let age = person.age(when);
        let share = if age >= 65.0 {
            0.58
        } else if age < 13.0 {
            0.4
        } else {
            0.14
        };
        if age > 0.6 && habit < share && chart.rng.chance(0.88) {
            give(chart, care, person, when, INFLUENZA, 1);
        }
    }
    covid(chart, care, person);
    if chart.rng.chance(0.4) {
        let when = birthday(person.birth, 65) + chart.rng.between(10, 330);
        give(chart, care, person, when, PNEUMOCOCCI, 1);
    }
}

fn covid(chart: &mut Chart<'_>, care: Care<'_>, person: &Person) {
    let age = person.age(day(2021, 6, 1));
    let old = age >= 65.0;
    if age < 12.0 || !chart.rng.chance(if old { 0.92 } else { 0.8 }) {
        return;
    }
    let first = if old { day(2021, 5, 10) } else { day(2021, 7, 5) } + chart.rng.between(0, 70);
    give(chart, care, person, first, COVID, 1);
    give(chart, care, person, first + 21, COVID, 2);
    if chart.rng.chance(if old { 0.9 } else { 0.62 }) {
        let third = first + 225 + chart.rng.between(0, 40);
        give(chart, care, person, third, COVID, 3);
        for (dose, year) in [(4, 2022), (5, 2023), (6, 2024), (7, 2025)] {
            if chart.rng.chance(if old { 0.55 } else { 0.1 }) {
                let when = day(year, 10, 5) + chart.rng.between(0, 60);
                give(chart, care, person, when, COVID, dose);
            }
        }
    }
}

fn give(chart: &mut Chart<'_>, care: Care<'_>, person: &Person, when: Day, vaccine: Vaccine, dose: u32) {
    let when = working(when);
    if !person.here(when) {
        return;
    }
    let moment = at(when, chart.rng.between(9, 16), chart.rng.between(0, 59));
    let recorded = moment + HOUR;
    let id = chart.id(recorded);
    let lot = format!("KS{:05}", chart.rng.between(0, 99_999));
    let (code, display, text) = vaccine;
    chart.add("Immunization", &id, recorded, |o| {
        o.member("status", "completed").concept("vaccineCode", &[(CVX, code, display)], text);
        o.reference("patient", "Patient", &person.id).moment("occurrenceDateTime", moment);
        o.raw_member("primarySource", "true").member("lotNumber", &lot);
        o.name("performer").array(|a| {
            a.object(|p| {
                p.reference("actor", "Organization", &care.clinic.organization);
            });
        });
        o.name("protocolApplied").array(|a| {
            a.object(|p| {
                p.raw_member("doseNumberPositiveInt", &dose.to_string());
            });
        });
    });
}
