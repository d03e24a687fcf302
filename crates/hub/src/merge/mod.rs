//! `Patient/$merge`: two Patients of this hub are one person (<https://build.fhir.org/patient-operation-merge.html>).
//!
//! The *source* becomes inactive and `replaced-by` the *target*, which `replaces` it and takes over its identifiers as
//! `old` ones: one commit of two versions. References to the source stay as they came: a person's record spans the links.
//! [`unmerge`] undoes it.
//!
//! * Nothing is merged but by this call. Links never stand in a row: who has been replaced or has replaced someone is not
//!   a source, who has been replaced is no target.
//! * Both versions are made from the ones that were looked at. Of two merges at once one is planned anew on what the other
//!   made, and then refused if that contradicts it. A reference with a version (`Patient/1/_history/3`) requires that one.

mod unmerge;

use fhir::json::JsonWriter;
use fhir::{Issue, IssueType, NodeRef, Reference, Resource, r4};
use search::query::literal;
use serde_json::{Map, Value, json};
use store::{Action, Command, Kept, Substitutions};

pub use self::unmerge::UnmergeRequest;
use crate::matching::replaced_by;
use crate::{Access, Failure, Hub, Kind, Prepared, WriteOptions, outcome};

/// A Patient, as a caller names it.
#[derive(Clone, Debug, Default)]
struct Named {
    /// Its id, and the version it must have.
    reference: Option<(String, Option<u64>)>,
    /// A search for its identifiers.
    identifiers: Vec<String>,
}

/// A call of `$merge`.
#[derive(Clone, Debug)]
pub struct MergeRequest {
    source: Named,
    target: Named,
    /// The target as it is to be, if the caller says so.
    result: Option<Resource>,
    /// Whether only to say what would be done.
    pub is_preview: bool,
    input: String,
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Invalid, IssueType::Invalid, message)
}

/// What contradicts what is there, or a rule.
fn refused(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Unprocessable, IssueType::BusinessRule, message)
}

impl Named {
    /// `[base/]Patient/id[/_history/version]`
    fn set_reference(&mut self, parameter: NodeRef<'_>, base: &str) -> Result<(), Failure> {
        let text = parameter.text_at("value.reference").unwrap_or_default();
        let patient = r4().well_known().patient;
        match Reference::parse(&text) {
            Reference::Rest { base: named, resource_type, id, version }
                if resource_type == patient && (named.is_empty() || named == base) =>
            {
                let version = version.map(|v| v.parse().map_err(|_| invalid(format!("'{v}' is no version"))));
                self.reference = Some((id.to_owned(), version.transpose()?));
                Ok(())
            }
            _ => Err(invalid(format!(
                "'{text}' names no Patient of this hub; write a valueReference to Patient/id"
            ))),
        }
    }

    fn add_identifier(&mut self, parameter: NodeRef<'_>) -> Result<(), Failure> {
        let value = parameter.text_at("value.value").unwrap_or_default();
        if value.is_empty() {
            return Err(invalid("a valueIdentifier with a value is needed"));
        }
        // Within a search that is written as an address.
        let written = |text: &str| {
            literal(text)
                .replace('%', "%25")
                .replace('&', "%26")
                .replace('+', "%2B")
                .replace('=', "%3D")
                .replace('#', "%23")
                .replace('?', "%3F")
        };
        self.identifiers.push(match parameter.text_at("value.system") {
            Some(system) => format!("identifier={}|{}", written(&system), written(&value)),
            None => format!("identifier={}", written(&value)),
        });
        Ok(())
    }

    fn is_named(&self) -> bool {
        self.reference.is_some() || !self.identifiers.is_empty()
    }
}

/// Passes the parameters of a Parameters resource to `take`, each with its name; what it says is put under their place.
fn each_parameter<'p>(
    body: &'p Resource,
    mut take: impl FnMut(&str, NodeRef<'p>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if body.root().type_name() != "Parameters" {
        return Err(invalid(format!("send Parameters, found a {}", body.root().type_name())));
    }
    for (at, parameter) in body.root().all("parameter").enumerate() {
        let name = parameter.text_at("name").map(String::from).unwrap_or_default();
        take(&name, parameter).map_err(|f| f.under(&format!("Parameters.parameter[{at}] ({name})")))?;
    }
    Ok(())
}

/// The value of `preview`.
fn preview(parameter: NodeRef<'_>) -> Result<bool, Failure> {
    match parameter.text_at("value").as_deref() {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err(invalid("a valueBoolean is needed")),
    }
}

impl MergeRequest {
    /// Reads the operation's Parameters. `base` is the hub's own.
    ///
    /// # Errors
    /// What is not understood, or missing.
    pub fn read(body: &Resource, base: &str, limits: &fhir::Limits) -> Result<MergeRequest, Failure> {
        let (source, target) = (Named::default(), Named::default());
        let input = body.text().to_owned();
        let mut request = MergeRequest { source, target, result: None, is_preview: false, input };
        each_parameter(body, |name, parameter| match name {
            "source-patient" => request.source.set_reference(parameter, base),
            "target-patient" => request.target.set_reference(parameter, base),
            "source-patient-identifier" => request.source.add_identifier(parameter),
            "target-patient-identifier" => request.target.add_identifier(parameter),
            "result-patient" => {
                let resource = parameter.child("resource").filter(|r| r.type_name() == "Patient");
                let resource = resource.ok_or_else(|| invalid("a Patient is needed"))?;
                request.result = Some(fhir::json::parse(resource.raw().as_bytes(), limits)?);
                Ok(())
            }
            "preview" => preview(parameter).map(|is_preview| request.is_preview = is_preview),
            _ => Err(invalid(
                "$merge has no such parameter (it has source-patient, source-patient-identifier, target-patient, target-patient-identifier, result-patient, preview)",
            )),
        })?;
        for (named, name) in [(&request.source, "source"), (&request.target, "target")] {
            if !named.is_named() {
                let message =
                    format!("name the {name}: {name}-patient or {name}-patient-identifier is needed");
                return Err(Failure::new(Kind::Invalid, IssueType::Required, message));
            }
        }
        Ok(request)
    }
}

/// A Patient that takes part.
struct Party {
    kept: Kept,
    resource: Resource,
    if_match: Option<u64>,
    condition: Option<Box<store::Condition>>,
}

impl Party {
    fn name(&self) -> String {
        crate::bundle::local_name(&self.kept)
    }

    /// The resource's members.
    fn members(&self) -> Result<Map<String, Value>, Failure> {
        members(&self.resource)
    }
}

fn members(resource: &Resource) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(resource.text()).map_err(|e| {
        Failure::new(Kind::Internal, IssueType::Exception, format!("a resource does not read: {e}"))
    })
}

/// A change of two Patients.
struct Change {
    commands: Vec<Command>,
    /// The target as it will be.
    target: String,
    /// What is done, in words.
    said: String,
}

impl Hub {
    /// Prepares the merge.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn merge(
        &self,
        access: &Access,
        request: &MergeRequest,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        if let Some(repeated) = self.repeated(access, options)? {
            return Ok(repeated);
        }
        let change = self.merge_change(access, request)?;
        Ok(self.prepared(access, self.with_provenance(change.commands, options)?, options.once))
    }

    /// What the merge would come to, as the operation answers it. Nothing is written.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn merge_preview(&self, access: &Access, request: &MergeRequest) -> Result<String, Failure> {
        let change = self.merge_change(access, request)?;
        let said = format!("a preview; nothing is done yet: {}", change.said);
        Ok(answer(&request.input, &said, &change.target))
    }

    /// The operation's answer once it is done; `target` is the id of the surviving Patient.
    ///
    /// # Errors
    /// A store's failure.
    pub fn merge_answer(
        &self,
        access: &Access,
        request: &MergeRequest,
        target: &str,
    ) -> Result<String, Failure> {
        let kept = self.read(access, r4().well_known().patient, target, None)?;
        let said = format!("merged into Patient/{target}; Patient/$unmerge undoes it");
        Ok(answer(&request.input, &said, &kept.json()))
    }

    /// The Patient a caller names, as it is.
    fn party(&self, access: &Access, named: &Named, role: &str) -> Result<Party, Failure> {
        let patient = r4().well_known().patient;
        let mut condition = None;
        let mut id = named.reference.as_ref().map(|(id, _)| id.clone());
        if !named.identifiers.is_empty() {
            // All of them have to be the Patient's; that still holds when its turn comes.
            let mut search = named.identifiers.join("&");
            if let Some(id) = &id {
                search.push_str(&format!("&_id={id}"));
            }
            let found = self.condition(access, patient, &search, 1)?;
            let Some(one) = found.found.first().cloned() else {
                let message = format!("the {role}: no Patient has these identifiers ({search})");
                return Err(Failure::new(Kind::Unprocessable, IssueType::NotFound, message));
            };
            (id, condition) = (Some(one), Some(found));
        }
        let id = id.unwrap_or_default();
        let kept = self.read(access, patient, &id, None).map_err(|failure| match failure.kind {
            Kind::NotFound | Kind::Gone => {
                Failure { kind: Kind::Unprocessable, ..failure }.said(&format!("the {role}"))
            }
            _ => failure,
        })?;
        let resource = fhir::json::parse(kept.json().as_bytes(), &self.limits)?;
        let if_match = named.reference.as_ref().and_then(|(_, version)| *version);
        Ok(Party { kept, resource, if_match, condition })
    }

    fn merge_change(&self, access: &Access, request: &MergeRequest) -> Result<Change, Failure> {
        access.whole("$merge")?;
        let source = self.party(access, &request.source, "source")?;
        let target = self.party(access, &request.target, "target")?;
        let (from, into) = (source.name(), target.name());
        if from == into {
            return Err(refused(format!("source and target are the same: {from}")));
        }
        if let Some(other) = replaced_by(source.resource.root()) {
            return Err(refused(format!(
                "{from} has been replaced by Patient/{other} already; undo that with Patient/$unmerge first"
            )));
        }
        if let Some(other) = replaced_by(target.resource.root()) {
            return Err(refused(format!(
                "{into} has been replaced by Patient/{other}; merge {from} into that one"
            )));
        }
        if let Some(other) = linked(source.resource.root(), "replaces").next() {
            return Err(refused(format!(
                "{from} has replaced {other}; links in a row are not made: undo that with Patient/$unmerge and merge each into {into}, or merge {into} into {from}"
            )));
        }
        let mut merged = source.members()?;
        push(&mut merged, "link", link(&into, "replaced-by"));
        merged.insert("active".to_owned(), Value::Bool(false));
        let kept = match &request.result {
            Some(result) => {
                self.result_is_target(result, &from, &target)?;
                members(result)?
            }
            None => {
                let mut kept = target.members()?;
                push(&mut kept, "link", link(&from, "replaces"));
                take_identifiers(&mut kept, &merged);
                kept
            }
        };
        let kept = Value::Object(kept).to_string();
        let said = format!("{from} is inactive and replaced by {into}, which has taken over its identifiers");
        // The target first: it is what is answered.
        let commands =
            vec![self.becomes(&target, &kept)?, self.becomes(&source, &Value::Object(merged).to_string())?];
        Ok(Change { commands, target: kept, said })
    }

    /// A target given by the caller says who it is and whom it replaces.
    fn result_is_target(&self, result: &Resource, from: &str, target: &Party) -> Result<(), Failure> {
        let root = result.root();
        if root.id().as_deref() != Some(target.kept.id.as_str()) {
            let message = format!(
                "result-patient: it has to be {}, found id '{}'",
                target.name(),
                root.id().unwrap_or_default()
            );
            return Err(invalid(message));
        }
        if !linked(root, "replaces").any(|other| other == from) {
            return Err(invalid(format!("result-patient: it needs a link of type replaces to {from}")));
        }
        if let Some(other) = replaced_by(root) {
            return Err(invalid(format!("result-patient: it cannot be replaced by Patient/{other} itself")));
        }
        Ok(())
    }

    /// The command that makes this of a Patient.
    fn becomes(&self, party: &Party, json: &str) -> Result<Command, Failure> {
        let resource = fhir::json::parse(json.as_bytes(), &self.limits)?;
        let (draft, references) = self.draft(resource.root(), &party.kept.id, &Substitutions::new())?;
        let condition = party.condition.as_ref().map(|c| {
            let criteria = store::Criteria { text: c.criteria.text.clone(), query: c.criteria.query.clone() };
            Box::new(store::Condition { criteria, found: c.found.clone() })
        });
        Ok(Command {
            if_match: party.if_match,
            condition,
            based_on: Some(party.kept.version),
            ..Command::new(party.kept.resource_type, &party.kept.id, Action::Replace { draft, references })
        })
    }
}

/// The Patients that links of a type name.
fn linked<'p>(patient: NodeRef<'p>, link_type: &'p str) -> impl Iterator<Item = String> + 'p {
    let links = patient.all("link").filter(move |l| l.text_at("type").as_deref() == Some(link_type));
    links.filter_map(|l| l.text_at("other.reference").map(String::from))
}

fn link(other: &str, link_type: &str) -> Value {
    json!({"other": {"reference": other}, "type": link_type})
}

/// Appends to a list, which is made if there is none.
fn push(members: &mut Map<String, Value>, name: &str, value: Value) {
    match members.get_mut(name) {
        Some(Value::Array(list)) => list.push(value),
        _ => {
            members.insert(name.to_owned(), Value::Array(vec![value]));
        }
    }
}

/// Adds the source's identifiers that the target does not have, as old ones.
fn take_identifiers(target: &mut Map<String, Value>, source: &Map<String, Value>) {
    let known: Vec<Value> = target.get("identifier").and_then(Value::as_array).cloned().unwrap_or_default();
    for identifier in source.get("identifier").and_then(Value::as_array).into_iter().flatten() {
        let is_same =
            |other: &&Value| other["system"] == identifier["system"] && other["value"] == identifier["value"];
        if known.iter().any(|other| is_same(&other)) {
            continue;
        }
        let mut old = identifier.clone();
        if let Some(members) = old.as_object_mut() {
            members.insert("use".to_owned(), Value::String("old".to_owned()));
        }
        push(target, "identifier", old);
    }
}

/// The operation's answer: what was asked, what was done, and the surviving Patient.
fn answer(input: &str, said: &str, target: &str) -> String {
    let mut json = JsonWriter::new();
    json.object(|p| {
        p.member("resourceType", "Parameters");
        p.name("parameter").array(|list| {
            let said = outcome::outcome(&[outcome::information(said)]);
            for (name, resource) in [("input", input), ("outcome", said.as_str()), ("result", target)] {
                list.object(|one| {
                    one.member("name", name).raw_member("resource", resource);
                });
            }
        });
    });
    json.finish()
}

impl Failure {
    /// The same, said of something.
    fn said(mut self, of: &str) -> Failure {
        self.issues = self
            .issues
            .into_iter()
            .map(|issue| Issue { diagnostics: format!("{of}: {}", issue.diagnostics), ..issue })
            .collect();
        self
    }
}
