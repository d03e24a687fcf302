//! `$export`: the record, or a part of it, as NDJSON files (Bulk Data Access 2.0,
//! <https://hl7.org/fhir/uv/bulkdata/export.html>).
//!
//! One pass over the bodies, in the order they lie in, each to its type's file: no list of what is exported is held in
//! memory, and the disk is read from one end to the other. A Group's or filtered export walks what the index finds.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use ::access::Subject;
use fhir::date_time::Micros;
use fhir::issue::nearest;
use fhir::json::JsonWriter;
use fhir::subset::{self, Subset};
use fhir::{DateTime, Issue, IssueType, TypeId, r4};
use search::query::{self, Pair};
use serde::{Deserialize, Serialize};
use store::{Found, Kept, Place, Swept, Wanted};

use super::failed;
use super::file::{Folder, OutFile};
use crate::{Access, Failure, Hub};

/// What is exported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ExportLevel {
    /// Everything.
    System,
    /// What belongs to any Patient's record.
    Patient,
    /// What belongs to the records of a Group's members: the Group's id.
    Group(String),
}

/// A file of an export.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Output {
    /// The type of the resources in it.
    pub resource_type: String,
    /// Its name.
    pub file: String,
    /// How many lines.
    pub count: u64,
    /// How long the file is.
    bytes: u64,
}

impl Output {
    /// Its name, and how long it is.
    pub(super) fn length(&self) -> (&str, u64) {
        (&self.file, self.bytes)
    }
}

/// An export, as asked for and as far as it has come.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Export {
    /// Who asked for it, if not everything is theirs to see: decided anew whenever it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Box<Subject>>,
    level: ExportLevel,
    /// As it was asked for: the address.
    pub request: String,
    types: Vec<String>,
    since: Option<Micros>,
    elements: Vec<(Option<String>, String)>,
    filters: Vec<(String, String)>,
    place: Place,
    /// What it is true for: microseconds since 1970 UTC.
    pub instant: Micros,
    /// The files, by type; deleted resources under "deleted".
    files: BTreeMap<String, Output>,
    /// The key of the sweep after which the next part begins.
    after: Vec<u8>,
    /// How many resources were looked at; of those that were found by a search, how many are done.
    done: u64,
}

/// The parameters of an export.
#[derive(Clone, Debug, Default)]
pub struct ExportRequest {
    types: Vec<String>,
    since: Option<Micros>,
    until: Option<Micros>,
    elements: Vec<(Option<String>, String)>,
    filters: Vec<(String, String)>,
}

pub(crate) const NAMES: &[&str] = &["_outputFormat", "_since", "_until", "_type", "_elements", "_typeFilter"];
/// Work is written down after so many resources.
const CHECKPOINT: u64 = 50_000;
/// The key of deletions among the files.
const DELETED: &str = "deleted";

impl ExportRequest {
    /// Reads the parameters.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(hub: &Hub, pairs: &[Pair]) -> Result<ExportRequest, Failure> {
        let mut request = ExportRequest::default();
        let mut issues = Vec::new();
        for (name, text) in pairs {
            let interval = || {
                DateTime::parse(text)
                    .map(|d| d.interval(hub.zone()))
                    .ok_or_else(|| format!("'{text}' is not an instant"))
            };
            let outcome = match name.as_str() {
                "_outputFormat" => match text.replace(' ', "+").as_str() {
                    "application/fhir+ndjson" | "application/ndjson" | "ndjson" => Ok(()),
                    other => Err(format!("'{other}' is not available here; application/fhir+ndjson is")),
                },
                "_since" => interval().map(|(start, _)| request.since = Some(start)),
                "_until" => interval().map(|(_, end)| request.until = Some(end - 1)),
                "_type" => text.split(',').try_for_each(|name| {
                    request.types.push(type_named(name)?.to_owned());
                    Ok(())
                }),
                "_elements" => text.split(',').try_for_each(|part| request.element(part)),
                "_typeFilter" => request.filter(hub, text),
                other => {
                    let near = nearest(other, NAMES.iter().copied());
                    let known = if near.is_empty() { NAMES.join(", ") } else { near.join(" or ") };
                    Err(format!("$export has no such parameter (it has {known})"))
                }
            };
            if let Err(message) = outcome {
                issues.push(Issue::error(IssueType::Invalid, format!("{name}: {message}")));
            }
        }
        if issues.is_empty() { Ok(request) } else { Err(Failure::invalid(issues)) }
    }

    fn element(&mut self, part: &str) -> Result<(), String> {
        let (of, name) = match part.split_once('.') {
            Some((of, name)) => (Some(type_named(of)?), name),
            None => (None, part),
        };
        let types = match of {
            Some(of) => vec![r4().resource_type(of).unwrap_or(r4().well_known().resource)],
            None => r4().resource_types.clone(),
        };
        if !types.iter().any(|t| r4().element_named(*t, name).is_some()) {
            return Err(format!("there is no element '{part}'"));
        }
        self.elements.push((of.map(str::to_owned), name.to_owned()));
        Ok(())
    }

    fn filter(&mut self, hub: &Hub, text: &str) -> Result<(), String> {
        let (name, criteria) = text.split_once('?').ok_or("write Type?parameter=value")?;
        let resource_type = r4().resource_type(type_named(name)?).unwrap_or(r4().well_known().resource);
        hub.criteria(resource_type, criteria)
            .map_err(|f| f.issues.first().map(|i| i.diagnostics.clone()).unwrap_or_default())?;
        self.filters.push((name.to_owned(), criteria.to_owned()));
        Ok(())
    }
}

fn type_named(name: &str) -> Result<&'static str, String> {
    r4().known_resource_type(name).map(|id| r4().type_name(id))
}

impl Hub {
    /// An export of the record as it is now (or was until the moment asked for).
    ///
    /// # Errors
    /// A Group that does not exist.
    pub fn export(
        &self,
        access: &Access,
        level: ExportLevel,
        asked: ExportRequest,
        request: String,
    ) -> Result<Export, Failure> {
        // A program exports what it may see. A person's record is theirs by $everything.
        if !access.subject.as_ref().is_some_and(|s| s.user.is_none() && s.client.is_some()) {
            access.whole("$export")?;
        }
        if let ExportLevel::Group(id) = &level {
            let group = r4().resource_type("Group").unwrap_or(r4().well_known().resource);
            self.read(access, group, id, asked.until)?;
        }
        let reader = self.reader(access);
        let place = self.place(&reader, asked.until)?.unwrap_or(reader.place());
        Ok(Export {
            subject: access.rights.as_ref().and(access.subject.as_deref()).cloned().map(Box::new),
            level,
            request,
            types: asked.types,
            since: asked.since,
            elements: asked.elements,
            filters: asked.filters,
            place,
            instant: reader.instant_of(place)?,
            files: BTreeMap::new(),
            after: Vec::new(),
            done: 0,
        })
    }
}

/// The files under way.
struct Files<'f> {
    folder: Folder<'f>,
    open: BTreeMap<String, (OutFile, Output)>,
}

impl Files<'_> {
    /// Opens a file where the last checkpoint left it.
    fn open(&mut self, name: &str, known: Option<&Output>) -> Result<&mut (OutFile, Output), Failure> {
        match self.open.entry(name.to_owned()) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let output = known.cloned().unwrap_or_else(|| Output {
                    resource_type: if name == DELETED { "Bundle".to_owned() } else { name.to_owned() },
                    file: format!("{name}.ndjson"),
                    count: 0,
                    bytes: 0,
                });
                let file = self.folder.open(&output.file, output.bytes);
                let file = file.map_err(|e| failed(&e, &self.folder.path.join(&output.file)))?;
                Ok(entry.insert((file, output)))
            }
        }
    }

    fn line(&mut self, name: &str, known: Option<&Output>, text: &str) -> Result<(), Failure> {
        let path = self.folder.path;
        let (file, output) = self.open(name, known)?;
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(|e| failed(&e, path))?;
        output.count += 1;
        Ok(())
    }

    /// Brings what was written to the disk, and says how far each file has come.
    fn sync(&mut self, files: &mut BTreeMap<String, Output>) -> Result<(), Failure> {
        for (name, (file, output)) in &mut self.open {
            output.bytes = file.sync().map_err(|e| failed(&e, self.folder.path))?;
            files.insert(name.clone(), output.clone());
        }
        Ok(())
    }
}

impl Export {
    /// Its files, that of the deletions among them.
    pub fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.files.values()
    }

    /// The manifest of a finished export; `address` gives a file's address.
    #[must_use]
    pub fn manifest(&self, address: &dyn Fn(&str) -> String) -> String {
        let mut json = JsonWriter::new();
        json.object(|m| {
            m.member("transactionTime", &fhir::date_time::format_instant(self.instant));
            m.member("request", &self.request);
            m.raw_member("requiresAccessToken", if self.subject.is_some() { "true" } else { "false" });
            for (name, is_deleted) in [("output", false), ("deleted", true)] {
                m.name(name).array(|list| {
                    for (_, output) in self.files.iter().filter(|(n, _)| (*n == DELETED) == is_deleted) {
                        list.object(|o| {
                            o.member("type", &output.resource_type);
                            o.member("url", &address(&output.file));
                            o.raw_member("count", &output.count.to_string());
                        });
                    }
                });
            }
            m.name("error").array(|_| {});
        });
        json.finish()
    }

    fn wants(&self, name: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|t| t == name)
    }

    /// Whose it is: who else may not have it.
    pub(super) fn subject(&self) -> Option<&Subject> {
        self.subject.as_deref()
    }

    fn access(&self, hub: &Hub) -> Result<Access, Failure> {
        match &self.subject {
            Some(subject) => hub.access_of(&Arc::new(Subject::clone(subject)), "export"),
            None => Ok(Access::open("export")),
        }
    }

    /// Does what is left of it. `None` if it was stopped on the way.
    pub(super) fn run(
        mut self,
        hub: &Hub,
        folder: Folder<'_>,
        is_over: &dyn Fn() -> bool,
        checkpoint: &mut dyn FnMut(&Export, u64, u64) -> Result<(), Failure>,
    ) -> Result<Option<Export>, Failure> {
        let access = self.access(hub)?;
        let reader = hub.reader(&access);
        let mut total = 0;
        for (resource_type, count) in reader.totals(Some(self.place))? {
            total += if self.wants(r4().type_name(resource_type)) { count } else { 0 };
        }
        checkpoint(&self, self.done, total)?;
        let mut files = Files { folder, open: BTreeMap::new() };
        if matches!(self.level, ExportLevel::Group(_)) || !self.filters.is_empty() {
            // Few enough to be listed; the place fixes the list, so a number says how far it has come.
            let found = self.found(hub, &reader)?;
            let skip = usize::try_from(self.done).unwrap_or(usize::MAX).min(found.len());
            for part in found[skip..].chunks(usize::try_from(CHECKPOINT).unwrap_or(usize::MAX)) {
                let mut failure = Ok(());
                reader.each(part, self.place, |kept| {
                    if failure.is_ok() {
                        failure = self.write(&mut files, &kept);
                    }
                })?;
                failure?;
                self.done += part.len() as u64;
                files.sync(&mut self.files)?;
                checkpoint(&self, self.done, found.len() as u64)?;
                if is_over() {
                    return Ok(None);
                }
            }
            return Ok(Some(self));
        }
        let is_patient_level = self.level == ExportLevel::Patient;
        let mut since_checkpoint = 0;
        loop {
            let (mut failure, mut is_end) = (Ok(()), true);
            let after = std::mem::take(&mut self.after);
            let mut last = after.clone();
            let mut looked = 0;
            reader.sweep(&after, self.place, &mut |key: &[u8], swept: Swept| {
                looked += 1;
                let outcome = if is_patient_level && !swept.has_person {
                    Ok(())
                } else {
                    self.write(&mut files, &swept.kept)
                };
                if outcome.is_err() {
                    failure = outcome;
                    return false;
                }
                last.clear();
                last.extend_from_slice(key);
                since_checkpoint += 1;
                is_end = since_checkpoint % CHECKPOINT != 0;
                is_end
            })?;
            failure?;
            self.after = last;
            self.done += looked;
            files.sync(&mut self.files)?;
            checkpoint(&self, self.done, total)?;
            if is_end {
                return Ok(Some(self));
            }
            if is_over() {
                return Ok(None);
            }
        }
    }

    /// Writes a version to its file, if it is wanted.
    fn write(&self, files: &mut Files<'_>, kept: &Kept) -> Result<(), Failure> {
        let name = r4().type_name(kept.resource_type);
        // After, not at: the moment of one export is the beginning of the next.
        if !self.wants(name) || self.since.is_some_and(|since| kept.instant <= since) {
            return Ok(());
        }
        if kept.text.is_none() {
            // A client that asks for what is new has to learn what is gone.
            if self.since.is_none() || kept.is_destroyed {
                return Ok(());
            }
            let bundle = format!(
                "{{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{{\"request\":{{\"method\":\"DELETE\",\"url\":\"{name}/{}\"}}}}]}}",
                kept.id
            );
            return files.line(DELETED, self.files.get(DELETED), &bundle);
        }
        let mut json = kept.json();
        let elements: Vec<String> = self
            .elements
            .iter()
            .filter(|(of, _)| of.as_deref().is_none_or(|of| of == name))
            .map(|(_, element)| element.clone())
            .collect();
        if !elements.is_empty() {
            let whole = std::mem::take(&mut json);
            subset::write(&whole, &Subset::Elements(elements), &mut json);
        }
        files.line(name, self.files.get(name), &json)
    }

    /// What a Group's members' records hold, or the filters find, each once.
    fn found(&self, hub: &Hub, reader: &store::Reader) -> Result<Vec<Found>, Failure> {
        let mut found: Vec<Found> = Vec::new();
        if let ExportLevel::Group(id) = &self.level {
            let group = r4().resource_type("Group").unwrap_or(r4().well_known().resource);
            let patient = r4().well_known().patient;
            let kept = reader.read(group, id, Some(self.place))?;
            let json = kept.map(|k| k.json()).unwrap_or_default();
            let resource = fhir::json::parse(json.as_bytes(), &hub.limits)?;
            for member in resource.root().all("member") {
                let is_out = member.text_at("inactive").as_deref() == Some("true");
                let reference = member.text_at("entity.reference").unwrap_or_default();
                let Some(id) = reference.strip_prefix("Patient/").filter(|_| !is_out) else { continue };
                let wanted = Wanted { is_members_only: true, ..Wanted::default() };
                found.extend(
                    reader.everything(patient, id, self.place, &wanted, hub.budget())?.into_iter().flatten(),
                );
            }
        }
        let filtered: Vec<&str> = self.filters.iter().map(|(name, _)| name.as_str()).collect();
        if !filtered.is_empty() {
            let mut picked = Vec::new();
            for (name, criteria) in &self.filters {
                let resource_type = r4().resource_type(name).unwrap_or(r4().well_known().resource);
                let criteria = hub.criteria(resource_type, criteria)?;
                picked.extend(reader.all(&criteria.query, self.place, hub.budget())?);
            }
            let wanted: Vec<String> = if self.types.is_empty() {
                reader.totals(Some(self.place))?.iter().map(|(t, _)| r4().type_name(*t).to_owned()).collect()
            } else {
                self.types.clone()
            };
            let all = wanted.iter().filter(|t| !filtered.contains(&t.as_str()));
            if matches!(self.level, ExportLevel::Group(_)) {
                let inside: std::collections::BTreeSet<_> =
                    found.iter().map(|f| (f.type_number, f.seat)).collect();
                picked.retain(|f| inside.contains(&(f.type_number, f.seat)));
                let of = |f: &Found| r4().resource_numbered(f.type_number).map_or("", |t| r4().type_name(t));
                found.retain(|f| !filtered.contains(&of(f)));
            } else {
                for name in all {
                    let pairs = [(String::from("_lastUpdated"), String::from("ge0001"))];
                    let resource_type: TypeId =
                        r4().resource_type(name).unwrap_or(r4().well_known().resource);
                    let query = query::read(resource_type, &pairs, hub.reading())?;
                    found.extend(reader.all(&query, self.place, hub.budget())?);
                }
            }
            found.extend(picked);
        }
        if self.level == ExportLevel::Patient {
            found.retain(|f| f.seat.person.0 != 0);
        }
        // In the order bodies lie in, each once.
        found.sort_unstable_by_key(|f| (f.seat.person, f.type_number, f.seat));
        found.dedup();
        Ok(found)
    }
}
