//! The question for one table of a group: a row for each person, or for each item, and in which populations it is.
//!
//! The columns are `person`, `item` (null where persons are counted), `event_date`, `initial`, `denominator`,
//! `excluded`, `numerator`, `value`, and `stratum_0` and so on. They are final: `excluded` is within the denominator, and
//! `numerator` is within the denominator without what is excluded (a ratio's numerator is rows of its own).

use std::fmt::Write as _;

use super::Room;
use crate::error::Error;
use crate::measure::{Group, PopulationKind, Scoring};

/// A query by the column it is joined on, one row each.
struct Part {
    query: String,
    has_person: bool,
    has_item: bool,
    has_date: bool,
}

fn part(room: &Room<'_>, query: &str) -> Result<Part, Error> {
    let columns =
        room.session.columns(query).map_err(|e| Error::sql(&room.of(), &format!("query {query}"), &e))?;
    let has = |name: &str| columns.iter().any(|c| c == name);
    if !has("person") && !has("item") {
        return Err(lacks(room, query, "person"));
    }
    Ok(Part {
        query: query.to_owned(),
        has_person: has("person"),
        has_item: has("item"),
        has_date: has("event_date"),
    })
}

fn lacks(room: &Room<'_>, query: &str, column: &str) -> Error {
    Error::new(room.of(), format!("query {query}"), format!("it has no column `{column}`"))
}

fn date(part: &Part) -> &'static str {
    if part.has_date { "min(event_date)" } else { "cast(null as date)" }
}

/// Joins the strata to a table `i` and says their columns.
fn strata(room: &Room<'_>, group: &Group, by_item: bool, joins: &mut String) -> Result<String, Error> {
    let mut columns = String::new();
    for (n, stratifier) in group.stratifiers.iter().enumerate() {
        let part = part(room, &stratifier.query)?;
        let key = if part.has_item && by_item { "item" } else { "person" };
        let _ = write!(
            joins,
            " left join (select {key} as key, min(value) as value from {} where {key} is not null group by {key}) s{n} on s{n}.key = i.{key}",
            part.query
        );
        let _ = write!(columns, ", coalesce(s{n}.value, 'unknown') as stratum_{n}");
    }
    Ok(columns)
}

/// The question.
pub(super) fn question(room: &Room<'_>, group: &Group, only_one: bool) -> Result<String, Error> {
    let measure = &room.indicator.measure;
    let by_item = measure.basis != "Patient" && measure.scoring != Scoring::Ratio;
    let key = if by_item { "item" } else { "person" };
    let named = |kind: PopulationKind| group.query(kind).unwrap_or_default();
    let initial = part(room, named(PopulationKind::InitialPopulation))?;
    if !initial.has_person {
        return Err(lacks(room, &initial.query, "person"));
    }
    if by_item && !initial.has_item {
        return Err(lacks(room, &initial.query, "item"));
    }
    let only = if only_one { " and person = $only_person" } else { "" };
    let (first, item) = if by_item {
        ("item, min(person) as person", "i.item")
    } else {
        ("person", "cast(null as varchar) as item")
    };
    let base = format!(
        "select {first}, {} as event_date from {} where {key} is not null{only} group by {key}",
        date(&initial),
        initial.query
    );
    for population in group.populations.iter().filter(|p| p.query != initial.query) {
        let is_event = measure.scoring == Scoring::Ratio && population.kind == PopulationKind::Numerator;
        let columns = part(room, &population.query)?;
        if (by_item && !columns.has_item) || (!by_item && !is_event && !columns.has_person) {
            return Err(lacks(room, &population.query, key));
        }
    }
    let mut joins = String::new();
    let flag = |kind: PopulationKind, name: &str, joins: &mut String| -> String {
        match group.query(kind) {
            None => "false".to_owned(),
            Some(query) if query == initial.query => "true".to_owned(),
            Some(query) => {
                let _ = write!(
                    joins,
                    " left join (select distinct {key} as key from {query} where {key} is not null) {name} on {name}.key = i.{key}"
                );
                format!("{name}.key is not null")
            }
        }
    };
    let (denominator, excluded) = match measure.scoring {
        Scoring::ContinuousVariable => (
            group.query(PopulationKind::MeasurePopulation).map_or_else(
                || "true".to_owned(),
                |_| flag(PopulationKind::MeasurePopulation, "d", &mut joins),
            ),
            flag(PopulationKind::MeasurePopulationExclusion, "x", &mut joins),
        ),
        Scoring::Cohort => ("true".to_owned(), "false".to_owned()),
        _ => (
            flag(PopulationKind::Denominator, "d", &mut joins),
            flag(PopulationKind::DenominatorExclusion, "x", &mut joins),
        ),
    };
    let numerator = match measure.scoring {
        Scoring::Proportion => flag(PopulationKind::Numerator, "n", &mut joins),
        _ => "false".to_owned(),
    };
    let value = match group.query(PopulationKind::MeasureObservation) {
        Some(query) if measure.scoring == Scoring::ContinuousVariable => {
            let _ = write!(
                joins,
                " left join (select {key} as key, min(value) as value from {query} where {key} is not null group by {key}) v on v.key = i.{key}"
            );
            "cast(v.value as double)"
        }
        _ => "cast(null as double)",
    };
    let columns = strata(room, group, by_item, &mut joins)?;
    let mut text = format!(
        "with i as ({base})
         select i.person, {item}, i.event_date, true as initial, {denominator} as denominator,
           {denominator} and {excluded} as excluded, {denominator} and not ({excluded}) and {numerator} as numerator,
           {value} as value{columns}
         from i{joins}"
    );
    if measure.scoring == Scoring::Ratio {
        text.push_str(&events(room, group)?);
    }
    text.push_str(" order by person, item, event_date, initial desc");
    Ok(text)
}

/// The rows of a ratio's numerator, of persons who are in its denominator.
fn events(room: &Room<'_>, group: &Group) -> Result<String, Error> {
    let numerator = part(room, group.query(PopulationKind::Numerator).unwrap_or_default())?;
    let key = if numerator.has_item { "item" } else { "person" };
    let mut joins = String::new();
    let columns = strata(room, group, false, &mut joins)?;
    let not_excluded = group.query(PopulationKind::DenominatorExclusion).map_or_else(String::new, |query| {
        format!(" and e.person not in (select person from {query} where person is not null)")
    });
    let denominator = group.query(PopulationKind::Denominator).unwrap_or_default();
    Ok(format!(
        " union all
         select i.person, e.item, e.event_date, false, false, false, true, cast(null as double){columns}
         from (select {key} as item, min(person) as person, {} as event_date from {} where {key} is not null group by {key}) e
         join i on i.person = e.person{joins}
         where i.person in (select person from {denominator} where person is not null){not_excluded}",
        date(&numerator),
        numerator.query
    ))
}
