//! `$viewdefinition-run`: the rows of a view of SQL on FHIR
//! (<https://sql-on-fhir.org/ig/latest/OperationDefinition-ViewDefinitionRun.html>).
//!
//! The view comes with the call or is the content of a Library. Its rows are made of what the access may see, as of one
//! place of the log: what the index finds is listed, and the bodies are gone through in the order they lie in.

mod request;
mod rows;

pub use request::ViewRunRequest;
pub(crate) use request::{LIBRARY_NAMES, NAMES};

use std::io::Write;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use data_encoding::BASE64;
use fhir::date_time::Micros;
use fhir::{Issue, IssueType, TypeId, r4};
use search::query::Pair;
use store::{Clock as _, Found, Place, Reader, Wanted};
use views::write::{Format, RowWriter};
use views::{Decimals, Run, ViewDefinition};

use self::request::Source;
use self::rows::{PART, Part};
use crate::{Access, Failure, Hub, Kind, SearchRequest, SystemClock};

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
        through(&part, &found, threads, visit)
    }

    /// The rows of several views over the records of these Patients (ids) as of a place, batch by batch: each record is
    /// looked up once for all of them. `visit` is told which view it is.
    ///
    /// # Errors
    /// As [`Hub::view_batches`].
    pub fn views_of_persons(
        &self,
        access: &Access,
        views: &[&ViewDefinition],
        patients: &[String],
        place: Place,
        threads: usize,
        visit: &mut dyn FnMut(usize, RecordBatch) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        views.iter().try_for_each(|view| access.of_type(view.resource))?;
        let reader = self.reader(access);
        let now = reader.instant_of(place)?;
        let wanted = Wanted {
            is_members_only: true,
            types: views.iter().map(|view| view.resource).collect(),
            ..Wanted::default()
        };
        let patient = r4().well_known().patient;
        let mut found: Vec<Found> = Vec::new();
        for id in patients {
            if let Some(record) = reader.everything(patient, id, place, &wanted, self.budget())? {
                found.extend(record);
                continue;
            }
            // A Patient that is not seen, or is no more; what is kept of them may be.
            for resource_type in wanted.types.iter().filter(|t| **t != patient) {
                let compartment = Some((patient, id.as_str()));
                let request = SearchRequest {
                    resource_type: *resource_type,
                    compartment,
                    pairs: &[],
                    base: "",
                    is_lenient: false,
                };
                found.extend(reader.all(&self.query(&request)?, place, self.budget())?);
            }
        }
        found.sort_unstable_by_key(|f: &Found| (f.seat.person, f.type_number, f.seat));
        found.dedup();
        for (at, view) in views.iter().enumerate() {
            let number = r4().resource_number(view.resource);
            let of_type: Vec<Found> =
                found.iter().filter(|f| Some(f.type_number) == number).copied().collect();
            let decimals = Decimals::Numbers;
            let part = Part { access, reader: &reader, view, place, since: None, now, until: None, decimals };
            through(&part, &of_type, threads, &mut |batch| visit(at, batch).map(|()| true))?;
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

/// Passes the rows over what was found to `visit`, batch by batch, until it returns false.
fn through(
    part: &Part<'_>,
    found: &[Found],
    threads: usize,
    visit: &mut dyn FnMut(RecordBatch) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    if threads <= 1 {
        let mut rest = found;
        while !rest.is_empty() {
            let (batch, done) = part.rows(rest)?;
            rest = rest.get(done..).unwrap_or_default();
            if !visit(batch)? {
                return Ok(());
            }
        }
        return Ok(());
    }
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

fn joined<T>(worker: std::thread::ScopedJoinHandle<'_, Result<T, Failure>>) -> Result<T, Failure> {
    worker.join().unwrap_or_else(|_| {
        Err(Failure::new(Kind::Internal, IssueType::Exception, "a thread that runs the view has died"))
    })
}
