//! Anything in a record as one line: what it is, when it was, and where it comes from.

use fhir::{NodeRef, Resource};

use super::own::Own;
use crate::calendar::Day;
use crate::chart::observations::{Flag, gather};
use crate::concept;
use crate::quantity::with_unit;

/// Where the moment of a resource stands, first come first served.
const MOMENTS: &[&str] = &[
    "effective",
    "effective.start",
    "effective.end",
    "occurrence",
    "performed",
    "performed.start",
    "period.start",
    "onset",
    "onset.start",
    "authoredOn",
    "authored",
    "recordedDate",
    "dateTime",
    "date",
    "start",
    "startDate",
    "created",
    "issued",
    "whenHandedOver",
    "statusDate",
];

/// Where those a resource comes from stand.
const SOURCES: &[&str] = &[
    "performer",
    "serviceProvider",
    "asserter",
    "informationSource",
    "author",
    "source",
    "recorder",
    "requester",
    "custodian",
    "organization",
    "performer.actor",
    "encounter",
    "managingOrganization",
];

/// A line.
#[derive(Debug)]
pub(super) struct Line {
    /// What kind of thing it is: the key of its name and mark.
    pub(super) kind: &'static str,
    pub(super) kind_name: String,
    pub(super) title: String,
    /// What was found or done; may be empty.
    pub(super) value: String,
    pub(super) flag: Option<(&'static str, String)>,
    /// The moment as it is in the record, for its order.
    pub(super) moment: String,
    pub(super) day: Option<Day>,
    /// The day, and the time if it has one.
    pub(super) when: String,
    /// From whom it is, in words.
    pub(super) source: String,
    /// Whether whoever looks wrote it.
    pub(super) is_mine: bool,
    /// Where it can be changed, if it is one's own.
    pub(super) change: Option<String>,
}

/// What kind of thing a resource is.
pub(super) fn kind(node: NodeRef<'_>, is_of_person: bool) -> &'static str {
    match node.type_name() {
        "Observation" if is_of_person => "selfcare",
        "Observation" | "DiagnosticReport" => "results",
        "Condition" => "problems",
        "AllergyIntolerance" => "allergies",
        "MedicationStatement" if is_of_person => "selfmedication",
        "MedicationRequest" | "MedicationDispense" | "MedicationStatement" | "MedicationAdministration" => {
            "medicines"
        }
        "Immunization" => "immunizations",
        "Encounter" | "Appointment" => "visits",
        "Procedure" | "ServiceRequest" => "procedures",
        "DocumentReference" | "Composition" => "documents",
        "QuestionnaireResponse" => "answers",
        "Goal" | "CarePlan" => "plans",
        _ => "others",
    }
}

/// When it was, as recorded.
pub(super) fn moment(node: NodeRef<'_>) -> Option<String> {
    MOMENTS.iter().find_map(|path| node.text_at(path)).map(String::from)
}

fn day_and_time(own: &Own, text: &str) -> (Option<Day>, String) {
    let day = Day::read(text, &own.zone);
    let Some(day) = day else { return (None, own.words.say("date-missing")) };
    let has_time = fhir::DateTime::parse(text).filter(|d| d.has_time());
    let written = match has_time {
        Some(moment) => crate::calendar::written_moment(moment.interval(&own.zone).0, &own.zone, own.words),
        None => day.written(own.words),
    };
    (Some(day), written)
}

/// The references a resource names as its source.
fn sources(node: NodeRef<'_>) -> Vec<(Option<String>, Option<String>)> {
    let mut found = Vec::new();
    for path in SOURCES {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        for part in node.all(first) {
            let part = if rest.is_empty() { Some(part) } else { part.child(rest) };
            if let Some(part) = part {
                let text = |name: &str| part.text_at(name).map(String::from);
                found.push((text("reference"), text("display")));
            }
        }
    }
    found
}

/// Whether the person, or who acts for them, is where it comes from; and whether that is whoever looks.
pub(super) fn is_of_person(own: &Own, node: NodeRef<'_>) -> (bool, bool) {
    let author = own.author();
    let all = sources(node);
    let references = || all.iter().filter_map(|(reference, _)| reference.as_deref());
    let is_of = references().any(|r| r == own.reference() || r.starts_with("RelatedPerson/"));
    (is_of, author.is_some_and(|author| references().any(|r| r == author)))
}

fn source(own: &Own, node: NodeRef<'_>, is_of: bool, is_mine: bool) -> String {
    if is_mine {
        return own.words.say("me-from-me");
    }
    let all = sources(node);
    if is_of {
        let who = all.iter().filter_map(|(r, _)| r.as_deref()).find(|r| r.starts_with("RelatedPerson/"));
        let name = who.and_then(|r| own.name_of(r));
        return name.map_or_else(
            || own.words.say("me-from-person"),
            |name| own.words.say_with("me-from", &[("who", name.into())]),
        );
    }
    let named = all
        .iter()
        .find_map(|(reference, display)| display.clone().or_else(|| own.name_of(reference.as_deref()?)));
    named.map_or_else(
        || own.words.say("me-from-unknown"),
        |name| own.words.say_with("me-from", &[("who", name.into())]),
    )
}

fn observed(own: &Own, resource: &Resource) -> (String, String, Option<(&'static str, String)>) {
    let gathered = gather(std::slice::from_ref(resource), own.pen());
    let flag = |flag: Option<Flag>| {
        Some(match flag? {
            Flag::High => ("▲", own.words.say("high")),
            Flag::Low => ("▼", own.words.say("low")),
            Flag::Abnormal => ("◆", own.words.say("abnormal")),
        })
    };
    if let Some(series) = gathered.series.into_iter().next()
        && let Some(point) = series.points.last()
    {
        let value = match &point.second {
            Some(second) => format!("{} / {}", point.value.short(), second.short()),
            None => point.value.short(),
        };
        return (series.name, with_unit(&value, &point.value.unit), flag(series.flag));
    }
    match gathered.findings.into_iter().next() {
        Some(finding) => (finding.name, finding.value, None),
        None => (named(own, resource.root(), &["code"]), String::new(), None),
    }
}

fn named(own: &Own, node: NodeRef<'_>, paths: &[&str]) -> String {
    let name = paths.iter().find_map(|path| {
        let found = node.path(path)?;
        match found.type_name() {
            "CodeableConcept" => concept::name(found, own.words),
            "Reference" => found.text_at("display").map(String::from).or_else(|| {
                let reference = found.text_at("reference")?;
                medication(own, node, &reference)
            }),
            "Coding" => found.text_at("display").map(String::from),
            _ => found.value().map(String::from),
        }
    });
    name.filter(|n| !n.trim().is_empty()).unwrap_or_else(|| own.words.say("unnamed"))
}

/// A Medication that stands apart, contained or in the record.
fn medication(own: &Own, node: NodeRef<'_>, reference: &str) -> Option<String> {
    if let Some(local) = reference.strip_prefix('#') {
        let contained = node.all("contained").find(|c| c.id().as_deref() == Some(local))?;
        return concept::name_at(contained, "code", own.words);
    }
    let (type_name, id) = reference.split_once('/')?;
    let read = own.record.read(type_name, id).ok().flatten()?;
    concept::name_at(read.root(), "code", own.words)
}

fn what(own: &Own, resource: &Resource) -> (String, String, Option<(&'static str, String)>) {
    let node = resource.root();
    let text = |path: &str| node.text_at(path).map(String::from).unwrap_or_default();
    let plain = |paths: &[&str], value: String| (named(own, node, paths), value, None);
    match node.type_name() {
        "Observation" => observed(own, resource),
        "MedicationRequest" | "MedicationStatement" | "MedicationDispense" | "MedicationAdministration" => {
            let dosage = ["dosageInstruction.text", "dosage.text"].iter().find_map(|p| node.text_at(p));
            plain(&["medication"], dosage.map(String::from).unwrap_or_default())
        }
        "Immunization" => plain(&["vaccineCode"], String::new()),
        "Encounter" => {
            let lane = concept::code_at(node, "class").unwrap_or_default().to_ascii_lowercase();
            let kind = match lane.as_str() {
                "imp" | "acute" | "nonac" => own.words.say("lane-admission"),
                "emer" => own.words.say("lane-emergency"),
                "hh" | "vr" => own.words.say("lane-elsewhere"),
                _ => own.words.say("lane-visit"),
            };
            let why = ["reasonCode", "type", "serviceType"];
            (kind, why.iter().find_map(|p| concept::name_at(node, p, own.words)).unwrap_or_default(), None)
        }
        "Appointment" => {
            plain(&["serviceType", "appointmentType", "reasonCode", "description"], text("comment"))
        }
        "DiagnosticReport" => plain(&["code"], text("conclusion")),
        "DocumentReference" => plain(&["description", "type", "content.attachment.title"], String::new()),
        "Goal" => plain(&["description"], String::new()),
        "QuestionnaireResponse" => {
            let reference = text("questionnaire");
            let title = own.words.say("me-answers");
            (title, reference.rsplit('/').next().unwrap_or_default().to_owned(), None)
        }
        "Condition" | "AllergyIntolerance" | "Procedure" | "ServiceRequest" => {
            plain(&["code"], String::new())
        }
        "CarePlan" => plain(&["title", "category"], String::new()),
        _ => match own.called(resource) {
            Some(name) => (name, String::new(), None),
            None => plain(&["code", "type", "category", "title", "name", "description"], String::new()),
        },
    }
}

/// Whether it was entered in error and is nothing to be shown.
pub(super) fn is_void(node: NodeRef<'_>) -> bool {
    node.text_at("status").as_deref() == Some("entered-in-error")
        || concept::code_at(node, "verificationStatus").as_deref() == Some("entered-in-error")
}

/// A resource as a line; none if it was entered in error.
pub(super) fn line(own: &Own, resource: &Resource) -> Option<Line> {
    let node = resource.root();
    if is_void(node) {
        return None;
    }
    let (is_of, is_mine) = is_of_person(own, node);
    let kind = kind(node, is_of);
    let (title, value, flag) = what(own, resource);
    let moment = moment(node).unwrap_or_default();
    let (day, mut when) = day_and_time(own, &moment);
    if let Some(day) = day.filter(|_| node.path("effective.start").is_some()) {
        // A mean over some days has no time of day.
        when = day.written(own.words);
    }
    let change = is_mine && super::entry::kind::of(node).is_some();
    let reference = format!("{}/{}", node.type_name(), node.id().unwrap_or_default());
    Some(Line {
        kind,
        kind_name: own.words.say_code("me-kind", kind).unwrap_or_default(),
        title,
        value,
        flag,
        moment,
        day,
        when,
        source: source(own, node, is_of, is_mine),
        is_mine,
        change: change.then(|| own.at(&format!("/entry/{reference}"))),
    })
}
