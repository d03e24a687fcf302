//! `/hub`: how the hub does. Drawn anew every few seconds where scripts run; read as it is without.

use std::path::Path;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use fluent_bundle::FluentValue;
use hub::{Figure, JobState, Look, Vitals};

use super::{Place, go, places, runs_the_hub};
use crate::calendar::written_moment;
use crate::failure::{Failure, away};
use crate::quantity::grouped;
use crate::shell::{Shell, respond_with_scripts};
use crate::site::Site;
use crate::visit::Visit;
use crate::words::Words;

/// Files of the data directory that are counted; a hub has some hundreds.
const FILES: usize = 20_000;
const SECOND: f64 = 1_000_000.0;
/// Rates are of so many looks.
const LATELY: usize = 12;

/// Something and what it is.
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) more: String,
}

/// How long requests of a method take.
struct Latency {
    method: String,
    count: String,
    half: String,
    most: String,
    /// Of the longest of them, in hundredths.
    width: f64,
}

/// A line of what happened over time.
struct Drawing {
    name: String,
    now: String,
    highest: String,
    points: String,
}

/// A part of something that is taken.
struct Share {
    name: String,
    value: String,
    /// In hundredths.
    percent: u64,
}

#[derive(Template)]
#[template(path = "operator/state.html")]
struct StatePage {
    shell: Shell,
    places: Vec<Place>,
    moment: String,
    facts: Vec<Fact>,
    drawings: Vec<Drawing>,
    latencies: Vec<Latency>,
    shares: Vec<Share>,
}

/// Bytes in words.
fn bytes(count: u64) -> String {
    let (mut size, mut unit) = (count as f64, "B");
    for next in ["kB", "MB", "GB", "TB"] {
        if size < 1000.0 {
            break;
        }
        (size, unit) = (size / 1000.0, next);
    }
    if size < 10.0 && unit != "B" { format!("{size:.1} {unit}") } else { format!("{size:.0} {unit}") }
}

fn duration(seconds: f64) -> String {
    if seconds < 0.001 {
        format!("{:.2} ms", seconds * 1e3)
    } else if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

fn number(value: f64) -> String {
    if value < 10.0 { format!("{value:.1}") } else { grouped(value.round() as u64) }
}

/// What a folder holds, in bytes.
fn size_of(folder: &Path) -> u64 {
    let (mut folders, mut size, mut files) = (vec![folder.to_owned()], 0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            files += 1;
            if files > FILES {
                return size;
            }
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => size += found.len(),
                Err(_) => {}
            }
        }
    }
    size
}

/// Bytes of memory the program has, where the system tells (`/proc/self/status`).
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Bytes that are free on a folder's disk, and all of it.
fn disk(folder: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}

/// What happened each second between one look and the next.
fn rates(looks: &[Look], of: &dyn Fn(&Look) -> f64) -> Vec<f64> {
    let rate = |pair: &[Look]| match pair {
        [before, after] if after.at > before.at => {
            (of(after) - of(before)).max(0.0) * SECOND / (after.at - before.at) as f64
        }
        _ => 0.0,
    };
    looks.windows(2).map(rate).collect()
}

fn drawing(words: Words, key: &str, looks: &[Look], of: &dyn Fn(&Look) -> f64) -> Drawing {
    let rates = rates(looks, of);
    let highest = rates.iter().copied().fold(0.0, f64::max);
    let step = hub_width(rates.len());
    let point = |(at, rate): (usize, &f64)| {
        let height = if highest > 0.0 { rate / highest } else { 0.0 };
        format!("{:.1},{:.1}", at as f64 * step, 38.0 - 36.0 * height)
    };
    Drawing {
        name: words.say(key),
        now: number(lately(looks, of)),
        highest: number(highest),
        points: rates.iter().enumerate().map(point).collect::<Vec<_>>().join(" "),
    }
}

/// From one point to the next, of so many on a drawing of 120.
fn hub_width(points: usize) -> f64 {
    if points > 1 { 120.0 / (points - 1) as f64 } else { 0.0 }
}

/// What happened each second, of late.
fn lately(looks: &[Look], of: &dyn Fn(&Look) -> f64) -> f64 {
    let from = looks.len().saturating_sub(LATELY + 1);
    match (looks.get(from), looks.last()) {
        (Some(before), Some(now)) if now.at > before.at => {
            (of(now) - of(before)).max(0.0) * SECOND / (now.at - before.at) as f64
        }
        _ => 0.0,
    }
}

fn latencies(figures: &[Figure]) -> Vec<Latency> {
    let name = "yojigen_request_seconds";
    let quantile = |method: &str, of: &str| {
        let is = |f: &&Figure| f.name == name && f.label("method") == method && f.label("quantile") == of;
        figures.iter().find(is).map_or(0.0, |f| f.value)
    };
    let counts = figures.iter().filter(|f| f.name == "yojigen_request_seconds_count");
    let mut found: Vec<(String, f64, f64, f64)> = counts
        .map(|f| {
            let method = f.label("method");
            (method.to_owned(), f.value, quantile(method, "0.5"), quantile(method, "0.95"))
        })
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    let longest = found.iter().map(|f| f.3).fold(0.0, f64::max);
    let latency = |(method, count, half, most): (String, f64, f64, f64)| Latency {
        method,
        count: grouped(count as u64),
        half: duration(half),
        most: duration(most),
        width: if longest > 0.0 { (100.0 * most / longest).round() } else { 0.0 },
    };
    found.into_iter().map(latency).collect()
}

fn percent(part: u64, whole: u64) -> u64 {
    (100 * part).checked_div(whole).unwrap_or(0).min(100)
}

fn shares(site: &Site, vitals: &Vitals, words: Words) -> Vec<Share> {
    let taken = vitals.taken();
    let of = |part: &str, whole: &str| {
        words.say_with("hub-of", &[("part", FluentValue::from(part)), ("whole", FluentValue::from(whole))])
    };
    let share = |key: &str, part: u64, whole: u64, written: &dyn Fn(u64) -> String| Share {
        name: words.say(key),
        value: of(&written(part), &written(whole)),
        percent: percent(part, whole),
    };
    let mut shares = vec![
        share("hub-heavy", taken.heavy as u64, taken.heavy_most as u64, &grouped),
        share("hub-bodies", taken.body as u64, taken.body_most as u64, &bytes),
    ];
    if let Some((free, all)) = disk(&site.data) {
        shares.push(share("hub-disk", all.saturating_sub(free), all, &bytes));
    }
    shares
}

fn uptime(seconds: i64, words: Words) -> String {
    let (key, count) = match seconds {
        ..120 => ("hub-seconds", seconds),
        120..7200 => ("hub-minutes", seconds / 60),
        7200..172_800 => ("hub-hours", seconds / 3600),
        _ => ("hub-days", seconds / 86_400),
    };
    words.say_count(key, usize::try_from(count).unwrap_or(0))
}

/// The file beside the data in which the last backup is noted.
pub const LAST_BACKUP: &str = "backup.json";

/// When the last backup was, and how much was written since.
fn backup(site: &Site, words: Words) -> Fact {
    let name = words.say("hub-last-backup");
    let noted = std::fs::read(site.data.join(LAST_BACKUP)).ok();
    let noted: Option<serde_json::Value> = noted.and_then(|text| serde_json::from_slice(&text).ok());
    let told = noted.as_ref().and_then(|noted| {
        let at = fhir::DateTime::parse(noted["at"].as_str()?)?.interval(site.hub.zone()).0;
        Some((at, noted["entries"].as_u64()?))
    });
    let Some((at, entries)) = told else {
        return Fact { name, value: words.say("hub-last-backup-none"), more: String::new() };
    };
    let since = site.hub.store().reader().place().0.saturating_sub(entries);
    let more = words.say_count("hub-since-backup", usize::try_from(since).unwrap_or(usize::MAX));
    Fact { name, value: written_moment(at, site.hub.zone(), words), more }
}

fn facts(site: &Site, vitals: &Vitals, looks: &[Look], words: Words) -> Vec<Fact> {
    let fact = |key: &str, value: String, more: String| Fact { name: words.say(key), value, more };
    let none = String::new;
    let last = looks.last().copied().unwrap_or_default();
    let reader = site.hub.store().reader();
    let is_working = |job: &hub::Job| matches!(job.state, JobState::Working { .. });
    let working =
        site.jobs.as_ref().map_or(0, |jobs| jobs.all().iter().filter(|job| is_working(job)).count());
    let started = written_moment(vitals.started(), site.hub.zone(), words);
    let mut facts = vec![
        fact("hub-uptime", uptime((hub::now() - vitals.started()) / 1_000_000, words), started),
        fact("hub-version", vitals.version().to_owned(), none()),
        fact("hub-requests", grouped(last.requests as u64), words.say("hub-since-start")),
        fact("hub-refused", grouped(last.refused as u64), words.say("hub-refused-what")),
        fact("hub-failed", grouped(last.failed as u64), words.say("hub-failed-what")),
        fact(
            "hub-log",
            grouped(reader.place().0),
            written_moment(reader.instant().max(0), site.hub.zone(), words),
        ),
        fact("hub-size", bytes(size_of(&site.data)), none()),
        fact("hub-jobs-working", grouped(working as u64), none()),
    ];
    if let Some(memory) = memory() {
        facts.push(fact("hub-memory", bytes(memory), none()));
    }
    facts.push(backup(site, words));
    let ledger = if site.hub.ledger().is_some() { "hub-ledger-on" } else { "hub-ledger-off" };
    facts.push(fact("hub-ledger", words.say(ledger), none()));
    facts
}

fn draw(site: &Site, vitals: &Vitals, visit: &Visit) -> StatePage {
    let (words, looks) = (visit.words, vitals.looks());
    StatePage {
        shell: Shell::of(visit),
        places: places(visit),
        moment: written_moment(hub::now(), site.hub.zone(), words),
        facts: facts(site, vitals, &looks, words),
        drawings: vec![
            drawing(words, "hub-requests-rate", &looks, &|look| look.requests),
            drawing(words, "hub-commits-rate", &looks, &|look| look.commits),
            drawing(words, "hub-failed-rate", &looks, &|look| look.failed),
        ],
        latencies: latencies(&vitals.figures()),
        shares: shares(site, vitals, words),
    }
}

/// Answers with the page.
pub(super) async fn state(
    State(site): State<Site>,
    vitals: Option<Extension<Vitals>>,
    visit: Visit,
) -> Response {
    if !runs_the_hub(&visit) {
        // An auditor's first page is another.
        return if visit.has_role("auditor") { go("/hub/audit") } else { Failure::NotFor.page(&visit) };
    }
    let Some(Extension(vitals)) = vitals else { return Failure::NothingHere.page(&visit) };
    let asked = visit.clone();
    match away(move || Ok(draw(&site, &vitals, &asked))).await {
        Ok(page) => respond_with_scripts(&visit, StatusCode::OK, &page, ""),
        Err(failure) => failure.page(&visit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_short() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1500), "1.5 kB");
        assert_eq!(bytes(96 << 20), "101 MB");
        assert_eq!(duration(0.000_25), "0.25 ms");
        assert_eq!(duration(1.5), "1.50 s");
    }

    #[test]
    fn a_rate_is_of_the_time_between_two_looks() {
        let look = |at, requests| Look { at, requests, ..Look::default() };
        let looks = [look(0, 0.0), look(5_000_000, 50.0), look(10_000_000, 50.0)];
        assert_eq!(rates(&looks, &|look| look.requests), [10.0, 0.0]);
        assert!((lately(&looks, &|look| look.requests) - 5.0).abs() < 1e-9);
        assert!(rates(&looks[..1], &|look| look.requests).is_empty());
    }
}
