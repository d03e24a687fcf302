//! `yojigen export`: NDJSON, one file a type, and a manifest.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use fhir::date_time::format_instant;
use fhir::json::JsonWriter;
use fhir::{DateTime, TypeId, r4};
use hub::Hub;

use crate::cli::ExportArguments;
use crate::{hub_at, progress};

/// The manifest's name. An import finds it and keeps what only an export knows.
pub(crate) const MANIFEST: &str = "yojigen-export.json";

/// Exports.
pub(crate) fn run(arguments: &ExportArguments) -> Result<ExitCode> {
    hub_at::must_exist(&arguments.data.data)?;
    let hub = hub_at::open(&(&arguments.data).into())?;
    let types = types(&arguments.types)?;
    let mut hub = hub;
    crate::ledger::attach(&mut hub, &arguments.data.data)?;
    let access = hub.watched(crate::ledger::operator("export"));
    let reader = hub.reader(&access);
    let as_of = arguments.as_of.as_deref().map(|text| moment(&hub, text)).transpose()?;
    let place = hub.place(&reader, as_of).map_err(|f| anyhow::anyhow!("{}", f.issues[0]))?;
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    if std::fs::read_dir(folder)?.next().is_some() {
        bail!("{} is not empty; name a new folder", folder.display());
    }
    let mut totals = Vec::new();
    for (resource_type, total) in reader.totals(place)? {
        if types.is_empty() || types.contains(&resource_type) {
            totals.push((resource_type, total));
        }
    }
    crate::ledger::record_export(&hub, &access, &totals)?;
    let bar = progress::bar(totals.iter().map(|(_, n)| n).sum(), "resources", arguments.quiet);
    let mut written = Vec::new();
    for (resource_type, _) in totals {
        let name = r4().type_name(resource_type);
        bar.set_message(name);
        let path = folder.join(format!("{name}.ndjson"));
        let mut file = BufWriter::with_capacity(
            1 << 20,
            File::create(&path).with_context(|| format!("writing {}", path.display()))?,
        );
        let (mut count, mut failed) = (0u64, None);
        let mut line = String::new();
        reader.each_of_type(resource_type, place, |kept| {
            line.clear();
            kept.write(&mut line);
            line.push('\n');
            count += 1;
            bar.inc(1);
            failed = file.write_all(line.as_bytes()).err();
            failed.is_none()
        })?;
        if let Some(error) = failed {
            return Err(error).with_context(|| format!("writing {}", path.display()));
        }
        let file = file
            .into_inner()
            .map_err(|e| e.into_error())
            .with_context(|| format!("writing {}", path.display()))?;
        file.sync_all()?;
        written.push((name, count));
    }
    bar.finish_and_clear();
    let instant = reader.instant_of(place.unwrap_or(reader.place()))?;
    let manifest = manifest(&written, instant);
    std::fs::write(folder.join(MANIFEST), &manifest)?;
    if arguments.json {
        say!("{manifest}");
    } else {
        for (name, count) in &written {
            say!("{:>12}  {name}", web::grouped(*count));
        }
        say!("{:>12}  in all", web::grouped(written.iter().map(|(_, n)| n).sum()));
    }
    Ok(ExitCode::SUCCESS)
}

fn types(names: &[String]) -> Result<Vec<TypeId>> {
    names
        .iter()
        .map(|name| r4().resource_type(name).with_context(|| format!("R4 has no resource type '{name}'")))
        .collect()
}

fn moment(hub: &Hub, text: &str) -> Result<i64> {
    let parsed = DateTime::parse(text).with_context(|| format!("'{text}' is not a date or instant"))?;
    Ok(parsed.interval(hub.zone()).1 - 1)
}

fn manifest(written: &[(&str, u64)], instant: i64) -> String {
    let mut json = JsonWriter::new();
    json.object(|m| {
        m.member("transactionTime", &format_instant(instant));
        m.name("output").array(|list| {
            for (name, count) in written {
                list.object(|o| {
                    o.member("type", name);
                    o.member("url", &format!("{name}.ndjson"));
                    o.raw_member("count", &count.to_string());
                });
            }
        });
    });
    json.finish()
}
