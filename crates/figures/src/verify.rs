//! Whether a report comes out the same when it is computed again.

use fhir::DateTime;
use hub::{Access, Failure};
use measures::{Kind, Period};
use serde_json::Value;

use crate::Figures;
use crate::asked::{Asked, WhichIndicators};
use crate::evaluate::CODE_VERSION;
use crate::failure::invalid;
use crate::protected::leave_out_strata;
use crate::releases::without_empty;

/// What came of computing a report again.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// What differs, each with its place in the report; nothing if it came out the same.
    pub differences: Vec<String>,
    /// Whether texts were destroyed since (erasure, purge), so that the record of then is not wholly there.
    pub has_destroyed: bool,
    /// What computed it then, if that is another version than this.
    pub other_code: Option<String>,
    /// As it comes out now.
    pub report: Value,
}

impl Verified {
    /// Whether it is the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }
}

/// An extension of a report by the last part of its address: its value as text.
pub(crate) fn extension(report: &Value, name: &str) -> Option<String> {
    let all = report["extension"].as_array()?;
    let found =
        all.iter().find(|e| e["url"].as_str().is_some_and(|url| url.rsplit('/').next() == Some(name)))?;
    let (_, value) = found.as_object()?.iter().find(|(key, _)| key.starts_with("value"))?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Leaves out of a report what another has left out, stratifier by stratifier, and what is left out of all of it.
fn leave_out_like(other: &Value, report: &mut Value) {
    let is_out = |cell: &Value| {
        let all = cell["population"].as_array().map_or(&[][..], Vec::as_slice);
        !all.is_empty() && all.iter().all(|p| p["count"].is_null())
    };
    for (then, now) in other["group"]
        .as_array()
        .into_iter()
        .flatten()
        .zip(report["group"].as_array_mut().into_iter().flatten())
    {
        let (all, strata) = (&then["stratifier"], &mut now["stratifier"]);
        for (then, now) in
            all.as_array().into_iter().flatten().zip(strata.as_array_mut().into_iter().flatten())
        {
            if then["stratum"].as_array().is_some_and(|strata| strata.iter().all(is_out)) {
                leave_out_strata(now);
            }
        }
    }
}

fn is_masked(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.get("valueCode").is_some_and(|code| code == "masked") || members.values().any(is_masked)
        }
        Value::Array(all) => all.iter().any(is_masked),
        _ => false,
    }
}

/// Numbers by their value, not by how they are written.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a == b)
        }
        _ => one == other,
    }
}

fn compare(place: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    const MOST: usize = 20;
    if found.len() >= MOST || is_same(one, other) {
        return;
    }
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            for name in names {
                let of =
                    |members: &serde_json::Map<String, Value>| members.get(name).cloned().unwrap_or_default();
                compare(&format!("{place}.{name}"), &of(a), &of(b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}[{at}]"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            found.push(format!("{place}: {} then, {} now", a.len(), b.len()))
        }
        _ => found.push(format!("{place}: {one} then, {other} now")),
    }
}

impl Figures {
    /// Computes a summary again: as its place of the log has the record, and under the consents of then.
    ///
    /// # Errors
    /// What is no summary of an indicator of this program; a moment the log does not reach.
    pub fn verify(&self, report: &Value) -> Result<Verified, Failure> {
        let text = |name: &str| report[name].as_str().unwrap_or_default();
        if report["resourceType"] != "MeasureReport" || text("type") != "summary" {
            return Err(invalid("only a MeasureReport of type summary can be computed again"));
        }
        let period = Period::read(
            report["period"]["start"].as_str().unwrap_or_default(),
            report["period"]["end"].as_str().unwrap_or_default(),
        )
        .map_err(|e| invalid(e.to_string()))?;
        let instant = extension(report, "data-instant").unwrap_or_default();
        let Some((_, end)) = DateTime::parse(&instant).map(|d| d.interval(self.hub.zone())) else {
            return Err(invalid(
                "the report does not say of which moment its data are (extension data-instant)",
            ));
        };
        let as_of = Some(end - 1);
        let which = WhichIndicators::Named(vec![text("measure").to_owned()]);
        let asked = Asked { which, period, as_of, person: None, kind: Kind::Summary };
        let reader = self.hub.store().reader();
        let place = reader.place_as_of(end - 1)?;
        let stated = extension(report, "data-place").and_then(|place| place.parse().ok());
        if stated.is_some_and(|stated: u64| stated != place.0) {
            return Err(invalid(format!(
                "the report is of place {} of a log, which this hub has at another moment: it is another hub's",
                stated.unwrap_or_default()
            )));
        }
        // A figure that was told to all is compared with what would be told to all; exact counts with exact counts.
        let counted = self.counted(&asked, Some(place))?;
        let again = |reports: Vec<Value>| reports.into_iter().next().unwrap_or_default();
        let mut found = Vec::new();
        let mut now = again(counted);
        // A release leaves out more, for what was published before it.
        if extension(report, "release").is_some() {
            without_empty(&mut now);
            leave_out_like(report, &mut now);
        }
        compare("MeasureReport.group", &report["group"], &now["group"], &mut found);
        if !found.is_empty() && !is_masked(&report["group"]) {
            let exact = again(self.evaluate(&Access::open("verify"), &asked)?);
            let mut differences = Vec::new();
            compare("MeasureReport.group", &report["group"], &exact["group"], &mut differences);
            if differences.len() < found.len() || differences.is_empty() {
                (found, now) = (differences, exact);
            }
        }
        Ok(Verified {
            differences: found,
            has_destroyed: reader.has_destroyed()?,
            other_code: extension(report, "code-version").filter(|version| version != CODE_VERSION),
            report: now,
        })
    }
}
