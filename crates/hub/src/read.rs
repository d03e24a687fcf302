//! read and vread: `GET [base]/Type/id`, `GET [base]/Type/id/_history/version`.

use fhir::date_time::{Micros, format_instant};
use fhir::{IssueType, TypeId, r4};
use store::{Kept, Place, Reader};

use crate::{Access, Failure, Hub, Kind};

impl Hub {
    /// The state reads are made on.
    #[must_use]
    pub fn reader(&self, access: &Access) -> Reader {
        let _ = access; // nobody is restricted while a hub is open
        self.store.reader()
    }

    /// The place a moment stands for; none is now.
    ///
    /// # Errors
    /// A store's failure.
    pub fn place(&self, reader: &Reader, as_of: Option<Micros>) -> Result<Option<Place>, Failure> {
        Ok(as_of.map(|moment| reader.place_as_of(moment)).transpose()?)
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
        let reader = self.reader(access);
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
        let reader = self.reader(access);
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
