//! A Measure whose populations are queries of its Library.

use serde_json::Value;

use crate::error::Error;
use crate::library::Library;

/// The code of an expression that is the name of a query.
pub const LANGUAGE: &str = "text/sql";
const BASIS: &str = "http://hl7.org/fhir/us/cqfmeasures/StructureDefinition/cqfm-populationBasis";
const AGGREGATE: &str = "http://hl7.org/fhir/us/cqfmeasures/StructureDefinition/cqfm-aggregateMethod";
const UNIT: &str = "https://yojigen.example/fhir/StructureDefinition/measure-unit";
const SMALL_CELL: &str = "https://yojigen.example/fhir/StructureDefinition/measure-small-cell";
const TRANSLATION: &str = "http://hl7.org/fhir/StructureDefinition/translation";

/// How a Measure is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scoring {
    /// The share of a denominator that is in a numerator.
    Proportion,
    /// The size of a numerator to that of a denominator it is no part of.
    Ratio,
    /// A value of each, aggregated.
    ContinuousVariable,
    /// How many there are.
    Cohort,
}

/// How values are aggregated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// The value in the middle.
    Median,
    /// The mean.
    Average,
    /// The sum.
    Sum,
    /// The smallest.
    Minimum,
    /// The largest.
    Maximum,
}

/// What a population is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the codes of measure-population")]
pub enum PopulationKind {
    InitialPopulation,
    Denominator,
    DenominatorExclusion,
    Numerator,
    MeasurePopulation,
    MeasurePopulationExclusion,
    MeasureObservation,
}

impl PopulationKind {
    /// The code of `measure-population`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            PopulationKind::InitialPopulation => "initial-population",
            PopulationKind::Denominator => "denominator",
            PopulationKind::DenominatorExclusion => "denominator-exclusion",
            PopulationKind::Numerator => "numerator",
            PopulationKind::MeasurePopulation => "measure-population",
            PopulationKind::MeasurePopulationExclusion => "measure-population-exclusion",
            PopulationKind::MeasureObservation => "measure-observation",
        }
    }

    fn of(code: &str) -> Option<PopulationKind> {
        use PopulationKind::{
            Denominator, DenominatorExclusion, InitialPopulation, MeasureObservation, MeasurePopulation,
            MeasurePopulationExclusion, Numerator,
        };
        [
            InitialPopulation,
            Denominator,
            DenominatorExclusion,
            Numerator,
            MeasurePopulation,
            MeasurePopulationExclusion,
            MeasureObservation,
        ]
        .into_iter()
        .find(|kind| kind.code() == code)
    }
}

/// A population: what it is for and the query that gives it.
#[derive(Clone, Debug)]
pub struct Population {
    /// What it is for.
    pub kind: PopulationKind,
    /// The query.
    pub query: String,
}

/// How a group is divided.
#[derive(Clone, Debug)]
pub struct Stratifier {
    /// The code of the division, as the Measure has it.
    pub code: Value,
    /// A short word for it.
    pub name: String,
    /// The query.
    pub query: String,
}

/// A group of a Measure.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its code, where it has one.
    pub code: Value,
    /// Its populations.
    pub populations: Vec<Population>,
    /// How it is divided.
    pub stratifiers: Vec<Stratifier>,
    /// How values are aggregated.
    pub aggregate: Option<Aggregate>,
}

impl Group {
    /// The query of a population.
    #[must_use]
    pub fn query(&self, kind: PopulationKind) -> Option<&str> {
        self.populations.iter().find(|p| p.kind == kind).map(|p| p.query.as_str())
    }
}

/// What a Measure says.
#[derive(Clone, Debug)]
pub struct Measure {
    /// Its id.
    pub id: String,
    /// Its canonical address.
    pub url: String,
    /// The version of the method.
    pub version: String,
    /// The Library it names.
    pub library: String,
    /// How it is scored.
    pub scoring: Scoring,
    /// What is counted: `Patient`, or another resource type, or `Resource`.
    pub basis: String,
    /// The unit of the score, in UCUM.
    pub unit: String,
    /// Cells of fewer persons are not shown.
    pub small_cell: u64,
    /// Whether more is better.
    pub increase_is_better: bool,
    /// Its groups.
    pub groups: Vec<Group>,
    /// The resource.
    pub json: Value,
}

/// The code of a concept's first coding.
fn code(concept: &Value) -> &str {
    concept["coding"][0]["code"].as_str().unwrap_or_default()
}

fn extension<'v>(element: &'v Value, url: &str) -> Option<&'v Value> {
    element["extension"].as_array()?.iter().find(|e| e["url"] == url)
}

/// A text of a resource in a language, or as it is where there is no translation.
#[must_use]
pub fn text_in<'v>(resource: &'v Value, member: &str, language: &str) -> &'v str {
    let plain = resource[member].as_str().unwrap_or_default();
    let translations = resource[format!("_{member}")]["extension"].as_array().map(Vec::as_slice);
    let part = |translation: &'v Value, name: &str| {
        let parts = translation["extension"].as_array()?;
        let part = parts.iter().find(|p| p["url"] == name)?;
        part["valueCode"].as_str().or(part["valueString"].as_str()).or(part["valueMarkdown"].as_str())
    };
    let found = translations
        .unwrap_or_default()
        .iter()
        .filter(|e| e["url"] == TRANSLATION)
        .find(|e| part(e, "lang") == Some(language))
        .and_then(|e| part(e, "content"));
    found.unwrap_or(plain)
}

impl Measure {
    /// Reads a Measure.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn read(json: &Value) -> Result<Measure, Error> {
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let of = format!("Measure/{}", text("id"));
        let wrong = |place: &str, said: String| Error::new(&of, place, said);
        if json["resourceType"] != "Measure" {
            return Err(wrong("resourceType", "this is no Measure".to_owned()));
        }
        let (url, version) = (text("url"), text("version"));
        if url.is_empty() || version.is_empty() {
            return Err(wrong("url", "a Measure needs a url and a version".to_owned()));
        }
        let libraries = json["library"].as_array().map(Vec::as_slice).unwrap_or_default();
        let [library] = libraries else {
            return Err(wrong("library", "exactly one Library is needed".to_owned()));
        };
        let scoring = match code(&json["scoring"]) {
            "proportion" => Scoring::Proportion,
            "ratio" => Scoring::Ratio,
            "continuous-variable" => Scoring::ContinuousVariable,
            "cohort" => Scoring::Cohort,
            other => {
                return Err(wrong(
                    "scoring",
                    format!("`{other}`; known are proportion, ratio, continuous-variable, cohort"),
                ));
            }
        };
        let groups = json["group"].as_array().map(Vec::as_slice).unwrap_or_default();
        let groups = groups.iter().enumerate().map(|(at, json)| {
            group(json, scoring).map_err(|(place, said)| wrong(&format!("group[{at}].{place}"), said))
        });
        let groups: Vec<Group> = groups.collect::<Result<_, _>>()?;
        if groups.is_empty() {
            return Err(wrong("group", "a Measure needs a group".to_owned()));
        }
        let valued = |url: &str, member: &str| extension(json, url).map(|e| e[member].clone());
        let word = |url: &str, otherwise: &str| {
            let found = valued(url, "valueCode").and_then(|v| v.as_str().map(str::to_owned));
            found.unwrap_or_else(|| otherwise.to_owned())
        };
        Ok(Measure {
            id: text("id"),
            url,
            version,
            library: library.as_str().unwrap_or_default().to_owned(),
            scoring,
            basis: word(BASIS, "Patient"),
            unit: word(UNIT, if scoring == Scoring::Proportion { "%" } else { "1" }),
            small_cell: valued(SMALL_CELL, "valueInteger").and_then(|v| v.as_u64()).unwrap_or(10),
            increase_is_better: code(&json["improvementNotation"]) != "decrease",
            groups,
            json: json.clone(),
        })
    }

    /// Checks that the Library has what the Measure names.
    pub(crate) fn check(&self, library: &Library) -> Result<(), Error> {
        let (url, version) = self.library.split_once('|').unwrap_or((&self.library, ""));
        let of = format!("Measure/{}", self.id);
        if url != library.url || !(version.is_empty() || version == library.version) {
            let said =
                format!("{} is asked for, {}|{} was given", self.library, library.url, library.version);
            return Err(Error::new(of, "library", said));
        }
        for (at, group) in self.groups.iter().enumerate() {
            let named =
                group.populations.iter().map(|p| &p.query).chain(group.stratifiers.iter().map(|s| &s.query));
            for query in named {
                if !library.has_query(query) {
                    let said = format!("the Library has no query `{query}`");
                    return Err(Error::new(of, format!("group[{at}]"), said));
                }
            }
        }
        Ok(())
    }
}

fn criteria(element: &Value, place: &str) -> Result<String, (String, String)> {
    let criteria = &element["criteria"];
    let language = criteria["language"].as_str().unwrap_or_default();
    if language != LANGUAGE {
        let said = format!(
            "criteria in `{language}` are not evaluated here; `{LANGUAGE}` is, with the name of a query of the Library"
        );
        return Err((format!("{place}.criteria.language"), said));
    }
    Ok(criteria["expression"].as_str().unwrap_or_default().to_owned())
}

fn group(json: &Value, scoring: Scoring) -> Result<Group, (String, String)> {
    let list = |name: &str| json[name].as_array().cloned().unwrap_or_default();
    let mut group = Group {
        code: json["code"].clone(),
        populations: Vec::new(),
        stratifiers: Vec::new(),
        aggregate: None,
    };
    for (at, population) in list("population").iter().enumerate() {
        let place = format!("population[{at}]");
        let named = code(&population["code"]);
        let Some(kind) = PopulationKind::of(named) else {
            return Err((format!("{place}.code"), format!("`{named}` is not evaluated here")));
        };
        if kind == PopulationKind::MeasureObservation {
            let method = extension(population, AGGREGATE).and_then(|e| e["valueCode"].as_str());
            group.aggregate = Some(match method.unwrap_or_default() {
                "median" => Aggregate::Median,
                "average" => Aggregate::Average,
                "sum" => Aggregate::Sum,
                "minimum" => Aggregate::Minimum,
                "maximum" => Aggregate::Maximum,
                other => {
                    let said = format!("`{other}`; known are median, average, sum, minimum, maximum");
                    return Err((format!("{place}.extension"), said));
                }
            });
        }
        group.populations.push(Population { kind, query: criteria(population, &place)? });
    }
    use PopulationKind::{Denominator, InitialPopulation, MeasureObservation, Numerator};
    let needed: &[PopulationKind] = match scoring {
        Scoring::Proportion | Scoring::Ratio => &[InitialPopulation, Denominator, Numerator],
        Scoring::ContinuousVariable => &[InitialPopulation, MeasureObservation],
        Scoring::Cohort => &[InitialPopulation],
    };
    if let Some(missing) = needed.iter().find(|kind| group.query(**kind).is_none()) {
        return Err(("population".to_owned(), format!("there is no {}", missing.code())));
    }
    for (at, stratifier) in list("stratifier").iter().enumerate() {
        let query = criteria(stratifier, &format!("stratifier[{at}]"))?;
        let named = code(&stratifier["code"]);
        let name = if named.is_empty() { query.clone() } else { named.to_owned() };
        group.stratifiers.push(Stratifier { code: stratifier["code"].clone(), name, query });
    }
    Ok(group)
}
