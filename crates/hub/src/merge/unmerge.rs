//! `Patient/$unmerge`: undoes a `$merge`. An operation of this hub; FHIR has none.
//!
//! Parameters: `source-patient` (a reference to the Patient that was replaced), `target-patient` (who replaced it; if it is
//! given, it has to be that one), `preview`. The answer is that of `$merge`, its `result` the target as it is again.
//!
//! What the merge did stands in the history: the commit whose version of the source has the link and the one before has
//! not. What that commit changed is changed back, element by element; what was changed since elsewhere stays. If an element
//! the merge changed has changed again since, there is no telling what was meant, and the call is refused.

use fhir::{IssueType, Resource, r4};
use serde_json::{Map, Value};
use store::{HistoryEntry, HistoryRange, Kept, Reader};

use super::{Change, Named, Party, answer, each_parameter, invalid, members, preview, refused};
use crate::matching::replaced_by;
use crate::{Access, Failure, Hub, Kind, Prepared, WriteOptions};

/// A call of `$unmerge`.
#[derive(Clone, Debug)]
pub struct UnmergeRequest {
    source: Named,
    target: Option<Named>,
    /// Whether only to say what would be done.
    pub is_preview: bool,
    input: String,
}

impl UnmergeRequest {
    /// Reads the operation's Parameters. `base` is the hub's own.
    ///
    /// # Errors
    /// What is not understood, or missing.
    pub fn read(body: &Resource, base: &str) -> Result<UnmergeRequest, Failure> {
        let input = body.text().to_owned();
        let mut request = UnmergeRequest { source: Named::default(), target: None, is_preview: false, input };
        each_parameter(body, |name, parameter| match name {
            "source-patient" => request.source.set_reference(parameter, base),
            "target-patient" => request.target.insert(Named::default()).set_reference(parameter, base),
            "preview" => preview(parameter).map(|is_preview| request.is_preview = is_preview),
            _ => Err(invalid(
                "$unmerge has no such parameter (it has source-patient, target-patient, preview)",
            )),
        })?;
        if !request.source.is_named() {
            let message = "name the Patient that was replaced: source-patient is needed";
            return Err(Failure::new(Kind::Invalid, IssueType::Required, message));
        }
        Ok(request)
    }
}

/// Versions of a history that are read at once.
const AT_ONCE: usize = 100;

impl Hub {
    /// Prepares the undoing of a merge.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn unmerge(
        &self,
        access: &Access,
        request: &UnmergeRequest,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        if let Some(repeated) = self.repeated(access, options)? {
            return Ok(repeated);
        }
        let change = self.unmerge_change(access, request)?;
        Ok(self.prepared(access, self.with_provenance(change.commands, options)?, options.once))
    }

    /// What the undoing would come to, as the operation answers it. Nothing is written.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn unmerge_preview(&self, access: &Access, request: &UnmergeRequest) -> Result<String, Failure> {
        let change = self.unmerge_change(access, request)?;
        let said = format!("a preview; nothing is done yet: {}", change.said);
        Ok(answer(&request.input, &said, &change.target))
    }

    /// The operation's answer once it is done; `target` is the id of the Patient that had replaced the other.
    ///
    /// # Errors
    /// A store's failure.
    pub fn unmerge_answer(
        &self,
        access: &Access,
        request: &UnmergeRequest,
        target: &str,
    ) -> Result<String, Failure> {
        let kept = self.read(access, r4().well_known().patient, target, None)?;
        Ok(answer(&request.input, "the merge is undone", &kept.json()))
    }

    fn unmerge_change(&self, access: &Access, request: &UnmergeRequest) -> Result<Change, Failure> {
        access.whole("$unmerge")?;
        let source = self.party(access, &request.source, "source")?;
        let from = source.name();
        let Some(target) = replaced_by(source.resource.root()) else {
            return Err(refused(format!(
                "{from} has not been replaced by another Patient: there is nothing to undo"
            )));
        };
        let mut named = Named { reference: Some((target.clone(), None)), identifiers: Vec::new() };
        if let Some((given, version)) = request.target.as_ref().and_then(|t| t.reference.as_ref()) {
            if *given != target {
                return Err(refused(format!(
                    "{from} has been replaced by Patient/{target}, not by Patient/{given}"
                )));
            }
            named.reference = Some((target, *version));
        }
        let target = self.party(access, &named, "target")?;
        let into = target.name();
        let reader = self.reader(access);
        let merged = self.merged(&reader, &source, &target)?;
        let (source_json, target_json) =
            (undone(&source, &merged.source, &self.limits)?, undone(&target, &merged.target, &self.limits)?);
        let commands = vec![self.becomes(&target, &target_json)?, self.becomes(&source, &source_json)?];
        let said = format!("{from} and {into} are two Patients again, as before {into} replaced {from}");
        Ok(Change { commands, target: target_json, said })
    }

    /// The commit that made one Patient replace another: both before and after it.
    fn merged(&self, reader: &Reader, source: &Party, target: &Party) -> Result<Merged, Failure> {
        let (from, into) = (source.name(), target.name());
        let is_linked = |kept: &Kept| -> Result<bool, Failure> {
            if kept.text.is_none() {
                return Ok(false);
            }
            let patient = fhir::json::parse(kept.json().as_bytes(), &self.limits)?;
            Ok(replaced_by(patient.root()).as_deref() == Some(target.kept.id.as_str()))
        };
        let not_merged = || {
            refused(format!(
                "{from} has a link to {into}, but not by $merge: no one commit made it with the link back; take the links away by an update"
            ))
        };
        let history = |party: &Party, range: HistoryRange| -> Result<Vec<HistoryEntry>, Failure> {
            Ok(reader.instance_history(party.kept.resource_type, &party.kept.id, &range)?.unwrap_or_default())
        };
        let mut after: Option<HistoryEntry> = None;
        loop {
            let range = HistoryRange {
                after: after.as_ref().map(|entry| (entry.place, entry.index)),
                limit: AT_ONCE,
                ..HistoryRange::default()
            };
            let page = history(source, range)?;
            let is_last = page.len() < AT_ONCE;
            for entry in page {
                if is_linked(&entry.kept)? {
                    after = Some(entry);
                    continue;
                }
                let Some(merged) = after.filter(|_| entry.kept.text.is_some()) else {
                    return Err(not_merged());
                };
                let range = HistoryRange { as_of: Some(merged.place), limit: 2, ..HistoryRange::default() };
                let mut of_target = history(target, range)?.into_iter();
                let (Some(last), Some(before)) = (of_target.next(), of_target.next()) else {
                    return Err(not_merged());
                };
                if last.place != merged.place || before.kept.text.is_none() || last.kept.text.is_none() {
                    return Err(not_merged());
                }
                let source = Step { before: entry.kept, after: merged.kept };
                return Ok(Merged { source, target: Step { before: before.kept, after: last.kept } });
            }
            if is_last || after.is_none() {
                return Err(not_merged());
            }
        }
    }
}

/// A version and the one before it.
struct Step {
    before: Kept,
    after: Kept,
}

/// What a merge made of its two Patients.
struct Merged {
    source: Step,
    target: Step,
}

/// The resource as it is, without what a step did to it.
fn undone(party: &Party, step: &Step, limits: &fhir::Limits) -> Result<String, Failure> {
    if party.kept.version == step.after.version {
        return Ok(step.before.json());
    }
    let read = |kept: &Kept| members(&fhir::json::parse(kept.json().as_bytes(), limits)?);
    let (before, after, now) = (read(&step.before)?, read(&step.after)?, party.members()?);
    match taken_back(&before, &after, now) {
        Ok(members) => Ok(Value::Object(members).to_string()),
        Err(element) => Err(Failure::new(
            Kind::Conflict,
            IssueType::Conflict,
            format!(
                "Patient.{element} of {} was changed by the merge and again since (the merge made version {}, now there is {}); change it back, or take the links away by an update",
                party.name(),
                step.after.version,
                party.kept.version
            ),
        )),
    }
}

/// Changes back what differs between `before` and `after`; the element where `now` is neither.
fn taken_back(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    mut now: Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    for name in names.filter(|name| *name != "meta") {
        let (old, new) = (before.get(name), after.get(name));
        if old == new {
            continue;
        }
        let restored = if now.get(name) == new {
            old.cloned()
        } else {
            let taken = without(list(old), list(new), list(now.get(name)));
            Some(Value::Array(taken.ok_or_else(|| name.clone())?))
                .filter(|v| v.as_array().is_some_and(|l| !l.is_empty()))
        };
        match restored {
            Some(value) => {
                now.insert(name.clone(), value);
            }
            None => {
                now.shift_remove(name);
            }
        }
    }
    Ok(now)
}

/// A list; none is an empty one.
fn list(value: Option<&Value>) -> Option<&[Value]> {
    match value {
        None => Some(&[]),
        Some(Value::Array(list)) => Some(list),
        Some(_) => None,
    }
}

/// A list without what was only added to it, if all of that is still there.
fn without(old: Option<&[Value]>, new: Option<&[Value]>, now: Option<&[Value]>) -> Option<Vec<Value>> {
    let (old, new, mut now) = (old?, new?, now?.to_vec());
    let mut added = new.to_vec();
    for one in old {
        added.remove(added.iter().position(|other| other == one)?);
    }
    for one in added {
        now.remove(now.iter().position(|other| *other == one)?);
    }
    Some(now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(before: Value, after: Value, now: Value) -> Result<Value, String> {
        let map = |value: Value| value.as_object().cloned().unwrap();
        taken_back(&map(before), &map(after), map(now)).map(Value::Object)
    }

    #[test]
    fn only_what_the_merge_did_is_taken_back() {
        let before = json!({"active": true, "link": ["a"], "gender": "male"});
        let after = json!({"active": false, "link": ["a", "b"], "gender": "male", "identifier": ["x", "y"]});
        let now = json!({"active": false, "link": ["b", "a", "c"], "gender": "female", "identifier": ["y", "x"], "photo": []});
        let expected = json!({"active": true, "link": ["a", "c"], "gender": "female", "photo": []});
        assert_eq!(taken(before.clone(), after.clone(), now), Ok(expected));
        for (now, element) in [
            (json!({"active": true, "link": ["a", "b"], "identifier": ["x", "y"]}), "active"),
            (json!({"active": false, "link": ["a"], "identifier": ["x", "y"]}), "link"),
            (json!({"active": false, "link": ["a", "b"], "identifier": ["x"]}), "identifier"),
        ] {
            assert_eq!(taken(before.clone(), after.clone(), now), Err(element.to_owned()));
        }
        let replaced = taken(json!({"name": ["a"]}), json!({"name": ["b"]}), json!({"name": ["b", "c"]}));
        assert_eq!(replaced, Err("name".to_owned()), "what was taken away cannot be put among others");
    }
}
