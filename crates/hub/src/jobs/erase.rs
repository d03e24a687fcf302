//! The work of `$erase`.
//!
//! Texts outside the record are found by what the record says of the person, so they go first; then the record is destroyed;
//! then what was written meanwhile goes, too; at last the files are merged. Each part can be done again: a job that was cut off
//! begins with the part it was in. What it keeps of the person are the ids of Patients and of what else it reports.

use std::collections::BTreeMap;
use std::path::Path;

use fhir::date_time::{Micros, format_instant};
use fhir::json::JsonWriter;
use fhir::{IssueType, r4};
use ledger::Action as Audit;
use serde::{Deserialize, Serialize};
use store::{Action, Circumstances, Clock as _, Command};

use super::Jobs;
use crate::erase::plan::{Plan, Shared};
use crate::erase::texts::{Counts, holds, in_files};
use crate::{Access, Audited, EraseRequest, Failure, Hub, Kind, SystemClock};

/// Resources of which something is done in one commit.
const GROUP: usize = 500;
/// Whoever keeps writing to a record that is erased is not waited for for ever.
const ROUNDS: u32 = 10;
/// Steps of the work, as progress is told.
const STEPS: u64 = 5;

/// Which part of the work is next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug, Serialize, Deserialize)]
enum Part {
    /// Accounts, jobs, ledger, log.
    Texts,
    /// The record.
    Record,
    /// The files.
    Files,
}

/// An erasure, as asked for and as far as it has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Erase {
    id: String,
    patient: String,
    patients: Vec<String>,
    also: Vec<String>,
    reason: String,
    /// Who asked for it.
    author: Option<String>,
    client: Option<String>,
    instant: Micros,
    part: Part,
    /// By type, as it was when it began.
    types: Counts,
    shared: BTreeMap<String, Shared>,
    more_shared: u64,
    /// Resources and texts that were destroyed.
    resources: u64,
    texts: u64,
    entries: u64,
    records: u64,
    jobs: u64,
    accounts: u64,
    proxies: u64,
}

impl Erase {
    pub(crate) fn new(
        id: String,
        patient: &str,
        plan: &Plan,
        asked: &EraseRequest,
        access: &Access,
    ) -> Erase {
        let types = plan.counts().into_iter().map(|(name, counts)| (name.to_owned(), counts)).collect();
        Erase {
            id,
            patient: patient.to_owned(),
            patients: plan.patients.clone(),
            also: asked.also().to_vec(),
            reason: asked.reason().to_owned(),
            author: access.circumstances.author.clone(),
            client: access.circumstances.client.clone(),
            instant: SystemClock.now(),
            part: Part::Texts,
            types,
            shared: plan.shared.clone(),
            more_shared: plan.more_shared,
            resources: 0,
            texts: 0,
            entries: 0,
            records: 0,
            jobs: 0,
            accounts: 0,
            proxies: 0,
        }
    }

    /// What was done.
    #[must_use]
    pub fn manifest(&self) -> String {
        let mut json = JsonWriter::new();
        json.object(|m| {
            m.member("transactionTime", &format_instant(self.instant));
            m.member("reason", &self.reason);
            m.name("patient").array(|list| {
                for id in &self.patients {
                    list.string(&format!("Patient/{id}"));
                }
            });
            m.name("destroyed").array(|list| {
                for (name, (resources, texts)) in &self.types {
                    list.object(|o| {
                        o.member("type", name);
                        o.raw_member("resources", &resources.to_string());
                        o.raw_member("texts", &texts.to_string());
                    });
                }
            });
            for (name, number) in [
                ("resources", self.resources),
                ("texts", self.texts),
                ("logEntries", self.entries),
                ("ledgerRecords", self.records),
                ("jobs", self.jobs),
                ("accounts", self.accounts),
                ("changedAccounts", self.proxies),
            ] {
                m.raw_member(name, &number.to_string());
            }
            m.name("shared").array(|list| {
                for (name, shared) in &self.shared {
                    list.object(|o| {
                        o.member("resource", name);
                        o.name("why").array(|list| {
                            for why in &shared.why {
                                list.string(why);
                            }
                        });
                        o.name("version").array(|list| {
                            for version in &shared.versions {
                                list.raw(&version.to_string());
                            }
                        });
                    });
                }
            });
            m.raw_member("moreShared", &self.more_shared.to_string());
        });
        json.finish()
    }

    fn access(&self) -> Access {
        let circumstances = Circumstances {
            author: self.author.clone(),
            client: self.client.clone(),
            purpose: Some(self.reason.clone()),
            ..Access::open("erase").circumstances
        };
        Access { circumstances, ..Access::open("erase") }
    }

    fn plan(&self, hub: &Hub) -> Result<Plan, Failure> {
        let accounts = hub.accounts.as_ref();
        let names = accounts.map(|a| a.names(&self.patients)).transpose()?.unwrap_or_default();
        hub.erasure_plan(&hub.reader(&self.access()), &self.patients, &self.also, &names)
    }

    /// Does what is left of it. `None` if it was stopped on the way.
    pub(super) fn run(
        mut self,
        hub: &Hub,
        jobs: &Jobs,
        is_over: &dyn Fn() -> bool,
        checkpoint: &mut dyn FnMut(&Erase, u64, u64) -> Result<(), Failure>,
    ) -> Result<Option<Erase>, Failure> {
        let mut known = None;
        if self.part == Part::Texts {
            checkpoint(&self, 0, STEPS)?;
            let plan = self.plan(hub)?;
            self.erase_texts(hub, jobs, &plan)?;
            known = Some(plan);
            if let Some(accounts) = &hub.accounts {
                let (own, others) = accounts.erase(&self.patients)?;
                (self.accounts, self.proxies) = (self.accounts + own, self.proxies + others);
            }
            self.part = Part::Record;
        }
        if self.part == Part::Record {
            for round in 0.. {
                checkpoint(&self, 1, STEPS)?;
                if is_over() {
                    return Ok(None);
                }
                // Whose attachments are is found out once; what was written since is looked for in the record.
                let plan = match (known.take(), round) {
                    (Some(plan), _) => plan,
                    (None, 0) => self.plan(hub)?,
                    (None, _) => hub.record_plan(&hub.reader(&self.access()), &self.patients, &self.also)?,
                };
                if round > 0 && plan.own.is_empty() {
                    break;
                }
                if round == ROUNDS {
                    let message = "the record is being written to all the time; stop whoever writes it, and erase again";
                    return Err(Failure::new(Kind::Conflict, IssueType::Conflict, message));
                }
                self.destroy(hub, &plan)?;
                checkpoint(&self, 2, STEPS)?;
                // What was asked and written meanwhile.
                self.erase_texts(hub, jobs, &plan)?;
            }
            self.part = Part::Files;
        }
        checkpoint(&self, 3, STEPS)?;
        if !hub.store().scrub(is_over)? {
            return Ok(None);
        }
        checkpoint(&self, 4, STEPS)?;
        if let Some(ledger) = &hub.ledger {
            ledger.scrub().map_err(|e| crate::unwritten(&e))?;
        }
        let audited = Audited {
            action: Audit::Operation("$erase".to_owned()),
            status: 200,
            reason: Some(self.reason.clone()),
            target: format!("Patient/{}", self.patient),
            ..Audited::default()
        };
        hub.audit_durably(&hub.watched(self.access()), audited)?;
        Ok(Some(self))
    }

    fn erase_texts(&mut self, hub: &Hub, jobs: &Jobs, plan: &Plan) -> Result<(), Failure> {
        let wanted = in_files(plan)?;
        let is_held = |folder: &Path| holds(folder, &wanted);
        self.jobs += jobs.end_those(&self.id, &is_held)?;
        self.records += hub.erase_from_ledger(plan)?;
        let access = self.access();
        self.entries += hub.erase_from_log(&hub.reader(&access), plan, &access.circumstances)?;
        Ok(())
    }

    /// Deletes what exists and destroys what was said.
    fn destroy(&mut self, hub: &Hub, plan: &Plan) -> Result<(), Failure> {
        let access = self.access();
        let mut own: Vec<_> = plan.own.iter().collect();
        // Attachments first: whose they are is known from what refers to them.
        own.sort_by_key(|((name, _), _)| *name != "Binary");
        for group in own.chunks(GROUP) {
            let reader = hub.reader(&access);
            let (mut deletions, mut destructions) = (Vec::new(), Vec::new());
            for ((name, id), own) in group {
                let Some(resource_type) = r4().resource_type(name) else { continue };
                let current = reader.read(resource_type, id, None)?.filter(|kept| kept.text.is_some());
                deletions.extend(current.map(|kept| Command {
                    based_on: Some(kept.version),
                    ..Command::new(resource_type, id, Action::Delete)
                }));
                destructions.push(Command::new(resource_type, id, Action::Destroy { up_to: own.up_to }));
                (self.resources, self.texts) = (self.resources + 1, self.texts + own.texts);
            }
            for commands in [deletions, destructions] {
                if commands.is_empty() {
                    continue;
                }
                let mut prepared = hub.prepared(&access, commands, None);
                prepared.proposal.may_break_references = true;
                match hub.submit_and_wait(prepared) {
                    // Written meanwhile: the next round finds it.
                    Err(failure) if failure.kind == Kind::Conflict => break,
                    other => other.map(drop)?,
                }
            }
        }
        Ok(())
    }
}
