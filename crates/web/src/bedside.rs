//! A patient whose record is looked at: who it is, as of which moment, and the parts of the record that are looked at.

use fhir::Resource;
use fhir::primitive::is_id;
use hub::{Access, Hub};
use search::Zone;

use crate::calendar::{Day, today};
use crate::chart::Pen;
use crate::chart::as_of::AsOf;
use crate::chart::span::Span;
use crate::failure::Failure;
use crate::person::Person;
use crate::record::Record;
use crate::visit::Visit;
use crate::words::Words;

/// A patient, and what is needed to speak of them.
pub(crate) struct Bedside {
    pub(crate) record: Record,
    pub(crate) as_of: AsOf,
    pub(crate) zone: Zone,
    /// Today, in the hub's zone.
    pub(crate) present: Day,
    /// The day the chart is of.
    pub(crate) on: Day,
    pub(crate) words: Words,
    pub(crate) patient: Resource,
}

impl Bedside {
    /// Comes to a patient.
    pub(crate) fn of(hub: Hub, access: Access, visit: &Visit, id: &str) -> Result<Bedside, Failure> {
        let zone = hub.zone().clone();
        let present = today(&zone);
        let as_of = AsOf::read(visit.value("as_of"), &zone)?;
        if !is_id(id) {
            return Err(Failure::NoSuchPerson);
        }
        let record = Record::of(hub, access, as_of.moment);
        let Some(patient) = record.read("Patient", id)? else {
            let is_known_now = as_of.moment.is_some()
                && Record::of(record.hub, record.access, None).read("Patient", id)?.is_some();
            return Err(match is_known_now {
                true => Failure::NotKnownThen(visit.path.clone()),
                false => Failure::NoSuchPerson,
            });
        };
        let on = as_of.day.unwrap_or(present);
        Ok(Bedside { record, as_of, zone, present, on, words: visit.words, patient })
    }

    /// The Patient's id.
    pub(crate) fn id(&self) -> String {
        self.patient.root().id().unwrap_or_default().into_owned()
    }

    /// `Patient/…`.
    pub(crate) fn reference(&self) -> String {
        format!("Patient/{}", self.id())
    }

    /// Who it is.
    pub(crate) fn person(&self) -> Person {
        Person::read(self.patient.root(), self.on, &self.zone, self.words)
    }

    /// What parts of the chart are drawn with.
    pub(crate) fn pen(&self) -> Pen<'_> {
        Pen { words: self.words, zone: &self.zone, on: self.on, span: Span::ending(self.on, Some(self.on)) }
    }

    /// A person's resources of a type, at most so many, in an order; whether there are more.
    pub(crate) fn some(&self, name: &str, sort: &str, most: usize) -> Result<(Vec<Resource>, bool), Failure> {
        let found = self.record.of_person(name, &self.id(), sort, most)?;
        Ok((found.resources, found.next.is_some()))
    }

    /// What a search finds among the person's, at most so many.
    pub(crate) fn found(
        &self,
        name: &str,
        pairs: &[(&str, &str)],
        most: usize,
    ) -> Result<Vec<Resource>, Failure> {
        let reference = self.reference();
        let mut all = vec![("patient", reference.as_str())];
        all.extend_from_slice(pairs);
        Ok(self.record.search(name, &all, most)?.resources)
    }
}
