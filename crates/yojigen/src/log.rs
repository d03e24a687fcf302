//! `yojigen log`: what was written, by whom, when, as the log has it. The hub may be serving.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use data_encoding::HEXLOWER;
use fhir::date_time::format_instant;
use fhir::json::JsonWriter;
use fhir::{DateTime, r4};
use store::layout::log::{Command, Content, Operation};
use store::{
    Circumstances, Limits, LogEntry, LogFilter, LogReader, LogText, PackedId, Place, Reader, unsalted,
};

use crate::cli::{LogShowArguments, LogTailArguments, LogTask};
use crate::hub_at;

/// How often a log is looked at that is followed.
const INTERVAL: Duration = Duration::from_millis(300);
/// Commands named on one line.
const NAMED: usize = 4;

/// Shows an entry, or the newest ones.
pub(crate) fn run(task: &LogTask) -> Result<ExitCode> {
    match task {
        LogTask::Show(arguments) => show(arguments),
        LogTask::Tail(arguments) => tail(arguments),
    }
}

fn open(data: &Path) -> Result<LogReader> {
    hub_at::must_exist(data)?;
    let limits = Limits { block_cache: 16 << 20, ..hub_at::limits()? };
    LogReader::open(data, &limits).with_context(|| format!("opening {}", data.display()))
}

fn show(arguments: &LogShowArguments) -> Result<ExitCode> {
    let log = open(&arguments.data)?;
    let place = Place(arguments.place);
    if place.0 == 0 || place > log.last() {
        bail!(
            "there is no entry {place}: the log of {} has entries 1 to {}",
            arguments.data.display(),
            log.last()
        );
    }
    let entry = log.entry(place)?;
    if arguments.json {
        say!("{}", as_json(&log, &entry, arguments.bodies)?);
    } else {
        for line in lines(&log, &entry, arguments.bodies)? {
            say!("{line}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tail(arguments: &LogTailArguments) -> Result<ExitCode> {
    let data = &arguments.data;
    let mut log = open(data)?;
    let filter = filter(&log, arguments)?;
    let mut state = store::log_state(data);
    let mut found = Vec::new();
    let mut at = log.last();
    while found.len() < arguments.number
        && let Some(entry) = log.newest(&filter, at)?
    {
        at = Place(entry.place.0 - 1);
        found.push(entry);
    }
    let mut shown = log.last();
    loop {
        for entry in found.drain(..).rev() {
            let line = if arguments.json { as_json(&log, &entry, arguments.bodies)? } else { line(&entry) };
            if writeln!(std::io::stdout(), "{line}").is_err() {
                // Nobody reads it any more.
                return Ok(ExitCode::SUCCESS);
            }
        }
        if !arguments.follow {
            return Ok(ExitCode::SUCCESS);
        }
        while store::log_state(data) == state {
            std::thread::sleep(INTERVAL);
        }
        state = store::log_state(data);
        log = open(data)?;
        let mut at = log.last();
        while at > shown
            && let Some(entry) = log.newest(&filter, at)?
            && entry.place > shown
        {
            at = Place(entry.place.0 - 1);
            found.push(entry);
        }
        shown = log.last();
    }
}

fn filter(log: &LogReader, arguments: &LogTailArguments) -> Result<LogFilter> {
    let resource = match &arguments.resource_type {
        Some(name) => {
            let resource_type = r4().known_resource_type(name).map_err(|finding| anyhow::anyhow!(finding))?;
            Some((resource_type, arguments.id.clone()))
        }
        None => None,
    };
    let named = [("_author", &arguments.author), ("_channel", &arguments.channel)];
    let circumstances = named
        .into_iter()
        .filter_map(|(name, text)| Some((Reader::circumstance(name)?, text.clone()?)))
        .collect();
    let since = match &arguments.since {
        Some(text) => {
            let moment = DateTime::parse(text)
                .with_context(|| format!("--since: '{text}' is not a date or instant"))?;
            let zone = search::Zone::named(&log.settings()?.zone)
                .context("the log names a time zone that this program does not know")?;
            Some(moment.interval(&zone).0)
        }
        None => None,
    };
    Ok(LogFilter { resource, circumstances, since })
}

fn operation(command: &Command) -> &'static str {
    match command.operation {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Delete => "delete",
        Operation::Replace => "replace",
        Operation::Destroy => "destroy up to",
    }
}

/// `Type/id`
fn address(type_number: u8, id: &PackedId) -> String {
    let resource_type = r4().resource_numbered(type_number).map_or("?", |t| r4().type_name(t));
    format!("{resource_type}/{}", id.unpack())
}

fn circumstances(of: &Circumstances) -> impl Iterator<Item = (&'static str, &str)> {
    let names = Circumstances::NAMES.map(|name| name.trim_start_matches('_'));
    names.into_iter().zip(of.fields()).filter_map(|(name, text)| Some((name, text?)))
}

/// An entry in one line.
fn line(found: &LogEntry) -> String {
    let mut line = format!("{} {}", found.place, format_instant(found.entry.instant));
    match &found.entry.content {
        Content::Settings(settings) => line += &format!(" settings: time zone {}", settings.zone),
        Content::Transaction(commands) => {
            for (name, text) in circumstances(&found.entry.circumstances) {
                line += &format!(" {name}={text}");
            }
            let named: Vec<String> = commands
                .iter()
                .take(NAMED)
                .map(|c| format!("{} {} v{}", operation(c), address(c.type_number, &c.id), c.version))
                .collect();
            line += &format!(" {}", named.join(", "));
            if commands.len() > NAMED {
                line += &format!(" and {} more", commands.len() - NAMED);
            }
        }
        Content::Redaction(redactions) => {
            for (name, text) in circumstances(&found.entry.circumstances) {
                line += &format!(" {name}={text}");
            }
            line += &format!(" erases texts of {} entries before it", redactions.len());
        }
    }
    line
}

/// All of an entry, for people.
fn lines(log: &LogReader, found: &LogEntry, has_bodies: bool) -> Result<Vec<String>> {
    let mut out = vec![
        format!("place    {}", found.place),
        format!("instant  {}", format_instant(found.entry.instant)),
        format!("chain    {}", HEXLOWER.encode(&found.chain)),
    ];
    for (name, text) in circumstances(&found.entry.circumstances) {
        out.push(format!("{name:<8} {text}"));
    }
    if let Some(by) = found.entry.redacted_by {
        out.push(format!("texts of it were erased by entry {by}"));
    }
    let commands = match &found.entry.content {
        Content::Settings(settings) => {
            out.push(format!(
                "settings time zone {}, search parameters {:016x}",
                settings.zone, settings.parameters
            ));
            return Ok(out);
        }
        Content::Redaction(redactions) => {
            out.extend(
                redactions.iter().map(|r| format!("erases  {} texts of entry {}", r.parts.len(), r.place)),
            );
            return Ok(out);
        }
        Content::Transaction(commands) => commands,
    };
    for command in commands {
        let mut line = format!(
            "{:<8} {} version {}",
            operation(command),
            address(command.type_number, &command.id),
            command.version
        );
        if let Some(version) = command.if_match {
            line += &format!(", if-match {version}");
        }
        if let Some(criteria) = &command.criteria {
            line += &format!(", criteria {}", unsalted(criteria));
        }
        if let Some((_, size)) = command.body {
            line += &format!(", {size} bytes");
        }
        out.push(line);
        for (reference, type_number, id) in &command.resolved {
            out.push(format!("         {} is {}", unsalted(reference), address(*type_number, id)));
        }
        if has_bodies {
            match log.text(found, command)? {
                LogText::None => {}
                LogText::Destroyed => out.push("         (the text was destroyed)".to_owned()),
                LogText::Json(text) => out.push(text),
            }
        }
    }
    Ok(out)
}

fn as_json(log: &LogReader, found: &LogEntry, has_bodies: bool) -> Result<String> {
    let texts = match &found.entry.content {
        Content::Transaction(commands) if has_bodies => {
            commands.iter().map(|c| log.text(found, c)).collect::<Result<Vec<_>, _>>()?
        }
        _ => Vec::new(),
    };
    let mut json = JsonWriter::new();
    json.object(|e| {
        e.raw_member("place", &found.place.to_string());
        e.member("instant", &format_instant(found.entry.instant));
        e.member("chain", &HEXLOWER.encode(&found.chain));
        if let Some(by) = found.entry.redacted_by {
            e.raw_member("erasedBy", &by.to_string());
        }
        e.name("circumstances").object(|c| {
            for (name, text) in circumstances(&found.entry.circumstances) {
                c.member(name, text);
            }
        });
        match &found.entry.content {
            Content::Settings(settings) => {
                e.name("settings").object(|s| {
                    s.member("zone", &settings.zone);
                    s.member("parameters", &format!("{:016x}", settings.parameters));
                });
            }
            Content::Redaction(redactions) => {
                e.name("erases").array(|list| {
                    for redaction in redactions {
                        list.object(|r| {
                            r.raw_member("place", &redaction.place.to_string());
                            r.raw_member("texts", &redaction.parts.len().to_string());
                        });
                    }
                });
            }
            Content::Transaction(commands) => {
                e.name("commands").array(|list| {
                    for (number, command) in commands.iter().enumerate() {
                        list.object(|c| write_command(c, command, texts.get(number)));
                    }
                });
            }
        }
    });
    Ok(json.finish())
}

fn write_command(json: &mut JsonWriter, command: &Command, text: Option<&LogText>) {
    json.member("operation", operation(command));
    json.member("resource", &address(command.type_number, &command.id));
    json.raw_member("version", &command.version.to_string());
    if let Some(version) = command.if_match {
        json.raw_member("ifMatch", &version.to_string());
    }
    if let Some(criteria) = &command.criteria {
        json.member("criteria", unsalted(criteria));
    }
    if let Some((_, size)) = command.body {
        json.raw_member("bytes", &size.to_string());
    }
    if !command.resolved.is_empty() {
        json.name("resolved").object(|o| {
            for (reference, type_number, id) in &command.resolved {
                o.member(unsalted(reference), &address(*type_number, id));
            }
        });
    }
    match text {
        Some(LogText::Json(text)) => {
            json.raw_member("body", text);
        }
        Some(LogText::Destroyed) => {
            json.raw_member("isDestroyed", "true");
        }
        Some(LogText::None) | None => {}
    }
}
