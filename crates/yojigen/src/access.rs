//! `yojigen access`: who may see what, and why; what other rules would change.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use access::scope::Scopes;
use access::{ConsentMemory, Policy, Purpose, Subject};
use anyhow::{Context as _, Result, anyhow, bail};
use fhir::{DateTime, TypeId, r4};
use hub::Hub;
use search::Zone;
use search::restriction::Verdict;
use store::{Kept, Limits, Reader};

use crate::cli::{AccessTask, CompareArguments, ExplainArguments, SubjectArguments, WhoArguments};
use crate::hub_at::{self, Opening};

/// So many resources are named on each side of a comparison.
const NAMED: usize = 20;

/// Prints rules, explains a decision, compares rules.
pub(crate) fn run(task: &AccessTask) -> Result<ExitCode> {
    match task {
        AccessTask::Rules { rules: None } => {
            say!("{}", access::policy::DEFAULT.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        AccessTask::Rules { rules: Some(file) } => {
            let zone = Zone::named("UTC").ok_or_else(|| anyhow!("there is no zone UTC"))?;
            let policy = policy(Some(file), &zone)?;
            say!("{} reads; its roles are {}", file.display(), policy.roles().join(", "));
            Ok(ExitCode::SUCCESS)
        }
        AccessTask::Explain(arguments) => explain(arguments),
        AccessTask::Who(arguments) => who(arguments),
        AccessTask::Compare(arguments) => compare(arguments),
    }
}

/// The rules of a file, or those that come with the program.
pub(crate) fn policy(file: Option<&Path>, zone: &Zone) -> Result<Policy> {
    let Some(file) = file else { return Ok(Policy::standard(zone.clone())) };
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    Policy::read(&text, zone.clone()).map_err(|why| anyhow!("{}: {why}", file.display()))
}

fn open(data: &Path) -> Result<Hub> {
    hub_at::must_exist(data)?;
    let limits = Limits { block_cache: 64 << 20, ..Limits::default() };
    hub_at::open(&Opening {
        path: data,
        zone: "Asia/Tokyo",
        limits,
        seed: None,
        is_recorded: false,
        references: store::ReferencePolicy::default(),
    })
}

fn subject(arguments: &SubjectArguments, policy: &Policy) -> Result<Subject> {
    let known = policy.roles();
    if let Some(other) = arguments.roles.iter().find(|role| !known.contains(&role.as_str())) {
        bail!("--as: no rule names the role '{other}'; they name {}", known.join(", "));
    }
    let purpose = match &arguments.purpose {
        Some(name) => Purpose::of(name).ok_or_else(|| {
            anyhow!(
                "--purpose: '{name}' is none of care, own-use, emergency, research, indicators, operations"
            )
        })?,
        None => Purpose::of_roles(&arguments.roles),
    };
    let scopes = arguments.scopes.as_deref().map(Scopes::parse).transpose();
    Ok(Subject {
        roles: arguments.roles.clone(),
        fhir_user: arguments.fhir_user.clone(),
        patient: arguments.patient.clone(),
        proxied: arguments.proxied.clone(),
        organisations: arguments.organisation.clone(),
        context_patient: arguments.patient.clone(),
        scopes: scopes.map_err(|why| anyhow!("--scopes: {why}"))?,
        break_glass: arguments.break_glass.clone(),
        ..Subject::nobody(purpose)
    })
}

/// The hub as the subject may read it.
fn reader(hub: &Hub, policy: &Policy, subject: &Arc<Subject>) -> Result<Reader> {
    let memory = Arc::new(ConsentMemory::new(hub.zone().clone(), hub::now));
    let rights = policy.rights(subject, &memory).map_err(|why| anyhow!(why))?;
    Ok(hub.store().reader().restricted(rights.read))
}

fn explain(arguments: &ExplainArguments) -> Result<ExitCode> {
    let hub = open(&arguments.subject.data)?;
    let policy = policy(arguments.rules.as_deref(), hub.zone())?;
    let subject = Arc::new(subject(&arguments.subject, &policy)?);
    let name = &arguments.resource;
    let (resource_type, id) = named(name)?;
    let Some(verdict) = reader(&hub, &policy, &subject)?.explain(resource_type, id, None)? else {
        bail!("there is no {name} in {}", arguments.subject.data.display());
    };
    for line in lines(&verdict, &subject) {
        say!("{line}");
    }
    say!("{name} {} be read", if verdict.is_seen { "may" } else { "may not" });
    Ok(if verdict.is_seen { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn named(name: &str) -> Result<(TypeId, &str)> {
    let (kind, id) = name.split_once('/').ok_or_else(|| anyhow!("'{name}': write Type/id"))?;
    Ok((r4().known_resource_type(kind).map_err(|why| anyhow!(why))?, id))
}

fn who(arguments: &WhoArguments) -> Result<ExitCode> {
    let hub = open(&arguments.data)?;
    let policy = policy(arguments.rules.as_deref(), hub.zone())?;
    let name = &arguments.resource;
    let (resource_type, id) = named(name)?;
    let whole = hub.store().reader();
    let place = match &arguments.at {
        Some(text) => {
            let moment =
                DateTime::parse(text).ok_or_else(|| anyhow!("--at: '{text}' is no date or instant"))?;
            Some(whole.place_as_of(moment.interval(hub.zone()).1 - 1)?)
        }
        None => None,
    };
    let Some(kept) = whole.read(resource_type, id, place)?.filter(|k| k.text.is_some()) else {
        bail!("there was no {name} in {} then", arguments.data.display());
    };
    let patient = match (r4().type_name(resource_type), &kept.text) {
        ("Patient", _) => Some(kept.id.clone()),
        (_, Some((text, _))) => person_of(text, id, &hub.limits, hub.zone()),
        _ => None,
    };
    let mut organisations = vec![None];
    let organisation = r4().known_resource_type("Organization").map_err(|why| anyhow!(why))?;
    whole.each_of_type(organisation, place, |kept| {
        organisations.push(Some(kept.id));
        true
    })?;
    let mut found = 0u64;
    for role in policy.roles() {
        let roles = vec![role.to_owned()];
        let purpose = Purpose::of_roles(&roles);
        let mut is_open_to_all = false;
        for organisation in &organisations {
            let is_own = matches!(role, "person" | "proxy");
            if is_open_to_all || (is_own && organisation.is_some()) {
                break;
            }
            let subject = Arc::new(Subject {
                roles: roles.clone(),
                patient: patient.clone().filter(|_| role == "person"),
                proxied: patient.iter().filter(|_| role == "proxy").cloned().collect(),
                organisations: organisation.iter().cloned().collect(),
                ..Subject::nobody(purpose)
            });
            let verdict = reader(&hub, &policy, &subject)?.explain(resource_type, id, place)?;
            let Some(verdict) = verdict.filter(|v| v.is_seen) else { continue };
            is_open_to_all = organisation.is_none();
            found += 1;
            let rule = verdict.admitted_by.iter().flatten().next().map_or("", String::as_str);
            let of = match (organisation, role, &patient) {
                (Some(id), ..) => format!(" of Organization/{id}"),
                (None, "person", Some(id)) => format!(" of Patient/{id}"),
                (None, "proxy", Some(id)) => format!(" for Patient/{id}"),
                _ => String::new(),
            };
            let consent = if verdict.consent == Some(true) { ", by the person's Consent" } else { "" };
            say!("{role}{of}: \"{rule}\"{consent}");
        }
    }
    if found == 0 {
        say!("nobody");
    }
    Ok(ExitCode::SUCCESS)
}

/// The id of the Patient a resource is about.
fn person_of(text: &str, id: &str, limits: &fhir::Limits, zone: &Zone) -> Option<String> {
    let resource = fhir::json::parse(text.as_bytes(), limits).ok()?;
    search::extract(resource.root(), id, zone).ok()?.person
}

fn lines(verdict: &Verdict, subject: &Subject) -> Vec<String> {
    let mut lines = vec![format!(
        "acting as {} to the end of {}",
        subject.roles.join(", "),
        subject.acting_purpose().name()
    )];
    for (at, layer) in verdict.admitted_by.iter().enumerate() {
        let what = if at == 0 { "rule" } else { "scope" };
        lines.push(match layer {
            Some(name) => format!("permitted by the {what} \"{name}\""),
            None => format!("no {what} permits it"),
        });
    }
    if let Some(name) = &verdict.hidden_by {
        lines.push(format!("hidden by the rule \"{name}\""));
    }
    lines.push(
        match (subject.acting_purpose().is_bound_by_consent(), verdict.consent) {
            (false, _) => "the person's Consents do not bind this purpose",
            (true, None) => "no Consent of the person speaks of it",
            (true, Some(true)) => "a Consent of the person permits it",
            (true, Some(false)) => "a Consent of the person denies it",
        }
        .to_owned(),
    );
    lines
}

fn compare(arguments: &CompareArguments) -> Result<ExitCode> {
    let hub = open(&arguments.subject.data)?;
    let (now, then) =
        (policy(arguments.rules.as_deref(), hub.zone())?, policy(Some(&arguments.other), hub.zone())?);
    let subject = Arc::new(subject(&arguments.subject, &now)?);
    let (old, new) = (reader(&hub, &now, &subject)?, reader(&hub, &then, &subject)?);
    let mut differing = 0u64;
    for resource_type in &r4().resource_types {
        let name = r4().type_name(*resource_type);
        let (mut gained, mut lost) = (Vec::new(), Vec::new());
        let (mut gains, mut losses) = (0u64, 0u64);
        // Both in the order of ids: whoever is only on one side is gained or lost.
        let ids = |reader: &Reader| -> Result<Vec<String>> {
            let mut ids = Vec::new();
            reader.each_of_type(*resource_type, None, |kept: Kept| {
                ids.push(kept.id);
                true
            })?;
            Ok(ids)
        };
        let (before, after) = (ids(&old)?, ids(&new)?);
        let has = |list: &std::collections::HashSet<&String>, id: &String| list.contains(id);
        let (in_before, in_after) = (before.iter().collect(), after.iter().collect());
        for id in after.iter().filter(|id| !has(&in_before, id)) {
            gains += 1;
            if gained.len() < NAMED {
                gained.push(id.as_str());
            }
        }
        for id in before.iter().filter(|id| !has(&in_after, id)) {
            losses += 1;
            if lost.len() < NAMED {
                lost.push(id.as_str());
            }
        }
        if gains + losses > 0 {
            say!("{name}: {} seen now, {} then; {gains} more, {losses} fewer", before.len(), after.len());
        }
        for (sign, list) in [("+", &gained), ("-", &lost)] {
            if !list.is_empty() {
                say!("  {sign} {}", list.join(" "));
            }
        }
        differing += gains + losses;
    }
    if differing == 0 {
        say!("nothing differs");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(1))
}
