//! What is asked of `$viewdefinition-run`.

use fhir::issue::nearest;
use fhir::{DateTime, Issue, IssueType, r4};
use search::query::Pair;
use serde_json::{Map, Value};
use views::ViewDefinition;
use views::write::Format;

use super::{ViewScope, invalid, refused};
use crate::{Failure, Hub};

pub(crate) const NAMES: &[&str] = &[
    "viewReference",
    "viewResource",
    "resource",
    "_format",
    "header",
    "patient",
    "group",
    "_since",
    "_limit",
    "_asOf",
];
/// The same where the view is known.
pub(crate) const LIBRARY_NAMES: &[&str] =
    &["_format", "header", "patient", "group", "_since", "_limit", "_asOf"];
/// Where a view comes from.
#[derive(Debug)]
pub(super) enum Source {
    Given(Box<ViewDefinition>),
    Library(String),
}

/// A call of `$viewdefinition-run`.
#[derive(Debug)]
pub struct ViewRunRequest {
    pub(super) source: Source,
    pub(super) scope: ViewScope,
    /// The form asked for.
    pub format: Option<Format>,
    pub(super) has_header: bool,
    pub(super) limit: Option<u64>,
    pub(super) resources: Vec<String>,
}

/// What a call says, as it is read.
#[derive(Default)]
struct Asked {
    view: Option<Source>,
    scope: ViewScope,
    format: Option<Format>,
    header: Option<bool>,
    limit: Option<u64>,
    resources: Vec<String>,
}

impl ViewRunRequest {
    /// Reads a call: the parameters of the address; the body, a Parameters or the ViewDefinition itself; the Library it
    /// is made on.
    ///
    /// # Errors
    /// What is not understood; what is wrong with the view, with its place.
    pub fn read(
        hub: &Hub,
        body: &[u8],
        pairs: &[Pair],
        library: Option<String>,
    ) -> Result<ViewRunRequest, Failure> {
        let mut asked = Asked { view: library.map(Source::Library), ..Asked::default() };
        for (name, text) in pairs {
            asked.simple(hub, name, text).map_err(|m| invalid(name, m))?;
        }
        if !body.iter().all(u8::is_ascii_whitespace) {
            asked.body(hub, body)?;
        }
        let source = asked.view.ok_or_else(|| {
            Failure::from(Issue::error(
                IssueType::Required,
                "which view? send a Parameters with viewResource or viewReference, or the ViewDefinition itself",
            ))
        })?;
        Ok(ViewRunRequest {
            source,
            scope: asked.scope,
            format: asked.format,
            has_header: asked.header.unwrap_or(true),
            limit: asked.limit,
            resources: asked.resources,
        })
    }
}

impl ViewRunRequest {
    /// What the ledger keeps of it: which view, of whom. What the body says does not stand in the address.
    pub(super) fn told(&self) -> String {
        let mut parts = Vec::new();
        match &self.source {
            Source::Given(view) => {
                let named = view.url.as_ref().or(view.name.as_ref());
                parts.push(format!("view={}", named.map_or("?", String::as_str)));
                parts.push(format!("resource={}", r4().type_name(view.resource)));
            }
            Source::Library(id) => parts.push(format!("view=Library/{id}")),
        }
        parts.extend(self.scope.patients.iter().map(|id| format!("patient={id}")));
        parts.extend(self.scope.groups.iter().map(|id| format!("group={id}")));
        parts.join("&")
    }
}

impl Asked {
    fn simple(&mut self, hub: &Hub, name: &str, text: &str) -> Result<(), String> {
        let moment = || {
            let parsed = DateTime::parse(text).map(|d| d.interval(hub.zone()));
            parsed.ok_or_else(|| format!("'{text}' is not a date or instant"))
        };
        match name {
            "_format" => {
                let known = Format::ALL.map(Format::name).join(", ");
                let format = Format::named(text).ok_or_else(|| format!("'{text}' is not one of {known}"))?;
                self.format = Some(format);
            }
            "header" => {
                let header = text.parse().map_err(|_| format!("true or false, not '{text}'"))?;
                self.header = Some(header);
            }
            "_limit" => {
                let limit = text.parse().map_err(|_| format!("'{text}' is not a number of rows"))?;
                self.limit = Some(limit);
            }
            "_since" => self.scope.since = Some(moment()?.0),
            "_asOf" => self.scope.as_of = Some(moment()?.1 - 1),
            "patient" => self.scope.patients.push(local(text, "Patient")?),
            "group" => self.scope.groups.push(local(text, "Group")?),
            "viewReference" => self.source(Source::Library(local(text, "Library").map_err(|m| {
                format!("{m}; R4 has no resource type for views, so one is kept as the content of a Library")
            })?))?,
            "source" => return Err("views are run over this hub's own record; leave it out".to_owned()),
            other => {
                let near = nearest(other, NAMES.iter().copied());
                let known = if near.is_empty() { NAMES.join(", ") } else { near.join(" or ") };
                return Err(format!("$viewdefinition-run has no such parameter (it has {known})"));
            }
        }
        Ok(())
    }

    fn source(&mut self, source: Source) -> Result<(), String> {
        if self.view.is_some() {
            return Err("there is a view already; name one".to_owned());
        }
        self.view = Some(source);
        Ok(())
    }

    fn given(&mut self, view: &Value) -> Result<(), Failure> {
        let view = ViewDefinition::read(view.to_string().as_bytes()).map_err(|e| refused(&e))?;
        self.source(Source::Given(Box::new(view))).map_err(|m| invalid("viewResource", m))
    }

    fn body(&mut self, hub: &Hub, body: &[u8]) -> Result<(), Failure> {
        let body: Value =
            serde_json::from_slice(body).map_err(|e| invalid("the body", format!("it is not JSON: {e}")))?;
        match body.get("resourceType").and_then(Value::as_str) {
            Some("ViewDefinition") => return self.given(&body),
            Some("Parameters") => {}
            _ => return Err(invalid("the body", "a Parameters or a ViewDefinition belongs here")),
        }
        let parameters = body.get("parameter").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (at, parameter) in parameters.iter().enumerate() {
            let place = format!("Parameters.parameter[{at}]");
            let Value::Object(members) = parameter else {
                return Err(invalid(&place, "an object belongs here"));
            };
            self.parameter(hub, members).map_err(|failure| failure.under(&place))?;
        }
        Ok(())
    }

    fn parameter(&mut self, hub: &Hub, members: &Map<String, Value>) -> Result<(), Failure> {
        let name = members.get("name").and_then(Value::as_str).unwrap_or_default();
        match (name, members.get("resource")) {
            ("viewResource", Some(view)) => return self.given(view),
            ("resource", Some(resource)) => {
                let text = resource.to_string();
                // Given from outside, so it is checked as whatever comes from there.
                fhir::json::parse(text.as_bytes(), &hub.limits)
                    .map_err(|i| Failure::invalid(i).under("resource"))?;
                self.resources.push(text);
                return Ok(());
            }
            ("viewResource" | "resource", None) => return Err(invalid(name, "it has no resource")),
            (_, Some(_)) => return Err(invalid(name, "this is no parameter that is a resource")),
            (_, None) => {}
        }
        let value = members.iter().find_map(|(key, value)| key.starts_with("value").then_some(value));
        let text = match value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(value)) => value.to_string(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Object(reference)) => {
                reference.get("reference").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            _ => return Err(invalid(name, "it has no value")),
        };
        self.simple(hub, name, &text).map_err(|m| invalid(name, m))
    }
}

/// The id of a reference to a type, or an id alone.
fn local(text: &str, of: &str) -> Result<String, String> {
    let id = text.strip_prefix(of).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
    if fhir::primitive::is_id(id) { Ok(id.to_owned()) } else { Err(format!("'{text}' is not {of}/id")) }
}
