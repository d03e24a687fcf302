//! What holds of every page: axe-core finds no fault, none fails for any patient, each is small. And pictures of all of them.

use std::io::Write as _;

use serde_json::Value;

use crate::browser::Browser;
use crate::hub::{Hub, agent};
use crate::npm;
use crate::operator;
use crate::pages::{community, someone};

/// A first load is at most so large, in bytes.
const LARGEST: usize = 100_000;

/// The pages about a person.
fn of_person(id: &str) -> Vec<String> {
    [
        "/patients/ID",
        "/patients/ID?as_of=2023-06-30",
        "/clinic/ID",
        "/clinic/ID?as_of=2023-06-30",
        "/clinic/ID/trends",
        "/clinic/ID/renew",
        "/clinic/ID/summary",
        "/clinic/ID/write/note",
        "/clinic/ID/write/medicine",
        "/me/ID",
        "/me/ID/add",
        "/me/ID/timeline",
        "/me/ID/results",
        "/me/ID/medicines",
        "/me/ID/sharing",
        "/me/ID/looked",
        "/me/ID/card",
        "/me/ID/take",
        "/me/ID/cycle",
        "/me/ID/questions",
    ]
    .iter()
    .map(|page| page.replace("ID", id))
    .collect()
}

/// Every page of an open hub.
fn all(id: &str) -> Vec<String> {
    let mut pages: Vec<String> =
        ["/", "/people?q=a", "/clinic", "/clinic?q=a", "/me", "/nothing"].map(str::to_owned).to_vec();
    pages.extend(of_person(id));
    pages.extend(operator::PAGES.map(str::to_owned));
    for kind in ["problem", "allergy", "order", "result", "vaccine", "referral", "decision"] {
        pages.push(format!("/clinic/{id}/write/{kind}"));
    }
    pages
}

fn root(hub: &Hub) -> String {
    hub.base.trim_end_matches("/fhir").to_owned()
}

fn in_language(page: &str, language: &str) -> String {
    format!("{page}{}lang={language}", if page.contains('?') { '&' } else { '?' })
}

#[test]
fn axe_finds_nothing_on_any_page() {
    let axe = match npm::fetch("axe", "axe-core/axe.min.js") {
        Ok(axe) => axe,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "NOT TESTED WITH AXE-CORE: {why}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    crate::releases::publish(&hub);
    let (id, ..) = someone(&hub);
    let mut faults = Vec::new();
    for (width, scheme, language) in [(360, "dark", "ja"), (1440, "light", "en")] {
        let browser = Browser::open(width, language);
        browser.prefer("prefers-color-scheme", scheme);
        for page in all(&id) {
            browser.go(&format!("{}{}", root(&hub), in_language(&page, language)));
            browser.script(&axe);
            let found = browser.later(
                "const done = arguments[arguments.length - 1];
                axe.run(document, {resultTypes: ['violations']}).then(found => done(found.violations.map(v =>
                    `${v.id}: ${v.help}: ${v.nodes.map(n => n.html).join(' ').slice(0, 300)}`)), error => done([String(error)]));",
            );
            if found != Value::Array(Vec::new()) {
                faults.push(format!("{page} in {language} at {width} px, {scheme}: {found}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Opens every page of some patients, or of all.
fn crawl(hub: &Hub, most: usize, seed: usize) -> usize {
    let (_, found) = hub.get("Patient?_count=1000&_elements=id");
    let entries = found["entry"].as_array().unwrap();
    let ids: Vec<&str> = entries.iter().filter_map(|e| e["resource"]["id"].as_str()).collect();
    let step = (ids.len() / most.max(1)).max(1);
    let chosen: Vec<&str> = ids.iter().skip(seed % step).step_by(step).copied().collect();
    let agent = agent();
    for id in &chosen {
        for (at, page) in of_person(id).iter().enumerate() {
            let language = if (at + seed).is_multiple_of(2) { "ja" } else { "en" };
            let mut answer =
                agent.get(format!("{}{}", root(hub), in_language(page, language))).call().unwrap();
            let status = answer.status().as_u16();
            let body = answer.body_mut().read_to_string().unwrap();
            let is_then = page.contains("as_of") && status == 404;
            assert!(status == 200 || is_then, "{page} of {id}: {status} {body}");
            assert!(body.len() <= LARGEST, "{page} of {id} has {} bytes", body.len());
            assert!(!body.contains("{{") && !body.contains("NaN"), "{page} of {id}");
        }
    }
    chosen.len()
}

/// How many patients are opened; all with `YOJIGEN_CRAWL=all`. And where it begins.
fn how_many(few: usize) -> (usize, usize) {
    let is_all = std::env::var("YOJIGEN_CRAWL").is_ok_and(|all| all == "all");
    let seed = std::env::var("YOJIGEN_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let seed = seed.unwrap_or_else(|| usize::try_from(now).unwrap() % 1000);
    println!("YOJIGEN_SEED={seed}");
    (if is_all { usize::MAX } else { few }, seed)
}

#[test]
fn no_page_fails_for_any_patient() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    let (most, seed) = how_many(12);
    println!("{} patients of the community", crawl(&hub, most, seed));
    drop(hub);
    let Some(shared) = shared::folder("no_page_fails_for_any_patient") else { return };
    let data = folder.path().join("synthea");
    crate::hub::import(&data, &[&shared.join("data/synthea-r4-112-patients.tar.zst")]);
    let hub = Hub::serve(&data);
    println!("{} of Synthea's patients", crawl(&hub, most, seed));
}

#[test]
#[ignore = "makes pictures of every page: make screenshots"]
fn screenshots() {
    let to = std::env::var("YOJIGEN_SCREENSHOTS").unwrap_or_else(|_| "screenshots".to_owned());
    std::fs::create_dir_all(&to).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    let (id, ..) = someone(&hub);
    for width in [360, 768, 1440] {
        for (scheme, language) in [("light", "ja"), ("dark", "en")] {
            let browser = Browser::open(width, language);
            browser.prefer("prefers-color-scheme", scheme);
            for page in all(&id) {
                browser.go(&format!("{}{}", root(&hub), in_language(&page, language)));
                let name = page.replace(&id, "ID").replace(|c: char| !c.is_ascii_alphanumeric(), "-");
                let file = format!("{to}/{}-{width}-{scheme}-{language}.png", name.trim_matches('-'));
                std::fs::write(file, browser.picture()).unwrap();
            }
        }
    }
}
