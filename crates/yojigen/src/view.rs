//! `yojigen view`: rows of a view of SQL on FHIR, beside a hub that is stopped.

use std::fs::OpenOptions;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use ::ledger::Action;
use anyhow::{Context as _, Result, anyhow, bail};
use fhir::{DateTime, r4};
use hub::{Audited, Failure, Hub, ViewScope};
use views::ViewDefinition;
use views::write::{Format, RowWriter};

use crate::cli::{FormatArgument, ViewRunArguments, ViewTask};
use crate::{hub_at, ledger};

/// Runs a view, or says what is wrong with it.
pub(crate) fn run(task: &ViewTask) -> Result<ExitCode> {
    match task {
        ViewTask::Run(arguments) => rows(arguments),
        ViewTask::Check { file } => check(file),
    }
}

fn read(file: &Path) -> Result<Result<ViewDefinition, views::Error>> {
    let json = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(ViewDefinition::read(&json))
}

fn check(file: &Path) -> Result<ExitCode> {
    let view = match read(file)? {
        Ok(view) => view,
        Err(error) => {
            say!("{}: {error}", file.display());
            return Ok(ExitCode::FAILURE);
        }
    };
    let width = view.columns.iter().map(|c| c.name.len()).max().unwrap_or_default();
    say!("{} of {}", view.name.as_deref().unwrap_or("a view"), r4().type_name(view.resource));
    for column in &view.columns {
        let of = column.fhir_type.as_deref().unwrap_or("string");
        let form = if column.collection { format!("list of {of}") } else { of.to_owned() };
        say!("  {:width$}  {form}", column.name);
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(arguments: &ViewRunArguments) -> Result<ExitCode> {
    let view = read(&arguments.file)?.map_err(|error| anyhow!("{}: {error}", arguments.file.display()))?;
    hub_at::must_exist(&arguments.data.data)?;
    let mut hub = hub_at::open(&(&arguments.data).into())?;
    ledger::attach(&mut hub, &arguments.data.data)?;
    let format = match arguments.format {
        FormatArgument::Csv => Format::Csv,
        FormatArgument::Json => Format::Json,
        FormatArgument::Ndjson => Format::Ndjson,
        FormatArgument::Parquet => Format::Parquet,
    };
    match &arguments.out {
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            let file = file.with_context(|| format!("making {}", path.display()))?;
            let (count, file) =
                write(&hub, &view, arguments, format, BufWriter::with_capacity(1 << 20, file))?;
            let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.sync_all().with_context(|| format!("writing {}", path.display()))?;
            say!("{} rows in {}", web::grouped(count), path.display());
        }
        None if format == Format::Parquet && std::io::stdout().is_terminal() => {
            bail!("Parquet is not for eyes; say where to write it with --out")
        }
        None => {
            write(&hub, &view, arguments, format, BufWriter::new(std::io::stdout()))?.1.flush()?;
        }
    }
    let closed = hub.ledger.as_ref().map_or(Ok(()), |ledger| ledger.close());
    closed.context("closing the ledger")?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the rows; how many there are.
fn write<W: Write + Send>(
    hub: &Hub,
    view: &ViewDefinition,
    arguments: &ViewRunArguments,
    format: Format,
    out: W,
) -> Result<(u64, W)> {
    let told =
        |failure: Failure| anyhow!("{}", failure.issues.first().map(ToString::to_string).unwrap_or_default());
    let as_of = arguments.as_of.as_deref().map(|text| moment(hub, text)).transpose()?;
    let patients = arguments.patients.iter().map(|id| id.trim_start_matches("Patient/").to_owned()).collect();
    let scope = ViewScope { patients, as_of, ..ViewScope::default() };
    let access = hub.watched(ledger::operator("view"));
    // Before the first row, as every export: who asked, and for what.
    if arguments.patients.is_empty() {
        access.saw_everyone();
    }
    arguments.patients.iter().for_each(|id| access.asked_for(id.trim_start_matches("Patient/")));
    let audited = Audited {
        action: Action::Export,
        status: 200,
        target: r4().type_name(view.resource).to_owned(),
        query: view.name.as_ref().map(|name| format!("view={name}")),
        ..Audited::default()
    };
    hub.audit_durably(&access, audited).map_err(told)?;
    let mut writer = RowWriter::new(view, format, !arguments.no_header, out)?;
    let (mut left, mut count) = (arguments.limit.unwrap_or(u64::MAX), 0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut failed = Ok(());
    hub.view_batches(&access, view, &scope, format.decimals(), threads, &mut |batch| {
        let rows = usize::try_from(left).unwrap_or(usize::MAX).min(batch.num_rows());
        left -= rows as u64;
        count += rows as u64;
        failed = writer.write(&batch.slice(0, rows));
        Ok(left > 0 && failed.is_ok())
    })
    .map_err(told)?;
    failed.context("writing the rows")?;
    Ok((count, writer.finish().context("writing the rows")?))
}

fn moment(hub: &Hub, text: &str) -> Result<i64> {
    let parsed = DateTime::parse(text).with_context(|| format!("'{text}' is not a date or instant"))?;
    Ok(parsed.interval(hub.zone()).1 - 1)
}
