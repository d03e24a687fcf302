//! `yojigen sql`: questions about the record, beside a hub that is stopped.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ::ledger::Action;
use anyhow::{Context as _, Result, anyhow, bail};
use fhir::{DateTime, r4};
use figures::{Answer, Figures, Limits, Question, View};
use hub::{Audited, Failure};

use crate::cli::{AnswerFormatArgument, SqlArguments};
use crate::{hub_at, ledger};

fn told(failure: &Failure) -> anyhow::Error {
    anyhow!("{}", failure.issues.first().map(|issue| issue.diagnostics.clone()).unwrap_or_default())
}

fn view(file: &Path) -> Result<Arc<View>> {
    let json = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let value: serde_json::Value =
        serde_json::from_slice(&json).with_context(|| format!("{} is no JSON", file.display()))?;
    let Some(name) = value["name"].as_str() else {
        bail!("{} has no name, by which a question could use it", file.display());
    };
    View::read(name, &json).map(Arc::new).map_err(|error| anyhow!("{}: {error}", file.display()))
}

/// Answers a question, or names the tables.
pub(crate) fn run(arguments: &SqlArguments) -> Result<ExitCode> {
    let views: Vec<Arc<View>> = arguments.views.iter().map(|file| view(file)).collect::<Result<_>>()?;
    hub_at::must_exist(&arguments.data.data)?;
    let mut hub = hub_at::open(&(&arguments.data).into())?;
    ledger::attach(&mut hub, &arguments.data.data)?;
    let figures = Figures::of(hub.clone());
    let Some(text) = &arguments.question else {
        let mut tables = figures.tables().map_err(|f| told(&f))?;
        tables.extend(views.into_iter().map(|view| (view.name.clone(), view)));
        for (name, view) in tables {
            let columns: Vec<&str> = view.definition.columns.iter().map(|c| c.name.as_str()).collect();
            say!("{name} ({}): {}", r4().type_name(view.definition.resource), columns.join(", "));
        }
        return Ok(ExitCode::SUCCESS);
    };
    let as_of = match &arguments.as_of {
        Some(text) => {
            let moment =
                DateTime::parse(text).with_context(|| format!("'{text}' is not a date or instant"))?;
            Some(moment.interval(hub.zone()).1 - 1)
        }
        None => None,
    };
    let access = hub.watched(ledger::operator("sql"));
    // Before the first row, as every export: that all was looked at, and for what.
    access.saw_everyone();
    let audited = Audited {
        action: Action::Export,
        status: 200,
        query: Some(format!("sql={text}")),
        ..Audited::default()
    };
    hub.audit_durably(&access, audited).map_err(|f| told(&f))?;
    let limits =
        Limits { rows: arguments.most, bytes: 4 << 30, time: Duration::from_secs(arguments.seconds) };
    let question = Question { text: text.clone(), views, as_of, limits };
    let answer = figures.ask(&access, &question).map_err(|f| told(&f))?;
    match &arguments.out {
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            let file = file.with_context(|| format!("making {}", path.display()))?;
            let file = write(&answer, arguments.format, BufWriter::new(file))?;
            let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.sync_all().with_context(|| format!("writing {}", path.display()))?;
            say!("{} rows in {}", web::grouped(answer.rows() as u64), path.display());
        }
        None => write(&answer, arguments.format, BufWriter::new(std::io::stdout()))?.flush()?,
    }
    let closed = hub.ledger.as_ref().map_or(Ok(()), |ledger| ledger.close());
    closed.context("closing the ledger")?;
    Ok(ExitCode::SUCCESS)
}

fn write<W: Write>(answer: &Answer, format: AnswerFormatArgument, mut out: W) -> Result<W> {
    match format {
        AnswerFormatArgument::Csv => answer.write_csv(&mut out),
        AnswerFormatArgument::Json => answer.write_json(&mut out),
        AnswerFormatArgument::Ndjson => answer.write_ndjson(&mut out),
        AnswerFormatArgument::Arrow => answer.write_arrow(&mut out),
    }
    .context("writing the answer")?;
    if format == AnswerFormatArgument::Json {
        out.write_all(b"\n")?;
    }
    Ok(out)
}
