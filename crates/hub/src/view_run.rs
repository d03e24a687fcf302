//! `$viewdefinition-run`: the rows of a view of SQL on FHIR
//! (<https://sql-on-fhir.org/ig/latest/OperationDefinition-ViewDefinitionRun.html>).
//!
//! The view comes with the call or is the content of a Library. Its rows are made of what the access may see, as of one
//! place of the log: what the index finds is listed, and the bodies are gone through in the order they lie in.

use std::io::Write;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use data_encoding::BASE64;
use fhir::date_time::Micros;
use fhir::issue::nearest;
use fhir::{DateTime, Issue, IssueType, TypeId, r4};
use search::query::Pair;
use serde_json::{Map, Value};
use store::{Clock as _, Found, Place, Reader, Wanted};
use views::write::{Format, RowWriter};
use views::{Decimals, Run, ViewDefinition};

use crate::{Access, Failure, Hub, Kind, SearchRequest, SystemClock};

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
/// Bodies that are gone through at once.
const PART: usize = 4096;
/// A batch is ended when it has more rows.
const MAX_BATCH: usize = 100_000;
/// An answer has at most so many bytes.
const MAX_ANSWER: usize = 64 << 20;

/// Which resources a view is run over.
#[derive(Clone, Debug, Default)]
pub struct ViewScope {
    /// Only what is in the records of these Patients (ids).
    pub patients: Vec<String>,
    /// Only what is in the records of these Groups' members (ids).
    pub groups: Vec<String>,
    /// Only what was recorded after this moment.
    pub since: Option<Micros>,
    /// As it was known at this moment.
    pub as_of: Option<Micros>,
    /// How long it may take.
    pub time: Option<Duration>,
}

/// Where a view comes from.
#[derive(Debug)]
enum Source {
    Given(Box<ViewDefinition>),
    Library(String),
}

/// A call of `$viewdefinition-run`.
#[derive(Debug)]
pub struct ViewRunRequest {
    source: Source,
    scope: ViewScope,
    /// The form asked for.
    pub format: Option<Format>,
    has_header: bool,
    limit: Option<u64>,
    resources: Vec<String>,
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

fn invalid(name: &str, message: impl std::fmt::Display) -> Failure {
    Issue::error(IssueType::Invalid, format!("{name}: {message}")).into()
}

/// A view that is wrong, with the place in it.
fn refused(error: &views::Error) -> Failure {
    let mut message = error.message.clone();
    if let Some(resource) = &error.resource {
        message.push_str(&format!(" (in {resource})"));
    }
    let place = if error.place.is_empty() {
        "ViewDefinition".to_owned()
    } else {
        format!("ViewDefinition.{}", error.place)
    };
    let mut failure = Failure::new(Kind::Unprocessable, IssueType::Invalid, message);
    failure.issues.iter_mut().for_each(|issue| issue.expression.clone_from(&place));
    failure
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

/// Takes what is written until it is too much.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_ANSWER {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn unwritten(error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::FileTooLarge || error.to_string().contains("too large") {
        let message = format!(
            "the rows are more than {} MB; say _limit, patient or _since, or write them beside the hub: yojigen view run",
            MAX_ANSWER >> 20
        );
        return Failure::new(Kind::TooCostly, IssueType::TooCostly, message);
    }
    Failure::new(Kind::Internal, IssueType::Exception, format!("the rows could not be written: {error}"))
}

impl ViewRunRequest {
    /// What the ledger keeps of it: which view, of whom. What the body says does not stand in the address.
    fn told(&self) -> String {
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

impl Hub {
    /// The rows a call asks for, in a form.
    ///
    /// # Errors
    /// A view that is not there or wrong; what costs too much.
    pub fn view_run(
        &self,
        access: &Access,
        request: &ViewRunRequest,
        format: Format,
    ) -> Result<Vec<u8>, Failure> {
        access.asked(&request.told());
        request.scope.patients.iter().for_each(|id| access.asked_for(id));
        let kept;
        let view = match &request.source {
            Source::Given(view) => view,
            Source::Library(id) => {
                kept = self.view_of(access, id)?;
                &kept
            }
        };
        let mut writer = RowWriter::new(view, format, request.has_header, Bounded(Vec::new()))
            .map_err(|e| unwritten(&e))?;
        let mut left = request.limit.unwrap_or(u64::MAX);
        let mut take = |batch: RecordBatch| {
            let rows = usize::try_from(left).unwrap_or(usize::MAX).min(batch.num_rows());
            left -= rows as u64;
            writer.write(&batch.slice(0, rows)).map_err(|e| unwritten(&e))?;
            Ok(left > 0)
        };
        if request.limit == Some(0) {
            access.of_type(view.resource)?;
        } else if request.resources.is_empty() {
            let scope = ViewScope { time: Some(self.search_limits.time), ..request.scope.clone() };
            self.view_batches(access, view, &scope, format.decimals(), 1, &mut take)?;
        } else {
            let mut run = Run::new(view, format.decimals()).at(SystemClock.now());
            request.resources.iter().try_for_each(|text| run.push_text(text)).map_err(|e| refused(&e))?;
            take(run.batch().map_err(|e| refused(&e))?)?;
        }
        Ok(writer.finish().map_err(|e| unwritten(&e))?.0)
    }

    /// The view a Library holds.
    fn view_of(&self, access: &Access, id: &str) -> Result<Box<ViewDefinition>, Failure> {
        let library = r4().known_resource_type("Library").map_err(|m| invalid("viewReference", m))?;
        let kept = self.read(access, library, id, None)?;
        access.saw(&kept);
        let resource = fhir::json::parse(kept.json().as_bytes(), &self.limits)?;
        let missing = || {
            let message = format!(
                "Library/{id} holds no view: its content needs data (base64) of contentType application/json that is a ViewDefinition"
            );
            Failure::new(Kind::Unprocessable, IssueType::Invalid, message)
        };
        let mut contents = resource
            .root()
            .all("content")
            .filter(|c| c.text_at("contentType").is_some_and(|t| Format::named(&t) == Some(Format::Json)));
        let data = contents.find_map(|c| c.text_at("data")).ok_or_else(missing)?;
        let plain: Vec<u8> = data.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let json = BASE64.decode(&plain).map_err(|_| missing())?;
        ViewDefinition::read(&json).map(Box::new).map_err(|e| refused(&e).under(&format!("Library/{id}")))
    }

    /// Passes a view's rows over what an access may see to `visit`, batch by batch, until it returns false. On so many
    /// threads; the order is the same on any number.
    ///
    /// # Errors
    /// A type that may not be seen at all; resources whose values do not fit the view; what costs too much.
    pub fn view_batches(
        &self,
        access: &Access,
        view: &ViewDefinition,
        scope: &ViewScope,
        decimals: Decimals,
        threads: usize,
        visit: &mut dyn FnMut(RecordBatch) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        access.of_type(view.resource)?;
        let began = Instant::now();
        let reader = self.reader(access);
        let place = self.place(&reader, scope.as_of)?.unwrap_or(reader.place());
        let now = if scope.as_of.is_some() { reader.instant_of(place)? } else { SystemClock.now() };
        let found = self.in_scope(&reader, view.resource, scope, place)?;
        let until = scope.time.map(|time| began + time);
        let part = Part { access, reader: &reader, view, place, since: scope.since, now, until, decimals };
        if threads <= 1 {
            let mut rest = found.as_slice();
            while !rest.is_empty() {
                let (batch, done) = part.rows(rest)?;
                rest = rest.get(done..).unwrap_or_default();
                if !visit(batch)? {
                    return Ok(());
                }
            }
            return Ok(());
        }
        let part = &part;
        for group in found.chunks(PART * threads) {
            let batches = std::thread::scope(|threads| {
                let spawned = |found| threads.spawn(move || part.all_rows(found));
                let workers: Vec<_> = group.chunks(PART).map(spawned).collect();
                workers.into_iter().map(joined).collect::<Result<Vec<_>, _>>()
            })?;
            for batch in batches.into_iter().flatten() {
                if !visit(batch)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The resources of a type in a scope, in the order their bodies lie in.
    fn in_scope(
        &self,
        reader: &Reader,
        resource_type: TypeId,
        scope: &ViewScope,
        place: Place,
    ) -> Result<Vec<Found>, Failure> {
        let patient = r4().well_known().patient;
        let all = [("_lastUpdated".to_owned(), "ge0001".to_owned())];
        let query = |pairs: &[Pair], compartment| {
            self.query(&SearchRequest { resource_type, compartment, pairs, base: "", is_lenient: false })
        };
        let mut found = Vec::new();
        if scope.patients.is_empty() && scope.groups.is_empty() {
            found = reader.all(&query(&all, None)?, place, self.budget())?;
        }
        let mut patients = scope.patients.clone();
        for group in &scope.groups {
            patients.extend(self.members_of(reader, group, place)?);
        }
        for id in &patients {
            if resource_type == patient {
                let one = [("_id".to_owned(), id.clone())];
                found.extend(reader.all(&query(&one, None)?, place, self.budget())?);
            } else {
                let wanted =
                    Wanted { is_members_only: true, types: vec![resource_type], ..Wanted::default() };
                found.extend(
                    reader.everything(patient, id, place, &wanted, self.budget())?.into_iter().flatten(),
                );
            }
        }
        let number = r4().resource_number(resource_type);
        found.retain(|f| Some(f.type_number) == number);
        found.sort_unstable_by_key(|f| (f.seat.person, f.type_number, f.seat));
        found.dedup();
        Ok(found)
    }

    /// The ids of the Patients a Group has, as far as it may be seen.
    fn members_of(&self, reader: &Reader, id: &str, place: Place) -> Result<Vec<String>, Failure> {
        let group = r4().known_resource_type("Group").map_err(|m| invalid("group", m))?;
        let kept = reader.read(group, id, Some(place))?.filter(|kept| kept.text.is_some());
        let kept = kept.ok_or_else(|| {
            Failure::new(Kind::NotFound, IssueType::NotFound, format!("there is no Group/{id}"))
        })?;
        let resource = fhir::json::parse(kept.json().as_bytes(), &self.limits)?;
        let members =
            resource.root().all("member").filter(|m| m.text_at("inactive").as_deref() != Some("true"));
        let ids = members.filter_map(|m| {
            m.text_at("entity.reference").and_then(|r| r.strip_prefix("Patient/").map(str::to_owned))
        });
        Ok(ids.collect())
    }
}

/// What the rows of a part of the resources are made with.
struct Part<'p> {
    access: &'p Access,
    reader: &'p Reader,
    view: &'p ViewDefinition,
    place: Place,
    since: Option<Micros>,
    now: Micros,
    until: Option<Instant>,
    decimals: Decimals,
}

impl Part<'_> {
    /// The rows of all of these.
    fn all_rows(&self, mut found: &[Found]) -> Result<Vec<RecordBatch>, Failure> {
        let mut batches = Vec::new();
        while !found.is_empty() {
            let (batch, done) = self.rows(found)?;
            batches.push(batch);
            found = found.get(done..).unwrap_or_default();
        }
        Ok(batches)
    }

    /// The rows of the first of these, so many that a batch holds them; how many that were.
    fn rows(&self, found: &[Found]) -> Result<(RecordBatch, usize), Failure> {
        let found = found.get(..PART).unwrap_or(found);
        let mut run = Run::new(self.view, self.decimals).at(self.now);
        let needs_meta = self.view.looks_at_meta();
        let mut whole = String::new();
        let (mut failure, mut done) = (Ok(()), 0);
        let mut is_late = false;
        for found in found.chunks(PART / 16) {
            self.reader.each(found, self.place, |kept| {
                is_late |= self.until.is_some_and(|until| Instant::now() > until);
                // After, not at: as $export has it.
                if is_late || failure.is_err() || self.since.is_some_and(|since| kept.instant <= since) {
                    return;
                }
                let before = run.rows();
                failure = match &kept.text {
                    Some(_) if needs_meta => {
                        whole.clear();
                        kept.write(&mut whole);
                        run.push_text(&whole)
                    }
                    Some((text, _)) => run.push_text(text),
                    None => Ok(()),
                };
                if run.rows() > before {
                    self.access.saw(&kept);
                }
            })?;
            done += found.len();
            if run.rows() > MAX_BATCH || is_late || failure.is_err() {
                break;
            }
        }
        failure.map_err(|e| refused(&e))?;
        if is_late {
            let message = "the view takes too long here; say _limit, patient or _since, or run it beside the hub: yojigen view run";
            return Err(Failure::new(Kind::TooCostly, IssueType::TooCostly, message));
        }
        Ok((run.batch().map_err(|e| refused(&e))?, done))
    }
}

fn joined<T>(worker: std::thread::ScopedJoinHandle<'_, Result<T, Failure>>) -> Result<T, Failure> {
    worker.join().unwrap_or_else(|_| {
        Err(Failure::new(Kind::Internal, IssueType::Exception, "a thread that runs the view has died"))
    })
}
