//! How the doors of a hub do: what those who run it look at. In memory alone, the last minutes of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use fhir::date_time::Micros;

/// Looks are kept so many: ten minutes of them, at one every [`EVERY`] seconds.
const KEPT: usize = 120;
/// Seconds from one look to the next.
pub const EVERY: u64 = 5;

/// What had been done at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// When: microseconds since 1970 UTC.
    pub at: Micros,
    /// Requests that were answered.
    pub requests: f64,
    /// Those that were refused (4xx).
    pub refused: f64,
    /// Those that failed (5xx).
    pub failed: f64,
    /// Commits.
    pub commits: f64,
}

/// How much of what requests share is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Heavy pieces of work under way.
    pub heavy: usize,
    /// How many there may be.
    pub heavy_most: usize,
    /// Bytes of bodies held.
    pub body: usize,
    /// How many there may be.
    pub body_most: usize,
}

/// A figure of the metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
}

impl Figure {
    /// A label.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }
}

/// What tells the metrics as Prometheus reads them.
type Tell = Box<dyn Fn() -> String + Send + Sync>;
/// What tells how much is taken.
type TellTaken = Box<dyn Fn() -> Taken + Send + Sync>;

struct Inner {
    version: String,
    started: Micros,
    tell: Tell,
    taken: TellTaken,
    looks: Mutex<VecDeque<Look>>,
}

/// How a hub's doors do; a request to its pages carries it.
#[derive(Clone)]
pub struct Vitals(Arc<Inner>);

impl Vitals {
    /// Of a hub that was started at a moment.
    #[must_use]
    pub fn new(version: String, started: Micros, tell: Tell, taken: TellTaken) -> Vitals {
        Vitals(Arc::new(Inner { version, started, tell, taken, looks: Mutex::default() }))
    }

    /// The program's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Since when it runs.
    #[must_use]
    pub fn started(&self) -> Micros {
        self.0.started
    }

    /// The metrics now.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        read(&(self.0.tell)())
    }

    /// How much of what requests share is taken.
    #[must_use]
    pub fn taken(&self) -> Taken {
        (self.0.taken)()
    }

    /// Looks, and remembers it.
    pub fn look(&self) {
        let look = looked(&self.figures());
        let mut looks = self.0.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= KEPT {
            looks.pop_front();
        }
        looks.push_back(look);
    }

    /// What was seen of late, oldest first, and what is seen now.
    #[must_use]
    pub fn looks(&self) -> Vec<Look> {
        let now = looked(&self.figures());
        let looks = self.0.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.iter().copied().chain([now]).collect()
    }
}

fn looked(figures: &[Figure]) -> Look {
    let sum = |name: &str, of: &dyn Fn(&Figure) -> bool| {
        figures.iter().filter(|f| f.name == name && of(f)).map(|f| f.value).sum()
    };
    let requests = "yojigen_requests_total";
    Look {
        at: crate::now(),
        requests: sum(requests, &|_| true),
        refused: sum(requests, &|f| f.label("status") == "4xx"),
        failed: sum(requests, &|f| f.label("status") == "5xx"),
        commits: sum("yojigen_commits_total", &|_| true),
    }
}

/// Reads metrics as they are told (<https://prometheus.io/docs/instrumenting/exposition_formats/>); what does not read is
/// left out. No label of the hub's own holds a comma or a quotation mark.
fn read(text: &str) -> Vec<Figure> {
    let figure = |line: &str| {
        let (what, value) = line.rsplit_once(' ')?;
        let (name, labels) = match what.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}')?),
            None => (what, ""),
        };
        let label = |part: &str| {
            let (name, value) = part.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('"').to_owned()))
        };
        let labels = labels.split(',').filter_map(label).collect();
        Some(Figure { name: name.to_owned(), labels, value: value.parse().ok()? })
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "# TYPE yojigen_requests_total counter\n\
        yojigen_requests_total{method=\"GET\",status=\"2xx\"} 7\n\
        yojigen_requests_total{method=\"GET\",status=\"5xx\"} 2\n\n\
        yojigen_request_seconds{method=\"GET\",quantile=\"0.95\"} 0.0015\n\
        yojigen_log_place 41\nbroken\n";

    #[test]
    fn metrics_are_read_as_they_are_told() {
        let figures = read(TOLD);
        assert_eq!(figures.len(), 4);
        assert_eq!(figures[2].label("quantile"), "0.95");
        assert_eq!(
            figures[3],
            Figure { name: "yojigen_log_place".to_owned(), labels: Vec::new(), value: 41.0 }
        );
    }

    #[test]
    fn the_last_looks_are_kept() {
        let vitals = Vitals::new(String::new(), 0, Box::new(|| TOLD.to_owned()), Box::new(Taken::default));
        (0..KEPT + 5).for_each(|_| vitals.look());
        let looks = vitals.looks();
        assert_eq!(looks.len(), KEPT + 1);
        assert_eq!((looks[0].requests, looks[0].failed), (9.0, 2.0));
    }
}
