//! A disk that is full while something is made on it: that is said, nothing half is taken for whole, and with room it goes on.

use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use crate::durability::SmallDisk;
use crate::hub::{Hub, import, run, run_well};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A disk of 64 MB, or a loud word that there is none.
fn small_disk(at: &Path, test: &str) -> Option<SmallDisk> {
    let disk = SmallDisk::mount(at);
    if disk.is_none() {
        eprintln!("\n*** NOT RUN: {test}: needs the right to mount ***\n");
    }
    disk
}

/// Persons with so many bytes that do not compress.
fn noise(file: &Path, prefix: &str, persons: usize, bytes: usize) {
    let mut random = StdRng::seed_from_u64(5);
    let lines: Vec<String> = (0..persons)
        .map(|n| {
            let noise: String = (0..bytes)
                .map(|_| char::from(random.random_range(b'!'..=b'~')))
                .map(|c| if matches!(c, '"' | '\\') { '-' } else { c })
                .collect();
            format!(r#"{{"resourceType":"Patient","id":"{prefix}{n}","name":[{{"text":"{noise}"}}]}}"#)
        })
        .collect();
    std::fs::write(file, lines.join("\n")).unwrap();
}

/// Takes all but so many bytes of a small disk.
fn ballast(disk: &SmallDisk, left: u64) -> std::path::PathBuf {
    use std::io::Write as _;
    let path = disk.0.join("ballast");
    let mut file = std::fs::File::create(&path).unwrap();
    while file.write_all(&[0; 1 << 16]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(left)).unwrap();
    path
}

#[test]
fn a_backup_and_a_restore_on_a_full_disk_are_refused_and_go_on_with_room() {
    let folder = tempfile::tempdir().unwrap();
    let test = "a_backup_and_a_restore_on_a_full_disk_are_refused_and_go_on_with_room";
    let Some(disk) = small_disk(&folder.path().join("disk"), test) else { return };
    let (data, file) = (folder.path().join("hub"), folder.path().join("one.ndjson"));
    noise(&file, "a", 20, 100_000);
    import(&data, &[&file]);
    let backup = disk.0.join("backup");
    run_well(&["backup", text(&backup), "--quiet", "--data", text(&data)]);
    let before = run_well(&["backup", text(&backup), "--list", "--check", "--quiet"]);
    noise(&file, "b", 60, 100_000);
    import(&data, &[&file]);

    let full = ballast(&disk, 1 << 20);
    let refused = |arguments: &[&str]| {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("the disk is full"), "{said}");
    };
    refused(&["backup", text(&backup), "--quiet", "--data", text(&data)]);
    assert_eq!(run_well(&["backup", text(&backup), "--list", "--check", "--quiet"]), before);
    let other = folder.path().join("other");
    run_well(&["restore", text(&backup), "--quiet", "--data", text(&other)]);
    run_well(&["doctor", "--quiet", "--data", text(&other)]);
    let target = disk.0.join("target");
    refused(&["restore", text(&backup), "--quiet", "--data", text(&target)]);
    assert!(!target.exists() && !disk.0.join("target.restoring").exists());

    std::fs::remove_file(full).unwrap();
    run_well(&["backup", text(&backup), "--quiet", "--data", text(&data)]);
    run_well(&["restore", text(&backup), "--quiet", "--data", text(&target)]);
    run_well(&["doctor", "--quiet", "--data", text(&target)]);
    assert_eq!(Hub::serve(&target).get("Patient?_summary=count").1["total"], 80);
}

#[test]
fn an_export_on_a_full_disk_fails_by_name_and_the_hub_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let test = "an_export_on_a_full_disk_fails_by_name_and_the_hub_goes_on";
    let Some(disk) = small_disk(&folder.path().join("disk"), test) else { return };
    let (data, file) = (disk.0.join("hub"), folder.path().join("one.ndjson"));
    noise(&file, "a", 40, 100_000);
    import(&data, &[&file]);
    let hub = Hub::serve(&data);
    let export = || {
        let answer = hub.send("GET", "$export", &[("prefer", "respond-async")], "");
        assert_eq!(answer.status, 202, "{}", answer.body);
        let status = answer.header("content-location").unwrap().to_owned();
        let done = (0..600).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            Some(hub.send("GET", &status, &[], "")).filter(|a| a.status != 202)
        });
        done.unwrap()
    };
    let full = ballast(&disk, 2 << 20);
    let failed = export();
    assert!(failed.status >= 500 && failed.body.contains("space"), "{} {}", failed.status, failed.body);
    assert_eq!(hub.get("Patient/a7").0, 200);
    std::fs::remove_file(full).unwrap();
    assert_eq!(hub.send("PUT", "Patient/b", &[], r#"{"resourceType":"Patient","id":"b"}"#).status, 201);
    let done = export();
    assert_eq!(done.status, 200, "{}", done.body);
    let count: u64 =
        done.json()["output"].as_array().unwrap().iter().map(|o: &Value| o["count"].as_u64().unwrap()).sum();
    assert_eq!(count, 41);
    assert!(hub.stop());
    run_well(&["doctor", "--quiet", "--data", text(&data)]);
}
