//! Stays in the hospital.

use crate::body::Course;
use crate::calendar::{Day, END_MOMENT, FIRST_DAY, HOUR, Moment, at, date_text, day_of};
use crate::chart::Chart;
use crate::condition::{Condition, Standing};
use crate::institutions::Care;
use crate::measure::Measure;
use crate::observe::report;
use crate::person::Person;
use crate::visit::{Visit, write_encounter};
use crate::write::Elements;

/// Why people are admitted: names, procedure (or none), days, what remains, chance per year by age.
struct Cause {
    names: (&'static str, &'static str, &'static str),
    procedure: &'static str,
    stay: (i64, i64),
    remains: bool,
    yearly: fn(f64) -> f64,
    infection: bool,
}

fn pneumonia(age: f64) -> f64 {
    if age < 5.0 {
        0.006
    } else if age < 65.0 {
        0.001
    } else {
        (age - 60.0) * 0.0011
    }
}

fn appendicitis(age: f64) -> f64 {
    if (8.0..45.0).contains(&age) { 0.0022 } else { 0.0006 }
}

fn hip_fracture(age: f64) -> f64 {
    if age < 68.0 { 0.0002 } else { (age - 66.0) * 0.0009 }
}

fn stroke(age: f64) -> f64 {
    if age < 45.0 { 0.0001 } else { (age - 44.0) * 0.00025 }
}

fn cataract(age: f64) -> f64 {
    if (65.0..88.0).contains(&age) { 0.018 } else { 0.0003 }
}

fn heart_failure(age: f64) -> f64 {
    if age < 65.0 { 0.0002 } else { (age - 63.0) * 0.0007 }
}

fn polyp(age: f64) -> f64 {
    if (45.0..80.0).contains(&age) { 0.007 } else { 0.0002 }
}

const CAUSES: [Cause; 7] = [
    Cause {
        names: ("J18.9", "Pneumonia, unspecified", "肺炎"),
        procedure: "",
        stay: (6, 20),
        remains: false,
        yearly: pneumonia,
        infection: true,
    },
    Cause {
        names: ("K35.8", "Acute appendicitis, other and unspecified", "急性虫垂炎"),
        procedure: "腹腔鏡下虫垂切除術",
        stay: (4, 7),
        remains: false,
        yearly: appendicitis,
        infection: true,
    },
    Cause {
        names: ("S72.0", "Fracture of neck of femur", "大腿骨頚部骨折"),
        procedure: "人工骨頭挿入術(股)",
        stay: (21, 45),
        remains: false,
        yearly: hip_fracture,
        infection: false,
    },
    Cause {
        names: ("I63.9", "Cerebral infarction, unspecified", "脳梗塞"),
        procedure: "",
        stay: (14, 50),
        remains: true,
        yearly: stroke,
        infection: false,
    },
    Cause {
        names: ("H25.9", "Senile cataract, unspecified", "加齢性白内障"),
        procedure: "水晶体再建術(眼内レンズ挿入)",
        stay: (1, 2),
        remains: false,
        yearly: cataract,
        infection: false,
    },
    Cause {
        names: ("I50.9", "Heart failure, unspecified", "心不全"),
        procedure: "",
        stay: (10, 24),
        remains: true,
        yearly: heart_failure,
        infection: false,
    },
    Cause {
        names: ("K63.5", "Polyp of colon", "大腸ポリープ"),
        procedure: "内視鏡的大腸ポリープ切除術",
        stay: (1, 2),
        remains: false,
        yearly: polyp,
        infection: false,
    },
];

/// Unspecified values of an admission; CRP and white cells follow the infection.
const CRP_HIGH: Measure = blood(
    "CRP",
    ["1988-5", "C reactive protein [Mass/volume] in Serum or Plasma"],
    "mg/dL",
    2,
    (0.0, 0.14),
    |s| 1.5 + (s.glucose + s.ldl) % 13.0,
);
const CRP: Measure = blood(
    "CRP",
    ["1988-5", "C reactive protein [Mass/volume] in Serum or Plasma"],
    "mg/dL",
    2,
    (0.0, 0.14),
    |s| (s.ldl % 10.0) * 0.03,
);
const CELLS_HIGH: Measure = blood(
    "白血球数",
    ["6690-2", "Leukocytes [#/volume] in Blood by Automated count"],
    "10*3/uL",
    1,
    (3.3, 8.6),
    |s| 9.5 + s.ldl % 7.0,
);
const CELLS: Measure = blood(
    "白血球数",
    ["6690-2", "Leukocytes [#/volume] in Blood by Automated count"],
    "10*3/uL",
    1,
    (3.3, 8.6),
    |s| 4.8 + s.ldl % 3.0,
);

const fn blood(
    text: &'static str,
    code: [&'static str; 2],
    unit: &'static str,
    digits: u32,
    limits: (f64, f64),
    of: fn(&crate::body::Sample) -> f64,
) -> Measure {
    let [loinc, display] = code;
    let (low, high) = ((limits.0, limits.0), (limits.1, limits.1));
    Measure {
        text,
        loinc,
        display,
        jlac10: "",
        unit,
        ucum: unit,
        digits,
        category: "laboratory",
        low,
        high,
        of,
    }
}

/// Records the hospital stays of one person: at most two by chance, and the last one before a death.
pub(crate) fn admissions(chart: &mut Chart<'_>, care: Care<'_>, person: &Person) {
    let mut free = person.first_day;
    let mut many = 0;
    for year in 0..10 {
        for cause in &CAUSES {
            let when = FIRST_DAY + year * 365 + chart.rng.between(0, 364);
            let hit = chart.rng.chance((cause.yearly)(person.age(when)));
            if hit && many < 2 && when >= free && when + 60 < person.last_day {
                let stay = chart.rng.between(cause.stay.0, cause.stay.1);
                admit(chart, care, person, cause, when, when + stay, None);
                many += 1;
                free = when + stay + 30;
            }
        }
    }
    if let Some(death) = person.death.filter(|death| *death < END_MOMENT && person.age(day_of(*death)) > 60.0)
    {
        let cause = if chart.rng.chance(0.55) { &CAUSES[0] } else { &CAUSES[5] };
        if person.last_day >= person.first_day && chart.rng.chance(0.7) {
            admit(chart, care, person, cause, person.last_day, day_of(death), Some(death));
        }
    }
}

fn admit(
    chart: &mut Chart<'_>,
    care: Care<'_>,
    person: &Person,
    cause: &Cause,
    from: Day,
    to: Day,
    death: Option<Moment>,
) {
    let start = at(from, chart.rng.between(10, 20), chart.rng.between(0, 59));
    let end = death.unwrap_or(at(to, chart.rng.between(10, 14), chart.rng.between(0, 59)));
    let place = care.hospital;
    let which = chart.rng.index(place.physicians.len().max(1));
    let physician = place.physicians.get(which).map_or("", String::as_str);
    let visit = Visit { id: chart.id(start), place, physician, start, end };
    let write = |chart: &mut Chart<'_>, finished: bool, recorded: Moment| {
        chart.add("Encounter", &visit.id, recorded, |o| {
            write_encounter(o, person, &visit, ("IMP", "inpatient encounter"), "入院", finished);
            o.concepts("reasonCode", &[], cause.names.2);
            if finished {
                let (code, display) = if death.is_some() { ("exp", "Expired") } else { ("home", "Home") };
                o.name("hospitalization").object(|h| {
                    let table = "http://terminology.hl7.org/CodeSystem/discharge-disposition";
                    h.concept("dischargeDisposition", &[(table, code, display)], "");
                });
            }
            o.name("location").array(|a| {
                a.object(|l| {
                    l.reference("location", "Location", &place.location);
                });
            });
            o.reference("serviceProvider", "Organization", &place.organization);
        });
    };
    write(chart, false, start);
    let diagnosed = start + 2 * HOUR;
    let condition = Condition::new(chart, &visit, cause.names, from, cause.remains, diagnosed);
    condition.record(chart, person, Standing::Active, diagnosed);
    let sample = Course::new(&mut chart.rng).sample(
        &mut chart.rng,
        &person.body,
        crate::body::Treatment::default(),
        from,
    );
    let panel: [&Measure; 2] = if cause.infection { [&CRP_HIGH, &CELLS_HIGH] } else { [&CRP, &CELLS] };
    // Taken on admission: the report follows within hours, long before the stay ends.
    let on_admission = Visit { end: diagnosed, ..visit.clone() };
    report(chart, person, &on_admission, &panel, &sample, "入院時検査");
    if !cause.procedure.is_empty() {
        let begun = start + chart.rng.between(5, 20) * HOUR;
        let done = (begun + 2 * HOUR).min(end);
        let id = chart.id(done);
        chart.add("Procedure", &id, done, |o| {
            o.member("status", "completed").concept("code", &[], cause.procedure);
            o.reference("subject", "Patient", &person.id).reference("encounter", "Encounter", &visit.id);
            o.period("performedPeriod", begun.min(done), Some(done));
            o.name("performer").array(|a| {
                a.object(|p| {
                    p.reference("actor", "Practitioner", physician);
                });
            });
            o.references("reasonReference", "Condition", &condition.id);
        });
    }
    write(chart, true, end);
    if !cause.remains && death.is_none() {
        condition.record(chart, person, Standing::Resolved(to), end + HOUR);
    }
    debug_assert!(from <= to, "{}", date_text(from));
}
