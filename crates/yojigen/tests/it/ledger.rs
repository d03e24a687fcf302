//! Who looked: every request that reads leaves one record, naming the right persons, and the chain proves it.

use std::path::Path;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::hub::{Hub, agent, run, run_well, try_send};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn audited(data: &Path) -> Hub {
    Hub::serve_with(data, &["--audit", "on"], &[])
}

fn put(hub: &Hub, kind: &str, id: &str, members: &Value) {
    let mut resource = json!({"resourceType": kind, "id": id});
    resource.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let answer = hub.send("PUT", &format!("{kind}/{id}"), &[("x-request-id", "w")], &resource.to_string());
    assert!(answer.status < 300, "{} {}", answer.status, answer.body);
}

/// A hub with two persons, an observation of each, and an appointment of both.
fn two_persons(hub: &Hub) {
    put(hub, "Patient", "p", &json!({}));
    put(hub, "Patient", "q", &json!({}));
    for (id, person) in [("op", "p"), ("oq", "q")] {
        let subject = json!({"reference": format!("Patient/{person}")});
        put(hub, "Observation", id, &json!({"status": "final", "code": {"text": "x"}, "subject": subject}));
    }
    let actor = |id: &str| json!({"actor": {"reference": format!("Patient/{id}")}, "status": "accepted"});
    put(hub, "Appointment", "a", &json!({"status": "booked", "participant": [actor("p"), actor("q")]}));
}

/// The records of a data directory, oldest first, as AuditEvents.
fn events(data: &Path, arguments: &[&str]) -> Vec<Value> {
    let out = run_well(&[&["ledger", "export", "--data", text(data)], arguments].concat());
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The events an address answers, newest first, over all its pages.
fn told(hub: &Hub, path: &str) -> Vec<Value> {
    let (mut found, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let (status, bundle) = hub.get(&path);
        assert_eq!(status, 200, "{bundle}");
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        found
            .extend(entries.iter().filter(|e| e["search"]["mode"] == "match").map(|e| e["resource"].clone()));
        let links = bundle["link"].as_array().unwrap();
        next = links.iter().find(|l| l["relation"] == "next").map(|l| l["url"].as_str().unwrap().to_owned());
    }
    found
}

fn persons(event: &Value) -> Vec<&str> {
    let entities = event["entity"].as_array().into_iter().flatten();
    let patients = entities.filter(|e| e["type"]["code"] == "1");
    patients.filter_map(|e| e["what"]["reference"].as_str()).collect()
}

fn subtype(event: &Value) -> &str {
    event["subtype"][0]["code"].as_str().unwrap()
}

/// What a query asked.
fn asked(event: &Value) -> String {
    let entities = event["entity"].as_array().unwrap();
    let query = entities.iter().find_map(|e| e["query"].as_str()).unwrap();
    String::from_utf8(BASE64.decode(query.as_bytes()).unwrap()).unwrap()
}

#[test]
fn every_read_leaves_one_record_that_names_whose_rows_left() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = audited(&data);
    two_persons(&hub);
    assert!(events(&data, &[]).is_empty(), "a write's audit is its commit");

    let bundle = r#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Observation/op"}},{"request":{"method":"GET","url":"Patient/q"}}]}"#;
    let both = ["Patient/p", "Patient/q"];
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let fhir: [(&str, &str); 0] = [];
    // Method, address, headers, body; subtype, action, outcome, persons.
    let cases = [
        ("GET", "Patient/p", &fhir[..], "", "read", "R", "0", &both[..1]),
        ("GET", "Observation/oq", &fhir, "", "read", "R", "0", &both[1..]),
        ("GET", "Appointment/a", &fhir, "", "read", "R", "0", &both),
        ("GET", "Observation/oq/_history/1", &fhir, "", "vread", "R", "0", &both[1..]),
        ("GET", "Observation/oq/_history", &fhir, "", "history-instance", "R", "0", &both[1..]),
        ("GET", "Observation/_history", &fhir, "", "history-type", "R", "0", &["Patient/q", "Patient/p"]),
        ("GET", "Observation?_id=op", &fhir, "", "search-type", "E", "0", &both[..1]),
        (
            "GET",
            "Observation?_id=op&_include=Observation:subject",
            &fhir,
            "",
            "search-type",
            "E",
            "0",
            &both[..1],
        ),
        ("GET", "Appointment?_include=Appointment:patient", &fhir, "", "search-type", "E", "0", &both),
        ("POST", "Observation/_search", &form, "_id=oq", "search-type", "E", "0", &both[1..]),
        ("GET", "?_type=Observation", &fhir, "", "search-system", "E", "0", &both),
        ("GET", "Patient/p/Observation", &fhir, "", "search-type", "E", "0", &both[..1]),
        ("GET", "Patient/p/$everything", &fhir, "", "operation", "E", "0", &both),
        ("GET", "Observation/$lastn?patient=q", &fhir, "", "operation", "E", "0", &both[1..]),
        ("POST", "", &fhir, bundle, "transaction", "E", "0", &both),
        // Nothing left, and still p was asked about.
        ("GET", "Observation?patient=p&code=none", &fhir, "", "search-type", "E", "0", &both[..1]),
        ("GET", "Patient/none", &fhir, "", "read", "R", "4", &["Patient/none"]),
        ("GET", "Basic/none", &fhir, "", "read", "R", "4", &[]),
        ("GET", "Observation?nonsense=1", &fhir, "", "search-type", "E", "4", &[]),
        ("PUT", "Observation/other", &fhir, r#"{"resourceType":"Observation"}"#, "update", "U", "4", &[]),
        ("DELETE", "Patient", &fhir, "", "delete", "D", "4", &[]),
    ];
    for (method, path, headers, body, ..) in &cases {
        hub.send(method, path, headers, body);
    }
    assert_eq!(hub.get("metadata").0, 200);
    // Pages are audited, too: that of all people, and a chart.
    assert_eq!(hub.send("GET", "//people?q=x", &[], "").status, 200);
    assert_eq!(hub.send("GET", "//patients/p", &[], "").status, 200);
    assert!(hub.stop());

    let found = events(&data, &[]);
    for (event, (method, path, _, _, kind, action, outcome, expected)) in found.iter().zip(&cases) {
        let seen = (subtype(event), event["action"].as_str().unwrap(), event["outcome"].as_str().unwrap());
        assert_eq!(seen, (*kind, *action, *outcome), "{method} {path}: {event}");
        assert_eq!(persons(event), *expected, "{method} {path}: {event}");
        assert_eq!(event["agent"][0]["network"]["address"], "127.0.0.1", "{event}");
    }
    assert_eq!(found.len(), cases.len() + 2);
    assert_eq!(asked(&found[9]), "Observation?_id=oq");
    assert!(found[18]["outcomeDesc"].as_str().unwrap().contains("nonsense"), "{}", found[18]);
    let (people, chart) = (&found[cases.len()], &found[cases.len() + 1]);
    assert_eq!((subtype(people), subtype(chart)), ("page", "page"));
    assert_eq!((persons(people), persons(chart)), (vec![], vec!["Patient/p"]));
    assert!(run_well(&["doctor", "--data", text(&data), "--quiet"]).contains("agrees"));
}

#[test]
fn a_person_sees_who_looked_and_who_wrote_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = audited(&data);
    two_persons(&hub);
    hub.send("GET", "Appointment?_include=Appointment:patient", &[("x-request-id", "r1")], "");
    hub.send("GET", "Observation/oq", &[], "");
    hub.send("DELETE", "Observation/oq", &[], "");

    let own = told(&hub, "AuditEvent?patient=q&_count=2");
    let kinds: Vec<&str> = own.iter().map(subtype).collect();
    // Newest first: what was written and read of q, and that q's events were asked for (its pages before).
    assert_eq!(
        kinds,
        ["delete", "read", "search-type", "create", "create", "create"][..].to_vec().as_slice()
    );
    assert!(own.iter().all(|event| persons(event) == ["Patient/q"]), "{own:?}");
    // The log has no network addresses, without which a write follows no pattern.
    let profiles = [None, Some("PatientRead"), Some("PatientQuery"), None];
    for (event, expected) in own.iter().zip(profiles) {
        let profile = event["meta"]["profile"][0].as_str().and_then(|p| p.rsplit('.').next());
        assert_eq!(profile, expected, "{event}");
    }
    let search = &own[2];
    assert_eq!(asked(search), "Appointment?_include=Appointment:patient");
    let transaction = search["entity"].as_array().unwrap().last().unwrap();
    assert_eq!(transaction["what"]["identifier"]["value"], "r1");
    assert_eq!(own[0]["entity"][0]["what"]["reference"], "Observation/oq/_history/2");

    // Each by its id, and whole.
    for event in &own {
        let (status, again) = hub.get(&format!("AuditEvent/{}", event["id"].as_str().unwrap()));
        assert_eq!((status, &again), (200, event));
    }
    let whole = search["id"].as_str().unwrap().rsplit_once('-').unwrap().0.to_owned();
    let (_, whole) = hub.get(&format!("AuditEvent/{whole}"));
    assert_eq!(persons(&whole), ["Patient/p", "Patient/q"]);
    assert!(whole["meta"]["profile"][0].as_str().unwrap().ends_with("IHE.BasicAudit.Query"));
    assert_eq!(hub.get("AuditEvent/ledger-99999").0, 404);
    assert_eq!(hub.get("AuditEvent/log-99999").0, 404);

    // What is asked narrows; what is not known is refused.
    let count = |path: &str| told(&hub, path).len();
    assert_eq!(count("AuditEvent?patient=q&action=D"), 1);
    assert_eq!(count("AuditEvent?patient=q&date=gt2100"), 0);
    assert_eq!(count("AuditEvent?patient=q&date=lt2001"), 0);
    assert_eq!(count("AuditEvent?patient=q&outcome=8"), 0);
    assert_eq!(count("AuditEvent?patient=q&entity=Observation/oq&action=R"), 1);
    assert_eq!(count("AuditEvent?agent=nobody"), 0);
    assert_eq!(hub.get("Patient/q/AuditEvent?action=D").1["entry"].as_array().unwrap().len(), 1);
    for (query, finding) in [
        ("colour=red", "colour"),
        ("entity=Observation/oq", "patient, agent or date"),
        ("_sort=date", "newest first"),
        ("action=X", "C R U D E"),
        ("date=yesterday", "yesterday"),
        ("_cursor=x", "_cursor"),
    ] {
        let (status, outcome) = hub.get(&format!("AuditEvent?{query}"));
        assert!(status == 400 && outcome.to_string().contains(finding), "{query}: {status} {outcome}");
    }

    // Those that others send are resources as before, and an answer says that there are some.
    let agent = json!([{"requestor": true}]);
    let coded = json!({"code": "rest", "system": "http://terminology.hl7.org/CodeSystem/audit-event-type"});
    let sent = json!({"type": coded, "recorded": "2026-01-01T00:00:00Z", "agent": agent, "source": {"observer": {"display": "x"}}});
    put(&hub, "AuditEvent", "theirs", &sent);
    assert_eq!(hub.get("AuditEvent/theirs").0, 200);
    assert_eq!(hub.get("AuditEvent?_ledger=false").1["entry"][0]["resource"]["id"], "theirs");
    assert!(hub.get("AuditEvent?patient=q").1.to_string().contains("_ledger=false"));
    let mut taken = sent.clone();
    taken["resourceType"] = json!("AuditEvent");
    taken["id"] = json!("ledger-1");
    assert_eq!(hub.send("PUT", "AuditEvent/ledger-1", &[], &taken.to_string()).status, 422);

    // A person is all the Patients that are linked.
    put(&hub, "Patient", "q2", &json!({"link": [{"type": "seealso", "other": {"reference": "Patient/q"}}]}));
    let linked = told(&hub, "AuditEvent?patient=q2&action=D");
    assert_eq!(linked.iter().map(|e| persons(e)).collect::<Vec<_>>(), [["Patient/q"]]);
}

#[test]
fn what_is_refused_and_what_is_secret() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = audited(&data);
    let refused = hub.send("GET", "Patient/p?access_token=hush", &[("host", "evil.example")], "");
    assert_eq!(refused.status, 403);
    // A megabyte is read and cut; more is refused, and that is recorded too.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let long = format!("code={}", "x".repeat(1 << 19));
    hub.send("POST", "Observation/_search", &form, &long);
    // The hub may close before all of it is sent.
    let _ = try_send(&agent(), &hub.base, "POST", "Observation/_search", &form, &"y".repeat(10 << 20));
    assert!(hub.stop());
    let found = events(&data, &[]);
    assert_eq!(found.len(), 3);
    assert_eq!((found[0]["outcome"].as_str(), subtype(&found[0])), (Some("8"), "read"));
    assert!(found[0]["outcomeDesc"].as_str().unwrap().contains("evil.example"));
    assert!(!found[0].to_string().contains("hush") && asked(&found[0]).contains("access_token=(left out)"));
    let kept = asked(&found[1]);
    assert!(kept.starts_with("Observation?code=xxx") && kept.len() < 2100, "{}", kept.len());
    assert!(found[1].to_string().contains("the first 2048 of 524293 bytes"), "{}", found[1]);
    assert_eq!(found[2]["outcome"], "4");
}

#[test]
fn without_audit_nothing_is_recorded_and_the_ledger_says_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = Hub::serve(&data);
    two_persons(&hub);
    assert_eq!(hub.get("Patient/p").0, 200);
    assert_eq!(hub.get("AuditEvent?_ledger=true").0, 400);
    assert_eq!(hub.get("AuditEvent").1["total"], 0);
    assert!(hub.stop() && !data.join("ledger").exists());
    let output = run(&["ledger", "show", "--data", text(&data)]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--audit on"), "{output:?}");
}

#[test]
fn a_killed_hub_loses_a_second_at_most_and_the_chain_holds() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = audited(&data);
    two_persons(&hub);
    for _ in 0..50 {
        hub.send("GET", "Patient/p", &[], "");
    }
    std::thread::sleep(std::time::Duration::from_millis(1100));
    for _ in 0..50 {
        hub.send("GET", "Patient/q", &[], "");
    }
    hub.kill();
    let before = events(&data, &[]).len();
    assert!((50..=100).contains(&before), "{before}");
    assert!(
        run_well(&["ledger", "verify", "--data", text(&data)])
            .contains(&format!("of {before} records holds"))
    );
    let hub = audited(&data);
    hub.send("GET", "Patient/p", &[], "");
    assert!(hub.stop());
    let after = events(&data, &[]);
    assert_eq!(after.len(), before + 1);
    let head = run_well(&["ledger", "verify", "--data", text(&data)]);
    let head = head.lines().find_map(|line| line.strip_prefix("head ")).unwrap().to_owned();
    assert!(after[before]["extension"][0]["valueString"] == head.as_str());
    run_well(&["ledger", "verify", "--data", text(&data), "--head", &head]);
    let other = format!("{}:{}", before, "0".repeat(64));
    let output = run(&["ledger", "verify", "--data", text(&data), "--head", &other]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("not the one that was noted"), "{output:?}");
}

#[test]
fn a_flipped_byte_and_a_missing_end_are_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = audited(&data);
    two_persons(&hub);
    for _ in 0..200 {
        hub.send("GET", "Patient/p", &[], "");
    }
    assert!(hub.stop());
    assert!(run_well(&["doctor", "--quiet", "--data", text(&data)]).contains("agrees"));
    let db = data.join("ledger/db");
    let tables: Vec<_> = std::fs::read_dir(&db)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "sst"))
        .collect();
    assert!(!tables.is_empty());
    for table in tables {
        let whole = std::fs::read(&table).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 4;
        bytes[middle] ^= 0x20;
        std::fs::write(&table, &bytes).unwrap();
        let output = run(&["doctor", "--quiet", "--data", text(&data)]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{}: {said}", table.display());
        assert!(said.contains("ledger"), "{said}");
        std::fs::write(&table, whole).unwrap();
    }
    std::fs::write(data.join("ledger/HEAD"), format!("777:{}\n", "a".repeat(64))).unwrap();
    let output = run(&["doctor", "--quiet", "--data", text(&data)]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("ends with record 200, and record 777 was in it"), "{said}");
    let output = run(&["serve", "--open", "--audit", "on", "--listen", "127.0.0.1:0", "--data", text(&data)]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("move it away"), "{output:?}");
}

#[test]
fn pruning_keeps_the_proof_and_exports_are_on_everyones_list() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = audited(&data);
    two_persons(&hub);
    hub.send("GET", "Patient/p", &[], "");
    hub.send("GET", "Patient/q", &[], "");
    let running = run(&["ledger", "prune", "--data", text(&data), "--before", "2026-01-01"]);
    assert!(String::from_utf8_lossy(&running.stderr).contains("stop the hub first"), "{running:?}");
    assert!(hub.stop());
    let out = folder.path().join("out");
    run_well(&["export", text(&out), "--quiet", "--data", text(&data)]);
    let found = events(&data, &["--person", "p"]);
    assert_eq!(found.iter().map(subtype).collect::<Vec<_>>(), ["read", "export"]);
    assert!(persons(&found[1]).is_empty() && found[1].to_string().contains("not named"), "{}", found[1]);

    let ahead = run(&["ledger", "prune", "--data", text(&data), "--before", "2999-01-01"]);
    assert!(String::from_utf8_lossy(&ahead.stderr).contains("future"), "{ahead:?}");
    let last = found[1]["recorded"].as_str().unwrap();
    let prune = ["ledger", "prune", "--data", text(&data), "--before", last];
    assert!(run_well(&[&prune[..], &["--dry-run"]].concat()).starts_with("2 records"));
    assert!(run_well(&prune).starts_with("2 records"));
    let verdict = run_well(&["ledger", "verify", "--data", text(&data)]);
    assert!(verdict.contains("chain of 2 records holds") && verdict.contains("up to number 2"), "{verdict}");
    assert_eq!(events(&data, &[]).iter().map(subtype).collect::<Vec<_>>(), ["export", "prune"]);
    let shown = run_well(&["ledger", "show", "--data", text(&data), "-n", "1"]);
    assert!(shown.contains("prune") && shown.contains("2 records up to number 2"), "{shown}");
    // Made anew, the hub still knows who looked.
    run_well(&["doctor", "--rebuild", "--quiet", "--data", text(&data)]);
    assert_eq!(events(&data, &[]).len(), 2);
    assert!(run_well(&["doctor", "--quiet", "--data", text(&data)]).contains("agrees"));
}

#[test]
fn a_long_ledger_is_paged_and_each_event_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = audited(&data);
    two_persons(&hub);
    for number in 0..30 {
        hub.send("GET", if number % 3 == 0 { "Patient/p" } else { "Patient/q" }, &[], "");
        put(&hub, "Patient", "p", &json!({"active": number % 2 == 0}));
    }
    let found = told(&hub, "AuditEvent?patient=p&entity=Patient/p&_count=7");
    let is_own = |e: &&Value| asked_of(e).is_none_or(|q| !q.starts_with("AuditEvent"));
    let own: Vec<&Value> = found.iter().filter(is_own).collect();
    // Ten reads; thirty writes, one resource and one appointment of both before.
    assert_eq!(own.iter().filter(|e| subtype(e) == "read").count(), 10);
    assert_eq!(own.iter().filter(|e| subtype(e) == "update").count(), 30);
    let mut ids: Vec<&str> = found.iter().map(|e| e["id"].as_str().unwrap()).collect();
    let moments: Vec<&str> = found.iter().map(|e| e["recorded"].as_str().unwrap()).collect();
    assert!(moments.is_sorted_by(|a, b| a >= b), "{moments:?}");
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

fn asked_of(event: &Value) -> Option<String> {
    let entities = event["entity"].as_array()?;
    entities.iter().any(|e| e["query"].is_string()).then(|| asked(event))
}

#[test]
fn bulk_export_files_wait_for_the_disk_and_name_everyone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = audited(&data);
    two_persons(&hub);
    let kicked = hub.send("GET", "$export", &[("prefer", "respond-async")], "");
    let status = kicked.header("content-location").unwrap().to_owned();
    let manifest = loop {
        let answer = hub.send("GET", &status, &[], "");
        if answer.status == 200 {
            break answer.json();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let file = manifest["output"][0]["url"].as_str().unwrap();
    assert_eq!(hub.send("GET", file, &[], "").status, 200);
    hub.kill();
    // Killed at once, and yet there.
    let found = events(&data, &["--person", "p"]);
    assert_eq!(found.iter().map(subtype).collect::<Vec<_>>(), ["export"]);
    let all = events(&data, &[]);
    assert_eq!(all[0]["subtype"][1]["code"], "$export");
    assert_eq!(all.len(), 2);
}
