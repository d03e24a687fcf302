//! `Patient/$match`: who a person may be (<https://hl7.org/fhir/R4/patient-operation-match.html>).
//!
//! Candidates come from a few searches on the index ([`blocks`]); each is read once and compared ([`compare`]); a model
//! whose weights are data ([`model`]) makes of what is found a score and a grade. Each answer says what was found and what
//! it weighs. Nothing is ever written or linked here: to join two Patients is an act of its own (`$merge`).
//!
//! A Patient that another has replaced is answered by that other one: the person's own.

mod blocks;
mod compare;
mod identity;
mod kana;
mod model;
mod name;

use std::collections::{BTreeMap, BTreeSet};

use fhir::date_time::{Micros, format_instant};
use fhir::issue::nearest;
use fhir::json::JsonWriter;
use fhir::{Issue, IssueType, NodeRef, Resource, Severity, r4};
use search::query::Pair;
use store::{Budget, Kept, Place, Reader};

use self::identity::Identity;
use self::model::{Finding, Verdict};
pub use self::model::{Grade, MatchModel};
use crate::{Access, Failure, Hub, Kind, SearchRequest, bundle, outcome};

/// A search for candidates takes so many at most.
const MAX_OF_A_BLOCK: usize = 300;
/// A search for candidates looks at so many index rows at most.
const ROWS_OF_A_BLOCK: u64 = 50_000;
/// Answers, where no number is asked for.
const DEFAULT_COUNT: usize = 20;
/// Answers at most.
const MAX_COUNT: usize = 200;
/// So many Patients may have replaced one another in a row.
const MAX_REPLACED: usize = 10;

/// The extension of `search` that says what a score is made of: `feature` and `level` (codes), `weight` (bits).
pub const EVIDENCE: &str = "https://yojigen.example/fhir/StructureDefinition/match-evidence";
/// The extension of `search` that names the Patient that was compared, where another has replaced it.
pub const THROUGH: &str = "https://yojigen.example/fhir/StructureDefinition/match-through";
const GRADE: &str = "http://hl7.org/fhir/StructureDefinition/match-grade";

/// A call of `$match`.
#[derive(Clone, Debug)]
pub struct MatchRequest {
    identity: Identity,
    is_only_certain: bool,
    count: usize,
    as_of: Option<Micros>,
}

const NAMES: &[&str] = &["resource", "onlyCertainMatches", "count", "_asOf"];

impl MatchRequest {
    /// Reads a body (Parameters, or a Patient) and the parameters of the address.
    ///
    /// # Errors
    /// What is not understood; a Patient that says nothing anyone could be found by.
    pub fn read(hub: &Hub, body: &Resource, pairs: &[Pair]) -> Result<MatchRequest, Failure> {
        let root = body.root();
        let mut given: Vec<Pair> = pairs.to_vec();
        let mut patient = None;
        match root.type_name() {
            "Patient" => patient = Some(root),
            "Parameters" => {
                for (at, parameter) in root.all("parameter").enumerate() {
                    let name = parameter.text_at("name").map(String::from).unwrap_or_default();
                    let place = format!("Parameters.parameter[{at}]");
                    match (name.as_str(), parameter.child("resource"), parameter.text_at("value")) {
                        ("resource", Some(resource), _) if patient.is_none() => patient = Some(resource),
                        ("resource", Some(_), _) => {
                            return Err(invalid("resource: it is given twice").under(&place));
                        }
                        (_, None, Some(value)) => given.push((name, value.into_owned())),
                        _ => {
                            let message = format!(
                                "{name}: resource is a Patient, the other parameters are simple values"
                            );
                            return Err(invalid(&message).under(&place));
                        }
                    }
                }
            }
            other => {
                return Err(invalid(&format!(
                    "send Parameters with a parameter resource, or a Patient; found a {other}"
                )));
            }
        }
        let Some(patient) = patient else {
            return Err(invalid("resource: a Patient with what is known of the person is needed"));
        };
        if patient.type_name() != "Patient" {
            return Err(invalid(&format!("resource: a Patient is needed, found a {}", patient.type_name())));
        }
        let identity = Identity::read(patient);
        if blocks::blocks(&identity).is_empty() {
            let message = "resource: nobody can be found by this; give a birth date, an identifier, a telephone number, or family and given name";
            return Err(Failure::new(Kind::Invalid, IssueType::Required, message));
        }
        let mut request =
            MatchRequest { identity, is_only_certain: false, count: DEFAULT_COUNT, as_of: None };
        for (name, text) in &given {
            request.parameter(hub, name, text).map_err(|m| invalid(&format!("{name}: {m}")))?;
        }
        Ok(request)
    }

    fn parameter(&mut self, hub: &Hub, name: &str, text: &str) -> Result<(), String> {
        match name {
            "onlyCertainMatches" => match text {
                "true" | "false" => self.is_only_certain = text == "true",
                _ => return Err("true or false".to_owned()),
            },
            "count" => match text.parse() {
                Ok(count) if (1..=MAX_COUNT).contains(&count) => self.count = count,
                _ => return Err(format!("'{text}' is not a number from 1 to {MAX_COUNT}")),
            },
            "_asOf" => match fhir::DateTime::parse(text) {
                Some(date) => self.as_of = Some(date.interval(hub.zone()).1 - 1),
                None => return Err(format!("'{text}' is not a date or instant")),
            },
            other => {
                let near = nearest(other, NAMES.iter().copied());
                let known = if near.is_empty() { NAMES.join(", ") } else { near.join(" or ") };
                return Err(format!("$match has no such parameter (it has {known})"));
            }
        }
        Ok(())
    }
}

fn invalid(message: &str) -> Failure {
    Failure::new(Kind::Invalid, IssueType::Invalid, message)
}

/// A Patient that may be the person.
struct Matched {
    kept: Kept,
    /// The Patient that was compared, if this one has replaced it.
    through: Option<String>,
    verdict: Verdict,
    findings: Vec<Finding>,
}

impl Hub {
    /// The Patients that may be the person, likeliest first, as a Bundle of type searchset.
    ///
    /// # Errors
    /// A store's failure; weights that do not read.
    pub fn match_patients(
        &self,
        access: &Access,
        request: &MatchRequest,
        base: &str,
    ) -> Result<String, Failure> {
        let model = match &self.match_model {
            Some(model) => model.as_ref(),
            None => MatchModel::standard().map_err(|m| {
                Failure::new(Kind::Internal, IssueType::Exception, format!("the weights of $match: {m}"))
            })?,
        };
        let reader = self.reader(access);
        let place = self.place(&reader, request.as_of)?.unwrap_or(reader.place());
        let mut remarks = Vec::new();
        let candidates = self.candidates(&reader, place, &request.identity, &mut remarks)?;
        let patients = reader.total(r4().well_known().patient, Some(place))?;
        let mut found: BTreeMap<String, Matched> = BTreeMap::new();
        let many = candidates.len();
        for kept in candidates {
            let Ok(patient) = fhir::json::parse(kept.json().as_bytes(), &self.limits) else { continue };
            let findings = compare::compare(&request.identity, &Identity::read(patient.root()), model);
            let verdict = model.judge(&findings, patients);
            if verdict.grade == Grade::CertainlyNot {
                continue;
            }
            let matched = survivor(&reader, place, kept, &patient, &self.limits)?;
            let matched = Matched { kept: matched.0, through: matched.1, verdict, findings };
            let id = matched.kept.id.clone();
            // Of a person's several Patients the likeliest speaks for it.
            if found.get(&id).is_none_or(|known| known.verdict.score < matched.verdict.score) {
                found.insert(id, matched);
            }
        }
        let mut found: Vec<Matched> = found.into_values().collect();
        let likelier = |a: &Matched, b: &Matched| {
            let by_score = b.verdict.score.total_cmp(&a.verdict.score);
            b.verdict.grade.cmp(&a.verdict.grade).then(by_score).then_with(|| a.kept.id.cmp(&b.kept.id))
        };
        found.sort_by(likelier);
        if request.is_only_certain {
            let considered = found.len();
            found.retain(|m| m.verdict.grade == Grade::Certain);
            if found.len() > 1 {
                remarks.push(outcome::information(&format!(
                    "{} Patients are certain matches, so that none of them is; ask without onlyCertainMatches, and let a person look",
                    found.len()
                )));
                found.clear();
            } else if found.is_empty() && considered > 0 {
                remarks.push(outcome::information(&format!(
                    "{considered} Patients may be the person, none of them for certain; ask without onlyCertainMatches"
                )));
            }
        }
        if found.len() > request.count {
            remarks.push(outcome::information(&format!(
                "{} more Patients may be the person; raise count",
                found.len() - request.count
            )));
            found.truncate(request.count);
        }
        access.saw_all(found.iter().map(|m| &m.kept));
        remarks.push(outcome::information(&format!("{many} of {patients} Patients were compared")));
        Ok(searchset(&found, &remarks, base, format_instant(reader.instant_of(place)?.max(0))))
    }

    /// Everyone who is in a block, each once.
    fn candidates(
        &self,
        reader: &Reader,
        place: Place,
        identity: &Identity,
        remarks: &mut Vec<Issue>,
    ) -> Result<Vec<Kept>, Failure> {
        let mut seen = BTreeSet::new();
        let mut candidates = Vec::new();
        for block in blocks::blocks(identity) {
            let (mut found, mut is_all) = self.block(reader, place, &block.pairs)?;
            if !is_all && let Some(narrower) = &block.narrower {
                let (more, all) = self.block(reader, place, narrower)?;
                found.extend(more);
                is_all = all;
            }
            if !is_all {
                let message = format!(
                    "more Patients have {} in common with this than are compared; give more of what is known of the person",
                    block.what
                );
                remarks.push(Issue {
                    severity: Severity::Warning,
                    ..Issue::error(IssueType::Incomplete, message)
                });
            }
            for one in found {
                if seen.insert(one.seat.resource) {
                    candidates.extend(reader.kept(one, place)?.filter(|kept| kept.text.is_some()));
                }
            }
        }
        Ok(candidates)
    }

    /// What a search for candidates finds, and whether that is all.
    fn block(
        &self,
        reader: &Reader,
        place: Place,
        pairs: &[Pair],
    ) -> Result<(Vec<store::Found>, bool), Failure> {
        let resource_type = r4().well_known().patient;
        let request = SearchRequest { resource_type, compartment: None, pairs, base: "", is_lenient: false };
        let query = self.query(&request)?;
        let budget = Budget::new(self.search_limits.rows.min(ROWS_OF_A_BLOCK), self.search_limits.time);
        match reader.search(&query, place, MAX_OF_A_BLOCK, None, budget) {
            Ok(page) => Ok((page.matches, page.next.is_none())),
            Err(store::Failure::Query(issue)) if issue.code == IssueType::TooCostly => {
                Ok((Vec::new(), false))
            }
            Err(failure) => Err(failure.into()),
        }
    }
}

/// The Patient that has replaced this one, if one has, and then the name of this one.
fn survivor(
    reader: &Reader,
    place: Place,
    kept: Kept,
    patient: &Resource,
    limits: &fhir::Limits,
) -> Result<(Kept, Option<String>), Failure> {
    let own = bundle::local_name(&kept);
    let mut current = (kept, None);
    let mut next = replaced_by(patient.root());
    for _ in 0..MAX_REPLACED {
        let Some(id) = next else { break };
        let Some(other) =
            reader.read(r4().well_known().patient, &id, Some(place))?.filter(|k| k.text.is_some())
        else {
            break;
        };
        let Ok(patient) = fhir::json::parse(other.json().as_bytes(), limits) else { break };
        next = replaced_by(patient.root());
        current = (other, Some(own.clone()));
    }
    Ok(current)
}

/// The id of the Patient of this hub that has replaced one.
pub(crate) fn replaced_by(patient: NodeRef<'_>) -> Option<String> {
    let link = patient.all("link").find(|l| l.text_at("type").as_deref() == Some("replaced-by"))?;
    let reference = link.text_at("other.reference")?;
    reference.strip_prefix("Patient/").map(|id| id.split('/').next().unwrap_or(id).to_owned())
}

fn searchset(found: &[Matched], remarks: &[Issue], base: &str, instant: String) -> String {
    let mut json = JsonWriter::new();
    json.object(|b| {
        b.member("resourceType", "Bundle").member("type", "searchset").member("timestamp", &instant);
        b.raw_member("total", &found.len().to_string());
        b.name("entry").array(|entries| {
            for matched in found {
                entries.object(|e| {
                    e.member("fullUrl", &format!("{base}/{}", bundle::local_name(&matched.kept)));
                    e.name("resource").raw_with(|out| matched.kept.write(out));
                    e.name("search").object(|s| write_search(s, matched));
                });
            }
            entries.object(|e| {
                outcome::write(e.name("resource"), remarks);
                e.name("search").object(|s| {
                    s.member("mode", "outcome");
                });
            });
        });
    });
    json.finish()
}

fn write_search(json: &mut JsonWriter, matched: &Matched) {
    json.name("extension").array(|list| {
        list.object(|e| {
            e.member("url", GRADE).member("valueCode", matched.verdict.grade.code());
        });
        for finding in &matched.findings {
            list.object(|e| {
                e.member("url", EVIDENCE);
                e.name("extension").array(|parts| {
                    for (name, value) in [("feature", finding.feature), ("level", finding.level)] {
                        parts.object(|p| {
                            p.member("url", name).member("valueCode", value);
                        });
                    }
                    parts.object(|p| {
                        p.member("url", "weight")
                            .raw_member("valueDecimal", &format!("{:.2}", finding.weight));
                    });
                });
            });
        }
        if let Some(through) = &matched.through {
            list.object(|e| {
                e.member("url", THROUGH);
                e.name("valueReference").object(|r| {
                    r.member("reference", through);
                });
            });
        }
    });
    json.member("mode", "match").raw_member("score", &format!("{:.6}", matched.verdict.score));
}
