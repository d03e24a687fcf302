//! A hub to be measured.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

pub(crate) struct Hub {
    child: Child,
    /// `127.0.0.1:port`
    pub(crate) address: String,
    /// How long it took until it listened.
    pub(crate) ready: Duration,
}

pub(crate) fn program() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("yojigen");
    if !program.exists() {
        bail!("{} is not built; cargo build --release --workspace", program.display());
    }
    Ok(program)
}

impl Hub {
    pub(crate) fn serve(data: &Path) -> Result<Hub> {
        Hub::serve_with(data, &[])
    }

    /// With further arguments.
    pub(crate) fn serve_with(data: &Path, arguments: &[&str]) -> Result<Hub> {
        Hub::start(Command::new(program()?), data, &[&["--open"], arguments].concat())
    }

    /// One that people sign in to.
    pub(crate) fn serve_closed(data: &Path, arguments: &[&str]) -> Result<Hub> {
        Hub::start(Command::new(program()?), data, arguments)
    }

    /// On a disk whose syncs take so much longer: strace holds each up.
    pub(crate) fn serve_on_slow_disk(data: &Path, delay_micros: u64) -> Result<Hub> {
        let mut command = Command::new("strace");
        command.args(["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e"]);
        command.arg(format!("inject=fdatasync,fsync:delay_exit={delay_micros}")).arg(program()?);
        Hub::start(command, data, &["--open"])
    }

    fn start(mut command: Command, data: &Path, arguments: &[&str]) -> Result<Hub> {
        let began = Instant::now();
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let out = child.stdout.take().context("no output")?;
        for line in BufReader::new(out).lines() {
            if let Some((_, rest)) = line?.split_once("localhost:")
                && let Some((port, _)) = rest.split_once('/')
            {
                return Ok(Hub { child, address: format!("127.0.0.1:{port}"), ready: began.elapsed() });
            }
        }
        bail!("the hub ended before it listened")
    }

    /// Processor time it has used so far, in seconds.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Resident memory in megabytes.
    pub(crate) fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) -> Result<()> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it without warning.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Its group: a hub that runs under another program would outlive that one.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

/// Bytes of a folder.
pub(crate) fn size(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}

/// Runs the program to its end.
pub(crate) fn task(arguments: &[&str]) -> Result<String> {
    let output = Command::new(program()?).args(arguments).output()?;
    if !output.status.success() {
        bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs the program to its end with something on its standard input.
pub(crate) fn told(arguments: &[&str], input: &str) -> Result<String> {
    use std::io::Write as _;
    let mut child = Command::new(program()?)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("no input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
