//! The socket `control` in the data directory, through which a command reaches the hub that is running there.
//!
//! Who may open it is who owns the data, so it asks for nothing more: an erasure that comes this way needs neither a sign-in nor
//! `--allow-purge`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use auth::admin;
use hub::{EraseRequest, Failure, Hub, JobState, Jobs, Work};
use serde_json::{Value, json};

/// What is looked for in a whole hub is waited for.
const PATIENCE: Duration = Duration::from_secs(3600);

fn socket(data: &Path) -> PathBuf {
    data.join("control")
}

/// Answers commands as long as the program runs; the socket, if it could be made.
pub(crate) fn listen(data: &Path, hub: &Hub, jobs: &Jobs) -> Option<PathBuf> {
    let path = socket(data);
    let (hub, jobs) = (hub.clone(), jobs.clone());
    let answer = move |line: &str| {
        let asked: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
        if let Some(patient) = asked["erase"].as_str() {
            return erase(&hub, &jobs, patient, &asked).map_err(|failure| in_words(&failure));
        }
        match asked["job"].as_str() {
            Some(id) => state(&jobs, id),
            None => Err("the running hub does not know this task; it is of another version".to_owned()),
        }
    };
    match admin::listen_at(&path, answer) {
        Ok(()) => Some(path),
        Err(error) => {
            tracing::warn!(%error, "yojigen erase does not reach this hub while it runs");
            None
        }
    }
}

/// Takes the socket away.
pub(crate) fn end(socket: Option<PathBuf>) {
    if let Some(path) = socket {
        let _ = std::fs::remove_file(path);
    }
}

/// Asks the hub that runs on a data directory.
pub(crate) fn ask(data: &Path, asked: &Value) -> Result<Value> {
    let path = socket(data);
    let told = admin::ask(&path, &asked.to_string(), PATIENCE).with_context(|| {
        format!("{} is in use, and what uses it does not answer at {}", data.display(), path.display())
    })?;
    told.map_err(|why| anyhow!(why))
}

pub(crate) fn in_words(failure: &Failure) -> String {
    let issues: Vec<String> = failure.issues.iter().map(ToString::to_string).collect();
    issues.join("; ")
}

/// A preview, or a job that is taken on.
pub(crate) fn erase(hub: &Hub, jobs: &Jobs, patient: &str, asked: &Value) -> Result<Value, Failure> {
    let pairs = asked["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|pair| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned())));
    let request = EraseRequest::read(&pairs.collect::<Vec<_>>())?;
    let mut access = crate::ledger::operator("erase");
    if let Some(author) = asked["author"].as_str() {
        access.circumstances.author = Some(author.to_owned());
    }
    if request.is_preview {
        let preview = hub.erasure_preview(&access, patient, &request)?;
        return Ok(json!({"preview": serde_json::from_str::<Value>(&preview).unwrap_or_default()}));
    }
    let id = hub.new_id();
    let erase = hub.erasure(&access, patient, &request, id.clone())?;
    Ok(json!({"job": jobs.submit(id, Work::Erase(Box::new(erase)))?}))
}

/// How a job stands.
pub(crate) fn state(jobs: &Jobs, id: &str) -> Result<Value, String> {
    let job = jobs.job(id).ok_or_else(|| format!("there is no job {id}"))?;
    match job.state {
        JobState::Working { done, total } => Ok(json!({"done": done, "total": total})),
        JobState::Failed(why) => Err(why),
        JobState::Done => {
            let manifest = job.work.manifest(&str::to_owned);
            Ok(json!({"manifest": serde_json::from_str::<Value>(&manifest).unwrap_or_default()}))
        }
    }
}
