//! What persons decided about their own rows, as their Consents in the store say it.

use std::cell::RefCell;
use std::sync::Arc;

use fhir::{TypeId, r4};
use rustc_hash::FxHashMap;
use search::condition::after_prefix;
use search::restriction::{ConsentText, Moment, Provision};

use super::super::Failure;
use super::super::cursor::Rows;
use super::super::persons::{StoredConsent, StoredConsents};
use super::link::RowTest;
use super::{Entries, Gate, REMEMBERED};
use crate::layout::live;
use crate::numbers::{ResourceNumber, Seat, number_bytes};

/// What a person's Consents say, each linked to numbers where it is first asked.
pub(super) type PersonProvisions = Arc<[(Provision, RefCell<FxHashMap<u8, Arc<RowTest>>>)]>;

impl Gate<'_> {
    /// What the person's Consents say of a row: permit, deny, or nothing.
    pub(super) fn consented(
        &self,
        type_number: u8,
        seat: Seat,
        entries: &Entries<'_>,
    ) -> Result<Option<bool>, Failure> {
        if seat.person.0 == 0 {
            return Ok(None);
        }
        let mut decided: Option<(u32, bool)> = None;
        for (provision, tests) in self.provisions(seat.person)?.iter() {
            if !provision.types.has_number(type_number) {
                continue;
            }
            let rank = (provision.specificity, !provision.is_permit);
            if decided.is_some_and(|(s, is_permit)| rank <= (s, !is_permit)) {
                continue;
            }
            let is_concerned = provision.criteria.is_empty() || {
                let test = self.test(tests, &provision.criteria, type_number)?;
                self.holds(&test, type_number, seat, entries)?
            };
            if is_concerned {
                decided = Some((provision.specificity, provision.is_permit));
            }
        }
        Ok(decided.map(|(_, is_permit)| is_permit))
    }

    /// What the Consents of a person and of the Patients linked with them say.
    fn provisions(&self, person: ResourceNumber) -> Result<PersonProvisions, Failure> {
        if let Some(known) = self.consents.borrow().get(&person) {
            return Ok(Arc::clone(known));
        }
        let mut found = Vec::new();
        if let Some(consents) = &self.restriction.consents {
            let consent = r4().resource_number(r4().well_known().consent).unwrap_or(u8::MAX);
            for patient in self.now.linked(person)?.iter() {
                for stored in self.stored_consents(consent, *patient)?.iter() {
                    let (id, version, text) = (&stored.id, stored.version, &stored.text);
                    let moment = match self.now.is_now {
                        true => Moment::Now { at_least: self.now.instant },
                        false => Moment::Then(self.now.instant),
                    };
                    let kept = |resource_type: TypeId, id: &str| self.text_of(resource_type, id);
                    let provisions = consents.provisions(ConsentText { id, version, text }, moment, &kept);
                    found.extend(provisions.iter().map(|p| (p.clone(), RefCell::default())));
                }
            }
        }
        let found: PersonProvisions = found.into();
        let mut memory = self.consents.borrow_mut();
        if memory.len() >= REMEMBERED {
            memory.clear();
        }
        memory.insert(person, Arc::clone(&found));
        Ok(found)
    }

    /// What a resource says; nothing if it is not there or cannot be read, which never widens what may be seen.
    fn text_of(&self, resource_type: TypeId, id: &str) -> Option<String> {
        let type_number = r4().resource_number(resource_type)?;
        let number = self.number_of(type_number, id).ok()??;
        let about = self.head(number).ok()??;
        let kept = self.now.kept_here(Seat { person: about.person, resource: number }).ok()??;
        kept.text.is_some().then(|| kept.json())
    }

    /// The Consents in a Patient's own record.
    fn stored_consents(&self, consent: u8, patient: ResourceNumber) -> Result<StoredConsents, Failure> {
        let persons = &self.now.memory.persons;
        if self.now.is_now
            && let Some(known) = persons.consents(patient, self.now.at)
        {
            return Ok(known);
        }
        let mut found = Vec::new();
        let prefix = [[consent, live::ALL].as_slice(), &number_bytes(patient.0)].concat();
        let mut rows = Rows::new(&self.now, &prefix, &after_prefix(&prefix), false)?;
        while rows.is_valid() {
            // Whole, as a reader gets it: without its version a body may have an empty `meta`, which does not read.
            if let Some(kept) = self.now.kept_here(rows.seat())?
                && kept.text.is_some()
            {
                let text = kept.json();
                found.push(StoredConsent { id: kept.id, version: kept.version, text });
            }
            rows.advance()?;
        }
        let found: StoredConsents = found.into();
        if self.now.is_now {
            persons.remember_consents(patient, self.now.at, Arc::clone(&found));
        }
        Ok(found)
    }
}
