//! What a patient takes and what comes next, on one line each.

use fhir::{NodeRef, Reference, Resource};

use crate::bedside::Bedside;
use crate::calendar::Day;
use crate::chart::Pen;
use crate::concept;
use crate::failure::Failure;

/// A medicine that is taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// `MedicationRequest/…` or `MedicationStatement/…`.
    pub(crate) reference: String,
    pub(crate) name: String,
    pub(crate) dosage: String,
    /// Since when, or until when.
    pub(crate) when: String,
    /// Whether the patient says so, and nobody prescribed it here.
    pub(crate) is_own: bool,
    /// Whether the last supply is used up.
    pub(crate) is_over: bool,
}

/// What is due or planned.
#[derive(Clone, Debug)]
pub(crate) struct Next {
    pub(crate) what: String,
    pub(crate) when: String,
    pub(crate) kind: String,
    /// `ServiceRequest/…`, if it can be marked as done.
    pub(crate) order: Option<String>,
    /// Whether a letter goes with it.
    pub(crate) is_referral: bool,
    day: Option<Day>,
}

impl Next {
    /// The id of the order.
    pub(crate) fn order_id(&self) -> &str {
        self.order.as_deref().and_then(|order| order.split_once('/')).map_or("", |(_, id)| id)
    }
}

/// A document.
#[derive(Clone, Debug)]
pub(crate) struct Paper {
    pub(crate) name: String,
    pub(crate) date: String,
    pub(crate) author: String,
    /// The text, if it is one.
    pub(crate) text: String,
    day: Option<Day>,
}

/// What a medication of a request or statement is called: a concept, a contained Medication, or one of the record.
pub(crate) fn medicine_name(bedside: &Bedside, node: NodeRef<'_>) -> String {
    let words = bedside.words;
    let found = node.child("medication").and_then(|medication| {
        if medication.type_name() == "CodeableConcept" {
            return concept::name(medication, words);
        }
        if let Some(display) = medication.text_at("display") {
            return Some(display.into_owned());
        }
        match Reference::parse(&medication.text_at("reference")?) {
            Reference::Contained(id) => {
                let contained = node.all("contained").find(|c| c.id().as_deref() == Some(id))?;
                concept::name_at(contained, "code", words)
            }
            Reference::Rest { base: "", id, .. } => {
                let medication = bedside.record.read("Medication", id).ok().flatten()?;
                concept::name_at(medication.root(), "code", words)
            }
            _ => None,
        }
    });
    found.unwrap_or_else(|| words.say("unnamed"))
}

pub(crate) fn dosage(node: NodeRef<'_>, path: &str) -> String {
    let texts = node.all(path).take(4).filter_map(|dosage| {
        let text = dosage.text_at("text").or_else(|| dosage.text_at("patientInstruction"));
        let dose = || crate::quantity::Quantity::read(dosage.path("doseAndRate.dose")?).map(|q| q.exact());
        text.map(String::from).or_else(dose)
    });
    texts.collect::<Vec<_>>().join(" / ")
}

fn supply_end(request: NodeRef<'_>, pen: Pen<'_>) -> Option<Day> {
    let end = pen.day(request.text_at("dispenseRequest.validityPeriod.end"));
    end.or_else(|| {
        let start = pen.day(request.text_at("authoredOn"))?;
        let days: f64 = request.text_at("dispenseRequest.expectedSupplyDuration.value")?.parse().ok()?;
        (0.0..36_525.0).contains(&days).then(|| Day::of_days(start.days() + days as i64))
    })
}

/// A supply that was used up so many days before is not taken any more, whatever the prescription's status.
const LONG_OVER: i64 = 180;
/// Reports among the documents.
const REPORTS: usize = 3;

/// What is taken: what was prescribed and is active, the newest of each; and what the patient says.
pub(crate) fn taken(bedside: &Bedside, most: usize) -> Result<Vec<Taken>, Failure> {
    let (pen, words) = (bedside.pen(), bedside.words);
    let requests =
        bedside.found("MedicationRequest", &[("status", "active"), ("_sort", "-authoredon")], most)?;
    let statements = bedside.found("MedicationStatement", &[("status", "active")], most)?;
    let mut found: Vec<Taken> = Vec::new();
    for request in requests.iter().map(Resource::root) {
        if request.text_at("intent").as_deref() == Some("proposal") {
            continue;
        }
        let name = medicine_name(bedside, request);
        if found.iter().any(|taken| taken.name == name) {
            continue;
        }
        let begun = pen.day(request.text_at("authoredOn"));
        let end = supply_end(request, pen);
        if end.is_some_and(|end| end.days() + LONG_OVER < bedside.on.days()) {
            continue;
        }
        let when = match (begun, end) {
            (Some(begun), Some(end)) => format!("{} – {}", begun.written(words), end.written(words)),
            (Some(begun), None) => words.say_with("since", &[("date", begun.written(words).into())]),
            _ => String::new(),
        };
        found.push(Taken {
            reference: format!("MedicationRequest/{}", request.id().unwrap_or_default()),
            name,
            dosage: dosage(request, "dosageInstruction"),
            when,
            is_own: false,
            is_over: end.is_some_and(|end| end < bedside.on),
        });
    }
    for statement in statements.iter().map(Resource::root) {
        let name = medicine_name(bedside, statement);
        if found.iter().any(|taken| taken.name == name) {
            continue;
        }
        let begun = ["effective", "effective.start", "dateAsserted"]
            .iter()
            .find_map(|path| pen.day(statement.text_at(path)));
        found.push(Taken {
            reference: format!("MedicationStatement/{}", statement.id().unwrap_or_default()),
            name,
            dosage: dosage(statement, "dosage"),
            when: begun
                .map(|b| words.say_with("since", &[("date", b.written(words).into())]))
                .unwrap_or_default(),
            is_own: true,
            is_over: false,
        });
    }
    found.sort_by_key(|taken| taken.is_over);
    Ok(found)
}

/// What is planned, ordered or booked and not done.
pub(crate) fn next(bedside: &Bedside, most: usize) -> Result<Vec<Next>, Failure> {
    let (pen, words) = (bedside.pen(), bedside.words);
    let mut found = Vec::new();
    let mut add = |resources: &[Resource], kind: &str, name: &[&str], day: &[&str]| {
        for node in resources.iter().map(Resource::root) {
            let day = day.iter().find_map(|path| pen.day(node.text_at(path)));
            let what = name
                .iter()
                .find_map(|path| {
                    concept::name_at(node, path, words)
                        .or_else(|| node.text_at(path).map(String::from))
                        .filter(|text| !text.is_empty())
                })
                .unwrap_or_else(|| words.say("unnamed"));
            let when = day.map(|d| d.written(words)).unwrap_or_default();
            let is_order = node.type_name() == "ServiceRequest";
            let is_referral = is_order && node.path("performerType").is_some();
            let order = is_order.then(|| format!("ServiceRequest/{}", node.id().unwrap_or_default()));
            let what = match node.path("performerType").filter(|_| is_order) {
                Some(to) => [what, concept::name(to, words).unwrap_or_default()].join(" "),
                None => what,
            };
            found.push(Next { what, when, kind: words.say(kind), order, is_referral, day });
        }
    };
    let orders = bedside.found("ServiceRequest", &[("status", "active"), ("_sort", "-authored")], most)?;
    add(&orders, "next-order", &["code"], &["occurrence", "occurrence.start", "authoredOn"]);
    let today = format!("ge{}", bedside.on.iso());
    let booked = bedside.found(
        "Appointment",
        &[("status", "booked,pending,proposed"), ("date", &today), ("_sort", "date")],
        most,
    )?;
    add(&booked, "next-appointment", &["description", "serviceType", "reasonCode"], &["start"]);
    let goals = bedside.found("Goal", &[("lifecycle-status", "active,accepted,planned")], most)?;
    add(&goals, "next-goal", &["description"], &["target.due", "start"]);
    found.sort_by_key(|next: &Next| (next.day.is_none(), std::cmp::Reverse(next.day)));
    found.truncate(most);
    Ok(found)
}

/// Documents and notes, newest first.
pub(crate) fn papers(bedside: &Bedside, most: usize) -> Result<Vec<Paper>, Failure> {
    let (pen, words) = (bedside.pen(), bedside.words);
    let mut found = Vec::new();
    for (name, sort, paths, dates) in [
        ("DocumentReference", "-date", ["description", "type"], ["date", "context.period.start"]),
        ("Composition", "-date", ["title", "type"], ["date", "date"]),
        ("DiagnosticReport", "-date", ["code", "category"], ["effective", "issued"]),
    ] {
        let most = if name == "DiagnosticReport" { REPORTS.min(most) } else { most };
        for resource in &bedside.found(name, &[("_sort", sort)], most)? {
            let node = resource.root();
            if matches!(node.text_at("status").as_deref(), Some("entered-in-error" | "superseded")) {
                continue;
            }
            let day = dates.iter().find_map(|path| pen.day(node.text_at(path)));
            let title = paths.iter().find_map(|path| {
                concept::name_at(node, path, words)
                    .or_else(|| node.text_at(path).map(String::from))
                    .filter(|text| !text.is_empty())
            });
            let text = super::note::text_of(node).or_else(|| node.text_at("conclusion").map(String::from));
            found.push(Paper {
                name: title.unwrap_or_else(|| words.say("unnamed")),
                date: day.map(|d| d.written(words)).unwrap_or_default(),
                author: node.text_at("author.display").map(String::from).unwrap_or_default(),
                text: text.map(|t| shortened(&t)).unwrap_or_default(),
                day,
            });
        }
    }
    found.sort_by_key(|paper: &Paper| std::cmp::Reverse(paper.day));
    found.truncate(most);
    Ok(found)
}

/// As much of a text as a screen has room for.
fn shortened(text: &str) -> String {
    const MOST: usize = 400;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
