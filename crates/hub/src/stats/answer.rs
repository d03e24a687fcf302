//! What `$stats` answers: an Observation for each code and unit, a component for each statistic, and the sources.

use std::collections::BTreeMap;

use fhir::date_time::{Micros, format_instant};
use fhir::json::JsonWriter;
use fhir::r4;
use rust_decimal::Decimal;

use super::statistic::{self, Dimension, Measurement, Statistic};
use super::{Code, Group, InUnit, StatsRequest, UCUM};

const STATISTICS: &str = "http://terminology.hl7.org/CodeSystem/observation-statistics";
const DAY: f64 = 86_400e6;

pub(super) fn answer(
    request: &StatsRequest,
    groups: &BTreeMap<Code, Group>,
    sources: &[(Option<Micros>, String)],
    (start, end): (Option<Micros>, Option<Micros>),
) -> String {
    let nothing = InUnit::default();
    let mut json = JsonWriter::new();
    json.object(|p| {
        p.member("resourceType", "Parameters");
        p.name("parameter").array(|list| {
            for (code, group) in groups {
                let units: Vec<(&str, &InUnit)> = match group.by_unit.is_empty() {
                    true => vec![("", &nothing)],
                    false => group.by_unit.iter().map(|(unit, values)| (unit.as_str(), values)).collect(),
                };
                for (unit, in_unit) in units {
                    list.object(|one| {
                        one.member("name", "statistics");
                        one.name("resource").object(|o| {
                            let result = Computed { request, code, group, unit, in_unit, start, end };
                            result.write(o);
                        });
                    });
                }
            }
            for (_, source) in sources {
                list.object(|one| {
                    one.member("name", "source").raw_member("resource", source);
                });
            }
        });
    });
    json.finish()
}

/// The statistics of one code in one unit.
struct Computed<'a> {
    request: &'a StatsRequest,
    code: &'a Code,
    group: &'a Group,
    unit: &'a str,
    in_unit: &'a InUnit,
    start: Option<Micros>,
    end: Option<Micros>,
}

impl Computed<'_> {
    fn write(&self, json: &mut JsonWriter) {
        json.member("resourceType", "Observation").member("status", "final");
        match &self.group.concept {
            Some(concept) => json.raw_member("code", &concept.to_string()),
            None => json.name("code").object(|c| {
                c.name("coding").array(|list| {
                    list.object(|one| {
                        if let Some(system) = &self.code.system {
                            one.member("system", system);
                        }
                        one.member("code", &self.code.code);
                    });
                });
            }),
        };
        json.name("subject").object(|s| {
            let (resource_type, id) = &self.request.subject;
            s.member("reference", &format!("{}/{id}", r4().type_name(*resource_type)));
        });
        let made = || self.in_unit.values.iter().filter_map(|(when, _)| *when);
        // A Period's end is in it.
        let last = self.end.map(|end| end - 1);
        let (from, to) = (self.start.or_else(|| made().min()), last.or_else(|| made().max()));
        if from.is_some() || to.is_some() {
            json.name("effectivePeriod").object(|p| {
                for (name, moment) in [("start", from), ("end", to)] {
                    if let Some(moment) = moment {
                        p.member(name, &format_instant(moment));
                    }
                }
            });
        }
        let measurement = |(when, value): &(Option<Micros>, Decimal)| Measurement {
            value: *value,
            days: when.zip(from).map(|(when, from)| (when - from) as f64 / DAY),
        };
        let mut sorted: Vec<Measurement> = self.in_unit.values.iter().map(measurement).collect();
        sorted.sort_by_key(|m| m.value);
        json.name("component").array(|list| {
            for statistic in &self.request.statistics {
                for (part, number, dimension) in statistic::of(*statistic, &sorted, self.group.total) {
                    list.object(|c| self.component(c, *statistic, part, number, dimension));
                }
            }
        });
    }

    fn component(
        &self,
        json: &mut JsonWriter,
        statistic: Statistic,
        part: Option<&str>,
        number: Option<Decimal>,
        dimension: Dimension,
    ) {
        json.name("code").object(|c| {
            c.name("coding").array(|list| {
                list.object(|one| {
                    one.member("system", STATISTICS).member("code", statistic.code);
                    one.member("display", statistic.display);
                });
            });
            if let Some(part) = part {
                c.member("text", part);
            }
        });
        let Some(number) = number else {
            json.name("dataAbsentReason").object(|r| {
                r.name("coding").array(|list| {
                    list.object(|one| {
                        one.member("system", "http://terminology.hl7.org/CodeSystem/data-absent-reason");
                        one.member("code", "not-a-number");
                    });
                });
            });
            return;
        };
        let (text, code) = match dimension {
            Dimension::Unit => (self.in_unit.unit.clone(), self.unit.to_owned()),
            Dimension::Squared => (format!("({})2", self.in_unit.unit), format!("({})2", self.unit)),
            Dimension::ByDay => (format!("{}/d", self.in_unit.unit), format!("({})/d", self.unit)),
            Dimension::None => (String::new(), "1".to_owned()),
        };
        json.name("valueQuantity").object(|q| {
            q.raw_member("value", &number.to_string());
            if !text.is_empty() {
                q.member("unit", &text);
            }
            q.member("system", UCUM).member("code", &code);
        });
    }
}
