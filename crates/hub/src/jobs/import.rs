//! `$import`: NDJSON files named by a manifest, fetched and stored (after the SMART team's proposal,
//! <https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md>; also as the Parameters that other servers take).
//!
//! Lines go to the store in groups, each committed once under a key of the job and its place in the file, so that a job that
//! goes on after a crash adds nothing twice. A line that cannot be stored is written to a file of errors with its place, and
//! the rest goes on.

use std::io::{BufRead, BufReader, Read as _};

use fhir::date_time::{Micros, format_instant};
use fhir::issue::nearest;
use fhir::json::JsonWriter;
use fhir::{Issue, IssueType, Resource, r4};
use serde::{Deserialize, Serialize};
use store::Command;

use super::file::Folder;
use super::refused::{Refused, RefusedFile};
use crate::subscriptions::Caller;
use crate::{Access, Failure, Hub, Kind, once_key};

/// Lines committed together, and bytes of them after which no more are added.
const GROUP: usize = 200;
const GROUP_BYTES: usize = 4 << 20;
/// Work is written down after so many groups.
const CHECKPOINT: usize = 50;
/// Whether the job is over is asked after so many lines, whatever they are.
const STOP: u64 = 1000;
/// More files than this are not taken in one job.
const MAX_FILES: usize = 10_000;

/// A file to be imported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Input {
    /// The type of its resources, if it was said.
    resource_type: Option<String>,
    url: String,
    /// Lines looked at.
    lines: u64,
    stored: u64,
    refused: u64,
    is_done: bool,
}

/// An import, as asked for and as far as it has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Import {
    /// As it was asked for: the address.
    request: String,
    id: String,
    instant: Micros,
    inputs: Vec<Input>,
    refused: Refused,
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Invalid, IssueType::Invalid, message)
}

/// What a manifest asks for: format, type and URL of each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportRequest {
    inputs: Vec<(Option<String>, String)>,
}

impl ImportRequest {
    /// Reads a manifest: JSON with `inputFormat` and `input` (`type`, `url`), or Parameters with the same names.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(bytes: &[u8], hub: &Hub) -> Result<ImportRequest, Failure> {
        let json: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|e| invalid(format!("$import takes a manifest as JSON; this does not read: {e}")))?;
        let mut asked = ImportRequest::default();
        if json["resourceType"] == "Parameters" {
            let resource = fhir::json::parse(bytes, &hub.limits)?;
            asked.parameters(&resource)?;
        } else {
            let members = json
                .as_object()
                .ok_or_else(|| invalid("a manifest is an object with input, a list of files"))?;
            for (name, value) in members {
                match name.as_str() {
                    "inputFormat" => format(value.as_str().unwrap_or_default())?,
                    "input" => {
                        for input in value.as_array().ok_or_else(|| invalid("input: a list of files"))? {
                            let members = input
                                .as_object()
                                .ok_or_else(|| invalid("input: each file is an object with url and type"))?;
                            if let Some(name) = members.keys().find(|n| !matches!(n.as_str(), "type" | "url"))
                            {
                                return Err(invalid(format!(
                                    "input.{name}: a file has type and url, not this"
                                )));
                            }
                            let text = |name: &str| input[name].as_str().map(str::to_owned);
                            asked.add(text("type"), text("url"))?;
                        }
                    }
                    // They say where the files come from, and change nothing here.
                    "inputSource" | "storageDetail" => {}
                    other => return Err(unknown(other)),
                }
            }
        }
        if asked.inputs.is_empty() {
            return Err(invalid("the manifest names no file; input: [{type: Patient, url: https://…}]"));
        }
        Ok(asked)
    }

    fn parameters(&mut self, resource: &Resource) -> Result<(), Failure> {
        for parameter in resource.root().all("parameter") {
            let name = parameter.text_at("name").unwrap_or_default();
            match name.as_ref() {
                "inputFormat" => format(&parameter.text_at("value").unwrap_or_default())?,
                "inputSource" | "storageDetail" => {}
                "input" => {
                    let known = |n: &str| matches!(n, "type" | "resourceType" | "url");
                    let other = parameter.all("part").filter_map(|p| p.text_at("name")).find(|n| !known(n));
                    if let Some(name) = other {
                        return Err(invalid(format!("input.{name}: a file has type and url, not this")));
                    }
                    let part = |wanted: &str| {
                        parameter
                            .all("part")
                            .find(|p| p.text_at("name").as_deref() == Some(wanted))
                            .and_then(|p| p.text_at("value").map(String::from))
                    };
                    self.add(part("type").or_else(|| part("resourceType")), part("url"))?;
                }
                other => return Err(unknown(other)),
            }
        }
        Ok(())
    }

    fn add(&mut self, resource_type: Option<String>, url: Option<String>) -> Result<(), Failure> {
        let at = self.inputs.len();
        let url = url.ok_or_else(|| invalid(format!("input[{at}]: it has no url")))?;
        if let Some(name) = &resource_type {
            r4().known_resource_type(name).map_err(|m| invalid(format!("input[{at}].type: {m}")))?;
        }
        if at == MAX_FILES {
            return Err(Failure::new(
                Kind::TooLarge,
                IssueType::TooLong,
                format!("more than {MAX_FILES} files; name the rest in another job"),
            ));
        }
        self.inputs.push((resource_type, url));
        Ok(())
    }
}

fn unknown(name: &str) -> Failure {
    const NAMES: [&str; 4] = ["inputFormat", "inputSource", "storageDetail", "input"];
    let near = nearest(name, NAMES.into_iter());
    let known = if near.is_empty() { NAMES.join(", ") } else { near.join(" or ") };
    invalid(format!("{name}: a manifest has no such member (it has {known})"))
}

fn format(name: &str) -> Result<(), Failure> {
    match name {
        "application/fhir+ndjson" | "application/ndjson" | "ndjson" => Ok(()),
        other => Err(invalid(format!("inputFormat: '{other}' is not read here; application/fhir+ndjson is"))),
    }
}

impl Hub {
    /// An import, to be submitted under this id.
    ///
    /// # Errors
    /// A file at an address the hub may not fetch from.
    pub fn import_job(
        &self,
        access: &Access,
        asked: ImportRequest,
        request: String,
        id: String,
    ) -> Result<Import, Failure> {
        access.whole("$import")?;
        let mut inputs = Vec::with_capacity(asked.inputs.len());
        for (at, (resource_type, url)) in asked.inputs.into_iter().enumerate() {
            if let Some(message) = self.import_rules.refusal(&url, "--import-source") {
                let failure = Failure::new(Kind::Unprocessable, IssueType::Forbidden, message);
                return Err(failure.under(&format!("input[{at}].url")));
            }
            inputs.push(Input { resource_type, url, lines: 0, stored: 0, refused: 0, is_done: false });
        }
        let instant = self.reader(access).instant();
        Ok(Import { request, id, instant, inputs, refused: Refused::default() })
    }
}

/// Lines read and not yet committed: their numbers and texts.
#[derive(Default)]
struct Group {
    lines: Vec<(u64, Vec<u8>)>,
    bytes: usize,
}

/// An address without its query, which may be a secret (a signature).
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// Reads to the end of a line.
fn pass_line(lines: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let piece = lines.fill_buf()?;
        let end = piece.iter().position(|b| *b == b'\n');
        let read = end.map_or(piece.len(), |at| at + 1);
        let is_over = end.is_some() || piece.is_empty();
        lines.consume(read);
        if is_over {
            return Ok(());
        }
    }
}

impl Import {
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
            m.name("output").array(|list| {
                for input in &self.inputs {
                    list.object(|o| {
                        if let Some(name) = &input.resource_type {
                            o.member("type", name);
                        }
                        o.member("inputUrl", &input.url);
                        o.raw_member("count", &input.stored.to_string());
                    });
                }
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
        checkpoint: &mut dyn FnMut(&Import, u64, u64) -> Result<(), Failure>,
    ) -> Result<Option<Import>, Failure> {
        let mut errors = self.refused.open(folder)?;
        let caller = Caller::new();
        for at in 0..self.inputs.len() {
            if self.inputs[at].is_done {
                continue;
            }
            if !self.file(hub, at, &caller, &mut errors, is_over, checkpoint)? {
                return Ok(None);
            }
            self.refused = errors.sync()?;
            checkpoint(&self, self.done(), self.done())?;
        }
        Ok(Some(self))
    }

    fn done(&self) -> u64 {
        self.inputs.iter().map(|i| i.lines).sum()
    }

    /// Imports what is left of a file; whether it came to its end.
    fn file(
        &mut self,
        hub: &Hub,
        at: usize,
        caller: &Caller,
        errors: &mut RefusedFile,
        is_over: &dyn Fn() -> bool,
        checkpoint: &mut dyn FnMut(&Import, u64, u64) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let url = self.inputs[at].url.clone();
        // What was allowed when it was asked for may not be any more.
        let fetched = match hub.import_rules.refusal(&url, "--import-source") {
            Some(message) => Err(message),
            None => caller.fetch(&url),
        };
        let unread = |e: String| {
            Failure::new(Kind::Unprocessable, IssueType::Processing, format!("{}: {e}", without_query(&url)))
        };
        let mut lines = BufReader::with_capacity(256 << 10, fetched.map_err(unread)?);
        let limit = hub.limits.resource_bytes as u64 + 1;
        let skip = self.inputs[at].lines;
        let (mut number, mut groups) = (0, 0);
        let mut group = Group::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut lines).take(limit).read_until(b'\n', &mut line);
            let is_end = read.map_err(|e| unread(e.to_string()))? == 0;
            if !is_end {
                number += 1;
                if number % STOP == 0 && is_over() {
                    return Ok(false);
                }
                if line.len() as u64 == limit && !line.ends_with(b"\n") {
                    pass_line(&mut lines).map_err(|e| unread(e.to_string()))?;
                    if number > skip {
                        let message = format!("it is longer than {} bytes", limit - 1);
                        self.refuse(at, number, &invalid(message), errors)?;
                    }
                    continue;
                }
                if number <= skip {
                    continue;
                }
                let text = line.trim_ascii();
                if !text.is_empty() {
                    group.bytes += text.len();
                    group.lines.push((number, text.to_owned()));
                }
            }
            let is_full = group.lines.len() == GROUP || group.bytes >= GROUP_BYTES;
            if is_full || is_end && !group.lines.is_empty() {
                self.commit(hub, at, &std::mem::take(&mut group), errors)?;
                self.inputs[at].lines = number;
                groups += 1;
                if is_over() {
                    return Ok(false);
                }
                if groups % CHECKPOINT == 0 {
                    self.refused = errors.sync()?;
                    checkpoint(self, self.done(), self.done())?;
                }
            }
            if is_end {
                self.inputs[at].lines = number;
                self.inputs[at].is_done = true;
                return Ok(true);
            }
        }
    }

    fn commands(&self, hub: &Hub, at: usize, number: u64, text: &[u8]) -> Result<Vec<Command>, Failure> {
        let resource = fhir::json::parse(text, &hub.limits)?;
        let found = resource.root().type_name();
        if let Some(wanted) = self.inputs[at].resource_type.as_deref().filter(|t| *t != found) {
            return Err(invalid(format!("this is a {found}; the manifest says {wanted}")));
        }
        // The same id if it is done again after a crash.
        let id = blake3::hash(format!("{}/{at}/{number}", self.id).as_bytes());
        hub.import_commands(&resource, true, &mut |_| id.to_hex()[..32].to_owned())
    }

    /// Commits a group; if it is refused, its lines one by one.
    fn commit(
        &mut self,
        hub: &Hub,
        at: usize,
        group: &Group,
        errors: &mut RefusedFile,
    ) -> Result<(), Failure> {
        let access = Access::open("import");
        let id = self.id.clone();
        let propose = |commands: Vec<Command>, name: &str, first: u64| -> Result<(), Failure> {
            let (at, first) = (at.to_be_bytes(), first.to_be_bytes());
            let once = once_key(&[b"$import", id.as_bytes(), &at, name.as_bytes(), &first]);
            hub.submit_and_wait(hub.import_proposal(&access, commands, once, None)).map(|_| ())
        };
        let read: Result<Vec<Vec<Command>>, Failure> =
            group.lines.iter().map(|(number, text)| self.commands(hub, at, *number, text)).collect();
        if let Ok(commands) = read {
            let commands: Vec<Command> = commands.into_iter().flatten().collect();
            // A transaction writes a resource once.
            let mut seen = std::collections::BTreeSet::new();
            let is_each_once = commands.iter().all(|c| seen.insert((c.resource_type, c.id.clone())));
            let first = group.lines.first().map_or(0, |(number, _)| *number);
            if is_each_once && propose(commands, "group", first).is_ok() {
                self.inputs[at].stored += group.lines.len() as u64;
                return Ok(());
            }
        }
        for (number, text) in &group.lines {
            let stored = self.commands(hub, at, *number, text).and_then(|c| propose(c, "line", *number));
            match stored {
                Ok(()) => self.inputs[at].stored += 1,
                // Not the line's fault: the job fails, and can be asked for again.
                Err(failure) if failure.kind.status() >= 500 => return Err(failure),
                Err(failure) => self.refuse(at, *number, &failure, errors)?,
            }
        }
        Ok(())
    }

    fn refuse(
        &mut self,
        at: usize,
        number: u64,
        failure: &Failure,
        errors: &mut RefusedFile,
    ) -> Result<(), Failure> {
        self.inputs[at].refused += 1;
        let place = format!("{} line {number}", without_query(&self.inputs[at].url));
        let issues: Vec<Issue> = failure
            .issues
            .iter()
            .map(|issue| Issue { diagnostics: format!("{place}: {}", issue.diagnostics), ..issue.clone() })
            .collect();
        errors.add(&issues)
    }
}
