//! `$bulk-delete`: everything a search finds, deleted by a job. An operation of this hub's own.
//!
//! It is previewed first: what it would delete is counted, and that number is what allows it. The job deletes what the search
//! found at the moment it was asked for, in groups; what was changed since then is left, and told.

use fhir::date_time::{Micros, format_instant};
use fhir::json::JsonWriter;
use fhir::{Issue, IssueType, TypeId, r4};
use search::query::Pair;
use serde::{Deserialize, Serialize};
use store::{Action, Command, Place, Seat};

use super::file::Folder;
use super::refused::Refused;
use crate::{Access, Failure, Hub, Kind, once_key};

/// Resources deleted together.
const GROUP: usize = 500;
/// A preview names so many.
const NAMED: usize = 20;

/// A bulk deletion, as asked for and as far as it has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BulkDelete {
    /// As it was asked for: the address.
    request: String,
    id: String,
    resource_type: String,
    criteria: String,
    place: Place,
    instant: Micros,
    done: u64,
    /// Where the last one deleted was kept: what is destroyed meanwhile is found no more.
    after: Option<Seat>,
    deleted: u64,
    refused: Refused,
}

/// What is asked of `$bulk-delete`.
#[derive(Clone, Debug)]
pub struct BulkDeleteRequest {
    resource_type: TypeId,
    criteria: String,
    /// How many the preview found; without it, this is a preview.
    expected: Option<u64>,
}

impl BulkDeleteRequest {
    /// Reads the search, and `expected`.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(resource_type: TypeId, pairs: &[Pair]) -> Result<BulkDeleteRequest, Failure> {
        let mut expected = None;
        let mut criteria = Vec::new();
        for (name, value) in pairs {
            if name == "expected" {
                let number = value.parse().map_err(|_| {
                    Issue::error(
                        IssueType::Value,
                        format!("expected: '{value}' is not a number of resources"),
                    )
                })?;
                expected = Some(number);
            } else {
                criteria.push((name.clone(), value.clone()));
            }
        }
        let address = crate::bundle::address("", &criteria, None);
        Ok(BulkDeleteRequest {
            resource_type,
            criteria: address.trim_start_matches('?').to_owned(),
            expected,
        })
    }
}

impl Hub {
    /// A preview (Parameters: how many, and the first of them), or the job to be submitted under this id.
    ///
    /// # Errors
    /// A search that is none, or finds another number than expected.
    pub fn bulk_delete(
        &self,
        access: &Access,
        asked: BulkDeleteRequest,
        request: String,
        id: String,
    ) -> Result<Result<BulkDelete, String>, Failure> {
        access.whole("$bulk-delete")?;
        let criteria = self.criteria(asked.resource_type, &asked.criteria)?;
        let reader = self.reader(access);
        let place = reader.place();
        let found = reader.all(&criteria.query, place, self.budget())?;
        let count = found.len() as u64;
        let name = r4().type_name(asked.resource_type);
        match asked.expected {
            None => {
                let mut names = Vec::new();
                reader.each(&found[..found.len().min(NAMED)], place, |kept| {
                    names.push(format!("{name}/{}", kept.id))
                })?;
                Ok(Err(preview(count, &names)))
            }
            Some(expected) if expected != count => {
                let message = format!(
                    "{name}?{} finds {count}, not the {expected} expected; look at a preview (without expected) again",
                    asked.criteria
                );
                Err(Failure::new(Kind::Conflict, IssueType::Conflict, message))
            }
            Some(_) => Ok(Ok(BulkDelete {
                request,
                id,
                resource_type: name.to_owned(),
                criteria: asked.criteria,
                place,
                instant: reader.instant(),
                done: 0,
                after: None,
                deleted: 0,
                refused: Refused::default(),
            })),
        }
    }
}

fn preview(count: u64, names: &[String]) -> String {
    let mut json = JsonWriter::new();
    json.object(|p| {
        p.member("resourceType", "Parameters");
        p.name("parameter").array(|list| {
            list.object(|one| {
                one.member("name", "expected");
                one.raw_member("valueInteger", &count.to_string());
            });
            for name in names {
                list.object(|one| {
                    one.member("name", "resource");
                    one.name("valueReference").object(|r| {
                        r.member("reference", name);
                    });
                });
            }
        });
    });
    json.finish()
}

impl BulkDelete {
    /// The files it made, and how long they are.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.refused.file().into_iter()
    }

    /// What became of it; `address` gives a file's address.
    #[must_use]
    pub fn manifest(&self, address: &dyn Fn(&str) -> String) -> String {
        let mut json = JsonWriter::new();
        json.object(|m| {
            m.member("transactionTime", &format_instant(self.instant));
            m.member("request", &self.request);
            m.name("deleted").array(|list| {
                list.object(|o| {
                    o.member("type", &self.resource_type);
                    o.raw_member("count", &self.deleted.to_string());
                });
            });
            self.refused.write(m, address);
        });
        json.finish()
    }

    /// Does what is left of it. `None` if it was stopped on the way.
    pub(super) fn run(
        mut self,
        hub: &Hub,
        folder: Folder<'_>,
        is_over: &dyn Fn() -> bool,
        checkpoint: &mut dyn FnMut(&BulkDelete, u64, u64) -> Result<(), Failure>,
    ) -> Result<Option<BulkDelete>, Failure> {
        let mut errors = self.refused.open(folder)?;
        let access = Access::open("bulk-delete");
        let reader = hub.reader(&access);
        let resource_type = r4().resource_type(&self.resource_type).unwrap_or(r4().well_known().resource);
        // The place fixes what is found, and its order.
        let criteria = hub.criteria(resource_type, &self.criteria)?;
        let mut found = reader.all(&criteria.query, self.place, hub.budget())?;
        found.sort_unstable_by_key(|f| f.seat);
        let total = found.len() as u64;
        let skip = found.partition_point(|f| self.after.is_some_and(|after| f.seat <= after));
        for part in found[skip..].chunks(GROUP) {
            checkpoint(&self, self.done, total)?;
            if is_over() {
                return Ok(None);
            }
            let mut resources = Vec::with_capacity(part.len());
            reader.each(part, self.place, |kept| resources.push((kept.id, kept.version)))?;
            let command = |(id, version): &(String, u64)| Command {
                if_match: Some(*version),
                ..Command::new(resource_type, id, Action::Delete)
            };
            let propose = |commands: Vec<Command>, name: &str| {
                let first = commands.first().map(|c| c.id.clone()).unwrap_or_default();
                let once =
                    once_key(&[b"$bulk-delete", self.id.as_bytes(), name.as_bytes(), first.as_bytes()]);
                hub.submit_and_wait(hub.prepared(&access, commands, Some(once)))
            };
            if propose(resources.iter().map(command).collect(), "group").is_ok() {
                self.deleted += resources.len() as u64;
            } else {
                for one in &resources {
                    match propose(vec![command(one)], "one") {
                        Ok(_) => self.deleted += 1,
                        Err(failure) if failure.kind.status() >= 500 => return Err(failure),
                        Err(failure) => errors.add(&failure.issues)?,
                    }
                }
            }
            self.done += part.len() as u64;
            self.after = part.last().map(|f| f.seat);
            self.refused = errors.sync()?;
        }
        checkpoint(&self, total, total)?;
        Ok(Some(self))
    }
}
