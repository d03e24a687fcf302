//! What is next: appointments, goals and reminders that are due, tests that are planned, medicines that run out.

use std::cmp::Ordering;

use fhir::Resource;

use super::goal::Goal;
use super::line::{is_void, line};
use super::own::Own;
use crate::calendar::Day;
use crate::chart::medicines::ending;
use crate::failure::Failure;

/// Things that are shown.
const MOST: usize = 8;
/// A medicine runs out soon if it does in so many days.
const SOON: i64 = 10;

/// Something that is next.
#[derive(Debug)]
pub(super) struct Due {
    /// Its kind, in a word.
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) when: String,
    pub(super) is_late: bool,
    pub(super) address: Option<String>,
    day: Option<Day>,
}

fn by_day(a: &Due, b: &Due) -> Ordering {
    let rank = |d: &Due| d.day.map_or(i64::MAX, |day| day.days());
    rank(a).cmp(&rank(b))
}

fn due(own: &Own, key: &str, title: String, day: Option<Day>, address: Option<String>) -> Due {
    Due {
        kind: own.words.say_code("me-due", key).unwrap_or_default(),
        title,
        when: day.map(|d| d.written(own.words)).unwrap_or_default(),
        is_late: day.is_some_and(|d| d < own.on),
        address,
        day,
    }
}

/// What is next, soonest first.
pub(super) fn next(own: &Own, requests: &[Resource]) -> Result<Vec<Due>, Failure> {
    let today = format!("ge{}", own.on.iso());
    let mut all = Vec::new();
    let appointments = own.some("Appointment", &[("date", &today), ("_sort", "date")], MOST)?;
    let is_off = |r: &Resource| matches!(r.root().text_at("status").as_deref(), Some("cancelled" | "noshow"));
    for appointment in appointments.iter().filter(|a| !is_off(a)) {
        if let Some(line) = line(own, appointment) {
            let title = [line.title, line.source].join(" · ");
            let mut one = due(own, "appointment", title, line.day, None);
            one.when = line.when;
            all.push(one);
        }
    }
    for request in own.some("ServiceRequest", &[("status", "active")], MOST)? {
        if let Some(line) = line(own, &request) {
            let planned = ["occurrence", "occurrence.start"].iter().find_map(|p| request.root().text_at(p));
            let day = planned.and_then(|text| Day::read(&text, &own.zone));
            all.push(due(own, "planned", line.title, day, None));
        }
    }
    for resource in own.some("Goal", &[("lifecycle-status", "active,accepted,planned")], 50)? {
        let goal = Goal::read(own, &resource);
        let key = if goal.is_reminder { "reminder" } else { "goal" };
        let is_near = goal.due.is_some_and(|day| day.days() - own.on.days() <= 30);
        if !is_void(resource.root()) && is_near {
            all.push(due(own, key, goal.title, goal.due, Some(own.at("/cycle"))));
        }
    }
    for request in requests {
        let Some((name, end)) = ending(&own.record, request, own.pen())? else { continue };
        let left = end.days() - own.on.days();
        if (0..=SOON).contains(&left) && !all.iter().any(|d: &Due| d.title == name) {
            all.push(due(own, "refill", name, Some(end), Some(own.at("/medicines"))));
        }
    }
    all.sort_by(by_day);
    all.truncate(MOST);
    Ok(all)
}
