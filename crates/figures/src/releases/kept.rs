//! Where releases are kept: Bundles of the record, found by their numbers.

use std::sync::{Arc, PoisonError};

use fhir::date_time::format_instant;
use fhir::{TypeId, r4};
use hub::{Access, Failure, SystemClock, WriteOptions};
use serde_json::{Value, json};
use store::{Clock as _, Kept, Reader};

use super::draft::for_who_runs_it;
use super::{Draft, LeftOut, Release, Why, Withdrawal};
use crate::Figures;
use crate::failure::{internal, invalid};
use crate::verify::extension;

/// Why something is left out.
pub(super) const LEFT_OUT: &str = "https://yojigen.example/fhir/CodeSystem/left-out";
/// What is said of a release later.
const SAID: &str = "https://yojigen.example/fhir/CodeSystem/release";
/// The door releases come through; no other write has it.
const CHANNEL: &str = "release";
/// A title or reason has at most so many characters.
const LONGEST: usize = 300;

/// The id of a release's Bundle.
pub(super) fn id(number: u64) -> String {
    format!("figures-release-{number}")
}

fn type_of(name: &str) -> TypeId {
    r4().resource_type(name).unwrap_or(r4().well_known().resource)
}

/// Text of one line, not too long.
fn line(text: &str, what: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        return Err(invalid(format!("{what}: 1 to {LONGEST} characters on one line are needed")));
    }
    Ok(text.to_owned())
}

/// The first version of a resource, whatever became of it later.
fn first(reader: &Reader, type_name: &str, id: &str) -> Result<Option<Kept>, Failure> {
    Ok(reader.version(type_of(type_name), id, 1, None)?)
}

/// Whether it came through the door of releases, and its text is still there.
fn is_ours(reader: &Reader, kept: &Kept) -> Result<bool, Failure> {
    let entry = reader.entry(reader.place_as_of(kept.instant)?)?;
    Ok(entry.circumstances.channel.as_deref() == Some(CHANNEL) && !kept.is_destroyed)
}

fn read(number: u64, text: String) -> Option<Release> {
    let bundle: Value = serde_json::from_str(&text).ok()?;
    let mut resources = bundle["entry"].as_array()?.iter().map(|entry| &entry["resource"]);
    let list = resources.next()?;
    let of_text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let period = list["extension"].as_array()?.iter().find_map(|e| e.get("valuePeriod"))?;
    let left_out = list["entry"].as_array().into_iter().flatten().map(|entry| LeftOut {
        measure: of_text(&entry["item"]["identifier"]["value"]),
        by: entry["item"]["display"].as_str().map(str::to_owned),
        why: if entry["flag"]["coding"][0]["code"] == Why::Near.code() { Why::Near } else { Why::Few },
    });
    Some(Release {
        number,
        title: of_text(&list["title"]),
        published: of_text(&bundle["timestamp"]),
        period: (of_text(&period["start"]), of_text(&period["end"])),
        data_instant: extension(list, "data-instant")?,
        code_version: extension(list, "code-version")?,
        left_out: left_out.collect(),
        reports: resources.cloned().collect(),
        withdrawn: None,
        json: text,
    })
}

impl Figures {
    /// What is out, withdrawn or not; the oldest first.
    ///
    /// # Errors
    /// As the store says.
    pub fn releases(&self) -> Result<Vec<Arc<Release>>, Failure> {
        Ok(self.numbered()?.0)
    }

    /// What is out, and the number of the next.
    fn numbered(&self) -> Result<(Vec<Arc<Release>>, u64), Failure> {
        let reader = self.hub.store().reader();
        let mut known = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        let mut number = 1;
        // What something else has taken the id of is passed over.
        while let Some(kept) = first(&reader, "Bundle", &id(number))? {
            if is_ours(&reader, &kept)? {
                let withdrawn = withdrawal(&reader, number)?;
                // Its text does not change, so it is read once.
                let seen = known.iter().find(|r| r.number == number).cloned();
                let release = match seen {
                    Some(release) if release.withdrawn == withdrawn => release,
                    _ => {
                        let read = read(number, kept.json());
                        let read = read.ok_or_else(|| internal(&format!("{} does not read", id(number))))?;
                        Arc::new(Release { withdrawn, ..read })
                    }
                };
                found.push(release);
            }
            number += 1;
        }
        known.clone_from(&found);
        Ok((found, number))
    }

    /// Publishes a draft: a release that is new, with its number.
    ///
    /// # Errors
    /// If it is not for this access, there is nothing in it, or somebody else publishes at the same moment.
    pub fn publish(&self, access: &Access, draft: &Draft, title: &str) -> Result<u64, Failure> {
        for_who_runs_it(access)?;
        let title = line(title, "the title")?;
        if draft.reports.is_empty() {
            return Err(invalid("nothing of it can be published"));
        }
        let (out, number) = self.numbered()?;
        if draft.out != out.len() {
            return Err(invalid("another release was published meanwhile; look at this one anew"));
        }
        let now = format_instant(SystemClock.now());
        self.write(access, &draft.bundle(number, &title, &now))?;
        Ok(number)
    }

    /// Withdraws a release: it stays listed, with the reason, and is held against what is new as before.
    ///
    /// # Errors
    /// If it is not for this access, or there is no such release that was not withdrawn yet.
    pub fn withdraw(&self, access: &Access, number: u64, reason: &str) -> Result<(), Failure> {
        for_who_runs_it(access)?;
        let reason = line(reason, "the reason")?;
        match self.releases()?.iter().find(|release| release.number == number) {
            Some(release) if release.withdrawn.is_none() => {}
            Some(_) => return Err(invalid(format!("release {number} was withdrawn already"))),
            None => return Err(invalid(format!("there is no release {number}"))),
        }
        let said = json!({
            "resourceType": "Basic",
            "id": format!("{}-withdrawn", id(number)),
            "code": {"coding": [{"system": SAID, "code": "withdrawn"}], "text": reason},
            "subject": {"identifier": {"value": id(number)}},
        });
        self.write(access, &said)
    }

    /// Writes what must be new, as the hub's own doing, with who did it.
    fn write(&self, access: &Access, resource: &Value) -> Result<(), Failure> {
        let mut own = Access::open(CHANNEL);
        own.circumstances.author.clone_from(&access.circumstances.author);
        let read = fhir::json::parse(resource.to_string().as_bytes(), &fhir::Limits::default())?;
        let id = resource["id"].as_str().unwrap_or_default();
        let options = WriteOptions { must_be_new: true, ..WriteOptions::default() };
        let prepared = self.hub.update(&own, read.root(), id, &options)?;
        self.hub.submit_and_wait(prepared)?;
        Ok(())
    }
}

/// That a release was withdrawn.
fn withdrawal(reader: &Reader, number: u64) -> Result<Option<Withdrawal>, Failure> {
    let said = first(reader, "Basic", &format!("{}-withdrawn", id(number)))?;
    let Some(kept) = said else { return Ok(None) };
    if !is_ours(reader, &kept)? {
        return Ok(None);
    }
    let said: Value = serde_json::from_str(&kept.json()).map_err(|e| internal(&e))?;
    let reason = said["code"]["text"].as_str().unwrap_or_default().to_owned();
    Ok(Some(Withdrawal { at: format_instant(kept.instant), reason }))
}
