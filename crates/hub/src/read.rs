//! read and vread: `GET [base]/Type/id`, `GET [base]/Type/id/_history/version`.

use std::sync::Arc;

use fhir::date_time::{Micros, format_instant};
use fhir::json::scan;
use fhir::{IssueType, TypeId, r4};
use search::restriction::{Restriction, Rights};
use store::{Kept, Place, Reader};

use crate::{Access, Failure, Hub, Kind};

impl Hub {
    /// The state reads are made on.
    #[must_use]
    pub fn reader(&self, access: &Access) -> Reader {
        self.under(access, |rights| &rights.search)
    }

    /// The state single resources are read from by their ids.
    pub(crate) fn reader_by_id(&self, access: &Access) -> Reader {
        self.under(access, |rights| &rights.read)
    }

    fn under(&self, access: &Access, right: impl FnOnce(&Rights) -> &Arc<Restriction>) -> Reader {
        let reader = self.store.reader();
        let reader = match &access.rights {
            Some(rights) => reader.restricted(Arc::clone(right(rights))),
            None => reader,
        };
        match access.decided_at {
            Some(place) => reader.decided_at(place),
            None => reader,
        }
    }

    /// The place a moment stands for; none is now.
    ///
    /// # Errors
    /// A store's failure.
    pub fn place(&self, reader: &Reader, as_of: Option<Micros>) -> Result<Option<Place>, Failure> {
        Ok(as_of.map(|moment| reader.place_as_of(moment)).transpose()?)
    }

    /// The state a resource is read from. A Binary is as open as the resource its `securityContext` names
    /// (<https://hl7.org/fhir/R4/binary.html#security>): who may read that may read it.
    fn reader_of(&self, access: &Access, resource_type: TypeId, id: &str) -> Result<Reader, Failure> {
        let restricted = self.reader_by_id(access);
        if access.rights.is_none() || r4().type_name(resource_type) != "Binary" {
            return Ok(restricted);
        }
        let whole = self.store.reader();
        let Some(kept) = whole.read(resource_type, id, None)? else { return Ok(restricted) };
        let context = kept.text.as_ref().and_then(|(text, _)| security_context(text));
        let is_open = match context {
            Some((context_type, context_id)) if context_type != resource_type => {
                restricted.read(context_type, &context_id, None)?.is_some_and(|k| k.text.is_some())
            }
            _ => false,
        };
        Ok(if is_open { whole } else { restricted })
    }

    /// A resource as it is, or as it was known at a moment.
    ///
    /// # Errors
    /// If there is none, or no more.
    pub fn read(
        &self,
        access: &Access,
        resource_type: TypeId,
        id: &str,
        as_of: Option<Micros>,
    ) -> Result<Kept, Failure> {
        let reader = self.reader_of(access, resource_type, id)?;
        let place = self.place(&reader, as_of)?;
        let name = format!("{}/{id}", r4().type_name(resource_type));
        match reader.read(resource_type, id, place)? {
            Some(kept) => existing(access, kept, &name),
            None if as_of.is_some() => Err(Failure::new(
                Kind::NotFound,
                IssueType::NotFound,
                format!("{name} was not known at the moment asked for with _asOf"),
            )),
            None => Err(Failure::new(Kind::NotFound, IssueType::NotFound, format!("there is no {name}"))),
        }
    }

    /// A version of a resource.
    ///
    /// # Errors
    /// If there is none, or it is a deletion.
    pub fn vread(
        &self,
        access: &Access,
        resource_type: TypeId,
        id: &str,
        version: &str,
        as_of: Option<Micros>,
    ) -> Result<Kept, Failure> {
        let reader = self.reader_of(access, resource_type, id)?;
        let place = self.place(&reader, as_of)?;
        let name = format!("{}/{id}/_history/{version}", r4().type_name(resource_type));
        let number = version.parse().ok().filter(|_| !version.starts_with(['0', '+']));
        let found = match number {
            Some(number) => reader.version(resource_type, id, number, place)?,
            None => None,
        };
        match found {
            Some(kept) => existing(access, kept, &name),
            None => Err(Failure::new(Kind::NotFound, IssueType::NotFound, format!("there is no {name}"))),
        }
    }
}

/// What a Binary's `securityContext` names, read without its content.
fn security_context(text: &str) -> Option<(TypeId, String)> {
    let context = scan::members(text).find(|m| m.name == "securityContext")?;
    let reference = scan::members(context.value).find(|m| m.name == "reference")?;
    let (name, id) = reference.value.trim_matches('"').split_once('/')?;
    Some((r4().resource_type(name)?, id.to_owned()))
}

fn existing(access: &Access, kept: Kept, name: &str) -> Result<Kept, Failure> {
    if kept.is_destroyed {
        let message = format!("the text of {name} has been destroyed");
        return Err(Failure {
            version: Some(kept.version),
            ..Failure::new(Kind::Gone, IssueType::Deleted, message)
        });
    }
    if kept.text.is_none() {
        let when = format_instant(kept.instant);
        let message = format!("{name} was deleted at {when}; its history is at {name}/_history");
        return Err(Failure {
            version: Some(kept.version),
            ..Failure::new(Kind::Gone, IssueType::Deleted, message)
        });
    }
    access.saw(&kept);
    Ok(kept)
}
