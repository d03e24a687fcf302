//! A restriction's grants in this store's numbers: whose rows, and what a row's entries have to hold.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use search::condition::{Condition, Now};
use search::query::Criterion;
use search::{Parameter, parameters};

use super::super::{Failure, Searcher};
use crate::fold::type_of;
use crate::numbers::ResourceNumber;

/// Criteria linked to numbers, for one row.
#[derive(Default)]
pub(super) struct RowTest {
    conditions: Vec<Condition>,
    /// Its number is one of each of these.
    ids: Vec<Vec<ResourceNumber>>,
    /// It holds a criterion no row can be asked for; such a test never holds.
    is_impossible: bool,
}

impl RowTest {
    pub(super) fn link(
        now: &Searcher<'_>,
        criteria: &[Criterion],
        type_number: u8,
    ) -> Result<RowTest, Failure> {
        let mut test = RowTest::default();
        // What is said of several types (`_tag`) stands under each type's own number.
        let set = parameters().of(type_of(type_number));
        let own = |parameter: &Parameter| set.named(parameter.code).filter(|own| own.kind == parameter.kind);
        for criterion in criteria {
            match criterion {
                Criterion::Values { parameter, any_of, is_negated } => match own(parameter) {
                    Some(parameter) => {
                        let instant = Now(now.instant);
                        let condition = Condition::values(parameter, any_of, *is_negated, now, instant);
                        test.conditions.push(condition);
                    }
                    None => test.is_impossible = true,
                },
                Criterion::Missing { parameter, is_missing } => match own(parameter) {
                    Some(parameter) => test.conditions.push(Condition::presence(parameter, *is_missing)),
                    None => test.is_impossible = true,
                },
                Criterion::Id(ids) => {
                    let mut numbers = Vec::with_capacity(ids.len());
                    for id in ids {
                        numbers.extend(now.number_of(type_number, id)?);
                    }
                    test.ids.push(numbers);
                }
                _ => test.is_impossible = true,
            }
        }
        Ok(test)
    }

    pub(super) fn holds<'e>(
        &self,
        number: ResourceNumber,
        entries: impl Iterator<Item = (u8, &'e [u8], &'e [u8])> + Clone,
    ) -> bool {
        !self.is_impossible
            && self.ids.iter().all(|ids| ids.contains(&number))
            && self.conditions.iter().all(|c| c.holds(entries.clone()))
    }
}

/// What a grant's persons are, in numbers.
pub(super) enum Persons {
    Anyone,
    Nobody,
    Listed(Vec<ResourceNumber>),
    /// Prefixes of live rows whose seats lie with the persons.
    Rows(Vec<Vec<u8>>),
}

/// A grant, linked when it is first asked for.
pub(super) struct LinkedGrant {
    /// Whose rows it is of: which of the gate's.
    pub(super) whose: usize,
    pub(super) tests: RefCell<FxHashMap<u8, Arc<RowTest>>>,
}
