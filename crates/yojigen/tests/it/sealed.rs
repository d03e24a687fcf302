//! Encryption at rest: nothing of anybody can be read from the files without the key, and all is as before with it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use memchr::memmem::Finder;
use serde_json::Value;

use crate::hub::{Hub, agent, run, run_well, try_send};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder, and a key in it beside what is made there.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        place.key("key");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new key.
    pub(crate) fn key(&self, name: &str) -> String {
        let path = self.path(name);
        if !path.exists() {
            run_well(&["key", "new", text(&path)]);
        }
        text(&path).to_owned()
    }

    fn community(&self, name: &str, more: &[&str]) -> PathBuf {
        let data = self.path(name);
        let mut words = vec!["demo", "--persons", "40", "--no-serve", "--quiet", "--data", text(&data)];
        words.extend(more);
        run_well(&words);
        data
    }
}

/// What an exported record says of persons: names, identifiers, dates, texts.
fn said(folder: &Path) -> BTreeSet<String> {
    fn gather(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::String(text)
                if text.len() > 7 && !text.starts_with("http") && !text.starts_with("urn:") =>
            {
                found.insert(text.clone());
            }
            Value::Array(values) => values.iter().for_each(|v| gather(v, found)),
            Value::Object(members) => members.values().for_each(|v| gather(v, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for name in ["Patient", "Condition", "Observation", "MedicationRequest"] {
        let lines = std::fs::read_to_string(folder.join(format!("{name}.ndjson"))).unwrap();
        for line in lines.lines().take(150) {
            gather(&serde_json::from_str(line).unwrap(), &mut found);
        }
    }
    found
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files(&entry.path(), found),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

/// Which of some texts stand in the files of a folder, and where first.
fn readable(folder: &Path, texts: &BTreeSet<String>) -> Vec<(String, PathBuf)> {
    let mut paths = Vec::new();
    files(folder, &mut paths);
    assert!(paths.len() >= 3, "{paths:?}");
    let contents: Vec<(PathBuf, Vec<u8>)> =
        paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    let found = texts.iter().filter_map(|text| {
        let finder = Finder::new(text.as_bytes());
        let (path, _) = contents.iter().find(|(_, content)| finder.find(content).is_some())?;
        Some((text.clone(), path.clone()))
    });
    found.collect()
}

/// A hub that has all there is in a data directory: a record, a ledger, users, a backup; killed, so that the logs of the engine are
/// there, too.
fn lived_in(place: &Place, name: &str, more: &[&str]) -> (PathBuf, PathBuf) {
    let data = place.community(name, more);
    let backup = place.path(&format!("{name}-backup"));
    run_well(&[&["backup", "--quiet", text(&backup), "--data", text(&data)], more].concat());
    let hub = Hub::serve_with(&data, &[&["--audit", "on"], more].concat(), &[]);
    let patients = hub.get("Patient?_count=50").1;
    for entry in patients["entry"].as_array().unwrap() {
        let id = entry["resource"]["id"].as_str().unwrap();
        assert_eq!(hub.get(&format!("Observation?patient={id}&_count=3")).0, 200);
    }
    let late =
        r#"{"resourceType":"Patient","id":"late-person-4711","name":[{"text":"Tsukuyomi Latecomer"}]}"#;
    assert_eq!(hub.send("PUT", "Patient/late-person-4711", &[], late).status, 201);
    let user =
        ["user", "add", "ookuninushi", "--role", "clinician", "--name", "Sukunahikona Doctor", "--data"];
    // Its records are on the disk after half a second.
    std::thread::sleep(std::time::Duration::from_millis(700));
    hub.kill();
    run_well(&[&user, [text(&data)].as_slice(), more].concat());
    (data, backup)
}

#[test]
fn without_the_key_nothing_of_anybody_can_be_read_from_the_files() {
    let place = Place::new();
    let key = place.key("key");
    let (clear, clear_backup) = lived_in(&place, "clear", &[]);
    let (sealed, sealed_backup) = lived_in(&place, "sealed", &["--key-file", &key]);
    let export = place.path("export");
    run_well(&["export", "--quiet", "--data", text(&clear), text(&export)]);
    let mut texts = said(&export);
    assert!(texts.len() > 500, "{}", texts.len());
    texts.extend(["Tsukuyomi", "late-person-4711", "ookuninushi", "Sukunahikona"].map(str::to_owned));
    // The search finds them where nothing is sealed, though most of that is compressed.
    let found = readable(&clear, &texts);
    assert!(found.len() > 30, "only {} of {} texts", found.len(), texts.len());
    for wanted in ["db", "auth", "ledger"] {
        let there = found.iter().any(|(_, path)| path.starts_with(clear.join(wanted)));
        assert!(there, "nothing in {wanted}: the test looks for the wrong texts");
    }
    for folder in [&sealed, &sealed_backup] {
        let found = readable(folder, &texts);
        assert!(found.is_empty(), "{found:?}");
    }
    // And it is the same record.
    let exported = |data: &Path, name: &str, more: &[&str]| {
        run_well(&[&["export", "--quiet", "--data", text(data), text(&place.path(name))], more].concat());
        let mut lines: Vec<String> = std::fs::read_to_string(place.path(name).join("Patient.ndjson"))
            .unwrap()
            .lines()
            .filter(|line| !line.contains("late-person-4711"))
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    let restored = place.path("restored");
    run_well(&["restore", "--quiet", text(&sealed_backup), "--data", text(&restored), "--key-file", &key]);
    let expected = exported(&clear, "a", &[]);
    assert!(expected.len() >= 40);
    assert!(expected == exported(&sealed, "b", &["--key-file", &key]));
    assert!(expected == exported(&restored, "c", &["--key-file", &key]));
    for data in [&sealed, &restored] {
        run_well(&["doctor", "--quiet", "--data", text(data), "--key-file", &key]);
    }
    assert!(readable(&restored, &texts).is_empty());
    // A backup that is not encrypted is what it says.
    let open = place.path("open-backup");
    run_well(&["backup", "--quiet", text(&open), "--clear", "--data", text(&sealed), "--key-file", &key]);
    let listed = run_well(&["backup", "--list", "--check", text(&sealed_backup)]);
    assert!(
        listed.contains("encrypted") && !run_well(&["backup", "--list", text(&open)]).contains("encrypted")
    );
    run_well(&[
        "restore",
        "--quiet",
        text(&clear_backup),
        "--data",
        text(&place.path("again")),
        "--key-file",
        &key,
    ]);
    assert!(readable(&place.path("again"), &texts).is_empty());
}

fn refused(output: &Output, expected: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && errors.contains(expected), "'{expected}' is not in: {errors}");
    assert_eq!(errors.trim().lines().count(), 1, "one clear error: {errors}");
}

#[test]
fn every_command_asks_for_the_key_and_takes_no_other() {
    let place = Place::new();
    let (key, other) = (place.key("key"), place.key("other"));
    let (data, backup) = lived_in(&place, "hub", &["--key-file", &key]);
    let (data, backup) = (text(&data), text(&backup));
    let (out, none) = (place.path("out"), place.path("none.ndjson"));
    let tasks: &[&[&str]] = &[
        &["serve", "--open", "--listen", "127.0.0.1:0", "--data", data],
        &["export", text(&out), "--data", data],
        &["import", text(&none), "--data", data],
        &["backup", backup, "--data", data],
        &["doctor", "--data", data],
        &["doctor", "--rebuild", "--data", data],
        &["log", "tail", "--data", data],
        &["log", "show", "1", "--data", data],
        &["ledger", "show", "--data", data],
        &["ledger", "verify", "--data", data],
        &["user", "list", "--data", data],
        &["client", "list", "--data", data],
        &["access", "who", "Patient/late-person-4711", "--data", data],
        &["key", "unseal", "--data", data],
    ];
    std::fs::write(&none, "").unwrap();
    for task in tasks {
        refused(&run(task), "key");
        refused(&run(&[task, ["--key-file", &other].as_slice()].concat()), "sealed with another key");
    }
    let to = place.path("to");
    refused(&run(&["restore", backup, "--data", text(&to)]), "the backup is encrypted");
    refused(&run(&["restore", backup, "--data", text(&to), "--key-file", &other]), "sealed with another key");
    assert!(!to.exists());
    // With it they work; from a command, too, and from the environment.
    let print = format!("cat {key}");
    run_well(&["ledger", "verify", "--data", data, "--key-command", &print]);
    for task in [["user", "list"], ["log", "tail"], ["ledger", "show"]] {
        let told = std::process::Command::new(crate::hub::PROGRAM)
            .args(task)
            .args(["--data", data])
            .env("YOJIGEN_KEY_FILE", &key)
            .output()
            .unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    }
    // A key where it protects nothing, or that others can read.
    let inside = place.path("hub/key");
    std::fs::copy(&key, &inside).unwrap();
    refused(&run(&["doctor", "--data", data, "--key-file", text(&inside)]), "lies in the data directory");
    let exposed = place.key("exposed");
    std::fs::set_permissions(&exposed, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(&run(&["doctor", "--data", data, "--key-file", &exposed]), "chmod 600");
    // What is not sealed takes none, and says how it is sealed.
    let clear = place.community("clear", &[]);
    refused(&run(&["doctor", "--data", text(&clear), "--key-file", &key]), "yojigen key seal");
    // Without the wrapped keys nothing opens, and the error says which file is missing.
    std::fs::remove_file(&inside).unwrap();
    std::fs::rename(place.path("hub/KEYS"), place.path("KEYS")).unwrap();
    refused(&run(&["export", text(&out), "--data", data]), "KEYS");
}

#[test]
fn the_key_changes_while_the_hub_serves() {
    let place = Place::new();
    let (old, new) = (place.key("key"), place.key("new"));
    let data = place.path("hub");
    let hub = Hub::serve_with(&data, &["--key-file", &old], &[]);
    let (is_over, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let backup = place.path("backup");
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (base, is_over, written) = (&hub.base, &is_over, &written);
            scope.spawn(move || {
                let agent = agent();
                for n in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let patient = format!(r#"{{"resourceType":"Patient","id":"p{writer}-{n}"}}"#);
                    let answer =
                        try_send(&agent, base, "PUT", &format!("Patient/p{writer}-{n}"), &[], &patient)
                            .unwrap();
                    assert_eq!(answer.status, 201, "{}", answer.body);
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        run_well(&["backup", "--quiet", text(&backup), "--data", text(&data), "--key-file", &old]);
        run_well(&["key", "rotate", "--data", text(&data), "--key-file", &old, "--new-key-file", &new]);
        run_well(&["key", "rotate", "--data", text(&data), "--key-file", &new, "--next-data-key"]);
        let before = written.load(Ordering::Relaxed);
        while written.load(Ordering::Relaxed) < before + 20 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let count = written.load(Ordering::Relaxed);
    assert!(hub.stop());
    refused(&run(&["doctor", "--data", text(&data), "--key-file", &old]), "sealed with another key");
    let hub = Hub::serve_with(&data, &["--key-file", &new], &[]);
    assert_eq!(hub.get("Patient?_summary=count").1["total"], count);
    let patient = r#"{"resourceType":"Patient","id":"later"}"#;
    assert_eq!(hub.send("PUT", "Patient/later", &[], patient).status, 201);
    assert!(hub.stop());
    run_well(&["doctor", "--quiet", "--data", text(&data), "--key-file", &new]);
    // The backup still has the old key, until it is given the new one.
    let go_on = ["backup", "--quiet", text(&backup), "--data", text(&data), "--key-file", &new];
    refused(&run(&go_on), "sealed with another key");
    run_well(&["key", "rotate", "--backup", text(&backup), "--key-file", &old, "--new-key-file", &new]);
    run_well(&go_on);
    run_well(&["restore", "--quiet", text(&backup), "--data", text(&place.path("to")), "--key-file", &new]);
    // All of it sealed anew: the files of before say nothing any more with what KEYS holds now.
    let keys = std::fs::read(data.join("KEYS")).unwrap();
    run_well(&["key", "rotate", "--quiet", "--data", text(&data), "--key-file", &new, "--data-keys"]);
    assert_ne!(std::fs::read(data.join("KEYS")).unwrap(), keys);
    run_well(&["doctor", "--quiet", "--data", text(&data), "--key-file", &new]);
    assert_eq!(
        Hub::serve_with(&data, &["--key-file", &new], &[]).get("Patient?_summary=count").1["total"],
        count + 1
    );
}

#[test]
fn a_data_directory_is_sealed_and_unsealed() {
    let place = Place::new();
    let key = place.key("key");
    let (data, _) = lived_in(&place, "hub", &[]);
    let exported = |name: &str, more: &[&str]| {
        let to = place.path(name);
        run_well(&[&["export", "--quiet", "--data", text(&data), text(&to)], more].concat());
        std::fs::read_to_string(to.join("Observation.ndjson")).unwrap()
    };
    let head =
        |more: &[&str]| run_well(&[&["ledger", "show", "-n", "5", "--data", text(&data)], more].concat());
    let with_key = ["--key-file", key.as_str()];
    let before = exported("before", &[]);
    let looked = head(&[]);
    let tail = run_well(&["log", "tail", "-n", "3", "--data", text(&data)]);
    run_well(&["key", "seal", "--quiet", "--data", text(&data), "--key-file", &key]);
    assert!(readable(&data, &said(&place.path("before"))).is_empty());
    assert!(head(&with_key).contains(looked.lines().last().unwrap()), "the ledger is another");
    assert_eq!(run_well(&["log", "tail", "-n", "3", "--data", text(&data), "--key-file", &key]), tail);
    assert!(exported("sealed", &with_key) == before);
    let users = run_well(&["user", "list", "--data", text(&data), "--key-file", &key]);
    assert!(users.contains("ookuninushi"), "{users}");
    run_well(&["doctor", "--quiet", "--data", text(&data), "--key-file", &key]);
    run_well(&["doctor", "--quiet", "--rebuild", "--data", text(&data), "--key-file", &key]);
    let users = run_well(&["user", "list", "--data", text(&data), "--key-file", &key]);
    assert!(users.contains("ookuninushi"), "{users}");
    refused(&run(&["key", "seal", "--data", text(&data), "--key-file", &key]), "sealed already");
    run_well(&["key", "unseal", "--quiet", "--data", text(&data), "--key-file", &key]);
    assert!(exported("unsealed", &[]) == before);
    run_well(&["doctor", "--quiet", "--data", text(&data)]);
    assert!(run_well(&["user", "list", "--data", text(&data)]).contains("ookuninushi"));
}

#[test]
fn a_backup_is_never_in_the_clear_by_accident_and_may_have_a_key_of_its_own() {
    let place = Place::new();
    let (key, own) = (place.key("key"), place.key("own"));
    let data = place.community("hub", &["--key-file", &key]);
    let (backup, data) = (place.path("backup"), text(&data));
    let begun = ["backup", "--quiet", text(&backup), "--data", data, "--key-file", &key];
    run_well(&[&begun, ["--backup-key-file", &own].as_slice()].concat());
    refused(&run(&begun), "sealed with another key");
    refused(&run(&[&begun, ["--clear"].as_slice()].concat()), "the backup there is encrypted");
    let to = place.path("to");
    let restore = ["restore", "--quiet", text(&backup), "--data", text(&to)];
    refused(&run(&[&restore, ["--key-file", &key].as_slice()].concat()), "sealed with another key");
    refused(&run(&[&restore, ["--backup-key-file", &own].as_slice()].concat()), "--clear");
    run_well(&[&restore, ["--backup-key-file", &own, "--key-file", &key].as_slice()].concat());
    run_well(&["doctor", "--quiet", "--data", text(&to), "--key-file", &key]);
    // A hub that is not encrypted may have an encrypted backup, and the other way round; each goes on as it was begun.
    let clear = place.community("clear", &[]);
    let elsewhere = place.path("elsewhere");
    let plain = ["backup", "--quiet", text(&elsewhere), "--data", text(&clear)];
    run_well(&plain);
    refused(&run(&[&plain, ["--backup-key-file", &own].as_slice()].concat()), "is not encrypted");
    // Whoever puts a file of one encrypted backup into another, hash and all, has no backup.
    let manifest = std::fs::read_to_string(backup.join("BACKUP")).unwrap();
    let second = place.path("second");
    run_well(&[
        "backup",
        "--quiet",
        text(&second),
        "--data",
        data,
        "--key-file",
        &key,
        "--backup-key-file",
        &own,
    ]);
    let found: Value = serde_json::from_str(&manifest).unwrap();
    let file = found["segments"][0]["file"].as_str().unwrap();
    std::fs::copy(second.join(file), backup.join(file)).unwrap();
    let theirs: Value =
        serde_json::from_str(&std::fs::read_to_string(second.join("BACKUP")).unwrap()).unwrap();
    let mut forged = found.clone();
    forged["segments"] = theirs["segments"].clone();
    std::fs::write(backup.join("BACKUP"), forged.to_string()).unwrap();
    let output =
        run(&[&restore[..4], [text(&place.path("forged")), "--backup-key-file", &own, "--clear"].as_slice()]
            .concat());
    refused(&output, "not what was sealed");
}

#[test]
fn what_jobs_make_is_sealed_and_handed_out() {
    let place = Place::new();
    let key = place.key("key");
    let data = place.community("hub", &["--key-file", &key]);
    let hub = Hub::serve_with(&data, &["--key-file", &key], &[]);
    let exported = place.path("export");
    let asked = "$export?_type=Patient,Observation";
    let accepted = hub.send("GET", asked, &[("prefer", "respond-async")], "");
    let path = accepted.header("content-location").unwrap().rsplit_once("/fhir/").unwrap().1.to_owned();
    let manifest = crate::bulk::wait(&hub, &path);
    assert_eq!(manifest["output"].as_array().unwrap().len(), 2, "{manifest}");
    let mut files_of = Vec::new();
    for output in manifest["output"].as_array().unwrap() {
        let answer = hub.send("GET", output["url"].as_str().unwrap(), &[], "");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/fhir+ndjson"));
        assert_eq!(answer.body.lines().count() as u64, output["count"].as_u64().unwrap());
        let mut lines: Vec<String> = answer.body.lines().map(str::to_owned).collect();
        lines.sort();
        files_of.push((output["type"].as_str().unwrap().to_owned(), lines));
    }
    assert!(hub.stop());
    run_well(&["export", "--quiet", "--data", text(&data), text(&exported), "--key-file", &key]);
    for (name, lines) in &files_of {
        let told = std::fs::read_to_string(exported.join(format!("{name}.ndjson"))).unwrap();
        let mut told: Vec<String> = told.lines().map(str::to_owned).collect();
        told.sort();
        assert!(told == *lines, "{name}");
    }
    assert!(readable(&data, &said(&exported)).is_empty());
    // It is still there after a restart, and damage is not handed out as if it were whole.
    let hub = Hub::serve_with(&data, &["--key-file", &key], &[]);
    let address = path.clone() + "/Patient.ndjson";
    let whole = hub.send("GET", &address, &[], "");
    assert_eq!(
        (whole.status, whole.body.lines().count()),
        (200, files_of.iter().find(|(n, _)| n == "Patient").unwrap().1.len())
    );
    let mut made = Vec::new();
    files(&data.join("jobs"), &mut made);
    let file = made.iter().find(|p| p.ends_with("Patient.ndjson")).unwrap();
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, &bytes[..bytes.len() - 9]).unwrap();
    let cut = try_send(&agent(), &hub.base, "GET", &address, &[], "");
    assert!(cut.map_or(true, |answer| answer.status != 200), "half a file was handed out as a whole one");
}

#[test]
fn a_changed_byte_is_found_in_a_sealed_directory() {
    let place = Place::new();
    let key = place.key("key");
    let data = place.community("hub", &["--key-file", &key]);
    let mut paths = Vec::new();
    files(&data.join("db"), &mut paths);
    let table = paths.iter().filter(|p| p.extension().is_some_and(|e| e == "sst"));
    let table = table.max_by_key(|p| p.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(table).unwrap();
    let at = bytes.len() / 3;
    bytes[at] ^= 1;
    std::fs::write(table, bytes).unwrap();
    let output = run(&["doctor", "--quiet", "--data", text(&data), "--key-file", &key]);
    let told = String::from_utf8_lossy(&output.stdout);
    let name = table.file_name().unwrap().to_str().unwrap();
    assert!(output.status.code() == Some(1) && told.contains(name), "{told}");
}
