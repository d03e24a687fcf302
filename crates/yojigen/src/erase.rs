//! `yojigen erase`

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use hub::Jobs;
use serde_json::{Value, json};

use crate::accounts::Accounts;
use crate::cli::EraseArguments;
use crate::hub_at::{self, Opening};
use crate::{control, ledger, progress};

/// How often it is asked how far the work is.
const PAUSE: Duration = Duration::from_millis(100);
/// The steps of the work.
const STEPS: [&str; 5] =
    ["accounts, ledger and log", "looking", "destroying", "merging the files", "merging the ledger"];
/// What stands beside a data directory and may hold the same.
const BESIDE: [&str; 3] = ["before-rebuild", "rebuilding", "restoring"];

/// Erases a person, in a hub that is stopped or by the one that runs.
pub(crate) fn run(arguments: &EraseArguments) -> Result<ExitCode> {
    let data = &arguments.data.data;
    hub_at::must_exist(data)?;
    let Some(patient) = arguments.patient.strip_prefix("Patient/").filter(|id| auth::is_id(id)) else {
        bail!("'{}' is no Patient; write Patient/ID", arguments.patient)
    };
    let mut parameters: Vec<[String; 2]> = Vec::new();
    let mut add = |name: &str, value: &str| parameters.push([name.to_owned(), value.to_owned()]);
    if let Some(reason) = &arguments.reason {
        add("reason", reason);
    }
    add("linked", if arguments.not_linked { "false" } else { "true" });
    add("preview", if arguments.dry_run { "true" } else { "false" });
    arguments.also.iter().for_each(|one| add("also", one));
    let author = ledger::operator("erase").circumstances.author;
    let asked = json!({"erase": patient, "parameters": parameters, "author": author});
    let told = match hub_at::open(&Opening::from(&arguments.data)) {
        Ok(mut hub) => {
            hub.may_purge = true;
            ledger::attach(&mut hub, data)?;
            hub.accounts = Some(Accounts::kept(data));
            let key = crate::key::of(data)?.map(|keys| keys.file_key());
            let jobs = Jobs::start(hub.clone(), data.join("jobs"), key).context("reading the jobs")?;
            let told =
                control::erase(&hub, &jobs, patient, &asked).map_err(|f| anyhow!(control::in_words(&f)));
            let done = told.and_then(|told| {
                follow(told, arguments.quiet, &mut |id| control::state(&jobs, id).map_err(|why| anyhow!(why)))
            });
            jobs.stop();
            let closed = hub.ledger.as_ref().map_or(Ok(()), |ledger| ledger.close());
            closed.context("closing the ledger")?;
            hub.store().close().context("closing the store")?;
            done?
        }
        Err(error) if matches!(error.downcast_ref(), Some(store::Error::InUse(_))) => {
            let told = control::ask(data, &asked)?;
            follow(told, arguments.quiet, &mut |id| control::ask(data, &json!({"job": id})))?
        }
        Err(error) => return Err(error),
    };
    if arguments.json {
        say!("{:#}", told.get("preview").or(told.get("manifest")).unwrap_or(&told));
    } else if let Some(preview) = told.get("preview") {
        show_preview(preview);
    } else {
        show(&told["manifest"], data);
    }
    Ok(if has_shared(&told) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Waits for the job that was taken on, if one was.
fn follow(told: Value, is_quiet: bool, ask: &mut dyn FnMut(&str) -> Result<Value>) -> Result<Value> {
    let Some(id) = told["job"].as_str() else { return Ok(told) };
    let bar = progress::bar(STEPS.len() as u64, "steps", is_quiet);
    loop {
        let state = ask(id)?;
        if state.get("manifest").is_some() {
            bar.finish_and_clear();
            return Ok(state);
        }
        let done = state["done"].as_u64().unwrap_or(0);
        bar.set_position(done);
        let step = usize::try_from(done).ok().and_then(|at| STEPS.get(at));
        bar.set_message(step.copied().unwrap_or_default());
        std::thread::sleep(PAUSE);
    }
}

/// The parameters of a name.
fn named<'v>(preview: &'v Value, name: &'v str) -> impl Iterator<Item = &'v Value> {
    preview["parameter"].as_array().into_iter().flatten().filter(move |p| p["name"] == name)
}

/// The values of a parameter's parts of a name, as text.
fn parts(parameter: &Value, name: &str) -> Vec<String> {
    let parts = parameter["part"].as_array().into_iter().flatten().filter(|p| p["name"] == name);
    parts
        .map(|part| match part {
            part if part["valueString"].is_string() => text(&part["valueString"]),
            part if part["valueCode"].is_string() => text(&part["valueCode"]),
            part if part["valueReference"].is_object() => text(&part["valueReference"]["reference"]),
            part => part["valueInteger"].to_string(),
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn has_shared(told: &Value) -> bool {
    let preview = told.get("preview").is_some_and(|preview| named(preview, "shared").next().is_some());
    preview || told["manifest"]["shared"].as_array().is_some_and(|shared| !shared.is_empty())
}

fn show_preview(preview: &Value) {
    for patient in named(preview, "patient") {
        say!("{}", text(&patient["valueReference"]["reference"]));
    }
    say!("would be destroyed:");
    for kind in named(preview, "type") {
        let of = |name: &str| parts(kind, name).concat();
        say!("  {}: {} resources, {} texts", of("type"), of("resources"), of("texts"));
    }
    let shared: Vec<&Value> = named(preview, "shared").collect();
    if !shared.is_empty() {
        say!("shared, to be decided:");
    }
    for one in shared {
        show_shared(&parts(one, "resource").concat(), &parts(one, "why"), &parts(one, "version"));
    }
}

fn show_shared(name: &str, why: &[String], versions: &[String]) {
    say!("  {name}: {} (version {})", why.join("; "), versions.join(", "));
}

fn show(manifest: &Value, data: &Path) {
    let list = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect()
    };
    say!("erased: {}", list(&manifest["patient"]).join(", "));
    say!(
        "  {} resources with {} texts; texts of {} entries of the log and {} records of the ledger",
        manifest["resources"],
        manifest["texts"],
        manifest["logEntries"],
        manifest["ledgerRecords"]
    );
    say!(
        "  {} jobs, {} accounts; {} other accounts act for the person no more",
        manifest["jobs"],
        manifest["accounts"],
        manifest["changedAccounts"]
    );
    let shared: Vec<&Value> = manifest["shared"].as_array().into_iter().flatten().collect();
    if !shared.is_empty() {
        say!("shared, to be decided (as it was when the erasure began):");
    }
    for one in shared {
        show_shared(&text(&one["resource"]), &list(&one["why"]), &list(&one["version"]));
    }
    let name = data.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    for suffix in BESIDE {
        let beside = data.with_file_name(format!("{name}.{suffix}"));
        if beside.exists() {
            say!("{} may hold the same; remove it", beside.display());
        }
    }
    say!("backups taken before hold it still: yojigen backup PLACE --data {} --erase", data.display());
}
