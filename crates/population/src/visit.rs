//! Ambulatory visits.

use fhir::json::JsonWriter;

use crate::calendar::{Day, MINUTE, Moment, at};
use crate::chart::Chart;
use crate::institutions::Provider;
use crate::person::Person;
use crate::write::Elements;

const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// An encounter, as far as what follows needs it.
#[derive(Clone, Debug)]
pub(crate) struct Visit<'p> {
    pub(crate) id: String,
    pub(crate) place: &'p Provider,
    pub(crate) physician: &'p str,
    pub(crate) start: Moment,
    pub(crate) end: Moment,
}

/// Writes what ambulatory and hospital encounters have in common.
pub(crate) fn write_encounter(
    json: &mut JsonWriter,
    person: &Person,
    visit: &Visit<'_>,
    class: (&str, &str),
    kind: &str,
    finished: bool,
) {
    json.member("status", if finished { "finished" } else { "in-progress" });
    json.coding("class", (ACT, class.0, class.1)).concepts("type", &[], kind);
    json.reference("subject", "Patient", &person.id);
    json.name("participant").array(|a| {
        a.object(|p| {
            p.reference("individual", "Practitioner", visit.physician);
        });
    });
    json.period("period", visit.start, finished.then_some(visit.end));
}

/// Records a visit: what kind, why in words, and for which conditions known before.
pub(crate) fn outpatient<'p>(
    chart: &mut Chart<'_>,
    place: &'p Provider,
    person: &Person,
    day: Day,
    kind: &str,
    reason: &str,
    conditions: &[&str],
) -> Visit<'p> {
    let start = at(day, chart.rng.between(9, 16), chart.rng.between(0, 59));
    let end = start + chart.rng.between(15, 45) * MINUTE;
    let which = if chart.rng.chance(0.8) { 0 } else { place.physicians.len().saturating_sub(1) };
    let physician = place.physicians.get(which).map_or("", String::as_str);
    let visit = Visit { id: chart.id(start), place, physician, start, end };
    let under_way = chart.rng.chance(0.08);
    for (finished, recorded) in [(false, start), (true, end)] {
        if !finished && !under_way {
            continue;
        }
        chart.add("Encounter", &visit.id, recorded, |o| {
            write_encounter(o, person, &visit, ("AMB", "ambulatory"), kind, finished);
            if !reason.is_empty() {
                o.concepts("reasonCode", &[], reason);
            }
            if !conditions.is_empty() {
                o.name("reasonReference").array(|a| {
                    for condition in conditions {
                        a.object(|r| {
                            r.member("reference", &format!("Condition/{condition}"));
                        });
                    }
                });
            }
            o.reference("serviceProvider", "Organization", &place.organization);
        });
    }
    visit
}
