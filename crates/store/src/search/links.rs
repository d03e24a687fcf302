//! Persons: the Patients that are one person, joined by `Patient.link`.
//!
//! An institution's own Patient stays as it came; a link makes it part of the person. Who is joined is read from the
//! index like anything else, so it holds as of the search's place, and taking a link away undoes it.

use std::sync::Arc;

use fhir::definitions::SearchParameterType;
use fhir::r4;
use search::key::reference::{self, LOCAL, ReferenceKey, resource_bytes};
use search::parameters;

use super::stream::{OneValue, Stream};
use super::{Failure, Searcher};
use crate::layout::live;
use crate::numbers::{ResourceNumber, Seat};

/// More Patients than this are not taken for one person; it would be a mistake in the data.
const MAX_LINKED: usize = 200;

impl Searcher<'_> {
    /// A Patient and all Patients joined with it by links in either direction, itself first.
    pub(crate) fn linked(&self, patient: ResourceNumber) -> Result<Arc<[ResourceNumber]>, Failure> {
        if !self.is_now {
            return Ok(self.read_linked(patient)?.into());
        }
        if let Some(linked) = self.memory.persons.linked(patient, self.at) {
            return Ok(linked);
        }
        let linked: Arc<[ResourceNumber]> = self.read_linked(patient)?.into();
        self.memory.persons.remember_linked(patient, self.at, Arc::clone(&linked));
        Ok(linked)
    }

    fn read_linked(&self, patient: ResourceNumber) -> Result<Vec<ResourceNumber>, Failure> {
        let patient_type = r4().well_known().patient;
        let (Some(type_number), Some(link)) =
            (r4().resource_number(patient_type), parameters().of(patient_type).named("link"))
        else {
            return Ok(vec![patient]);
        };
        debug_assert_eq!(link.kind, SearchParameterType::Reference);
        let mut found = vec![patient];
        let mut at = 0;
        while let Some(current) = found.get(at).copied() {
            at += 1;
            for other in self.link_targets(type_number, link.number, current)? {
                if !found.contains(&other) {
                    found.push(other);
                }
            }
            let mut prefix = vec![type_number, link.number, LOCAL, type_number];
            prefix.extend_from_slice(&resource_bytes(current.0));
            let mut sources = OneValue::new(self, prefix, None, false)?;
            while let Some(seat) = sources.current() {
                if !found.contains(&seat.resource) {
                    found.push(seat.resource);
                }
                sources.advance()?;
            }
            if found.len() > MAX_LINKED {
                return Err(Failure::Query(fhir::Issue::error(
                    fhir::IssueType::Processing,
                    format!(
                        "more than {MAX_LINKED} Patients are linked into one person; this is a mistake in the links"
                    ),
                )));
            }
        }
        Ok(found)
    }

    /// The Patients a Patient's own links name.
    fn link_targets(
        &self,
        type_number: u8,
        link: u8,
        patient: ResourceNumber,
    ) -> Result<Vec<ResourceNumber>, Failure> {
        // A Patient is kept in its own record.
        let seat = Seat { person: patient, resource: patient };
        if !self.exists(seat, type_number)? {
            return Ok(Vec::new());
        }
        let targets = self.with_rows(seat, type_number, |rows, _| {
            rows.filter(|r| r.parameter == link)
                .filter_map(|r| match reference::read(r.key) {
                    Some((ReferenceKey::Local(target_type, number), _)) if target_type == type_number => {
                        Some(ResourceNumber(number))
                    }
                    _ => None,
                })
                .collect()
        })?;
        Ok(targets.unwrap_or_default())
    }

    /// Whether a resource exists at the search's place, with this person.
    pub(super) fn exists(&self, seat: Seat, type_number: u8) -> Result<bool, Failure> {
        let prefix = vec![type_number, live::ALL];
        let key = [prefix.as_slice(), &seat.bytes()].concat();
        let mut rows =
            super::cursor::Rows::unplaced(self, &key, &search::condition::after_prefix(&key), false);
        rows.seek(&key)?;
        Ok(rows.is_valid())
    }
}
