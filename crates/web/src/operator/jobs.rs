//! `/hub/jobs`: long work; how far it has come, stopping it, and what an import or a deletion refused.
//!
//! What a job made, and what exactly was found in what it refused, may tell of persons: it is shown to whoever may have
//! the job's files (`Work::is_for`). Others are told what kind of finding and where.

use std::io::{BufRead as _, BufReader, Read as _};

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use fluent_bundle::FluentValue;
use hub::{Access, Hub, Job, JobState, Jobs, MadeFile, Work};
use serde_json::Value;

use super::{Place, go, places, refused, runs_the_hub};
use crate::audit::audited;
use crate::calendar::written_moment;
use crate::failure::{Failure, away};
use crate::form::Form;
use crate::quantity::grouped;
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::Visit;
use crate::words::Words;
use crate::writing::Changes;

/// Refusals that are shown; all are in the file.
const SHOWN: usize = 50;
/// Bytes of the file that are looked at for them.
const LOOKED: usize = 1 << 20;
const ERRORS: &str = "errors.ndjson";

/// A job in words.
struct Line {
    id: String,
    name: String,
    state: String,
    more: String,
    /// How far, in hundredths, while it works.
    percent: Option<u64>,
    may_stop: bool,
    is_over: bool,
}

#[derive(Template)]
#[template(path = "operator/jobs.html")]
struct JobsPage {
    shell: Shell,
    places: Vec<Place>,
    lines: Vec<Line>,
    done: String,
}

/// A finding about something that was refused.
struct Finding {
    code: String,
    place: String,
    text: String,
}

/// A file a job made.
struct File {
    name: String,
    address: String,
    count: String,
}

#[derive(Template)]
#[template(path = "operator/job.html")]
struct JobPage {
    shell: Shell,
    places: Vec<Place>,
    line: Line,
    /// Whether what it made may be had.
    is_own: bool,
    files: Vec<File>,
    errors: String,
    findings: Vec<Finding>,
    /// What was tried again: its text and what came of it.
    text: String,
    told: String,
    fault: String,
}

fn line(job: &Job, hub: &Hub, words: Words) -> Line {
    let ended = job.ended.map(|at| written_moment(at, hub.zone(), words)).unwrap_or_default();
    let is_erasure = matches!(job.work, Work::Erase(_));
    let (state, more, percent) = match &job.state {
        JobState::Working { total: 0, .. } => (words.say("hub-job-waits"), String::new(), None),
        JobState::Working { done, total } => {
            let args =
                [("part", FluentValue::from(grouped(*done))), ("whole", FluentValue::from(grouped(*total)))];
            let share = (100 * done).checked_div(*total).unwrap_or(0).min(100);
            (words.say("hub-job-works"), words.say_with("hub-of", &args), Some(share))
        }
        JobState::Done => (words.say("hub-job-done"), ended, None),
        JobState::Failed(_) => (words.say("hub-job-failed"), ended, None),
    };
    let is_over = !matches!(job.state, JobState::Working { .. });
    Line {
        id: job.id.clone(),
        name: words.say_code("hub-work", job.work.name()).unwrap_or_default(),
        state,
        more,
        percent,
        // An erasure that began is ended by nothing but its end.
        may_stop: !is_erasure,
        is_over,
    }
}

/// Answers with the list.
pub(super) async fn list(State(site): State<Site>, visit: Visit) -> Response {
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let jobs = site.jobs.as_ref().map(Jobs::all).unwrap_or_default();
    let done = if visit.value("done").is_some() { visit.words.say("hub-job-stopped") } else { String::new() };
    let page = JobsPage {
        shell: Shell::of(&visit),
        places: places(&visit),
        lines: jobs.iter().map(|job| line(job, &site.hub, visit.words)).collect(),
        done,
    };
    crate::shell::respond_with_scripts(&visit, StatusCode::OK, &page, "")
}

/// The beginning of a file a job made.
fn beginning(jobs: &Jobs, id: &str, name: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match jobs.file(id, name)? {
        None => {}
        Some(MadeFile::Clear(path)) => {
            std::fs::File::open(path)?.take(LOOKED as u64).read_to_end(&mut bytes)?;
        }
        Some(MadeFile::Sealed(mut reader)) => {
            while let Some(frame) = reader.next_frame()? {
                bytes.extend_from_slice(&frame);
                if bytes.len() >= LOOKED {
                    break;
                }
            }
        }
    }
    Ok(bytes)
}

/// What was found in what was refused; what was found there exactly only for those who may know.
fn findings(bytes: &[u8], is_own: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for line in BufReader::new(bytes).lines().map_while(Result::ok).take(SHOWN) {
        let Ok(outcome) = serde_json::from_str::<Value>(&line) else { continue };
        for issue in outcome["issue"].as_array().into_iter().flatten().take(3) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            found.push(Finding {
                code: text(&issue["code"]),
                place: text(&issue["expression"][0]),
                text: if is_own { text(&issue["diagnostics"]) } else { String::new() },
            });
        }
    }
    found
}

fn draw(site: &Site, access: &Access, visit: &Visit, id: &str) -> Result<JobPage, Failure> {
    let Some((jobs, job)) = site.jobs.as_ref().and_then(|jobs| Some((jobs, jobs.job(id)?))) else {
        return Err(Failure::NothingHere);
    };
    let (words, is_own) = (visit.words, job.work.is_for(access));
    let mut page = JobPage {
        shell: Shell::of(visit),
        places: places(visit),
        line: line(&job, &site.hub, words),
        is_own,
        files: Vec::new(),
        errors: String::new(),
        findings: Vec::new(),
        text: String::new(),
        told: String::new(),
        fault: String::new(),
    };
    match &job.state {
        JobState::Failed(message) if is_own => page.fault.clone_from(message),
        JobState::Done if !matches!(job.work, Work::Erase(_)) => {
            let manifest = job.work.manifest(&|file| format!("/fhir/_jobs/{id}/{file}"));
            let manifest: Value = serde_json::from_str(&manifest).unwrap_or_default();
            let of = |name: &str| manifest[name].as_array().cloned().unwrap_or_default();
            let count = |file: &Value| grouped(file["count"].as_u64().unwrap_or(0));
            if is_own {
                page.files = of("output")
                    .iter()
                    .filter(|file| file["url"].as_str().is_some_and(|url| url.starts_with("/fhir/_jobs/")))
                    .map(|file| File {
                        name: file["type"].as_str().unwrap_or_default().to_owned(),
                        address: file["url"].as_str().unwrap_or_default().to_owned(),
                        count: count(file),
                    })
                    .collect();
            }
            if let Some(errors) = of("error").first() {
                page.errors = words.say_count(
                    "hub-refused-count",
                    usize::try_from(errors["count"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX),
                );
                let read = beginning(jobs, id, ERRORS).unwrap_or_default();
                page.findings = findings(&read, is_own);
            }
        }
        _ => {}
    }
    Ok(page)
}

/// Answers with one job.
pub(super) async fn one(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let asked = visit.clone();
    // What was refused may tell of anybody.
    let drawn = audited(site.hub.clone(), &visit, format!("_jobs/{id}"), move |_, access| {
        draw(&site, &access, &asked, &id)
    });
    match drawn.await {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}

/// Stops a job, and shows the list.
pub(super) async fn stop(State(site): State<Site>, Path(id): Path<String>, form: Form) -> Response {
    if !runs_the_hub(&form.visit) {
        return Failure::NotFor.page(&form.visit);
    }
    let visit = form.visit;
    let target = format!("_jobs/{id}");
    let stopped = audited(site.hub.clone(), &visit, target, move |_, _| {
        let job = site.jobs.as_ref().and_then(|jobs| Some((jobs, jobs.job(&id)?)));
        match job {
            None => Err(Failure::NothingHere),
            Some((_, job)) if matches!(job.work, Work::Erase(_)) => {
                Err(refused("an erasure that began is not stopped half-way; it goes on to its end"))
            }
            Some((jobs, _)) => Ok(jobs.cancel(&id)),
        }
    });
    match stopped.await {
        Ok(_) => go("/hub/jobs?done=stopped"),
        Err(failure) => failure.page(&visit),
    }
}

/// Stores a resource that was mended, under the rights of whoever sends it.
fn store(hub: &Hub, access: &Access, text: &str) -> Result<String, Failure> {
    let resource = fhir::json::parse(text.as_bytes(), &hub.limits)
        .map_err(|issues| Failure::from(hub::Failure::invalid(issues)))?;
    let has_id = resource.root().text_at("id").is_some();
    let value: Value = serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
    let mut changes = Changes::default();
    if has_id {
        changes.put(value);
    } else {
        changes.create("", value);
    }
    let written = changes.commit(hub, access)?;
    Ok(written.first().map(|one| one.reference.clone()).unwrap_or_default())
}

/// Tries a resource again that was refused and mended, and shows the job with what came of it.
pub(super) async fn resubmit(State(site): State<Site>, Path(id): Path<String>, form: Form) -> Response {
    let visit = form.visit.clone();
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    if form.is_cut {
        return refused(visit.words.say("form-cut")).page(&visit);
    }
    let (hub, access, text) = (site.hub.clone(), visit.access(), form.field("resource").to_owned());
    let sent = text.clone();
    let stored = away(move || store(&hub, &access, &sent)).await;
    let asked = visit.clone();
    let drawn = audited(site.hub.clone(), &visit, format!("_jobs/{id}"), move |_, access| {
        draw(&site, &access, &asked, &id)
    });
    let mut page = match drawn.await {
        Ok(page) => page,
        Err(failure) => return failure.page(&visit),
    };
    let status = match stored {
        Ok(reference) => {
            page.told = visit.words.say_with("hub-stored", &[("reference", FluentValue::from(reference))]);
            StatusCode::OK
        }
        Err(failure) => {
            let status = StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::BAD_REQUEST);
            page.fault = match failure {
                Failure::Hub(failure) => {
                    failure.issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                }
                _ => visit.words.say("record-failed"),
            };
            page.text = text;
            status
        }
    };
    respond(&visit, status, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_exactly_is_for_those_who_may_know() {
        let line = br#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"value","diagnostics":"'Yamada' is no date","expression":["Patient.birthDate"]}]}"#;
        let own = findings(line, true);
        assert_eq!(
            (own[0].place.as_str(), own[0].text.as_str()),
            ("Patient.birthDate", "'Yamada' is no date")
        );
        let others = findings(line, false);
        assert_eq!((others[0].code.as_str(), others[0].text.as_str()), ("value", ""));
    }
}
