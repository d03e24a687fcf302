//! What is listed rather than drawn: problems, allergies, immunisations, reports.

use fhir::{NodeRef, Resource};

use super::Pen;
use crate::calendar::Day;
use crate::concept;

/// Reports that are listed.
const MOST_REPORTS: usize = 30;
/// Doses that are listed of one vaccine.
const MOST_DOSES: usize = 20;

/// A problem.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) name: String,
    /// Since when, or from when to when.
    pub(crate) dates: String,
    /// What its status says beyond the list it is in; may be empty.
    pub(crate) status: String,
}

/// An allergy or intolerance.
#[derive(Debug)]
pub(crate) struct Allergy {
    pub(crate) name: String,
    pub(crate) is_severe: bool,
    pub(crate) criticality: String,
    pub(crate) reactions: String,
    pub(crate) note: String,
}

/// A vaccine and when it was given.
#[derive(Debug)]
pub(crate) struct Vaccine {
    pub(crate) name: String,
    /// Newest first.
    pub(crate) dates: Vec<String>,
}

/// A report or checkup.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) date: String,
    pub(crate) conclusion: String,
    pub(crate) results: String,
}

fn is_void(node: NodeRef<'_>) -> bool {
    concept::code_at(node, "verificationStatus").as_deref() == Some("entered-in-error")
        || node.text_at("status").as_deref() == Some("entered-in-error")
}

fn named(node: NodeRef<'_>, path: &str, pen: Pen<'_>) -> String {
    concept::name_at(node, path, pen.words).unwrap_or_else(|| pen.words.say("unnamed"))
}

/// Problems there are and problems there were, each newest first.
pub(crate) fn problems(conditions: &[Resource], pen: Pen<'_>) -> (Vec<Problem>, Vec<Problem>) {
    let (present, past) = problems_with_nodes(conditions, pen);
    let only = |list: Vec<(Problem, NodeRef<'_>)>| list.into_iter().map(|(problem, _)| problem).collect();
    (only(present), only(past))
}

/// Problems with what they were read from.
type Read<'a> = Vec<(Problem, NodeRef<'a>)>;

/// The same, each with its Condition.
pub(crate) fn problems_with_nodes<'a>(conditions: &'a [Resource], pen: Pen<'_>) -> (Read<'a>, Read<'a>) {
    let mut found: Vec<(bool, Option<Day>, (Problem, NodeRef<'a>))> = Vec::new();
    for condition in conditions.iter().map(Resource::root).filter(|c| !is_void(*c)) {
        let begun =
            ["onset", "onset.start", "recordedDate"].iter().find_map(|p| pen.day(condition.text_at(p)));
        let ended = ["abatement", "abatement.end"].iter().find_map(|p| pen.day(condition.text_at(p)));
        let code = concept::code_at(condition, "clinicalStatus");
        let is_past = matches!(code.as_deref(), Some("resolved" | "inactive" | "remission"))
            || (code.is_none() && ended.is_some());
        let written = |day: Option<Day>| day.map(|d| d.written(pen.words)).unwrap_or_default();
        let dates = match (begun, ended) {
            (None, None) => String::new(),
            (begun, Some(ended)) => format!("{} – {}", written(begun), written(Some(ended))),
            (begun, None) if is_past => written(begun),
            (begun, None) => pen.words.say_with("since-day", &[("date", written(begun).into())]),
        };
        let said = code.filter(|c| !matches!(c.as_str(), "active" | "resolved"));
        let status = said.and_then(|c| pen.words.say_code("problem", &c)).unwrap_or_default();
        let problem = Problem { name: named(condition, "code", pen), dates, status };
        found.push((is_past, begun, (problem, condition)));
    }
    found.sort_by_key(|(_, begun, _)| std::cmp::Reverse(*begun));
    let (past, present): (Vec<_>, Vec<_>) = found.into_iter().partition(|(is_past, ..)| *is_past);
    let only = |list: Vec<(bool, Option<Day>, (Problem, NodeRef<'a>))>| {
        list.into_iter().map(|(.., problem)| problem).collect()
    };
    (only(present), only(past))
}

/// Allergies that are not over, severe ones first.
pub(crate) fn allergies(resources: &[Resource], pen: Pen<'_>) -> Vec<Allergy> {
    let is_over = |a: NodeRef<'_>| {
        matches!(concept::code_at(a, "clinicalStatus").as_deref(), Some("resolved" | "inactive"))
    };
    let nodes = resources.iter().map(Resource::root).filter(|a| !is_void(*a) && !is_over(*a));
    let mut found: Vec<Allergy> = nodes
        .map(|allergy| {
            let criticality = allergy.text_at("criticality").unwrap_or_default();
            let reactions = allergy.all("reaction").flat_map(|r| r.all("manifestation"));
            let reactions: Vec<String> =
                reactions.filter_map(|m| concept::name(m, pen.words)).take(6).collect();
            let since = ["onset", "recordedDate"].iter().find_map(|p| pen.day(allergy.text_at(p)));
            let note =
                since.map(|d| pen.words.say_with("since-day", &[("date", d.written(pen.words).into())]));
            Allergy {
                name: named(allergy, "code", pen),
                is_severe: criticality == "high",
                criticality: pen.words.say_code("criticality", &criticality).unwrap_or_default(),
                reactions: reactions.join(", "),
                note: note.unwrap_or_default(),
            }
        })
        .collect();
    found.sort_by(|a, b| b.is_severe.cmp(&a.is_severe).then_with(|| a.name.cmp(&b.name)));
    found
}

/// Vaccines given, those given last first.
pub(crate) fn vaccines(immunizations: &[Resource], pen: Pen<'_>) -> Vec<Vaccine> {
    let mut found: Vec<Vaccine> = Vec::new();
    let given = |i: &NodeRef<'_>| !is_void(*i) && i.text_at("status").as_deref() != Some("not-done");
    for immunization in immunizations.iter().map(Resource::root).filter(given) {
        let name = named(immunization, "vaccineCode", pen);
        let occurrence = immunization.text_at("occurrence");
        // An occurrence may also be a text, such as "in childhood".
        let date = pen
            .day(occurrence.clone())
            .map(|d| d.written(pen.words))
            .or_else(|| occurrence.map(String::from));
        let date = date.unwrap_or_else(|| pen.words.say("date-missing"));
        match found.iter_mut().find(|v| v.name == name) {
            Some(known) if known.dates.len() < MOST_DOSES => known.dates.push(date),
            Some(_) => {}
            None => found.push(Vaccine { name, dates: vec![date] }),
        }
    }
    found
}

/// Reports, newest first.
pub(crate) fn reports(resources: &[Resource], pen: Pen<'_>) -> Vec<Report> {
    let nodes = resources.iter().map(Resource::root).filter(|r| !is_void(*r));
    let read = |report: NodeRef<'_>| {
        let date = ["effective", "effective.start", "issued"].iter().find_map(|p| pen.day(report.text_at(p)));
        let conclusion = report.text_at("conclusion").map(String::from);
        let conclusion =
            conclusion.or_else(|| concept::name_at(report, "conclusionCode", pen.words)).unwrap_or_default();
        let count = report.all("result").count();
        Report {
            name: named(report, "code", pen),
            date: date.map_or_else(|| pen.words.say("date-missing"), |d| d.written(pen.words)),
            conclusion,
            results: if count > 0 { pen.words.say_count("results-in-report", count) } else { String::new() },
        }
    };
    nodes.take(MOST_REPORTS).map(read).collect()
}
