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

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;

use fhir::r4;
use rustc_hash::FxHashMap;
use search::condition::{Condition, after_prefix};
use search::parameters;
use search::query::Criterion;

use self::consented::PersonProvisions;
use self::link::{LinkedGrant, Persons, RowTest};
use super::cursor;
use super::{Failure, Searcher};
use crate::engine::Family;
use crate::fold::type_of;
use crate::layout::heads::{Head, State};
use crate::layout::rows::{self, Rows};
use crate::layout::{heads, ids, live};
use crate::numbers::{PackedId, Place, ResourceNumber, SEAT_BYTES, Seat, number_bytes};
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

const NONE: &Persons = &Persons::Listed(Vec::new());

/// A restriction, linked to one state.
pub(crate) struct Gate<'v> {
    restriction: Arc<Restriction>,
    /// The newest state, seen by all.
    now: Box<Searcher<'v>>,
    layers: Vec<Vec<LinkedGrant>>,
    hidden: Vec<LinkedGrant>,
    /// Whose rows the grants are of, each once, linked when it is first asked for.
    whose: Vec<(Whose, OnceCell<Persons>)>,
    /// Persons met: whether they are among each of these, as far as it was asked.
    met: RefCell<FxHashMap<ResourceNumber, Met>>,
    consents: RefCell<FxHashMap<ResourceNumber, PersonProvisions>>,
    rows: RefCell<Option<sealing::Cursor<'v>>>,
    last_head: Cell<Option<(ResourceNumber, Option<About>)>>,
}

/// Of a resource's head. Nothing if it is not written yet.
#[derive(Clone, Copy)]
struct About {
    /// With whom it is kept.
    person: ResourceNumber,
    has_labels: bool,
    /// The place of its current version, if the newest state is asked and there it exists.
    current: Option<Place>,
}

/// The parameters of labels.
const LABELS: [&str; 2] = ["_tag", "_security"];

/// Whether criteria can only hold for a row with a label.
fn needs_label(criteria: &[Criterion]) -> bool {
    criteria.iter().any(|criterion| {
        matches!(criterion, Criterion::Values { parameter, is_negated: false, .. } if LABELS.contains(&parameter.code))
    })
}

/// A bit for each of a gate's `whose`; what lies beyond the last bit is asked again.
#[derive(Clone, Copy, Default)]
struct Met {
    is_known: u64,
    is_among: u64,
}

impl<'v> Gate<'v> {
    /// A restriction on the newest state.
    pub(crate) fn new(restriction: Arc<Restriction>, now: Searcher<'v>) -> Gate<'v> {
        let mut whose: Vec<(Whose, OnceCell<Persons>)> = Vec::new();
        let mut link = |grants: &[Grant]| {
            let new = |grant: &Grant| {
                let at = whose.iter().position(|(known, _)| *known == grant.whose).unwrap_or_else(|| {
                    whose.push((grant.whose.clone(), OnceCell::new()));
                    whose.len() - 1
                });
                LinkedGrant {
                    whose: at,
                    needs_label: needs_label(&grant.criteria),
                    tests: RefCell::default(),
                }
            };
            grants.iter().map(new).collect::<Vec<_>>()
        };
        let layers = restriction.layers.iter().map(|layer| link(layer)).collect();
        let hidden = link(&restriction.hidden);
        Gate {
            restriction,
            now: Box::new(now),
            layers,
            hidden,
            whose,
            met: RefCell::default(),
            consents: RefCell::default(),
            rows: RefCell::default(),
            last_head: Cell::default(),
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
        for (layer, linked) in self.restriction.layers.iter().zip(&self.layers) {
            let mut is_admitted = false;
            for (grant, linked) in layer.iter().zip(linked) {
                if is_admitted || !grant.types.has_number(type_number) || !self.is_of(linked, seat.person)? {
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
                && self.is_of(linked, seat.person)?
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
                && self.is_of(linked, seat.person)?
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
        for (layer, linked) in self.restriction.layers.iter().zip(&self.layers) {
            let mut is_possible = false;
            for (grant, linked) in layer.iter().zip(linked) {
                is_possible =
                    is_possible || (grant.types.has_number(type_number) && self.is_of(linked, person)?);
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
                match self.linked_persons(linked)? {
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

    /// Whether rows that lie with a person are among a grant's.
    fn is_of(&self, linked: &LinkedGrant, person: ResourceNumber) -> Result<bool, Failure> {
        let prefixes = match self.linked_persons(linked)? {
            Persons::Anyone => return Ok(true),
            Persons::Nobody => return Ok(person.0 == 0),
            Persons::Listed(listed) => return Ok(listed.binary_search(&person).is_ok()),
            Persons::Rows(_) if person.0 == 0 => return Ok(false),
            Persons::Rows(prefixes) => prefixes,
        };
        let bit = u32::try_from(linked.whose).ok().and_then(|at| 1u64.checked_shl(at)).unwrap_or(0);
        let met = self.met.borrow().get(&person).copied().unwrap_or_default();
        if met.is_known & bit != 0 {
            return Ok(met.is_among & bit != 0);
        }
        let mut is_among = false;
        for patient in self.now.linked(person)?.iter() {
            is_among = is_among || self.has_row(prefixes, *patient)?;
        }
        let mut memory = self.met.borrow_mut();
        if memory.len() >= REMEMBERED {
            memory.clear();
        }
        let met = memory.entry(person).or_default();
        met.is_known |= bit;
        met.is_among |= if is_among { bit } else { 0 };
        Ok(is_among)
    }

    fn linked_persons(&self, linked: &LinkedGrant) -> Result<&Persons, Failure> {
        let Some((whose, persons)) = self.whose.get(linked.whose) else { return Ok(NONE) };
        if let Some(persons) = persons.get() {
            return Ok(persons);
        }
        let cell = persons;
        let persons = match whose {
            Whose::Anyone => Persons::Anyone,
            Whose::Nobody => Persons::Nobody,
            Whose::Patients(ids) => {
                let patient = r4().resource_number(r4().well_known().patient).unwrap_or(u8::MAX);
                let mut listed = Vec::new();
                for id in ids {
                    if let Some(number) = self.number_of(patient, id)? {
                        listed.extend_from_slice(&self.now.linked(number)?);
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
                    let target_type = r4().resource_number(*target_type).unwrap_or(u8::MAX);
                    let Some(target) = self.number_of(target_type, id)? else { continue };
                    let type_number = r4().resource_number(membership.resource_type).unwrap_or(u8::MAX);
                    let condition = Condition::references(membership.parameter, &[(target_type, target.0)]);
                    let ranges = self.now.ranges(type_number, &condition)?;
                    for range in ranges.into_iter().filter(|range| range.is_one_value) {
                        self.now.memory.members.watch(&range.start);
                        prefixes.push(range.start);
                    }
                }
                Persons::Rows(prefixes)
            }
        };
        Ok(cell.get_or_init(|| persons))
    }

    /// Whether a row under one of these prefixes lies with a person.
    fn has_row(&self, prefixes: &[Vec<u8>], person: ResourceNumber) -> Result<bool, Failure> {
        if !self.now.is_now {
            return self.had_row(prefixes, person);
        }
        let members = &self.now.memory.members;
        for prefix in prefixes {
            let key = [prefix.as_slice(), &number_bytes(person.0)].concat();
            let has_row = match members.has_row(&key, self.now.at) {
                Some(has_row) => has_row,
                None => {
                    let first = self.first_row(prefix, &key)?;
                    members.remember(&key, self.now.at, first);
                    first.is_some()
                }
            };
            if has_row {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The resource of the first row of a value that lies with a person.
    fn first_row(&self, prefix: &[u8], start: &[u8]) -> Result<Option<ResourceNumber>, Failure> {
        self.now.budget.take()?;
        // One iterator for all that is asked: to make one costs as much as to seek.
        let mut open = self.rows.borrow_mut();
        let rows = open.get_or_insert_with(|| self.now.view.range(Family::Live, &[], &[0xff; 2]));
        rows.seek(start);
        match rows.key() {
            Some(key) if key.starts_with(start) && key.len() == prefix.len() + SEAT_BYTES => {
                Ok(live::read_key(key).map(|(_, seat)| seat.resource))
            }
            Some(_) => Ok(None),
            None => {
                rows.status()?;
                Ok(None)
            }
        }
    }

    /// A resource's number, which it keeps for ever.
    pub(super) fn number_of(&self, type_number: u8, id: &str) -> Result<Option<ResourceNumber>, Failure> {
        let (persons, id) = (&self.now.memory.persons, PackedId::new(id));
        if let Some(number) = persons.number(type_number, &id) {
            return Ok(Some(number));
        }
        let found = self.now.view.get(Family::State, ids::key(type_number, &id))?;
        let number = found.map(|value| ids::decode(&value));
        if let Some(number) = number {
            persons.remember_number(type_number, id, number);
        }
        Ok(number)
    }

    /// The same, as of a place before the last.
    fn had_row(&self, prefixes: &[Vec<u8>], person: ResourceNumber) -> Result<bool, Failure> {
        for prefix in prefixes {
            let start = [prefix.as_slice(), &number_bytes(person.0)].concat();
            if cursor::Rows::new(&self.now, &start, &after_prefix(&start), false)?.is_valid() {
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
        if linked.needs_label && !self.has_labels(type_number, seat, entries)? {
            return Ok(false);
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
        let test = Arc::new(RowTest::link(self, criteria, type_number)?);
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
        // Where it is kept now, if it was kept elsewhere before.
        let about = self.head(seat.resource)?;
        let current = about.map_or(seat, |about| Seat { person: about.person, resource: seat.resource });
        let look = |rows: Rows<'_>| {
            let entries = rows.map(|r| (r.parameter, r.key, r.extra));
            test.holds(seat.resource, entries)
        };
        if let Some(place) = about.and_then(|about| about.current) {
            // Its key is known, and to get one costs less than to look for it.
            self.now.budget.take()?;
            if let Some(value) = self.now.view.get(Family::Rows, rows::key(current, type_number, place))? {
                return Ok(look(Rows(&value)));
            }
        }
        let held = self.now.with_rows(current, type_number, |rows, _| look(rows))?;
        Ok(held.unwrap_or(false))
    }

    /// Whether a row has tags or security labels at all. Most have none, which their heads say.
    fn has_labels(&self, type_number: u8, seat: Seat, entries: &Entries<'_>) -> Result<bool, Failure> {
        match entries {
            Entries::Stored if self.now.is_now => {
                Ok(self.head(seat.resource)?.is_some_and(|about| about.has_labels))
            }
            Entries::Stored => Ok(true),
            Entries::Given(entries) => {
                let set = parameters().of(type_of(type_number));
                let labels = LABELS.map(|code| set.named(code).map(|p| p.number));
                Ok(entries.iter().any(|(number, ..)| labels.contains(&Some(*number))))
            }
        }
    }

    /// What a resource's head says; that of the last one asked for is remembered.
    fn head(&self, resource: ResourceNumber) -> Result<Option<About>, Failure> {
        if let Some((known, about)) = self.last_head.get()
            && known == resource
        {
            return Ok(about);
        }
        let about = match self.now.view.get(Family::State, heads::key(resource))? {
            Some(value) => {
                let head = Head::decode(&value)?;
                let is_current = self.now.is_now && head.state == State::Live;
                Some(About {
                    person: head.person_at(self.now.at),
                    has_labels: head.has_labels,
                    current: is_current.then_some(head.place),
                })
            }
            None => None,
        };
        self.last_head.set(Some((resource, about)));
        Ok(about)
    }
}
