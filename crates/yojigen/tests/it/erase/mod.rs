//! A person who was erased is in no byte of the data directory, nor of a backup; everybody else is as before.

mod bytes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};

use self::bytes::Wanted;
use crate::access::system;
use crate::auth::{House, PASSWORD, done};
use crate::hub::{Hub, run, run_well};
use crate::s3::Storage;

const FAMILY: &str = "四次元崎";
const GIVEN: &str = "花衣子";
const KANA_FAMILY: &str = "ヨジゲンザキ";
const KANA_GIVEN: &str = "ハナゴロモ";
const NUMBER: &str = "ZQX-73915046";
const OTHER_NUMBER: &str = "INST-8264019";
const PHONE: &str = "090-7391-5046";
const STREET: &str = "架空町九丁目七番三号";
const NOTE: &str = "秘密の経過記録七三九一号";
const ATTACHED: &str = "添付文書にだけある一文";
const LOGIN: &str = "hanagoromo73";
const REASON: &str = "case 12 of 2026";

/// What must not be left: alone, so that a part of it would be found too.
const STRINGS: [&str; 11] =
    [FAMILY, GIVEN, KANA_FAMILY, KANA_GIVEN, NUMBER, OTHER_NUMBER, PHONE, STREET, NOTE, ATTACHED, LOGIN];

/// What others keep of the person.
const SHARED: [&str; 5] = ["Bundle/b", "Group/g", "List/l", "RelatedPerson/other", "Provenance/v"];

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Bytes that do not compress, with a text among them.
fn attachment(seed: u64, inside: &str) -> String {
    let mut state = seed;
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(70_000)
    .collect();
    bytes.splice(35_001..35_001, inside.bytes());
    BASE64.encode(&bytes)
}

/// A hub where somebody is to be erased.
struct World {
    data: PathBuf,
    /// The id of the person's Patient.
    person: String,
    /// What was there before the person's last versions, and with them.
    backup: PathBuf,
    folder: tempfile::TempDir,
}

fn serve(data: &Path) -> Hub {
    Hub::serve_with(data, &["--audit", "on", "--allow-purge"], &[])
}

fn send(hub: &Hub, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
    let answer = hub.send(method, path, headers, &body.to_string());
    assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.body);
    answer.json()
}

fn observation(id: &str, subject: &str, note: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "weight"}, "subject": {"reference": subject},
        "note": [{"text": note}]})
}

/// Waits until a job is done; what it made.
fn wait(hub: &Hub, address: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(120);
    while Instant::now() < until {
        let answer = hub.send("GET", address, &[], "");
        match answer.status {
            202 => std::thread::sleep(Duration::from_millis(20)),
            200 => return answer.json(),
            _ => panic!("{address}: {} {}", answer.status, answer.body),
        }
    }
    panic!("{address} is not done");
}

/// Asks for a job; where it is.
fn ask(hub: &Hub, method: &str, path: &str) -> String {
    let answer = hub.send(method, path, &[("prefer", "respond-async")], "");
    assert_eq!(answer.status, 202, "{path}: {}", answer.body);
    answer.header("content-location").unwrap().to_owned()
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let (data, backup) = (folder.path().join("hub"), folder.path().join("backup"));
        let hub = serve(&data);
        for n in 0..20 {
            let name = json!([{"family": format!("族{n}"), "given": ["太"]}]);
            let patient = json!({"resourceType": "Patient", "id": format!("o{n}"), "name": name});
            send(&hub, "PUT", &format!("Patient/o{n}"), &[], &patient);
            let (id, subject) = (format!("w{n}"), format!("Patient/o{n}"));
            send(&hub, "PUT", &format!("Observation/{id}"), &[], &observation(&id, &subject, "as always"));
        }
        // Nobody of that name is there yet: the search is recorded all the same.
        assert_eq!(hub.get(&format!("Patient?name={FAMILY}")).0, 200);
        let criteria = format!("identifier=urn:hospital|{NUMBER}");
        let mut patient = json!({"resourceType": "Patient",
            "identifier": [{"system": "urn:hospital", "value": NUMBER}],
            "name": [{"family": FAMILY, "given": [GIVEN]}, {"family": KANA_FAMILY, "given": [KANA_GIVEN]}],
            "telecom": [{"system": "phone", "value": PHONE}], "address": [{"line": [STREET]}]});
        let headers =
            [("if-none-exist", criteria.as_str()), ("x-request-id", NUMBER), ("idempotency-key", "k1")];
        let made = send(&hub, "POST", "Patient", &headers, &patient);
        let person = made["id"].as_str().unwrap().to_owned();
        let own = format!("Patient/{person}");
        patient["id"] = json!(person);
        for gender in ["unknown", "female"] {
            patient["gender"] = json!(gender);
            send(&hub, "PUT", &own, &[], &patient);
        }
        run_well(&["backup", "--quiet", "--data", text(&data), text(&backup)]);

        let linked = json!({"resourceType": "Patient", "id": "institution", "identifier": [{"system": "urn:clinic", "value": OTHER_NUMBER}],
            "name": [{"text": format!("{FAMILY} {GIVEN}")}], "link": [{"type": "refer", "other": {"reference": own}}]});
        send(&hub, "PUT", "Patient/institution", &[], &linked);
        let conditional = format!("Patient?identifier=urn:hospital|{NUMBER}");
        for note in ["first", NOTE, "last"] {
            send(&hub, "PUT", "Observation/x1", &[], &observation("x1", &conditional, note));
        }
        send(&hub, "DELETE", "Observation/x1", &[], &Value::Null);
        send(&hub, "PUT", "Observation/x2", &[], &observation("x2", "Patient/institution", NOTE));
        // One entry of the log that is the person's and another's.
        let entry = |id: &str, subject: &str| json!({"resource": observation(id, subject, "together"), "request": {"method": "PUT", "url": format!("Observation/{id}")}});
        let both = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry("x3", &conditional), entry("w-both", "Patient/o1")]});
        send(&hub, "POST", "", &[], &both);
        let binary = json!({"resourceType": "Binary", "id": "scan", "contentType": "text/plain", "data": attachment(1, ATTACHED)});
        send(&hub, "PUT", "Binary/scan", &[], &binary);
        let inline = attachment(2, ATTACHED);
        let document = json!({"resourceType": "DocumentReference", "id": "d", "status": "current", "subject": {"reference": own},
            "content": [{"attachment": {"url": "Binary/scan"}}, {"attachment": {"contentType": "text/plain", "data": inline}}]});
        send(&hub, "PUT", "DocumentReference/d", &[], &document);

        // What others keep.
        let member = |id: &str, display: &str| json!({"entity": {"reference": id, "display": display}});
        let group = json!({"resourceType": "Group", "id": "g", "type": "person", "actual": true,
            "member": [member(&own, &format!("{FAMILY} {GIVEN}")), member("Patient/o2", "another")]});
        send(&hub, "PUT", "Group/g", &[], &group);
        let kept = json!({"resourceType": "Bundle", "id": "b", "type": "collection", "entry": [{"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "resource": patient}]});
        send(&hub, "PUT", "Bundle/b", &[], &kept);
        let list = json!({"resourceType": "List", "id": "l", "status": "current", "mode": "working", "entry": [{"item": {"reference": "Observation/x2"}}, {"item": {"reference": "Observation/w3"}}]});
        send(&hub, "PUT", "List/l", &[], &list);
        let family = json!({"resourceType": "RelatedPerson", "id": "other", "patient": {"reference": "Patient/o3"}, "name": [{"text": format!("{FAMILY}{GIVEN}")}], "telecom": [{"system": "phone", "value": PHONE}]});
        send(&hub, "PUT", "RelatedPerson/other", &[], &family);
        let provenance = json!({"resourceType": "Provenance", "id": "v", "target": [{"reference": "Observation/x2"}], "recorded": "2026-01-01T00:00:00Z", "agent": [{"who": {"display": "a device"}}]});
        send(&hub, "PUT", "Provenance/v", &[], &provenance);

        // Who looked.
        for path in [
            own.clone(),
            format!("Patient?name={FAMILY}"),
            format!("Patient?given={KANA_GIVEN}&family={KANA_FAMILY}"),
            format!("Patient?identifier={NUMBER}"),
            format!("Patient?phone={PHONE}&name=族"),
            format!("Observation?patient.name={FAMILY}"),
            "Patient/o1".to_owned(),
            "Patient?name=族1".to_owned(),
        ] {
            assert_eq!(hub.get(&path).0, 200, "{path}");
        }
        let form = [("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(hub.send("POST", "Patient/_search", &form, &format!("address={STREET}")).status, 200);
        // Files of jobs: one has the person in it, one the person's name only in what was asked for, one neither.
        for path in [
            "$export",
            &format!("$export?_type=Observation&_typeFilter=Observation?patient.family%3D{FAMILY}"),
            "$export?_type=Practitioner",
        ] {
            wait(&hub, &ask(&hub, "GET", path));
        }
        run_well(&["backup", "--quiet", "--data", text(&data), text(&backup)]);
        assert!(hub.stop());
        let name = format!("{FAMILY} {GIVEN}");
        let user = [
            "user",
            "add",
            LOGIN,
            "--data",
            text(&data),
            "--role",
            "person",
            "--name",
            &name,
            "--fhir-user",
            &own,
            "--password-stdin",
        ];
        done(&user, "correct horse battery\n");
        World { data, person, backup, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a command says that is to erase the person.
    fn erase(&self, further: &[&str]) -> (Option<i32>, Value) {
        let own = format!("Patient/{}", self.person);
        let arguments = [&["erase", &own, "--data", text(&self.data), "--json", "--quiet"], further].concat();
        let output = run(&arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() != Some(2), "{arguments:?}: {errors}");
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
    }
}

/// What everybody else's records say, as one answers for them.
fn others(hub: &Hub) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for n in 0..20 {
        for path in [
            format!("Patient/o{n}"),
            format!("Patient/o{n}/_history"),
            format!("Patient?family=族{n}"),
            format!("Observation?subject=Patient/o{n}&_sort=_id"),
            format!("Observation/w{n}/_history"),
        ] {
            let (status, answer) = hub.get(&path);
            assert_eq!(status, 200);
            // Each time it is served at another port.
            let answer = answer.get("entry").unwrap_or(&answer).to_string().replace(&hub.base, "[base]");
            found.insert(path, answer);
        }
    }
    found
}

/// That everybody else's records say what they said.
fn are_as_before(hub: &Hub, before: &BTreeMap<String, String>) {
    for (path, answer) in others(hub) {
        assert_eq!(answer, before[&path], "{path}");
    }
}

/// Reports in which a resource is shared, by its name.
fn shared(preview: &Value) -> BTreeMap<String, Vec<String>> {
    let all = preview["parameter"].as_array().unwrap().iter().filter(|p| p["name"] == "shared");
    let mut found = BTreeMap::new();
    for one in all {
        let parts = one["part"].as_array().unwrap();
        let name = parts[0]["valueReference"]["reference"].as_str().unwrap().to_owned();
        let why = parts.iter().filter_map(|p| p["valueString"].as_str().map(str::to_owned));
        found.insert(name, why.collect());
    }
    found
}

fn also() -> Vec<&'static str> {
    SHARED.iter().flat_map(|name| ["--also", name]).collect()
}

/// That the hub is whole, its log folds into the same anew, and nothing of the person is anywhere.
fn is_clean(data: &Path) {
    let wanted = Wanted::of(&STRINGS);
    assert_eq!(wanted.in_folder(data), [].into());
    run_well(&["doctor", "--quiet", "--data", text(data)]);
    if data.join("ledger").exists() {
        run_well(&["ledger", "verify", "--data", text(data)]);
    }
    assert_eq!(wanted.in_store(data), [].into());
    let again = data.with_extension("again");
    store::replay(data, &again, &store::Limits::default(), &mut |_| {}).unwrap();
    let contents = |path: &Path| store::contents(path, &store::Limits::default()).unwrap();
    assert_eq!(contents(&again), contents(data));
    assert_eq!(wanted.in_folder(&again), [].into());
    std::fs::remove_dir_all(again).unwrap();
    // Opening wrote to it.
    assert_eq!(wanted.in_folder(data), [].into());
}

#[test]
fn an_erased_person_is_in_no_byte_of_a_hub_that_is_stopped_nor_of_its_backups() {
    let world = World::new();
    let wanted = Wanted::of(&STRINGS);
    // The search finds what is there: in tables, files of attachments, logs, backups.
    run_well(&["doctor", "--compact", "--data", text(&world.data)]);
    for folder in [&world.data, &world.backup] {
        let found: Vec<String> = wanted.in_folder(folder).into_iter().map(|(text, _)| text).collect();
        for text in STRINGS.iter().filter(|t| folder == &world.data || **t != LOGIN) {
            assert!(found.iter().any(|t| t == text), "{text} is not found in {}", folder.display());
        }
    }
    let (hub, old) = (serve(&world.data), world.path("old"));
    let before = others(&hub);
    assert!(hub.stop());
    copied(&world.backup, &old);

    let (code, preview) = world.erase(&["--dry-run"]);
    let found = shared(&preview);
    assert_eq!(
        found.keys().map(String::as_str).collect::<Vec<_>>(),
        SHARED.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    );
    assert_eq!(code, Some(1), "something is to be decided");
    assert!(found["Group/g"].iter().any(|why| why.contains("Patient/o2")), "{found:?}");
    assert!(found["RelatedPerson/other"].iter().any(|why| why.contains("name")), "{found:?}");
    assert!(found["List/l"].iter().any(|why| why.contains("Observation/x2")), "{found:?}");
    let patients: Vec<&str> = preview["parameter"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|p| p["valueReference"]["reference"].as_str())
        .collect();
    assert_eq!(patients, [format!("Patient/{}", world.person).as_str(), "Patient/institution"]);

    // A reason that names the person is refused: it would stay.
    let own = format!("Patient/{}", world.person);
    let refused = run(&["erase", &own, "--data", text(&world.data), "--reason", &format!("for {FAMILY}")]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("case's number"));
    // Nothing that is to be decided is destroyed without being decided.
    let (code, done) = world.erase(&["--reason", REASON]);
    assert_eq!((code, done["shared"].as_array().unwrap().len()), (Some(1), SHARED.len()), "{done}");
    assert!(
        done["logEntries"].as_u64().unwrap() >= 3 && done["ledgerRecords"].as_u64().unwrap() >= 6,
        "{done}"
    );
    assert_eq!((&done["accounts"], &done["jobs"]), (&json!(1), &json!(2)), "{done}");
    let hub = serve(&world.data);
    assert_eq!(hub.get("Group/g").0, 200);
    assert_eq!(hub.get(&own).0, 410);
    assert!(hub.stop());
    // Who decides names them.
    let (_, done) = world.erase(&[&["--reason", REASON], also().as_slice()].concat());
    assert_eq!(done["shared"], json!([]), "{done}");

    let hub = serve(&world.data);
    are_as_before(&hub, &before);
    for path in [own.as_str(), "Observation/x1/_history/2", "DocumentReference/d", "Binary/scan", "Group/g"] {
        assert_eq!(hub.get(path).0, 410, "{path}");
    }
    assert!(hub.stop());
    // Whoever asks for the person by name is recorded anew; here nobody records it.
    let hub = Hub::serve_with(&world.data, &["--audit", "off"], &[]);
    for path in [
        format!("Patient?identifier={NUMBER}"),
        format!("Patient?name={FAMILY}&_asOf=2999-01-01"),
        format!("Observation?patient.name={FAMILY}"),
        "Observation?subject=Patient/institution".to_owned(),
    ] {
        let (status, found) = hub.get(&path);
        assert_eq!((status, &found["entry"]), (200, &Value::Null), "{path}");
    }
    assert!(hub.stop());
    let (code, again) = world.erase(&["--reason", REASON]);
    assert_eq!((code, &again["resources"]), (Some(0), &json!(0)), "there is nothing more: {again}");
    // The reason and the deed stay.
    let tail = run_well(&["log", "tail", "--data", text(&world.data)]);
    assert!(tail.contains(REASON) && tail.contains("erases texts of"), "{tail}");
    let ledger = run_well(&["ledger", "show", "--data", text(&world.data), "--person", &world.person]);
    assert!(ledger.contains("$erase") && ledger.contains("read"), "{ledger}");

    // A later backup, one that is brought up to date, and one that follows the hub.
    let later = world.path("later");
    run_well(&["backup", "--quiet", "--data", text(&world.data), text(&later)]);
    assert_eq!(wanted.in_folder(&later), [].into());
    let said = run_well(&["backup", "--quiet", "--data", text(&world.data), text(&world.backup)]);
    assert!(said.contains("--erase"), "{said}");
    assert!(!wanted.in_folder(&world.backup).is_empty());
    run_well(&["backup", "--quiet", "--data", text(&world.data), text(&world.backup), "--erase"]);
    assert_eq!(wanted.in_folder(&world.backup), [].into());
    let said = run_well(&["backup", "--quiet", "--data", text(&world.data), text(&world.backup)]);
    assert!(!said.contains("--erase"), "{said}");
    run_well(&["backup", "--list", "--check", "--quiet", text(&world.backup)]);
    // The old one, with what is new, restores to the same: the erasures are done again.
    run_well(&["backup", "--quiet", "--data", text(&world.data), text(&old)]);
    let contents = |path: &Path| store::contents(path, &store::Limits::default()).unwrap();
    for (name, backup) in [("from-rewritten", &world.backup), ("from-later", &later), ("from-old", &old)] {
        let restored = world.path(name);
        run_well(&["restore", "--quiet", text(backup), "--data", text(&restored)]);
        assert_eq!(contents(&restored), contents(&world.data), "{name}");
        is_clean(&restored);
    }
    // A moment before: the chain holds, the texts are gaps.
    let past = world.path("past");
    run_well(&["restore", "--quiet", text(&world.backup), "--data", text(&past), "--place", "60"]);
    run_well(&["doctor", "--quiet", "--data", text(&past)]);
    assert_eq!(wanted.in_folder(&past), [].into());
    is_clean(&world.data);
    run_well(&["doctor", "--quiet", "--rebuild", "--data", text(&world.data)]);
    is_clean(&world.data);
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn an_erased_person_is_in_no_byte_of_a_hub_that_serves() {
    let world = World::new();
    let hub = serve(&world.data);
    let before = others(&hub);
    // Through the socket of the hub that runs.
    let (code, done) = world.erase(&[&["--reason", REASON], also().as_slice()].concat());
    assert_eq!((code, &done["shared"]), (Some(0), &json!([])), "{done}");
    assert_eq!(Wanted::of(&STRINGS).in_folder(&world.data), [].into(), "while it serves");
    are_as_before(&hub, &before);
    // What comes later is a record like any other's.
    send(&hub, "PUT", "Observation/w1", &[], &observation("w1", "Patient/o1", "later"));
    hub.kill();
    is_clean(&world.data);
}

#[test]
fn an_erasure_that_is_cut_off_goes_on() {
    let world = World::new();
    // A long record, so that there is a middle.
    let lines: Vec<String> = (0..3000)
        .map(|n| {
            observation(&format!("long{n}"), &format!("Patient/{}", world.person), &format!("{NOTE} {n}"))
                .to_string()
        })
        .collect();
    let file = world.path("long.ndjson");
    std::fs::write(&file, lines.join("\n")).unwrap();
    crate::hub::import(&world.data, &[&file]);
    let address = format!("Patient/{}/$erase?reason=case&also={}", world.person, SHARED.join(","));
    let mut hub = serve(&world.data);
    let answer = hub.send("POST", &address, &[], "");
    assert_eq!(answer.status, 400, "without Prefer: {}", answer.body);
    let job = ask(&hub, "POST", &address);
    let path = job.split("/fhir/").nth(1).unwrap().to_owned();
    let mut steps = Vec::new();
    for pause in [30, 200, 500, 900] {
        std::thread::sleep(Duration::from_millis(pause));
        let answer = hub.send("GET", &path, &[], "");
        steps.push(answer.header("x-progress").map(str::to_owned));
        hub.kill();
        hub = serve(&world.data);
    }
    let done = wait(&hub, &path);
    assert_eq!(done["shared"], json!([]), "{done}; cut off at {steps:?}");
    assert!(steps.iter().any(Option::is_some), "it was cut off on the way: {steps:?}");
    assert!(hub.stop());
    is_clean(&world.data);
}

#[test]
fn only_who_may_do_everything_erases_and_only_where_it_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = Hub::serve(&data);
    send(&hub, "PUT", "Patient/p", &[], &json!({"resourceType": "Patient", "id": "p"}));
    let asynchronous = [("prefer", "respond-async")];
    for (method, path, status, finding) in [
        ("POST", "Patient/p/$erase?reason=x", 405, "--allow-purge"),
        ("POST", "Patient/nobody/$erase?preview=true", 404, "there is no Patient/nobody"),
        ("POST", "Patient/p/$erase", 400, "on whose request"),
        ("POST", "Observation/p/$erase?reason=x", 404, "/fhir/Patient/id/$erase"),
        ("POST", "Patient/p/$erase?reason=x&all=true", 400, "no such parameter"),
        ("POST", "Patient/p/$erase?preview=true", 200, "\"Patient/p\""),
    ] {
        let answer = hub.send(method, path, &asynchronous, "");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains(finding), "{path}: {}", answer.body);
    }
    assert_eq!(hub.get("Patient/p").0, 200, "a preview changes nothing");
}

#[test]
fn what_is_not_only_the_persons_stays_until_it_is_decided() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = Hub::serve_with(&data, &["--allow-purge", "--references", "refuse"], &[]);
    let put = |kind: &str, id: &str, members: Value| {
        let mut resource = json!({"resourceType": kind, "id": id});
        resource.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        send(&hub, "PUT", &format!("{kind}/{id}"), &[], &resource)
    };
    let name = json!([{"family": FAMILY, "given": [GIVEN]}]);
    let person = |id: &str| json!({"reference": format!("Patient/{id}")});
    put("Patient", "p", json!({"name": name}));
    put("Patient", "namesake", json!({"name": name}));
    put("Patient", "q", json!({}));
    put("Patient", "copy", json!({"link": [{"type": "refer", "other": person("p")}]}));
    put("Binary", "own", json!({"contentType": "text/plain", "data": "QQ=="}));
    put("Binary", "both", json!({"contentType": "text/plain", "data": "QQ=="}));
    let document = |of: &str, binaries: &[&str]| {
        let content: Vec<Value> =
            binaries.iter().map(|b| json!({"attachment": {"url": format!("Binary/{b}")}})).collect();
        json!({"status": "current", "subject": person(of), "content": content})
    };
    put("DocumentReference", "dp", document("p", &["own", "both"]));
    put("DocumentReference", "dq", document("q", &["both"]));
    // It moved from one record to another.
    let weight = |of: &str| json!({"status": "final", "code": {"text": "x"}, "subject": person(of)});
    put("Observation", "mine", weight("p"));
    put("Observation", "moved", weight("q"));
    put("Observation", "moved", weight("p"));
    let two =
        json!([{"actor": person("p"), "status": "accepted"}, {"actor": person("q"), "status": "accepted"}]);
    put("Appointment", "a", json!({"status": "booked", "participant": two}));

    let preview = |query: &str| {
        let answer = hub.send("POST", &format!("Patient/p/$erase?preview=true&{query}"), &[], "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let expected =
        ["Appointment/a", "Binary/both", "DocumentReference/dq", "Observation/moved", "Patient/namesake"];
    assert_eq!(shared(&preview("")).keys().map(String::as_str).collect::<Vec<_>>(), expected);
    let alone = shared(&preview("linked=false"));
    assert!(alone["Patient/copy"].iter().any(|why| why.contains("refers to Patient/p")), "{alone:?}");

    wait(&hub, &ask(&hub, "POST", "Patient/p/$erase?reason=case&also=Observation/moved"));
    for gone in [
        "Patient/p",
        "Patient/copy",
        "DocumentReference/dp",
        "Binary/own",
        "Observation/mine",
        "Observation/moved/_history/1",
    ] {
        assert_eq!(hub.get(gone).0, 410, "{gone}");
    }
    for kept in ["Appointment/a", "Binary/both", "DocumentReference/dq", "Patient/namesake", "Patient/q"] {
        assert_eq!(hub.get(kept).0, 200, "{kept}");
    }
    assert!(hub.stop());
    run_well(&["doctor", "--quiet", "--data", text(&data)]);
}

#[test]
fn a_program_with_full_rights_erases_a_person_and_the_persons_account() {
    let house = House::open(&["--allow-purge"]);
    let loader = system(&house, "loader", "system/*.cruds", &[]);
    let mut taro = house.signed_in("taro");
    let code = house.code(&mut taro, "diary", "launch/patient patient/*.rs");
    let app = house.exchange("diary", &code).json()["access_token"].as_str().unwrap().to_owned();
    let send = |token: &str, method: &str, path: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("prefer", "respond-async")];
        house.hub.send(method, path, &headers, "")
    };
    for query in ["reason=case", "preview=true"] {
        let answer = send(&app, "POST", &format!("Patient/p1/$erase?{query}"));
        assert_eq!(answer.status, 403, "{query}: {}", answer.body);
    }
    assert!(house.knows(&app));
    let answer = send(&loader, "POST", "Patient/p1/$erase?reason=case");
    assert_eq!(answer.status, 202, "{}", answer.body);
    let job = answer.header("content-location").unwrap().split("/fhir/").nth(1).unwrap().to_owned();
    let done = loop {
        let answer = send(&loader, "GET", &job);
        if answer.status != 202 {
            break answer.json();
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((&done["accounts"], &done["resources"]), (&json!(1), &json!(1)), "{done}");
    assert!(!house.knows(&app), "what the person's app was allowed is gone");
    assert_ne!(house.visitor().sign_in("taro", PASSWORD, "/auth/account").status, 303);
    assert_eq!(Wanted::of(&["山田 太郎"]).in_folder(&house.data), [].into());
    // Everybody else signs in as before.
    house.signed_in("hanako");
    let users = run_well(&["user", "list", "--data", house.place()]);
    assert!(users.contains("erased.") && users.contains("山田 花子") && !users.contains("taro"), "{users}");
}

#[test]
fn a_backup_in_an_object_storage_follows_an_erasure() {
    let storage = Storage::start();
    let world = World::new();
    let place = "s3://backups/erased";
    storage.run_well(&["backup", "--quiet", "--data", text(&world.data), place]);
    let wanted = Wanted::of(&STRINGS);
    assert!(!wanted.in_folder(storage.folder()).is_empty());
    world.erase(&[&["--reason", REASON], also().as_slice()].concat());
    storage.run_well(&["backup", "--quiet", "--data", text(&world.data), place]);
    storage.run_well(&["backup", "--quiet", "--data", text(&world.data), place, "--erase"]);
    assert_eq!(wanted.in_folder(storage.folder()), [].into());
    let restored = world.path("restored");
    storage.run_well(&["restore", "--quiet", place, "--data", text(&restored)]);
    let contents = |path: &Path| store::contents(path, &store::Limits::default()).unwrap();
    assert_eq!(contents(&restored), contents(&world.data));
}
