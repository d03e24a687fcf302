//! delete: `DELETE [base]/Type/id` (<https://hl7.org/fhir/R4/http.html#delete>).
//!
//! The resource ends; its versions stay readable as history and as of earlier moments.

use fhir::TypeId;
use store::{Action, Command};

use crate::{Access, Failure, Hub, Prepared, WriteOptions};

impl Hub {
    /// Prepares the end of a resource; that of one that does not exist does nothing.
    ///
    /// # Errors
    /// If the Provenance that goes with it does not read.
    pub fn delete(
        &self,
        access: &Access,
        resource_type: TypeId,
        id: &str,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        let command =
            Command { if_match: options.if_match, ..Command::new(resource_type, id, Action::Delete) };
        Ok(self.prepared(access, self.with_provenance(vec![command], options)?, options.once))
    }
}
