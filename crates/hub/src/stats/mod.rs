//! `Observation/$stats`: statistics of a subject's measurements (<https://hl7.org/fhir/R4/observation-operation-stats.html>).
//!
//! * *What is measured.* Quantities in UCUM, of Observations that were not entered in error: the value of an Observation with the
//!   code, a component with the code, and of a panel with the code each of its components and members, by their own
//!   codes. A value with a comparator (`< 5`), in no UCUM unit, or under a modifier extension is counted (`total-count`) and
//!   not reckoned with.
//! * *Whose.* The subject's; a Patient's are those of the Patients linked with it too.
//! * *When.* `duration` (hours up to now) or `period`: what has an effective time in it. Without both: ever.
//! * *Units are never mixed.* One code measured in two units gives two results; which, each says in its values.
//! * *Figures.* [`statistic`] defines them.
//!
//! The cost is that of the subject's observations with the code.

mod answer;
mod statistic;

use std::collections::{BTreeMap, BTreeSet};

use fhir::date_time::{Micros, format_instant};
use fhir::issue::nearest;
use fhir::{DateTime, Issue, IssueType, Reference, Resource, TypeId, r4};
use rust_decimal::Decimal;
use search::parameters;
use search::query::{Criterion, Pair, literal};
use serde_json::Value;
use store::{Budget, Found, Kept, Place, Reader};

use self::answer::answer;
use self::statistic::Statistic;
use crate::{Access, Failure, Hub, Kind, SearchRequest};

const UCUM: &str = "http://unitsofmeasure.org";
/// More observations than this are not gone through.
const MAX_OBSERVATIONS: usize = 200_000;
/// More observations than this are not answered as sources.
const MAX_SOURCES: usize = 10_000;
/// More codes than this are not asked for at once.
const MAX_CODES: usize = 100;
/// The beginning of the year 1: there are no earlier dates.
const FIRST_MOMENT: Micros = -62_135_596_800_000_000;
/// The end of the year 9999: there are no later dates.
const LAST_MOMENT: Micros = 253_402_300_799_999_999;

/// A code, in a system if it has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Code {
    system: Option<String>,
    code: String,
}

impl Code {
    fn of(coding: &Value) -> Option<Code> {
        let text = |name: &str| coding[name].as_str().map(str::to_owned);
        Some(Code { system: text("system"), code: text("code")? })
    }

    /// Whether a concept has it; without a system it is a code of any.
    fn is_in(&self, concept: &Value) -> bool {
        codings(concept)
            .any(|c| c["code"] == *self.code && self.system.as_ref().is_none_or(|s| c["system"] == **s))
    }
}

fn codings(concept: &Value) -> impl Iterator<Item = &Value> {
    concept["coding"].as_array().into_iter().flatten()
}

/// A call of `$stats`.
#[derive(Clone, Debug)]
pub struct StatsRequest {
    subject: (TypeId, String),
    codes: Vec<Code>,
    statistics: Vec<Statistic>,
    /// Hours up to now.
    duration: Option<f64>,
    start: Option<Micros>,
    end: Option<Micros>,
    is_with_sources: bool,
    limit: Option<usize>,
    as_of: Option<Micros>,
}

const NAMES: &[&str] =
    &["subject", "code", "system", "coding", "duration", "period", "statistic", "include", "limit", "_asOf"];

/// A parameter's value: a text, or the JSON of what has parts.
type Given = (String, Value);

impl StatsRequest {
    /// Reads the parameters of an address and of a body (Parameters), if there is one.
    ///
    /// # Errors
    /// What is not understood, or missing.
    pub fn read(
        hub: &Hub,
        pairs: &[Pair],
        body: Option<&Resource>,
        base: &str,
    ) -> Result<StatsRequest, Failure> {
        let mut given: Vec<Given> =
            pairs.iter().map(|(n, v)| (n.clone(), Value::String(v.clone()))).collect();
        if let Some(body) = body {
            if body.root().type_name() != "Parameters" {
                return Err(invalid(&format!("send Parameters, found a {}", body.root().type_name())));
            }
            for parameter in body.root().all("parameter") {
                let name = parameter.text_at("name").map(String::from).unwrap_or_default();
                let Some(value) = parameter.child("value") else {
                    return Err(invalid(&format!("{name}: a value is needed")));
                };
                let value = match value.value() {
                    Some(text) => Value::String(text.into_owned()),
                    None => serde_json::from_str(&value.json()).unwrap_or_default(),
                };
                given.push((name, value));
            }
        }
        let mut reading = Read::default();
        let issues: Vec<Issue> = given
            .iter()
            .filter_map(|(name, value)| {
                let message = reading.parameter(hub, name, value, base).err()?;
                Some(Issue::error(IssueType::Invalid, format!("{name}: {message}")))
            })
            .collect();
        if issues.is_empty() { reading.finish() } else { Err(Failure::invalid(issues)) }
    }
}

fn invalid(message: &str) -> Failure {
    Failure::new(Kind::Invalid, IssueType::Invalid, message)
}

/// A request while it is read.
#[derive(Default)]
struct Read {
    subject: Option<(TypeId, String)>,
    plain: Vec<String>,
    system: Option<String>,
    codes: Vec<Code>,
    statistics: Vec<Statistic>,
    duration: Option<f64>,
    period: Option<(Option<Micros>, Option<Micros>)>,
    is_with_sources: bool,
    limit: Option<usize>,
    as_of: Option<Micros>,
}

impl Read {
    fn parameter(&mut self, hub: &Hub, name: &str, value: &Value, base: &str) -> Result<(), String> {
        let interval = |text: &str| {
            let found = DateTime::parse(text).map(|d| d.interval(hub.zone()));
            found.ok_or_else(|| format!("'{text}' is not a date or instant"))
        };
        if let ("coding", Value::Object(_)) = (name, value) {
            self.codes.push(Code::of(value).ok_or("a Coding with a code is needed")?);
            return Ok(());
        }
        if let ("period", Value::Object(period)) = (name, value) {
            let bound = |name: &str| period.get(name).and_then(Value::as_str).map(interval).transpose();
            self.period = Some((bound("start")?.map(|i| i.0), bound("end")?.map(|i| i.1)));
            return Ok(());
        }
        let Some(text) = value.as_str() else { return Err("a simple value is needed".to_owned()) };
        match name {
            "subject" => match Reference::parse(text) {
                Reference::Rest { base: of, resource_type, id, version: None }
                    if of.is_empty() || of == base =>
                {
                    self.subject = Some((resource_type, id.to_owned()));
                }
                _ => return Err(format!("'{text}' names nothing of this hub; write Patient/id")),
            },
            "code" if !text.is_empty() => self.plain.push(text.to_owned()),
            "system" if self.system.is_none() => self.system = Some(text.to_owned()),
            "system" => return Err("it is given twice; name codes of several systems by coding".to_owned()),
            "coding" => {
                let (system, code) =
                    text.split_once('|').ok_or("write system|code, or send a valueCoding")?;
                let system = (!system.is_empty()).then(|| system.to_owned());
                self.codes.push(Code { system, code: code.to_owned() });
            }
            "duration" => {
                let hours = text.parse::<f64>().ok().filter(|h| h.is_finite() && *h > 0.0 && *h < 1e7);
                self.duration = Some(hours.ok_or_else(|| format!("'{text}' is not a number of hours"))?);
            }
            "period" => return Err("a Period has two parts: send Parameters with a valuePeriod".to_owned()),
            "statistic" => {
                for code in text.split(',') {
                    let known = statistic::named(code).ok_or_else(|| unknown_statistic(code))?;
                    if !self.statistics.contains(&known) {
                        self.statistics.push(known);
                    }
                }
            }
            "include" if matches!(text, "true" | "false") => self.is_with_sources = text == "true",
            "include" => return Err("true or false".to_owned()),
            "limit" => {
                let limit = text.parse().ok().filter(|n| (1..=MAX_SOURCES).contains(n));
                self.limit =
                    Some(limit.ok_or_else(|| format!("a number from 1 to {MAX_SOURCES} is needed"))?);
            }
            "_asOf" => self.as_of = Some(interval(text)?.1 - 1),
            other => {
                let near = nearest(other, NAMES.iter().copied());
                let known = if near.is_empty() { NAMES.join(", ") } else { near.join(" or ") };
                return Err(format!("$stats has no such parameter (it has {known})"));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<StatsRequest, Failure> {
        let required = |message: &str| Failure::new(Kind::Invalid, IssueType::Required, message);
        let system = self.system;
        let plain = self.plain.into_iter().map(|code| Code { system: system.clone(), code });
        let mut codes: Vec<Code> = plain.chain(self.codes).collect();
        codes.sort();
        codes.dedup();
        if codes.is_empty() || codes.len() > MAX_CODES {
            return Err(required(&format!(
                "name what is measured by code and system, or coding: 1 to {MAX_CODES} codes"
            )));
        }
        if self.statistics.is_empty() {
            return Err(required("name at least one statistic (average, maximum, minimum, count …)"));
        }
        if self.duration.is_some() && self.period.is_some() {
            return Err(invalid("duration and period: one of them is enough"));
        }
        let (start, end) = self.period.unwrap_or_default();
        let (start, end) = (start.map(|s| s.max(FIRST_MOMENT)), end.map(|end| end.min(LAST_MOMENT)));
        if start.zip(end).is_some_and(|(start, end)| start >= end) {
            return Err(invalid("period: it ends before it begins"));
        }
        Ok(StatsRequest {
            subject: self.subject.ok_or_else(|| required("subject: whose measurements? (Patient/id)"))?,
            codes,
            statistics: self.statistics,
            duration: self.duration,
            start,
            end,
            is_with_sources: self.is_with_sources,
            limit: self.limit,
            as_of: self.as_of,
        })
    }
}

fn unknown_statistic(code: &str) -> String {
    let all = || statistic::STATISTICS.iter().map(|s| s.code);
    let near = nearest(code, all());
    let known = if near.is_empty() { all().collect::<Vec<_>>().join(", ") } else { near.join(" or ") };
    format!("'{}' is no statistic (there are {known})", code.chars().take(60).collect::<String>())
}

/// Measurements of one code.
#[derive(Default)]
struct Group {
    /// The concept as an observation has it.
    concept: Option<Value>,
    /// All that were found, reckoned with or not.
    total: usize,
    /// By the code of their unit.
    by_unit: BTreeMap<String, InUnit>,
}

/// Measurements in one unit.
#[derive(Default)]
struct InUnit {
    /// The unit as it is written for people.
    unit: String,
    /// When each was made, and its value.
    values: Vec<(Option<Micros>, Decimal)>,
}

/// What is found, group by group.
#[derive(Default)]
struct Collected {
    groups: BTreeMap<Code, Group>,
    /// The observations, and which of their parts have been taken.
    seen: BTreeSet<(String, usize)>,
    /// Observations with a value that was reckoned with: when, and the resource.
    sources: Vec<(Option<Micros>, String)>,
    /// References to members of panels.
    members: BTreeSet<String>,
    /// Whom what was found is about: a panel's member is about the same.
    subjects: BTreeSet<String>,
}

impl Hub {
    /// The statistics, as Parameters. `now` is what a duration reaches up to.
    ///
    /// # Errors
    /// If there is no such subject, or it costs too much.
    pub fn stats(
        &self,
        access: &Access,
        request: &StatsRequest,
        base: &str,
        now: Micros,
        budget: Budget,
    ) -> Result<String, Failure> {
        let (subject_type, id) = &request.subject;
        self.read(access, *subject_type, id, request.as_of)?;
        let reader = self.reader(access);
        let place = self.place(&reader, request.as_of)?.unwrap_or(reader.place());
        let (start, end) = match request.duration {
            Some(hours) => {
                let end = request.as_of.map_or(now, |as_of| as_of.min(now));
                (Some(end.saturating_sub((hours * 3_600e6) as Micros)), Some(end))
            }
            None => (request.start, request.end),
        };
        let within = (start, end);
        let found = self.measured(&reader, place, request, base, within, budget)?;
        let mut collected = Collected::default();
        for code in &request.codes {
            collected.groups.insert(code.clone(), Group::default());
        }
        reader.each(&found, place, |kept| {
            access.saw(&kept);
            self.take(&mut collected, request, &kept, within, false);
        })?;
        // What a panel counts among its members, wherever it was measured.
        let observation = observation()?;
        for reference in std::mem::take(&mut collected.members) {
            let Reference::Rest { base: "", resource_type, id, .. } = Reference::parse(&reference) else {
                continue;
            };
            if resource_type == observation
                && let Some(kept) = reader.read(observation, id, Some(place))?
            {
                access.saw(&kept);
                self.take(&mut collected, request, &kept, within, true);
            }
        }
        let mut sources = std::mem::take(&mut collected.sources);
        sources.sort();
        sources.reverse();
        if request.is_with_sources {
            if request.limit.is_none() && sources.len() > MAX_SOURCES {
                let message = format!(
                    "include: {} observations are too many; say how many by limit (the newest are taken)",
                    sources.len()
                );
                return Err(Issue::error(IssueType::TooCostly, message).into());
            }
            sources.truncate(request.limit.unwrap_or(MAX_SOURCES));
        } else {
            sources.clear();
        }
        Ok(answer(request, &collected.groups, &sources, within))
    }

    /// The subject's observations with the codes, in the period.
    fn measured(
        &self,
        reader: &Reader,
        place: Place,
        request: &StatsRequest,
        base: &str,
        (start, end): (Option<Micros>, Option<Micros>),
        budget: Budget,
    ) -> Result<Vec<Found>, Failure> {
        let codes: Vec<String> = request
            .codes
            .iter()
            .map(|c| match &c.system {
                Some(system) => format!("{}|{}", literal(system), literal(&c.code)),
                None => literal(&c.code),
            })
            .collect();
        let mut pairs: Vec<Pair> = vec![("combo-code".to_owned(), codes.join(","))];
        pairs.extend(start.map(|t| ("date".to_owned(), format!("ge{}", format_instant(t)))));
        pairs.extend(end.map(|t| ("date".to_owned(), format!("lt{}", format_instant(t)))));
        let resource_type = observation()?;
        let search =
            SearchRequest { resource_type, compartment: None, pairs: &pairs, base, is_lenient: false };
        let mut query = self.query(&search)?;
        // As in a compartment: a Patient's are those of the whole person.
        let subject = parameters().of(resource_type).named("subject");
        query.criteria.push(Criterion::Compartment {
            resource_type: request.subject.0,
            id: request.subject.1.clone(),
            parameters: subject.into_iter().collect(),
        });
        let found = reader.all(&query, place, budget)?;
        if found.len() > MAX_OBSERVATIONS {
            let message = format!(
                "{} observations are too many, at most {MAX_OBSERVATIONS} are taken; ask for a period",
                found.len()
            );
            return Err(Issue::error(IssueType::TooCostly, message).into());
        }
        Ok(found)
    }

    /// Takes what of an observation is measured. A panel's member is taken whatever its code.
    fn take(
        &self,
        collected: &mut Collected,
        request: &StatsRequest,
        kept: &Kept,
        (start, end): (Option<Micros>, Option<Micros>),
        is_member: bool,
    ) {
        let json = kept.json();
        let Ok(observation) = serde_json::from_str::<Value>(&json) else { return };
        if observation["status"] == "entered-in-error" {
            return;
        }
        if let Some(subject) = observation["subject"]["reference"].as_str() {
            if is_member && !collected.subjects.contains(subject) {
                return;
            }
            collected.subjects.insert(subject.to_owned());
        }
        let made = self.made(&observation);
        let is_in =
            made.is_none_or(|(from, to)| start.is_none_or(|s| to > s) && end.is_none_or(|e| from < e));
        if !is_in || (made.is_none() && (start.is_some() || end.is_some())) {
            return;
        }
        let when = made.map(|(from, _)| from);
        let is_plain = observation.get("modifierExtension").is_none();
        let own = request.codes.iter().find(|c| c.is_in(&observation["code"]));
        let mut is_source = false;
        let mut add = |part: usize, code: Option<Code>, of: &Value, is_valid: bool| {
            let Some(code) = code.filter(|_| collected.seen.insert((kept.id.clone(), part))) else { return };
            let group = collected.groups.entry(code).or_default();
            group.concept.get_or_insert_with(|| of["code"].clone());
            group.total += 1;
            if let Some((unit, text, value)) = quantity(&of["valueQuantity"]).filter(|_| is_valid) {
                let in_unit = group.by_unit.entry(unit).or_default();
                in_unit.unit = text;
                in_unit.values.push((when, value));
                is_source = true;
            }
        };
        let first = |concept: &Value| codings(concept).find_map(Code::of);
        let components = observation["component"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_panel = own.is_some() || is_member;
        let has_value = observation.as_object().is_some_and(|o| o.keys().any(|k| k.starts_with("value")));
        // A panel that has only components is not a measurement that is missing.
        let is_measurement = has_value || (components.is_empty() && observation.get("hasMember").is_none());
        if is_panel && is_measurement {
            add(0, own.cloned().or_else(|| first(&observation["code"])), &observation, is_plain);
        }
        for (at, component) in components.iter().enumerate() {
            let wanted = request.codes.iter().find(|c| c.is_in(&component["code"])).cloned();
            let code = wanted.or_else(|| first(&component["code"]).filter(|_| is_panel));
            let is_valid = is_plain && component.get("modifierExtension").is_none();
            add(at + 1, code, component, is_valid);
        }
        if is_source {
            // Whole texts, so only where they are asked for.
            if request.is_with_sources {
                collected.sources.push((when, json));
            }
        }
        if own.is_some() {
            let members = observation["hasMember"].as_array().into_iter().flatten();
            collected.members.extend(members.filter_map(|m| m["reference"].as_str().map(str::to_owned)));
        }
    }

    /// When an observation was made: from, to.
    fn made(&self, observation: &Value) -> Option<(Micros, Micros)> {
        let interval =
            |value: &Value| value.as_str().and_then(DateTime::parse).map(|d| d.interval(self.zone()));
        let instant =
            ["effectiveDateTime", "effectiveInstant"].iter().find_map(|name| interval(&observation[*name]));
        let period = &observation["effectivePeriod"];
        let events = || {
            let times = observation["effectiveTiming"]["event"].as_array()?.iter().filter_map(interval);
            times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        };
        instant
            .or_else(|| {
                let (from, to) = (interval(&period["start"]), interval(&period["end"]));
                Some((from.or(to)?.0, to.or(from)?.1))
            })
            .or_else(events)
    }
}

fn observation() -> Result<TypeId, Failure> {
    r4().known_resource_type("Observation").map_err(|m| Issue::error(IssueType::NotSupported, m).into())
}

/// The code and the text of a quantity's unit, and its value; none if it is not one to reckon with.
fn quantity(quantity: &Value) -> Option<(String, String, Decimal)> {
    if quantity["system"] != UCUM || quantity.get("comparator").is_some() {
        return None;
    }
    let code = quantity["code"].as_str()?;
    let number = quantity["value"].as_number()?.to_string();
    let value = number.parse().or_else(|_| Decimal::from_scientific(&number)).ok()?;
    Some((code.to_owned(), quantity["unit"].as_str().unwrap_or(code).to_owned(), value))
}
