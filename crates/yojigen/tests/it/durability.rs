//! What was answered is there, whatever happens.
//!
//! `YOJIGEN_KILLS` says how often the hub is killed (the whole is 200; without it a sample). The moments come from a
//! seed, which is printed and can be set with `YOJIGEN_SEED`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use crate::hub::{Hub, PROGRAM, agent, run, run_well, try_send};
use crate::sealed::Place;

pub(crate) fn seeded(test: &str) -> StdRng {
    let seed =
        std::env::var("YOJIGEN_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random::<u64>);
    eprintln!("{test}: YOJIGEN_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn kills() -> u64 {
    std::env::var("YOJIGEN_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

/// A transaction of three resources that share a number, so that half of one would be seen.
fn triple(writer: u64, number: u64) -> String {
    let entry = |kind: &str, more: &str| {
        let id = format!("{}-{writer}-{number}", kind.to_lowercase());
        format!(
            r#"{{"resource":{{"resourceType":"{kind}","id":"{id}"{more}}},"request":{{"method":"PUT","url":"{kind}/{id}"}}}}"#
        )
    };
    let observation = format!(
        r#","status":"final","code":{{"text":"{number}"}},"subject":{{"reference":"Patient/patient-{writer}-{number}"}}"#
    );
    let list =
        [entry("Patient", ""), entry("Observation", &observation), entry("Basic", r#","code":{"text":"x"}"#)];
    format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, list.join(","))
}

#[test]
fn a_killed_hub_has_every_answered_write_and_no_half() {
    killed(seeded("a_killed_hub_has_every_answered_write_and_no_half"), kills(), &[]);
}

#[test]
fn a_killed_sealed_hub_has_every_answered_write_and_no_half() {
    let place = Place::new();
    let random = seeded("a_killed_sealed_hub_has_every_answered_write_and_no_half");
    killed(random, kills().div_ceil(2), &["--key-file", &place.key("key")]);
}

fn killed(mut random: StdRng, kills: u64, more: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let next = AtomicU64::new(0);
    let answered = Mutex::new(Vec::new());
    let asked = Mutex::new(Vec::new());
    for round in 0..kills {
        let hub = Hub::serve_with(&data, more, &[]);
        let base = hub.base.clone();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let (base, next, answered, asked, is_over) = (&base, &next, &answered, &asked, &is_over);
                scope.spawn(move || {
                    let agent = agent();
                    while !is_over.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        asked.lock().unwrap().push((writer, number));
                        match try_send(&agent, base, "POST", "/", &[], &triple(writer, number)) {
                            Ok(answer) if answer.status == 200 => {
                                answered.lock().unwrap().push((writer, number))
                            }
                            Ok(answer) => panic!("{}: {}", answer.status, answer.body),
                            Err(_) => return,
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(random.random_range(20..400)));
            is_over.store(round % 8 == 7, Ordering::Relaxed);
            hub.kill();
            is_over.store(true, Ordering::Relaxed);
        });
        if round % 4 == 3 || round + 1 == kills {
            run_well(&[&["doctor", "--quiet", "--data", data.to_str().unwrap()], more].concat());
        }
    }
    let hub = Hub::serve_with(&data, more, &[]);
    let (answered, asked) = (answered.into_inner().unwrap(), asked.into_inner().unwrap());
    assert!(answered.len() > 50, "only {} writes were answered", answered.len());
    let answered: std::collections::BTreeSet<_> = answered.into_iter().collect();
    for (writer, number) in asked {
        let there: Vec<bool> = ["Patient/patient", "Observation/observation", "Basic/basic"]
            .iter()
            .map(|name| hub.get(&format!("{name}-{writer}-{number}")).0 == 200)
            .collect();
        let is_all = there.iter().all(|t| *t);
        assert!(
            is_all || there.iter().all(|t| !*t),
            "transaction {writer}-{number} is half there: {there:?}"
        );
        assert!(
            is_all || !answered.contains(&(writer, number)),
            "{writer}-{number} was answered and is lost"
        );
    }
    let (_, count) = hub.get("Patient?_summary=count");
    assert!(count["total"].as_u64().unwrap() >= answered.len() as u64);
}

/// One line of a trace that matters.
#[derive(Debug, PartialEq)]
enum Event {
    /// Bytes were written to a write-ahead log.
    Logged,
    /// A sync of a write-ahead log ended.
    Synced,
    /// A 2xx that names a new version was sent.
    Answered,
}

/// Reads a trace: writes and syncs of write-ahead logs, and answers, in the order they happened.
fn events(trace: &str) -> Vec<Event> {
    let mut unfinished: BTreeMap<&str, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for line in trace.lines() {
        let Some((process, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        // The seal that follows a sync says only that it was made; nothing waits for it.
        let is_log = call.contains(".log>") && !call.contains("seal\\0");
        if call.ends_with("<unfinished ...>") {
            unfinished.insert(process, call);
            // An answer counts from when it begins.
            if (call.starts_with("write") || call.starts_with("send")) && call.contains("HTTP/1.1 201") {
                found.push(Event::Answered);
            }
            if call.starts_with("write") && is_log {
                found.push(Event::Logged);
            }
        } else if call.starts_with("<... ") {
            // A sync counts from when it has ended.
            let began = unfinished.remove(process).unwrap_or_default();
            if (began.starts_with("fdatasync") || began.starts_with("fsync")) && began.contains(".log>") {
                found.push(Event::Synced);
            }
        } else if (call.starts_with("fdatasync") || call.starts_with("fsync")) && is_log {
            found.push(Event::Synced);
        } else if call.starts_with("write") && is_log {
            found.push(Event::Logged);
        } else if (call.starts_with("write") || call.starts_with("send")) && call.contains("HTTP/1.1 201") {
            found.push(Event::Answered);
        }
    }
    found
}

/// How many answers left before the sync that covers what was logged for them.
fn early_answers(events: &[Event]) -> usize {
    let (mut is_dirty, mut early) = (false, 0);
    for event in events {
        match event {
            Event::Logged => is_dirty = true,
            Event::Synced => is_dirty = false,
            Event::Answered => early += usize::from(is_dirty),
        }
    }
    early
}

/// Writes one after the other under a trace of system calls; how many were answered, how many too early.
fn traced_writes(folder: &Path, arguments: &[&str]) -> (usize, usize) {
    let trace = folder.join("trace");
    let under =
        ["strace", "-f", "-y", "-s", "64", "-e", "trace=write,writev,sendto,sendmsg,fdatasync,fsync", "-o"];
    let mut under: Vec<&str> = under.to_vec();
    under.push(trace.to_str().unwrap());
    let hub = Hub::serve_with(&folder.join("hub"), arguments, &under);
    for _ in 0..60 {
        assert_eq!(hub.send("POST", "Patient", &[], r#"{"resourceType":"Patient"}"#).status, 201);
        // Whatever is written when the hub is idle has been written.
        std::thread::sleep(Duration::from_millis(8));
    }
    // The traced process, not strace, is told to end.
    drop(hub);
    let events = events(&std::fs::read_to_string(&trace).unwrap());
    (events.iter().filter(|e| **e == Event::Answered).count(), early_answers(&events))
}

#[test]
fn no_answer_leaves_before_the_sync_that_covers_it() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        eprintln!("\n*** NOT RUN: no_answer_leaves_before_the_sync_that_covers_it: needs strace ***\n");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (answered, early) = traced_writes(folder.path(), &[]);
    assert!(answered >= 60, "the trace has {answered} answers");
    assert_eq!(early, 0, "answers that left before their sync");
    // And the proof fails when syncs are switched off.
    let folder = tempfile::tempdir().unwrap();
    let (answered, early) = traced_writes(folder.path(), &["--not-durable"]);
    assert!(
        answered >= 60 && early > 0,
        "without syncs the trace must show early answers ({early} of {answered})"
    );
}

/// A hub with something in each kind of file.
fn filled(folder: &Path) -> PathBuf {
    let data = folder.join("hub");
    let file = folder.join("some.ndjson");
    let lines: Vec<String> = (0..400)
        .map(|n| format!(r#"{{"resourceType":"Patient","id":"p{n}","name":[{{"family":"family{n}"}}]}}"#))
        .collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    crate::hub::import(&data, &[&file]);
    data
}

fn files(data: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(data.join("db")).unwrap().map(|f| f.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn a_flipped_byte_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path());
    // An attachment has a file of its own, once the log is written out.
    let attachment = "QUJD".repeat(40_000);
    let binary =
        format!(r#"{{"resourceType":"Binary","id":"b","contentType":"text/plain","data":"{attachment}"}}"#);
    let hub = Hub::serve(&data);
    assert_eq!(hub.send("PUT", "Binary/b", &[], &binary).status, 201);
    assert!(hub.stop());
    // Something in the write-ahead log too.
    let hub = Hub::serve(&data);
    assert_eq!(hub.get("Binary/b").1["data"], attachment);
    for _ in 0..5 {
        assert_eq!(hub.send("POST", "Patient", &[], r#"{"resourceType":"Patient"}"#).status, 201);
    }
    hub.kill();
    let mut kinds = BTreeMap::new();
    for path in files(&data) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let size = path.metadata().unwrap().len();
        let kind = if name.starts_with("MANIFEST") {
            "manifest"
        } else if name.ends_with(".sst") {
            "table"
        } else if name.ends_with(".blob") {
            "attachments"
        } else if name.ends_with(".log") && size > 0 {
            "log"
        } else if name == "CURRENT" {
            "current"
        } else {
            continue;
        };
        let entry = kinds.entry(kind).or_insert((path.clone(), size));
        if size > entry.1 {
            *entry = (path, size);
        }
    }
    kinds.insert("format", (data.join("FORMAT"), data.join("FORMAT").metadata().unwrap().len()));
    assert_eq!(kinds.len(), 6, "{kinds:?}");
    let untouched = folder.path().join("untouched");
    copied(&data, &untouched);
    run_well(&["doctor", "--quiet", "--data", untouched.to_str().unwrap()]);
    for (kind, (path, size)) in &kinds {
        let copy = folder.path().join(kind);
        copied(&data, &copy);
        let path = copy.join(path.strip_prefix(&data).unwrap());
        let mut damaged = std::fs::read(&path).unwrap();
        // In the middle of what is used, not in its last record, which could be a torn one.
        damaged[usize::try_from(*size).unwrap() / 3] ^= 0x20;
        std::fs::write(&path, &damaged).unwrap();
        let output = run(&["doctor", "--quiet", "--data", copy.to_str().unwrap()]);
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "a flipped byte in the {kind} was not found");
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(said.contains(name.as_ref()), "the {kind} {name} is not named: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copied(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_torn_last_page_loses_nothing_that_was_answered() {
    for garbage in [&[0x5a_u8; 700][..], &[0_u8; 4096][..], &[1_u8; 3][..]] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("hub");
        let hub = Hub::serve(&data);
        for n in 0..20 {
            let body = format!(r#"{{"resourceType":"Patient","id":"p{n}"}}"#);
            assert_eq!(hub.send("PUT", &format!("Patient/p{n}"), &[], &body).status, 201);
        }
        hub.kill();
        let log = files(&data).into_iter().rfind(|p| p.extension().is_some_and(|e| e == "log")).unwrap();
        let mut torn = std::fs::read(&log).unwrap();
        torn.extend_from_slice(garbage);
        std::fs::write(&log, &torn).unwrap();
        let hub = Hub::serve(&data);
        for n in 0..20 {
            assert_eq!(hub.get(&format!("Patient/p{n}")).0, 200, "p{n}");
        }
        hub.kill();
        run_well(&["doctor", "--quiet", "--data", data.to_str().unwrap()]);
    }
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path());
    let format = data.join("FORMAT");
    let text = std::fs::read_to_string(&format).unwrap();
    let newer: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    std::fs::write(&format, newer).unwrap();
    let output = run(&["serve", "--open", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("newer"), "{said}");
}

#[test]
fn an_index_made_anew_from_the_log_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path());
    let before = Hub::serve(&data).get("Patient?name=family1&_count=200").1;
    run_well(&["doctor", "--quiet", "--rebuild", "--data", data.to_str().unwrap()]);
    run_well(&["doctor", "--quiet", "--data", data.to_str().unwrap()]);
    let after = Hub::serve(&data).get("Patient?name=family1&_count=200").1;
    let ids = |bundle: &Value| -> Vec<String> {
        bundle["entry"].as_array().unwrap().iter().map(|e| e["resource"].to_string()).collect()
    };
    assert!(ids(&before).len() > 100);
    assert_eq!(ids(&before), ids(&after));
}

#[test]
fn two_hubs_cannot_have_one_directory() {
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path());
    let _hub = Hub::serve(&data);
    let output = std::process::Command::new(PROGRAM)
        .args(["serve", "--open", "--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use"), "{output:?}");
}

#[test]
fn a_stop_in_order_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path());
    let hub = Hub::serve(&data);
    assert_eq!(hub.get("Patient/p1").0, 200);
    assert!(hub.stop());
    assert_eq!(Hub::serve(&data).get("Patient/p1").0, 200);
}

/// A small disk of its own, where the system lets one be made.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    pub(crate) fn mount(at: &Path) -> Option<SmallDisk> {
        std::fs::create_dir_all(at).unwrap();
        let output = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
            .arg(at)
            .output();
        output.is_ok_and(|o| o.status.success()).then(|| SmallDisk(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk")) else {
        eprintln!("\n*** NOT RUN: a_full_disk_refuses_and_recovers: needs the right to mount ***\n");
        return;
    };
    let data = disk.0.join("hub");
    let hub = Hub::serve(&data);
    let ballast = disk.0.join("ballast");
    let noise: String = {
        let mut random = StdRng::seed_from_u64(1);
        (0..200_000).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
    };
    let write = |n: usize| {
        let body = format!(r#"{{"resourceType":"Patient","id":"p{n}","name":[{{"text":"{noise}"}}]}}"#);
        hub.send("PUT", &format!("Patient/p{n}"), &[], &body)
    };
    assert_eq!(write(0).status, 201);
    let mut stored = 1;
    let refused = loop {
        let answer = write(stored);
        if answer.status != 201 {
            break answer;
        }
        stored += 1;
        assert!(stored < 1000, "the disk does not fill");
    };
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert_eq!(refused.json()["issue"][0]["code"], "no-store");
    // Someone else fills what is left; reads go on.
    let _ = std::fs::write(&ballast, vec![0; 64 << 20]);
    assert_eq!(write(stored).status, 507);
    for n in 0..stored {
        assert_eq!(hub.get(&format!("Patient/p{n}")).0, 200);
    }
    hub.kill();
    std::fs::remove_file(&ballast).unwrap();
    run_well(&["doctor", "--quiet", "--compact", "--data", data.to_str().unwrap()]);
    let hub = Hub::serve(&data);
    for n in 0..stored {
        assert_eq!(hub.get(&format!("Patient/p{n}")).0, 200);
    }
}
