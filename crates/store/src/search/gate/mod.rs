//! The restriction of a search: which rows exist for the one who asks.
//!
//! Whether a row's person is one of theirs is asked once a person; whether its entries satisfy a grant's criteria is
//! read from the row list of its current version. A stream of candidates leaps from person to person, so that what may
//! not be seen costs a step a person, and nothing at all where the persons are few and known.
//!
//! Here rows are decided on; [`consented`] asks the persons' own decisions, [`link`] puts grants into numbers, [`leap`] passes over persons.

mod consented;
mod leap;
mod link;

pub(super) use self::leap::Gated;

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use fhir::r4;
use rustc_hash::FxHashMap;
use search::condition::{Condition, Numbers as _, after_prefix};
use search::query::Criterion;

use self::consented::PersonProvisions;
use self::link::{LinkedGrant, Persons, RowTest};
use super::cursor::Rows;
use super::{Failure, Searcher};
use crate::engine::Family;
use crate::layout::heads;
use crate::layout::heads::Head;
use crate::numbers::{NUMBER_BYTES, ResourceNumber, SEAT_BYTES, Seat, number_bytes, read_number};
use search::restriction::{Grant, Restriction, Verdict, Whose};

/// More persons than this are not remembered; the memory begins anew.
const REMEMBERED: usize = 100_000;

/// The entries of a row that is to be decided on.
pub(crate) enum Entries<'e> {
    /// Those of the current version, in the index.
    Stored,
    /// Those of a version not written yet: parameter's number, key, extra.
    Given(&'e [(u8, Vec<u8>, Vec<u8>)]),
}

/// A restriction, linked to one state.
pub(crate) struct Gate<'v> {
    restriction: Arc<Restriction>,
    /// The newest state, seen by all.
    now: Box<Searcher<'v>>,
    layers: Vec<Vec<LinkedGrant>>,
    hidden: Vec<LinkedGrant>,
    /// Persons met: a bit for each grant whose persons they are among, layer after layer.
    met: RefCell<FxHashMap<ResourceNumber, u128>>,
    consents: RefCell<FxHashMap<ResourceNumber, PersonProvisions>>,
    rows: RefCell<FxHashMap<Vec<u8>, sealing::Cursor<'v>>>,
}

impl<'v> Gate<'v> {
    /// A restriction on the newest state.
    pub(crate) fn new(restriction: Arc<Restriction>, now: Searcher<'v>) -> Gate<'v> {
        let link = |grants: &[Grant]| {
            let new = |_| LinkedGrant { persons: OnceCell::new(), tests: RefCell::default() };
            grants.iter().map(new).collect::<Vec<_>>()
        };
        let layers = restriction.layers.iter().map(|layer| link(layer)).collect();
        let hidden = link(&restriction.hidden);
        Gate {
            restriction,
            now: Box::new(now),
            layers,
            hidden,
            met: RefCell::default(),
            consents: RefCell::default(),
            rows: RefCell::default(),
        }
    }

    /// Whether a row may be seen.
    pub(crate) fn admits(&self, type_number: u8, seat: Seat) -> Result<bool, Failure> {
        self.decides(type_number, seat, &Entries::Stored)
    }

    /// Whether a row is inside, by the entries it has or will have.
    pub(crate) fn decides(
        &self,
        type_number: u8,
        seat: Seat,
        entries: &Entries<'_>,
    ) -> Result<bool, Failure> {
        let mut consent: Option<Option<bool>> = None;
        let mut at = 0;
        let bits = self.persons_of(seat.person)?;
        for (layer, linked) in self.restriction.layers.iter().zip(&self.layers) {
            let mut is_admitted = false;
            for (grant, linked) in layer.iter().zip(linked) {
                let is_theirs = bits & bit(at) != 0;
                at += 1;
                if is_admitted || !is_theirs || !grant.types.has_number(type_number) {
                    continue;
                }
                if !self.satisfies(grant, linked, type_number, seat, entries)? {
                    continue;
                }
                if grant.needs_consent {
                    let said = match consent {
                        Some(said) => said,
                        None => self.consented(type_number, seat, entries)?,
                    };
                    consent = Some(said);
                    if said != Some(true) {
                        continue;
                    }
                }
                is_admitted = true;
            }
            if !is_admitted {
                return Ok(false);
            }
        }
        for (grant, linked) in self.restriction.hidden.iter().zip(&self.hidden) {
            if grant.types.has_number(type_number)
                && self.is_of(grant, linked, seat.person)?
                && self.satisfies(grant, linked, type_number, seat, entries)?
            {
                return Ok(false);
            }
        }
        if self.restriction.consents.is_some() && seat.person.0 != 0 {
            let said = match consent {
                Some(said) => said,
                None => self.consented(type_number, seat, entries)?,
            };
            return Ok(said != Some(false));
        }
        Ok(true)
    }

    /// What decides about a row: by layer the first grant that admits it, what hides it, what Consents say.
    pub(crate) fn explain(&self, type_number: u8, seat: Seat) -> Result<Verdict, Failure> {
        let entries = Entries::Stored;
        let mut verdict = Verdict {
            is_seen: self.admits(type_number, seat)?,
            consent: self.consented(type_number, seat, &entries)?,
            ..Verdict::default()
        };
        let holds = |grant: &Grant, linked: &LinkedGrant| -> Result<bool, Failure> {
            Ok(grant.types.has_number(type_number)
                && self.is_of(grant, linked, seat.person)?
                && self.satisfies(grant, linked, type_number, seat, &entries)?)
        };
        for (layer, linked) in self.restriction.layers.iter().zip(&self.layers) {
            let mut first = None;
            for (grant, linked) in layer.iter().zip(linked) {
                let is_consented = !grant.needs_consent || verdict.consent == Some(true);
                if first.is_none() && is_consented && holds(grant, linked)? {
                    first = Some(grant.name.clone());
                }
            }
            verdict.admitted_by.push(first);
        }
        for (grant, linked) in self.restriction.hidden.iter().zip(&self.hidden) {
            if verdict.hidden_by.is_none() && holds(grant, linked)? {
                verdict.hidden_by = Some(grant.name.clone());
            }
        }
        Ok(verdict)
    }

    /// Whether some row of a type that lies with a person could be admitted.
    fn may_have(&self, type_number: u8, person: ResourceNumber) -> Result<bool, Failure> {
        let bits = self.persons_of(person)?;
        let mut at = 0;
        for layer in &self.restriction.layers {
            let mut is_possible = false;
            for grant in layer {
                is_possible |= bits & bit(at) != 0 && grant.types.has_number(type_number);
                at += 1;
            }
            if !is_possible {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The persons (in order; zero for nobody) with whom alone rows of a type may be seen, if they are known and few.
    pub(super) fn persons(&self, type_number: u8) -> Result<Option<Vec<ResourceNumber>>, Failure> {
        let mut fewest: Option<Vec<ResourceNumber>> = None;
        for (layer, linked) in self.restriction.layers.iter().zip(&self.layers) {
            let mut persons = Vec::new();
            let mut is_known = true;
            for (grant, linked) in layer.iter().zip(linked) {
                if !grant.types.has_number(type_number) {
                    continue;
                }
                match self.linked_persons(grant, linked)? {
                    Persons::Nobody => persons.push(ResourceNumber(0)),
                    Persons::Listed(listed) => persons.extend_from_slice(listed),
                    Persons::Anyone | Persons::Rows(_) => is_known = false,
                }
            }
            if is_known && fewest.as_ref().is_none_or(|f| persons.len() < f.len()) {
                fewest = Some(persons);
            }
        }
        if let Some(persons) = &mut fewest {
            persons.sort_unstable();
            persons.dedup();
        }
        Ok(fewest)
    }

    /// For each grant a bit: whether the person's rows are among its.
    fn persons_of(&self, person: ResourceNumber) -> Result<u128, Failure> {
        if let Some(bits) = self.met.borrow().get(&person) {
            return Ok(*bits);
        }
        let (mut bits, mut at) = (0u128, 0);
        for (layer, linked) in self.restriction.layers.iter().zip(&self.layers) {
            for (grant, linked) in layer.iter().zip(linked) {
                if self.is_of(grant, linked, person)? {
                    bits |= bit(at);
                }
                at += 1;
            }
        }
        let mut met = self.met.borrow_mut();
        if met.len() >= REMEMBERED {
            met.clear();
        }
        met.insert(person, bits);
        Ok(bits)
    }

    /// Whether rows that lie with a person are among a grant's.
    fn is_of(&self, grant: &Grant, linked: &LinkedGrant, person: ResourceNumber) -> Result<bool, Failure> {
        match self.linked_persons(grant, linked)? {
            Persons::Anyone => Ok(true),
            Persons::Nobody => Ok(person.0 == 0),
            Persons::Listed(listed) => Ok(listed.binary_search(&person).is_ok()),
            Persons::Rows(_) if person.0 == 0 => Ok(false),
            Persons::Rows(prefixes) => {
                if self.has_row(prefixes, person)? {
                    return Ok(true);
                }
                for other in self.now.linked(person)?.into_iter().skip(1) {
                    if self.has_row(prefixes, other)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn linked_persons<'g>(&self, grant: &Grant, linked: &'g LinkedGrant) -> Result<&'g Persons, Failure> {
        if let Some(persons) = linked.persons.get() {
            return Ok(persons);
        }
        let persons = match &grant.whose {
            Whose::Anyone => Persons::Anyone,
            Whose::Nobody => Persons::Nobody,
            Whose::Patients(ids) => {
                let patient = r4().resource_number(r4().well_known().patient).unwrap_or(u8::MAX);
                let mut listed = Vec::new();
                for id in ids {
                    if let Some(number) = self.now.number_of(patient, id)? {
                        listed.extend(self.now.linked(number)?);
                    }
                }
                listed.sort_unstable();
                listed.dedup();
                Persons::Listed(listed)
            }
            Whose::Members(memberships) => {
                let mut prefixes = Vec::new();
                for membership in memberships {
                    let (target_type, id) = &membership.target;
                    let Some(target) = self.now.resource(*target_type, id) else { continue };
                    let target_type = r4().resource_number(*target_type).unwrap_or(u8::MAX);
                    let type_number = r4().resource_number(membership.resource_type).unwrap_or(u8::MAX);
                    let condition = Condition::references(membership.parameter, &[(target_type, target)]);
                    let ranges = self.now.ranges(type_number, &condition)?;
                    prefixes.extend(ranges.into_iter().filter(|r| r.is_one_value).map(|r| r.start));
                }
                Persons::Rows(prefixes)
            }
        };
        Ok(linked.persons.get_or_init(|| persons))
    }

    /// Whether a row under one of these prefixes lies with a person.
    fn has_row(&self, prefixes: &[Vec<u8>], person: ResourceNumber) -> Result<bool, Failure> {
        if !self.now.is_now {
            return self.had_row(prefixes, person);
        }
        let mut open = self.rows.borrow_mut();
        for prefix in prefixes {
            self.now.budget.take()?;
            let rows = open
                .entry(prefix.clone())
                .or_insert_with(|| self.now.view.range(Family::Live, prefix, &after_prefix(prefix)));
            let seat = Seat { person, resource: ResourceNumber(0) };
            rows.seek([prefix.as_slice(), &seat.bytes()].concat());
            if let Some(key) = rows.key() {
                let seat = key.len().checked_sub(SEAT_BYTES).and_then(|at| key.get(at..));
                if seat.is_some_and(|seat| read_number(&seat[..NUMBER_BYTES]) == person.0) {
                    return Ok(true);
                }
            } else {
                rows.status()?;
            }
        }
        Ok(false)
    }

    /// The same, as of a place before the last.
    fn had_row(&self, prefixes: &[Vec<u8>], person: ResourceNumber) -> Result<bool, Failure> {
        for prefix in prefixes {
            let start = [prefix.as_slice(), &number_bytes(person.0)].concat();
            if Rows::new(&self.now, &start, &after_prefix(&start), false)?.is_valid() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn satisfies(
        &self,
        grant: &Grant,
        linked: &LinkedGrant,
        type_number: u8,
        seat: Seat,
        entries: &Entries<'_>,
    ) -> Result<bool, Failure> {
        if grant.criteria.is_empty() {
            return Ok(true);
        }
        let test = self.test(&linked.tests, &grant.criteria, type_number)?;
        self.holds(&test, type_number, seat, entries)
    }

    fn test(
        &self,
        tests: &RefCell<FxHashMap<u8, Arc<RowTest>>>,
        criteria: &[Criterion],
        type_number: u8,
    ) -> Result<Arc<RowTest>, Failure> {
        if let Some(test) = tests.borrow().get(&type_number) {
            return Ok(Arc::clone(test));
        }
        let test = Arc::new(RowTest::link(&self.now, criteria, type_number)?);
        tests.borrow_mut().insert(type_number, Arc::clone(&test));
        Ok(test)
    }

    /// Whether a resource's current version passes a test; a deleted one's last.
    fn holds(
        &self,
        test: &RowTest,
        type_number: u8,
        seat: Seat,
        entries: &Entries<'_>,
    ) -> Result<bool, Failure> {
        if let Entries::Given(entries) = entries {
            let entries =
                entries.iter().map(|(number, key, extra)| (*number, key.as_slice(), extra.as_slice()));
            return Ok(test.holds(seat.resource, entries));
        }
        let current = self.current_seat(seat)?;
        let held = self.now.with_rows(current, type_number, |rows, _| {
            let entries = rows.map(|r| (r.parameter, r.key, r.extra));
            test.holds(seat.resource, entries)
        })?;
        Ok(held.unwrap_or(false))
    }

    /// Where a resource is kept now, if it was kept elsewhere before.
    fn current_seat(&self, seat: Seat) -> Result<Seat, Failure> {
        let Some(value) = self.now.view.get(Family::State, heads::key(seat.resource))? else {
            return Ok(seat);
        };
        let head = Head::decode(&value)?;
        Ok(Seat { person: head.person_at(self.now.at), resource: seat.resource })
    }
}

/// The bit of a grant; one beyond the last bit admits nothing.
fn bit(at: u32) -> u128 {
    1u128.checked_shl(at).unwrap_or(0)
}
