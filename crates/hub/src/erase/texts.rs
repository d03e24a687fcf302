//! Texts about a person outside the record: in the log's entries, in the read-audit ledger, in files of jobs.
//!
//! * *The log.* The searches that decided about what is in the person's record go, and whatever else in any entry names the
//!   person; so does the key under which an entry was done once, if all it did was the person's.
//! * *The ledger.* That somebody looked, when and at whom stays. Of records about the person alone go all texts; of others
//!   those that name the person. Parts of names go where nobody's rows left, or not all are named.
//! * *Jobs.* One whose files or request hold anything of the person ends, and its files go.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use aho_corasick::AhoCorasick;
use ledger::{Action, Query, Record};
use store::layout::log::{Content, Entry};
use store::{Circumstances, Part, Place, Reader, is_taken_out, unsalted};

use super::plan::Plan;
use super::traces::Sort;
use crate::{Failure, Hub};

/// Entries of the log changed in one commit.
const GROUP: usize = 500;
const TAKEN_OUT: &str = "(erased)";

impl Hub {
    /// Takes the person out of the log's entries. How many entries lost texts.
    pub(crate) fn erase_from_log(
        &self,
        reader: &Reader,
        plan: &Plan,
        circumstances: &Circumstances,
    ) -> Result<u64, Failure> {
        let mut also = std::collections::HashSet::new();
        for (resource_type, id) in &plan.also {
            also.extend(reader.number_of(*resource_type, id)?);
        }
        for (name, id) in plan.own.keys() {
            if let Some(resource_type) = fhir::r4().resource_type(name) {
                also.extend(reader.number_of(resource_type, id)?);
            }
        }
        let is_own = |command: &store::layout::log::Command| {
            plan.persons.contains(&command.person)
                || plan.persons.contains(&command.resource)
                || also.contains(&command.resource)
        };
        let mut wanted: Vec<(Place, Vec<Part>)> = Vec::new();
        reader.each_entry(&mut |place, entry| {
            let parts = parts(&entry, plan, &is_own);
            if !parts.is_empty() {
                wanted.push((place, parts));
            }
            true
        })?;
        let count = wanted.len() as u64;
        while !wanted.is_empty() {
            let group = wanted.drain(..wanted.len().min(GROUP)).collect();
            self.store().redact(circumstances.clone(), group)?;
        }
        Ok(count)
    }

    /// Takes the person out of the ledger. How many records lost texts.
    pub(crate) fn erase_from_ledger(&self, plan: &Plan) -> Result<u64, Failure> {
        let Some(ledger) = &self.ledger else { return Ok(0) };
        ledger.erase(&mut |record| without(record, plan)).map_err(|e| crate::unwritten(&e))
    }
}

/// What of an entry goes.
fn parts(entry: &Entry, plan: &Plan, is_own: &dyn Fn(&store::layout::log::Command) -> bool) -> Vec<Part> {
    let Content::Transaction(commands) = &entry.content else { return Vec::new() };
    let mut parts = Vec::new();
    let mut are_all_own = !commands.is_empty();
    for (at, command) in (0u32..).zip(commands) {
        let is_own = is_own(command);
        are_all_own &= is_own;
        let goes = |text: &str| !is_taken_out(text) && (is_own || plan.traces.is_named(unsalted(text)));
        if command.criteria.as_deref().is_some_and(goes) {
            parts.push(Part::Criteria(at));
        }
        for (which, (text, type_number, id)) in (0u32..).zip(&command.resolved) {
            let is_person = fhir::r4().resource_numbered(*type_number).is_some_and(|of| {
                let id = id.unpack();
                plan.own.contains_key(&(fhir::r4().type_name(of), id.clone()))
                    || of == fhir::r4().well_known().patient && plan.patients.contains(&id)
            });
            if goes(text) || is_person && !is_taken_out(text) {
                parts.push(Part::Resolved(at, which));
            }
        }
    }
    if are_all_own && entry.once.is_some() {
        parts.push(Part::Once);
    }
    for (field, text) in (0u8..).zip(entry.circumstances.fields()) {
        // A client's own id of a request may be anything.
        let is_named = text.and_then(|text| plan.traces.named(text));
        let is_own_id = Circumstances::NAMES.get(usize::from(field)) == Some(&"_requestId");
        if is_named.is_some_and(|sort| sort != Sort::Part || is_own_id) {
            parts.push(Part::Circumstance(field));
        }
    }
    parts
}

/// A record without what it says about the person; `None` if it says nothing.
fn without(record: &Record, plan: &Plan) -> Option<Record> {
    let mut new = record.clone();
    let is_theirs = |id: &String| plan.patients.contains(id);
    // That and why somebody was erased stays.
    let is_erasure = matches!(&record.action, Action::Operation(name) if name == "$erase");
    let is_about_them = !record.persons.is_empty() && record.persons.iter().all(is_theirs);
    let is_all = is_about_them && !record.is_everyone && !is_erasure;
    let is_anyone = record.is_everyone || record.rows == 0 || record.persons.iter().any(is_theirs);
    let goes = |text: &str| {
        text != TAKEN_OUT
            && match plan.traces.named(text) {
                Some(Sort::Part) => is_anyone && !is_erasure,
                Some(_) => true,
                None => false,
            }
    };
    if let Some(query) = &record.query
        && query.text != TAKEN_OUT
        && (is_all || goes(&query.text))
    {
        new.query = Some(Query { text: TAKEN_OUT.to_owned(), length: TAKEN_OUT.len() as u64 });
    }
    for text in [&mut new.reason, &mut new.emergency].into_iter().flatten() {
        if text != TAKEN_OUT && (is_all || goes(text)) {
            TAKEN_OUT.clone_into(text);
        }
    }
    let others = [
        &mut new.agent,
        &mut new.agent_name,
        &mut new.on_behalf_of,
        &mut new.organisation,
        &mut new.client,
        &mut new.purpose,
        &mut new.channel,
        &mut new.request_id,
    ];
    for text in others {
        text.take_if(|text| goes(text));
    }
    if goes(&new.target) {
        new.target.clear();
    }
    let is_own_act = [&record.agent, &record.on_behalf_of].into_iter().flatten().any(|who| {
        who.strip_prefix("Patient/").is_some_and(|id| plan.patients.iter().any(|patient| patient == id))
    });
    if is_own_act {
        new.address = None;
    }
    (new != *record).then_some(new)
}

/// What finds anything of a person in files of jobs.
pub(crate) fn in_files(plan: &Plan) -> Result<AhoCorasick, Failure> {
    let mut patterns: Vec<Vec<u8>> = Vec::new();
    for id in &plan.patients {
        patterns.extend([format!("Patient/{id}").into_bytes(), format!("\"{id}\"").into_bytes()]);
    }
    let binaries = plan.own.keys().filter(|(name, _)| *name == "Binary");
    patterns.extend(binaries.map(|(_, id)| format!("\"{id}\"").into_bytes()));
    for text in plan.traces.written() {
        let (quoted, mut escaped) = (serde_json::Value::from(text).to_string(), String::new());
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    escaped.push(char::from(byte));
                }
                _ => escaped += &format!("%{byte:02X}"),
            }
        }
        let quoted = quoted.trim_matches('"').as_bytes().to_vec();
        patterns.extend([text.as_bytes().to_vec(), quoted, escaped.into_bytes()]);
    }
    patterns.sort_unstable();
    patterns.dedup();
    AhoCorasick::new(patterns).map_err(|e| {
        let message = format!("the person's traces are too many to look for: {e}");
        Failure::new(crate::Kind::TooCostly, fhir::IssueType::TooCostly, message)
    })
}

/// Whether any file of a folder holds what is looked for.
pub(crate) fn holds(folder: &Path, wanted: &AhoCorasick) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && wanted.stream_find_iter(File::open(&path)?).next().transpose()?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many of each there are, as a job keeps them.
pub(crate) type Counts = BTreeMap<String, (u64, u64)>;
