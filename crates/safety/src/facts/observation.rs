//! Observations of kidneys, weight and pregnancy.

use fhir::NodeRef;

use super::{Dated, Day, Facts, concept, day};
use crate::medicines::normalised;

/// LOINC: eGFR by any formula.
const EGFR: &[&str] = &[
    "33914-3", "48642-3", "48643-1", "50044-7", "62238-1", "69405-9", "70969-1", "77147-7", "88293-6",
    "88294-4", "98979-8", "98980-6",
];
/// LOINC: creatinine in serum, plasma or blood.
const CREATININE: &[&str] = &["2160-0", "38483-4", "14682-9", "59826-8"];
/// LOINC: body weight.
const WEIGHT: &[&str] = &["29463-7", "3141-9", "8335-2"];
/// LOINC: pregnancy status.
const PREGNANCY: &[&str] = &["82810-3", "11449-6"];
/// LOINC: weeks of pregnancy.
const WEEKS: &[&str] = &["11884-4", "11885-1", "18185-9", "49051-6"];
/// LOINC: the day of birth that is expected.
const DUE: &[&str] = &["11778-8", "11779-6", "11780-4"];
/// SNOMED CT and LOINC answers.
const PREGNANT: &[&str] = &["77386006", "LA15173-0"];
const NOT_PREGNANT: &[&str] = &["60001007", "LA26683-5"];

const LOINC: &str = "http://loinc.org";

#[derive(Clone, Copy)]
enum What {
    Egfr,
    Creatinine,
    Weight,
    Pregnancy,
    Weeks,
    Due,
}

/// JLAC10: five characters of the analyte, four of what is told apart, three of the material.
fn jlac10(code: &str) -> Option<What> {
    let material = code.get(9..12);
    match code.get(..5)? {
        "8A065" => Some(What::Egfr),
        // Whole blood, plasma, serum; not urine.
        "3C015" if matches!(material, Some("019" | "022" | "023")) => Some(What::Creatinine),
        "9N006" => Some(What::Weight),
        _ => None,
    }
}

fn what(code: NodeRef<'_>) -> Option<What> {
    let (codings, texts) = concept(code);
    let lists = [
        (EGFR, What::Egfr),
        (CREATININE, What::Creatinine),
        (WEIGHT, What::Weight),
        (PREGNANCY, What::Pregnancy),
        (WEEKS, What::Weeks),
        (DUE, What::Due),
    ];
    for (system, code) in &codings {
        let found = if system == LOINC {
            lists.iter().find(|(codes, _)| codes.contains(&code.as_str())).map(|(_, what)| *what)
        } else if system.contains("JLAC10")
            || system.ends_with("1.2.392.200119.4.504")
            || system.contains("CoreLabo")
        {
            jlac10(code)
        } else {
            None
        };
        if found.is_some() {
            return found;
        }
    }
    // Names that cannot mean anything else.
    texts.iter().find_map(|text| match normalised(text).as_str() {
        "egfr" | "推算gfr" | "推算糸球体濾過量" => Some(What::Egfr),
        "血清クレアチニン" | "serum creatinine" => Some(What::Creatinine),
        _ => None,
    })
}

/// The day something was observed.
fn observed(resource: NodeRef<'_>) -> Option<Day> {
    let text = |path: &str| resource.text_at(path);
    let when = text("effective").or_else(|| text("effective.end")).or_else(|| text("effective.start"));
    when.or_else(|| text("issued")).and_then(|text| day(&text))
}

impl Facts {
    pub(super) fn add_observation(&mut self, resource: NodeRef<'_>) {
        let status = resource.text_at("status").unwrap_or_default();
        if matches!(&*status, "entered-in-error" | "cancelled" | "registered") {
            return;
        }
        let Some(what) = resource.child("code").and_then(what) else { return };
        let Some(day) = observed(resource) else { return };
        let number = || resource.text_at("value.value")?.parse::<f64>().ok().filter(|n| n.is_finite());
        let unit = || {
            let unit = resource.text_at("value.code").or_else(|| resource.text_at("value.unit"));
            unit.map(|u| u.into_owned()).unwrap_or_default()
        };
        match what {
            What::Egfr => {
                let value = number().filter(|value| (0.0..400.0).contains(value));
                self.egfr.extend(value.map(|value| Dated { day, value }));
            }
            What::Creatinine => {
                let value = number().and_then(|value| crate::kidney::creatinine(value, &unit()));
                self.creatinine.extend(value.map(|value| Dated { day, value }));
            }
            What::Weight => {
                let value = number().and_then(|value| match unit().as_str() {
                    "kg" => Some(value),
                    "g" => Some(value / 1000.0),
                    "[lb_av]" | "lb" | "lbs" => Some(value * 0.453_592),
                    _ => None,
                });
                self.weight.extend(value.map(|value| Dated { day, value }));
            }
            What::Pregnancy => {
                let (codings, texts) = resource.child("value").map(concept).unwrap_or_default();
                let is = |codes: &[&str]| codings.iter().any(|(_, code)| codes.contains(&code.as_str()));
                let said = |words: &[&str]| texts.iter().any(|t| words.contains(&normalised(t).as_str()));
                let value = if is(PREGNANT) || said(&["妊娠中", "妊娠あり", "pregnant"]) {
                    Some(true)
                } else if is(NOT_PREGNANT) || said(&["妊娠していない", "妊娠なし", "not pregnant"])
                {
                    Some(false)
                } else {
                    None
                };
                self.pregnant.extend(value.map(|value| Dated { day, value }));
            }
            What::Weeks => {
                let value = number()
                    .map(|value| if matches!(unit().as_str(), "d" | "日") { value / 7.0 } else { value });
                self.weeks.extend(value.map(|value| Dated { day, value }));
            }
            What::Due => {
                // Forty weeks end on the day that is expected.
                let due = resource.text_at("value").and_then(|text| super::day(&text));
                self.weeks.extend(due.map(|due| Dated { day, value: 40.0 - (due - day) as f64 / 7.0 }));
            }
        }
    }
}
