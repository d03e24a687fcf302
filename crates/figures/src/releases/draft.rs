//! What a release would be.

use std::sync::Arc;

use fhir::date_time::Micros;
use hub::{Access, Failure};
use measures::{Kind, Period};
use serde_json::{Value, json};

use super::apart::{Shown, WHOLE, name_of, telling};
use super::{LeftOut, Release, Why, id_of, without_empty};
use crate::Figures;
use crate::asked::{Asked, WhichIndicators};
use crate::evaluate::{CODE_VERSION, EXTENSIONS, runs_the_hub};
use crate::failure::invalid;
use crate::protected::{leave_out_all, leave_out_strata};
use crate::verify::extension;

/// What would be published, and what is left out.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The days that are looked at.
    pub period: Period,
    /// The moment the data are of.
    pub data_instant: String,
    /// What computed it.
    pub code_version: String,
    /// The MeasureReports that would be published.
    pub reports: Vec<Value>,
    /// What is left out.
    pub left_out: Vec<LeftOut>,
    /// How many releases it was held against.
    pub(super) out: usize,
}

/// Only for whoever runs the hub.
pub(super) fn for_who_runs_it(access: &Access) -> Result<(), Failure> {
    if access.subject.is_none() || runs_the_hub(access) {
        return Ok(());
    }
    let message = "figures are published by whoever runs the hub";
    Err(Failure::new(hub::Kind::Forbidden, fhir::IssueType::Forbidden, message))
}

/// Leaves out of a report what would tell of few together with earlier ones; whether anything is left, and by what it is not.
fn hold_against(earlier: &[&Value], report: &mut Value, k: u64) -> (bool, Vec<String>) {
    let mut not_by: Vec<String> = Vec::new();
    let groups = report["group"].as_array_mut().into_iter().flatten();
    for (at, group) in groups.enumerate() {
        let out: Vec<Shown> = earlier.iter().map(|r| Shown::of(&r["group"][at])).collect();
        let out: Vec<Shown> = out.into_iter().filter(Shown::is_anything).collect();
        loop {
            let new = Shown::of(group);
            let found: Vec<String> = out.iter().flat_map(|out| telling(out, &new, k)).collect();
            let by: Vec<String> =
                found.iter().filter(|t| *t != WHOLE && !not_by.contains(t)).cloned().collect();
            if found.is_empty() {
                break;
            }
            // Where no stratifier is left that could be left out, all of it is.
            if by.is_empty() || found.iter().any(|table| table == WHOLE) {
                return (false, Vec::new());
            }
            for (at, stratifier) in group["stratifier"].as_array_mut().into_iter().flatten().enumerate() {
                let name = name_of(at, stratifier);
                if by.contains(&name) {
                    leave_out_strata(stratifier);
                    not_by.push(name);
                }
            }
        }
    }
    (true, not_by)
}

impl Figures {
    /// What a release of a period would be, held against everything that is out.
    ///
    /// # Errors
    /// As [`Figures::evaluate`]; if it is not for this access.
    pub fn draft(&self, access: &Access, period: Period, as_of: Option<Micros>) -> Result<Draft, Failure> {
        for_who_runs_it(access)?;
        // Every indicator is of one moment, and that is one which verifying finds again.
        let reader = self.hub.store().reader();
        let as_of = as_of.unwrap_or(reader.instant()).min(reader.instant());
        let place = reader.place_as_of(as_of)?;
        let asked = Asked {
            which: WhichIndicators::All,
            period,
            as_of: Some(as_of),
            person: None,
            kind: Kind::Summary,
        };
        let out = self.releases()?;
        let counted = self.counted(&asked, Some(place))?;
        let indicators = self.indicators()?;
        let (mut reports, mut left_out) = (Vec::new(), Vec::new());
        let mut data_instant = String::new();
        for (indicator, mut report) in indicators.iter().zip(counted) {
            without_empty(&mut report);
            let measure = report["measure"].as_str().unwrap_or_default().to_owned();
            data_instant = extension(&report, "data-instant").unwrap_or(data_instant);
            let is_shown = |report: &Value| {
                report["group"].as_array().into_iter().flatten().any(|g| Shown::of(g).is_anything())
            };
            let left = |by: Option<String>, why: Why| LeftOut { measure: measure.clone(), by, why };
            if !is_shown(&report) {
                left_out.push(left(None, Why::Few));
                continue;
            }
            let earlier: Vec<&Value> =
                out.iter().filter_map(|release: &Arc<Release>| release.report(id_of(&measure))).collect();
            let (is_told, not_by) = hold_against(&earlier, &mut report, indicator.measure.small_cell.max(2));
            if !is_told {
                report["group"].as_array_mut().into_iter().flatten().for_each(leave_out_all);
                left_out.push(left(None, Why::Near));
                continue;
            }
            left_out.extend(not_by.into_iter().map(|by| left(Some(by), Why::Near)));
            report["id"] = json!(id_of(&measure));
            reports.push(report);
        }
        if data_instant.is_empty() {
            return Err(invalid("there is no indicator"));
        }
        Ok(Draft {
            period,
            data_instant,
            code_version: CODE_VERSION.to_owned(),
            reports,
            left_out,
            out: out.len(),
        })
    }
}

impl Draft {
    /// The Bundle of a release.
    pub(super) fn bundle(&self, number: u64, title: &str, published: &str) -> Value {
        let items: Vec<Value> = self
            .left_out
            .iter()
            .map(|l| {
                let flag = json!({"coding": [{"system": super::kept::LEFT_OUT, "code": l.why.code()}]});
                let mut item = json!({"flag": flag, "item": {"identifier": {"system": "urn:ietf:rfc:3986", "value": l.measure}}});
                if let Some(by) = &l.by {
                    item["item"]["display"] = json!(by);
                }
                item
            })
            .collect();
        let mut list = json!({
            "resourceType": "List",
            "id": "release",
            "extension": [
                {"url": format!("{EXTENSIONS}/period"), "valuePeriod":
                    {"start": self.period.start.to_string(), "end": self.period.end.to_string()}},
                {"url": format!("{EXTENSIONS}/data-instant"), "valueInstant": self.data_instant},
                {"url": format!("{EXTENSIONS}/code-version"), "valueString": self.code_version},
            ],
            "status": "current",
            "mode": "snapshot",
            "title": title,
            "date": published,
        });
        match items.is_empty() {
            true => list["emptyReason"] = json!({"text": "nothing is left out"}),
            false => list["entry"] = json!(items),
        }
        let of_release = |report: &Value| {
            let mut report = report.clone();
            if let Some(all) = report["extension"].as_array_mut() {
                all.push(json!({"url": format!("{EXTENSIONS}/release"), "valueString": number.to_string()}));
            }
            json!({"resource": report})
        };
        let entries: Vec<Value> =
            std::iter::once(json!({"resource": list})).chain(self.reports.iter().map(of_release)).collect();
        json!({
            "resourceType": "Bundle",
            "id": super::kept::id(number),
            "type": "collection",
            "timestamp": published,
            "entry": entries,
        })
    }
}
