//! The suite of SQL on FHIR v2: files of resources, views, and the rows these give.

mod suite;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::Tally;

pub(super) fn run(dir: &Path, report: Option<&Path>, tally: &mut Tally) -> Result<()> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .with_context(|| dir.display().to_string())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|e| e == "json"));
    files.sort();
    let mut reported = serde_json::Map::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).with_context(|| name.clone())?;
        // A report or a schema that stands beside the suite's files is none of them.
        let Some(cases) = suite::run(&text).with_context(|| name.clone())? else { continue };
        let passed = cases.iter().filter(|c| c.outcome.is_ok()).count();
        println!("{name:<28} {passed:>3} of {:>3}", cases.len());
        let mut tests = Vec::new();
        for case in cases {
            let result = match &case.outcome {
                Ok(()) => json!({"passed": true}),
                Err(reason) => json!({"passed": false, "reason": reason}),
            };
            tests.push(json!({"name": case.title, "result": result}));
            tally.count(&format!("{name}: {}", case.title), case.outcome);
        }
        reported.insert(name, json!({ "tests": tests }));
    }
    if reported.is_empty() {
        bail!("{} has no files with title, resources and tests", dir.display());
    }
    if let Some(report) = report {
        let text = serde_json::to_string_pretty(&reported)? + "\n";
        std::fs::write(report, text).with_context(|| report.display().to_string())?;
    }
    Ok(())
}
