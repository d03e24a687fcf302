//! Published figures: what is out never changes, what is new tells of few with nothing that is out, and nobody needs to sign in
//! to read it, nor can read more.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::auth::House;
use crate::auth::visitor::written;
use crate::hub::{Hub, agent, import, run, run_well, try_send};

const INFLUENZA: &str = "rmi-influenza-65";
const K: i64 = 10;

/// People of eighty, some of them vaccinated in 2025; their ids begin with what is given.
fn people(from: &str, women: (usize, usize), men: (usize, usize)) -> Vec<Value> {
    let mut all = Vec::new();
    for (gender, (count, vaccinated)) in [("female", women), ("male", men)] {
        for at in 0..count {
            let id = format!("{from}-{gender}-{at}");
            all.push(
                json!({"resourceType": "Patient", "id": id, "gender": gender, "birthDate": "1945-02-03"}),
            );
            if at < vaccinated {
                all.push(
                    json!({"resourceType": "Immunization", "id": format!("i-{id}"), "status": "completed",
                    "patient": {"reference": format!("Patient/{id}")}, "occurrenceDateTime": "2025-11-05",
                    "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "150"}]}}),
                );
            }
        }
    }
    all
}

fn take(data: &Path, name: &str, resources: &[Value]) {
    let file = data.parent().unwrap().join(format!("{name}.ndjson"));
    let lines: String = resources.iter().map(|resource| format!("{resource}\n")).collect();
    std::fs::write(&file, lines).unwrap();
    import(data, &[&file]);
}

/// The reports of a Bundle by the id of their indicator.
fn by_id(bundle: &Value) -> BTreeMap<String, Value> {
    let resources = bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    let reports = resources.filter(|r| r["resourceType"] == "MeasureReport");
    reports
        .map(|r| {
            let measure = r["measure"].as_str().unwrap();
            (measure.split('|').next().unwrap().rsplit('/').next().unwrap().to_owned(), r.clone())
        })
        .collect()
}

fn evaluated(data: &Path, name: &str, how: &[&str]) -> BTreeMap<String, Value> {
    let file = data.parent().unwrap().join(name);
    let (place, path) = (data.to_str().unwrap(), file.to_str().unwrap());
    let all =
        ["indicator", "evaluate", "--data", place, "--period", "2025", "--format", "json", "--out", path];
    run_well(&[&all[..], how].concat());
    by_id(&serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap())
}

/// Counts by table, cell and population; the table of the whole has no name. Who is not in the numerator is one more.
fn counts(report: &Value) -> BTreeMap<(String, String, String), i64> {
    let mut found = BTreeMap::new();
    let mut take = |table: &str, cell: &str, group: &Value| {
        let mut own = BTreeMap::new();
        for population in group["population"].as_array().unwrap() {
            if let Some(count) = population["count"].as_i64() {
                own.insert(population["code"]["coding"][0]["code"].as_str().unwrap().to_owned(), count);
            }
        }
        if let (Some(whole), Some(part)) = (own.get("denominator"), own.get("numerator")) {
            own.insert("others".to_owned(), whole - part);
        }
        for (code, count) in own {
            found.insert((table.to_owned(), cell.to_owned(), code), count);
        }
    };
    let group = &report["group"][0];
    take("", "", group);
    for (at, stratifier) in group["stratifier"].as_array().into_iter().flatten().enumerate() {
        for stratum in stratifier["stratum"].as_array().into_iter().flatten() {
            take(&at.to_string(), &stratum["value"].to_string(), stratum);
        }
    }
    found
}

/// Who attacks: takes every pair of tables, of any two releases, and says which few it finds.
fn attack(told: &[BTreeMap<String, Value>], truth: &[BTreeMap<String, Value>]) -> Vec<String> {
    let mut found = Vec::new();
    let is_few = |n: i64| (1..K).contains(&n.abs());
    for (i, j) in (0..told.len()).flat_map(|i| (0..told.len()).map(move |j| (i, j))) {
        for (id, one) in &told[i] {
            let Some(other) = told[j].get(id) else { continue };
            let (one, other, exact) = (counts(one), counts(other), counts(&truth[i][id]));
            for (key, count) in &one {
                if let Some(then) = other.get(key)
                    && is_few(count - then)
                {
                    found.push(format!("{id} {key:?}: {} more in {i} than in {j}", count - then));
                }
            }
            // What is left out, from the whole and what this or the other release says of everyone else.
            for (key, real) in exact.iter().filter(|((table, ..), _)| !table.is_empty()) {
                let Some(whole) = one.get(&(String::new(), String::new(), key.2.clone())) else { continue };
                let rest = exact.keys().filter(|k| k.0 == key.0 && k.2 == key.2 && k.1 != key.1);
                let known: Option<i64> = rest.map(|k| one.get(k).or_else(|| other.get(k))).sum();
                if let Some(known) = known
                    && !one.contains_key(key)
                    && is_few(*real)
                    && whole - known == *real
                {
                    found.push(format!("{id} {key:?}: {real} in {i}, by {j}"));
                }
            }
        }
    }
    found
}

#[test]
fn no_two_releases_tell_of_few() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let place = data.to_str().unwrap();
    let late = json!({"resourceType": "Immunization", "id": "late", "status": "completed",
        "patient": {"reference": "Patient/a-male-39"}, "occurrenceDateTime": "2025-12-01",
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "150"}]}});
    let steps = [
        people("a", (40, 25), (40, 25)),
        // One man more is vaccinated.
        vec![late],
        // Many more come.
        people("b", (22, 11), (22, 11)),
        // One woman more, and many men.
        people("c", (1, 1), (22, 11)),
        // A few men go to the doctor: nobody comes, nobody goes.
        vec![json!({"resourceType": "Organization", "id": "o"})],
    ];
    let (mut alone, mut exact, mut said) = (Vec::new(), Vec::new(), Vec::new());
    for (at, step) in steps.iter().enumerate() {
        take(&data, &format!("step-{at}"), step);
        alone.push(evaluated(&data, &format!("alone-{at}.json"), &[]));
        exact.push(evaluated(&data, &format!("exact-{at}.json"), &["--exact"]));
        let title = format!("Step {at}");
        let release = ["indicator", "release", "--data", place, "--period", "2025", "--title", &title];
        if at == 0 {
            run_well(&[&release[..], &["--dry-run"]].concat());
        }
        said.push(run(&release));
    }
    let text = |at: usize| String::from_utf8_lossy(&said[at].stdout).into_owned();
    assert!(
        text(0).contains(&format!("Measure/{INFLUENZA}|")) && text(0).contains("release 1:"),
        "{}",
        text(0)
    );
    let hub = Hub::serve(&data);
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    let get = |path: &str| try_send(&agent(), "", "GET", &format!("{root}{path}"), &[], "").unwrap();
    let mut told: Vec<BTreeMap<String, Value>> = Vec::new();
    let mut truth = Vec::new();
    let mut files = Vec::new();
    let mut number = 0;
    for (at, output) in said.iter().enumerate() {
        if output.status.success() {
            number += 1;
            let answer = get(&format!("/figures/{number}.json"));
            assert_eq!(answer.status, 200, "{}", answer.body);
            let bundle = answer.json();
            assert_eq!(bundle["entry"][0]["resource"]["title"], format!("Step {at}"));
            told.push(by_id(&bundle));
            truth.push(exact[at].clone());
            files.push((format!("step-{at}"), answer.body));
        }
    }
    // Each alone, as if there were no others, tells of the one man and of the one woman; the releases do not.
    let without = attack(&alone, &exact);
    assert!(without.iter().any(|f| f.contains(INFLUENZA)), "the attack finds nothing: {without:?}");
    let found = attack(&told, &truth);
    assert!(found.is_empty(), "{found:#?}");
    let shown = |step: &str| {
        let at = files.iter().position(|(name, _)| name == step)?;
        told[at].get(INFLUENZA).map(counts)
    };
    let whole =
        |step: &str, code: &str| shown(step)?.get(&(String::new(), String::new(), code.to_owned())).copied();
    assert_eq!(whole("step-0", "numerator"), Some(50));
    assert_eq!(whole("step-1", "numerator"), None, "one man more");
    assert_eq!((whole("step-2", "numerator"), whole("step-2", "denominator")), (Some(73), Some(124)));
    // By sex it would tell of one woman; the whole does not.
    assert_eq!(whole("step-3", "numerator"), Some(85));
    let by_sex = |step: &str| {
        let female = json!({"text": "female"}).to_string();
        shown(step).unwrap().keys().any(|key| key.1 == female)
    };
    assert!(by_sex("step-2") && !by_sex("step-3"));
    // Nothing changed: it is told again.
    assert_eq!(whole("step-4", "numerator"), Some(85));

    // What is out does not change, whatever becomes of the resource; what others put there is no release.
    let first = files[0].1.clone();
    let mut forged: Value = serde_json::from_str(&first).unwrap();
    forged["entry"][0]["resource"]["title"] = json!("Forged");
    forged.as_object_mut().unwrap().remove("meta");
    for id in ["figures-release-1".to_owned(), format!("figures-release-{}", number + 1)] {
        forged["id"] = json!(id);
        let answer = hub.send("PUT", &format!("Bundle/{id}"), &[], &forged.to_string());
        assert!(answer.status < 300, "{}", answer.body);
    }
    assert!(hub.send("DELETE", "Bundle/figures-release-1", &[], "").status < 300);
    assert_eq!(get("/figures/1.json").body, first);
    assert_eq!(get(&format!("/figures/{}.json", number + 1)).status, 404);
    assert!(!get("/figures").body.contains("Forged"));
    let table = get("/figures/1.csv").body;
    assert!(
        table.lines().any(|line| line.contains(&format!("{INFLUENZA},")) && line.contains(",50,80,")),
        "{table}"
    );
    drop(hub);

    // Whoever holds the record computes it again.
    for (name, body) in &files {
        let file = folder.path().join(format!("{name}-published.json"));
        std::fs::write(&file, body).unwrap();
        let said = run_well(&["indicator", "verify", file.to_str().unwrap(), "--data", place]);
        assert!(said.contains("comes out the same") && !said.contains("does not"), "{name}: {said}");
    }
    // A release that is withdrawn stays listed, with the reason.
    run_well(&["indicator", "withdraw", "1", "--reason", "sent twice", "--data", place]);
    assert!(!run(&["indicator", "withdraw", "1", "--reason", "again", "--data", place]).status.success());
    assert!(run_well(&["indicator", "releases", "--data", place]).contains("withdrawn: sent twice"));
    let hub = Hub::serve(&data);
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    let body = try_send(&agent(), "", "GET", &format!("{root}/figures/1?lang=en"), &[], "").unwrap().body;
    assert!(body.contains("Withdrawn:") && body.contains("sent twice") && body.contains("Step 0"), "{body}");
}

/// Publishes what there is of 2025 at the pages of an open hub.
pub(crate) fn publish(hub: &Hub) {
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", root.as_str())];
    let form = written(&[("from", "2025-01-01"), ("to", "2025-12-31"), ("title", "2025")]);
    let answer = try_send(&agent(), "", "POST", &format!("{root}/hub/releases"), &headers, &form).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn everyone_reads_what_is_published_and_nothing_else() {
    let house = House::holding(&people("a", (40, 25), (40, 25)), &[]);
    house.user("unei", &["--role", "operator"]);
    house.user("ichiro", &["--role", "person", "--fhir-user", "Patient/a-male-1"]);
    let none = house.visitor().get("/figures?lang=en");
    assert!(none.status == 200 && none.body.contains("Nothing has been published"), "{}", none.body);
    let period = "from=2025-01-01&to=2025-12-31";
    let mut unei = house.signed_in("unei");
    let seen = unei.get(&format!("/hub/releases?{period}&lang=en"));
    assert!(seen.status == 200 && seen.body.contains("(50 / 80)"), "{}", seen.body);
    let instant = crate::auth::visitor::field(&seen.body, "instant").unwrap();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", house.root())];
    let form = written(&[
        ("from", "2025-01-01"),
        ("to", "2025-12-31"),
        ("instant", &instant),
        ("title", "Year 2025"),
    ]);
    let mut ichiro = house.signed_in("ichiro");
    assert_eq!(ichiro.send("POST", "/hub/releases", &headers, &form).status, 403);
    assert_eq!(ichiro.get("/hub/releases").status, 403);
    let answer = unei.send("POST", "/hub/releases", &headers, &form);
    assert_eq!(answer.status, 200, "{}", answer.body);

    let mut nobody = house.visitor();
    for (language, said) in [("en", "Published figures"), ("ja", "公表している数値")] {
        let page = nobody.get(&format!("/figures?lang={language}"));
        assert!(
            page.status == 200 && page.body.contains(said) && page.body.contains("62.5 %"),
            "{}",
            page.body
        );
        assert!(
            page.body.contains("Year 2025") && page.body.contains("yojigen indicator verify figures-1.json")
        );
        assert!(
            page.body.contains("<svg") && !page.body.contains("a-male") && !page.body.contains("<script")
        );
    }
    assert!(nobody.get("/?lang=en").body.contains("href=\"/figures\""));
    let bundle = nobody.get("/figures/1.json");
    assert_eq!(bundle.header("content-type"), Some("application/fhir+json; charset=utf-8"));
    assert_eq!(bundle.json()["entry"][0]["resource"]["title"], "Year 2025");
    assert!(nobody.get("/figures/1.csv").body.starts_with("release,status,"));
    for path in ["/figures/2", "/figures/0", "/figures/01", "/figures/1.xml", "/figures/x", "/figures/%2e%2e"]
    {
        assert_eq!(nobody.get(path).status, 404, "{path}");
    }
    for path in ["/fhir/Bundle/figures-release-1", "/fhir/Bundle", "/fhir/MeasureReport", "/fhir/Patient"] {
        assert_eq!(nobody.get(path).status, 401, "{path}");
    }
    for path in ["/hub/releases", "/hub/indicators", "/figuresx", "/people?q=a", "/patients/a-male-1"] {
        let answer = nobody.get(path);
        assert!(
            answer.status == 303 && answer.header("location").unwrap().contains("/auth/sign-in"),
            "{path}"
        );
    }
    // A title is needed; what is withdrawn says why.
    let untitled = written(&[("from", "2025-01-01"), ("to", "2025-12-31"), ("title", " ")]);
    assert_eq!(unei.send("POST", "/hub/releases", &headers, &untitled).status, 400);
    let reason = written(&[("reason", "One site sent its findings twice")]);
    assert_eq!(ichiro.send("POST", "/hub/releases/1/withdraw", &headers, &reason).status, 403);
    assert_eq!(unei.send("POST", "/hub/releases/1/withdraw", &headers, &reason).status, 200);
    assert_eq!(unei.send("POST", "/hub/releases/1/withdraw", &headers, &reason).status, 400);
    let page = nobody.get("/figures?lang=en").body;
    assert!(
        page.contains("Every release has been withdrawn") && page.contains("sent its findings twice"),
        "{page}"
    );
    assert!(nobody.get("/figures/1.csv").body.contains("withdrawn"));
}
