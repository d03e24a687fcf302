//! What an import did: a table for people, JSON for programs, and the rejects.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use fhir::json::JsonWriter;
use hub::outcome;
use store::{Effect, Outcome};

use web::grouped;

/// What became of the resources of a type.
#[derive(Clone, Copy, Default, Debug)]
struct Tally {
    created: u64,
    updated: u64,
    unchanged: u64,
    deleted: u64,
    repeated: u64,
}

/// What an import did.
pub(crate) struct Report {
    began: Instant,
    types: BTreeMap<&'static str, Tally>,
    rejected: u64,
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Report {
    /// An empty report; rejects go to `path`, which is made with the first.
    pub(crate) fn new(path: &Path) -> Report {
        Report {
            began: Instant::now(),
            types: BTreeMap::new(),
            rejected: 0,
            path: path.to_owned(),
            file: None,
        }
    }

    /// Notes a committed proposal.
    pub(crate) fn committed(&mut self, outcome: &Outcome) {
        for command in &outcome.commands {
            self.add(fhir::r4().type_name(command.resource_type), command.effect, outcome.is_repeated);
        }
    }

    /// Notes one resource.
    pub(crate) fn add(&mut self, type_name: &'static str, effect: Effect, is_repeated: bool) {
        let tally = self.types.entry(type_name).or_default();
        let counter = match effect {
            _ if is_repeated => &mut tally.repeated,
            Effect::Created => &mut tally.created,
            Effect::Updated => &mut tally.updated,
            Effect::Unchanged | Effect::Found => &mut tally.unchanged,
            Effect::Deleted | Effect::NothingToDelete | Effect::Destroyed => &mut tally.deleted,
        };
        *counter += 1;
    }

    /// Notes something that was refused, with the reason beside it.
    pub(crate) fn reject(&mut self, source: &str, issues: &[fhir::Issue], content: &[u8]) {
        self.rejected += 1;
        if self.file.is_none() {
            match File::create(&self.path) {
                Ok(file) => self.file = Some(BufWriter::new(file)),
                Err(error) => {
                    eprintln!("the rejects could not be written to {}: {error}", self.path.display())
                }
            }
        }
        let mut json = JsonWriter::new();
        json.object(|r| {
            r.member("source", source);
            outcome::write(r.name("outcome"), issues);
            r.member("content", &String::from_utf8_lossy(content));
        });
        match &mut self.file {
            Some(file) => {
                if let Err(error) = writeln!(file, "{}", json.as_str()) {
                    eprintln!("a reject could not be written: {error}");
                }
            }
            None => {
                eprintln!("refused: {source}: {}", issues.first().map_or(String::new(), ToString::to_string))
            }
        }
    }

    /// How many pieces were refused.
    pub(crate) fn rejected(&self) -> u64 {
        self.rejected
    }

    fn resources(&self) -> u64 {
        self.types.values().map(|t| t.created + t.updated + t.unchanged + t.deleted).sum()
    }

    /// The table.
    pub(crate) fn print(&mut self, was_stopped: bool) {
        if let Some(file) = &mut self.file {
            let _ = file.flush();
        }
        let (mut all, seconds) = (Tally::default(), self.began.elapsed().as_secs_f64());
        say!("{:>12} {:>12} {:>12} {:>12}", "created", "updated", "unchanged", "already in");
        let row = |tally: &Tally, name: &str| {
            say!(
                "{:>12} {:>12} {:>12} {:>12}  {name}",
                grouped(tally.created),
                grouped(tally.updated),
                grouped(tally.unchanged + tally.deleted),
                grouped(tally.repeated)
            );
        };
        for (name, tally) in &self.types {
            row(tally, name);
            all.created += tally.created;
            all.updated += tally.updated;
            all.unchanged += tally.unchanged;
            all.deleted += tally.deleted;
            all.repeated += tally.repeated;
        }
        row(&all, "in all");
        let rate = self.resources() as f64 / seconds.max(0.001);
        say!("{seconds:.1} s, {} resources/s", grouped(rate as u64));
        if self.rejected > 0 {
            say!("{} refused; they are in {} with the reasons", grouped(self.rejected), self.path.display());
        }
        if was_stopped {
            say!("stopped before the end; run the same command again to go on");
        }
    }

    /// The same for programs.
    pub(crate) fn json(&mut self, was_stopped: bool) -> String {
        if let Some(file) = &mut self.file {
            let _ = file.flush();
        }
        let mut json = JsonWriter::new();
        json.object(|r| {
            r.name("types").object(|types| {
                for (name, tally) in &self.types {
                    types.name(name).object(|t| {
                        for (what, count) in [
                            ("created", tally.created),
                            ("updated", tally.updated),
                            ("unchanged", tally.unchanged),
                            ("deleted", tally.deleted),
                            ("alreadyIn", tally.repeated),
                        ] {
                            t.raw_member(what, &count.to_string());
                        }
                    });
                }
            });
            r.raw_member("rejected", &self.rejected.to_string());
            r.raw_member("seconds", &format!("{:.3}", self.began.elapsed().as_secs_f64()));
            r.raw_member("stopped", if was_stopped { "true" } else { "false" });
        });
        json.finish()
    }
}
