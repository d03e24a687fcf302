//! Suppressing until the proof holds.

use super::search::{Found, Wanted, search};
use super::system::{Form, Proof, System};
use super::table::{Error, Rule, Table};

/// A cell as it is published.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// Its groups, in the order of the table's dimensions.
    pub labels: Vec<String>,
    /// The count; `None` where it is suppressed, whatever for.
    pub value: Option<u64>,
}

/// A table as it is published.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Published {
    /// The table's name.
    pub name: String,
    /// Its cells: the last dimension runs fastest, groups in the order they were given.
    pub cells: Vec<Shown>,
}

impl Published {
    /// The count of a cell, if it is shown.
    #[must_use]
    pub fn value(&self, labels: &[&str]) -> Option<u64> {
        self.cells.iter().find(|cell| cell.labels == labels).and_then(|cell| cell.value)
    }

    /// The counts in order, as [`Table::published`] takes them of an earlier release.
    #[must_use]
    pub fn values(&self) -> Vec<Option<u64>> {
        self.cells.iter().map(|cell| cell.value).collect()
    }
}

/// Tables as they can be published together, in their order; those that are out already as they are.
///
/// # Errors
/// Tables that are none or disagree, and what is exposed already.
pub fn protect(tables: &[Table], rule: &Rule) -> Result<Vec<Published>, Error> {
    let system = System::of(tables, rule)?;
    let is_suppressed = suppress(&system, tables)?;
    Ok(tables
        .iter()
        .enumerate()
        .map(|(number, table)| {
            let cells = system.cells.iter().zip(&is_suppressed).filter(|(cell, _)| cell.table == number);
            Published {
                name: table.name.clone(),
                cells: cells
                    .map(|(cell, suppressed)| Shown {
                        labels: cell.labels.clone(),
                        value: u64::try_from(cell.value).ok().filter(|_| !suppressed),
                    })
                    .collect(),
            }
        })
        .collect())
}

/// What is suppressed before anything else is looked at: what is out of a table that is out, small counts of the others.
pub(super) fn primary(system: &System, tables: &[Table]) -> Vec<bool> {
    let mut places = vec![0usize; tables.len()];
    let mut is_suppressed = Vec::with_capacity(system.cells.len());
    for cell in &system.cells {
        let at = places.get_mut(cell.table).map_or(0, |at| std::mem::replace(at, *at + 1));
        let told = tables.get(cell.table).and_then(|t| t.published.as_ref()).and_then(|p| p.get(at));
        is_suppressed.push(match told {
            Some(told) => told.is_none(),
            None => u64::try_from(cell.value).is_ok_and(|v| system.rule.is_small(v)),
        });
    }
    is_suppressed
}

fn suppress(system: &System, tables: &[Table]) -> Result<Vec<bool>, Error> {
    let mut is_suppressed = primary(system, tables);
    let mut proof = Proof::default();
    let width = i64::try_from(system.rule.width).unwrap_or(i64::MAX);
    // Each round widens one interval; what is suppressed for it must be wide itself, in a later round.
    loop {
        let narrow = system
            .hidden(&is_suppressed)
            .map(|(form, table, labels)| (form, table, labels, proof.range(system, form)))
            .find(|(.., (low, high))| high - low < width);
        let Some((form, table, labels, range)) = narrow else { break };
        let Some(found) = widen(system, &is_suppressed, form, range, width) else {
            let table = tables.get(table).map(|t| t.name.clone()).unwrap_or_default();
            return Err(Error::Exposed { table, labels: labels.to_vec() });
        };
        for at in found.changed {
            if let Some(suppressed) = is_suppressed.get_mut(at) {
                *suppressed = true;
            }
        }
        proof.witnesses.push(found.numbers);
    }
    match proof.holds(system, &is_suppressed) {
        true => Ok(is_suppressed),
        // Not reached: every witness was checked as it was found.
        false => Err(Error::Exposed { table: String::new(), labels: Vec::new() }),
    }
}

/// All that is needed, then half of it, and so on down to one.
pub(super) fn steps(needed: i64) -> impl Iterator<Item = i64> {
    std::iter::successors(Some(needed), |step| Some(step / 2)).take_while(|step| *step > 0)
}

/// Numbers that widen a form's interval: above or below, whichever costs less, first without suppressing more. Where the whole
/// width is not to be had on one side, as much of it as is.
fn widen(
    system: &System,
    is_suppressed: &[bool],
    form: &Form,
    (low, high): (i64, i64),
    width: i64,
) -> Option<Found> {
    steps(width - (high - low)).find_map(|step| {
        let directions = [(high + step, true), (low - step, false)];
        [false, true].into_iter().find_map(|may_suppress| {
            let found = directions.into_iter().filter_map(|(bound, is_up)| {
                search(system, is_suppressed, &Wanted { form, bound, is_up, may_suppress })
            });
            found.min_by(|a, b| a.cost.total_cmp(&b.cost))
        })
    })
}
