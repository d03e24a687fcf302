//! What being restricted costs: W2, and a W1 of what one may write, as a clinician of one organisation and as a person, with
//! audit and consents, against the same requests of a hub with `--open`, in turns.
//!
//! The organisation cares for everyone of W2's data (so that answers are as large as those of the open hub). Of a hundred
//! patients five deny it, and five more deny it until some moment while the load runs. Further persons, 100,000 of them, have
//! a Consent each, which concern nobody who asks.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use fhir::date_time::format_instant;
use hdrhistogram::Histogram;

use super::Settings;
use super::client::Connection;
use super::crud::{self, Resources};
use super::figures::Figures;
use super::hub::{Hub, task, told};
use super::searches::{self, Search};

const OTHERS: usize = 100_000;
const PASSWORD: &str = "measured while it was restricted";
const CONNECTIONS: usize = 32;
/// The load is to find the hub's limit, not the one it is given.
const RATES: &[&str] = &["--rate-per-client", "0", "--rate-per-person", "0", "--rate-per-address", "0"];
/// Seconds a hub is asked before it is measured.
const WARM: u64 = 3;
/// Persons who ask at once.
const PERSONS: usize = 8;

/// What a clinician writes for a patient who is there already.
const CLINICAL: Resources = &[
    (
        "Encounter",
        r#""status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"@p"},"serviceProvider":{"reference":"Organization/measured"},"period":{"start":"2026-04-01T09:00:00+09:00","end":"2026-04-01T09:20:00+09:00"}"#,
    ),
    (
        "Observation",
        r#""status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},"subject":{"reference":"@p"},"encounter":{"reference":"@0"},"effectiveDateTime":"2026-04-01T09:05:00+09:00","valueQuantity":{"value":62.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}"#,
    ),
    (
        "MedicationRequest",
        r#""status":"active","intent":"order","medicationCodeableConcept":{"text":"a medicine"},"subject":{"reference":"@p"},"encounter":{"reference":"@0"},"authoredOn":"2026-04-01""#,
    ),
    (
        "Condition",
        r#""code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"E11"}]},"subject":{"reference":"@p"},"encounter":{"reference":"@0"},"recordedDate":"2026-04-01""#,
    ),
    (
        "Procedure",
        r#""status":"completed","code":{"text":"a procedure"},"subject":{"reference":"@p"},"encounter":{"reference":"@0"},"performedDateTime":"2026-04-01""#,
    ),
    (
        "AllergyIntolerance",
        r#""code":{"text":"a substance"},"patient":{"reference":"@p"},"encounter":{"reference":"@0"},"recordedDate":"2026-04-01""#,
    ),
    (
        "ServiceRequest",
        r#""status":"active","intent":"order","code":{"text":"a test"},"subject":{"reference":"@p"},"encounter":{"reference":"@0"},"authoredOn":"2026-04-01""#,
    ),
    (
        "DiagnosticReport",
        r#""status":"final","code":{"text":"a report"},"subject":{"reference":"@p"},"encounter":{"reference":"@0"},"result":[{"reference":"@1"}],"effectiveDateTime":"2026-04-01""#,
    ),
    (
        "Immunization",
        r#""status":"completed","vaccineCode":{"text":"a vaccine"},"patient":{"reference":"@p"},"encounter":{"reference":"@0"},"occurrenceDateTime":"2026-04-01""#,
    ),
];

/// What a person writes about themselves.
const OWN: Resources = &[
    (
        "Observation",
        r#""status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},"subject":{"reference":"@p"},"performer":[{"reference":"@p"}],"effectiveDateTime":"2026-04-01T09:05:00+09:00","valueQuantity":{"value":62.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}"#,
    ),
    (
        "Observation",
        r#""status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"@p"},"performer":[{"reference":"@p"}],"effectiveDateTime":"2026-04-01T09:06:00+09:00","valueQuantity":{"value":71,"unit":"/min"}"#,
    ),
    (
        "Condition",
        r#""code":{"text":"a headache"},"subject":{"reference":"@p"},"asserter":{"reference":"@p"},"recordedDate":"2026-04-01""#,
    ),
    (
        "AllergyIntolerance",
        r#""code":{"text":"a substance"},"patient":{"reference":"@p"},"asserter":{"reference":"@p"},"recordedDate":"2026-04-01""#,
    ),
    (
        "MedicationStatement",
        r#""status":"active","medicationCodeableConcept":{"text":"a medicine"},"subject":{"reference":"@p"},"informationSource":{"reference":"@p"},"effectiveDateTime":"2026-04-01""#,
    ),
    ("Goal", r#""lifecycleStatus":"active","description":{"text":"walk"},"subject":{"reference":"@p"}"#),
    (
        "QuestionnaireResponse",
        r#""status":"completed","subject":{"reference":"@p"},"author":{"reference":"@p"},"authored":"2026-04-01T09:05:00+09:00""#,
    ),
    (
        "DocumentReference",
        r#""status":"current","subject":{"reference":"@p"},"author":[{"reference":"@p"}],"content":[{"attachment":{"title":"a note"}}]"#,
    ),
    ("RelatedPerson", r#""patient":{"reference":"@p"},"name":[{"text":"a friend"}]"#),
];

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    let data = folder.path().join("hub");
    searches::fill(settings, &data)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let hub = Hub::serve(&data)?;
    let patients = runtime.block_on(searches::some_patients(&hub.address, 1000))?;
    hub.stop()?;
    // Those who ask as persons and of whom clinicians write deny nothing.
    let (deciding, others) = patients.split_at(patients.len() / 10);
    let own: Vec<String> = others.iter().take(PERSONS).cloned().collect();
    care(&data, &patients)?;
    add_users(&data, &own)?;
    let mix = Arc::new(searches::searches(&others[..40.min(others.len())]));
    for run in 0..=settings.runs {
        // The first round is without other people's consents, the last of the hub's life with them.
        if run == 1 {
            consents_of_others(&data)?;
        }
        let what = if run == 0 { "without others' consents: " } else { "" };
        let order = if run % 2 == 0 { [true, false] } else { [false, true] };
        round(settings, figures, (&data, deciding), &mix, &own, what, order)?;
    }
    Ok(())
}

/// A folder once more, whole.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    // Secrets lie in folders that nobody else may open, or the hub does not start.
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Everything once against the open hub and once against the one that restricts. Each has a copy of the same data, so that none
/// finds what the other wrote, or its compaction to be done; and each is asked for a while before it is measured.
fn round(
    settings: &Settings,
    figures: &mut Figures,
    (original, deciding): (&Path, &[String]),
    mix: &Arc<Vec<Search>>,
    own: &[String],
    what: &str,
    order: [bool; 2],
) -> Result<()> {
    let patients: Vec<(String, String)> =
        own.iter().map(|id| (String::new(), format!("Patient/{id}"))).collect();
    let mut of_kind: [Vec<f64>; 2] = Default::default();
    for is_open in order {
        let data = original.with_extension(if is_open { "open" } else { "closed" });
        copy(original, &data)?;
        decide(&data, deciding, settings.seconds)?;
        let hub = if is_open { Hub::serve(&data)? } else { Hub::serve_closed(&data, RATES)? };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sign_in = |login: String| -> Result<String> {
            if is_open { Ok(String::new()) } else { runtime.block_on(sign_in(&hub.address, &login)) }
        };
        let clinician = sign_in("clinician".to_owned())?;
        let persons: Vec<String> =
            (0..own.len()).map(|at| sign_in(format!("person{at}"))).collect::<Result<_>>()?;
        searches::mix(&hub, mix, std::slice::from_ref(&clinician), WARM)?;
        let mut rates = Vec::new();
        let mut measure = |name: &str, seconds: f64, count: u64, processor: f64| {
            let kind = if is_open { "open" } else { "restricted" };
            figures.note(&format!("{what}{name}, {kind}: requests/s"), count as f64 / seconds);
            figures.note(
                &format!("{what}{name}, {kind}: hub processor-µs each"),
                processor * 1e6 / count as f64,
            );
            rates.push(count as f64 / seconds);
        };
        for (name, headers) in
            [("W2 as a clinician", std::slice::from_ref(&clinician)), ("W2 as a person", persons.as_slice())]
        {
            let used = hub.processor_seconds();
            let (seconds, all) = searches::mix(&hub, mix, headers, settings.seconds)?;
            let count = all.values().map(Histogram::len).sum();
            measure(name, seconds, count, hub.processor_seconds() - used);
        }
        let as_clinician: Vec<_> = patients.iter().map(|(_, p)| (clinician.clone(), p.clone())).collect();
        let as_persons: Vec<_> =
            persons.iter().cloned().zip(patients.iter().map(|(_, p)| p.clone())).collect();
        for (name, resources, who) in
            [("W1 as a clinician", CLINICAL, &as_clinician), ("W1 as a person", OWN, &as_persons)]
        {
            let used = hub.processor_seconds();
            let (seconds, latencies) = crud::load_of(&hub, resources, who, CONNECTIONS, settings.seconds)?;
            measure(name, seconds, latencies.len(), hub.processor_seconds() - used);
        }
        hub.stop()?;
        std::fs::remove_dir_all(&data)?;
        of_kind[usize::from(is_open)] = rates;
    }
    let [restricted, open] = of_kind;
    let names = ["W2 as a clinician", "W2 as a person", "W1 as a clinician", "W1 as a person"];
    for ((name, open), restricted) in names.iter().zip(&open).zip(&restricted) {
        figures.note(&format!("{what}{name}: restricted to open"), restricted / open);
    }
    Ok(())
}

/// An organisation, and an encounter of everyone there.
fn care(data: &Path, patients: &[String]) -> Result<()> {
    let mut text = r#"{"resourceType":"Organization","id":"measured","name":"Measured"}"#.to_owned() + "\n";
    text.push_str("{\"resourceType\":\"Practitioner\",\"id\":\"measured\"}\n");
    for (at, id) in patients.iter().enumerate() {
        writeln!(
            text,
            r#"{{"resourceType":"Encounter","id":"care{at}","status":"finished","class":{{"code":"AMB"}},"subject":{{"reference":"Patient/{id}"}},"serviceProvider":{{"reference":"Organization/measured"}}}}"#
        )?;
    }
    import(data, &text)
}

/// Half of these deny the organisation for good, the others until some moment in the time the load takes.
fn decide(data: &Path, patients: &[String], seconds: u64) -> Result<()> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
    // Four loads against each hub, of which the second is the one that matters, and both have to start.
    let span = i64::try_from(seconds)? * 6_000_000;
    let mut text = String::new();
    for (at, id) in patients.iter().enumerate() {
        let ends = now + span * i64::try_from(at)? / i64::try_from(patients.len())?;
        let period = if at % 2 == 0 {
            String::new()
        } else {
            format!(r#","period":{{"end":"{}"}}"#, format_instant(ends))
        };
        writeln!(
            text,
            r#"{{"resourceType":"Consent","id":"decided{at}","status":"active","scope":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},"category":[{{"text":"privacy"}}],"patient":{{"reference":"Patient/{id}"}},"policyRule":{{"text":"own"}},"provision":{{"type":"deny"{period},"actor":[{{"role":{{"text":"clinic"}},"reference":{{"reference":"Organization/measured"}}}}]}}}}"#
        )?;
    }
    import(data, &text)
}

/// Persons who have nothing but a Consent.
fn consents_of_others(data: &Path) -> Result<()> {
    let mut text = String::new();
    for at in 0..OTHERS {
        writeln!(text, r#"{{"resourceType":"Patient","id":"other{at}"}}"#)?;
        writeln!(
            text,
            r#"{{"resourceType":"Consent","id":"other{at}","status":"active","scope":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},"category":[{{"text":"privacy"}}],"patient":{{"reference":"Patient/other{at}"}},"policyRule":{{"text":"own"}},"provision":{{"type":"deny","purpose":[{{"code":"HRESCH"}}]}}}}"#
        )?;
    }
    import(data, &text)
}

fn import(data: &Path, lines: &str) -> Result<()> {
    let mut file = tempfile::Builder::new().suffix(".ndjson").tempfile()?;
    file.write_all(lines.as_bytes())?;
    let (data, file) = (data.display().to_string(), file.path().display().to_string());
    task(&["import", "--quiet", "--data", &data, &file])?;
    Ok(())
}

fn add_users(data: &Path, own: &[String]) -> Result<()> {
    let data = data.display().to_string();
    let add = |login: &str, further: &[&str]| {
        let arguments = [&["user", "add", login, "--data", &data, "--password-stdin"], further].concat();
        told(&arguments, &format!("{PASSWORD}\n"))
    };
    let clinician = ["--fhir-user", "Practitioner/measured", "--organization", "Organization/measured"];
    add("clinician", &[&["--role", "clinician"], clinician.as_slice()].concat())?;
    for (at, id) in own.iter().enumerate() {
        add(&format!("person{at}"), &["--role", "person", "--fhir-user", &format!("Patient/{id}")])?;
    }
    Ok(())
}

/// Signs in: the header lines of who did.
async fn sign_in(address: &str, login: &str) -> Result<String> {
    // The hub calls itself by its own name.
    let origin = format!("origin: http://{}\r\n", address.replace("127.0.0.1", "localhost"));
    let mut connection = Connection::with(address, &origin).await?;
    let page = connection.send_as("GET", "/auth/sign-in", "", b"").await?;
    let text = String::from_utf8(page.body)?;
    let (_, rest) = text.split_once("name=\"form\" value=\"").context("no form")?;
    let form = rest.split('"').next().unwrap_or_default();
    let cookies = |answer: &[String]| format!("cookie: {}\r\n", answer.join("; "));
    let mut connection = Connection::with(address, &format!("{origin}{}", cookies(&page.cookies))).await?;
    let body = format!("form={form}&return=/&login={login}&password={}", PASSWORD.replace(' ', "+"));
    let media = "application/x-www-form-urlencoded";
    let answer = connection.send_as("POST", "/auth/sign-in", media, body.as_bytes()).await?;
    ensure!(answer.status == 303, "{login}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(format!("{origin}{}", cookies(&answer.cookies)))
}
