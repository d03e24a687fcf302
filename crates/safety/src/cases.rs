//! Every rule shows itself: its case is found, and nothing of it is found without what the case says.

use crate::facts::{Facts, Medication};
use crate::report::{Finding, Kind, Severity};
use crate::rows::Case;
use crate::rules::Rules;
use crate::words::Language;

fn findings(rules: &Rules, facts: &Facts, case: &Case) -> Vec<Finding> {
    let order = Medication::named(&rules.medicines, &case.order, &case.usage);
    assert!(!order.ingredients.is_empty(), "{} is not recognised", case.order);
    rules.check(facts, &order).findings
}

/// Shows one rule; what goes wrong is said, so that all of them can be seen at once.
fn show(rules: &Rules, id: &str, case: &Case, severity: Option<Severity>, wrong: &mut Vec<String>) {
    let facts = Facts::of_case(&rules.medicines, case);
    let found = findings(rules, &facts, case);
    let Some(finding) = found.iter().find(|f| f.rule == id) else {
        let instead: Vec<&String> = found.iter().map(|f| &f.rule).collect();
        return wrong.push(format!("{id}: not found, but {instead:?}"));
    };
    if let Some(severity) = case.severity.or(severity)
        && finding.severity != severity
    {
        wrong.push(format!("{id}: {:?}", finding.severity));
    }
    for language in [Language::Japanese, Language::English] {
        let said = language.say_finding(finding);
        for text in [&said.summary, &said.reason, &said.advice, &said.source] {
            if text.is_empty()
                || text.contains(['{', '}', '$'])
                || text.contains("effect-")
                || text.contains("advice-")
            {
                wrong.push(format!("{id}: {text}"));
            }
        }
        if said.summary.chars().count() > 140 {
            wrong.push(format!("{id}: too long: {}", said.summary));
        }
    }
    // Without the other medicine, the allergy, the kidneys, the pregnancy or the amount there is nothing to say.
    let mut bare = Case { order: case.order.clone(), ..Case::default() };
    if case.has.is_none()
        && case.allergy.is_none()
        && case.egfr.is_none()
        && case.week.is_none()
        && case.age.is_none()
    {
        bare.usage = String::new();
    }
    let facts = Facts::of_case(&rules.medicines, &bare);
    if findings(rules, &facts, &bare).iter().any(|f| f.rule == id) {
        wrong.push(format!("{id}: found without its facts"));
    }
}

#[test]
fn every_rule_shows_itself_and_is_silent_without_its_facts() {
    let rules = Rules::load().unwrap();
    let mut wrong = Vec::new();
    for r in &rules.allergies {
        show(&rules, &r.row.id, &r.row.test, Some(r.row.severity), &mut wrong);
    }
    for r in &rules.duplicates {
        show(&rules, &r.row.id, &r.row.test, Some(r.row.severity), &mut wrong);
    }
    for r in &rules.interactions {
        show(&rules, &r.row.id, &r.row.test, Some(r.row.severity), &mut wrong);
    }
    for r in &rules.renal {
        show(&rules, &r.row.id, &r.row.test, None, &mut wrong);
    }
    for r in &rules.pregnancy {
        show(&rules, &r.row.id, &r.row.test, Some(r.row.severity), &mut wrong);
    }
    for r in &rules.doses {
        show(&rules, &r.row.id, &r.row.test, Some(r.row.severity), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_have_names_of_their_own_and_sources_that_can_be_read() {
    let rules = Rules::load().unwrap();
    let list = rules.list();
    let mut ids: Vec<&str> = list.iter().map(|r| r.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), list.len());
    let count = |kind: Kind| list.iter().filter(|r| r.kind == kind).count();
    assert!(count(Kind::Interaction) >= 40 && count(Kind::Renal) >= 30);
    assert!(count(Kind::Pregnancy) >= 30 && count(Kind::Dose) >= 50);
    assert!(rules.sources().all(|(year, url)| (1990..=2026).contains(&year) && url.starts_with("https://")));
}
