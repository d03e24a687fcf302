//! An outcome as a FHIR MeasureReport.
//!
//! Beside what FHIR has, a report says in extensions the place of the log its data are of, the versions of the method and of
//! what computed it.

use serde_json::{Value, json};

use crate::evaluation::{Counts, GroupResult, Member, Outcome, Stratum};
use crate::measure::{PopulationKind, Scoring};

const BASE: &str = "https://yojigen.example/fhir/StructureDefinition";
const POPULATION: &str = "http://terminology.hl7.org/CodeSystem/measure-population";
const IMPROVEMENT: &str = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation";

/// What a report tells of persons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One person.
    Individual,
    /// Counts, and lists of who is counted.
    SubjectList,
    /// Counts.
    Summary,
}

impl Kind {
    fn code(self) -> &'static str {
        match self {
            Kind::Individual => "individual",
            Kind::SubjectList => "subject-list",
            Kind::Summary => "summary",
        }
    }
}

/// When and by what a report is made.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The moment, as FHIR writes it.
    pub date: String,
    /// Who reports, `Organization/1`, where it is somebody.
    pub reporter: Option<String>,
    /// The version of the program.
    pub code_version: String,
}

impl Outcome {
    /// The report.
    ///
    /// Lists are of those who were kept (`Evaluation::keeps_members`). Small cells are not hidden here: who may see the
    /// exact counts is decided by who hands the report out.
    #[must_use]
    pub fn report(&self, kind: Kind, circumstances: &Circumstances) -> Value {
        let measure = &self.indicator.measure;
        let mut contained = Vec::new();
        let groups: Vec<Value> = self
            .groups
            .iter()
            .enumerate()
            .map(|(at, group)| self.group(kind, at, group, &mut contained))
            .collect();
        let mut report = json!({
            "resourceType": "MeasureReport",
            "extension": [
                {"url": format!("{BASE}/data-place"), "valueDecimal": self.place},
                {"url": format!("{BASE}/method-version"), "valueString": measure.version},
                {"url": format!("{BASE}/code-version"), "valueString": circumstances.code_version},
                {"url": format!("{BASE}/library-hash"), "valueString": self.indicator.library.hash},
            ],
            "status": "complete",
            "type": kind.code(),
            "measure": format!("{}|{}", measure.url, measure.version),
            "date": circumstances.date,
            "period": {"start": self.period.start.to_string(), "end": self.period.end.to_string()},
            "improvementNotation": {"coding": [{
                "system": IMPROVEMENT,
                "code": if measure.increase_is_better { "increase" } else { "decrease" },
            }]},
            "group": groups,
        });
        if let Some(members) = report.as_object_mut() {
            if !contained.is_empty() {
                members.insert("contained".to_owned(), contained.into());
            }
            if let Some(person) = &self.person {
                members.insert("subject".to_owned(), json!({"reference": person}));
            }
            if let Some(reporter) = &circumstances.reporter {
                members.insert("reporter".to_owned(), json!({"reference": reporter}));
            }
        }
        report
    }

    fn group(&self, kind: Kind, at: usize, group: &GroupResult, contained: &mut Vec<Value>) -> Value {
        let defined = self.indicator.measure.groups.get(at);
        let mut populations = self.populations(&group.counts, at);
        if kind == Kind::SubjectList {
            let members: Vec<Member<'_>> = group.members().collect();
            for (population_kind, population) in &mut populations {
                let id = format!("group-{at}-{}", population_kind.code());
                contained.push(list(&id, *population_kind, &members));
                population["subjectResults"] = json!({"reference": format!("#{id}")});
            }
        }
        let stratifiers: Vec<Value> = defined
            .into_iter()
            .flat_map(|d| d.stratifiers.iter())
            .zip(&group.strata)
            .map(|(stratifier, strata)| {
                let strata: Vec<Value> = strata.iter().map(|s| self.stratum(s, at)).collect();
                json!({"code": [stratifier.code], "stratum": strata})
            })
            .collect();
        let mut written = json!({
            "population": populations.into_iter().map(|(_, p)| p).collect::<Vec<_>>(),
        });
        self.score(&group.counts, &mut written);
        if let Some(code) = defined.map(|d| &d.code).filter(|c| !c.is_null()) {
            written["code"] = code.clone();
        }
        if kind != Kind::Individual && !stratifiers.is_empty() {
            written["stratifier"] = stratifiers.into();
        }
        written
    }

    fn stratum(&self, stratum: &Stratum, at: usize) -> Value {
        let mut written = json!({
            "value": {"text": stratum.value},
            "population": self.populations(&stratum.counts, at).into_iter().map(|(_, p)| p).collect::<Vec<_>>(),
        });
        self.score(&stratum.counts, &mut written);
        written
    }

    fn populations(&self, counts: &Counts, at: usize) -> Vec<(PopulationKind, Value)> {
        let defined = self.indicator.measure.groups.get(at);
        let kinds = defined.into_iter().flat_map(|d| d.populations.iter().map(|p| p.kind));
        kinds
            .map(|kind| {
                let count = count(kind, counts);
                let code = json!({"coding": [{"system": POPULATION, "code": kind.code()}]});
                (kind, json!({"code": code, "count": count}))
            })
            .collect()
    }

    fn score(&self, counts: &Counts, written: &mut Value) {
        let measure = &self.indicator.measure;
        let Some(score) = counts.score(measure.scoring) else { return };
        let percent = measure.scoring == Scoring::Proportion && measure.unit == "%";
        let scale = if percent { 100.0 } else { 1.0 };
        written["measureScore"] =
            json!({"value": score * scale, "system": "http://unitsofmeasure.org", "code": measure.unit});
    }
}

fn count(kind: PopulationKind, counts: &Counts) -> u64 {
    match kind {
        PopulationKind::InitialPopulation => counts.initial,
        PopulationKind::Denominator | PopulationKind::MeasurePopulation => counts.denominator,
        PopulationKind::DenominatorExclusion | PopulationKind::MeasurePopulationExclusion => counts.excluded,
        PopulationKind::Numerator => counts.numerator,
        PopulationKind::MeasureObservation => counts.observed,
    }
}

fn is_in(kind: PopulationKind, member: &Member<'_>) -> bool {
    match kind {
        PopulationKind::InitialPopulation => member.initial,
        PopulationKind::Denominator | PopulationKind::MeasurePopulation => member.denominator,
        PopulationKind::DenominatorExclusion | PopulationKind::MeasurePopulationExclusion => member.excluded,
        PopulationKind::Numerator => member.numerator,
        PopulationKind::MeasureObservation => {
            member.denominator && !member.excluded && member.value.is_some()
        }
    }
}

/// The list of who is in a population: items where items are counted, else persons.
fn list(id: &str, kind: PopulationKind, members: &[Member<'_>]) -> Value {
    let entries: Vec<Value> = members
        .iter()
        .filter(|m| is_in(kind, m))
        .map(|m| json!({"item": {"reference": m.item.unwrap_or(m.person)}}))
        .collect();
    let mut list = json!({"resourceType": "List", "id": id, "status": "current", "mode": "snapshot"});
    if !entries.is_empty() {
        list["entry"] = entries.into();
    }
    list
}
