//! Visits for what passes: colds, hay fever, a sore back.

use crate::calendar::{Day, civil, day, working};
use crate::chart::Chart;
use crate::condition::{Condition, Standing};
use crate::drugs::{
    ACETAMINOPHEN, BIFIDO, CARBOCISTEINE, Drug, FEXOFENADINE, HEPARINOID, LOXOPROFEN, OSELTAMIVIR, REBAMIPIDE,
};
use crate::institutions::Care;
use crate::person::Person;
use crate::prescription::{Order, Prescription};
use crate::visit::outpatient;

/// ICD-10, its display, what the chart says; complaint; days until it is over; medicines; weight for the young, adult
/// and old.
struct Ailment {
    names: (&'static str, &'static str, &'static str),
    complaint: &'static str,
    lasts: i64,
    drugs: &'static [&'static Drug],
    weights: [u32; 3],
}

const AILMENTS: [Ailment; 7] = [
    Ailment {
        names: ("J06.9", "Acute upper respiratory infection, unspecified", "急性上気道炎"),
        complaint: "咽頭痛・鼻汁・咳",
        lasts: 8,
        drugs: &[&ACETAMINOPHEN, &CARBOCISTEINE],
        weights: [50, 32, 22],
    },
    Ailment {
        names: (
            "J11.1",
            "Influenza with other respiratory manifestations, virus not identified",
            "インフルエンザ",
        ),
        complaint: "発熱・関節痛",
        lasts: 7,
        drugs: &[&OSELTAMIVIR],
        weights: [16, 8, 5],
    },
    Ailment {
        names: ("A09", "Infectious gastroenteritis and colitis, unspecified", "感染性胃腸炎"),
        complaint: "嘔吐・下痢",
        lasts: 5,
        drugs: &[&BIFIDO],
        weights: [18, 10, 6],
    },
    Ailment {
        names: ("L30.9", "Dermatitis, unspecified", "湿疹"),
        complaint: "皮膚のかゆみ",
        lasts: 25,
        drugs: &[&HEPARINOID],
        weights: [14, 10, 14],
    },
    Ailment {
        names: ("M54.5", "Low back pain", "腰痛症"),
        complaint: "腰痛",
        lasts: 30,
        drugs: &[&LOXOPROFEN],
        weights: [1, 18, 32],
    },
    Ailment {
        names: ("K29.7", "Gastritis, unspecified", "胃炎"),
        complaint: "心窩部痛",
        lasts: 20,
        drugs: &[&REBAMIPIDE],
        weights: [1, 14, 16],
    },
    Ailment {
        names: ("U07.1", "COVID-19, virus identified", "新型コロナウイルス感染症"),
        complaint: "発熱・咳",
        lasts: 10,
        drugs: &[&ACETAMINOPHEN],
        weights: [10, 10, 8],
    },
];

const HAY_FEVER: Ailment = Ailment {
    names: ("J30.1", "Allergic rhinitis due to pollen", "スギ花粉症"),
    complaint: "くしゃみ・鼻汁・目のかゆみ",
    lasts: 60,
    drugs: &[&FEXOFENADINE],
    weights: [0, 0, 0],
};

/// Records the passing ailments of one person; `pollen`: whether spring brings hay fever.
pub(crate) fn ailments(chart: &mut Chart<'_>, care: Care<'_>, person: &Person, pollen: bool) {
    let careful = 0.4 + chart.rng.unit() * 1.2;
    let regular = pollen && chart.rng.chance(0.35);
    for year in 2016..=2026 {
        let new_year = day(year, 1, 1);
        let age = person.age(new_year);
        let yearly = if age < 7.0 {
            1.2
        } else if age < 16.0 {
            0.6
        } else {
            0.26
        };
        if regular && age > 6.0 && chart.rng.chance(0.7) {
            let when = working(new_year + chart.rng.between(40, 80));
            ail(chart, care, person, when, &HAY_FEVER);
        }
        for _ in 0..2 {
            if !chart.rng.chance(yearly * careful / 2.0) {
                continue;
            }
            let when = working(new_year + chart.rng.between(3, 360));
            let group = if age < 16.0 {
                0
            } else if age < 65.0 {
                1
            } else {
                2
            };
            let ailment = &AILMENTS[chart.rng.weighted(&AILMENTS.map(|a| a.weights[group]))];
            let (_, month, _) = civil(when);
            let wrong_season = ailment.names.0.starts_with("J11") && (5..=10).contains(&month);
            let too_early = ailment.names.0.starts_with('U') && when < day(2020, 7, 1);
            if !wrong_season && !too_early {
                ail(chart, care, person, when, ailment);
            }
        }
    }
}

fn ail(chart: &mut Chart<'_>, care: Care<'_>, person: &Person, when: Day, ailment: &Ailment) {
    if !person.here(when) {
        return;
    }
    let visit = outpatient(chart, care.clinic, person, when, "外来診療", ailment.complaint, &[]);
    let onset = when - chart.rng.between(0, 4);
    let condition = Condition::new(chart, &visit, ailment.names, onset, false, visit.end);
    condition.record(chart, person, Standing::Active, visit.end);
    let days = ailment.lasts.min(28);
    // Children's doses differ; the demo leaves their medicines out.
    let drugs = if person.age(when) < 15.0 { &[] } else { ailment.drugs };
    let mut written = Vec::new();
    for drug in drugs {
        let pharmacy = care.pharmacy;
        let order = Order { drug, condition: &condition.id, days, prior: None };
        written.push(Prescription::write(chart, person, &visit, pharmacy, order));
    }
    if chart.rng.chance(0.75) {
        let over = when + ailment.lasts + chart.rng.between(0, 4);
        let told = visit.end + (over - when) * 86_400;
        if told < crate::calendar::at(person.last_day, 0, 0) {
            for prescription in &written {
                prescription.record(chart, person, "completed", "", told);
            }
            condition.record(chart, person, Standing::Resolved(over), told);
        }
    }
}
