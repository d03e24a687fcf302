//! Observations and the reports that gather them.

use fhir::json::JsonWriter;

use crate::body::Sample;
use crate::calendar::{HOUR, Moment};
use crate::chart::Chart;
use crate::measure::{DIASTOLIC, Measure, SYSTOLIC};
use crate::numbers::{fixed, round};
use crate::person::Person;
use crate::visit::Visit;
use crate::write::{Elements, JLAC10, LOINC};

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const INTERPRETATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";

fn code(json: &mut JsonWriter, measure: &Measure) {
    let loinc = (LOINC, measure.loinc, measure.display);
    if measure.jlac10.is_empty() {
        json.concept("code", &[loinc], measure.text);
    } else {
        json.concept("code", &[loinc, (JLAC10, measure.jlac10, measure.text)], measure.text);
    }
}

fn value(json: &mut JsonWriter, person: &Person, measure: &Measure, value: f64) {
    json.quantity("valueQuantity", value, measure.digits, measure.unit, measure.ucum);
    let (low, high) = (person.by_sex(measure.low), person.by_sex(measure.high));
    if low == 0.0 && high == 0.0 {
        return;
    }
    let value = round(value, measure.digits);
    let found = if low > 0.0 && value < low {
        ("L", "Low")
    } else if high > 0.0 && value > high {
        ("H", "High")
    } else {
        ("N", "Normal")
    };
    json.concepts("interpretation", &[(INTERPRETATION, found.0, found.1)], "");
    json.name("referenceRange").array(|a| {
        a.object(|r| {
            for (name, limit) in [("low", low), ("high", high)] {
                if limit > 0.0 {
                    r.quantity(name, limit, measure.digits, measure.unit, measure.ucum);
                }
            }
        });
    });
}

/// Writes the member `component` with both pressures.
pub(crate) fn pressures(json: &mut JsonWriter, person: &Person, systolic: f64, diastolic: f64) {
    json.name("component").array(|a| {
        for (measure, pressure) in [(&SYSTOLIC, systolic), (&DIASTOLIC, diastolic)] {
            a.object(|c| {
                code(c, measure);
                value(c, person, measure, pressure);
            });
        }
    });
}

/// Writes the members before the subject's values: status, category.
pub(crate) fn head(json: &mut JsonWriter, category: &str) {
    let display = match category {
        "vital-signs" => "Vital Signs",
        "laboratory" => "Laboratory",
        _ => "Activity",
    };
    json.member("status", "final").concepts("category", &[(CATEGORY, category, display)], "");
}

/// Records one value of a visit.
pub(crate) fn observe(
    chart: &mut Chart<'_>,
    person: &Person,
    visit: &Visit<'_>,
    measure: &Measure,
    found: f64,
    recorded: Moment,
) -> String {
    let id = chart.id(recorded);
    chart.add("Observation", &id, recorded, |o| {
        head(o, measure.category);
        code(o, measure);
        o.reference("subject", "Patient", &person.id).reference("encounter", "Encounter", &visit.id);
        o.moment("effectiveDateTime", visit.start + 600).moment("issued", recorded);
        o.references("performer", "Organization", &visit.place.organization);
        value(o, person, measure, found);
    });
    id
}

/// Records the blood pressure of a visit.
pub(crate) fn observe_pressure(
    chart: &mut Chart<'_>,
    person: &Person,
    visit: &Visit<'_>,
    sample: &Sample,
) -> String {
    let id = chart.id(visit.end);
    chart.add("Observation", &id, visit.end, |o| {
        head(o, "vital-signs");
        let panel = "Blood pressure panel with all children optional";
        o.concept("code", &[(LOINC, "85354-9", panel)], "血圧");
        o.reference("subject", "Patient", &person.id).reference("encounter", "Encounter", &visit.id);
        o.moment("effectiveDateTime", visit.start + 300);
        o.references("performer", "Practitioner", visit.physician);
        pressures(o, person, sample.systolic, sample.diastolic);
    });
    id
}

/// Records a set of laboratory values some hours after a visit, and the report on them.
pub(crate) fn report(
    chart: &mut Chart<'_>,
    person: &Person,
    visit: &Visit<'_>,
    measures: &[&Measure],
    sample: &Sample,
    title: &str,
) {
    let recorded = visit.end + chart.rng.between(2, 4) * HOUR;
    let mut results = Vec::with_capacity(measures.len());
    let mut beyond = Vec::new();
    for measure in measures {
        let found = (measure.of)(sample);
        let (low, high, rounded) =
            (person.by_sex(measure.low), person.by_sex(measure.high), round(found, measure.digits));
        if (low > 0.0 && rounded < low) || (high > 0.0 && rounded > high) {
            beyond.push(format!("{} {}", measure.text, fixed(found, measure.digits)));
        }
        results.push(observe(chart, person, visit, measure, found, recorded));
    }
    let id = chart.id(recorded);
    chart.add("DiagnosticReport", &id, recorded, |o| {
        o.member("status", "final");
        let table = "http://terminology.hl7.org/CodeSystem/v2-0074";
        o.concepts("category", &[(table, "LAB", "Laboratory")], "");
        o.concept("code", &[(LOINC, "11502-2", "Laboratory report")], title);
        o.reference("subject", "Patient", &person.id).reference("encounter", "Encounter", &visit.id);
        o.moment("effectiveDateTime", visit.start + 600).moment("issued", recorded);
        o.references("performer", "Organization", &visit.place.organization);
        o.name("result").array(|a| {
            for result in &results {
                a.object(|r| {
                    r.member("reference", &format!("Observation/{result}"));
                });
            }
        });
        let conclusion = if beyond.is_empty() {
            "基準範囲内です。".to_owned()
        } else {
            format!("基準範囲外: {}", beyond.join("、"))
        };
        o.member("conclusion", &conclusion);
    });
}
