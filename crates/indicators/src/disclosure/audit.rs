//! Looking at what is published as who attacks would.

use serde::Serialize;

use super::protect::{primary, steps};
use super::search::{Wanted, search};
use super::system::{Form, Proof, System};
use super::table::{Error, Rule, Table};

/// A count that is known too well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The table.
    pub table: String,
    /// The cell's groups.
    pub labels: Vec<String>,
    /// The least value that was found to fit.
    pub low: i64,
    /// The greatest.
    pub high: i64,
}

impl Finding {
    /// Does only one value fit?
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.low == self.high
    }
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Counts that are shown although they are small.
    pub shown: Vec<Finding>,
    /// Counts that follow from others, exactly or within less than the rule's width.
    pub narrow: Vec<Finding>,
    /// How many counts were looked at.
    pub looked_at: usize,
}

impl Audit {
    /// Is nothing known that must not be?
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.shown.is_empty() && self.narrow.is_empty()
    }
}

/// Looks at tables as they are (or are to be) published. What is not proven to be wide is a finding.
///
/// # Errors
/// A table without what is published of it, or tables that disagree.
pub fn audit(tables: &[Table], rule: &Rule) -> Result<Audit, Error> {
    if let Some(table) = tables.iter().find(|t| t.published.is_none()) {
        let what = "it is not said what of it is published".to_owned();
        return Err(Error::Table { table: table.name.clone(), what });
    }
    let system = System::of(tables, rule)?;
    let is_suppressed = primary(&system, tables);
    let name = |table: usize| tables.get(table).map(|t| t.name.clone()).unwrap_or_default();
    let small = |value: i64| u64::try_from(value).is_ok_and(|v| rule.is_small(v));
    let shown = system
        .cells
        .iter()
        .zip(&is_suppressed)
        .filter(|(cell, suppressed)| !**suppressed && small(cell.value))
        .map(|(cell, _)| Finding {
            table: name(cell.table),
            labels: cell.labels.clone(),
            low: cell.value,
            high: cell.value,
        })
        .collect();
    let width = i64::try_from(rule.width).unwrap_or(i64::MAX);
    let mut proof = Proof::default();
    let (mut narrow, mut looked_at) = (Vec::new(), 0);
    let mut known: Vec<&Form> = Vec::new();
    for (form, table, labels) in system.hidden(&is_suppressed) {
        looked_at += 1;
        let (low, high) = widest(&system, &is_suppressed, form, width, &mut proof);
        if high - low < width && !known.contains(&form) {
            known.push(form);
            narrow.push(Finding { table: name(table), labels: labels.to_vec(), low, high });
        }
    }
    Ok(Audit { shown, narrow, looked_at })
}

/// The widest range of a form that was found, as far as the width.
fn widest(system: &System, is_suppressed: &[bool], form: &Form, width: i64, proof: &mut Proof) -> (i64, i64) {
    loop {
        let (low, high) = proof.range(system, form);
        if high - low >= width {
            return (low, high);
        }
        let found = steps(width - (high - low)).find_map(|step| {
            [(high + step, true), (low - step, false)].into_iter().find_map(|(bound, is_up)| {
                search(system, is_suppressed, &Wanted { form, bound, is_up, may_suppress: false })
            })
        });
        let Some(found) = found else { return (low, high) };
        proof.witnesses.push(found.numbers);
    }
}
