//! Starting the program, and talking to it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The program that is tested.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_yojigen");

/// Runs a task to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

/// Runs a task that must end well; what it printed.
pub(crate) fn run_well(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {} {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Imports files into a data directory.
pub(crate) fn import(data: &Path, paths: &[&Path]) {
    let rejects = data.with_extension("rejects");
    let mut arguments = vec!["import", "--quiet", "--data", data.to_str().unwrap()];
    arguments.extend(["--rejects", rejects.to_str().unwrap()]);
    arguments.extend(paths.iter().map(|p| p.to_str().unwrap()));
    run_well(&arguments);
}

/// A hub being served; killed when it is dropped.
pub(crate) struct Hub {
    /// Its FHIR base.
    pub(crate) base: String,
    child: Child,
    agent: ureq::Agent,
}

impl Hub {
    /// Serves a data directory on a port of its own.
    pub(crate) fn serve(data: &Path) -> Hub {
        Hub::serve_with(data, &[], &[])
    }

    /// The same with further arguments, and under another program (`strace …`).
    pub(crate) fn serve_with(data: &Path, arguments: &[&str], under: &[&str]) -> Hub {
        let mut open = vec!["--open"];
        open.extend(arguments);
        Hub::serve_closed(data, &open, under)
    }

    /// A hub where people sign in.
    pub(crate) fn serve_closed(data: &Path, arguments: &[&str], under: &[&str]) -> Hub {
        let mut words: Vec<&str> = under.to_vec();
        words.extend([PROGRAM, "serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
        words.extend(arguments);
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", words[0]));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = loop {
            let line = lines.next().expect("the hub ended before it listened").unwrap();
            if let Some((_, address)) = line.split_once("FHIR   ") {
                break address.trim().to_owned();
            }
        };
        Hub { base, child, agent: agent() }
    }

    /// Ends it without warning.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Ends it in order; whether it did.
    pub(crate) fn stop(mut self) -> bool {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap().success()
    }

    /// The memory it has, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() << 10
    }

    /// A request: status, headers, body.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        try_send(&self.agent, &self.base, method, path, headers, body)
            .unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    /// Reads; status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.send("GET", path, &[], "");
        (answer.status, answer.json())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Its group: a hub that runs under another program would outlive that one.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

/// A client that takes every status as an answer.
pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(120)))
        .max_redirects(0);
    config.build().into()
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// A request that may find nobody there.
pub(crate) fn try_send(
    agent: &ureq::Agent,
    base: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer, ureq::Error> {
    let address = if path.starts_with("http://") || path.starts_with("https://") {
        path.to_owned()
    } else if let Some(rooted) = path.strip_prefix("//") {
        format!("{}/{rooted}", base.trim_end_matches("/fhir"))
    } else {
        format!("{base}/{}", path.trim_start_matches('/'))
    };
    let mut request = ureq::http::Request::builder().method(method).uri(escaped(&address));
    if !body.is_empty() && !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-type")) {
        request = request.header("content-type", "application/fhir+json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = if body.is_empty() {
        agent.run(request.body(())?)?
    } else {
        agent.run(request.body(body.to_owned())?)?
    };
    let headers = response
        .headers()
        .iter()
        .map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
        .collect();
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(1 << 30).read_to_string()?;
    Ok(Answer { status, headers, body })
}

/// An address with what may not stand in one percent-encoded.
fn escaped(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for byte in address.bytes() {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}') => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
