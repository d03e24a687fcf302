//! Commits by whom they are about and by whom they were made, newest first: a write's audit.

use std::collections::BTreeSet;

use fhir::{TypeId, r4};

use ::search::condition::after_prefix;
use ::search::key::reference::{LOCAL, resource_bytes};
use ::search::parameters;

use super::{Kept, Reader, kept, stored_head, version_at};
use crate::engine::{Family, View};
use crate::error::Error;
use crate::fold::type_of;
use crate::layout::{live, past, rows};
use crate::numbers::{Place, ResourceNumber, Seat, number_bytes};
use crate::search::{Budget, Failure};

impl Reader {
    /// The ids of a Patient and of all Patients that are the same person by their links, itself first; alone, if it was
    /// never written.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub fn linked_patients(&self, id: &str, budget: Budget) -> Result<Vec<String>, Failure> {
        let head = self.head(&self.view()?, r4().well_known().patient, id)?;
        let Some((number, _)) = head else { return Ok(vec![id.to_owned()]) };
        let linked = self.searcher(self.place(), budget)?.linked(number)?;
        Ok(linked.iter().map(|n| Ok(self.name_of(*n)?.1)).collect::<Result<_, Error>>()?)
    }

    /// The type and id a number stands for.
    ///
    /// # Errors
    /// As the engine says.
    pub fn name_of(&self, number: ResourceNumber) -> Result<(TypeId, String), Error> {
        let head = stored_head(&self.view()?, number)?;
        Ok((type_of(head.type_number), head.id.unpack()))
    }

    /// The commits that wrote what is or was about Patients, newest first: into their records, and of what is kept in
    /// another's record but is in their compartment as well (an appointment of two). Keys are gone through, so it costs
    /// what those records have.
    ///
    /// # Errors
    /// As the engine says.
    pub fn commits_of_patients(&self, ids: &[String]) -> Result<Vec<Place>, Error> {
        let view = self.view()?;
        let patient = r4().well_known().patient;
        let mut numbers = Vec::new();
        for id in ids {
            numbers.extend(self.head(&view, patient, id)?.map(|(number, _)| number));
        }
        let mut places = BTreeSet::new();
        for number in &numbers {
            let range = (number_bytes(number.0), number_bytes(number.0 + 1));
            read_places(&view, &range.0, &range.1, &mut places)?;
        }
        for (seat, type_number) in self.kept_elsewhere(&view, &numbers)? {
            let prefix = rows::prefix(seat, type_number);
            read_places(&view, &prefix, &after_prefix(&prefix), &mut places)?;
        }
        Ok(places.into_iter().rev().collect())
    }

    /// What is or was in the compartments of Patients and is kept in the record of somebody else.
    fn kept_elsewhere(
        &self,
        view: &View<'_>,
        patients: &[ResourceNumber],
    ) -> Result<BTreeSet<(Seat, u8)>, Error> {
        let mut found = BTreeSet::new();
        let of_patient = r4().resource_number(r4().well_known().patient).unwrap_or(0);
        let members = r4().compartment("Patient").map_or(&[][..], |compartment| &compartment.members);
        for (member_type, codes) in members {
            let member = r4().resource_number(*member_type).unwrap_or(u8::MAX);
            let set = parameters().of(*member_type);
            for parameter in codes.iter().filter_map(|code| set.named(code)) {
                for patient in patients {
                    let mut prefix = vec![member, parameter.number, LOCAL, of_patient];
                    prefix.extend_from_slice(&resource_bytes(patient.0));
                    for family in [Family::Live, Family::Past] {
                        let mut rows = view.range(family, &prefix, &after_prefix(&prefix));
                        rows.seek_to_first();
                        while let Some(key) = rows.key() {
                            let key = match family {
                                Family::Past => past::read_key(key).map(|(key, _)| key),
                                _ => Some(key),
                            };
                            let seat = key.and_then(live::read_key).map(|(_, seat)| seat);
                            if let Some(seat) = seat.filter(|seat| !patients.contains(&seat.person)) {
                                found.insert((seat, member));
                            }
                            rows.next();
                        }
                        rows.status()?;
                    }
                }
            }
        }
        Ok(found)
    }

    /// The version a commit made of a resource, and, if that was a deletion, the version it ended.
    ///
    /// # Errors
    /// As the engine says.
    pub fn written_at(&self, resource: ResourceNumber, place: Place) -> Result<Option<Kept>, Error> {
        let view = self.view()?;
        let head = stored_head(&view, resource)?;
        let made = kept(&view, &head, resource, place)?;
        if !made.as_ref().is_some_and(Kept::is_deletion) || place.0 == 0 {
            return Ok(made);
        }
        Ok(version_at(&view, &head, resource, Place(place.0 - 1))?.map(|(_, ended)| ended))
    }

    /// The last commit at or before a place that has a circumstance ([`Reader::circumstance`]).
    ///
    /// # Errors
    /// As the engine says.
    pub fn commit_by(&self, field: u8, text: &str, at: Place) -> Result<Option<Place>, Error> {
        self.commit_with(&self.view()?, field, text, at)
    }
}

/// The places of the versions between two keys.
fn read_places(view: &View<'_>, start: &[u8], end: &[u8], places: &mut BTreeSet<Place>) -> Result<(), Error> {
    let mut versions = view.range(Family::Bodies, start, end);
    versions.seek_to_first();
    while let Some(key) = versions.key() {
        places.insert(rows::read_place(key));
        versions.next();
    }
    Ok(versions.status()?)
}
