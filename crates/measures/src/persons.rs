//! Persons: Patients joined by `Patient.link` are one.
//!
//! A view named `patient_link` with the columns `patient`, `other` and `type` says which they are. In every view with
//! a column `person`, all Patients of one person then have the same value there: the first, in the order of ids, of those that
//! no link says another stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use sql::{Answer, Cancel, Limits, Session};

use crate::error::Error;
use crate::library::Library;
use crate::materials::Materials;

/// The name of the view that says which Patients are linked.
const LINKS: &str = "patient_link";
/// More Patients than this are not taken for one person; it would be a mistake in the data.
const MOST: usize = 200;

type Links = Vec<(String, String, bool)>;

fn links(answer: &Answer) -> Links {
    let mut found = Vec::new();
    for batch in &answer.batches {
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let (Some(patients), Some(others), Some(kinds)) = (text("patient"), text("other"), text("type"))
        else {
            continue;
        };
        for row in 0..batch.num_rows() {
            if patients.is_valid(row) && others.is_valid(row) {
                let stands_back = kinds.is_valid(row) && matches!(kinds.value(row), "replaced-by" | "refer");
                found.push((patients.value(row).to_owned(), others.value(row).to_owned(), stands_back));
            }
        }
    }
    found
}

/// Which Patient stands for each that is not its own.
fn stand_ins(links: &Links) -> Result<BTreeMap<String, String>, String> {
    let mut beside: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut behind = BTreeSet::new();
    for (patient, other, stands_back) in links {
        beside.entry(patient).or_default().insert(other);
        beside.entry(other).or_default().insert(patient);
        if *stands_back {
            behind.insert(patient.as_str());
        }
    }
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for start in beside.keys().copied() {
        if !seen.insert(start) {
            continue;
        }
        let (mut members, mut at) = (vec![start], 0);
        while let Some(member) = members.get(at).copied() {
            at += 1;
            let next = beside.get(member).into_iter().flatten().copied();
            members.extend(next.filter(|other| seen.insert(other)));
            if members.len() > MOST {
                return Err(format!(
                    "more than {MOST} Patients are linked into one person, {start} among them"
                ));
            }
        }
        members.sort_unstable();
        let first = members.iter().find(|m| !behind.contains(*m)).or(members.first()).copied();
        let first = first.unwrap_or(start);
        found.extend(members.iter().filter(|m| **m != first).map(|m| ((*m).to_owned(), first.to_owned())));
    }
    Ok(found)
}

/// Gives a Library's views to a session, each with persons in its column `person`.
pub(crate) fn give_views(
    session: &Session,
    library: &Library,
    materials: &Materials,
    limits: &Limits,
    cancel: &Cancel,
) -> Result<(), Error> {
    let of = format!("Library {}", library.url);
    let said = |e: &sql::Error| Error::sql(&of, "", e);
    let mut stand_in = BTreeMap::new();
    if let Some(view) = library.views.iter().find(|v| v.name == LINKS) {
        materials.give(session, view, LINKS)?;
        let text = format!("select patient, other, type from {LINKS} where other is not null");
        let answer = session.ask(&text, &[], limits, cancel).map_err(|e| said(&e))?;
        stand_in = stand_ins(&links(&answer)).map_err(|e| Error::new(LINKS, "", e))?;
    }
    if !stand_in.is_empty() {
        let (patients, persons): (Vec<&String>, Vec<&String>) = stand_in.iter().unzip();
        let column = |of: Vec<&String>| -> ArrayRef { Arc::new(StringArray::from_iter_values(of)) };
        let batch =
            RecordBatch::try_from_iter([("patient", column(patients)), ("stand_in", column(persons))])
                .map_err(|e| Error::new(LINKS, "", e.to_string()))?;
        session.add("person-of", &batch.schema(), &[batch]).map_err(|e| said(&e))?;
    }
    for view in library.views.iter().filter(|v| v.name != LINKS) {
        let columns = view.definition.columns.iter().map(|c| c.name.as_str());
        let has_person = columns.clone().any(|c| c == "person");
        if stand_in.is_empty() || !has_person {
            materials.give(session, view, &view.name)?;
            continue;
        }
        let raw = format!("raw-{}", view.name);
        materials.give(session, view, &raw)?;
        let columns: Vec<String> = columns
            .map(|c| {
                if c == "person" {
                    "coalesce(p.stand_in, t.person) as person".to_owned()
                } else {
                    format!("t.\"{c}\"")
                }
            })
            .collect();
        let text = format!(
            "select {} from \"{raw}\" t left join \"person-of\" p on t.person = p.patient",
            columns.join(", ")
        );
        session.add_query(&view.name, &text, &[]).map_err(|e| said(&e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(patient: &str, other: &str, stands_back: bool) -> (String, String, bool) {
        (patient.to_owned(), other.to_owned(), stands_back)
    }

    #[test]
    fn the_first_that_stands_back_for_nobody_stands_for_all() {
        let links =
            vec![link("a", "b", true), link("c", "b", false), link("x", "y", false), link("y", "x", true)];
        let found = stand_ins(&links).unwrap();
        let pairs: Vec<(&str, &str)> = found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("a", "b"), ("c", "b"), ("y", "x")]);
        let many: Links = (0..300).map(|n| link("hub", &format!("p{n}"), false)).collect();
        assert!(stand_ins(&many).is_err());
    }
}
