//! The log of a hub that serves is read as it was written.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::hub::{Hub, PROGRAM, import, run, run_well};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn entries(data: &Path, arguments: &[&str]) -> Vec<Value> {
    let out = run_well(&[&["log", "tail", "--json", "--data", text(data)], arguments].concat());
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn places(entries: &[Value]) -> Vec<u64> {
    entries.iter().map(|e| e["place"].as_u64().unwrap()).collect()
}

#[test]
fn the_log_of_a_hub_that_serves_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let file = folder.path().join("one.ndjson");
    std::fs::write(&file, "{\"resourceType\":\"Basic\",\"id\":\"b\",\"code\":{\"text\":\"x\"}}\n").unwrap();
    import(&data, &[&file]);
    let hub = Hub::serve(&data);
    let patient = |active: bool| {
        format!(r#"{{"resourceType":"Patient","id":"p","active":{active},"identifier":[{{"value":"1"}}]}}"#)
    };
    hub.send("PUT", "Patient/p", &[("x-request-id", "first")], &patient(true));
    hub.send("PUT", "Patient?identifier=1", &[("if-match", "W/\"1\"")], &patient(false));
    hub.send("PUT", "Patient/q", &[], r#"{"resourceType":"Patient","id":"q"}"#);
    hub.send("DELETE", "Patient/p", &[], "");

    let all = entries(&data, &["-n", "100"]);
    assert_eq!(places(&all), [1, 2, 3, 4, 5, 6]);
    assert_eq!(all[0]["settings"]["zone"], "Asia/Tokyo");
    assert_eq!(all[1]["circumstances"]["channel"], "import");
    assert_eq!(all[2]["circumstances"]["requestId"], "first");
    assert_eq!(all[2]["commands"][0]["operation"], "create");
    assert!(all[2]["commands"][0]["bytes"].as_u64().unwrap() > 50 && all[2]["commands"][0]["body"].is_null());
    assert_eq!(all[3]["commands"][0]["ifMatch"], 1);
    assert_eq!(all[5]["commands"][0]["operation"], "delete");
    for (arguments, expected) in [
        (vec!["-n", "2"], vec![5, 6]),
        (vec!["--type", "Patient"], vec![3, 4, 5, 6]),
        (vec!["--type", "Patient", "-n", "1"], vec![6]),
        (vec!["--type", "Patient", "--id", "p"], vec![3, 4, 6]),
        (vec!["--type", "Patient", "--id", "p", "--channel", "rest", "-n", "2"], vec![4, 6]),
        (vec!["--type", "Basic", "--channel", "rest"], vec![]),
        (vec!["--channel", "import"], vec![2]),
        (vec!["--author", "nobody"], vec![]),
        (vec!["--type", "Patient", "--id", "none"], vec![]),
        (vec!["--since", "9999-01-01"], vec![]),
        (vec!["--since", all[3]["instant"].as_str().unwrap()], vec![4, 5, 6]),
    ] {
        assert_eq!(places(&entries(&data, &arguments)), expected, "{arguments:?}");
    }
    let with_texts = entries(&data, &["--bodies", "--type", "Patient", "--id", "p"]);
    assert_eq!(with_texts[1]["commands"][0]["body"], hub.get("Patient/p/_history/2").1);
    assert!(with_texts[2]["commands"][0]["body"].is_null());

    let line = run_well(&["log", "tail", "-n", "1", "--data", text(&data)]);
    assert!(
        line.starts_with("6 20") && line.contains("channel=rest") && line.contains("delete Patient/p v3"),
        "{line}"
    );
    let shown = run_well(&["log", "show", "4", "--bodies", "--data", text(&data)]);
    for part in [
        "place    4",
        "chain    ",
        "update   Patient/p version 2, if-match 1",
        "criteria",
        "\"active\":false",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let one: Value =
        serde_json::from_str(&run_well(&["log", "show", "4", "--json", "--data", text(&data)])).unwrap();
    assert_eq!(one, all[3]);
    for (arguments, finding) in [
        (vec!["log", "show", "7"], "entries 1 to 6"),
        (vec!["log", "tail", "--type", "Patiant"], "Patient"),
        (vec!["log", "tail", "--since", "yesterday"], "'yesterday' is not a date or instant"),
    ] {
        let refused = run(&[arguments, vec!["--data", text(&data)]].concat());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains(finding), "{said}");
    }

    // A conditional reference, and what it was found to be.
    let observation = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?_id=q"}}"#;
    assert_eq!(hub.send("PUT", "Observation/o", &[], observation).status, 201);
    assert_eq!(entries(&data, &["-n", "1"])[0]["commands"][0]["resolved"]["Patient?_id=q"], "Patient/q");
    assert!(run_well(&["log", "show", "7", "--data", text(&data)]).contains("Patient?_id=q is Patient/q"));

    // What is written while it is followed.
    let mut follower = Command::new(PROGRAM)
        .args(["log", "tail", "--follow", "-n", "1", "--type", "Patient", "--data", text(&data)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("6 "));
    hub.send("PUT", "Basic/c", &[], r#"{"resourceType":"Basic","id":"c","code":{"text":"x"}}"#);
    for number in 9..12 {
        hub.send(
            "PUT",
            &format!("Patient/n{number}"),
            &[],
            &format!(r#"{{"resourceType":"Patient","id":"n{number}"}}"#),
        );
        assert!(lines.next().unwrap().starts_with(&format!("{number} ")));
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
}
