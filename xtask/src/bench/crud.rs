//! W1: each iteration creates nine linked resources, reads all, updates all, and deletes them in reverse.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;

use super::Settings;
use super::client::Connection;
use super::figures::{Figures, fdatasync};
use super::hub::Hub;

/// Resources in order: type and members. `@n` is the reference to the nth before, `@p` that to a patient who is there already.
pub(super) type Resources = &'static [(&'static str, &'static str)];

const RESOURCES: Resources = &[
    ("Patient", r#""name":[{"family":"Sato","given":["Hana"]}],"birthDate":"1975-04-02","gender":"female""#),
    ("Location", r#""name":"Ward 3","status":"active""#),
    ("Organization", r#""name":"A clinic","active":true"#),
    ("Practitioner", r#""name":[{"family":"Suzuki","given":["Ken"]}]"#),
    (
        "Encounter",
        r#""status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"@0"},"serviceProvider":{"reference":"@2"},"period":{"start":"2026-04-01T09:00:00+09:00","end":"2026-04-01T09:20:00+09:00"}"#,
    ),
    (
        "Observation",
        r#""status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},"subject":{"reference":"@0"},"encounter":{"reference":"@4"},"effectiveDateTime":"2026-04-01T09:05:00+09:00","valueQuantity":{"value":62.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}"#,
    ),
    (
        "MedicationRequest",
        r#""status":"active","intent":"order","medicationCodeableConcept":{"text":"a medicine"},"subject":{"reference":"@0"},"encounter":{"reference":"@4"},"authoredOn":"2026-04-01""#,
    ),
    (
        "Claim",
        r#""status":"active","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/claim-type","code":"professional"}]},"use":"claim","patient":{"reference":"@0"},"created":"2026-04-01","provider":{"reference":"@2"},"priority":{"coding":[{"code":"normal"}]},"insurance":[{"sequence":1,"focal":true,"coverage":{"display":"a cover"}}]"#,
    ),
    (
        "ExplanationOfBenefit",
        r#""status":"active","type":{"coding":[{"code":"professional"}]},"use":"claim","patient":{"reference":"@0"},"created":"2026-04-01","insurer":{"reference":"@2"},"provider":{"reference":"@3"},"claim":{"reference":"@7"},"outcome":"complete","insurance":[{"focal":true,"coverage":{"display":"a cover"}}]"#,
    ),
];

pub(super) fn run(settings: &Settings, figures: &mut Figures) -> Result<()> {
    for _ in 0..settings.runs {
        let folder = tempfile::tempdir_in(&settings.folder)?;
        figures.note("disk fdatasync/s", fdatasync(folder.path())?.0);
        for connections in [32, 300] {
            let hub = Hub::serve(&folder.path().join(format!("hub-{connections}")))?;
            let used = hub.processor_seconds();
            let (seconds, latencies) = load(&hub, connections, settings.seconds)?;
            let what = format!("{connections} connections");
            let count = latencies.len() as f64;
            figures.note(&format!("{what} requests/s"), count / seconds);
            figures.latencies(&what, &latencies);
            let processor = (hub.processor_seconds() - used) * 1e6 / count;
            figures.note(&format!("{what} hub processor-µs per request"), processor);
            figures.note(&format!("{what} hub resident MB"), hub.resident());
        }
    }
    Ok(())
}

/// Seconds, and the latencies of all requests.
pub(super) fn load(hub: &Hub, connections: usize, seconds: u64) -> Result<(f64, Histogram<u64>)> {
    load_of(hub, RESOURCES, &[(String::new(), String::new())], connections, seconds)
}

/// The same with other resources, as others: each connection has the header lines of one of these, and their patient.
pub(super) fn load_of(
    hub: &Hub,
    resources: Resources,
    others: &[(String, String)],
    connections: usize,
    seconds: u64,
) -> Result<(f64, Histogram<u64>)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for (headers, patient) in others.iter().cycle().take(connections) {
        let (address, headers, patient) = (hub.address.clone(), headers.clone(), patient.clone());
        tasks.push(runtime.spawn(async move {
            let connection = Connection::with(&address, &headers).await?;
            let mut client = Client { connection, resources, patient, latencies: Histogram::new(3)? };
            while Instant::now() < end {
                client.iteration().await?;
            }
            anyhow::Ok(client.latencies)
        }));
    }
    let mut all = Histogram::<u64>::new(3)?;
    for task in tasks {
        all.add(runtime.block_on(task)??)?;
    }
    Ok((began.elapsed().as_secs_f64(), all))
}

struct Client {
    connection: Connection,
    resources: Resources,
    patient: String,
    latencies: Histogram<u64>,
}

impl Client {
    async fn iteration(&mut self) -> Result<()> {
        let mut names: Vec<String> = Vec::with_capacity(self.resources.len());
        for (kind, members) in self.resources {
            let body = format!("{{\"resourceType\":\"{kind}\",{}}}", filled(members, &names, &self.patient));
            let location =
                self.timed("POST", &format!("/{kind}"), &body, 201).await?.context("no Location")?;
            let name =
                location.trim_start_matches('/').split("/_history").next().unwrap_or_default().to_owned();
            names.push(name);
        }
        for name in &names {
            self.timed("GET", &format!("/{name}"), "", 200).await?;
        }
        for ((kind, members), name) in self.resources.iter().zip(&names) {
            let id = name.split('/').nth(1).unwrap_or_default();
            let members = filled(members, &names, &self.patient);
            let body =
                format!("{{\"resourceType\":\"{kind}\",\"id\":\"{id}\",\"language\":\"ja\",{members}}}");
            self.timed("PUT", &format!("/{name}"), &body, 200).await?;
        }
        for name in names.iter().rev() {
            self.timed("DELETE", &format!("/{name}"), "", 204).await?;
        }
        Ok(())
    }

    async fn timed(&mut self, method: &str, path: &str, body: &str, status: u16) -> Result<Option<String>> {
        let start = Instant::now();
        let answer = self.connection.send(method, path, body.as_bytes()).await?;
        self.latencies.record(u64::try_from(start.elapsed().as_micros())?)?;
        ensure!(
            answer.status == status,
            "{method} {path}: {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(answer.location)
    }
}

fn filled(members: &str, names: &[String], patient: &str) -> String {
    let members = members.replace("\"@p\"", &format!("\"{patient}\""));
    names
        .iter()
        .enumerate()
        .fold(members, |text, (at, name)| text.replace(&format!("\"@{at}\""), &format!("\"{name}\"")))
}
