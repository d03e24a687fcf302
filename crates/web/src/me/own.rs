//! Whose record a page is about, and who looks at it.

use std::cell::RefCell;
use std::collections::HashMap;

use fhir::{Resource, TypeId, r4};
use hub::{Access, Hub};
use search::Zone;
use serde_json::{Value, json};

use crate::calendar::{Day, today};
use fhir::primitive::is_id;

use crate::chart::{Pen, span::Span};
use crate::failure::Failure;
use crate::record::{Found, Record};
use crate::visit::Visit;
use crate::words::Words;

/// Names of others that one page looks up.
const MOST_LOOKUPS: usize = 120;
/// Those who act for a person.
const MOST_WRITERS: usize = 10;

/// A record, opened for one page.
pub(super) struct Own {
    pub(super) record: Record,
    pub(super) patient: Resource,
    /// The Patient's id.
    pub(super) id: String,
    pub(super) visit: Visit,
    pub(super) zone: Zone,
    /// Today.
    pub(super) on: Day,
    pub(super) words: Words,
    names: RefCell<HashMap<String, Option<String>>>,
}

impl Own {
    /// Opens a person's record under the access of whoever asks.
    pub(super) fn open(hub: Hub, access: Access, visit: Visit, id: &str) -> Result<Own, Failure> {
        if !is_id(id) {
            return Err(Failure::NoSuchPerson);
        }
        let zone = hub.zone().clone();
        let record = Record::of(hub, access, None);
        let patient = record.read("Patient", id)?.ok_or(Failure::NoSuchPerson)?;
        Ok(Own {
            record,
            patient,
            id: id.to_owned(),
            on: today(&zone),
            words: visit.words,
            visit,
            zone,
            names: RefCell::default(),
        })
    }

    /// `Patient/1`.
    pub(super) fn reference(&self) -> String {
        format!("Patient/{}", self.id)
    }

    /// An address of this person's pages.
    pub(super) fn at(&self, rest: &str) -> String {
        format!("/me/{}{rest}", self.id)
    }

    /// What the chart's drawings are drawn with, over the ten years to today.
    pub(super) fn pen(&self) -> Pen<'_> {
        Pen { words: self.words, zone: &self.zone, on: self.on, span: Span::ending(self.on, None) }
    }

    /// Whoever writes: the person, or the one who acts for them. In an open hub the person.
    pub(super) fn author(&self) -> Option<String> {
        let Some(subject) = self.visit.subject() else { return Some(self.reference()) };
        if subject.patient.as_deref() == Some(&self.id) {
            return Some(self.reference());
        }
        subject.fhir_user.clone().filter(|_| subject.proxied.contains(&self.id))
    }

    /// Whoever may have written for the person: they themselves, and those who act for them; as a search has it.
    pub(super) fn writers(&self) -> Result<String, Failure> {
        let related = self.some("RelatedPerson", &[], MOST_WRITERS)?;
        let ids = related.iter().filter_map(|r| r.root().id().map(|id| format!("RelatedPerson/{id}")));
        Ok(std::iter::once(self.reference()).chain(ids).collect::<Vec<_>>().join(","))
    }

    /// Whether whoever looks is the person (or the hub is open).
    pub(super) fn is_person(&self) -> bool {
        self.visit.subject().is_none_or(|s| s.patient.as_deref() == Some(&self.id))
    }

    /// Whether resources of a type may be written here at all; those who act for a person write observations only.
    pub(super) fn may_write(&self, type_name: &str) -> bool {
        self.author().is_some() && (self.is_person() || type_name == "Observation")
    }

    /// Whether a type may be seen at all.
    fn is_seen(&self, type_name: &str) -> bool {
        let id: Option<TypeId> = r4().resource_type(type_name);
        let rights = self.record.access.rights.as_ref();
        id.is_some_and(|id| rights.is_none_or(|rights| rights.search.concerns(id)))
    }

    /// A page of the person's resources of a type; none of a type that may not be seen.
    pub(super) fn find(
        &self,
        type_name: &str,
        pairs: &[(&str, &str)],
        most: usize,
    ) -> Result<Found, Failure> {
        if !self.is_seen(type_name) {
            return Ok(Found::default());
        }
        let reference = self.reference();
        let mut all = vec![("patient", reference.as_str())];
        all.extend(pairs);
        self.record.search(type_name, &all, most)
    }

    /// The same, only the resources.
    pub(super) fn some(
        &self,
        type_name: &str,
        pairs: &[(&str, &str)],
        most: usize,
    ) -> Result<Vec<Resource>, Failure> {
        Ok(self.find(type_name, pairs, most)?.resources)
    }

    /// What somebody or something that is referred to is called.
    pub(super) fn name_of(&self, reference: &str) -> Option<String> {
        if let Some(known) = self.names.borrow().get(reference) {
            return known.clone();
        }
        if self.names.borrow().len() >= MOST_LOOKUPS {
            return None;
        }
        let (type_name, id) = reference.split_once('/')?;
        let read = self.record.read(type_name, id).ok().flatten();
        let name = read.and_then(|resource| self.called(&resource));
        self.names.borrow_mut().insert(reference.to_owned(), name.clone());
        name
    }

    /// What somebody or something is called.
    pub(super) fn called(&self, resource: &Resource) -> Option<String> {
        let root = resource.root();
        let human = || {
            let name = root.child("name")?;
            let given: Vec<String> = name.all("given").filter_map(|g| g.value().map(String::from)).collect();
            let family = name.text_at("family").map(String::from);
            let joined = family.into_iter().chain(given).collect::<Vec<_>>().join(" ");
            name.text_at("text").map(String::from).or(Some(joined)).filter(|n| !n.is_empty())
        };
        match root.type_name() {
            "Organization" | "Location" | "HealthcareService" => root.text_at("name").map(String::from),
            "Practitioner" | "RelatedPerson" | "Patient" | "Person" => human(),
            "PractitionerRole" => ["organization", "practitioner"]
                .iter()
                .find_map(|p| self.name_of(&root.text_at(&format!("{p}.reference"))?)),
            "Encounter" => root
                .text_at("serviceProvider.display")
                .map(String::from)
                .or_else(|| self.name_of(&root.text_at("serviceProvider.reference")?)),
            _ => None,
        }
    }

    /// A Reference to the person.
    pub(super) fn subject(&self) -> Value {
        json!({"reference": self.reference()})
    }
}
