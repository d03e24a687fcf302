//! What a report would tell together with one that is out already.
//!
//! Each release is proven safe in itself (`protected`). Two of them are put together here, by their shown numbers alone: the
//! same cell at two moments, and the whole of one release less the cells that the other shows. Whatever comes out between 0 and
//! k would tell of few persons, who were there, came or went; then what is new is left out. Only what is shown, or would be, is
//! looked at, never a count that is left out: that nothing is said tells no more than that a number was too near.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The name of the table that is not by anything.
pub(super) const WHOLE: &str = "";

/// Numbers of a cell by their names; none where a number is left out.
type Cell = BTreeMap<String, Option<i64>>;

/// What is shown of an indicator: cells of each table, by name.
#[derive(Debug, Default)]
pub(super) struct Shown(BTreeMap<String, BTreeMap<String, Cell>>);

/// The counts of a group or stratum, and what follows from two of them.
fn cell_of(group: &Value) -> Cell {
    let populations = group["population"].as_array().map_or(&[][..], Vec::as_slice);
    let counts: Vec<(&str, Option<i64>)> = populations
        .iter()
        .filter_map(|p| Some((p["code"]["coding"][0]["code"].as_str()?, p["count"].as_i64())))
        .collect();
    let mut cell: Cell = counts.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect();
    for (at, (one, count)) in counts.iter().enumerate() {
        for (other, less) in counts.iter().skip(at + 1) {
            let rest = count.zip(*less).map(|(count, less)| count - less);
            cell.insert(format!("{one} without {other}"), rest);
        }
    }
    cell
}

/// The name of a stratifier in a report.
pub(super) fn name_of(at: usize, stratifier: &Value) -> String {
    let code = &stratifier["code"][0];
    let name = code["coding"][0]["code"].as_str().or_else(|| code["text"].as_str());
    name.map_or_else(|| at.to_string(), str::to_owned)
}

impl Shown {
    /// Of a group of a report.
    pub(super) fn of(group: &Value) -> Shown {
        let mut tables = BTreeMap::new();
        tables.insert(WHOLE.to_owned(), BTreeMap::from([(WHOLE.to_owned(), cell_of(group))]));
        for (at, stratifier) in group["stratifier"].as_array().into_iter().flatten().enumerate() {
            let strata = stratifier["stratum"].as_array().map_or(&[][..], Vec::as_slice);
            let cells = strata.iter().map(|stratum| (stratum["value"].to_string(), cell_of(stratum)));
            tables.insert(name_of(at, stratifier), cells.collect());
        }
        Shown(tables)
    }

    /// Whether a number is shown at all.
    pub(super) fn is_anything(&self) -> bool {
        self.0.keys().any(|table| self.shows(table))
    }

    fn shows(&self, table: &str) -> bool {
        self.0.get(table).is_some_and(|cells| cells.values().flat_map(BTreeMap::values).any(Option::is_some))
    }

    /// A number of a cell. Who is in no cell of a table that is shown is not there at all.
    fn number(&self, table: &str, cell: &str, name: &str) -> Option<i64> {
        match self.0.get(table).and_then(|cells| cells.get(cell)) {
            Some(cell) => cell.get(name).copied().flatten(),
            None => self.shows(table).then_some(0),
        }
    }

    fn names(&self) -> BTreeSet<&str> {
        let cells = self.0.values().flat_map(BTreeMap::values);
        cells.flat_map(|cell| cell.keys().map(String::as_str)).collect()
    }

    fn cells(&self, table: &str) -> BTreeSet<&str> {
        self.0.get(table).into_iter().flat_map(|cells| cells.keys().map(String::as_str)).collect()
    }
}

/// Whether a number tells of few.
fn is_few(number: i64, k: u64) -> bool {
    (1..k).contains(&number.unsigned_abs())
}

/// The tables by which what is new would tell of few, together with what is out.
pub(super) fn telling(out: &Shown, new: &Shown, k: u64) -> BTreeSet<String> {
    let names: BTreeSet<&str> = out.names().union(&new.names()).copied().collect();
    let tables: BTreeSet<&String> = out.0.keys().chain(new.0.keys()).collect();
    let mut found = BTreeSet::new();
    for table in tables {
        let cells: BTreeSet<&str> = out.cells(table).union(&new.cells(table)).copied().collect();
        let is_telling = cells.iter().any(|cell| change_tells(out, new, table, cell, &names, k))
            || (table.as_str() != WHOLE
                && names.iter().any(|name| {
                    remainder_tells(out, new, table, &cells, name, k)
                        || remainder_tells(new, out, table, &cells, name, k)
                }));
        if is_telling {
            found.insert(table.clone());
        }
    }
    found
}

/// Whether one cell at two moments tells of few: what it has more or less, and a part of one moment taken from the whole of the
/// other, where not both are shown of one.
fn change_tells(out: &Shown, new: &Shown, table: &str, cell: &str, names: &BTreeSet<&str>, k: u64) -> bool {
    let (then, now) =
        (|name: &str| out.number(table, cell, name), |name: &str| new.number(table, cell, name));
    let less = |a: Option<i64>, b: Option<i64>| a.zip(b).is_some_and(|(a, b)| is_few(a - b, k));
    let is_mixed = |a: &str, b: &str| {
        (then(a).is_none() || then(b).is_none() || now(a).is_none() || now(b).is_none())
            && (less(then(a), now(b)) || less(now(a), then(b)))
    };
    names.iter().any(|name| less(now(name), then(name)))
        || names.iter().any(|a| names.iter().any(|b| a != b && is_mixed(a, b)))
}

/// Whether the whole of one release, less the cells it shows and those that only the other shows, tells of few; and so of each
/// of these cells.
fn remainder_tells(
    one: &Shown,
    other: &Shown,
    table: &str,
    cells: &BTreeSet<&str>,
    name: &str,
    k: u64,
) -> bool {
    let Some(whole) = one.number(WHOLE, WHOLE, name) else { return false };
    let own = |cell: &str| one.number(table, cell, name);
    let known: Vec<i64> =
        cells.iter().filter_map(|cell| own(cell).or_else(|| other.number(table, cell, name))).collect();
    // What follows from one release alone is proven already.
    let is_filled = cells.iter().any(|cell| own(cell).is_none() && other.number(table, cell, name).is_some());
    let rest = whole - known.iter().sum::<i64>();
    is_filled && (is_few(rest, k) || known.iter().any(|number| is_few(rest + number, k)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn populations(denominator: Option<u64>, numerator: Option<u64>) -> Value {
        let population = |code: &str, count: Option<u64>| {
            let mut one = json!({"code": {"coding": [{"code": code}]}});
            if let Some(count) = count {
                one["count"] = json!(count);
            }
            one
        };
        json!([population("denominator", denominator), population("numerator", numerator)])
    }

    fn shown(whole: (Option<u64>, Option<u64>), strata: &[(&str, Option<u64>, Option<u64>)]) -> Shown {
        let strata: Vec<Value> = strata
            .iter()
            .map(|(name, d, n)| json!({"value": {"text": name}, "population": populations(*d, *n)}))
            .collect();
        Shown::of(&json!({"population": populations(whole.0, whole.1),
            "stratifier": [{"code": [{"text": "sex"}], "stratum": strata}]}))
    }

    fn tells(out: &Shown, new: &Shown) -> Vec<String> {
        telling(out, new, 10).into_iter().collect()
    }

    #[test]
    fn the_same_and_what_is_far_apart_tell_nothing() {
        let first = shown((Some(100), Some(40)), &[("f", Some(50), Some(20)), ("m", Some(50), Some(20))]);
        assert!(tells(&first, &first).is_empty());
        let far = shown((Some(160), Some(70)), &[("f", Some(80), Some(35)), ("m", Some(80), Some(35))]);
        assert!(tells(&first, &far).is_empty());
        let nothing = shown((None, None), &[("f", None, None), ("m", None, None)]);
        assert!(tells(&nothing, &first).is_empty() && !nothing.is_anything());
    }

    #[test]
    fn a_small_change_tells() {
        let first = shown((Some(100), Some(40)), &[("f", Some(50), Some(20)), ("m", Some(50), Some(20))]);
        let near = shown((Some(101), Some(40)), &[("f", Some(51), Some(20)), ("m", Some(50), Some(20))]);
        assert_eq!(tells(&first, &near), ["", "sex"]);
        // Nobody more, but three of them now are in the numerator.
        let part = shown((Some(100), Some(43)), &[("f", None, None), ("m", None, None)]);
        assert_eq!(tells(&first, &part), ["", "sex"]);
        // Eleven more in each, whole and part: those who are not in the part stay the same.
        let all = shown((Some(122), Some(62)), &[("f", Some(61), Some(31)), ("m", Some(61), Some(31))]);
        assert!(tells(&first, &all).is_empty());
        // Two parts that change enough, and what is left changes by one.
        let rest = shown((Some(120), Some(61)), &[("f", None, None), ("m", None, None)]);
        assert_eq!(tells(&first, &rest), ["", "sex"]);
    }

    #[test]
    fn what_another_release_shows_fills_no_gap() {
        // Three women were left out with the men; later the men alone are shown.
        let first = shown((Some(60), None), &[("f", None, None), ("m", None, None)]);
        let later = shown((Some(60), None), &[("f", None, None), ("m", Some(57), None)]);
        assert_eq!(tells(&first, &later), ["sex"]);
        assert_eq!(tells(&later, &first), ["sex"]);
        // A whole of one, a part of another: two of forty were not in it.
        let whole = shown((Some(40), None), &[]);
        let part = shown((Some(50), Some(38)), &[]);
        assert_eq!(tells(&whole, &part), [""]);
        // The whole of a later one without strata, less those of an earlier one.
        let strata = shown((Some(102), None), &[("f", Some(90), None), ("m", Some(12), None)]);
        let less = shown((Some(92), None), &[("f", None, None), ("m", None, None)]);
        assert_eq!(tells(&strata, &less), ["sex"]);
    }

    #[test]
    fn who_is_in_no_cell_was_not_there() {
        let first = shown((Some(50), Some(20)), &[("f", Some(50), Some(20))]);
        let later = shown((Some(62), Some(30)), &[("f", Some(50), Some(20)), ("m", Some(12), Some(10))]);
        // Two of the twelve are not in the part, in sum too.
        assert_eq!(tells(&first, &later), ["", "sex"]);
        let later = shown((Some(72), Some(30)), &[("f", Some(50), Some(20)), ("m", Some(22), Some(10))]);
        assert!(tells(&first, &later).is_empty());
    }
}
