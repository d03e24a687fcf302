//! create: `POST [base]/Type` (<https://hl7.org/fhir/R4/http.html#create>).

use fhir::NodeRef;
use store::{Action, Command, Substitutions};

use crate::{Access, Failure, Hub, Prepared, WriteOptions};

impl Hub {
    /// Prepares a new resource under an id the hub gives; an id it came with is not kept.
    ///
    /// # Errors
    /// What about it cannot be stored.
    pub fn create(
        &self,
        access: &Access,
        resource: NodeRef<'_>,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        let id = self.new_id();
        let (draft, references) = self.draft(resource, &id, &Substitutions::new())?;
        let resource_type = resource.value_type();
        let if_none_exist = match &options.if_none_exist {
            Some(text) => Some(Box::new(self.criteria(resource_type, text)?)),
            None => None,
        };
        let action = Action::Create { draft, references, if_none_exist };
        let commands = vec![Command { has_new_id: true, ..Command::new(resource_type, id, action) }];
        Ok(self.prepared(access, self.with_provenance(commands, options)?, options.once))
    }
}
