//! The book: its commands do what it says, its table of settings is the program's, its links lead somewhere.
//!
//! A block fenced as `console` holds commands after `$ ` (`> ` goes on with a command) and, under each, parts of what it
//! prints, in order; `…` stands for anything. A command ends well, or `(exit code n)` stands under it. A page runs in a
//! directory of its own, its port is one that is free, and what it leaves running is ended.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::hub::{PROGRAM, run_well};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src")
}

fn pages() -> Vec<(String, String)> {
    let summary = std::fs::read_to_string(folder().join("SUMMARY.md")).unwrap();
    let links = summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned());
    let pages: Vec<_> =
        links.map(|name| (name.clone(), std::fs::read_to_string(folder().join(&name)).unwrap())).collect();
    let files = std::fs::read_dir(folder()).unwrap().count();
    assert_eq!(files, pages.len() + 1, "every page stands in SUMMARY.md");
    pages
}

/// A command of a page, and what is shown under it.
struct Step {
    command: String,
    expected: Vec<String>,
    exit_code: String,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_console = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if !is_console {
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), expected: Vec::new(), exit_code: "0".to_owned() });
        } else {
            let step = steps.last_mut().unwrap();
            if let Some(further) = line.strip_prefix("> ") {
                step.command += &format!("\n{further}");
            } else if let Some(code) = line.strip_prefix("(exit code ") {
                step.exit_code = code.trim_end_matches(')').to_owned();
            } else if line != "…" {
                step.expected.push(line.to_owned());
            }
        }
    }
    steps
}

/// Runs a page's commands in one shell; what each printed, and its exit code.
fn run(steps: &[Step], port: u16) -> Vec<(String, String)> {
    let directory = tempfile::tempdir().unwrap();
    let mut script = "trap 'kill $(jobs -p) 2>/dev/null' EXIT\n".to_owned();
    for (number, step) in steps.iter().enumerate() {
        script += &format!("echo; echo '@@begin {number}'\n{}\n", step.command);
        script += &format!("code=$?; echo; echo \"@@end {number} $code\"\n");
        if step.command.contains("yojigen serve") && step.command.trim_end().ends_with('&') {
            script += &format!(
                "for i in $(seq 200); do curl -s -o ready http://localhost:{port}/ready && break; sleep 0.05; done; rm -f ready\n"
            );
        }
    }
    let script = script.replace("8080", &port.to_string());
    let program = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("YOJIGEN_")) {
        shell.env_remove(name);
    }
    let mut shell = shell
        .env("PATH", path)
        .env("YOJIGEN_LISTEN", format!("127.0.0.1:{port}"))
        .env("NO_COLOR", "1")
        .current_dir(directory.path())
        .args(["-c", "exec bash /dev/stdin 2>&1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).replace(&port.to_string(), "8080");
    (0..steps.len())
        .map(|number| {
            let begun = printed.split(&format!("@@begin {number}\n")).nth(1).unwrap_or_default();
            let next = begun.split(&format!("@@begin {}\n", number + 1)).next().unwrap_or_default();
            let end = format!("@@end {number} ");
            let code = next.split(&end).nth(1).and_then(|rest| rest.lines().next()).unwrap_or("none");
            (next.to_owned(), code.to_owned())
        })
        .collect()
}

#[test]
fn every_command_of_the_book_does_what_it_says() {
    assert!(Command::new("curl").arg("--version").output().is_ok(), "NOT RUN: the book's commands need curl");
    let mut count = 0;
    for (name, page) in pages() {
        let steps = steps(&page);
        // Bound once and given up, it is free for a moment.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for (step, (printed, code)) in steps.iter().zip(run(&steps, port)) {
            let place = format!("{name}: $ {}\nprinted:\n{printed}", step.command);
            assert_eq!(code, step.exit_code, "{place}");
            let mut rest = printed.as_str();
            for expected in &step.expected {
                let at = rest.find(expected.as_str());
                let at = at.unwrap_or_else(|| panic!("{place}\nthere is no '{expected}' in its place"));
                rest = &rest[at + expected.len()..];
            }
            count += 1;
        }
    }
    assert!(count > 60, "{count} commands were found");
}

#[test]
fn the_table_of_settings_is_the_programs() {
    let path = folder().join("configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (_, rest) = page.split_once("<!-- settings -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- /settings -->").unwrap();
    let current = run_well(&["config", "list", "--markdown"]);
    assert!(
        table.trim() == current.trim(),
        "docs/src/configuration.md is stale: put what `yojigen config list --markdown` prints between its marks\n{current}"
    );
}

#[test]
fn every_link_of_the_book_leads_somewhere() {
    for (name, page) in pages() {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            if !link.starts_with("http") && !path.is_empty() {
                assert!(folder().join(path).exists(), "{name}: {link}");
            }
        }
    }
}
