//! A summary of which nothing can be told of few persons.
//!
//! Of each group, numerator and denominator are one table by each stratifier; all of them count the same persons, so they are
//! protected together (`indicators::disclosure`). What is left out is marked as masked, and so is a score that would tell it.

use indicators::disclosure::{
    Dimension, Error, Published, Rule, Table, proportion_table, protect as protect_tables,
};
use measures::{Counts, GroupResult, Outcome, PopulationKind, Scoring};
use serde_json::{Value, json};

const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// What two numbers of one cell are: a part and the whole.
fn pair(scoring: Scoring, counts: &Counts) -> (u64, u64) {
    match scoring {
        Scoring::Proportion | Scoring::Ratio => (counts.numerator.min(counts.counted()), counts.counted()),
        Scoring::ContinuousVariable => (counts.observed, counts.observed),
        Scoring::Cohort => (counts.initial, counts.initial),
    }
}

fn tables(scoring: Scoring, group: &GroupResult) -> Result<Vec<Table>, Error> {
    let table = |name: &str, dimensions: Vec<Dimension>, pairs: Vec<(u64, u64)>| {
        let (parts, wholes): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
        proportion_table(name, "counted", dimensions, &parts, &wholes)
    };
    let mut all = vec![table("all", Vec::new(), vec![pair(scoring, &group.counts)])?];
    for (at, strata) in group.strata.iter().enumerate() {
        let names: Vec<String> = (0..strata.len()).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if !names.is_empty() {
            let dimension = Dimension::without_total(&format!("stratifier {at}"), &names);
            all.push(table(
                &format!("by {at}"),
                vec![dimension],
                strata.iter().map(|s| pair(scoring, &s.counts)).collect(),
            )?);
        }
    }
    Ok(all)
}

/// The shown numbers of each cell of a table: part and whole.
fn shown(published: &Published) -> Vec<(Option<u64>, Option<u64>)> {
    let pair = |cells: &[indicators::disclosure::Shown]| match cells {
        [part, whole] => (part.value, whole.value),
        _ => (None, None),
    };
    published.cells.chunks(2).map(pair).collect()
}

/// Leaves out of a summary what could tell of few.
///
/// # Errors
/// Counts that disagree with each other.
pub(crate) fn protect(outcome: &Outcome, report: &mut Value) -> Result<(), Error> {
    let measure = &outcome.indicator.measure;
    let rule = Rule::of(measure.small_cell.max(2));
    for (at, group) in outcome.groups.iter().enumerate() {
        let published = protect_tables(&tables(measure.scoring, group)?, &rule)?;
        let mut published = published.iter().map(shown);
        let written = &mut report["group"][at];
        let whole = published.next().and_then(|cells| cells.first().copied()).unwrap_or_default();
        // What is counted beside numerator and denominator is told of the whole alone, and only if neither it nor what is
        // left without it is small.
        let is_told = |count: u64| {
            let rest = group.counts.initial.saturating_sub(count);
            [count, rest].iter().all(|n| *n == 0 || *n >= rule.k)
        };
        mask(written, measure.scoring, whole, &|count| is_told(count));
        for (stratifier, strata) in group.strata.iter().enumerate().filter(|(_, strata)| !strata.is_empty()) {
            let cells = published.next().unwrap_or_default();
            for (n, _) in strata.iter().enumerate() {
                let cell = cells.get(n).copied().unwrap_or_default();
                mask(&mut written["stratifier"][stratifier]["stratum"][n], measure.scoring, cell, &|_| false);
            }
        }
    }
    Ok(())
}

/// Leaves out a group or stratum wholly.
pub(crate) fn leave_out(written: &mut Value) {
    mask(written, Scoring::Cohort, (None, None), &|_| false);
}

/// Leaves out a group with all its strata.
pub(crate) fn leave_out_all(group: &mut Value) {
    leave_out(group);
    for stratifier in group["stratifier"].as_array_mut().into_iter().flatten() {
        leave_out_strata(stratifier);
    }
}

/// Leaves out all strata of a stratifier.
pub(crate) fn leave_out_strata(stratifier: &mut Value) {
    stratifier["stratum"].as_array_mut().into_iter().flatten().for_each(leave_out);
}

/// Masks the counts of a group or stratum that are not shown, and the score if it would tell them.
fn mask(
    written: &mut Value,
    scoring: Scoring,
    (part, whole): (Option<u64>, Option<u64>),
    is_told: &dyn Fn(u64) -> bool,
) {
    for population in written["population"].as_array_mut().into_iter().flatten() {
        let code = population["code"]["coding"][0]["code"].as_str().unwrap_or_default().to_owned();
        let is = |kind: PopulationKind| kind.code() == code;
        let count = population["count"].as_u64().unwrap_or(0);
        let is_shown = if is(PopulationKind::Numerator) {
            part.is_some()
        } else if is(PopulationKind::MeasureObservation)
            || (is(PopulationKind::InitialPopulation) && scoring == Scoring::Cohort)
        {
            whole.is_some()
        } else {
            // With exclusions the denominator is more than what the score divides by; each of both is looked at.
            whole == Some(count) || (whole.is_some() && is_told(count))
        };
        if !is_shown && let Some(members) = population.as_object_mut() {
            members.remove("count");
            members
                .insert("_count".to_owned(), json!({"extension": [{"url": ABSENT, "valueCode": "masked"}]}));
        }
    }
    if (part.is_none() || whole.is_none())
        && let Some(members) = written.as_object_mut()
    {
        if members.remove("measureScore").is_some() {
            members.insert(
                "measureScore".to_owned(),
                json!({"extension": [{"url": ABSENT, "valueCode": "masked"}]}),
            );
        }
        if let Some(extensions) = members.get_mut("extension").and_then(Value::as_array_mut) {
            extensions.clear();
        }
        members
            .retain(|name, value| name != "extension" || value.as_array().is_some_and(|all| !all.is_empty()));
    }
}

/// Puts the interval of each share beside it.
pub(crate) fn put_intervals(outcome: &Outcome, report: &mut Value) {
    let scoring = outcome.indicator.measure.scoring;
    if scoring != Scoring::Proportion {
        return;
    }
    for (at, group) in outcome.groups.iter().enumerate() {
        let written = &mut report["group"][at];
        put_interval(written, pair(scoring, &group.counts));
        for (stratifier, strata) in group.strata.iter().enumerate() {
            for (n, stratum) in strata.iter().enumerate() {
                let cell = pair(scoring, &stratum.counts);
                put_interval(&mut written["stratifier"][stratifier]["stratum"][n], cell);
            }
        }
    }
}

fn put_interval(written: &mut Value, (part, whole): (u64, u64)) {
    let Some(interval) = indicators::statistics::interval::wilson(part, whole, 0.95) else { return };
    written["extension"] = json!([{
        "url": "https://yojigen.example/fhir/StructureDefinition/confidence-interval",
        "extension": [
            {"url": "level", "valueDecimal": 0.95},
            {"url": "low", "valueDecimal": rounded(interval.low)},
            {"url": "high", "valueDecimal": rounded(interval.high)},
            {"url": "method", "valueString": "Wilson score"},
            {"url": "counted", "valueInteger": whole},
        ],
    }]);
}

fn rounded(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}
