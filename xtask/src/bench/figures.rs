//! Figures: every run's, and the median and spread over them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// The figures of a workload.
pub(crate) struct Figures {
    name: String,
    command: String,
    runs: BTreeMap<String, Vec<f64>>,
    order: Vec<String>,
}

impl Figures {
    pub(crate) fn new(name: &str, arguments: &[String]) -> Figures {
        let command = format!("cargo xtask bench {}", arguments.join(" "));
        Figures { name: name.to_owned(), command, runs: BTreeMap::new(), order: Vec::new() }
    }

    /// Notes one run's figure.
    pub(crate) fn note(&mut self, what: &str, value: f64) {
        if !self.runs.contains_key(what) {
            self.order.push(what.to_owned());
        }
        self.runs.entry(what.to_owned()).or_default().push(value);
        println!("{} {what}: {}", self.name, short(value));
    }

    /// Notes latencies, which are in microseconds: p50 and p99 in milliseconds.
    pub(crate) fn latencies(&mut self, what: &str, latencies: &Histogram<u64>) {
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            self.note(&format!("{what} {name} ms"), latencies.value_at_quantile(quantile) as f64 / 1000.0);
        }
    }

    /// Writes them to a file of their own and prints the table.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let figures: Vec<Value> = self
            .order
            .iter()
            .map(|what| {
                let runs = &self.runs[what];
                let (low, median, high) = spread(runs);
                json!({"figure": what, "median": median, "low": low, "high": high, "runs": runs})
            })
            .collect();
        let document = json!({
            "workload": self.name,
            "command": self.command,
            "machine": machine(),
            "figures": figures,
        });
        std::fs::write(folder.join(format!("{}.json", self.name)), format!("{document:#}\n"))?;
        println!("\n| {} | median | low–high |\n|---|---|---|", self.name);
        for what in &self.order {
            let (low, median, high) = spread(&self.runs[what]);
            println!("| {what} | {} | {}–{} |", short(median), short(low), short(high));
        }
        println!();
        Ok(())
    }
}

fn spread(runs: &[f64]) -> (f64, f64, f64) {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
    (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|l| l.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, v)| v.trim().to_owned()).unwrap_or_default()
    };
    json!({
        "processor": field(&read("/proc/cpuinfo"), "model name"),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": field(&read("/proc/meminfo"), "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}

/// The disk's own rate of small appends made durable one by one, and how long one takes in microseconds.
pub(crate) fn fdatasync(folder: &Path) -> Result<(f64, Histogram<u64>)> {
    use std::io::Write as _;
    let path = folder.join("fdatasync");
    let mut file = std::fs::File::create(&path)?;
    let mut latencies = Histogram::new(3)?;
    let began = std::time::Instant::now();
    while began.elapsed().as_millis() < 2000 {
        let start = std::time::Instant::now();
        file.write_all(&[7; 600])?;
        file.sync_data()?;
        latencies.record(u64::try_from(start.elapsed().as_micros())?)?;
    }
    let rate = latencies.len() as f64 / began.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok((rate, latencies))
}
