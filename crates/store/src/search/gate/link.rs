//! A restriction's grants in this store's numbers: whose rows, and what a row's entries have to hold.

use std::cell::RefCell;
use std::sync::Arc;

use fhir::{TypeId, r4};
use rustc_hash::FxHashMap;
use search::condition::{Condition, Now, Numbers};
use search::query::Criterion;
use search::{Parameter, parameters};

use super::super::Failure;
use super::Gate;
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
    pub(super) fn link(gate: &Gate<'_>, criteria: &[Criterion], type_number: u8) -> Result<RowTest, Failure> {
        let mut test = RowTest::default();
        // What is said of several types (`_tag`) stands under each type's own number.
        let set = parameters().of(type_of(type_number));
        let own = |parameter: &Parameter| set.named(parameter.code).filter(|own| own.kind == parameter.kind);
        for criterion in criteria {
            match criterion {
                Criterion::Values { parameter, any_of, is_negated } => match own(parameter) {
                    Some(parameter) => {
                        let instant = Now(gate.now.instant);
                        let condition = Condition::values(parameter, any_of, *is_negated, gate, instant);
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
                        numbers.extend(gate.number_of(type_number, id)?);
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

/// The numbers of what rules name, which are the same at every place.
impl Numbers for Gate<'_> {
    fn system(&self, uri: &str) -> Option<u32> {
        self.now.system(uri)
    }

    fn resource(&self, resource_type: TypeId, id: &str) -> Option<u64> {
        let type_number = r4().resource_number(resource_type)?;
        self.number_of(type_number, id).ok().flatten().map(|number| number.0)
    }

    fn case_sensitive_systems(&self) -> Vec<u32> {
        self.now.case_sensitive_systems()
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
    /// Whether only rows with labels can satisfy it.
    pub(super) needs_label: bool,
    pub(super) tests: RefCell<FxHashMap<u8, Arc<RowTest>>>,
}
