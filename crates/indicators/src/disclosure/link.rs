//! What tables tell of each other: the same persons counted otherwise, and what grew.

use std::collections::BTreeMap;

use super::system::{Form, Secret, System};
use super::table::{Dimension, Error, Table, product};

/// The variables of one population and set of dimensions.
pub(super) struct Block<'t> {
    pub(super) population: &'t str,
    pub(super) dimensions: Vec<&'t Dimension>,
    pub(super) first: usize,
    pub(super) table: usize,
}

impl Block<'_> {
    /// The variables of a choice of categories, by dimension name; other dimensions are summed.
    pub(super) fn variables(&self, chosen: &BTreeMap<&str, &[usize]>) -> Vec<usize> {
        let lists: Vec<Vec<usize>> = self
            .dimensions
            .iter()
            .map(|d| {
                chosen
                    .get(d.name.as_str())
                    .map_or_else(|| (0..d.categories.len()).collect(), |of| of.to_vec())
            })
            .collect();
        product(&lists).iter().map(|at| self.first + self.place(at)).collect()
    }

    pub(super) fn place(&self, at: &[usize]) -> usize {
        self.dimensions.iter().zip(at).fold(0, |place, (d, at)| place * d.categories.len() + at)
    }

    pub(super) fn size(&self) -> usize {
        self.dimensions.iter().map(|d| d.categories.len()).product()
    }
}

impl System {
    /// Sums over what two blocks about the same persons have in common are equal.
    pub(super) fn link(&mut self, blocks: &[Block<'_>], tables: &[Table]) -> Result<(), Error> {
        for (at, one) in blocks.iter().enumerate() {
            for other in blocks.iter().skip(at + 1).filter(|b| b.population == one.population) {
                let common: Vec<&Dimension> = one
                    .dimensions
                    .iter()
                    .copied()
                    .filter(|d| other.dimensions.iter().any(|o| o.name == d.name))
                    .collect();
                let lists: Vec<Vec<usize>> =
                    common.iter().map(|d| (0..d.categories.len()).collect()).collect();
                for choice in product(&lists) {
                    let chosen: BTreeMap<&str, &[usize]> =
                        common.iter().zip(choice.chunks(1)).map(|(d, at)| (d.name.as_str(), at)).collect();
                    let link = Form { plus: one.variables(&chosen), minus: other.variables(&chosen) };
                    if link.at(&self.truth) != 0 {
                        let name = |block: &Block<'_>| tables.get(block.table).map(|t| t.name.clone());
                        let what: Vec<String> = common
                            .iter()
                            .zip(&choice)
                            .filter_map(|(d, at)| Some(format!("{} {}", d.name, d.categories.get(*at)?)))
                            .collect();
                        return Err(Error::Disagree {
                            table: name(one).unwrap_or_default(),
                            other: name(other).unwrap_or_default(),
                            what: format!(
                                "how many there are of {}",
                                if what.is_empty() { "all".to_owned() } else { what.join(", ") }
                            ),
                        });
                    }
                    self.links.push(link);
                }
            }
            let of_population = blocks.iter().filter(|b| b.population == one.population);
            let sets =
                of_population.map(|b| b.dimensions.iter().map(|d| d.name.as_str()).collect()).collect();
            if has_ring(sets) {
                return Err(Error::Ring { population: one.population.to_owned() });
            }
        }
        Ok(())
    }

    /// What a table has more than the one it grew from is not below 0, and if it is small must not be known.
    pub(super) fn grow(&mut self, blocks: &[Block<'_>], tables: &[Table]) -> Result<(), Error> {
        let mut growths = Vec::new();
        for (number, table) in tables.iter().enumerate() {
            let Some(before) = &table.grew_from else { continue };
            let named = |population: &str, t: &Table| {
                let mut names: Vec<&str> = t.dimensions.iter().map(|d| d.name.as_str()).collect();
                names.sort_unstable();
                blocks.iter().find(|b| {
                    b.population == population
                        && b.dimensions.iter().map(|d| d.name.as_str()).eq(names.iter().copied())
                })
            };
            let (Some(now), Some(then)) = (named(&table.population, table), named(before, table)) else {
                let what =
                    format!("it grew from '{before}', of which there is no table with the same dimensions");
                return Err(Error::Table { table: table.name.clone(), what });
            };
            let same = now.dimensions.iter().zip(&then.dimensions).all(|(a, b)| a.categories == b.categories);
            if !same || now.population == then.population {
                let what = format!("it grew from '{before}', whose categories are others");
                return Err(Error::Table { table: table.name.clone(), what });
            }
            for place in 0..now.size() {
                growths.push(Form { plus: vec![now.first + place], minus: vec![then.first + place] });
            }
            let secrets: Vec<Secret> = self
                .cells
                .iter()
                .filter(|cell| cell.table == number)
                .map(|cell| {
                    let minus = cell.form.plus.iter().map(|v| v - now.first + then.first).collect();
                    let form = Form { plus: cell.form.plus.clone(), minus };
                    Secret { table: number, labels: cell.labels.clone(), form }
                })
                .filter(|s| {
                    u64::try_from(s.form.at(&self.truth)).is_ok_and(|v| v > 0 && self.rule.is_small(v))
                })
                .collect();
            self.secrets.extend(secrets);
        }
        if let Some(shrunk) = growths.iter().find(|g| g.at(&self.truth) < 0) {
            let at = shrunk.plus.first().copied().unwrap_or_default();
            let block = blocks.iter().rev().find(|b| b.first <= at);
            let table = block.and_then(|b| tables.get(b.table)).map(|t| t.name.clone()).unwrap_or_default();
            return Err(Error::Table {
                table,
                what: "it is said to have grown, and a count is less".to_owned(),
            });
        }
        self.growths = growths;
        Ok(())
    }
}

/// Can sets of dimensions not be put together one at a time (the reduction of Graham, and Yu and Özsoyoğlu)?
fn has_ring(mut sets: Vec<Vec<&str>>) -> bool {
    loop {
        let before: usize = sets.iter().map(|s| s.len() + 1).sum();
        let all = sets.clone();
        for set in &mut sets {
            set.retain(|name| all.iter().filter(|s| s.contains(name)).count() > 1);
        }
        let mut kept: Vec<Vec<&str>> = Vec::new();
        for (at, set) in sets.iter().enumerate() {
            let is_within = |other: &Vec<&str>| set.iter().all(|name| other.contains(name));
            let is_in_later = sets.iter().skip(at + 1).any(is_within);
            if !(is_in_later || kept.iter().any(is_within)) {
                kept.push(set.clone());
            }
        }
        sets = kept;
        if sets.len() <= 1 {
            return false;
        }
        if sets.iter().map(|s| s.len() + 1).sum::<usize>() == before {
            return true;
        }
    }
}
