//! `$care-gaps`: what of one person's care is open, by indicators that say what should be done
//! (<https://hl7.org/fhir/R4/measure-operation-care-gaps.html>).
//!
//! The answer is a document: a Composition with a section for each indicator the person belongs to, the MeasureReport it
//! follows from, and where something is open a DetectedIssue. An indicator of a share (proportion) has a gap where the person
//! is in the denominator, not excluded, and not where one would wish.

use fhir::date_time::format_instant;
use hub::{Access, Failure, IdSource, SystemClock};
use measures::{Indicator, Kind, PopulationKind, Scoring, text_in};
use serde_json::{Value, json};
use store::Clock as _;

use crate::Figures;
use crate::asked::Asked;
use crate::evaluate::CODE_VERSION;
use crate::failure::invalid;

const STATUS: &str = "http://hl7.org/fhir/us/davinci-deqm/StructureDefinition/extension-gapStatus";
const STATUS_CODES: &str = "http://hl7.org/fhir/us/davinci-deqm/CodeSystem/gaps-status";

/// Whether a gap is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// What should be done is not.
    Open,
    /// It is done.
    Closed,
}

impl Gap {
    /// Its code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Gap::Open => "open-gap",
            Gap::Closed => "closed-gap",
        }
    }

    /// The gap of this code.
    #[must_use]
    pub fn named(code: &str) -> Option<Gap> {
        [Gap::Open, Gap::Closed].into_iter().find(|gap| gap.code() == code)
    }
}

fn count(report: &Value, kind: PopulationKind) -> u64 {
    let groups = report["group"].as_array().map(Vec::as_slice).unwrap_or_default();
    let populations = groups.iter().filter_map(|g| g["population"].as_array()).flatten();
    let of_kind = |p: &&Value| p["code"]["coding"][0]["code"] == kind.code();
    populations.filter(of_kind).filter_map(|p| p["count"].as_u64()).sum()
}

/// Whether the person of an individual report has a gap; none if the indicator is not about them.
fn gap_of(indicator: &Indicator, report: &Value) -> Option<Gap> {
    if indicator.measure.scoring != Scoring::Proportion {
        return None;
    }
    let counted = count(report, PopulationKind::Denominator)
        .saturating_sub(count(report, PopulationKind::DenominatorExclusion));
    let numerator = count(report, PopulationKind::Numerator);
    let is_well = if indicator.measure.increase_is_better { numerator == counted } else { numerator == 0 };
    (counted > 0).then_some(if is_well { Gap::Closed } else { Gap::Open })
}

/// What stands in an indicator's section, as XHTML.
fn narrative(title: &str, gap: Gap) -> Value {
    let said = match gap {
        Gap::Open => "未達 / open",
        Gap::Closed => "達成 / closed",
    };
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>{title}: {said}</p></div>");
    json!({"status": "generated", "div": div})
}

impl Figures {
    /// The gaps of the person who is asked about, as a document; only those of this kind, if one is named.
    ///
    /// # Errors
    /// As [`Figures::evaluate`]; nobody who is asked about.
    pub fn care_gaps(&self, access: &Access, asked: &Asked, wanted: &[Gap]) -> Result<Value, Failure> {
        let Some(person) = &asked.person else { return Err(invalid("of whom? say subject=Patient/id")) };
        let asked = Asked { kind: Kind::Individual, ..asked.clone() };
        let indicators = self.which(&asked.which)?;
        let reports = self.evaluate(access, &asked)?;
        let mut ids = IdSource::new();
        let mut address = || format!("urn:uuid:{}", ids.give());
        let (mut sections, mut entries) = (Vec::new(), Vec::new());
        let subject = json!({"reference": format!("Patient/{person}")});
        let date = format_instant(SystemClock.now());
        for (indicator, report) in indicators.iter().zip(reports) {
            let Some(gap) = gap_of(indicator, &report) else { continue };
            if !wanted.is_empty() && !wanted.contains(&gap) {
                continue;
            }
            let (of_report, of_issue) = (address(), address());
            let title = text_in(&indicator.measure.json, "title", "ja").to_owned();
            let status = json!({"url": STATUS, "valueCodeableConcept":
                {"coding": [{"system": STATUS_CODES, "code": gap.code()}]}});
            sections.push(json!({
                "title": title,
                "text": narrative(&title, gap),
                "focus": {"reference": of_report},
                "entry": [{"reference": of_issue}],
            }));
            let canonical = format!("{}|{}", indicator.measure.url, indicator.measure.version);
            entries.push(json!({"fullUrl": of_report, "resource": report}));
            entries.push(json!({"fullUrl": of_issue, "resource": {
                "resourceType": "DetectedIssue",
                "modifierExtension": [status],
                "status": "final",
                "code": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "CAREGAP"}]},
                "patient": subject,
                "identifiedDateTime": date,
                "evidence": [{"detail": [{"reference": of_report}]}],
                "detail": format!("{title} ({canonical})"),
            }}));
        }
        let program = json!({"resourceType": "Device", "id": "program", "deviceName":
            [{"name": "Yojigen", "type": "model-name"}], "version": [{"value": CODE_VERSION}]});
        let mut composition = json!({
            "resourceType": "Composition",
            "contained": [program],
            "status": "final",
            "type": {"coding": [{"system": "http://loinc.org", "code": "96315-7", "display": "Gaps in care report"}]},
            "subject": subject,
            "date": date,
            "author": [{"reference": "#program"}],
            "title": "ケアギャップ / Gaps in care",
        });
        if !sections.is_empty() {
            composition["section"] = sections.into();
        }
        let mut all = vec![json!({"fullUrl": address(), "resource": composition})];
        all.extend(entries);
        Ok(json!({
            "resourceType": "Bundle",
            "identifier": {"system": "urn:ietf:rfc:3986", "value": address()},
            "type": "document",
            "timestamp": date,
            "entry": all,
        }))
    }
}
