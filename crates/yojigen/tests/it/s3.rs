//! Backups in an object storage: a real server of S3, which checks signatures, is started by the test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::Value;

use crate::hub::{Hub, PROGRAM, import, run_well};

const KEY_ID: &str = "tester";
const SECRET: &str = "a-secret-of-the-test";
const BUCKET: &str = "backups";

/// An object storage with one bucket, whose objects are files of a folder.
pub(crate) struct Storage {
    address: SocketAddr,
    folder: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Storage {
    pub(crate) fn start() -> Storage {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let files = s3s_fs::FileSystem::new(folder.path()).unwrap();
        let mut service = s3s::service::S3ServiceBuilder::new(files);
        service.set_auth(s3s::auth::SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Storage { address, folder, _runtime: runtime }
    }

    /// Where its objects lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program with this storage in its environment and no other of the machine's.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command
            .env("HOME", self.folder.path())
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn run_well(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The files below a prefix of the bucket that a client sees.
    fn objects(&self, prefix: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join(BUCKET).join(prefix)).into_iter().flatten();
        let mut found: Vec<PathBuf> = entries
            .map(|e| e.unwrap().path())
            .filter(|p| p.is_file() && !p.file_name().unwrap().to_string_lossy().starts_with('.'))
            .collect();
        found.sort();
        found
    }
}

/// What a command that must fail says, which never holds the secret.
#[track_caller]
fn refused(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(!errors.contains(SECRET) && !errors.contains("panicked"), "{errors}");
    errors
}

/// A hub with attachments that do not compress: several parts, and several files.
fn filled(folder: &Path, megabytes: usize) -> PathBuf {
    use data_encoding::BASE64;
    use rand::{RngExt as _, SeedableRng as _};
    let data = folder.join("hub");
    let file = folder.join("some.ndjson");
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let lines: Vec<String> = (0..megabytes)
        .map(|n| {
            let noise: Vec<u8> = (0..1_000_000).map(|_| random.random()).collect();
            let text = BASE64.encode(&noise);
            format!(r#"{{"resourceType":"Binary","id":"b{n}","contentType":"image/x","data":"{text}"}}"#)
        })
        .collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    import(&data, &[&file]);
    data
}

#[test]
fn a_backup_goes_to_an_object_storage_and_comes_back() {
    let storage = Storage::start();
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path(), 24);
    let hub = Hub::serve(&data);
    let (source, place) = (data.to_str().unwrap(), "s3://backups/hubs/one");
    let first = storage.run_well(&["backup", place, "--quiet", "--json", "--data", source]);
    let manifest = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(manifest(&first)["segments"].as_array().unwrap().len(), 1);
    let before = storage.objects("hubs/one");
    assert_eq!(before.len(), 2);
    assert!(before[0].metadata().unwrap().len() > 16_000_000, "several parts");

    // Only what is new goes up.
    let times = |paths: &[PathBuf]| {
        paths
            .iter()
            .filter(|p| !p.ends_with("BACKUP"))
            .map(|p| p.metadata().unwrap().modified().unwrap())
            .collect::<Vec<_>>()
    };
    let was = times(&before);
    assert_eq!(hub.send("PUT", "Patient/a", &[], r#"{"resourceType":"Patient","id":"a"}"#).status, 201);
    let second = manifest(&storage.run_well(&["backup", place, "--quiet", "--json", "--data", source]));
    assert_eq!(second["segments"].as_array().unwrap().len(), 2);
    let after = storage.objects("hubs/one");
    assert_eq!((after.len(), &times(&after)[..1]), (3, &was[..]));
    let again = storage.run_well(&["backup", place, "--quiet", "--data", source]);
    assert!(again.contains(": 0 entries added"), "{again}");

    // What is there is shown, from above too.
    for place in ["s3://backups/hubs", "s3://backups/hubs/one/"] {
        let shown = storage.run_well(&["backup", place, "--list", "--check", "--quiet"]);
        assert!(shown.starts_with("s3://backups/hubs/one: ") && shown.contains(" 2 files, "), "{shown}");
        assert!(shown.contains("every file as it was written"), "{shown}");
    }

    // And becomes the same hub; or that of before.
    let whole = folder.path().join("whole");
    storage.run_well(&["restore", place, "--quiet", "--data", whole.to_str().unwrap()]);
    run_well(&["doctor", "--quiet", "--data", whole.to_str().unwrap()]);
    assert!(hub.stop());
    let part = folder.path().join("part");
    let last = second["segments"][0]["to"].to_string();
    storage.run_well(&["restore", place, "--quiet", "--place", &last, "--data", part.to_str().unwrap()]);
    assert_eq!(Hub::serve(&whole).get("Patient/a").0, 200);
    let part = Hub::serve(&part);
    assert_eq!((part.get("Patient/a").0, part.get("Binary/b23").0), (404, 200));

    // A flipped byte is named, and what is before it can still be had.
    let damaged = &storage.objects("hubs/one")[1];
    let mut bytes = std::fs::read(damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(damaged, bytes).unwrap();
    let never = folder.path().join("never");
    let name = damaged.file_name().unwrap().to_str().unwrap();
    let said = refused(&storage.run(&["restore", place, "--quiet", "--data", never.to_str().unwrap()]));
    assert!(
        said.contains(&format!("s3://backups/hubs/one/{name}")) && said.contains(&format!("--place {last}")),
        "{said}"
    );
    assert!(!never.exists() && !folder.path().join("never.restoring").exists());
    let said = refused(&storage.run(&["backup", place, "--list", "--check", "--quiet"]));
    assert!(said.contains(name), "{said}");
    storage.run_well(&["restore", place, "--quiet", "--place", &last, "--data", never.to_str().unwrap()]);
    // So is one that is gone.
    std::fs::remove_file(damaged).unwrap();
    let said = refused(&storage.run(&[
        "restore",
        place,
        "--quiet",
        "--data",
        folder.path().join("x").to_str().unwrap(),
    ]));
    assert!(said.contains(&format!("s3://backups/hubs/one/{name}: it is not there")), "{said}");
}

#[test]
fn what_an_object_storage_refuses_is_told_with_the_way_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let storage = Storage::start();
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path(), 1);
    let data = data.to_str().unwrap();
    let backup = |place: &str| storage.command(&["backup", place, "--quiet", "--data", data]);
    let fails = |mut command: Command, parts: &[&str]| {
        let output = command.output().unwrap();
        assert!(!output.status.success(), "it was not refused, as should be told: {parts:?}");
        let said = refused(&output);
        for part in parts {
            assert!(said.contains(part), "no '{part}' in {said}");
        }
    };
    let mut wrong = backup("s3://backups/a");
    wrong.env("AWS_SECRET_ACCESS_KEY", "another");
    fails(wrong, &["s3://backups/a/BACKUP: ", "does not know these credentials", "AWS_SECRET_ACCESS_KEY"]);
    let mut wrong = backup("s3://backups/a");
    wrong.env("AWS_ACCESS_KEY_ID", "nobody");
    fails(wrong, &["s3://backups/a/BACKUP: "]);
    fails(backup("s3://nowhere/a"), &["s3://nowhere/a", "the bucket does not exist"]);
    let mut half = backup("s3://backups/a");
    half.env_remove("AWS_SECRET_ACCESS_KEY");
    fails(half, &["AWS_SECRET_ACCESS_KEY is not; set both"]);
    let mut open = backup("s3://backups/a");
    open.env("AWS_ENDPOINT_URL", "http://storage.example:9000");
    fails(open, &["in the clear", "https://"]);
    for place in ["s3://tester:a-secret-of-the-test@backups/a", "s3://B/a", "ftp://backups/a"] {
        let said = String::from_utf8_lossy(&backup(place).output().unwrap().stderr).into_owned();
        assert!(said.contains("s3://bucket/prefix") || said.contains("a bucket's name"), "{said}");
        assert!(!said.contains(SECRET), "{said}");
    }
    fails(
        storage.command(&[
            "restore",
            "s3://backups/none",
            "--data",
            folder.path().join("x").to_str().unwrap(),
        ]),
        &["s3://backups/none: there is no backup"],
    );
    fails(storage.command(&["backup", "s3://backups", "--list"]), &["there is no backup there"]);
    std::fs::create_dir(storage.folder.path().join(BUCKET).join("foreign")).unwrap();
    std::fs::write(storage.folder.path().join(BUCKET).join("foreign/letter"), "x").unwrap();
    fails(backup("s3://backups/foreign"), &["neither empty nor a backup", "foreign/letter"]);
    assert!(storage.objects("a").is_empty(), "nothing was made by what was refused");

    // Credentials from a file that only its owner reads.
    let file = folder.path().join("credentials");
    std::fs::write(
        &file,
        format!("[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"),
    )
    .unwrap();
    let from_file = |mode: u32| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut command = backup("s3://backups/a");
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command.env("AWS_SHARED_CREDENTIALS_FILE", &file);
        command
    };
    fails(from_file(0o644), &["credentials", "mode 644", "chmod 600"]);
    assert!(from_file(0o600).status().unwrap().success());
}

#[test]
fn an_upload_that_is_killed_is_no_backup_and_is_made_again() {
    let storage = Storage::start();
    let folder = tempfile::tempdir().unwrap();
    let data = filled(folder.path(), 40);
    let place = "s3://backups/k";
    let arguments = ["backup", place, "--quiet", "--data", data.to_str().unwrap()];
    let (mut killed, mut whole) = (0, 0);
    for pause in [150, 250, 350, 450, 550, 650] {
        let mut child =
            storage.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        if child.try_wait().unwrap().is_none() {
            killed += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Whatever is there is what a whole run would have put there.
        let listed = storage.run(&["backup", place, "--list", "--check", "--quiet", "--json"]);
        if listed.status.success() {
            let shown: Value = serde_json::from_slice(&listed.stdout).unwrap();
            whole += usize::from(!shown[place]["segments"].as_array().unwrap().is_empty());
        }
        if whole == 0 {
            let target = folder.path().join("never");
            let said =
                refused(&storage.run(&["restore", place, "--quiet", "--data", target.to_str().unwrap()]));
            assert!(said.contains("there is no backup, or it is empty"), "{said}");
        }
    }
    assert!(killed > 0, "no run was killed in its work");
    storage.run_well(&arguments);
    let whole = folder.path().join("whole");
    storage.run_well(&["restore", place, "--quiet", "--data", whole.to_str().unwrap()]);
    run_well(&["doctor", "--quiet", "--data", whole.to_str().unwrap()]);
    assert_eq!(Hub::serve(&whole).get("Binary?_summary=count").1["total"], 40);
}

/// What `docs/performance/backup.json` holds:
/// `cargo test --release --workspace --test it -- --ignored --nocapture measure_backup_and_restore`
#[test]
#[ignore = "it measures"]
fn measure_backup_and_restore() {
    let runs: usize = std::env::var("YOJIGEN_RUNS").map_or(5, |n| n.parse().unwrap());
    let persons = std::env::var("YOJIGEN_PERSONS").unwrap_or_else(|_| "1000".to_owned());
    let storage = Storage::start();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let source = data.to_str().unwrap();
    run_well(&["demo", "--quiet", "--persons", &persons, "--seed", "1", "--no-serve", "--data", source]);
    let out = folder.path().join("out");
    let counts = run_well(&["export", "--data", source, out.to_str().unwrap()]);
    let count = |line: &str| line.split_whitespace().next()?.replace(',', "").parse::<u64>().ok();
    let resources: u64 = counts.lines().filter_map(count).sum();
    assert!(resources > 1000, "{counts}");
    let mut figures = std::collections::BTreeMap::<String, Vec<f64>>::new();
    let mut bytes = 0;
    for run in 0..runs {
        for (name, place) in [
            ("folder", folder.path().join(format!("backup{run}")).to_str().unwrap().to_owned()),
            ("object storage", format!("s3://backups/backup{run}")),
        ] {
            let target = folder.path().join("target");
            let began = std::time::Instant::now();
            let manifest = storage.run_well(&["backup", &place, "--quiet", "--json", "--data", source]);
            figures
                .entry(format!("backup, {name}: resources/s"))
                .or_default()
                .push(resources as f64 / began.elapsed().as_secs_f64());
            let manifest: Value = serde_json::from_str(&manifest).unwrap();
            bytes =
                manifest["segments"].as_array().unwrap().iter().map(|s| s["bytes"].as_u64().unwrap()).sum();
            let began = std::time::Instant::now();
            storage.run_well(&["restore", &place, "--quiet", "--data", target.to_str().unwrap()]);
            figures
                .entry(format!("restore, {name}: resources/s"))
                .or_default()
                .push(resources as f64 / began.elapsed().as_secs_f64());
            std::fs::remove_dir_all(&target).unwrap();
        }
    }
    let figures: Vec<Value> = figures
        .into_iter()
        .map(|(figure, runs)| {
            let mut sorted = runs.clone();
            sorted.sort_by(f64::total_cmp);
            serde_json::json!({"figure": figure, "median": sorted[sorted.len() / 2], "low": sorted[0], "high": sorted[sorted.len() - 1], "runs": runs})
        })
        .collect();
    let all = serde_json::json!({"resources": resources, "backup bytes": bytes, "figures": figures});
    println!("{}", serde_json::to_string_pretty(&all).unwrap());
}
