//! `$purge`: destroys what a resource, or a person's whole record, said; for every moment, beyond recall.
//!
//! An operation of this hub's own, on any resource; on a Patient it concerns everything that is or was kept in that record
//! (<https://hl7.org/fhir/R5/patient-operation-purge.html>). What exists is deleted first, in one commit; the destruction is the
//! next one. The log keeps that there were versions, their sizes and moments; a read of one answers 410. Backups taken
//! before still have the texts; restored to their end they destroy them again.

use fhir::date_time::Micros;
use fhir::json::JsonWriter;
use fhir::{DateTime, Issue, IssueType, TypeId, r4};
use search::query::Pair;
use store::{Action, Command, Doomed, Purgeable};

use crate::{Access, Failure, Hub, Kind};

/// More resources than this are not destroyed at once.
const MAX_RESOURCES: usize = 100_000;
/// Resources whose texts are destroyed in one commit.
const GROUP: usize = 500;
const NAMES: &str = "keep-current, before and preview";

/// What is asked of `$purge`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PurgeRequest {
    doomed: Doomed,
    /// Only say what would be destroyed.
    pub is_preview: bool,
}

impl PurgeRequest {
    /// Reads `keep-current`, `before`, `preview`.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(hub: &Hub, pairs: &[Pair]) -> Result<PurgeRequest, Failure> {
        let mut asked = PurgeRequest::default();
        for (name, text) in pairs {
            let flag = || match text.as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(format!("{name}: true or false, not '{text}'")),
            };
            let outcome = match name.as_str() {
                "keep-current" => flag().map(|yes| asked.doomed.keeps_current = yes),
                "preview" => flag().map(|yes| asked.is_preview = yes),
                "before" => before(hub, text).map(|moment| asked.doomed.before = Some(moment)),
                _ => Err(format!("{name}: $purge has no such parameter (it has {NAMES})")),
            };
            outcome.map_err(|message| Issue::error(IssueType::Invalid, message))?;
        }
        if asked.doomed.before.is_some() {
            if pairs.iter().any(|(name, value)| name == "keep-current" && value == "false") {
                let message = "before: what stands was not replaced before any moment; purge without before, or without keep-current=false";
                return Err(Issue::error(IssueType::Invalid, message).into());
            }
            asked.doomed.keeps_current = true;
        }
        Ok(asked)
    }
}

fn before(hub: &Hub, text: &str) -> Result<Micros, String> {
    let parsed = DateTime::parse(&text.replacen(' ', "+", 1));
    parsed
        .map(|d| d.interval(hub.zone()).0)
        .ok_or_else(|| format!("before: '{text}' is not a date or instant"))
}

impl Hub {
    /// Destroys, or says what would be destroyed: a Parameters with how many resources and texts, by type.
    ///
    /// # Errors
    /// If this hub does not destroy, there is no such resource, or something was written meanwhile.
    pub fn purge(
        &self,
        access: &Access,
        resource_type: TypeId,
        id: &str,
        asked: PurgeRequest,
    ) -> Result<String, Failure> {
        access.whole("$purge")?;
        if !self.may_purge && !asked.is_preview {
            let message =
                "this hub destroys nothing; serve it with --allow-purge if it may, or ask for a preview";
            return Err(Failure::new(Kind::NotAllowed, IssueType::Forbidden, message));
        }
        let found = self.reader(access).purgeable(resource_type, id, asked.doomed)?.ok_or_else(|| {
            let message = format!("there is no {}/{id}", r4().type_name(resource_type));
            Failure::new(Kind::NotFound, IssueType::NotFound, message)
        })?;
        if found.len() > MAX_RESOURCES {
            let message = format!(
                "{} resources; at most {MAX_RESOURCES} are destroyed at once. Purge them one by one, or with before",
                found.len()
            );
            return Err(Failure::new(Kind::TooCostly, IssueType::TooCostly, message));
        }
        if !asked.is_preview && !found.is_empty() {
            let deletions: Vec<Command> = found
                .iter()
                .filter_map(|p| Some((p, p.current?)))
                .map(|(p, version)| Command {
                    based_on: Some(version),
                    ..Command::new(p.resource_type, &p.id, Action::Delete)
                })
                .collect();
            if !deletions.is_empty() {
                self.submit_and_wait(self.prepared(access, deletions, None))?;
            }
            // In groups, so that others can write in between; one that is cut off is called again.
            for group in found.chunks(GROUP) {
                let destructions = group
                    .iter()
                    .map(|p| Command::new(p.resource_type, &p.id, Action::Destroy { up_to: p.up_to }))
                    .collect();
                self.submit_and_wait(self.prepared(access, destructions, None))?;
            }
        }
        Ok(answer(&found, asked.is_preview))
    }
}

fn answer(found: &[Purgeable], is_preview: bool) -> String {
    let mut json = JsonWriter::new();
    json.object(|p| {
        p.member("resourceType", "Parameters");
        p.name("parameter").array(|list| {
            list.object(|one| {
                one.member("name", "preview");
                one.raw_member("valueBoolean", if is_preview { "true" } else { "false" });
            });
            let mut number = |name: &str, value: u64| {
                list.object(|one| {
                    one.member("name", name);
                    one.raw_member("valueInteger", &value.to_string());
                });
            };
            number("resources", found.len() as u64);
            number("texts", found.iter().map(|p| p.texts).sum());
            // They come by type.
            for same in found.chunk_by(|a, b| a.resource_type == b.resource_type) {
                list.object(|one| {
                    one.member("name", "type");
                    one.name("part").array(|parts| {
                        parts.object(|part| {
                            part.member("name", "type");
                            part.member("valueCode", r4().type_name(same[0].resource_type));
                        });
                        parts.object(|part| {
                            part.member("name", "resources");
                            part.raw_member("valueInteger", &same.len().to_string());
                        });
                    });
                });
            }
        });
    });
    json.finish()
}
