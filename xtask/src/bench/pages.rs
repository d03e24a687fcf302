//! Pages: how large each is and how long the hub takes for it, of a patient with 5,000 resources.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use super::Settings;
use super::client::Connection;
use super::figures::Figures;
use super::hub::{Hub, task};

/// Requests for each page in a run.
const REQUESTS: usize = 200;
/// Resources of the patient, by kind: 5,000 with the Patient.
const OBSERVATIONS: usize = 3600;
const ENCOUNTERS: usize = 600;
const MEDICINES: usize = 400;
const CONDITIONS: usize = 150;
const REPORTS: usize = 200;
const NOTES: usize = 49;

/// The pages of a patient.
const PAGES: &[&str] = &[
    "/clinic/big",
    "/clinic/big/trends",
    "/clinic/big/write/note",
    "/clinic/big/write/medicine",
    "/clinic/big/renew",
    "/clinic/big/summary",
    "/patients/big",
    "/me/big",
    "/me/big/timeline",
    "/me/big/results",
    "/me/big/medicines",
    "/me/big/sharing",
    "/me/big/looked",
    "/me/big/card",
    "/me/big/cycle",
    "/me/big/add",
    "/me/big/take",
];

/// What is measured: LOINC and unit.
const MEASURED: [(&str, &str); 12] = [
    ("4548-4", "%"),
    ("2345-7", "mg/dL"),
    ("13457-7", "mg/dL"),
    ("2085-9", "mg/dL"),
    ("2571-8", "mg/dL"),
    ("62238-1", "mL/min/{1.73_m2}"),
    ("2160-0", "mg/dL"),
    ("29463-7", "kg"),
    ("718-7", "g/dL"),
    ("1742-6", "U/L"),
    ("1920-8", "U/L"),
    ("8867-4", "/min"),
];

/// A day of the last ten years, later ones first.
fn day(at: usize, of: usize) -> String {
    let days = at * 3650 / of.max(1);
    let (year, rest) = (2026 - days / 365, days % 365);
    format!("{year:04}-{:02}-{:02}", 11 - (rest / 31).min(10), 1 + rest % 28)
}

/// The record, as NDJSON.
fn record() -> Result<String> {
    let mut text = String::new();
    let subject = r#""subject":{"reference":"Patient/big"}"#;
    writeln!(
        text,
        r#"{{"resourceType":"Patient","id":"big","name":[{{"text":"計測 太郎"}}],"gender":"male","birthDate":"1950-01-01"}}"#
    )?;
    for at in 0..OBSERVATIONS {
        let (code, unit) = MEASURED[at % MEASURED.len()];
        let (date, value) = (day(at, OBSERVATIONS), 50 + at * 7 % 60);
        writeln!(
            text,
            r#"{{"resourceType":"Observation","id":"o{at}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},{subject},"effectiveDateTime":"{date}","valueQuantity":{{"value":{value},"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{unit}"}},"referenceRange":[{{"low":{{"value":60}},"high":{{"value":90}}}}]}}"#
        )?;
    }
    for at in 0..ENCOUNTERS {
        let date = day(at, ENCOUNTERS);
        writeln!(
            text,
            r#"{{"resourceType":"Encounter","id":"e{at}","status":"finished","class":{{"code":"AMB"}},{subject},"period":{{"start":"{date}T09:00:00+09:00","end":"{date}T09:20:00+09:00"}}}}"#
        )?;
    }
    for at in 0..MEDICINES {
        let (date, status) = (day(at, MEDICINES), if at < 20 { "active" } else { "completed" });
        writeln!(
            text,
            r#"{{"resourceType":"MedicationRequest","id":"m{at}","status":"{status}","intent":"order","medicationCodeableConcept":{{"text":"薬{}"}},{subject},"authoredOn":"{date}","dosageInstruction":[{{"text":"1回1錠 1日1回 朝食後"}}]}}"#,
            at % 40
        )?;
    }
    for at in 0..CONDITIONS {
        let (date, status) = (day(at, CONDITIONS), if at < 15 { "active" } else { "resolved" });
        writeln!(
            text,
            r#"{{"resourceType":"Condition","id":"c{at}","clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"{status}"}}]}},"code":{{"text":"病名{at}"}},{subject},"onsetDateTime":"{date}"}}"#
        )?;
    }
    for at in 0..REPORTS {
        let date = day(at, REPORTS);
        writeln!(
            text,
            r#"{{"resourceType":"DiagnosticReport","id":"r{at}","status":"final","code":{{"text":"生化学検査"}},{subject},"effectiveDateTime":"{date}"}}"#
        )?;
    }
    for at in 0..NOTES {
        let date = day(at, NOTES);
        writeln!(
            text,
            r#"{{"resourceType":"DocumentReference","id":"d{at}","status":"current",{subject},"date":"{date}T09:00:00+09:00","description":"診療記録","content":[{{"attachment":{{"contentType":"text/plain","data":"5a6J5a6a"}}}}]}}"#
        )?;
    }
    Ok(text)
}

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    let (data, file) = (folder.path().join("hub"), folder.path().join("record.ndjson"));
    std::fs::write(&file, record()?)?;
    task(&["import", "--quiet", "--data", &data.display().to_string(), &file.display().to_string()])?;
    let hub = Hub::serve(&data)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for _ in 0..settings.runs {
        for page in PAGES {
            let (bytes, latencies) = runtime.block_on(load(&hub.address, page))?;
            figures.note(&format!("{page} kB"), bytes as f64 / 1000.0);
            figures.note(&format!("{page} p50 ms"), latencies.value_at_quantile(0.5) as f64 / 1000.0);
            figures.note(&format!("{page} p95 ms"), latencies.value_at_quantile(0.95) as f64 / 1000.0);
        }
    }
    hub.stop()
}

async fn load(address: &str, page: &str) -> Result<(usize, Histogram<u64>)> {
    let mut connection = Connection::open(address).await?;
    let mut latencies = Histogram::<u64>::new(3)?;
    let mut bytes = 0;
    for _ in 0..REQUESTS {
        let start = Instant::now();
        let answer = connection.send_as("GET", page, "", b"").await?;
        ensure!(answer.status == 200, "{page}: {}", answer.status);
        bytes = bytes.max(answer.body.len());
        latencies.record(u64::try_from(start.elapsed().as_micros())?)?;
    }
    Ok((bytes, latencies))
}
