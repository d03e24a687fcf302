//! Long work that is killed at any moment: it goes on, or it is as if it had not begun.
//!
//! `YOJIGEN_KILLS` says how often each kind of work is killed (a sample without it); the moments come from a seed, which is
//! printed and can be set with `YOJIGEN_SEED`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::bulk::wait;
use crate::durability::seeded;
use crate::hub::{Hub, PROGRAM, import, run, run_well};

const PERSONS: usize = 6_000;

fn rounds() -> u64 {
    std::env::var("YOJIGEN_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(4)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A hub of persons born in 1980 and one who was not.
fn filled(folder: &Path) -> PathBuf {
    let (data, file) = (folder.join("hub"), folder.join("persons.ndjson"));
    let mut lines: String = (0..PERSONS)
        .map(|n| format!("{{\"resourceType\":\"Patient\",\"id\":\"p{n}\",\"birthDate\":\"1980-01-01\",\"name\":[{{\"family\":\"family{n}\"}}]}}\n"))
        .collect();
    lines += "{\"resourceType\":\"Patient\",\"id\":\"old\",\"birthDate\":\"1900-01-01\"}\n";
    std::fs::write(&file, lines).unwrap();
    import(&data, &[&file]);
    data
}

fn pause(random: &mut StdRng, most: u64) {
    std::thread::sleep(Duration::from_millis(random.random_range(0..most)));
}

/// Runs a command and kills it after a while; whether it was still at work.
fn killed(arguments: &[&str], after: Duration) -> bool {
    let mut child =
        Command::new(PROGRAM).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    let was_at_work = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    was_at_work
}

#[test]
fn a_killed_export_delivers_what_was_asked_for() {
    let mut random = seeded("a_killed_export_delivers_what_was_asked_for");
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path());
    for round in 0..rounds() {
        let mut hub = Hub::serve(&data);
        let before: u64 = hub.get("Patient?_summary=count").1["total"].as_u64().unwrap();
        let accepted = hub.send("GET", "$export?_type=Patient", &[("prefer", "respond-async")], "");
        let path = accepted.header("content-location").unwrap().rsplit_once("/fhir/").unwrap().1.to_owned();
        // What comes after the asking is not in it.
        let late = format!(r#"{{"resourceType":"Patient","id":"late{round}"}}"#);
        assert_eq!(hub.send("PUT", &format!("Patient/late{round}"), &[], &late).status, 201);
        let gone = format!("Patient/p{round}");
        assert_eq!(hub.send("DELETE", &gone, &[], "").status, 204);
        for _ in 0..2 {
            pause(&mut random, 60);
            hub.kill();
            hub = Hub::serve(&data);
        }
        let manifest = wait(&hub, &path);
        let mut found = Vec::new();
        for output in manifest["output"].as_array().unwrap() {
            let body = hub.send("GET", output["url"].as_str().unwrap(), &[], "").body;
            let ids = body.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["id"].to_string());
            found.extend(ids);
        }
        let distinct: BTreeSet<&String> = found.iter().collect();
        assert_eq!((found.len() as u64, distinct.len() as u64), (before, before));
        assert!(!distinct.contains(&format!("\"late{round}\"")));
        assert!(distinct.contains(&format!("\"p{round}\"")));
    }
}

#[test]
fn a_killed_bulk_deletion_deletes_each_once_and_nothing_else() {
    let mut random = seeded("a_killed_bulk_deletion_deletes_each_once_and_nothing_else");
    for _ in 0..rounds().div_ceil(2) {
        let folder = tempfile::tempdir().unwrap();
        let data = filled(folder.path());
        let mut hub = Hub::serve(&data);
        let path = format!("Patient/$bulk-delete?birthdate=1980&expected={PERSONS}");
        let accepted = hub.send("POST", &path, &[("prefer", "respond-async")], "");
        assert_eq!(accepted.status, 202, "{}", accepted.body);
        let status = accepted.header("content-location").unwrap().rsplit_once("/fhir/").unwrap().1.to_owned();
        for _ in 0..3 {
            pause(&mut random, 150);
            hub.kill();
            hub = Hub::serve(&data);
        }
        let done = wait(&hub, &status);
        assert_eq!(done["error"], Value::Array(Vec::new()), "{done}");
        assert_eq!(hub.get("Patient?_summary=count").1["total"], 1);
        assert_eq!(hub.get("Patient/old").0, 200);
        hub.kill();
        let log =
            run_well(&["log", "tail", "--json", "-n", "1000000", "--type", "Patient", "--data", text(&data)]);
        let deletions: usize = log
            .lines()
            .map(|line| {
                let entry: Value = serde_json::from_str(line).unwrap();
                let commands = entry["commands"].as_array().unwrap();
                commands.iter().filter(|c| c["operation"] == "delete").count()
            })
            .sum();
        assert_eq!(deletions, PERSONS);
        run_well(&["doctor", "--quiet", "--data", text(&data)]);
    }
}

#[test]
fn a_killed_backup_is_a_shorter_one_that_goes_on() {
    let mut random = seeded("a_killed_backup_is_a_shorter_one_that_goes_on");
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path());
    let mut was_at_work = 0;
    for round in 0..rounds() {
        let backup = folder.path().join(format!("backup{round}"));
        let arguments = ["backup", text(&backup), "--quiet", "--data", text(&data)];
        for _ in 0..3 {
            was_at_work += u64::from(killed(&arguments, Duration::from_millis(random.random_range(5..60))));
            if backup.join("BACKUP").exists() {
                run_well(&["backup", text(&backup), "--list", "--check", "--quiet"]);
            }
        }
        run_well(&arguments);
        let target = folder.path().join(format!("restored{round}"));
        run_well(&["restore", text(&backup), "--quiet", "--data", text(&target)]);
        run_well(&["doctor", "--quiet", "--data", text(&target)]);
        assert_eq!(Hub::serve(&target).get("Patient?_summary=count").1["total"], PERSONS + 1);
    }
    assert!(was_at_work > 0, "no backup was killed in its work");
}

#[test]
fn a_killed_restore_leaves_nothing_that_is_taken_for_a_hub() {
    let mut random = seeded("a_killed_restore_leaves_nothing_that_is_taken_for_a_hub");
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path());
    let (backup, target) = (folder.path().join("backup"), folder.path().join("target"));
    let half = folder.path().join("target.restoring");
    run_well(&["backup", text(&backup), "--quiet", "--data", text(&data)]);
    let arguments = ["restore", text(&backup), "--quiet", "--data", text(&target)];
    let mut halves = 0;
    for round in 0..rounds() {
        // The first is early enough to be in the work.
        let most = if round == 0 { 150 } else { 600 };
        killed(&arguments, Duration::from_millis(random.random_range(100..most)));
        if target.exists() {
            run_well(&["doctor", "--quiet", "--data", text(&target)]);
            std::fs::remove_dir_all(&target).unwrap();
        } else if half.join("RESTORING").exists() {
            halves += 1;
            for task in [
                vec!["doctor", "--data", text(&half)],
                vec!["serve", "--open", "--listen", "127.0.0.1:0", "--data", text(&half)],
                vec!["export", text(&folder.path().join("out")), "--data", text(&half)],
                vec!["backup", text(&folder.path().join("b")), "--data", text(&half)],
            ] {
                let refused = run(&task);
                let said = String::from_utf8_lossy(&refused.stderr).into_owned();
                assert!(refused.status.code() == Some(2) && said.contains("interrupted restore"), "{said}");
            }
        }
    }
    assert!(halves > 0, "no restore was killed in its work");
    run_well(&arguments);
    assert!(!half.exists() && !target.join("RESTORING").exists());
    run_well(&["doctor", "--quiet", "--data", text(&target)]);
    assert_eq!(Hub::serve(&target).get("Patient?_summary=count").1["total"], PERSONS + 1);
}
