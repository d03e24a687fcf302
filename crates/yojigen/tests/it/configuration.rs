//! Flags, before the environment, before the file, before defaults; and what is wrong is told.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::hub::{Hub, PROGRAM, agent, try_send};

fn run(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("YOJIGEN_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(environment.iter().copied()).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `name: value (origin)` of every setting.
fn shown(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Vec<(String, Value)> {
    let output = run(folder, environment, &[&["config", "show", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let settings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    settings.into_iter().map(|s| (s["name"].as_str().unwrap().to_owned(), s)).collect()
}

fn of<'s>(settings: &'s [(String, Value)], name: &str) -> &'s Value {
    &settings.iter().find(|(n, _)| n == name).unwrap().1
}

#[test]
fn each_source_goes_before_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(
        path.join("yojigen.toml"),
        "data = \"records\"\nopen = true\ncache = 64\nmax-count = 70\ncount = 7\n",
    )
    .unwrap();
    let settings =
        shown(path, &[("YOJIGEN_CACHE", "65"), ("YOJIGEN_MAX_COUNT", "71")], &["--max-count", "72"]);
    let expected = [
        ("zone", "Asia/Tokyo".into(), "default"),
        ("count", 7.into(), "file"),
        ("open", true.into(), "file"),
        ("cache", 65.into(), "environment"),
        ("max-count", 72.into(), "flag"),
        ("data", "records".into(), "file"),
    ];
    for (name, value, origin) in expected {
        let found = of(&settings, name);
        assert_eq!((&found["value"], found["origin"].as_str().unwrap()), (&value, origin), "{name}: {found}");
    }
    assert_eq!(of(&settings, "count")["line"], 5);
    assert_eq!(of(&settings, "cache")["variable"], "YOJIGEN_CACHE");
    // A flag can take back what the file says.
    assert_eq!(of(&shown(path, &[], &["--open=false"]), "open")["value"], false);
    let plain = text(&run(path, &[], &["config", "show"]).stdout);
    assert!(
        plain.lines().any(|l| l.starts_with("cache ") && l.contains("64") && l.ends_with("yojigen.toml:3")),
        "{plain}"
    );
    // A file elsewhere, named in either way; its paths are from its folder.
    let other = path.join("etc");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("hub.toml"), "data = \"there\"\n").unwrap();
    let there = other.join("there");
    for (environment, arguments) in
        [(vec![("YOJIGEN_CONFIG", "etc/hub.toml")], vec![]), (vec![], vec!["--config", "etc/hub.toml"])]
    {
        let settings = shown(path, &environment, &arguments);
        assert!(there.ends_with(of(&settings, "data")["value"].as_str().unwrap()), "{settings:?}");
    }
    // Beside the data directory that is named.
    std::fs::write(other.join("yojigen.toml"), "count = 8\n").unwrap();
    assert_eq!(of(&shown(path, &[], &["--data", "etc/hub"]), "count")["value"], 8);
    assert_eq!(of(&shown(path, &[("YOJIGEN_DATA", "etc/hub")], &[]), "count")["value"], 8);
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(
        path.join("yojigen.toml"),
        "data = \"hub\"\nlisten = \"127.0.0.1:0\"\nrefrences = \"off\"\ncache = 0\n",
    )
    .unwrap();
    let environment = [("YOJIGEN_OPEN", "perhaps"), ("YOJIGEN_LISTN", "127.0.0.1:1")];
    let checked = run(path, &environment, &["config", "check"]);
    let served = run(path, &environment, &["serve"]);
    assert_eq!((checked.status.code(), served.status.code()), (Some(1), Some(2)));
    for finding in [
        "yojigen.toml:3:1: refrences: there is no such setting; did you mean references?",
        "yojigen.toml:4:9: cache: '0' cannot be used; allowed is a whole number from 8 to 1048576 (megabytes)",
        "environment variable YOJIGEN_OPEN: open: 'perhaps' cannot be used; allowed is true or false",
        "environment variable YOJIGEN_LISTN: there is no such setting; did you mean YOJIGEN_LISTEN?",
    ] {
        assert!(text(&checked.stdout).contains(finding), "{finding} in {}", text(&checked.stdout));
        assert!(text(&served.stderr).contains(finding), "{finding} in {}", text(&served.stderr));
    }
    assert!(!path.join("hub").exists());

    let together = path.join("together.toml");
    std::fs::write(&together, "count = 500\nmax-count = 100\nopen = true\nlisten = \"0.0.0.0:80\"\n")
        .unwrap();
    let checked = run(path, &[], &["config", "check", "together.toml"]);
    let said = text(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("count is 500, which may not be more than max-count, which is 100"), "{said}");
    assert!(said.contains("loopback only"), "{said}");
    std::fs::write(&together, "count = 50\n").unwrap();
    let checked = run(path, &[], &["config", "check", "together.toml"]);
    assert!(checked.status.success() && text(&checked.stdout).contains("nothing is wrong: 1 of"));
    let refused = run(path, &[], &["demo", "--config", "together.toml"]);
    assert!(
        refused.status.code() == Some(2)
            && text(&refused.stderr).contains("demo reads no configuration file")
    );
    let help = text(&run(path, &[], &["serve", "--help"]).stdout);
    assert!(help.contains("[1 to 10000]") && !help.contains("[possible values: ]"), "{help}");
    let missing = run(path, &[], &["config", "check", "nothere.toml"]);
    assert!(missing.status.code() == Some(1) && text(&missing.stdout).contains("there is no such file"));
}

#[test]
fn what_the_file_says_is_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(
        path.join("yojigen.toml"),
        "count = 2\nmax-count = 3\nmax-depth = 16\nmax-entries = 4\nmax-resource = 1\nmax-issues = 1\nreferences = \"refuse\"\n\
         conditional-delete = \"multiple\"\nzone = \"Europe/Lisbon\"\n",
    )
    .unwrap();
    let hub = Hub::serve(&path.join("hub"));
    for number in 0..5 {
        let body = format!(r#"{{"resourceType":"Basic","id":"b{number}","code":{{"text":"x"}}}}"#);
        assert_eq!(hub.send("PUT", &format!("Basic/b{number}"), &[], &body).status, 201);
    }
    let entries = |address: &str| hub.get(address).1["entry"].as_array().map_or(0, Vec::len);
    assert_eq!((entries("Basic"), entries("Basic?_count=100")), (2, 3));
    let (_, statement) = hub.get("metadata");
    assert!(statement["rest"][0]["documentation"].as_str().unwrap().contains("Europe/Lisbon"));
    assert_eq!(statement["rest"][0]["resource"][0]["conditionalDelete"], "multiple");
    let dangling = r#"{"resourceType":"Basic","code":{"text":"x"},"subject":{"reference":"Patient/none"}}"#;
    assert!(hub.send("POST", "Basic", &[], dangling).status >= 400);
    // Nested as deep as a questionnaire's items may be.
    let nested = |deep: usize| {
        let mut item = r#"{"linkId":"x","type":"group"}"#.to_owned();
        for _ in 0..deep {
            item = format!(r#"{{"linkId":"x","type":"group","item":[{item}]}}"#);
        }
        format!(r#"{{"resourceType":"Questionnaire","status":"draft","item":[{item}]}}"#)
    };
    assert_eq!(hub.send("POST", "Questionnaire", &[], &nested(10)).status, 201);
    let refused = hub.send("POST", "Questionnaire", &[], &nested(20));
    assert!(refused.status >= 400 && refused.body.contains("nested more than 16 deep"), "{}", refused.body);
    let large = format!(r#"{{"resourceType":"Basic","code":{{"text":"{}"}}}}"#, "x".repeat(1 << 20));
    // The answer may come, and the connection end, before all of it was sent.
    if let Ok(refused) = try_send(&agent(), &hub.base, "POST", "Basic", &[], &large) {
        assert_eq!(refused.status, 413);
    }
    assert_eq!(hub.get("Basic?_summary=count").1["total"], 5);
    let entry = r#"{"request":{"method":"GET","url":"Basic"}}"#;
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{}]}}"#, [entry; 5].join(","));
    let refused = hub.send("POST", "", &[], &bundle);
    assert!(
        refused.status >= 400 && refused.body.contains("more than 4 entries"),
        "{}: {}",
        refused.status,
        refused.body
    );
}

#[test]
fn the_deepest_that_may_be_allowed_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve_with(&folder.path().join("hub"), &["--max-depth", "100"], &[]);
    let mut item = r#"{"linkId":"x","type":"group"}"#.to_owned();
    for _ in 0..97 {
        item = format!(r#"{{"linkId":"x","type":"group","item":[{item}]}}"#);
    }
    let body = format!(r#"{{"resourceType":"Questionnaire","status":"draft","id":"q","item":[{item}]}}"#);
    assert_eq!(hub.send("PUT", "Questionnaire/q", &[], &body).status, 201);
    for format in ["json", "xml"] {
        let read = hub.send("GET", &format!("Questionnaire?_id=q&_format={format}&_pretty=true"), &[], "");
        assert_eq!(read.status, 200, "{}", read.body);
    }
}
