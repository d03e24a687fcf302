//! `yojigen ledger`: who looked.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use ::ledger::{Action, Error, Event, Filter, Found, Ledger, Record, Records, Sight, Verdict};
use anyhow::{Context as _, Result, anyhow, bail};
use data_encoding::HEXLOWER;
use fhir::date_time::format_instant;
use fhir::json::JsonWriter;
use fhir::{DateTime, TypeId, r4};
use hub::{Access, Audited, Hub, SystemClock};
use store::{Clock as _, Finding, LogReader};

use crate::cli::{LedgerFilterArguments, LedgerTask};
use crate::hub_at;

/// Reads, exports, proves, prunes.
pub(crate) fn run(task: &LedgerTask) -> Result<ExitCode> {
    match task {
        LedgerTask::Show(arguments) => {
            let records = open(&arguments.filter.data)?;
            let mut filter = filter(&arguments.filter)?;
            let mut left = arguments.number;
            while left > 0 {
                let page = records.page(&filter, left)?;
                for found in &page.found {
                    if arguments.json {
                        say!("{}", json(found, &filter, records.node()));
                    } else {
                        say!("{}", line(found));
                    }
                }
                left -= page.found.len();
                let Some(next) = page.next else { break };
                filter.before = Some(next);
            }
            Ok(ExitCode::SUCCESS)
        }
        LedgerTask::Export(arguments) => export(&arguments.filter, arguments.out.as_deref()),
        LedgerTask::Verify(arguments) => verify(&arguments.data, &arguments.heads, arguments.json),
        LedgerTask::Prune(arguments) => prune(&arguments.data, &arguments.before, arguments.dry_run),
    }
}

fn open(data: &Path) -> Result<Records> {
    hub_at::must_exist(data)?;
    Ok(Records::open_sealed(&hub_at::ledger_folder(data), crate::key::of(data)?.as_ref())?)
}

/// A moment in the hub's time zone; its beginning.
fn moment(data: &Path, name: &str, text: &str) -> Result<i64> {
    let parsed =
        DateTime::parse(text).with_context(|| format!("{name}: '{text}' is not a date or instant"))?;
    let settings = LogReader::open(data, &hub_at::limits()?)?.settings()?;
    let zone = search::Zone::named(&settings.zone)
        .context("the log names a time zone that this program does not know")?;
    Ok(parsed.interval(&zone).0)
}

fn filter(arguments: &LedgerFilterArguments) -> Result<Filter> {
    let moment = |name: &str, text: &Option<String>| {
        text.as_deref().map(|text| moment(&arguments.data, name, text)).transpose()
    };
    Ok(Filter {
        persons: arguments.person.iter().map(|id| id.trim_start_matches("Patient/").to_owned()).collect(),
        agent: arguments.agent.clone(),
        from: moment("--since", &arguments.since)?,
        until: moment("--before", &arguments.before)?,
        ..Filter::default()
    })
}

/// A record as an AuditEvent: asked for by person, as it concerns them.
fn json(found: &Found, filter: &Filter, node: &str) -> String {
    let Found { sequence, link, record } = found;
    let at = record.persons.iter().position(|id| filter.persons.contains(id));
    let (id, sight) = match (filter.persons.is_empty(), at.and_then(|at| Some((at, record.persons.get(at)?))))
    {
        (true, _) => (format!("ledger-{sequence}"), Sight::Whole),
        (false, Some((at, person))) => (format!("ledger-{sequence}-{}", at + 1), Sight::Person(person)),
        (false, None) => (format!("ledger-{sequence}-0"), Sight::Nobody),
    };
    Event { id: &id, record, link: Some((*sequence, link)), versions: &[], node, base: None, sight }.json()
}

/// A record in one line.
fn line(found: &Found) -> String {
    let Found { sequence, record, .. } = found;
    let mut line = format!("{sequence} {} {}", format_instant(record.instant), record.status);
    let named = [
        ("agent", &record.agent),
        ("client", &record.client),
        ("purpose", &record.purpose),
        ("emergency", &record.emergency),
        ("channel", &record.channel),
        ("address", &record.address),
        ("requestId", &record.request_id),
    ];
    for (name, text) in named {
        if let Some(text) = text {
            line += &format!(" {name}={text}");
        }
    }
    line += &format!(" {} {}", record.action.name(), record.target);
    if let Some(query) = &record.query {
        line += &format!("?{}{}", query.text, if query.is_cut() { "…" } else { "" });
    }
    line += &format!(" rows={}", record.rows);
    if !record.persons.is_empty() {
        let named: Vec<&str> = record.persons.iter().take(10).map(String::as_str).collect();
        let more = record.persons.len() - named.len();
        line += &format!(" persons={}", named.join(","));
        if more > 0 {
            line += &format!(" and {more} more");
        }
    }
    if record.is_everyone {
        line += " persons=everyone";
    }
    if let Some(reason) = &record.reason {
        line += &format!(" ({reason})");
    }
    line
}

fn export(arguments: &LedgerFilterArguments, out: Option<&Path>) -> Result<ExitCode> {
    let records = open(&arguments.data)?;
    let filter = filter(arguments)?;
    let mut file: Box<dyn Write> = match out {
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            Box::new(file.with_context(|| format!("making {}", path.display()))?)
        }
        None => Box::new(std::io::stdout().lock()),
    };
    let mut file = BufWriter::new(&mut file);
    let (mut failure, mut number) = (Ok(()), 0u64);
    records.each(&filter, &mut |found| {
        failure = writeln!(file, "{}", json(&found, &filter, records.node()));
        number += 1;
        failure.is_ok()
    })?;
    failure.and_then(|()| file.flush()).context("writing the events")?;
    if let Some(path) = out {
        say!("{number} events in {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(data: &Path, heads: &[String], is_json: bool) -> Result<ExitCode> {
    let noted = heads.iter().map(|text| {
        Records::parse_head(text)
            .with_context(|| format!("--head: '{text}' is not a number and a link (number:link)"))
    });
    let noted = noted.collect::<Result<Vec<_>>>()?;
    let records = open(data)?;
    let verdict = records.verify(&records.key()?, &noted)?;
    let head = format!("{}:{}", verdict.last, HEXLOWER.encode(&verdict.link));
    if is_json {
        say!("{}", verdict_json(&verdict, &head));
    } else {
        for finding in &verdict.findings {
            say!("{}: {}", finding.place, finding.finding);
        }
        if verdict.findings.is_empty() {
            say!("the chain of {} records holds", verdict.records);
        }
        if verdict.pruned_through > 0 {
            say!("records up to number {} were taken away by pruning", verdict.pruned_through);
        }
        say!("head {head}");
    }
    Ok(if verdict.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verdict_json(verdict: &Verdict, head: &str) -> String {
    let mut json = JsonWriter::new();
    json.object(|v| {
        v.raw_member("records", &verdict.records.to_string());
        v.raw_member("prunedThrough", &verdict.pruned_through.to_string());
        v.member("head", head);
        v.name("findings").array(|list| {
            for finding in &verdict.findings {
                list.object(|f| {
                    f.member("place", &finding.place);
                    f.member("finding", &finding.finding);
                });
            }
        });
    });
    json.finish()
}

fn prune(data: &Path, before: &str, is_dry_run: bool) -> Result<ExitCode> {
    hub_at::must_exist(data)?;
    let moment = moment(data, "--before", before)?;
    let now = SystemClock.now();
    if moment > now {
        bail!("--before: {before} lies in the future");
    }
    let folder = hub_at::ledger_folder(data);
    if !Ledger::is_at(&folder) {
        bail!(Error::NotALedger(folder));
    }
    let ledger = hub_at::open_ledger(data)?;
    if is_dry_run {
        say!("{} records before {before} would be taken away", ledger.prunable(moment)?.number);
        return Ok(ExitCode::SUCCESS);
    }
    let asked = Record { instant: now, agent: operator("ledger").circumstances.author, ..Record::default() };
    let pruned = ledger.prune(moment, Record { channel: Some("ledger".to_owned()), ..asked })?;
    ledger.close()?;
    say!(
        "{} records before {before} were taken away; the chain goes on after record {}",
        pruned.number,
        pruned.through
    );
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with the ledger of a data directory, if it has one.
pub(crate) fn findings(data: &Path) -> Result<Vec<Finding>> {
    let folder = hub_at::ledger_folder(data);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let keys = crate::key::of(data)?;
    let verdict =
        Records::open_sealed(&folder, keys.as_ref()).and_then(|records| records.verify(&records.key()?, &[]));
    match verdict {
        Ok(verdict) => {
            let found = verdict.findings.into_iter();
            Ok(found.map(|f| Finding { place: f.place, finding: f.finding }).collect())
        }
        Err(error) => Ok(vec![Finding { place: folder.display().to_string(), finding: error.to_string() }]),
    }
}

/// Who runs a task on this machine.
pub(crate) fn operator(channel: &str) -> Access {
    let mut access = Access::open(channel);
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    access.circumstances.author = user.filter(|u| !u.is_empty()).map(|user| format!("operator {user}"));
    access
}

/// Gives the hub the ledger of its data directory, if there is one: whoever audits reading audits this.
pub(crate) fn attach(hub: &mut Hub, data: &Path) -> Result<()> {
    if hub_at::ledger_folder(data).exists() {
        hub.ledger = Some(hub_at::open_ledger(data)?);
    }
    Ok(())
}

/// Puts an export into the ledger before anything is written.
pub(crate) fn record_export(hub: &Hub, access: &Access, totals: &[(TypeId, u64)]) -> Result<()> {
    access.saw_everyone();
    let types: Vec<&str> = totals.iter().map(|(t, _)| r4().type_name(*t)).collect();
    let audited = Audited {
        action: Action::Export,
        status: 200,
        query: Some(format!("_type={}", types.join(","))),
        ..Audited::default()
    };
    hub.audit_durably(access, audited).map_err(|f| anyhow!(f.issues[0].diagnostics.clone()))
}
