//! `Condition/[id]/$inform`: a patient was told of a diagnosis, and from then on sees it.
//!
//! JP-CLINS tags what a patient was not told yet (`UNINFORMED`), and the rules hide it from them and from who acts for them. Taking the tag
//! away is a clinician's act and leaves its trace: one commit of a version without the tag, and of a Provenance that says who told
//! the patient, when, and what was said, if they write it down. The Provenance names the patient too, so that it is in their record.
//!
//! Once is enough: where there is no such tag nothing is done, whoever asks how often.

use ::access::Subject;
use fhir::{DateTime, IssueType, Resource, r4};
use serde_json::{Value, json};
use store::{Clock as _, Substitutions};

use crate::patch::{On, refused};
use crate::{Access, Failure, Hub, Kind, Prepared, Provenance, SystemClock, WriteOptions};

/// The tag.
const SYSTEM: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication";
const UNINFORMED: &str = "UNINFORMED";
/// Whose act it is.
const ROLE: &str = "clinician";
/// What was said has at most so many characters.
const LONGEST: usize = 4000;

/// What a clinician says of it.
#[derive(Clone, Debug, Default)]
pub struct InformRequest {
    /// What was said to the patient.
    pub note: Option<String>,
    /// When, a dateTime; now, if nothing is said.
    pub occurred: Option<String>,
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Invalid, IssueType::Invalid, message)
}

impl InformRequest {
    /// Reads the operation's Parameters.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(body: &Resource) -> Result<InformRequest, Failure> {
        if body.root().type_name() != "Parameters" {
            return Err(invalid(format!("send Parameters, found a {}", body.root().type_name())));
        }
        let mut request = InformRequest::default();
        for (at, parameter) in body.root().all("parameter").enumerate() {
            let name = parameter.text_at("name").map(String::from).unwrap_or_default();
            let value = parameter.child("value");
            let of_type = |known: &str| -> Result<Option<String>, Failure> {
                let found = value.filter(|value| value.type_name() == known);
                let found = found.and_then(|_| parameter.text_at("value")).map(String::from);
                let wrong = || invalid(format!("a value of type {known} is needed"));
                Ok(Some(found.ok_or_else(wrong)?))
            };
            let read = match name.as_str() {
                "note" => of_type("string").map(|note| request.note = note),
                "occurred" => of_type("dateTime").map(|occurred| request.occurred = occurred),
                _ => Err(invalid("$inform has no such parameter (it has note, occurred)")),
            };
            read.map_err(|f| f.under(&format!("Parameters.parameter[{at}] ({name})")))?;
        }
        Ok(request)
    }
}

impl Hub {
    /// Prepares a version of a Condition without the tag, with its Provenance; nothing, if there is no such tag.
    ///
    /// # Errors
    /// If there is no such Condition, whoever asks is no clinician, or what is said will not do.
    pub fn inform(
        &self,
        access: &Access,
        id: &str,
        request: &InformRequest,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        if let Some(repeated) = self.repeated(access, options)? {
            return Ok(repeated);
        }
        let is_clinician =
            |subject: &Subject| subject.user.is_some() && subject.roles.iter().any(|r| r == ROLE);
        if access.subject.as_ref().is_some_and(|subject| !is_clinician(subject)) {
            let message = "$inform says that a clinician told the patient; only a clinician calls it";
            return Err(Failure::new(Kind::Forbidden, IssueType::Forbidden, message));
        }
        let condition = r4().resource_type("Condition").unwrap_or(r4().well_known().resource);
        let kept = self.read(access, condition, id, None)?;
        let current = fhir::json::parse(kept.json().as_bytes(), &self.limits)?;
        let Some(without) = without_tag(current.text()) else {
            return Ok(self.prepared(access, Vec::new(), options.once));
        };
        let patient = current.root().text_at("subject.reference").filter(|r| r.starts_with("Patient/"));
        let provenance = self.told_by(access, request)?;
        let on = On { resource_type: condition, id, if_match: options.if_match, condition: None };
        // Made from the version that was read here: if another comes between, all of it is planned anew.
        let change = |_: &Resource| fhir::json::parse(without.as_bytes(), &self.limits).map_err(refused);
        let mut command = self.changed(access, on, &Substitutions::new(), &change)?;
        command.based_on = Some(kept.version);
        let mut commands = self.with_provenance(vec![command], options)?;
        let targets: Vec<String> =
            [format!("Condition/{id}")].into_iter().chain(patient.map(String::from)).collect();
        commands.push(self.provenance_command(&provenance, &targets)?);
        Ok(self.prepared(access, commands, options.once))
    }

    /// Who told the patient, when and what.
    fn told_by(&self, access: &Access, request: &InformRequest) -> Result<Provenance, Failure> {
        let now = SystemClock.now();
        let recorded = fhir::date_time::format_instant(now);
        let note = request.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
        if note.is_some_and(|note| note.chars().count() > LONGEST) {
            return Err(invalid(format!("note: what was said has at most {LONGEST} characters")));
        }
        let occurred = request.occurred.clone().unwrap_or_else(|| recorded.clone());
        let read = DateTime::parse(&occurred).map(|moment| moment.interval(self.zone()).0);
        if read.is_none_or(|began| began > now) {
            return Err(invalid(format!("occurred: '{occurred}' is no date or instant up to now")));
        }
        let mut activity = json!({"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "UPDATE", "display": "revise",
        }]});
        activity["text"] = json!(note.unwrap_or("The patient was informed of the diagnosis"));
        let circumstances = &access.circumstances;
        let who = match circumstances.author.as_deref() {
            Some(author) if author.contains('/') => json!({"reference": author}),
            Some(author) => json!({"identifier": {"value": author}}),
            None => json!({"display": "A hub that is open to its own machine"}),
        };
        let mut agent = json!({"who": who});
        if let Some(organisation) = &circumstances.organisation {
            agent["onBehalfOf"] = json!({"reference": organisation});
        }
        let provenance = json!({
            "resourceType": "Provenance", "occurredDateTime": occurred, "recorded": recorded, "activity": activity, "agent": [agent],
        });
        Provenance::parse(&provenance.to_string(), &self.limits)
    }
}

/// A resource without the tag; nothing if it has none.
fn without_tag(resource: &str) -> Option<String> {
    let mut resource: Value = serde_json::from_str(resource).ok()?;
    let meta = resource.get_mut("meta")?.as_object_mut()?;
    let tags = meta.get_mut("tag")?.as_array_mut()?;
    let before = tags.len();
    tags.retain(|tag| tag["system"] != SYSTEM || tag["code"] != UNINFORMED);
    let (is_changed, is_empty) = (tags.len() < before, tags.is_empty());
    if is_empty {
        meta.shift_remove("tag");
    }
    is_changed.then(|| resource.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_that_tag_is_taken_away() {
        let tagged = |tags: &str| {
            format!(r#"{{"resourceType":"Condition","meta":{{"versionId":"1","tag":[{tags}]}},"x":1.00}}"#)
        };
        let (own, other) =
            (format!(r#"{{"system":"{SYSTEM}","code":"UNINFORMED"}}"#), r#"{"code":"UNINFORMED"}"#);
        let left = without_tag(&tagged(&format!("{own},{other}"))).unwrap();
        assert_eq!(left, tagged(other));
        assert_eq!(
            without_tag(&tagged(&own)).unwrap(),
            r#"{"resourceType":"Condition","meta":{"versionId":"1"},"x":1.00}"#
        );
        assert_eq!(without_tag(&tagged(other)), None);
        assert_eq!(without_tag(r#"{"resourceType":"Condition"}"#), None);
    }
}
