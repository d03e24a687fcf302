//! W10: seven views of SQL on FHIR over the bodies of the Synthea archive, on two threads: bodies to columns, and the rows
//! of those read back from Parquet.
//!
//! The archive is repeated until each view has 200,000 resources of its type. It has no QuestionnaireResponse: those are
//! made here, nine answers each.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use fhir::{Limits, r4};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use views::write::ParquetWriter;
use views::{Decimals, ViewDefinition, parallel};

use super::figures::Figures;
use super::{Settings, clone};

const THREADS: usize = 2;
const RESOURCES: usize = 200_000;
const VIEWS: &str = "crates/views/tests/views";

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    let bodies = bodies(settings)?;
    let views = views()?;
    for _ in 0..settings.runs {
        let (mut resources, mut seconds, mut rows, mut reading) = (0, 0.0, 0, 0.0);
        for (name, view) in &views {
            let texts = &bodies[r4().type_name(view.resource)];
            let texts: Vec<&str> = texts.iter().map(String::as_str).cycle().take(RESOURCES).collect();
            let began = Instant::now();
            let batches = parallel::batches(view, &texts, THREADS, Decimals::Numbers)
                .map_err(|e| anyhow!("{name}: {e}"))?;
            let taken = began.elapsed().as_secs_f64();
            let count: usize = batches.iter().map(|batch| batch.num_rows()).sum();
            ensure!(count > 0, "{name} gives no rows");
            figures.note(&format!("{name} resources/s"), texts.len() as f64 / taken);
            resources += texts.len();
            seconds += taken;
            let folder = tempfile::tempdir_in(&settings.folder)?;
            let file = folder.path().join("rows.parquet");
            let mut writer = ParquetWriter::new(view, File::create(&file)?)?;
            let began = Instant::now();
            batches.iter().try_for_each(|batch| writer.write(batch))?;
            writer.finish()?;
            figures.note(
                &format!("{name} Parquet rows written/s"),
                count as f64 / began.elapsed().as_secs_f64(),
            );
            let began = Instant::now();
            ensure!(read_back(&file)? == count, "{name}: not all rows are in the file");
            let taken = began.elapsed().as_secs_f64();
            figures.note(&format!("{name} Parquet rows read/s"), count as f64 / taken);
            rows += count;
            reading += taken;
        }
        figures.note("all views resources/s", resources as f64 / seconds);
        figures.note("all views Parquet rows read/s", rows as f64 / reading);
    }
    Ok(())
}

fn views() -> Result<BTreeMap<String, ViewDefinition>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(VIEWS).with_context(|| format!("{VIEWS} (run it where the project is)"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let view = ViewDefinition::read(&std::fs::read(&path)?).map_err(|e| anyhow!("{name}: {e}"))?;
        found.insert(name, view);
    }
    Ok(found)
}

/// The bodies by type, as a hub keeps them: with references to ids rather than to entries of a Bundle.
fn bodies(settings: &Settings) -> Result<HashMap<&'static str, Vec<String>>> {
    let limits = Limits::default();
    let mut found: HashMap<&'static str, Vec<String>> = HashMap::new();
    for bundle in clone::bundles(&settings.archive)? {
        let bundle = fhir::json::parse(&bundle, &limits).map_err(|issues| anyhow!("{}", issues[0]))?;
        let entries =
            || bundle.root().all("entry").filter_map(|e| Some((e.text_at("fullUrl")?, e.child("resource")?)));
        let names: HashMap<_, _> = entries()
            .filter_map(|(url, r)| Some((url.into_owned(), format!("{}/{}", r.type_name(), r.id()?))))
            .collect();
        for (_, resource) in entries() {
            found.entry(resource.type_name()).or_default().push(resolved(resource.raw(), &names));
        }
    }
    let responses = (0..1000).map(response).collect();
    found.insert("QuestionnaireResponse", responses);
    Ok(found)
}

fn resolved(text: &str, names: &HashMap<String, String>) -> String {
    const LENGTH: usize = "urn:uuid:01234567-89ab-4cde-8f01-23456789abcd".len();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("urn:uuid:") {
        let end = (at + LENGTH).min(rest.len());
        let (before, url) = (&rest[..at], rest.get(at..end).unwrap_or_default());
        out.push_str(before);
        out.push_str(names.get(url).map_or(url, String::as_str));
        rest = rest.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn response(number: usize) -> String {
    let items: Vec<String> = (1..=9)
        .map(|item| {
            let answer = (number + item) % 4;
            format!(
                r#"{{"linkId":"/q{item}","text":"Question {item} of nine","answer":[{{"valueInteger":{answer}}}]}}"#
            )
        })
        .collect();
    format!(
        r#"{{"resourceType":"QuestionnaireResponse","id":"r{number}","questionnaire":"http://example.org/Questionnaire/nine","status":"completed","subject":{{"reference":"Patient/p{number}"}},"authored":"2026-04-0{}T09:00:00+09:00","item":[{{"linkId":"/g","item":[{}]}}]}}"#,
        number % 9 + 1,
        items.join(",")
    )
}

fn read_back(file: &Path) -> Result<usize> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?.with_batch_size(8192).build()?;
    let mut rows = 0;
    for batch in reader {
        rows += batch?.num_rows();
    }
    Ok(rows)
}
