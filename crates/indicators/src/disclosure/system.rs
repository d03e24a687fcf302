//! Tables as one system of equations in whole numbers, and what proves that it is safe.

use std::collections::BTreeMap;

use super::link::Block;
use super::table::{Dimension, Error, Group, Rule, Table, product};

/// More counts than these are not looked at.
const MOST_CELLS: usize = 50_000;
const MOST_COUNT: u64 = 1_000_000_000;

/// A sum of variables, less others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    pub(super) plus: Vec<usize>,
    pub(super) minus: Vec<usize>,
}

impl Form {
    pub(super) fn at(&self, x: &[i64]) -> i64 {
        let sum = |of: &[usize]| of.iter().filter_map(|v| x.get(*v)).sum::<i64>();
        sum(&self.plus) - sum(&self.minus)
    }
}

/// A shown count.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) table: usize,
    pub(super) labels: Vec<String>,
    pub(super) form: Form,
    pub(super) value: i64,
    /// How much is lost without it.
    pub(super) cost: f64,
    /// Is it out already, or not, for good?
    pub(super) is_fixed: bool,
}

/// A count that must not be known, whether or not it is shown.
#[derive(Clone, Debug)]
pub(super) struct Secret {
    pub(super) table: usize,
    pub(super) labels: Vec<String>,
    pub(super) form: Form,
}

/// Everything that tables tell of each other.
#[derive(Clone, Debug)]
pub struct System {
    /// The true counts of the finest categories.
    pub(super) truth: Vec<i64>,
    /// Sums that are equal, whatever they are.
    pub(super) links: Vec<Form>,
    /// Counts that cannot be below 0: what a later table has more than an earlier one.
    pub(super) growths: Vec<Form>,
    pub(super) cells: Vec<Cell>,
    /// Small counts of every set of categories that shown groups tell apart, and small growths.
    pub(super) secrets: Vec<Secret>,
    pub(super) rule: Rule,
}

/// Other numbers that fit what is published: for every count that must not be known two of them, far enough apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Counts of the finest categories of every table.
    pub(super) witnesses: Vec<Vec<i64>>,
}

impl System {
    /// The system of tables.
    ///
    /// # Errors
    /// A table that is none, or tables that disagree.
    pub fn of(tables: &[Table], rule: &Rule) -> Result<System, Error> {
        rule.check()?;
        let mut system = System {
            truth: Vec::new(),
            links: Vec::new(),
            growths: Vec::new(),
            cells: Vec::new(),
            secrets: Vec::new(),
            rule: *rule,
        };
        let mut blocks: Vec<Block<'_>> = Vec::new();
        for (number, table) in tables.iter().enumerate() {
            check(table)?;
            let block = system.block_of(number, table, tables, &mut blocks)?;
            let Some(block) = blocks.get(block) else { continue };
            system.cells_of(number, table, block)?;
        }
        system.link(&blocks, tables)?;
        system.grow(&blocks, tables)?;
        Ok(system)
    }

    /// The variables of a table: its own, or those of one with the same dimensions about the same persons.
    fn block_of<'t>(
        &mut self,
        number: usize,
        table: &'t Table,
        tables: &[Table],
        blocks: &mut Vec<Block<'t>>,
    ) -> Result<usize, Error> {
        let mut dimensions: Vec<&Dimension> = table.dimensions.iter().collect();
        dimensions.sort_by(|a, b| a.name.cmp(&b.name));
        let own: Vec<&Dimension> = table.dimensions.iter().collect();
        let name_of = |block: &Block<'_>| tables.get(block.table).map(|t| t.name.clone()).unwrap_or_default();
        for block in blocks.iter().filter(|b| b.population == table.population) {
            for dimension in &dimensions {
                let same = block.dimensions.iter().find(|d| d.name == dimension.name);
                if same.is_some_and(|d| d.categories != dimension.categories) {
                    return Err(Error::Disagree {
                        table: table.name.clone(),
                        other: name_of(block),
                        what: format!(
                            "the categories of '{}'; give both the finest, and groups",
                            dimension.name
                        ),
                    });
                }
            }
        }
        let names = |of: &[&Dimension]| of.iter().map(|d| d.name.clone()).collect::<Vec<_>>();
        let known = blocks
            .iter()
            .position(|b| b.population == table.population && names(&b.dimensions) == names(&dimensions));
        // Counts as given, in the order of the block.
        let given = Block { population: &table.population, dimensions: own, first: 0, table: number };
        let sizes: Vec<Vec<usize>> = dimensions.iter().map(|d| (0..d.categories.len()).collect()).collect();
        let mut counts = Vec::with_capacity(table.counts.len());
        for at in product(&sizes) {
            let by_name: BTreeMap<&str, usize> =
                dimensions.iter().zip(&at).map(|(d, at)| (d.name.as_str(), *at)).collect();
            let place: Vec<usize> =
                given.dimensions.iter().filter_map(|d| by_name.get(d.name.as_str()).copied()).collect();
            let count = table.counts.get(given.place(&place)).copied().unwrap_or_default();
            counts.push(i64::try_from(count).unwrap_or(i64::MAX));
        }
        if let Some(known) = known {
            if let Some(block) = blocks.get(known) {
                let there = self.truth.get(block.first..block.first + block.size()).unwrap_or_default();
                if there != counts {
                    return Err(Error::Disagree {
                        table: table.name.clone(),
                        other: name_of(block),
                        what: "their counts".to_owned(),
                    });
                }
            }
            return Ok(known);
        }
        let first = self.truth.len();
        self.truth.extend(counts);
        blocks.push(Block { population: &table.population, dimensions, first, table: number });
        Ok(blocks.len() - 1)
    }

    fn cells_of(&mut self, number: usize, table: &Table, block: &Block<'_>) -> Result<(), Error> {
        let shown: Vec<Vec<&Group>> = table.dimensions.iter().map(|d| d.groups.iter().collect()).collect();
        let classes: Vec<Vec<Group>> = table.dimensions.iter().map(Dimension::classes).collect();
        let told_apart: Vec<Vec<&Group>> = shown
            .iter()
            .zip(&classes)
            .map(|(shown, classes)| {
                let further = classes.iter().filter(|c| shown.iter().all(|g| g.of != c.of));
                shown.iter().copied().chain(further).collect()
            })
            .collect();
        let count = told_apart.iter().fold(1usize, |count, list| count.saturating_mul(list.len()));
        let cells = self.cells.len().saturating_add(count);
        if cells > MOST_CELLS {
            return Err(Error::TooLarge { cells, most: MOST_CELLS });
        }
        let form_of = |groups: &[&Group]| {
            let chosen = table.dimensions.iter().zip(groups).map(|(d, g)| (d.name.as_str(), g.of.as_slice()));
            let mut plus = block.variables(&chosen.collect());
            plus.sort_unstable();
            Form { plus, minus: Vec::new() }
        };
        let shown_cells = product(&shown);
        if table.published.as_ref().is_some_and(|p| p.len() != shown_cells.len()) {
            let what =
                format!("it has {} cells, and not as many are said to be published", shown_cells.len());
            return Err(Error::Table { table: table.name.clone(), what });
        }
        for (at, groups) in shown_cells.iter().enumerate() {
            let form = form_of(groups);
            let value = form.at(&self.truth);
            let labels = table.labels(groups);
            let told = table.published.as_ref().and_then(|p| p.get(at)).copied();
            if let Some(Some(told)) = told
                && i64::try_from(told) != Ok(value)
            {
                let what = format!("{}: {told} is published, its counts give {value}", labels.join(" × "));
                return Err(Error::Table { table: table.name.clone(), what });
            }
            if told == Some(None) && value < self.rule.least() {
                let what =
                    format!("{}: a zero is suppressed, which the rule does not do", labels.join(" × "));
                return Err(Error::Table { table: table.name.clone(), what });
            }
            // Sums are missed more than what they are made of, and large counts more than small ones.
            let cost = (2.0 + value as f64).ln() * (1.0 + (form.plus.len() as f64).ln());
            self.cells.push(Cell { table: number, labels, form, value, cost, is_fixed: told.is_some() });
        }
        for groups in product(&told_apart) {
            let form = form_of(&groups);
            if u64::try_from(form.at(&self.truth)).is_ok_and(|v| self.rule.is_small(v)) {
                let labels = table.labels(&groups);
                self.secrets.push(Secret { table: number, labels, form });
            }
        }
        Ok(())
    }

    /// Every count whose interval must be wide: what is suppressed, and what must not be known.
    pub(super) fn hidden<'s>(
        &'s self,
        is_suppressed: &'s [bool],
    ) -> impl Iterator<Item = (&'s Form, usize, &'s [String])> {
        let cells = self.cells.iter().zip(is_suppressed).filter(|(_, s)| **s);
        cells
            .map(|(cell, _)| (&cell.form, cell.table, cell.labels.as_slice()))
            .chain(self.secrets.iter().map(|s| (&s.form, s.table, s.labels.as_slice())))
    }

    /// Do these numbers fit everything that is published, and the rule?
    pub(super) fn fits(&self, x: &[i64], is_suppressed: &[bool]) -> bool {
        x.len() == self.truth.len()
            && x.iter().all(|v| *v >= 0)
            && self.links.iter().all(|link| link.at(x) == 0)
            && self.growths.iter().all(|growth| growth.at(x) >= 0)
            && self.cells.iter().zip(is_suppressed).all(|(cell, suppressed)| match suppressed {
                true => cell.form.at(x) >= self.rule.least(),
                false => cell.form.at(x) == cell.value,
            })
    }
}

impl Proof {
    /// The least and the greatest value of a form among the truth and the witnesses.
    pub(super) fn range(&self, system: &System, form: &Form) -> (i64, i64) {
        let all = self.witnesses.iter().chain([&system.truth]);
        all.map(|x| form.at(x)).fold((i64::MAX, i64::MIN), |(low, high), v| (low.min(v), high.max(v)))
    }

    /// Does it prove that nothing can be known? Checked in whole numbers, without any solver.
    pub(super) fn holds(&self, system: &System, is_suppressed: &[bool]) -> bool {
        let width = i64::try_from(system.rule.width).unwrap_or(i64::MAX);
        self.witnesses.iter().chain([&system.truth]).all(|x| system.fits(x, is_suppressed))
            && system.hidden(is_suppressed).all(|(form, ..)| {
                let (low, high) = self.range(system, form);
                high - low >= width
            })
    }
}

fn check(table: &Table) -> Result<(), Error> {
    let fails = |what: String| Err(Error::Table { table: table.name.clone(), what });
    let mut cells = 1usize;
    for dimension in &table.dimensions {
        let count = dimension.categories.len();
        let is_rising = |of: &[usize]| of.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        let is_group = |g: &Group| !g.of.is_empty() && is_rising(&g.of) && g.of.iter().all(|at| *at < count);
        if dimension.groups.is_empty() || !dimension.groups.iter().all(is_group) {
            return fails(format!("the groups of '{}' are not of its categories", dimension.name));
        }
        if table.dimensions.iter().filter(|d| d.name == dimension.name).count() > 1 {
            return fails(format!("the dimension '{}' is there twice", dimension.name));
        }
        cells = cells.saturating_mul(count);
    }
    if cells > MOST_CELLS {
        return Err(Error::TooLarge { cells, most: MOST_CELLS });
    }
    if table.counts.len() != cells {
        return fails(format!("it has {} counts, its categories need {cells}", table.counts.len()));
    }
    let sum = table.counts.iter().try_fold(0u64, |sum, count| sum.checked_add(*count));
    if sum.is_none_or(|sum| sum > MOST_COUNT) {
        return fails(format!("it counts more than {MOST_COUNT}"));
    }
    Ok(())
}
