//! `/me/{id}/import`: measurements from a file: a table (CSV) of a device or an app, or Apple Health's export.
//!
//! A file is read and shown first; saving is a second step, of what was read. Each measurement has an identifier made from
//! what it says, so that a file that is sent again, or one that holds it too, adds nothing.

mod apple;
mod measured;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use self::measured::{Measured, decoded, encoded, resource};
use super::answer::{Answer, act, show};
use super::frame::Frame;
use super::own::Own;
use crate::failure::Failure;
use crate::form::Form;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;
use crate::writing::Changes;

/// Measurements taken from one file.
const MOST: usize = 15_000;
/// Measurements shown of it, and lines that are named.
const SHOWN: usize = 15;
const MOST_FAULTS: usize = 30;
/// Measurements in one transaction.
const AT_ONCE: usize = 500;

/// What a file said.
#[derive(Debug, Default)]
struct Read {
    all: Vec<Measured>,
    /// Line and what is wrong with it.
    faults: Vec<(usize, String)>,
    faulty: usize,
    /// Which column was taken for what.
    columns: Vec<(String, String)>,
    /// Whether there was more than is taken.
    is_cut: bool,
}

impl Read {
    fn fault(&mut self, line: usize, why: String) {
        self.faulty += 1;
        if self.faults.len() < MOST_FAULTS {
            self.faults.push((line, why));
        }
    }

    fn put(&mut self, measured: Measured) {
        if self.all.len() < MOST {
            self.all.push(measured);
        } else {
            self.is_cut = true;
        }
    }
}

/// What is shown before saving.
struct Preview {
    /// What, how many, from when to when.
    kinds: Vec<(String, String, String)>,
    shown: Vec<(String, String, String)>,
    faults: Vec<(String, String)>,
    faulty: String,
    columns: Vec<(String, String)>,
    is_cut: bool,
    count: String,
    is_empty: bool,
    encoded: String,
}

#[derive(Template)]
#[template(path = "me/import.html")]
struct ImportPage {
    shell: Shell,
    frame: Frame,
    address: String,
    fault: Option<String>,
    preview: Option<Preview>,
    /// How many were saved, and how many were there already.
    done: Option<String>,
    may_write: bool,
    timeline: String,
}

fn draw(own: &Own, fault: Option<String>, read: Option<Read>, done: Option<String>) -> ImportPage {
    ImportPage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "more"),
        address: own.at("/import"),
        fault,
        preview: read.map(|read| preview(own, read)),
        done,
        may_write: own.may_write("Observation"),
        timeline: own.at("/timeline?kind=selfcare"),
    }
}

fn preview(own: &Own, read: Read) -> Preview {
    let words = own.words;
    let name = |m: &Measured| words.say_code("me-entry", m.kind.key()).unwrap_or_default();
    let day = |at: &str| at.replace('T', " ");
    let mut kinds: BTreeMap<String, (usize, String, String)> = BTreeMap::new();
    for one in &read.all {
        let known = kinds.entry(name(one)).or_insert_with(|| (0, one.at.clone(), one.at.clone()));
        known.0 += 1;
        known.1 = known.1.clone().min(one.at.clone());
        known.2 = known.2.clone().max(one.at.clone());
    }
    let kinds = kinds.into_iter().map(|(name, (count, first, last))| {
        (name, words.say_count("me-import-count", count), format!("{} – {}", day(&first), day(&last)))
    });
    let shown = read.all.iter().take(SHOWN).map(|m| (name(m), m.value(), day(&m.at)));
    let line = |(line, why): &(usize, String)| {
        (words.say_with("me-import-line", &[("line", (*line).into())]), why.clone())
    };
    Preview {
        kinds: kinds.collect(),
        shown: shown.collect(),
        faults: read.faults.iter().map(line).collect(),
        faulty: words.say_count("me-import-faulty", read.faulty),
        columns: read.columns,
        is_cut: read.is_cut,
        count: words.say_count("me-import-save", read.all.len()),
        is_empty: read.all.is_empty(),
        encoded: encoded(&read.all),
    }
}

/// Reads the file that was sent, by what it begins with.
fn read(own: &Own, form: &Form) -> Result<Read, String> {
    let file = form.file("file").filter(|f| !f.bytes.is_empty());
    let file = file.ok_or_else(|| own.words.say("me-file-missing"))?;
    let mut read = if file.bytes.starts_with(b"PK\x03\x04") {
        apple::zipped(own, &file.bytes)?
    } else if file.bytes.trim_ascii_start().starts_with(b"<") {
        apple::plain(own, &file.bytes)?
    } else {
        table::read(own, &file.bytes)?
    };
    let mut seen = BTreeSet::new();
    read.all.retain(|m| seen.insert(m.clone()));
    Ok(read)
}

/// Saves what was read and is well; how many were new.
fn saved(own: &Own, all: &[Measured]) -> Result<usize, Failure> {
    let mut new = 0;
    for part in all.chunks(AT_ONCE) {
        let mut changes = Changes::default();
        for one in part {
            if let Some((resource, query)) = resource(own, one) {
                changes.create_unless(resource, &query);
            }
        }
        if changes.is_empty() {
            continue;
        }
        let written = changes.commit(&own.record.hub, &own.record.access)?;
        new += written.iter().filter(|w| w.is_new).count();
    }
    Ok(new)
}

fn work(own: &Own, form: &Form) -> Result<Answer<ImportPage>, Failure> {
    if !own.may_write("Observation") {
        return Ok(Answer::Again(draw(own, Some(own.words.say("me-not-writing")), None, None)));
    }
    if form.field("action") == "save" {
        let all: Vec<Measured> = form.all("read").flat_map(decoded).take(MOST).collect();
        let new = saved(own, &all)?;
        let known = all.len() - new.min(all.len());
        return Ok(Answer::Go(own.at(&format!("/import?new={new}&known={known}"))));
    }
    Ok(Answer::Again(match read(own, form) {
        Ok(read) => draw(own, None, Some(read), None),
        Err(fault) => draw(own, Some(fault), None, None),
    }))
}

fn page(own: &Own) -> Result<ImportPage, Failure> {
    let number = |name: &str| own.visit.value(name).and_then(|n| n.parse::<usize>().ok());
    let done = number("new").map(|new| {
        let known = number("known").unwrap_or(0);
        own.words.say_with("me-import-done", &[("new", new.into()), ("known", known.into())])
    });
    Ok(draw(own, None, None, done))
}

/// Answers with the form.
pub(super) async fn form(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, page).await
}

/// Shows what a file says, or saves what was shown.
pub(super) async fn take(State(site): State<Site>, Path(id): Path<String>, form: Form) -> Response {
    act(site, form, id, work).await
}
