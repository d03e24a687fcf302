//! What those who run a hub see and do at its pages, and what others do not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::auth::House;
use crate::auth::visitor::{Visitor, field, written};
use crate::browser::Browser;
use crate::bulk::file_server;
use crate::hub::{Answer, agent, run_well};
use crate::pages::{community, is_well};

/// The pages, as everybody sees them in an open hub.
pub(crate) const PAGES: [&str; 15] = [
    "/hub",
    "/hub/flow",
    "/hub/flow?as_of=2024-06-03",
    "/hub/indicators?year=2025",
    "/hub/indicators/rmi-influenza-65?year=2025",
    "/hub/releases",
    "/hub/releases?from=2025-01-01&to=2025-12-31",
    "/figures",
    "/hub/jobs",
    "/hub/users",
    "/hub/clients",
    "/hub/directory",
    "/hub/policies",
    "/hub/audit",
    "/hub/directory?q=%E7%97%85",
];

const LARGEST: usize = 100_000;

fn places() -> Vec<Value> {
    let name = "Sakura Clinic";
    vec![
        json!({"resourceType": "Organization", "id": "sakura", "name": name}),
        json!({"resourceType": "Organization", "id": "gone", "name": "Closed Clinic", "active": false}),
        json!({"resourceType": "Location", "id": "l1", "name": "Ward A", "position": {"latitude": 35.90, "longitude": 139.40}}),
        json!({"resourceType": "Location", "id": "l2", "name": "Ward B", "position": {"latitude": 35.95, "longitude": 139.50}}),
        json!({"resourceType": "Practitioner", "id": "d1", "name": [{"text": "Doctor Known"}]}),
        json!({"resourceType": "Patient", "id": "p9", "name": [{"text": "Secret Personname"}], "managingOrganization": {"reference": "Organization/sakura"}}),
        json!({"resourceType": "Encounter", "id": "e1", "status": "in-progress", "class": {"code": "IMP"}, "subject": {"reference": "Patient/p9"},
            "period": {"start": "2026-01-01"}, "location": [{"location": {"reference": "Location/l1"}}]}),
    ]
}

fn house() -> House {
    let house = House::holding(&places(), &["--audit", "on"]);
    house.user("ope", &["--role", "operator"]);
    house.user("aud", &["--role", "auditor"]);
    house
}

/// Sends a form as a page of the hub does.
fn send(visitor: &mut Visitor, house: &House, path: &str, pairs: &[(&str, &str)]) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", house.root())];
    visitor.send("POST", path, &headers, &written(pairs))
}

#[test]
fn everyone_may_read_the_first_page_and_nothing_of_anybodys_is_on_it() {
    let house = house();
    for language in ["en", "ja"] {
        let answer = house.visitor().get(&format!("/?lang={language}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body.contains("Sakura Clinic") && !answer.body.contains("Closed Clinic"));
        assert!(answer.body.contains("/auth/sign-in?return=") && answer.body.contains("/openapi.json"));
        assert!(answer.body.contains("smart-configuration") && answer.body.contains(&house.hub.base));
        for secret in ["Secret", "Personname", "Doctor", "p9", "Ward", "name=\"q\"", "Patient"] {
            assert!(!answer.body.contains(secret), "{secret}: {}", answer.body);
        }
    }
    // Nothing else is open by it.
    for path in ["/?x=/../people", "//", "/people", "/hub"] {
        let answer = house.visitor().get(path);
        assert!(!answer.body.contains("Secret"), "{path}");
    }
    for path in ["Organization", "Organization/sakura", "Patient", "Patient/p9"] {
        assert_eq!(house.hub.send("GET", path, &[], "").status, 401, "{path}");
    }
    // Whoever is signed in finds people there, as far as they may.
    assert!(house.signed_in("hanako").get("/").body.contains("name=\"q\""));
}

#[test]
fn the_pages_of_those_who_run_the_hub_are_theirs() {
    let house = house();
    for login in ["taro", "hanako"] {
        let mut visitor = house.signed_in(login);
        for page in PAGES.iter().chain(&["/hub/audit.csv", "/hub/jobs/x"]) {
            let answer = visitor.get(page);
            // What is published is everyone's.
            let status = if *page == "/figures" { 200 } else { 403 };
            assert_eq!(answer.status, status, "{login} {page}: {}", answer.body);
        }
        for (page, pairs) in [
            ("/hub/users", &[("action", "roles"), ("login", "taro"), ("role", "operator")][..]),
            ("/hub/clients", &[("action", "remove"), ("id", "diary")]),
            ("/hub/jobs/x/stop", &[]),
            ("/hub/jobs/x", &[("resource", "{}")]),
            ("/hub/policies", &[("rules", ""), ("role", "person")]),
        ] {
            assert_eq!(send(&mut visitor, &house, page, pairs).status, 403, "{login} {page}");
        }
    }
    let mut ope = house.signed_in("ope");
    for page in PAGES {
        let answer = ope.get(page);
        assert_eq!(answer.status, 200, "{page}: {}", answer.body);
        assert!(answer.body.len() <= LARGEST, "{page} has {} bytes", answer.body.len());
        assert!(!answer.body.contains("Secret"), "{page}");
    }
    let mut aud = house.signed_in("aud");
    assert_eq!(aud.get("/hub").header("location"), Some("/hub/audit"));
    assert_eq!(aud.get("/hub/audit").status, 200);
    for page in ["/hub/users", "/hub/jobs", "/hub/flow"] {
        assert_eq!(aud.get(page).status, 403, "{page}");
    }
    // A form of another site changes nothing.
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://evil.example")];
    let body = written(&[("action", "disable"), ("login", "taro")]);
    assert_ne!(ope.send("POST", "/hub/users", &headers, &body).status, 200);
    assert!(house.visitor().sign_in("taro", crate::auth::PASSWORD, "/").status == 303);
}

#[test]
fn somebody_is_invited_given_roles_and_let_in_no_more() {
    let house = house();
    let mut ope = house.signed_in("ope");
    let pairs = [("action", "invite"), ("login", "newcomer"), ("name", "New Comer"), ("role", "clinician")];
    let answer = send(&mut ope, &house, "/hub/users", &pairs);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let link = answer.body.split("/auth/invitation?secret=").nth(1).unwrap();
    let secret: String =
        link.chars().take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect();
    assert!(!ope.get("/hub/users").body.contains(&secret), "it is shown once");
    assert_eq!(house.visitor().get(&format!("/auth/invitation?secret={secret}")).status, 200);
    let answer = send(&mut ope, &house, "/hub/users", &pairs);
    assert!(
        answer.status >= 400 && answer.body.contains("role=\"alert\""),
        "{} {}",
        answer.status,
        answer.body
    );
    let pairs = [("action", "roles"), ("login", "hanako"), ("role", "registrar")];
    assert_eq!(send(&mut ope, &house, "/hub/users", &pairs).status, 200);
    assert_eq!(house.signed_in("hanako").get("/clinic").status, 403);
    assert_eq!(
        send(&mut ope, &house, "/hub/users", &[("action", "disable"), ("login", "hanako")]).status,
        200
    );
    assert_eq!(house.visitor().sign_in("hanako", crate::auth::PASSWORD, "/").status, 403);
    assert_eq!(
        send(&mut ope, &house, "/hub/users", &[("action", "enable"), ("login", "hanako")]).status,
        200
    );
    assert_eq!(house.visitor().sign_in("hanako", crate::auth::PASSWORD, "/").status, 303);
    // It is kept who did it.
    let done = house.signed_in("aud").get("/hub/audit?lang=en").body;
    for deed in ["users/newcomer/invite/clinician", "users/hanako/roles/registrar", "users/hanako/disable"] {
        assert!(done.contains(deed), "{deed}: {done}");
    }
    // Nobody locks themselves out.
    for pairs in [
        &[("action", "disable"), ("login", "ope")][..],
        &[("action", "roles"), ("login", "ope"), ("role", "person")],
    ] {
        assert_eq!(send(&mut ope, &house, "/hub/users", pairs).status, 400);
    }
    assert_eq!(ope.get("/hub").status, 200);
}

#[test]
fn an_app_is_registered_and_removed() {
    let house = house();
    let mut ope = house.signed_in("ope");
    let pairs = [
        ("action", "add"),
        ("id", "notes"),
        ("name", "Notes"),
        ("kind", "confidential"),
        ("redirect-uris", "https://notes.example/cb"),
        ("scopes", "launch/patient patient/*.rs"),
    ];
    let answer = send(&mut ope, &house, "/hub/clients", &pairs);
    assert!(
        answer.status == 200 && answer.body.contains("class=\"secret\""),
        "{} {}",
        answer.status,
        answer.body
    );
    assert!(ope.get("/hub/clients").body.contains("https://notes.example/cb"));
    let bad = [
        ("action", "add"),
        ("id", "bad"),
        ("name", "Bad"),
        ("kind", "keyed"),
        ("scopes", "system/*.rs"),
        ("keys", "{"),
    ];
    assert_eq!(send(&mut ope, &house, "/hub/clients", &bad).status, 400);
    assert_eq!(send(&mut ope, &house, "/hub/clients", &[("action", "remove"), ("id", "notes")]).status, 200);
    assert!(!ope.get("/hub/clients").body.contains("https://notes.example/cb"));
}

#[test]
fn an_app_of_an_operators_does_not_run_the_hub() {
    let house = house();
    house.user("both", &["--role", "operator", "--role", "person", "--fhir-user", "Patient/p2"]);
    let mut both = house.signed_in("both");
    assert_eq!(both.get("/hub").status, 200);
    let tokens = house.exchange("diary", &house.code(&mut both, "diary", "patient/*.rs")).json();
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let mut app = house.visitor();
    for page in ["/hub", "/hub/users", "/hub/flow"] {
        assert_eq!(app.send("GET", page, &[("authorization", &bearer)], "").status, 403, "{page}");
    }
    let headers = [("authorization", &*bearer), ("content-type", "application/x-www-form-urlencoded")];
    let body = written(&[("action", "disable"), ("login", "taro")]);
    assert_eq!(app.send("POST", "/hub/users", &headers, &body).status, 403);
}

#[test]
fn an_auditor_finds_who_looked_and_takes_it_along_as_a_table() {
    let house = house();
    house.signed_in("taro").get("/patients/p1");
    let mut aud = house.signed_in("aud");
    let found = aud.get("/hub/audit?lang=en&patient=p1");
    assert!(found.body.contains("PATRQT") && found.body.contains("127.0.0.1"), "{}", found.body);
    let none = aud.get("/hub/audit?lang=en&patient=p1&until=2020-01-01");
    assert!(none.body.contains("Nothing was found"), "{}", none.body);
    assert!(!aud.get("/hub/audit?patient=p2").body.contains("PATRQT"));
    let bad = aud.get("/hub/audit?lang=en&from=yesterday");
    assert!(bad.status == 200 && bad.body.contains("yesterday"), "{}", bad.body);
    let table = aud.get("/hub/audit.csv?patient=p1");
    assert!(table.header("content-type").unwrap().starts_with("text/csv"));
    assert!(table.body.starts_with("recorded,agent,") && table.body.contains("Patient/p1"), "{}", table.body);
    // The rules show an operator what was done to nobody.
    let mut ope = house.signed_in("ope");
    let page = ope.get("/hub/audit?lang=en&patient=p1");
    assert!(page.status == 200 && page.body.contains("shown to auditors"), "{}", page.body);
    assert_eq!(ope.get("/hub/audit.csv?patient=p1").status, 403);
}

#[test]
fn whoever_looks_after_a_hub_sees_when_it_was_backed_up_last() {
    let house = house();
    let mut ope = house.signed_in("ope");
    assert!(ope.get("/hub?lang=en").body.contains("none known"));
    let backups = tempfile::tempdir().unwrap();
    let folder = backups.path().join("backup");
    run_well(&["backup", folder.to_str().unwrap(), "--data", house.place(), "--quiet"]);
    let page = ope.get("/hub?lang=en").body;
    assert!(page.contains("0 commits since") && !page.contains("none known"), "{page}");
    // What is no note is none, and the page is there.
    std::fs::write(std::path::Path::new(house.place()).join("backup.json"), "{\"at\": 3}").unwrap();
    assert!(ope.get("/hub?lang=en").body.contains("none known"));
}

#[test]
fn a_few_are_said_to_be_a_few_where_people_sign_in() {
    let house = house();
    let mut ope = house.signed_in("ope");
    let page = ope.get("/hub/flow?lang=en");
    assert!(page.body.contains("fewer than 10") && page.body.contains("Ward A"), "{}", page.body);
    assert!(!page.body.contains("Ward B"), "nobody is there");
    // Before it was recorded there was nobody.
    let before = ope.get("/hub/flow?lang=en&as_of=2001-01-01");
    assert!(before.status == 200 && !before.body.contains("Ward A"), "{}", before.body);
    assert_eq!(ope.get("/hub/flow?as_of=x").status, 400);
    let map = ope.get("/hub/directory").body;
    assert_eq!(map.matches("class=\"hub-mark\"").count(), 2, "{map}");
    assert!(map.contains("Ward A") && map.contains("Doctor Known") && map.contains(" km<"));
}

#[test]
fn a_change_of_the_rules_is_tried_before_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    let mut anyone = Visitor::new(&root);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", root.as_str())];
    let rules = "[[rule]]\nname = \"all\"\nroles = [\"registrar\"]\nmay = [\"read\"]\ntypes = [\"Organization\", \"Patient\"]\nwhose = \"anyone\"\n";
    let mut tried = |rules: &str, role: &str| {
        anyone.send("POST", "/hub/policies?lang=en", &headers, &written(&[("rules", rules), ("role", role)]))
    };
    let answer = tried(rules, "registrar");
    assert!(answer.status == 200 && answer.body.contains("Seen then"), "{}", answer.body);
    assert!(
        answer.body.contains("<th scope=\"row\" lang=\"en\">Encounter</th>")
            || answer.body.contains("Location</th>")
    );
    let broken = tried("[[rule]]\nname = \"x\"\n", "person");
    assert!(broken.status == 400 && broken.body.contains("role=\"alert\""), "{}", broken.body);
    assert!(field(&broken.body, "organization").is_some());
}

#[test]
fn a_refused_resource_is_shown_mended_and_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    let mut anyone = Visitor::new(&root);
    let line = |id: &str, day: &str| {
        format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\",\"birthDate\":\"{day}\"}}\n")
    };
    let file = [line("taken", "1970-05-01"), line("mended", "1st of May")].concat();
    let files = file_server(vec![("/a.ndjson", file.into_bytes())]);
    let manifest =
        format!(r#"{{"inputFormat":"application/fhir+ndjson","input":[{{"url":"{files}/a.ndjson"}}]}}"#);
    let answer = hub.send("POST", "$import", &[("prefer", "respond-async")], &manifest);
    assert_eq!(answer.status, 202, "{}", answer.body);
    let id = answer.header("content-location").unwrap().rsplit('/').next().unwrap().to_owned();
    let until = Instant::now() + Duration::from_secs(20);
    while !anyone.get(&format!("/hub/jobs/{id}")).body.contains("errors.ndjson") {
        assert!(Instant::now() < until, "{}", anyone.get(&format!("/hub/jobs/{id}")).body);
        std::thread::sleep(Duration::from_millis(50));
    }
    let shown = anyone.get(&format!("/hub/jobs/{id}?lang=en")).body;
    assert!(shown.contains("1 resource was refused") && shown.contains("line 2: "), "{shown}");
    assert!(anyone.get("/hub/jobs?lang=en").body.contains("Import"));
    assert_eq!((hub.get("Patient/taken").0, hub.get("Patient/mended").0), (200, 404));
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", root.as_str())];
    let mut again = |resource: &str| {
        let body = written(&[("resource", resource)]);
        anyone.send("POST", &format!("/hub/jobs/{id}?lang=en"), &headers, &body)
    };
    let bad = again(r#"{"resourceType":"Patient","id":"mended","birthDate":"1st of May"}"#);
    assert!(bad.status >= 400 && bad.body.contains("birthDate"), "{} {}", bad.status, bad.body);
    let good = again(r#"{"resourceType":"Patient","id":"mended","birthDate":"1970-05-01"}"#);
    assert!(good.status == 200 && good.body.contains("Stored as Patient/mended"), "{}", good.body);
    assert_eq!(hub.get("Patient/mended").0, 200);
    let stopped = anyone.send("POST", &format!("/hub/jobs/{id}/stop"), &headers, "");
    assert_eq!((stopped.status, stopped.header("location")), (303, Some("/hub/jobs?done=stopped")));
    assert_eq!(anyone.get(&format!("/hub/jobs/{id}")).status, 404);
}

#[test]
fn every_page_is_small_and_well_on_every_screen_and_the_state_is_drawn_anew() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    crate::releases::publish(&hub);
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    for page in PAGES {
        let mut fastest = Duration::MAX;
        for _ in 0..3 {
            let began = Instant::now();
            let mut answer = agent().get(format!("{root}{page}")).call().unwrap();
            let body = answer.body_mut().read_to_string().unwrap();
            fastest = fastest.min(began.elapsed());
            assert!(body.len() <= LARGEST, "{page} has {} bytes", body.len());
            assert!(!body.contains("NaN") && !body.contains("hub-c-"), "{page}");
        }
        println!("{page}: {fastest:?}");
        // What is counted anew takes what it takes.
        let is_counted = page.starts_with("/hub/indicators") || page.starts_with("/hub/releases");
        assert!(is_counted || fastest < Duration::from_millis(100), "{page}: {fastest:?}");
    }
    for (width, scheme, language) in [(320, "dark", "ja"), (768, "light", "en"), (1440, "light", "ja")] {
        let browser = Browser::open(width, language);
        browser.prefer("prefers-color-scheme", scheme);
        for page in PAGES.iter().chain(&["/"]) {
            browser.go(&format!("{root}{page}"));
            is_well(&browser, &format!("{page} at {width} px"));
        }
        let (complaints, _) = browser.complaints_and_addresses();
        assert!(complaints.is_empty(), "{complaints:?}");
    }
    let browser = Browser::open(1440, "en");
    browser.go(&format!("{root}/hub"));
    browser.script("document.querySelector('.hub-facts').dataset.old = '1'");
    browser.until("return document.querySelector('.hub-facts').dataset.old === undefined");
    // Paused, it stays as it is.
    browser.click("[data-pause]");
    browser.script("document.querySelector('.hub-facts').dataset.old = '1'");
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(browser.text("return document.querySelector('.hub-facts').dataset.old"), "1");
}

#[test]
fn what_is_for_who_is_signed_in_is_well_on_every_screen() {
    let house = house();
    for (width, scheme, language) in [(320, "dark", "en"), (1440, "light", "ja")] {
        let browser = Browser::open(width, language);
        browser.prefer("prefers-color-scheme", scheme);
        browser.go(&format!("{}/", house.root()));
        is_well(&browser, &format!("the first page for everyone at {width} px"));
        browser.go(&format!("{}/auth/sign-in?return=%2Fhub", house.root()));
        browser.type_into("#login", "ope");
        browser.type_into("#password", &format!("{}\n", crate::auth::PASSWORD));
        browser.until("return location.pathname === '/hub' && document.readyState === 'complete'");
        for page in PAGES {
            browser.go(&format!("{}{page}", house.root()));
            browser.script("document.querySelectorAll('details').forEach(d => { d.open = true; })");
            is_well(&browser, &format!("{page} at {width} px"));
        }
    }
}
