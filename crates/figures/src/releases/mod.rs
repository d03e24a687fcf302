//! Published figures, at fixed releases.
//!
//! A release has the reports of all indicators for one period, as the record was known at one moment. It is a Bundle in the
//! record itself, so that it is in backups, in the log and in its history, and what is shown of it is its first version, whatever
//! becomes of the resource later. It is known for a release by the door its commit came through, which no other write has.
//!
//! What is new is held against everything that is out, withdrawn or not (`apart`): a stratifier that would tell of few together
//! with an earlier release is left out, and if that is not enough, so is the indicator in this release. Its earlier figures stand,
//! and it is published again once it is far enough from them.

mod apart;
mod draft;
mod kept;

use serde_json::Value;

pub use draft::Draft;

/// Why an indicator is not in a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There are too few persons, or nothing was proven to be safe.
    Few,
    /// It is too near to what an earlier release shows.
    Near,
}

impl Why {
    /// As it is written in a release.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Why::Few => "few",
            Why::Near => "near",
        }
    }
}

/// What is left out of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The indicator's canonical address with its version.
    pub measure: String,
    /// By which stratifier; all of it, if by none.
    pub by: Option<String>,
    /// Why.
    pub why: Why,
}

/// That a release was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// When, as FHIR writes it.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// A release, as it was published.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// Its number; the first is 1.
    pub number: u64,
    /// What it is called.
    pub title: String,
    /// When it was published, as FHIR writes it.
    pub published: String,
    /// The first and the last day that are looked at.
    pub period: (String, String),
    /// The moment its data are of.
    pub data_instant: String,
    /// What computed it.
    pub code_version: String,
    /// The MeasureReports, in the order of the indicators.
    pub reports: Vec<Value>,
    /// What is left out for what is out already, or because there are few.
    pub left_out: Vec<LeftOut>,
    /// That it was withdrawn, if it was.
    pub withdrawn: Option<Withdrawal>,
    /// The Bundle.
    pub json: String,
}

/// Takes out what is empty, which FHIR does not have: a stratifier without strata, a stratum without a value.
pub(crate) fn without_empty(value: &mut Value) {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(all) => {
            all.iter_mut().for_each(without_empty);
            all.retain(|one| !is_empty(one));
        }
        Value::Object(members) => {
            members.values_mut().for_each(without_empty);
            members.retain(|_, one| !is_empty(one));
        }
        _ => {}
    }
}

/// The id of an indicator in its canonical address.
#[must_use]
pub(crate) fn id_of(measure: &str) -> &str {
    let url = measure.split('|').next().unwrap_or_default();
    url.rsplit('/').next().unwrap_or_default()
}

impl Release {
    /// The report of an indicator, by its id.
    #[must_use]
    pub fn report(&self, id: &str) -> Option<&Value> {
        self.reports.iter().find(|r| r["measure"].as_str().is_some_and(|measure| id_of(measure) == id))
    }

    /// Why an indicator is left out, if it is.
    #[must_use]
    pub fn why(&self, id: &str) -> Option<Why> {
        let left_out = self.left_out.iter().find(|l| l.by.is_none() && id_of(&l.measure) == id);
        left_out.map(|l| l.why)
    }

    /// By what an indicator is not shown in this release because of an earlier one.
    pub fn not_by<'r>(&'r self, id: &'r str) -> impl Iterator<Item = &'r str> {
        self.left_out.iter().filter(move |l| id_of(&l.measure) == id).filter_map(|l| l.by.as_deref())
    }
}
