//! `/clinic`: today's list, what waits to be signed, and finding a patient: by name in any writing, birth date in either
//! calendar, a number of a chart or an insurance.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use fhir::{NodeRef, Resource};
use hub::Access;
use search::query::literal;

use super::write::go;
use super::{is_clinician, writer};
use crate::audit::audited;
use crate::calendar::{Day, today, written_moment};
use crate::concept;
use crate::failure::Failure;
use crate::people;
use crate::person::Person;
use crate::record::Record;
use crate::shell::{Shell, respond_with_scripts};
use crate::site::Site;
use crate::visit::Visit;

/// People that are found, and lines of the day.
const MOST: usize = 20;
const OF_DAY: usize = 60;
const DRAFTS: usize = 20;

/// A line of the day.
struct Line {
    id: String,
    name: String,
    kana: String,
    about: String,
    time: String,
    what: String,
    state: String,
}

/// What waits to be signed.
struct Waiting {
    address: String,
    name: String,
    what: String,
    when: String,
    text: String,
}

#[derive(Template)]
#[template(path = "clinic/list.html")]
struct ListPage {
    shell: Shell,
    sought: String,
    is_sought: bool,
    people: Vec<Person>,
    count: String,
    day: String,
    lines: Vec<Line>,
    waiting: Vec<Waiting>,
}

/// Whether a word may be a number of a chart or an insurance card.
fn is_number(word: &str) -> bool {
    let plain = super::write::half_width(word);
    (2..=40).contains(&plain.len())
        && plain.bytes().any(|b| b.is_ascii_digit())
        && plain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'/' | b'_'))
}

/// Who is meant.
fn sought(record: &Record, text: &str) -> Result<(Vec<Resource>, Option<u64>, bool), Failure> {
    let found = people::found(record, text, MOST)?;
    if !found.resources.is_empty() {
        return Ok((found.resources, found.total, found.next.is_some()));
    }
    if !is_number(text) {
        return Ok((Vec::new(), Some(0), false));
    }
    let number = literal(&super::write::half_width(text));
    let mut by_number = record.search("Patient", &[("identifier", &number)], MOST)?.resources;
    // An insurance number stands in the Coverage.
    for pairs in [[("identifier", number.as_str())]] {
        for coverage in record.search("Coverage", &pairs, MOST)?.resources {
            let reference = coverage.root().text_at("beneficiary.reference").map(String::from);
            let id = reference.as_deref().and_then(|r| r.strip_prefix("Patient/"));
            if let Some(patient) = id.map(|id| record.read("Patient", id)).transpose()?.flatten() {
                by_number.push(patient);
            }
        }
    }
    let count = by_number.len() as u64;
    Ok((by_number, Some(count), false))
}

fn time_of(node: NodeRef<'_>, paths: &[&str], record: &Record) -> String {
    let zone = record.hub.zone();
    let moment = paths.iter().find_map(|path| fhir::DateTime::parse(&node.text_at(path)?));
    moment.filter(|m| m.has_time()).map_or_else(String::new, |m| {
        let local = m.interval(zone).0 + i64::from(zone.offset_at(m.interval(zone).0)) * 60_000_000;
        let minutes = local.rem_euclid(86_400_000_000) / 60_000_000;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    })
}

/// Who comes today: encounters of today and those under way, and appointments.
fn of_day(record: &Record, visit: &Visit, on: Day) -> Result<Vec<Line>, Failure> {
    let words = visit.words;
    let day = on.iso();
    let organisations: Vec<String> = visit.subject().map(|s| s.organisations.clone()).unwrap_or_default();
    let places = organisations.iter().map(|id| format!("Organization/{id}")).collect::<Vec<_>>().join(",");
    let mut pairs = vec![("date", day.as_str()), ("_sort", "date")];
    if !places.is_empty() {
        pairs.push(("service-provider", places.as_str()));
    }
    let encounters = record.search("Encounter", &pairs, OF_DAY)?.resources;
    let booked = [("date", day.as_str()), ("status", "booked,arrived,checked-in,pending"), ("_sort", "date")];
    let appointments = record.search("Appointment", &booked, OF_DAY)?.resources;
    let mut lines: BTreeMap<(String, String), Line> = BTreeMap::new();
    for encounter in encounters.iter().map(Resource::root) {
        let Some(id) = patient_of(encounter, &["subject.reference"]) else { continue };
        let status = encounter.text_at("status").unwrap_or_default();
        let what = ["reasonCode", "type", "serviceType"]
            .iter()
            .find_map(|path| concept::name_at(encounter, path, words))
            .unwrap_or_default();
        let time = time_of(encounter, &["period.start"], record);
        let state = words.say_code("encounter", &status).unwrap_or_default();
        lines.insert((time.clone(), id.clone()), Line { what, state, time, ..empty(id) });
    }
    for appointment in appointments.iter().map(Resource::root) {
        let actors = appointment.all("participant").filter_map(|p| p.text_at("actor.reference"));
        let mut patients = actors.filter_map(|a| a.strip_prefix("Patient/").map(str::to_owned));
        let Some(id) = patients.next() else { continue };
        let what = appointment
            .text_at("description")
            .map(String::from)
            .or_else(|| concept::name_at(appointment, "serviceType", words))
            .unwrap_or_default();
        let status = appointment.text_at("status").unwrap_or_default();
        let state = words.say_code("appointment", &status).unwrap_or_default();
        let time = time_of(appointment, &["start"], record);
        lines.entry((time.clone(), id.clone())).or_insert(Line { what, state, time, ..empty(id) });
    }
    let mut lines: Vec<Line> = lines.into_values().collect();
    name(record, visit, on, &mut lines)?;
    lines.retain(|line| !line.name.is_empty());
    Ok(lines)
}

fn empty(id: String) -> Line {
    let none = String::new;
    Line { id, name: none(), kana: none(), about: none(), time: none(), what: none(), state: none() }
}

fn patient_of(node: NodeRef<'_>, paths: &[&str]) -> Option<String> {
    let reference = paths.iter().find_map(|path| node.text_at(path))?;
    reference.strip_prefix("Patient/").map(str::to_owned)
}

/// Says who the lines are about, with one search.
fn name(record: &Record, visit: &Visit, on: Day, lines: &mut [Line]) -> Result<(), Failure> {
    let mut ids: Vec<&str> = lines.iter().map(|line| line.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(());
    }
    let joined = ids.join(",");
    let people = record.search("Patient", &[("_id", &joined)], ids.len())?.resources;
    for patient in &people {
        let person = Person::read(patient.root(), on, record.hub.zone(), visit.words);
        for line in lines.iter_mut().filter(|line| line.id == person.id) {
            line.name.clone_from(&person.name);
            line.kana = person.kana.clone().unwrap_or_default();
            line.about =
                [person.age.clone().unwrap_or_default(), person.sex.clone()].join(" ").trim().to_owned();
        }
    }
    Ok(())
}

fn waiting(site: &Site, record: &Record, visit: &Visit, on: Day) -> Vec<Waiting> {
    let words = visit.words;
    let mut drafts = site.drafts.of_writer(&writer(visit).id);
    drafts.truncate(DRAFTS);
    let line = |draft: crate::drafts::Draft| {
        let patient = record.read("Patient", &draft.patient).ok().flatten()?;
        let person = Person::read(patient.root(), on, record.hub.zone(), words);
        let micros = i64::try_from(draft.saved).unwrap_or(0).saturating_mul(1_000_000);
        let text = ["what", "text", "comment"].iter().filter_map(|field| draft.fields.get(*field));
        let text = text.filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join(" ");
        Some(Waiting {
            address: format!("/clinic/{}/write/{}?draft={}", draft.patient, draft.kind, draft.id),
            name: person.name,
            what: words.say(&format!("write-{}", draft.kind)),
            when: written_moment(micros, record.hub.zone(), words),
            text: text.chars().take(80).collect(),
        })
    };
    drafts.into_iter().filter_map(line).collect()
}

/// The page, or the only patient who is meant.
enum Shown {
    Page(Box<ListPage>),
    One(String),
}

fn draw(site: &Site, access: Access, visit: &Visit) -> Result<Shown, Failure> {
    let words = visit.words;
    let record = Record::of(site.hub.clone(), access, None);
    let on = today(record.hub.zone());
    let text: String = visit.value("q").unwrap_or_default().chars().take(120).collect();
    let mut page = ListPage {
        shell: Shell::of(visit),
        is_sought: !text.is_empty(),
        people: Vec::new(),
        count: String::new(),
        day: on.written(words),
        lines: Vec::new(),
        waiting: Vec::new(),
        sought: text,
    };
    if page.is_sought {
        let (found, total, has_more) = sought(&record, &page.sought)?;
        page.people = found.iter().map(|p| Person::read(p.root(), on, record.hub.zone(), words)).collect();
        if let ([only], false) = (page.people.as_slice(), has_more) {
            return Ok(Shown::One(only.id.clone()));
        }
        page.count = match total {
            Some(total) => words.say_count("people-found", usize::try_from(total).unwrap_or(usize::MAX)),
            None if has_more => words.say_count("people-found-more", page.people.len()),
            None => String::new(),
        };
    } else {
        page.lines = of_day(&record, visit, on)?;
        page.waiting = waiting(site, &record, visit, on);
    }
    Ok(Shown::Page(Box::new(page)))
}

/// Answers with the page; where one patient is meant, with the patient.
pub(crate) async fn list(State(site): State<Site>, visit: Visit) -> Response {
    if !is_clinician(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let (asked, hub) = (visit.clone(), site.hub.clone());
    let drawn = audited(hub, &visit, "Patient".to_owned(), move |_, access| draw(&site, access, &asked));
    match drawn.await {
        Ok(Shown::Page(page)) => respond_with_scripts(&visit, StatusCode::OK, page.as_ref(), ""),
        Ok(Shown::One(id)) => go(&format!("/clinic/{id}")),
        Err(failure) => failure.page(&visit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_charts_and_insurances_are_told_from_names() {
        for number in ["12345678", "A-001/7", "１２３４", "06.1234"] {
            assert!(is_number(number), "{number}");
        }
        for other in ["山田", "Yamada", "", "7", "a b 1"] {
            assert!(!is_number(other), "{other}");
        }
    }
}
