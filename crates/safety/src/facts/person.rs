//! Patient, and Conditions that say that somebody is pregnant.

use fhir::NodeRef;
use fhir::date_time::{DateTime, Precision};

use super::{Dated, Facts, concept, day};
use crate::kidney::Sex;
use crate::medicines::normalised;

/// SNOMED CT: pregnant; normal pregnancy; high-risk pregnancy.
const PREGNANCY: &[&str] = &["77386006", "72892002", "47200007"];

/// Whether an ICD-10 code is one of pregnancy (not of birth and after).
fn is_pregnancy(code: &str) -> bool {
    let number = code.get(1..3).and_then(|digits| digits.parse::<u32>().ok());
    match (code.get(..1), number) {
        (Some("Z"), Some(number)) => (33..=35).contains(&number),
        (Some("O"), Some(number)) => (10..=48).contains(&number),
        _ => false,
    }
}

impl Facts {
    pub(super) fn add_person(&mut self, resource: NodeRef<'_>) {
        self.sex = match resource.text_at("gender").as_deref() {
            Some("female") => Some(Sex::Female),
            Some("male") => Some(Sex::Male),
            _ => None,
        };
        let Some(text) = resource.text_at("birthDate") else { return };
        let Some(born) = DateTime::parse(&text) else { return };
        self.birth_year = Some(i64::from(born.date().0));
        self.birth = day(&text).filter(|_| born.precision() >= Precision::Day);
    }

    pub(super) fn add_condition(&mut self, resource: NodeRef<'_>) {
        let is = |path: &str, codes: &[&str]| {
            let node = resource.child(path);
            let mut found = node.into_iter().flat_map(|n| n.all("coding")).filter_map(|c| c.text_at("code"));
            found.any(|code| codes.contains(&&*code))
        };
        if is("clinicalStatus", &["inactive", "resolved", "remission"])
            || is("verificationStatus", &["refuted", "entered-in-error", "differential", "provisional"])
            || resource.child("abatement").is_some()
        {
            return;
        }
        let Some((codings, texts)) = resource.child("code").map(concept) else { return };
        let by_code = codings.iter().any(|(system, code)| {
            (system == "http://snomed.info/sct" && PREGNANCY.contains(&code.as_str()))
                || ((system.contains("icd-10") || system.contains("icd10") || system.contains("ICD10"))
                    && is_pregnancy(code))
        });
        let by_name = texts.iter().any(|text| {
            let text = normalised(text);
            let rest = text.strip_prefix("妊娠");
            matches!(text.as_str(), "正常妊娠" | "pregnancy" | "pregnant" | "normal pregnancy")
                || rest.is_some_and(|rest| {
                    rest.is_empty()
                        || rest == "中"
                        || rest.starts_with(|c: char| c.is_ascii_digit())
                        || rest.starts_with('第')
                })
        });
        if !(by_code || by_name) {
            return;
        }
        let when = resource.text_at("recordedDate").or_else(|| resource.text_at("onset"));
        if let Some(day) = when.and_then(|text| day(&text)) {
            self.pregnant.push(Dated { day, value: true });
        }
    }
}
