//! Whose rows left: what the outlets of a request collect for its record in the ledger.
//!
//! Each outlet says which versions it passes on. Whom a version is about is read from its text: a Patient is about itself,
//! anything else about the Patients it refers to. That is a search for `"Patient/` in the text, which costs next to nothing
//! and names everyone an index would, and whoever else is referred to; never fewer. A text whose references are written
//! with escapes (`\/`, `\u0050`) is unescaped first.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use fhir::r4;
use ledger::{MAX_PERSONS, Query};
use memchr::memmem;
use store::Kept;

use crate::Access;

/// Collects whose rows a request lets out.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Collected>);

/// What has been collected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collected {
    /// Ids of Patients, in the order they were met.
    pub(crate) persons: Vec<String>,
    known: HashSet<String>,
    pub(crate) rows: u64,
    pub(crate) is_everyone: bool,
    pub(crate) query: Option<Query>,
    /// Whether the request made a commit, which is its own audit.
    pub(crate) has_commit: bool,
    /// Whether it read beside what it wrote.
    pub(crate) has_read: bool,
}

/// Two accesses are the same whatever was seen under them.
impl PartialEq for Seen {
    fn eq(&self, _: &Seen) -> bool {
        true
    }
}

impl Eq for Seen {}

impl Seen {
    fn with<T>(&self, act: impl FnOnce(&mut Collected) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn collected(&self) -> Collected {
        self.with(|c| c.clone())
    }
}

impl Collected {
    fn person(&mut self, id: &str) {
        // Neighbours are mostly of the same person.
        if self.persons.last().is_some_and(|last| last == id) || self.known.contains(id) {
            return;
        }
        if self.persons.len() >= MAX_PERSONS {
            self.is_everyone = true;
            return;
        }
        self.known.insert(id.to_owned());
        self.persons.push(id.to_owned());
    }

    fn row(&mut self, kept: &Kept) {
        self.rows += 1;
        if kept.resource_type == r4().well_known().patient {
            self.person(&kept.id);
        }
        if let Some((text, _)) = &kept.text {
            persons_in(text, &mut |id| self.person(id));
        }
    }
}

/// The Patients a version is about.
pub(crate) fn persons_of(kept: &Kept) -> Vec<String> {
    let mut collected = Collected::default();
    collected.row(kept);
    collected.persons
}

/// Passes the ids of the Patients a resource's text refers to.
fn persons_in(text: &str, found: &mut dyn FnMut(&str)) {
    let has_escapes =
        memmem::find(text.as_bytes(), b"\\/").is_some() || memmem::find(text.as_bytes(), b"\\u00").is_some();
    if has_escapes {
        return plain_persons_in(&fhir::json::unescape(text), found);
    }
    plain_persons_in(text, found);
}

fn plain_persons_in(text: &str, found: &mut dyn FnMut(&str)) {
    const START: &[u8] = b"\"Patient/";
    for at in memmem::find_iter(text.as_bytes(), START) {
        let rest = &text[at + START.len()..];
        let length =
            rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')).count();
        if (1..=64).contains(&length) {
            found(&rest[..length]);
        }
    }
}

impl Access {
    fn collect(&self, act: impl FnOnce(&mut Collected)) {
        if let Some(seen) = &self.seen {
            seen.with(act);
        }
    }

    /// Says that a version leaves.
    pub(crate) fn saw(&self, kept: &Kept) {
        self.collect(|c| c.row(kept));
    }

    /// Says whom a version is about that is only named.
    pub(crate) fn saw_beside(&self, kept: &Kept) {
        self.collect(|c| {
            c.row(kept);
            c.rows -= 1;
        });
    }

    /// Says that versions leave.
    pub(crate) fn saw_all<'k>(&self, kept: impl IntoIterator<Item = &'k Kept>) {
        self.collect(|c| kept.into_iter().for_each(|one| c.row(one)));
    }

    /// Says that an audit event about these Patients leaves.
    pub(crate) fn saw_event(&self, patients: &[String]) {
        self.collect(|c| {
            c.rows += 1;
            patients.iter().for_each(|id| c.person(id));
        });
    }

    /// Says that a Patient was asked for, found or not.
    pub fn asked_for(&self, patient: &str) {
        self.collect(|c| c.person(patient));
    }

    /// Says that rows of more persons leave than are named.
    pub fn saw_everyone(&self) {
        self.collect(|c| c.is_everyone = true);
    }

    /// What was asked where the address does not say it.
    pub fn asked(&self, query: &str) {
        self.collect(|c| c.query = Some(Query::of(query)));
    }

    /// Says that the request made a commit.
    pub fn committed(&self) {
        self.collect(|c| c.has_commit = true);
    }

    /// Says that the request reads beside what it writes.
    pub fn reads(&self) {
        self.collect(|c| c.has_read = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persons(text: &str) -> Vec<String> {
        let mut collected = Collected::default();
        persons_in(text, &mut |id| collected.person(id));
        collected.persons
    }

    #[test]
    fn everyone_a_text_refers_to_is_found_however_it_is_written() {
        let two = r#"{"subject":{"reference":"Patient/a"},"participant":[{"reference":"Patient/b-1.x/_history/2"},{"reference":"Patient/a"}]}"#;
        assert_eq!(persons(two), ["a", "b-1.x"]);
        assert_eq!(persons(r#"{"subject":{"reference":"Patient\/a"}}"#), ["a"]);
        assert_eq!(persons(r#"{"subject":{"reference":"\u0050atient/a"}}"#), ["a"]);
        assert!(
            persons(r#"{"subject":{"reference":"https://other/Patient/a"},"x":"Patients/a","y":"Patient/"}"#)
                .is_empty()
        );
    }
}
