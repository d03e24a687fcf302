//! What an erasure concerns: what is the person's own, and what of others names the person.
//!
//! Own is what is or was kept in the record of one of the person's Patients and names no other Patient; attachments that
//! only such resources refer to; and what was decided to be. Whatever else names the person (by a reference to the person
//! or to something of the record, or by a strong trace in its text) is *shared*: it is reported with why, and stays until it
//! is decided.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use fhir::{IssueType, TypeId, r4};
use serde::{Deserialize, Serialize};
use store::{EveryVersion, Reader, ResourceNumber};

use super::traces::{Finder, Sort, Traces, each_name, names_among, unescaped};
use crate::{Failure, Hub, Kind};

/// A person whose record has more resources is not erased at once.
const MAX_OWN: usize = 200_000;
/// Of one resource so many versions are named.
const MAX_VERSIONS: usize = 20;
/// More shared resources than this are counted, not listed.
const MAX_SHARED: usize = 10_000;

/// A resource of others that names the person.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Shared {
    /// Why: what it refers to, what of the person it names.
    pub(crate) why: BTreeSet<String>,
    /// In which of its versions, the newest first.
    pub(crate) versions: Vec<u64>,
}

impl Shared {
    fn note(&mut self, why: String, version: u64) {
        self.why.insert(why);
        if !self.versions.contains(&version) && self.versions.len() < MAX_VERSIONS {
            self.versions.push(version);
        }
    }
}

/// A resource of the person's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Own {
    /// How many texts it has.
    pub(crate) texts: u64,
    /// The last version that has one.
    pub(crate) up_to: u64,
}

/// What an erasure concerns.
pub(crate) struct Plan {
    /// Whose: the ids of the person's Patients.
    pub(crate) patients: Vec<String>,
    /// The numbers the store has given them.
    pub(crate) persons: HashSet<ResourceNumber>,
    /// What is destroyed, by type and id.
    pub(crate) own: BTreeMap<(&'static str, String), Own>,
    /// What is to be decided, by `Type/id`.
    pub(crate) shared: BTreeMap<String, Shared>,
    /// How many more are shared than are listed.
    pub(crate) more_shared: u64,
    /// What was decided to be erased, too.
    pub(crate) also: HashSet<(TypeId, String)>,
    pub(crate) traces: Traces,
    /// Attachments the record refers to, until it is known whose they are.
    binaries: BTreeSet<String>,
}

/// Every text of some resources, gathered before anything is decided about them.
#[derive(Default)]
struct Gathered {
    own: Own,
    /// Patients it names that are others.
    others: BTreeSet<String>,
    /// Attachments it names.
    binaries: BTreeSet<String>,
    versions: Vec<u64>,
}

impl Hub {
    /// What erasing some Patients concerns: all that is there is gone through. `names` are those of the person's accounts.
    ///
    /// # Errors
    /// A record that is too long; as the store says.
    pub(crate) fn erasure_plan(
        &self,
        reader: &Reader,
        patients: &[String],
        also: &[String],
        names: &[String],
    ) -> Result<Plan, Failure> {
        let mut plan = self.record_plan(reader, patients, also)?;
        plan.traces.accounts(names);
        let binaries = std::mem::take(&mut plan.binaries);
        plan.share(reader, binaries)?;
        Ok(plan)
    }

    /// The same without what is shared, and without attachments: only the record is gone through.
    ///
    /// # Errors
    /// As [`Hub::erasure_plan`].
    pub(crate) fn record_plan(
        &self,
        reader: &Reader,
        patients: &[String],
        also: &[String],
    ) -> Result<Plan, Failure> {
        let mut persons = HashSet::new();
        for id in patients {
            persons.extend(reader.number_of(r4().well_known().patient, id)?);
        }
        let mut plan = Plan {
            patients: patients.to_vec(),
            persons,
            own: BTreeMap::new(),
            shared: BTreeMap::new(),
            more_shared: 0,
            also: also.iter().map(|name| named(name)).collect::<Result<_, _>>()?,
            traces: Traces::default(),
            binaries: BTreeSet::new(),
        };
        plan.gather(reader)?;
        Ok(plan)
    }
}

/// The type and id of `Type/id`.
pub(crate) fn named(name: &str) -> Result<(TypeId, String), Failure> {
    let parts = name.split_once('/').filter(|(_, id)| !id.is_empty() && !id.contains('/'));
    let found = parts.and_then(|(of, id)| Some((r4().known_resource_type(of).ok()?, id.to_owned())));
    found.ok_or_else(|| {
        Failure::new(Kind::Invalid, IssueType::Value, format!("'{name}' is no resource; write Type/id"))
    })
}

impl Plan {
    fn is_patient(&self, resource_type: TypeId, id: &str) -> bool {
        resource_type == r4().well_known().patient && self.patients.iter().any(|patient| patient == id)
    }

    /// Goes through what is in the record, and what was decided.
    fn gather(&mut self, reader: &Reader) -> Result<(), Failure> {
        let mut gathered: BTreeMap<(&'static str, String), Gathered> = BTreeMap::new();
        let mut is_too_long = false;
        let mut traces = std::mem::take(&mut self.traces);
        let own: &Plan = self;
        let mut visit = |version: EveryVersion<'_>| {
            let is_also = own.also.contains(&(version.resource_type, version.id.to_owned()));
            let is_patient = own.is_patient(version.resource_type, version.id);
            let name = r4().type_name(version.resource_type);
            let text = unescaped(version.text);
            let found = gathered.entry((name, version.id.to_owned())).or_default();
            found.own.texts += 1;
            found.own.up_to = found.own.up_to.max(version.version);
            found.versions.push(version.version);
            each_name(&text, &mut |named| match named.split_once('/') {
                Some(("Patient", id)) if !is_also && !is_patient && !own.patients.iter().any(|p| p == id) => {
                    found.others.insert(named.to_owned());
                }
                Some(("Binary", _)) => {
                    found.binaries.insert(named.to_owned());
                }
                _ => {}
            });
            if found.others.is_empty() && !is_also {
                traces.read(name, version.text);
            }
            is_too_long = gathered.len() > MAX_OWN;
            !is_too_long
        };
        for person in &own.persons {
            reader.each_version_kept_with(*person, &mut visit)?;
        }
        for (resource_type, id) in &own.also {
            // One that is in the record was met there.
            reader.each_version_of(*resource_type, id, &mut |version| {
                own.persons.contains(&version.person) || visit(version)
            })?;
        }
        self.traces = traces;
        if is_too_long {
            let message = format!(
                "the record has more than {MAX_OWN} resources; erase it in parts, with $bulk-delete and $purge"
            );
            return Err(Failure::new(Kind::TooCostly, IssueType::TooCostly, message));
        }
        for ((name, id), found) in gathered {
            if found.others.is_empty() {
                self.own.insert((name, id), found.own);
                self.binaries.extend(found.binaries);
                continue;
            }
            for version in found.versions {
                for other in &found.others {
                    let why = format!("it is kept in the record, and names {other}, too");
                    self.note(format!("{name}/{id}"), why, version);
                }
            }
        }
        Ok(())
    }

    /// Goes through everything else: who names the person, and whose the attachments are.
    fn share(&mut self, reader: &Reader, binaries: BTreeSet<String>) -> Result<(), Failure> {
        let finder: Finder = self.traces.finder();
        let mut names: HashSet<String> = self.own.keys().map(|(name, id)| format!("{name}/{id}")).collect();
        names.extend(self.patients.iter().map(|id| format!("Patient/{id}")));
        names.extend(binaries.iter().cloned());
        let (mut found_binaries, mut wanted_by_others) = (BTreeMap::<String, Own>::new(), BTreeSet::new());
        let mut notes: Vec<(String, BTreeSet<String>, BTreeSet<Sort>, u64)> = Vec::new();
        let mut strangers = BTreeSet::new();
        reader.each_version(&mut |version| {
            let type_name = r4().type_name(version.resource_type);
            let name = format!("{type_name}/{}", version.id);
            if binaries.contains(&name) {
                let own = found_binaries.entry(name).or_default();
                (own.texts, own.up_to) = (own.texts + 1, own.up_to.max(version.version));
                return true;
            }
            let key = (type_name, version.id.to_owned());
            // Most are others': the cheaper look comes first.
            if names.contains(&name) && self.own.contains_key(&key) {
                let is_decided = self.is_patient(version.resource_type, version.id)
                    || self.also.contains(&(version.resource_type, version.id.to_owned()));
                if !is_decided && !self.persons.contains(&version.person) {
                    // It moved from record to record: it is another's, too.
                    strangers.insert(key);
                    notes.push((name, BTreeSet::new(), BTreeSet::new(), version.version));
                }
                return true;
            }
            let text = unescaped(version.text);
            let referred = names_among(&text, &names);
            let sorts = finder.find(&text);
            wanted_by_others.extend(referred.iter().filter(|n| binaries.contains(*n)).cloned());
            if !referred.is_empty() || !sorts.is_empty() {
                notes.push((name, referred, sorts, version.version));
            }
            true
        })?;
        for (name, referred, sorts, version) in notes {
            if referred.is_empty() && sorts.is_empty() {
                let why = "it was kept in another's record, too".to_owned();
                self.note(name.clone(), why, version);
            }
            for target in referred {
                self.note(name.clone(), format!("it refers to {target}"), version);
            }
            for sort in sorts {
                self.note(name.clone(), format!("it has the person's {} in it", sort.word()), version);
            }
        }
        for key in strangers {
            self.own.remove(&key);
        }
        for (name, own) in found_binaries {
            let id = name.trim_start_matches("Binary/").to_owned();
            if !wanted_by_others.contains(&name) {
                self.own.insert(("Binary", id), own);
            } else {
                let why = "it is an attachment of the record and of another resource".to_owned();
                self.note(name, why, own.up_to);
            }
        }
        Ok(())
    }

    fn note(&mut self, name: String, why: String, version: u64) {
        if self.shared.len() >= MAX_SHARED && !self.shared.contains_key(&name) {
            self.more_shared += 1;
            return;
        }
        self.shared.entry(name).or_default().note(why, version);
    }

    /// How many resources and texts are destroyed, by type.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, (u64, u64)> {
        let mut counts: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
        for ((name, _), own) in &self.own {
            let (resources, texts) = counts.entry(name).or_default();
            (*resources, *texts) = (*resources + 1, *texts + own.texts);
        }
        counts
    }
}
