//! Into a running hub, over HTTP.
//!
//! Every unit is one transaction under an `Idempotency-Key` made of its content, so that a request whose answer was lost
//! can be sent again. Several are under way at once; those the hub refuses are tried once more at the end, when what
//! they refer to has arrived.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use fhir::json::JsonWriter;
use fhir::{Issue, IssueType, Limits, r4};
use http_body_util::{BodyExt as _, Full};
use hub::{is_bundle, once_key};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use indicatif::ProgressBar;
use store::Effect;
use tokio::sync::Semaphore;

use super::report::Report;
use super::source::{Content, MAX_DOCUMENT, Sources, Unit};
use super::{Stop, pipeline};
use crate::cli::ImportArguments;

/// A request is sent so often if the hub does not answer or says that it is overloaded.
const ATTEMPTS: u32 = 6;
/// An answer must have come by then.
const PATIENCE: Duration = Duration::from_secs(300);
/// Bytes of refused units kept to be tried again.
const KEPT: usize = 64 << 20;

type Http = Client<HttpConnector, Full<Bytes>>;

/// A transaction to be sent.
#[derive(Clone)]
struct Sending {
    name: String,
    key: String,
    body: Bytes,
    /// The lines in it, to be sent one by one if it is refused.
    lines: Vec<(String, Bytes)>,
}

enum Ready {
    Send(Sending),
    Refused { name: String, issues: Vec<Issue>, bytes: Vec<u8> },
}

/// What the hub made of a transaction.
enum Answer {
    Done(Vec<(&'static str, Effect)>, bool),
    Refused(Vec<Issue>),
}

/// Imports.
pub(super) fn run(
    server: &str,
    sources: &Sources,
    arguments: &ImportArguments,
    report: &mut Report,
    bar: &ProgressBar,
    stop: &Stop,
) -> Result<()> {
    let base = server.trim_end_matches('/');
    if !base.starts_with("http://") {
        bail!(
            "--server takes an address that begins with http:// (a hub answers to its own machine only), found '{server}'"
        );
    }
    let salt = if arguments.again { format!("{:?}", std::time::SystemTime::now()) } else { String::new() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    runtime.block_on(check(&http, base))?;
    let jobs = arguments.jobs.max(1);
    let permits = Arc::new(Semaphore::new(jobs));
    let answers = Arc::new(Mutex::new(Vec::new()));
    let counter = sources.counter();
    let mut again = Vec::new();
    let prepare = |unit: Unit| ready(unit, &salt);
    pipeline::run(sources, stop, prepare, |list| {
        bar.set_position(counter.load(Ordering::Relaxed));
        for ready in list {
            match ready {
                Ready::Refused { name, issues, bytes } => report.reject(&name, &issues, &bytes),
                Ready::Send(sending) => {
                    let permit = runtime.block_on(Arc::clone(&permits).acquire_owned())?;
                    let (http, base, answers) = (http.clone(), base.to_owned(), Arc::clone(&answers));
                    runtime.spawn(async move {
                        let answer = send(&http, &base, &sending).await;
                        answers.lock().unwrap_or_else(PoisonError::into_inner).push((sending, answer));
                        drop(permit);
                    });
                }
            }
        }
        settle(&answers, report, &mut again)
    })?;
    drop(runtime.block_on(permits.acquire_many(u32::try_from(jobs)?))?);
    settle(&answers, report, &mut again)?;
    for sending in again {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let singles = if sending.lines.len() > 1 {
            sending.lines.iter().map(|(name, line)| line_sending(name, line, &salt)).collect()
        } else {
            vec![sending]
        };
        for sending in singles {
            match runtime.block_on(send(&http, base, &sending))? {
                Answer::Done(effects, is_repeated) => note(report, &effects, is_repeated),
                Answer::Refused(issues) => report.reject(&sending.name, &issues, &sending.body),
            }
        }
    }
    Ok(())
}

fn note(report: &mut Report, effects: &[(&'static str, Effect)], is_repeated: bool) {
    for (name, effect) in effects {
        report.add(name, *effect, is_repeated);
    }
}

type Answers = Mutex<Vec<(Sending, Result<Answer>)>>;

fn settle(answers: &Answers, report: &mut Report, again: &mut Vec<Sending>) -> Result<()> {
    for (sending, answer) in std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner)) {
        match answer? {
            Answer::Done(effects, is_repeated) => note(report, &effects, is_repeated),
            Answer::Refused(issues) => {
                if again.iter().map(|s| s.body.len()).sum::<usize>() + sending.body.len() <= KEPT {
                    again.push(sending);
                } else {
                    report.reject(&sending.name, &issues, &sending.body);
                }
            }
        }
    }
    Ok(())
}

fn hex(key: [u8; 16]) -> String {
    key.iter().map(|b| format!("{b:02x}")).collect()
}

fn ready(unit: Unit, salt: &str) -> Vec<Ready> {
    let refused = |name: &str, message: &str, bytes: Vec<u8>| Ready::Refused {
        name: name.to_owned(),
        issues: vec![Issue::error(IssueType::Invalid, message)],
        bytes,
    };
    match unit.content {
        Content::Unreadable(reason) => vec![refused(&unit.name, &reason, Vec::new())],
        Content::Document { bytes, is_kept_whole } => {
            let kind: &[u8] = if is_kept_whole { b"whole" } else { b"parts" };
            let key = hex(once_key(&[b"import", kind, &bytes, salt.as_bytes()]));
            match transaction(&[&bytes], is_kept_whole) {
                Ok(body) => {
                    vec![Ready::Send(Sending { name: unit.name, key, body: body.into(), lines: Vec::new() })]
                }
                Err(issues) => vec![Ready::Refused { name: unit.name, issues, bytes }],
            }
        }
        Content::Lines(lines) => {
            let file = unit.name.rsplit_once(':').map_or(unit.name.as_str(), |(file, _)| file);
            let (mut good, mut out) = (Vec::new(), Vec::new());
            for (number, line) in lines {
                let name = format!("{file}:{number}");
                match transaction(&[&line], false) {
                    Ok(_) => good.push((name, Bytes::from(line))),
                    Err(issues) => out.push(Ready::Refused { name, issues, bytes: line }),
                }
            }
            let parts: Vec<&[u8]> = good.iter().map(|(_, line)| line.as_ref()).collect();
            if let Ok(body) = transaction(&parts, false)
                && !parts.is_empty()
            {
                let key = hex(once_key(&[b"import", b"lines", &parts.concat(), salt.as_bytes()]));
                out.push(Ready::Send(Sending { name: unit.name, key, body: body.into(), lines: good }));
            }
            out
        }
    }
}

fn line_sending(name: &str, line: &Bytes, salt: &str) -> Sending {
    let key = hex(once_key(&[b"import", b"lines", line, salt.as_bytes()]));
    let body = transaction(&[line], false).unwrap_or_default().into();
    Sending { name: name.to_owned(), key, body, lines: Vec::new() }
}

/// Documents as one transaction: a transaction as it is, other things as entries that store them.
fn transaction(documents: &[&[u8]], is_kept_whole: bool) -> Result<Vec<u8>, Vec<Issue>> {
    // How large a resource may be is the server's to say.
    let limits = Limits {
        resource_bytes: MAX_DOCUMENT,
        bundle_bytes: MAX_DOCUMENT,
        bundle_entries: usize::MAX,
        depth: 100,
        ..Limits::default()
    };
    let mut json = JsonWriter::new();
    let mut entries: Vec<(String, Option<String>, String, Option<String>)> = Vec::new();
    for bytes in documents {
        let document = fhir::json::parse(bytes, &limits)?;
        let root = document.root();
        let kind = root.text_at("type");
        let is_taken_apart = is_bundle(&document) && !is_kept_whole;
        match kind.as_deref() {
            Some("transaction" | "batch") if is_taken_apart && documents.len() == 1 => {
                return Ok(bytes.to_vec());
            }
            Some("collection" | "searchset") if is_taken_apart => {
                for entry in root.all("entry") {
                    let Some(resource) = entry.child("resource") else { continue };
                    let full_url = entry.text_at("fullUrl").map(String::from);
                    let id = resource.id().map(String::from);
                    entries.push((
                        resource.type_name().to_owned(),
                        id,
                        resource.json().into_owned(),
                        full_url,
                    ));
                }
            }
            _ => {
                let id = root.id().map(String::from);
                entries.push((root.type_name().to_owned(), id, root.json().into_owned(), None));
            }
        }
    }
    json.object(|b| {
        b.member("resourceType", "Bundle");
        b.member("type", "transaction");
        b.name("entry").array(|list| {
            for (name, id, text, full_url) in &entries {
                list.object(|e| {
                    if let Some(full_url) = full_url {
                        e.member("fullUrl", full_url);
                    }
                    e.raw_member("resource", text);
                    e.name("request").object(|r| {
                        r.member("method", if id.is_some() { "PUT" } else { "POST" });
                        r.member(
                            "url",
                            &id.as_ref().map_or_else(|| name.clone(), |id| format!("{name}/{id}")),
                        );
                    });
                });
            }
        });
    });
    Ok(json.finish().into_bytes())
}

/// Whether there is a FHIR server at all.
async fn check(http: &Http, base: &str) -> Result<()> {
    let request = Request::get(format!("{base}/metadata")).body(Full::default())?;
    let response = http.request(request).await.with_context(|| format!("nothing answers at {base}"))?;
    if !response.status().is_success() {
        bail!(
            "{base}/metadata answers {}; name the FHIR base, such as http://localhost:8080/fhir",
            response.status()
        );
    }
    Ok(())
}

async fn send(http: &Http, base: &str, sending: &Sending) -> Result<Answer> {
    let mut pause = Duration::from_millis(100);
    for attempt in 1.. {
        let request = Request::post(base)
            .header("content-type", "application/fhir+json")
            .header("accept", "application/fhir+json")
            .header("idempotency-key", &sending.key)
            .body(Full::new(sending.body.clone()))?;
        let answer = tokio::time::timeout(PATIENCE, async {
            let response = http.request(request).await.map_err(anyhow::Error::from)?;
            let (status, body) = (response.status(), response.into_body());
            anyhow::Ok((status, body.collect().await?.to_bytes()))
        })
        .await
        .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in {} s", PATIENCE.as_secs())));
        let trouble = match answer {
            Ok((status, _)) if matches!(status.as_u16(), 429 | 502 | 503 | 504) => {
                anyhow::anyhow!("it answers {status}")
            }
            Ok((status, body)) if status.is_success() => return Ok(done(&body)),
            Ok((_, body)) => return Ok(Answer::Refused(issues(&body))),
            Err(error) => error,
        };
        if attempt >= ATTEMPTS {
            return Err(trouble.context(format!("{}: sending to {base}", sending.name)));
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    bail!("not sent")
}

/// What a transaction's answer says was done.
fn done(body: &[u8]) -> Answer {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let mut effects = Vec::new();
    for response in answer["entry"].as_array().into_iter().flatten().map(|e| &e["response"]) {
        let location = response["location"].as_str().unwrap_or_default();
        let name = location.split('/').rev().nth(3).unwrap_or_default();
        let Some(resource_type) = r4().resource_type(name) else { continue };
        let is_created = response["status"].as_str().is_some_and(|s| s.starts_with("201"));
        effects.push((
            r4().type_name(resource_type),
            if is_created { Effect::Created } else { Effect::Updated },
        ));
    }
    Answer::Done(effects, false)
}

fn issues(body: &[u8]) -> Vec<Issue> {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let list = answer["issue"].as_array().into_iter().flatten();
    let mut found: Vec<Issue> = list
        .map(|issue| {
            let text = issue["diagnostics"].as_str().unwrap_or("refused without a reason");
            let place = issue["expression"][0].as_str().unwrap_or_default();
            Issue::error(IssueType::Processing, text).at(place)
        })
        .collect();
    if found.is_empty() {
        found.push(Issue::error(IssueType::Processing, "refused without a reason"));
    }
    found
}
