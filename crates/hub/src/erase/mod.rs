//! `Patient/[id]/$erase`: a person is erased, on lawful request. An operation of this hub's own.
//!
//! It destroys what the record says, for every moment, as `$purge` does, and takes the person out of whatever else the hub keeps:
//!
//! * [`plan`]: what is the person's own; what of others names the person is reported one by one and stays until it is
//!   decided ([`traces`]: by what a person is named).
//! * [`texts`]: searches in the log's entries and in the read-audit ledger; files of jobs; accounts.
//! * [`crate::jobs`]: the work itself is a job, which goes on after the program was killed, and ends with merging the files.
//!
//! Nothing of what is erased is written down anywhere on the way: whoever is erased is known to the job by the ids of
//! Patients, and those stay (docs/decisions/2611-erasure.md).

pub(crate) mod plan;
pub(crate) mod texts;
pub(crate) mod traces;

use fhir::json::JsonWriter;
use fhir::{Issue, IssueType, r4};
use search::query::Pair;

use self::plan::{Plan, named};
use crate::jobs::Erase;
use crate::{Access, Failure, Hub, Kind};

/// A reason has at most so many bytes.
const MAX_REASON: usize = 500;
/// More resources than this are not decided at once.
const MAX_ALSO: usize = 10_000;

pub(crate) const NAMES: &[&str] = &["reason", "linked", "also", "preview"];

/// Where a person's accounts are: a home of secrets, of which the record knows nothing else.
pub trait Accounts: Send + Sync {
    /// The names under which a person, by the ids of the person's Patients, is known.
    ///
    /// # Errors
    /// If they cannot be read.
    fn names(&self, patients: &[String]) -> Result<Vec<String>, Failure>;

    /// Erases the person there, so that nothing stays on disk. How many accounts were the person's own, and how many others
    /// were changed.
    ///
    /// # Errors
    /// If it cannot be done.
    fn erase(&self, patients: &[String]) -> Result<(u64, u64), Failure>;
}

/// What is asked of `$erase`.
#[derive(Clone, Debug)]
pub struct EraseRequest {
    /// Why; it stays in the log.
    reason: String,
    /// Whether the Patients linked with the one named are erased with it.
    is_linked: bool,
    /// What else was decided to be erased: `Type/id`.
    also: Vec<String>,
    /// Only say what would be done.
    pub is_preview: bool,
}

fn invalid(message: String) -> Failure {
    Issue::error(IssueType::Invalid, message).into()
}

impl EraseRequest {
    /// Reads `reason`, `linked`, `also`, `preview`.
    ///
    /// # Errors
    /// What is not understood, or missing.
    pub fn read(pairs: &[Pair]) -> Result<EraseRequest, Failure> {
        let mut asked =
            EraseRequest { reason: String::new(), is_linked: true, also: Vec::new(), is_preview: false };
        for (name, text) in pairs {
            let flag = || match text.as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(invalid(format!("{name}: true or false, not '{text}'"))),
            };
            match name.as_str() {
                "reason" => text.trim().clone_into(&mut asked.reason),
                "linked" => asked.is_linked = flag()?,
                "preview" => asked.is_preview = flag()?,
                "also" => {
                    for one in text.split(',') {
                        named(one).map_err(|f| f.under("also"))?;
                        asked.also.push(one.to_owned());
                    }
                }
                _ => {
                    let message =
                        format!("{name}: $erase has no such parameter (it has {})", NAMES.join(", "));
                    return Err(invalid(message));
                }
            }
        }
        if asked.reason.is_empty() && !asked.is_preview {
            let message = "reason: say on whose request and why (a case's number); it stays in the log";
            return Err(invalid(message.to_owned()));
        }
        if asked.reason.len() > MAX_REASON || asked.also.len() > MAX_ALSO {
            return Err(invalid(format!(
                "reason has at most {MAX_REASON} bytes, and also names at most {MAX_ALSO} resources"
            )));
        }
        Ok(asked)
    }
}

impl Hub {
    /// Whether this hub may destroy at all.
    ///
    /// # Errors
    /// If it may not.
    pub fn may_erase(&self) -> Result<(), Failure> {
        if self.may_purge {
            return Ok(());
        }
        let message = "this hub destroys nothing; serve it with --allow-purge if it may, ask for a preview, or use yojigen erase";
        Err(Failure::new(Kind::NotAllowed, IssueType::Forbidden, message))
    }

    fn plan(&self, access: &Access, id: &str, asked: &EraseRequest) -> Result<Plan, Failure> {
        access.whole("$erase")?;
        let reader = self.reader(access);
        let patient = r4().well_known().patient;
        if reader.number_of(patient, id)?.is_none() {
            let message = format!("there is no Patient/{id}");
            return Err(Failure::new(Kind::NotFound, IssueType::NotFound, message));
        }
        let patients = match asked.is_linked {
            true => reader.linked_patients(id, self.budget())?,
            false => vec![id.to_owned()],
        };
        let names = self.accounts.as_ref().map(|a| a.names(&patients)).transpose()?.unwrap_or_default();
        self.erasure_plan(&reader, &patients, &asked.also, &names)
    }

    /// Says what erasing a person would do: a Parameters with whose Patients they are, how many resources and texts would be
    /// destroyed, by type, and what else names the person, one by one.
    ///
    /// # Errors
    /// If there is no such Patient; as the store says.
    pub fn erasure_preview(
        &self,
        access: &Access,
        id: &str,
        asked: &EraseRequest,
    ) -> Result<String, Failure> {
        Ok(preview(&self.plan(access, id, asked)?))
    }

    /// The job that erases a person.
    ///
    /// # Errors
    /// If there is no such Patient, or the reason itself names the person.
    pub fn erasure(
        &self,
        access: &Access,
        id: &str,
        asked: &EraseRequest,
        job: String,
    ) -> Result<Erase, Failure> {
        let plan = self.plan(access, id, asked)?;
        if plan.traces.named(&asked.reason).is_some() {
            let message = "reason: it names the person, and it stays; give a case's number";
            return Err(invalid(message.to_owned()));
        }
        Ok(Erase::new(job, id, &plan, asked, access))
    }
}

impl EraseRequest {
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    pub(crate) fn also(&self) -> &[String] {
        &self.also
    }
}

fn preview(plan: &Plan) -> String {
    let mut json = JsonWriter::new();
    json.object(|p| {
        p.member("resourceType", "Parameters");
        p.name("parameter").array(|list| {
            list.object(|one| {
                one.member("name", "preview");
                one.raw_member("valueBoolean", "true");
            });
            for id in &plan.patients {
                list.object(|one| {
                    one.member("name", "patient");
                    one.name("valueReference").object(|r| {
                        r.member("reference", &format!("Patient/{id}"));
                    });
                });
            }
            for (name, (resources, texts)) in plan.counts() {
                list.object(|one| {
                    one.member("name", "type");
                    one.name("part").array(|parts| {
                        parts.object(|part| {
                            part.member("name", "type");
                            part.member("valueCode", name);
                        });
                        for (label, number) in [("resources", resources), ("texts", texts)] {
                            parts.object(|part| {
                                part.member("name", label);
                                part.raw_member("valueInteger", &number.to_string());
                            });
                        }
                    });
                });
            }
            for (name, shared) in &plan.shared {
                list.object(|one| {
                    one.member("name", "shared");
                    one.name("part").array(|parts| {
                        parts.object(|part| {
                            part.member("name", "resource");
                            part.name("valueReference").object(|r| {
                                r.member("reference", name);
                            });
                        });
                        for why in &shared.why {
                            parts.object(|part| {
                                part.member("name", "why");
                                part.member("valueString", why);
                            });
                        }
                        for version in &shared.versions {
                            parts.object(|part| {
                                part.member("name", "version");
                                part.raw_member("valueInteger", &version.to_string());
                            });
                        }
                    });
                });
            }
            if plan.more_shared > 0 {
                list.object(|one| {
                    one.member("name", "more-shared");
                    one.raw_member("valueInteger", &plan.more_shared.to_string());
                });
            }
        });
    });
    json.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<EraseRequest, String> {
        let pairs: Vec<Pair> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        EraseRequest::read(&pairs).map_err(|f| f.issues[0].diagnostics.clone())
    }

    #[test]
    fn what_is_asked_is_understood_or_named() {
        let asked = read(&[("reason", "case 7"), ("also", "Group/g,Bundle/b"), ("linked", "false")]).unwrap();
        assert!(!asked.is_linked && !asked.is_preview && asked.also == ["Group/g", "Bundle/b"]);
        assert!(read(&[("preview", "true")]).unwrap().is_preview);
        for (pairs, finding) in [
            (&[][..], "on whose request"),
            (&[("reason", " ")], "on whose request"),
            (&[("reason", "x"), ("also", "Nothing/g")], "no resource"),
            (&[("reason", "x"), ("also", "Group/g/_history/1")], "no resource"),
            (&[("reason", "x"), ("linked", "perhaps")], "true or false"),
            (&[("keep", "x")], "it has reason, linked, also, preview"),
        ] {
            let error = read(pairs).unwrap_err();
            assert!(error.contains(finding), "{error}");
        }
    }
}
