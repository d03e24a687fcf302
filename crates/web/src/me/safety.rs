//! What is to be seen to about medicines taken together: doubles, interactions, allergies.
//!
//! The rules are those of the crate `safety`, which a clinician is shown as they order. Here each medicine that is taken is
//! looked at beside those that come after it, so that a pair is named once.

use fhir::Resource;
use safety::{Area, Facts, Kind, Language as Spoken, Medication, Rules, Severity};

use super::own::Own;
use crate::calendar::Day;
use crate::failure::Failure;
use crate::language::Language;

/// Warnings that are shown, and medicines that are looked at.
const MOST: usize = 12;
const MOST_MEDICINES: usize = 40;
/// What was taken once counts as taken for so many days.
const RECENT: i64 = 3;

/// Something to be seen to.
#[derive(Debug)]
pub(super) struct Warning {
    /// What it is about.
    pub(super) title: String,
    /// Why, and what to do.
    pub(super) words: String,
    /// Who says so.
    pub(super) source: String,
    pub(super) is_grave: bool,
}

fn facts(own: &Own, allergies: &[Resource]) -> Facts {
    let mut facts = Facts::on(&own.on.iso());
    for resource in allergies {
        facts.add(&Rules::shipped().medicines, resource.root());
    }
    facts.looked_at(Area::Allergies);
    facts.looked_at(Area::Medications);
    facts
}

/// What the person said they took of late.
fn taken_once(own: &Own, statement: &Resource) -> bool {
    let node = statement.root();
    let is_done = node.text_at("status").as_deref() == Some("completed");
    let day = node.text_at("effective").and_then(|text| Day::read(&text, &own.zone));
    is_done && day.is_some_and(|day| own.on.days() - day.days() <= RECENT)
}

/// What is to be seen to, gravest first.
pub(super) fn warnings(
    own: &Own,
    requests: &[Resource],
    statements: &[Resource],
    allergies: &[Resource],
) -> Result<Vec<Warning>, Failure> {
    let rules = Rules::shipped();
    let spoken = match own.words.language {
        Language::Japanese => Spoken::Japanese,
        Language::English => Spoken::English,
    };
    let mut all = facts(own, allergies);
    for resource in requests.iter().chain(statements) {
        all.add(&rules.medicines, resource.root());
    }
    let mut taken: Vec<Medication> = all.taken().to_vec();
    let once = statements.iter().filter(|s| taken_once(own, s));
    taken.extend(once.filter_map(|s| all.order(&rules.medicines, s.root())));
    taken.truncate(MOST_MEDICINES);
    let mut found = Vec::new();
    for (at, medication) in taken.iter().enumerate() {
        let mut others = facts(own, allergies);
        for other in taken.iter().skip(at + 1).filter(|o| o.written != medication.written) {
            others.take(other.clone());
        }
        found.extend(rules.check(&others, medication).findings);
    }
    found.retain(|f| matches!(f.kind, Kind::Allergy | Kind::Duplicate | Kind::Interaction));
    found.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let mut warnings: Vec<Warning> = Vec::new();
    for finding in &found {
        let said = spoken.say_finding(finding);
        if warnings.len() < MOST && !warnings.iter().any(|w| w.title == said.summary) {
            warnings.push(Warning {
                title: said.summary,
                words: format!("{} {}", said.reason, said.advice),
                source: said.source,
                is_grave: finding.severity >= Severity::Serious,
            });
        }
    }
    Ok(warnings)
}
