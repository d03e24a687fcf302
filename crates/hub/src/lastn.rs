//! `Observation/$lastn`: the newest observations of each code
//! (<https://hl7.org/fhir/R4/observation-operation-lastn.html>).
//!
//! * *Which.* Any search for Observations that names a subject (`patient`, `subject`) or a code or category.
//! * *Groups.* Observations with the same code, of the same subject: two codes are the same if they share a coding
//!   (system and code), and what is the same as a third is the same; a code without codings is its text, as written.
//!   The specification groups by code and presumes one subject; where a search finds several, each has its own groups.
//! * *Newest.* By the end of `effective[x]` (of a day: its last moment); without one by `issued`; without that by when it
//!   was recorded. Observations of the same moment as the last one taken are taken too.
//!
//! One pass over what the search finds keeps a moment and a group for each, never the resources; groups grow together as
//! codings turn out to be the same (union–find).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use fhir::date_time::Micros;
use fhir::json::scan::members;
use fhir::{DateTime, Issue, IssueType, TypeId, r4};
use search::Zone;
use search::query::{Criterion, Pair, Query};
use serde_json::Value;
use store::{Budget, Kept, Place, Reader};

use crate::{Access, Failure, Hub, SearchAnswer, SearchRequest};

/// More observations than this are not gone through.
const MAX_OBSERVATIONS: usize = 500_000;
/// More than this are not answered.
const MAX_ANSWERED: usize = 10_000;

/// A call of `$lastn`.
#[derive(Clone, Debug)]
pub struct LastnRequest {
    query: Query,
    max: usize,
}

impl LastnRequest {
    /// Reads the parameters: `max`, and those of a search for Observations.
    ///
    /// # Errors
    /// What is not understood; a search that names neither a subject nor a code nor a category.
    pub fn read(hub: &Hub, pairs: &[Pair], base: &str, is_lenient: bool) -> Result<LastnRequest, Failure> {
        let mut max = None;
        for (_, text) in pairs.iter().filter(|(name, _)| name == "max") {
            let number = text.parse().ok().filter(|n| *n > 0 && !text.starts_with('+'));
            let number: usize = number.ok_or_else(|| {
                let message = format!("max: '{text}' is not a number of observations from 1 on");
                Issue::error(IssueType::Invalid, message)
            })?;
            if max.replace(number).is_some() {
                return Err(Issue::error(IssueType::Invalid, "max: it is given twice").into());
            }
        }
        let searched: Vec<Pair> = pairs.iter().filter(|(name, _)| name != "max").cloned().collect();
        let resource_type = observation()?;
        let request = SearchRequest { resource_type, compartment: None, pairs: &searched, base, is_lenient };
        let mut query = hub.query(&request)?;
        about_answers(&searched)?;
        if !query.criteria.iter().any(is_narrow) {
            let message =
                "$lastn needs to know of whom or of what: add patient or subject, and code or category";
            return Err(Issue::error(IssueType::Required, message).into());
        }
        if let Some(max) = max {
            query.understood.push(("max".to_owned(), max.to_string()));
        }
        Ok(LastnRequest { query, max: max.unwrap_or(1) })
    }
}

fn observation() -> Result<TypeId, Failure> {
    r4().known_resource_type("Observation").map_err(|m| Issue::error(IssueType::NotSupported, m).into())
}

/// Refuses the parameters about a search's answer that would change which observations are the last.
fn about_answers(pairs: &[Pair]) -> Result<(), Failure> {
    let refused = ["_count", "_cursor", "_sort", "_include", "_revinclude"];
    let name = |pair: &Pair| pair.0.split(':').next().unwrap_or_default().to_owned();
    match pairs.iter().map(name).find(|name| refused.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let message = format!(
                "{name}: $lastn answers all it finds at once, newest first; say max, or ask for less by the search"
            );
            Err(Issue::error(IssueType::NotSupported, message).into())
        }
    }
}

/// Whether a criterion names a subject, a code or a category.
fn is_narrow(criterion: &Criterion) -> bool {
    let parameter = match criterion {
        Criterion::Values { parameter, is_negated: false, .. } | Criterion::Chain { parameter, .. } => {
            parameter
        }
        Criterion::Compartment { .. } => return true,
        _ => return false,
    };
    let is_coded = ["code", "component-code", "combo-code", "category"].contains(&parameter.code)
        || parameter.code.starts_with("code-value-")
        || parameter.code.starts_with("combo-code-value-")
        || parameter.code.starts_with("component-code-value-");
    is_coded || matches!(parameter.code, "patient" | "subject")
}

impl Hub {
    /// The newest observations of each code among those a search finds, newest first.
    ///
    /// # Errors
    /// What costs too much; a store's failure.
    pub fn lastn(
        &self,
        access: &Access,
        request: &LastnRequest,
        budget: Budget,
    ) -> Result<SearchAnswer, Failure> {
        let reader = self.reader(access);
        let query = request.query.clone();
        let place = reader.place_of(&query, None)?;
        let found = reader.all(&query, place, budget)?;
        if found.len() > MAX_OBSERVATIONS {
            return Err(too_many(found.len(), MAX_OBSERVATIONS, "the search finds"));
        }
        let mut groups = Groups::default();
        reader.each(&found, place, |kept| groups.add(&kept, self.zone()))?;
        let last = groups.last(request.max);
        if last.len() > MAX_ANSWERED {
            return Err(too_many(last.len(), MAX_ANSWERED, "the last of each code are"));
        }
        let total = Some(last.len() as u64);
        let matches = if query.is_count_only { Vec::new() } else { kept(&reader, &last, place)? };
        access.saw_all(&matches);
        let instant = reader.instant_of(place)?;
        let included = Vec::new();
        Ok(SearchAnswer { query, matches, included, total, next: None, previous: None, instant })
    }
}

fn kept(reader: &Reader, ids: &[String], place: Place) -> Result<Vec<Kept>, Failure> {
    let resource_type = observation()?;
    let read = ids.iter().filter_map(|id| reader.read(resource_type, id, Some(place)).transpose());
    Ok(read.collect::<Result<_, _>>()?)
}

fn too_many(found: usize, most: usize, what: &str) -> Failure {
    let message =
        format!("{what} {found} observations, at most {most} are taken; narrow it by patient, code or date");
    Issue::error(IssueType::TooCostly, message).into()
}

/// What is known of an observation.
struct Seen {
    id: String,
    moment: Micros,
    /// The group it was put into; ask [`Groups::root`] what became of that.
    group: usize,
}

/// Observations, in groups that grow together.
#[derive(Default)]
struct Groups {
    seen: Vec<Seen>,
    /// The group each group has become part of; a root is its own.
    parents: Vec<usize>,
    /// The group of a subject's coding or text.
    by_code: HashMap<(String, Key), usize>,
}

impl Groups {
    fn add(&mut self, kept: &Kept, zone: &Zone) {
        let Some((text, _)) = &kept.text else { return };
        let mut observation = Members::default();
        for member in members(text) {
            match member.name {
                "code" => observation.code = value(member.value),
                "subject" => observation.subject = value(member.value),
                "issued" => observation.issued = value(member.value),
                name if name.starts_with("effective") => observation.effective = value(member.value),
                _ => {}
            }
        }
        let moment = latest(&observation.effective, zone).or_else(|| latest(&observation.issued, zone));
        let moment = moment.unwrap_or(kept.instant);
        let group = self.group(&observation);
        self.seen.push(Seen { id: kept.id.clone(), moment, group });
    }

    /// The group of an observation's subject and code; joins the groups its codings belong to.
    fn group(&mut self, observation: &Members) -> usize {
        let subject = match observation.subject["reference"].as_str() {
            Some(reference) => reference.to_owned(),
            None => observation.subject.to_string(),
        };
        let mut joined = None;
        for key in keys(&observation.code) {
            let new = self.parents.len();
            let group = match self.by_code.entry((subject.clone(), key)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => {
                    self.parents.push(new);
                    *place.insert(new)
                }
            };
            let group = self.root(group);
            let first = *joined.get_or_insert(group);
            self.parents[group] = first;
        }
        joined.unwrap_or_default()
    }

    fn root(&mut self, mut group: usize) -> usize {
        while self.parents[group] != group {
            self.parents[group] = self.parents[self.parents[group]];
            group = self.parents[group];
        }
        group
    }

    /// The ids of the last `max` of each group and of those of the same moment, newest first.
    fn last(mut self, max: usize) -> Vec<String> {
        let mut seen = std::mem::take(&mut self.seen);
        seen.sort_by(|a, b| (Reverse(a.moment), &a.id).cmp(&(Reverse(b.moment), &b.id)));
        // How many of a group are taken, and the moment of the last one.
        let mut taken: HashMap<usize, (usize, Micros)> = HashMap::new();
        let mut last = Vec::new();
        for one in seen {
            let (count, moment) = taken.entry(self.root(one.group)).or_insert((0, one.moment));
            if *count < max || *moment == one.moment {
                *count += 1;
                *moment = one.moment;
                last.push(one.id);
            }
        }
        last
    }
}

/// What of an observation decides about its group and its moment.
#[derive(Default)]
struct Members {
    code: Value,
    subject: Value,
    effective: Value,
    issued: Value,
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// A coding's system and code, or a text.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Coding(String, String),
    Text(String),
}

/// What a code is known by: each coding, or else its text.
fn keys(code: &Value) -> Vec<Key> {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let codings = code["coding"].as_array().into_iter().flatten().filter(|c| c["code"].is_string());
    let keys: Vec<Key> = codings.map(|c| Key::Coding(text(c, "system"), text(c, "code"))).collect();
    if keys.is_empty() { vec![Key::Text(text(code, "text"))] } else { keys }
}

/// The last moment of an `effective[x]` or `issued`.
fn latest(value: &Value, zone: &Zone) -> Option<Micros> {
    match value {
        Value::String(text) => DateTime::parse(text).map(|date| date.interval(zone).1),
        Value::Array(events) => events.iter().filter_map(|event| latest(event, zone)).max(),
        Value::Object(members) => {
            // A Period, or a Timing: what happened, or the bounds of what repeats.
            let of = |name: &str| members.get(name).and_then(|value| latest(value, zone));
            let bounds = || of("repeat").or_else(|| of("boundsPeriod"));
            of("end").or_else(|| of("start")).or_else(|| of("event")).or_else(bounds)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// How many groups there are, given codes and `effectiveDateTime`s, and the ids of the last ones.
    fn last(codes: &[(Value, &str)], max: usize) -> Vec<String> {
        let zone = Zone::named("UTC").unwrap();
        let mut groups = Groups::default();
        for (at, (code, effective)) in codes.iter().enumerate() {
            let text = json!({"code": code, "effectiveDateTime": effective}).to_string();
            groups.add(
                &Kept {
                    resource_type: observation().unwrap(),
                    id: at.to_string(),
                    version: 1,
                    instant: 0,
                    is_creation: true,
                    text: Some((text, fhir::body::Splice::WithMeta(0))),
                    is_destroyed: false,
                },
                &zone,
            );
        }
        groups.last(max)
    }

    fn coded(codes: &[&str]) -> Value {
        let codings: Vec<Value> = codes.iter().map(|c| json!({"system": "s", "code": c})).collect();
        json!({"coding": codings, "text": "not heeded"})
    }

    #[test]
    fn the_examples_of_the_specification() {
        let day = "2020-01-01";
        let groups = |codes: [Value; 3]| {
            let dated: Vec<_> = codes.into_iter().zip(["2020-01-03", "2020-01-02", day]).collect();
            last(&dated, 1).len()
        };
        assert_eq!(groups([coded(&["a"]), coded(&["b"]), coded(&["c"])]), 3);
        assert_eq!(groups([coded(&["a"]), coded(&["b"]), coded(&["a", "c"])]), 2);
        assert_eq!(groups([coded(&["a"]), coded(&["b"]), coded(&["a", "b"])]), 1);
        let text = |text: &str| json!({"text": text});
        assert_eq!(groups([text("textM"), text("Text"), text("t e x t")]), 3);
    }

    #[test]
    fn what_is_as_new_as_the_last_one_is_taken_too() {
        let a = coded(&["a"]);
        let days = ["2020-01-04", "2020-01-05", "2020-01-04", "2020-01-03"];
        let dated: Vec<_> = days.iter().map(|day| (a.clone(), *day)).collect();
        assert_eq!(last(&dated, 1), ["1"]);
        assert_eq!(last(&dated, 2), ["1", "0", "2"]);
        assert_eq!(last(&dated, 3), ["1", "0", "2"]);
        assert_eq!(last(&dated, 4), ["1", "0", "2", "3"]);
    }

    #[test]
    fn moments_of_every_form() {
        let zone = Zone::named("UTC").unwrap();
        let end = |text: &str| DateTime::parse(text).unwrap().interval(&zone).1;
        for (value, expected) in [
            (json!({"start": "2020", "end": "2021-03"}), Some(end("2021-03"))),
            (json!({"start": "2020"}), Some(end("2020"))),
            (json!({"event": ["2020-02", "2019"]}), Some(end("2020-02"))),
            (json!({"repeat": {"boundsPeriod": {"end": "2018"}}}), Some(end("2018"))),
            (json!({}), None),
            (json!(null), None),
        ] {
            assert_eq!(latest(&value, &zone), expected, "{value}");
        }
    }
}
